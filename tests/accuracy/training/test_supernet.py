"""Networks that share weights: whose are whose, what is taken out, and how far a run says to trust them."""

import json
import math
import random
import shlex
import sys
from collections import Counter
from dataclasses import replace

import brightness
import numpy as np
import onnxruntime
import pytest
import torch
from console import call
from torch import nn

import mbsweep
from mbsweep.accuracy.datasets import Part, open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.settings import Recipe, SupernetAccuracy
from mbsweep.accuracy.training import supernet, worker
from mbsweep.accuracy.training.batches import normalised
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.accuracy.training.evaluating import Outcome
from mbsweep.accuracy.training.extracting import extract
from mbsweep.accuracy.training.loop import DivergedError, Job, initialised
from mbsweep.accuracy.training.side_by_side import Batch, Lanes, gradients
from mbsweep.accuracy.training.supernet import Supernet, picked, shared_layers, train_supernet
from mbsweep.accuracy.training.supernets import spread_evenly
from mbsweep.accuracy.training.trusting import trust
from mbsweep.base.errors import MbsweepError
from mbsweep.commands.extract import EXAMPLE
from mbsweep.plan import plan
from mbsweep.space.sharing import largest_of
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store
from mbsweep.sweep.sweep import parse_sweep

pytestmark = pytest.mark.usefixtures("as_in_a_worker")
BODY = Variant(num_classes=3)
LARGEST = BODY.but(width=0.25, resolution=32, depth=2)
MOMENTS = ([127.5] * 3, [64.0] * 3)


def images(count, size):
    chance = np.random.default_rng(count)
    pixels = chance.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return Part(pixels, chance.integers(0, 3, count))


def supernet_of(largest=LARGEST, recipe=None):
    """One that is not trained, of networks at 16 and 32 px."""
    return Supernet(initialised(Job(largest, recipe or Recipe(), seed=0)), largest, [16, 32])


def config(epochs=3, middle=1):
    recipe = Recipe(epochs=epochs, batch=16, learning_rate=0.02)
    return SupernetAccuracy(source="supernet", recipe=recipe, seed=1, middle=middle, calibration_images=64)


def super_text(root, space=brightness.SPACE, recipe=brightness.RECIPE):
    return f"""\
space: {{{space}}}
accuracy:
  source: supernet
  dataset: {{name: imagefolder, path: "{root}"}}
  recipe: {{{recipe}}}
  alone: {{count: 0}}
"""


@pytest.mark.parametrize(
    ("block", "depth", "expected"),
    [
        ("standard", 1, {7: 7, 8: 12, 9: 13}),
        ("standard", 0, {6: 6, 7: 12, 8: 13}),
        ("standard", 5, {7: 7, 11: 11, 12: 12, 13: 13}),
    ],
)
def test_a_shallower_network_has_the_first_of_the_repeated_blocks(block, depth, expected):
    """Of the 13 blocks of Table 1, numbers 7 to 11 are the repeated ones; the last two are always there."""
    largest = Variant(block=block, depth=5)
    layers = shared_layers(largest.but(depth=depth), largest)
    shared = {layer.name.partition(".")[0]: name.partition("_")[0] for layer, name in layers}
    assert {f"block{own}": f"block{of}" for own, of in expected.items()}.items() <= shared.items()
    assert (shared["stem"], shared["classifier"]) == ("stem", "classifier")


