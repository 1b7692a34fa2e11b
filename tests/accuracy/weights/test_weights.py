"""Weights of other libraries: ours give the logits of the originals, and what does not fit is told in a line.

`originals.json` is what transformers and timm themselves gave; `write_originals.py` made it. Its weights are
not kept: they follow from their names.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from made_weights import image, made
from safetensors.numpy import save, save_file
from safetensors.torch import save_file as save_torch

from mbsweep.accuracy.weights.files import look_at
from mbsweep.accuracy.weights.mapping import classifier_of, mapped, wanted
from mbsweep.base.errors import MbsweepError
from mbsweep.nets import build
from mbsweep.space.families import FAMILIES, architecture
from mbsweep.space.variant import Variant

ORIGINALS = json.loads(Path(__file__).with_name("originals.json").read_text())
CLASSES = 4  # of each


def saved(folder, original, tensors=None, config=True, **changes):
    """A folder as `save_pretrained` leaves it."""
    shapes = original["shapes"]
    tensors = {name: made(name, shape) for name, shape in shapes.items()} if tensors is None else tensors
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    if config:
        (folder / "config.json").write_text(json.dumps(original["config"] | changes))
    return folder


def network(original, **fields):
    said = {"num_classes": CLASSES, "resolution": 64, **original["fields"], **fields}
    return Variant(**said)


def with_weights(variant, values):
    net = build(variant)
    state = net.state_dict()
    for name, value in values.items():
        state[name].copy_(torch.from_numpy(value))
    return net.eval()


@pytest.mark.parametrize("original", ORIGINALS, ids=lambda original: original["name"])
def test_weights_of_others_give_the_logits_of_the_originals(original, tmp_path):
    """To 1e-4 of the largest, at 64 px, where TensorFlow's padding is asymmetric, and at 33; the statistics
    of batch normalisation, scales and shifts are random, as all else is.
    """
    file = look_at(saved(tmp_path / "net", original))
    for size, logits in original["logits"].items():
        variant = network(original, resolution=int(size))
        found = mapped(file, variant)
        assert not found.notes
        net = with_weights(variant, found.values())
        with torch.no_grad():
            given = net(torch.from_numpy(image(int(size))))[0].numpy()
        assert np.abs(given - logits).max() < 1e-4 * np.abs(logits).max()


def test_every_tensor_of_a_network_is_mapped():
    """All that a network keeps but counters, of every family."""
    for family in FAMILIES:
        variant = Variant(family, width=0.05, num_classes=3)
        with torch.device("meta"):
            state = build(variant).state_dict()
        names = {
            f"{module.name}.{part}"
            for module in wanted(architecture(variant).layers)
            for part in module.shapes
        }
        assert names == {name for name in state if not name.endswith("num_batches_tracked")}
        assert classifier_of(variant) in ("classifier", "last")


V1, V2, TIMM_V1, TIMM_V2 = ORIGINALS[0], ORIGINALS[3], ORIGINALS[5], ORIGINALS[6]
FIRST = "mobilenet_v1.conv_stem.convolution.weight"


def refused(path, variant):
    with pytest.raises(MbsweepError) as error:
        mapped(look_at(path), variant).values()
    told = str(error.value)
    assert "\n" not in told
    assert told.isprintable()
    return told.replace(str(path), "NET")


def changed(original, **changes):
    """Its tensors, some of them replaced; None takes one away."""
    tensors = {name: made(name, shape) for name, shape in original["shapes"].items()} | changes
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def test_other_conventions_are_refused_with_the_fields_to_set(tmp_path):
    """What config.json says and the network does not have; without it, that it is not known."""
    plain = Variant(width=0.25, resolution=64, num_classes=CLASSES)
    told = refused(saved(tmp_path / "net", V1), plain)
    assert told == (
        "NET: its weights were trained with bn_epsilon: 0.001, padding: same, activation: relu6, and "
        "mobilenet_v1_w0.25_r64_d5_n4 is not; set these fields"
    )
    half = saved(tmp_path / "half", V1, tf_padding=False, hidden_act="relu", layer_norm_eps=1e-5)
    assert not mapped(look_at(half), plain).notes
    other = saved(tmp_path / "timm", TIMM_V1)
    assert "trained with activation: relu6, and" in refused(other, plain.but(width=1.0))
    bare = mapped(look_at(saved(tmp_path / "bare", V1, config=False)), plain)
    assert bare.notes == [
        "usual in Hugging Face is bn_epsilon: 0.001, padding: same, activation: relu6; no config.json says "
        "how these weights were trained"
    ]


def test_a_config_that_no_field_can_follow_is_refused(tmp_path):
    """An activation, an epsilon or a stride that our networks do not have; and what is no JSON."""
    net = saved(tmp_path / "net", V1, hidden_act="swish")
    assert "config.json: hidden_act is 'swish'; expected one of relu, relu6" in refused(net, network(V1))
    net = saved(tmp_path / "net", V1, layer_norm_eps="small")
    assert "layer_norm_eps is 'small'; expected a number in (0, 1]" in refused(net, network(V1))
    net = saved(tmp_path / "net", V2, output_stride=16)
    assert "output_stride is 16; expected one of 32" in refused(net, network(V2))
    (net / "config.json").write_text("{")
    assert "config.json: cannot be read as JSON" in refused(net, network(V2))
    (net / "config.json").write_text("[1]")
    assert "config.json: is [1]; expected a mapping" in refused(net, network(V2))
    lies = saved(
        tmp_path / "net", V1, depth_multiplier=0.5, image_size="large"
    )  # sizes are those of the tensors
    assert not mapped(look_at(lies), network(V1)).notes


def test_weights_of_another_network_are_refused_with_the_first_that_differs(tmp_path):
    """And with the fields that their folder says."""
    net = saved(tmp_path / "net", V1)
    told = refused(net, network(V1, width=0.5))
    assert told == (
        "NET: does not fit mobilenet_v1_w0.5_r64_d5_n4_eps0.001_same_relu6: "
        "'mobilenet_v1.conv_stem.convolution.weight' is [8, 3, 3, 3], stem.conv.weight [16, 3, 3, 3]; by "
        "what it says of itself, set width: 0.25"
    )
    told = refused(saved(tmp_path / "cut", ORIGINALS[1]), network(V1, width=0.35))
    assert told.endswith("set divisor: 1, stage_channels: [63, 126, 254, 511, 1023]")
    told = refused(net, network(V1, depth=3))
    assert "it has 55 layers with weights, the network 47" in told
    assert "set family: mobilenet_v1" in refused(net, network(V2))
    told = refused(saved(tmp_path / "timm", TIMM_V2), Variant("mobilenet_v2", num_classes=CLASSES))
    assert told.endswith("set width: 0.35")


def test_missing_exchanged_and_further_tensors_are_refused(tmp_path):
    """A name of no layer, a layer without its scale, one too many; two that changed places."""
    gone = FIRST.replace("convolution.weight", "normalization.running_var")
    net = saved(tmp_path / "net", V1, changed(V1, **{gone: None}))
    assert "'mobilenet_v1.conv_stem.normalization.bias'" in refused(net, network(V1))
    net = saved(tmp_path / "net", V1, changed(V1, **{FIRST: None}))
    assert "it has 54 layers with weights, the network 55" in refused(net, network(V1))
    net = saved(tmp_path / "net", V1, changed(V1, **{"mobilenet_v1.layer.3.extra.weight": np.ones(8, "f4")}))
    assert "'mobilenet_v1.layer.3.extra.weight' belongs to no layer of a MobileNet" in refused(
        net, network(V1)
    )
    bad = "mobilenet_v1.layer.\x1b[31m\n.convolution.weight"
    net = saved(tmp_path / "net", V1, changed(V1, **{bad: np.ones((8, 8, 1, 1), "f4")}))
    assert r"\x1b" in refused(net, network(V1))
    one, other = "blocks.1.1.conv_dw.weight", "blocks.1.1.conv_pw.weight"
    tensors = changed(TIMM_V1)
    net = saved(tmp_path / "net", TIMM_V1, tensors | {one: tensors[other], other: tensors[one]})
    told = refused(net, network(TIMM_V1))
    assert "'blocks.1.1.conv_dw.weight' is [128, 128, 1, 1], block3_dw.conv.weight [128, 1, 3, 3]" in told
    # What the alphabet exchanges, 10 before 9, is not exchanged: the names are read as numbers.
    renamed = {
        name.replace("layer.9.", "layer.X.")
        .replace("layer.10.", "layer.9.")
        .replace("layer.X.", "layer.10."): of
        for name, of in changed(V1).items()
    }
    net = saved(tmp_path / "net", V1, renamed)
    assert "does not fit" in refused(net, network(V1))


def test_a_classifier_of_other_classes_is_begun_anew(tmp_path):
    """TensorFlow's 1001 classes, say; and one that is not there. All else comes along."""
    net = saved(tmp_path / "net", V1)
    found = mapped(look_at(net), network(V1, num_classes=7))
    assert found.notes == ["it tells 4 classes apart, not 7: the classifier is begun anew"]
    assert not any(name.startswith("classifier") for name in found.names)
    whole = mapped(look_at(net), network(V1))
    assert set(whole.names) - set(found.names) == {"classifier.linear.weight", "classifier.linear.bias"}
    bare = changed(V1, **{"classifier.weight": None, "classifier.bias": None})
    names = {name.removeprefix("mobilenet_v1."): tensor for name, tensor in bare.items()}  # of the bare model
    found = mapped(look_at(saved(tmp_path / "bare", V1, names)), network(V1))
    assert found.notes == ["it has no classifier, which is begun anew"]


