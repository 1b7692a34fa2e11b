"""A trained network as a compressed file: it answers as it did, and no other network is taken for it."""

import pytest
import torch

from mbsweep.accuracy.compressing.files import network_in, open_compressed, tensors_of
from mbsweep.base.errors import MbsweepError
from mbsweep.formats.compressed.file import Compressed, packed, read, written
from mbsweep.nets import build
from mbsweep.space.families import FAMILIES
from mbsweep.space.variant import Variant

LARGE = ("alexnet", "vgg16", "resnet18", "resnet50", "mobilenet_v4_conv_medium")
SMALL = Variant(width=0.25, resolution=32, depth=0, num_classes=10)


def trained(variant):
    """Weights and statistics as after a training: nothing as it begins."""
    torch.manual_seed(0)
    net = build(variant)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.2, 0.2)
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
    return net.eval()


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in LARGE])
def test_the_network_of_a_file_answers_as_the_one_before(family):
    """Of every family but the largest: within 0.01 % of the largest logit."""
    small = {"width": 0.25} if "width" in FAMILIES[family].fields else {}
    variant = Variant(family, resolution=64, num_classes=10, **small)
    net = trained(variant)
    content = written({"variant": variant.as_dict()}, packed(tensors_of(net)))
    found = network_in(read(content, "net.mbz"), "net.mbz")
    image = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        before, after = net(image), found(image)
    assert (before - after).abs().max() <= 1e-4 * before.abs().max()


def test_what_is_kept_is_what_counts_as_parameters():
    """Of batch normalisation one scale and one shift per channel: 125,402 numbers, as `show` counts them."""
    assert sum(tensor.size for tensor in tensors_of(trained(SMALL)).values()) == 125_402


def changed(change):
    tensors = tensors_of(trained(SMALL))
    about = {"variant": SMALL.as_dict()}
    change(tensors, about)
    with pytest.raises(MbsweepError) as told:
        network_in(Compressed(about, tensors), "net.mbz")
    assert "\n" not in str(told.value)
    return str(told.value)


def test_tensors_of_another_network_are_refused():
    """One that is missing, one of another shape, one too many, a head without a network, or with none."""
    name = "stem.conv.weight"
    assert (
        changed(lambda tensors, _: tensors.pop(name)) == f"net.mbz: lacks {name}, or has it in another shape"
    )
    told = changed(lambda tensors, _: tensors.update({name: tensors[name][:1]}))
    assert told == f"net.mbz: lacks {name}, or has it in another shape"
    told = changed(lambda tensors, _: tensors.update(x=tensors[name]))
    assert told == "net.mbz: has x, which its network has not"
    told = changed(lambda _, about: about.clear())
    assert told == "net.mbz: does not say which network it has: 'variant'"
    assert changed(lambda _, about: about["variant"].update(width=-1)).startswith(
        "net.mbz: does not say which network it has: Variant: width is -1; "
    )


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """In one line, with its name."""
    with pytest.raises(MbsweepError, match=r"net\.mbz: cannot be read: No such file"):
        open_compressed(tmp_path / "net.mbz")