V2 = Variant("mobilenet_v2", width=0.1, resolution=32, num_classes=3, kernel=5, expansion=2)
KERNELS = LARGEST.but(kernels=(7, 5, 3, 5, 7))
SHARES = [  # a supernet's largest network, and what of it is another's
    *((LARGEST, {"width": width, "depth": depth}) for width in (0.25, 0.1) for depth in (0, 1, 2)),
    *((LARGEST.but(block="standard"), {"width": 0.1, "depth": depth}) for depth in (0, 2)),
    (LARGEST.but(block="inverted_residual"), {"width": 0.1, "depth": 1}),
    (LARGEST.but(block="bottleneck"), {"width": 0.1, "depth": 1}),  # an activation follows its sums
    (LARGEST.but(block="factorized"), {"width": 0.1, "depth": 1}),
    (KERNELS, {"kernels": (3, 5, 3, 3, 5)}),
    (LARGEST.but(block="factorized", kernels=(7, 5, 3, 5, 7)), {"kernels": (5, 3, 3, 3, 7), "width": 0.1}),
    (LARGEST.but(stage_depths=(1, 3, 2, 2, 3)), {"stage_depths": (1, 1, 2, 1, 2)}),
    (LARGEST, {"stage_widths": (1, 0.5, 1, 0.5, 1)}),
    (V2, {"kernel": 3}),
    (V2.but(padding="same", bn_epsilon=0.5), {"width": 0.05}),
    (KERNELS.but(padding="same", bn_epsilon=0.5, activation="relu6"), {"kernels": (3, 5, 3, 3, 5)}),
    (V2, {"width": 0.05, "stage_depths": (1, 1, 3, 2, 1, 3, 1)}),
    (V2, {"stage_widths": (1, 0.5, 1, 0.25, 1, 0.5, 1), "stage_depths": (1, 1, 3, 2, 1, 3, 1), "kernel": 3}),
    (V2.but(width=0.5), {"width": 0.1}),  # narrow, more of its blocks have a residual
]


@pytest.mark.parametrize(("largest", "fields"), SHARES)
def test_what_is_taken_out_computes_what_was_trained(largest, fields):
    """The share of the largest's weights gives the same logits as the ordinary network taken out, both with
    the statistics of the batch.
    """
    variant = largest.but(**fields, resolution=16)
    assert largest_of(Space.of([largest, variant])) == largest
    net = supernet_of(largest, Recipe(dropout=0))
    for norm in net.norms["16"].values():
        nn.init.constant_(norm.bias, 0.2)  # and 0.5 at 32 px
    part = images(6, 16)
    own = net.extracted(variant, part, MOMENTS, 6).train()
    for module in own.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x = normalised(torch.from_numpy(part.images), MOMENTS)
    with torch.no_grad():
        assert torch.allclose(own(x), net(variant, x, net.kept(variant, 6)), atol=1e-5)


def test_resolutions_have_batch_normalisation_of_their_own():
    """What is learnt of scales and shifts at 16 px changes nothing at 32 px; other weights are shared."""
    net = supernet_of(recipe=Recipe(dropout=0))
    x = normalised(torch.from_numpy(images(6, 32).images), MOMENTS)
    small, large = (LARGEST.but(resolution=size) for size in (16, 32))
    with torch.no_grad():
        kept = net.kept(large, 6)
        before = net(large, x, kept)
        assert torch.equal(net(small, x, kept), before)  # they begin alike
        net.norm("stem", 16).weight.mul_(torch.linspace(0.5, 2, 8))
        assert torch.equal(net(large, x, kept), before)
        assert not torch.allclose(net(small, x, kept), before)


def test_statistics_are_those_of_the_images():
    """Of the first layer, over one batch of images: mean and unbiased variance of each channel."""
    net = supernet_of()
    part = images(40, 32)
    own = net.extracted(LARGEST, part, MOMENTS, 40)
    with torch.no_grad():
        before = own.stem.conv(normalised(torch.from_numpy(part.images), MOMENTS))
    assert torch.allclose(own.stem.bn.running_mean, before.mean(dim=(0, 2, 3)), atol=1e-5)
    assert torch.allclose(own.stem.bn.running_var, before.var(dim=(0, 2, 3)), rtol=1e-3)
    assert not own.training


def test_statistics_are_the_same_in_whatever_order_the_images_lie():
    """256 images, dark ones first: the spread of all, not that within dark and within light ones."""
    pixels = np.repeat(np.arange(256, dtype=np.uint8), 16 * 16 * 3).reshape(256, 16, 16, 3)
    net = supernet_of()
    own = net.extracted(LARGEST.but(resolution=16), Part(pixels, np.zeros(256, np.int64)), MOMENTS, 256)
    with torch.no_grad():
        before = own.stem.conv(normalised(torch.from_numpy(pixels), MOMENTS))
    assert torch.allclose(own.stem.bn.running_var, before.var(dim=(0, 2, 3)), rtol=0.1)