def test_half_precision_is_made_float32_and_told(tmp_path):
    """float16 and bfloat16 exactly; values that are not finite are refused with their name."""
    plain = {name: made(name, shape) for name, shape in V1["shapes"].items()}
    halves = {name: tensor.astype(np.float16) for name, tensor in plain.items()}
    found = mapped(look_at(saved(tmp_path / "half", V1, halves)), network(V1))
    assert found.notes == ["its F16 weights are made float32"]
    name = "block1_pw.conv.weight"
    values = found.values()[name]
    assert values.dtype == np.float32
    assert np.array_equal(values, halves[found.names[name]].astype(np.float32))
    upper = {name: torch.from_numpy(tensor).bfloat16() for name, tensor in plain.items()}
    save_torch(upper, tmp_path / "bf16.safetensors")
    found = mapped(look_at(tmp_path / "bf16.safetensors"), network(V1))
    assert found.notes[-1] == "its BF16 weights are made float32"
    assert np.array_equal(found.values()[name], upper[found.names[name]].float().numpy())
    net = saved(tmp_path / "nan", V1, changed(V1, **{FIRST: np.full((8, 3, 3, 3), np.nan, np.float32)}))
    assert refused(net, network(V1)) == f"NET: {FIRST!r} has values that are not finite numbers"
    whole = {name: np.ones(shape, np.int8) for name, shape in V1["shapes"].items()}
    assert "has weights of type I8; expected floats" in refused(
        saved(tmp_path / "int", V1, whole), network(V1)
    )


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    """A pickle, with the reason; a format, a folder without weights, shards, a loop of links, half a file."""
    for name in ("pytorch_model.bin", "net.pth", "net.CKPT"):
        (tmp_path / name).write_bytes(b"\x80\x04")
        told = refused(tmp_path / name, network(V1))
        assert "is a pickle, which may run any program" in told
        assert "safetensors.torch.save_file" in told
    (tmp_path / "tf_model.h5").write_bytes(b"")
    assert "is of a format that is not read" in refused(tmp_path / "tf_model.h5", network(V1))
    assert refused(tmp_path / "none", network(V1)) == "NET: there is no such file or folder"
    folder = tmp_path / "folder"
    folder.mkdir()
    assert refused(folder, network(V1)).startswith(
        "NET: is a folder without weights; expected model.safetensors"
    )
    shutil.copy(tmp_path / "pytorch_model.bin", folder)
    assert "pytorch_model.bin: is a pickle" in refused(folder, network(V1))
    (folder / "model.safetensors.index.json").write_text("{}")
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"")
    (folder / "model-00002-of-00002.safetensors").write_bytes(b"")
    assert "its weights are in 2 files; save them as one" in refused(folder, network(V1))
    (tmp_path / "loop").symlink_to("loop")
    assert "NET: cannot be read: " in refused(tmp_path / "loop", network(V1))
    whole = save(changed(V1))
    for content in (whole[:-5], whole[:50], b"", b"\xff" * 64):
        (tmp_path / "half.safetensors").write_bytes(content)
        assert "is no safetensors file, or damaged" in refused(tmp_path / "half.safetensors", network(V1))
    (tmp_path / "half.safetensors").write_bytes(save({}))
    assert "it has no tensors" in refused(tmp_path / "half.safetensors", network(V1))
    (tmp_path / "half.safetensors").write_bytes(save({"features.0.weight": np.ones(3, np.float32)}))
    assert "('features.0.weight', ...) are called as in none of" in refused(
        tmp_path / "half.safetensors", network(V1)
    )


@pytest.mark.parametrize(
    ("fields", "least"), [({"bn_epsilon": 1e-5}, 1e-3), ({"padding": "half"}, 1e-2)], ids=str
)
def test_each_convention_matters(fields, least, tmp_path):
    """Left out, the logits are others, as the comparison with the originals would see. (No value of these
    networks is above 6.)
    """
    file = look_at(saved(tmp_path / "net", V1, config=False))
    expected = np.array(V1["logits"]["64"])
    variant = network(V1, **fields)
    net = with_weights(variant, mapped(file, variant).values())
    with torch.no_grad():
        given = net(torch.from_numpy(image(64)))[0].numpy()
    assert np.abs(given - expected).max() > least * np.abs(expected).max()