def test_an_extracted_network_follows_its_images_when_it_is_trained_further():
    """Its running statistics move by a tenth in each batch, as those of a new one do."""
    own = supernet_of().extracted(LARGEST, images(40, 32), MOMENTS, 40)
    assert {module.momentum for module in own.modules() if isinstance(module, nn.BatchNorm2d)} == {0.1}


def test_a_supernet_of_other_variants_is_another(tmp_path):
    """Each gets a training of its own: neither goes on with the other's checkpoint."""
    root = brightness.write_images(tmp_path / "images", train=20)
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16])
    some = [BODY.but(width=width, resolution=16, depth=0) for width in (0.1, 0.2, 0.15)]
    for variants, middle in ((some[:2], 1), (some, 1), (some, 2)):
        list(train_supernet(config(epochs=1, middle=middle), Space.of(variants), dataset, tmp_path / "net"))
        told = open_checkpoint(tmp_path / "net").about["supernet"]
        assert (len(told["variants"]), told["middle"]) == (len(variants), middle)
    names = {config().name_on("digits-1234abcd", Space.of(which)) for which in (some, some[:2])}
    assert len(names) == 2
    assert config().name_on("digits-1234abcd", Space.of(some[::-1])) in names


def test_an_interrupted_supernet_ends_as_one_that_was_left_alone(tmp_path):
    """Stopped after each epoch, its weights are bit for bit the same; a larger network is not in it."""
    root = brightness.write_images(tmp_path / "images", train=20)
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16, 24])
    variants = [
        BODY.but(width=0.1, resolution=16, depth=0),
        BODY.but(width=0.2, resolution=24, depth=1),
    ]
    left_alone = list(train_supernet(config(), Space.of(variants), dataset, tmp_path / "a"))
    for epochs in (1, 2, 3):
        training = train_supernet(config(), Space.of(variants), dataset, tmp_path / "b")
        interrupted = [next(training) for _ in range(epochs)]
    assert [replace(row, seconds=0) for row in interrupted] == [replace(row, seconds=0) for row in left_alone]
    states = [open_checkpoint(tmp_path / name) for name in "ab"]
    assert all(torch.equal(states[1].tensors[name], tensor) for name, tensor in states[0].tensors.items())
    part = dataset.part("train", 16)
    assert extract(states[0], variants[0], part)(torch.zeros(1, 3, 16, 16)).shape == (1, 3)
    with pytest.raises(MbsweepError, match="which is larger"):
        extract(states[0], BODY.but(width=0.5, resolution=16), part)
    with pytest.raises(MbsweepError, match=r"has no network at 20 px: it was trained at 16, 24$"):
        extract(states[0], variants[0].but(resolution=20), part)
    del states[0].about["supernet"]["resolutions"]
    with pytest.raises(MbsweepError, match="is of an earlier mbsweep; train it again"):
        extract(states[0], variants[0], part)


BODIES = [
    {"divisor": 4},
    {"stage_channels": (32, 48, 64, 96, 128)},
    {"block": "standard", "divisor": 4},
    {"stem_stride": 1},
]


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("body", BODIES, ids=str)
def test_any_network_of_a_supernet_can_be_extracted_and_trained_further(body, tmp_path, monkeypatch):
    """Of a space with a divisor, stages, a block or a stem stride of its own, which no option names: the file
    knows. What is not asked for is as in the largest: so in the example of the help.
    """
    monkeypatch.chdir(tmp_path)
    root = brightness.write_images(tmp_path / "images", train=20)
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16, 24])
    large = BODY.but(width=0.3, resolution=24, depth=1, **body)
    small = large.but(width=0.1, resolution=16, depth=0)
    file, images = tmp_path / "supernet.safetensors", ("--dataset", root)
    list(train_supernet(config(epochs=1, middle=0), Space.of([large, small]), dataset, file))
    said = call(*shlex.split(EXAMPLE)[1:])
    assert f": {large.id}, top-1 " in said.stdout
    narrow = ("--width", 0.1, "--resolution", 16, "--depth", 0)
    assert (
        f": {small.id}, top-1 "
        in call("extract", file, *narrow, *images, "-o", tmp_path / "small.safetensors").stdout
    )
    of_file = open_checkpoint(tmp_path / "small.safetensors")
    assert Variant(**of_file.about["variant"]) == small
    own = extract(open_checkpoint(file), small, dataset.part("train", small.resolution)).state_dict()
    assert all(torch.equal(of_file.tensors[f"weight/{name}"], tensor) for name, tensor in own.items())
    for start, options in ((file, narrow), (tmp_path / "small.safetensors", ())):
        more = ("--start", start, *options, "--epochs", 1, "--batch", 16, "-o", tmp_path / "more.safetensors")
        assert call("train", *images, *more).stdout.startswith(f"{small.id} on ")


def test_networks_side_by_side_learn_what_they_learn_one_after_another(tmp_path):
    """With one thread, two, or one for each network: the same weights to the last bit, and so is a training
    that goes on with another number of them.
    """
    root = brightness.write_images(tmp_path / "images", train=20)
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16, 24])
    variants = [BODY.but(width=width, resolution=16, depth=0) for width in (0.1, 0.2, 0.15)]
    settings = config(epochs=2, middle=2)
    weights = []
    for first, then in ((1, 1), (2, 2), (4, 4), (1, 4)):
        file = tmp_path / f"{first}{then}"
        for threads, epochs in ((first, 1), (then, 2)):
            training = train_supernet(settings, Space.of(variants), dataset, file, threads=threads)
            for _ in range(epochs):
                next(training)
            training.close()
        weights.append(open_checkpoint(file).tensors)
    assert all(
        torch.equal(tensor, other[name]) for other in weights[1:] for name, tensor in weights[0].items()
    )


def test_gradients_are_those_of_all_networks_together():
    """As autograd adds them up where one network follows another; what none of them uses has none. All but
    the largest learn by a quarter from the labels, else from its answers.
    """
    net = supernet_of(recipe=Recipe(dropout=0.3)).train()
    for weight in net.parameters():
        weight.grad = torch.zeros_like(weight)
    labels = torch.tensor([0, 1, 2, 1, 0, 2])
    some = [LARGEST, LARGEST.but(width=0.1, depth=0), LARGEST.but(width=0.1, resolution=16)]
    batches = [
        Batch(one, torch.randn(6, 3, one.resolution, one.resolution), net.kept(one, 6)) for one in some
    ]
    with Lanes(3, 3) as lanes:
        logits, loss = gradients(net, batches, labels, 0.1, 0.25, lanes)
    found = [weight.grad.clone() for weight in net.parameters()]
    net.zero_grad(set_to_none=False)
    again = net(some[0], batches[0].images, batches[0].kept)
    expected = nn.functional.cross_entropy(again, labels, label_smoothing=0.1)
    expected.backward()
    for batch in batches[1:]:
        answer = net(batch.variant, batch.images, batch.kept)
        told = nn.functional.cross_entropy(answer, again.detach().softmax(1))
        (0.25 * nn.functional.cross_entropy(answer, labels, label_smoothing=0.1) + 0.75 * told).backward()
    assert torch.equal(logits, again)
    assert torch.equal(loss, expected)
    assert all(map(torch.equal, found, (weight.grad for weight in net.parameters())))


def test_a_supernet_whose_validation_is_not_a_number_has_diverged(tmp_path, monkeypatch):
    """Told with its epoch, though each loss of the training was a number."""
    root = brightness.write_images(tmp_path / "images", train=20)
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16])
    variants = [BODY.but(width=width, resolution=16, depth=0) for width in (0.1, 0.2)]
    given = iter([1.0, 2.0, 1.0, math.nan])  # of the largest and the smallest, after two epochs
    monkeypatch.setattr(supernet, "evaluate", lambda *_: Outcome(next(given), np.ones(4, bool), math.nan))
    training = train_supernet(config(), Space.of(variants), dataset, tmp_path / "net")
    assert next(training).validation_loss == 1.5
    with pytest.raises(DivergedError, match="the validation loss is not a number in epoch 2"):
        next(training)


@pytest.mark.parametrize("dropout", [0, 0.5])
def test_networks_of_a_supernet_drop_out_before_the_classifier(dropout):
    """Two passes of the same images differ where the recipe says so, and only there."""
    variant = LARGEST.but(width=0.1)
    net = supernet_of(recipe=Recipe(dropout=dropout)).train()
    x = normalised(torch.from_numpy(images(8, 32).images), MOMENTS)
    one, other = (net(variant, x, net.kept(variant, 8)) for _ in range(2))
    assert torch.equal(one, other) == (dropout == 0)


def test_a_step_trains_one_network_of_the_highest_resolution_and_others_of_any():
    """In 2,000 draws of two among six variants each of the two at 64 px is first in half, and any other is
    second in a fifth (of five): within 4 standard deviations. No step trains one twice.
    """
    picker = random.Random(7)
    draws = [picked(picker, np.array([0, 3]), 6, 2) for _ in range(2000)]
    first, second = (Counter(draw[place] for draw in draws) for place in (0, 1))
    assert all(len(set(draw)) == 2 for draw in draws)
    assert set(first) == {0, 3}
    assert abs(first[0] - 1000) < 4 * math.sqrt(2000 / 4)
    for place in (1, 2, 4, 5):
        assert abs(second[place] - 400) < 4 * math.sqrt(2000 * 0.2 * 0.8)


@pytest.mark.parametrize("middle", [0, 1, 3, 9])
def test_the_cost_of_a_step_is_the_mean_of_what_is_picked(middle):
    """Over 4,000 draws among six variants, the largest and the smallest added: to 1 %."""
    costs, resolutions = np.array([30.0, 20.0, 5.0, 90.0, 60.0, 25.0]), np.array([64, 48, 32] * 2)
    picker = random.Random(3)
    drawn = [costs[picked(picker, np.array([0, 3]), 6, middle)].sum() for _ in range(4000)]
    found = config(middle=middle).step_cost(costs, resolutions)
    assert found == pytest.approx(90 + 5 + np.mean(drawn), rel=0.01)


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (3, 3), (9, 3)])
def test_a_step_trains_no_more_networks_than_there_are(count, expected):
    """Three variants of one resolution."""
    assert len(set(picked(random.Random(0), np.arange(3), 3, count))) == expected


def test_variants_are_chosen_from_the_smallest_to_the_largest():
    """Three of seven: the first, the middle, the last by mult-adds; never more than there are."""
    some = [BODY.but(width=width) for width in (0.7, 0.1, 0.3, 0.2, 0.5, 0.6, 0.4)]
    assert [variant.width for variant in spread_evenly(some, 3)] == [0.1, 0.4, 0.7]
    assert len(spread_evenly(some, 10)) == 7
    assert spread_evenly(some, 0) == []


def test_trust_says_how_alike_the_two_are():
    """Four networks, one pair of six exchanged: tau 4 / 6; from 3 below to 1 above, 1 below on average."""
    supernet = {"a": 50.0, "b": 62.0, "c": 61.0, "d": 80.0, "e": 99.0}
    alone = {name: {0: pct} for name, pct in {"a": 53.0, "b": 62.0, "c": 63.0, "d": 79.0}.items()}
    report = trust(supernet, alone, min_tau=0.7)
    assert report["tau"] == pytest.approx(4 / 6)
    assert report["summary"] == (
        "against 4 networks that were trained alone: Kendall's tau 0.67 (1 of 6 pairs exchanged, alone at "
        "most 1.00 points apart), accuracies -3.0 to +1.0 points from theirs, -1.0 on average; its ranking "
        "is not to be relied on (tau below 0.7)"
    )
    assert "relied" not in trust(supernet, alone, min_tau=0.6)["summary"]
    better = trust({"a": 60.0, "b": 70.0}, {"a": {0: 50.0}, "b": {0: 60.0}}, 0.7)
    assert "(0 of 1 pairs exchanged), accuracies +10.0 to +10.0 points from theirs" in better["summary"]
    same = trust({"a": 60.0, "b": 60.0}, {"a": {0: 50.0}, "b": {0: 60.0}}, 0.7)
    assert "Kendall's tau unknown, " in same["summary"]
    assert trust(supernet, {}, 0.7)["summary"] == (
        "not compared with networks that were trained alone; its ranking is not to be relied on (tau unknown)"
    )
    stalled = trust(supernet, alone, 0.6, ["e", "f"])  # of f the supernet knows nothing
    assert (stalled["networks"], stalled["stalled"], stalled["tau"]) == (4, 1, report["tau"])
    assert stalled["summary"].endswith(
        "-1.0 on average; 1 network of the supernet's stalled alone (there 99.0 %)"
    )
    assert trust(supernet, {}, 0.7, ["b", "a"])["summary"] == (
        "not compared with networks that were trained alone; 2 networks of the supernet's stalled alone "
        "(there 50.0, 62.0 %); its ranking is not to be relied on (tau unknown)"
    )
    one = trust({"a": 50.0}, {"a": {0: 53.0}}, 0.7)["summary"]
    assert one == (
        "against 1 network that was trained alone: Kendall's tau unknown, accuracies -3.0 points from its own"
        "; its ranking is not to be relied on (tau unknown)"
    )
    both = {
        "a": {0: 52.0, 1: 54.0},
        "b": {0: 61.0, 1: 63.0},
        "c": {0: 66.0, 1: 60.0},
        "d": {0: 80.0, 1: 78.0},
    }
    # The same means; the seeds exchange b and c.
    told = "(1 of 6 pairs exchanged, alone at most 1.00 points apart; the seeds alone agree at 0.67)"
    assert told in trust(supernet, both, 0.6)["summary"]


def check_extracted(folder, root):
    """A network in between was never trained, and is said to be so; one that was is not. Both say what keeps
    the ranking from being relied on, if anything does, and, moved elsewhere, that it is not known.
    """
    (path,) = (folder / "run" / "weights").glob("*/supernet_*.safetensors")
    (note,) = set(mbsweep.open_run(folder / "run").table()["top1_note"])
    words = ["--dataset", root, "--resolution", 16, "--depth", 0, "-o", folder / "net.safetensors"]
    ranking = [f"caution: the supernet: {note}"] if "relied" in note else []
    never = "caution: width 0.2 was never trained: the supernet's networks have width 0.1, 0.25"
    for width, cautions in ((0.25, []), (0.2, [never])):
        result = call("extract", path, "--width", width, *words)
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[1:] == [*cautions, *ranking]
    moved = path.rename(folder / "moved.safetensors")
    assert "caution: its run is not beside it" in call("extract", moved, "--width", 0.25, *words).stdout
    moved.rename(path)


def check_exported(folder, root, trainings):
    """A variant's file is its extracted network: ONNX Runtime gives the table's answers to the last image."""
    part = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16]).part("test", 16)
    for row in trainings:
        result = call("export", folder / "run", row.variant, "-o", folder / "net.onnx")
        assert f"{row.variant} at fp32, supernet, seed 0, " in result.stdout, result.output
        session = onnxruntime.InferenceSession(folder / "net.onnx", providers=["CPUExecutionProvider"])
        card = json.loads(session.get_modelmeta().custom_metadata_map["mbsweep"])
        assert card["network"]["id"] == row.variant
        images = (part.images - np.float32(card["mean"])) / np.float32(card["std"])
        logits = [session.run(None, {"image": image.transpose(2, 0, 1)[None]})[0][0] for image in images]
        assert (np.argmax(logits, axis=1) == part.labels).tolist() == row.hits.tolist()


@pytest.mark.usefixtures("one_core")
def test_a_sweep_with_a_supernet_end_to_end(tmp_path):
    """Every variant has an accuracy of its own kind, and the run says how it compares with those alone; a
    second run does nothing.
    """
    root = brightness.write_images(tmp_path / "images")
    alone = f"alone: {{count: 2, recipe: {{{brightness.RECIPE}}}}}"
    sweep = parse_sweep(super_text(root).replace("alone: {count: 0}", alone), "super.yaml")
    table = mbsweep.run(sweep, tmp_path / "run").table()
    assert set(table["variant"]) == {brightness.SMALL, brightness.LARGE}
    assert set(table["top1_kind"]) == {"supernet"}
    assert (table["top1_pct"] > 90).all()  # of three classes that a glance tells apart; both are 100 here
    assert table["top1_low_pct"].isna().all()
    assert table["top1_note"].str.startswith("against 2 networks that were trained alone").all()
    with Store.read(tmp_path / "run") as store:
        source = store.last_sweep()["accuracy_sources"][0]
        report = store.supernets()[source]
        before = store.trainings(source), store.epochs(source)
    assert report["networks"] == 2
    assert math.isfinite(report["mean_gap_pct"])
    check_extracted(tmp_path, root)
    check_exported(tmp_path, root, before[0])
    mbsweep.run(sweep, tmp_path / "run")
    with Store.read(tmp_path / "run") as store:
        assert (store.trainings(source), store.epochs(source)) == before


def test_a_supernet_that_fails_says_so_of_each_variant(tmp_path):
    """Its process ends at once: recorded, with the reason in the table; not tried again unasked."""
    root = brightness.write_images(tmp_path / "images")
    sweep = parse_sweep(super_text(root), "super.yaml")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker, "COMMAND", [sys.executable, "-c", "raise SystemExit(3)"])
        table = mbsweep.run(sweep, tmp_path / "run").table()
    assert table["top1_pct"].isna().all()
    assert set(table["top1_reason"]) == {"the supernet failed: the training's process ended: exit code 3"}
    again = mbsweep.run(sweep, tmp_path / "run").table()
    assert set(again["top1_reason"]) == set(table["top1_reason"])


@pytest.mark.usefixtures("one_core")
def test_the_largest_need_not_be_a_variant(tmp_path):
    """Widest at the lower resolution only. The page can be made, and has no curve of what is no variant."""
    root = brightness.write_images(tmp_path / "images")
    variants = (
        "variants: [{width: 0.25, resolution: 16, depth: 0, num_classes: 3}, {width: 0.1, resolution: 24, "
    )
    text = super_text(root).replace(f"space: {{{brightness.SPACE}}}", variants + "depth: 0, num_classes: 3}]")
    done = mbsweep.run(parse_sweep(text, "super.yaml"), tmp_path / "run")
    assert done.table()["top1_pct"].notna().all()
    assert done.curves().empty
    assert call("report", tmp_path / "run", "--html", tmp_path / "report").exit_code == 0


def test_patience_is_refused_for_a_supernet():
    """It has all of its epochs."""
    with pytest.raises(MbsweepError, match=r"accuracy.recipe is .*; a supernet has all of its epochs"):
        parse_sweep("space: {}\naccuracy: {source: supernet, recipe: {patience: 3}}\n", "s.yaml")


def test_variants_that_cannot_share_are_refused_before_anything_is_measured(tmp_path):
    """With the line of the sweep that asks for it; no folder is left behind."""
    root = brightness.write_images(tmp_path / "images")
    text = super_text(root, space=brightness.SPACE + ", block: [separable, standard]")
    with pytest.raises(MbsweepError, match=r"^super.yaml:3: accuracy.source is supernet: .* may differ in"):
        mbsweep.run(parse_sweep(text, "super.yaml"), tmp_path / "run")
    with pytest.raises(MbsweepError, match=r"^super.yaml:3: accuracy.source is supernet: "):
        plan(parse_sweep(text, "super.yaml"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
