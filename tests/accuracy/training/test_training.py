"""One training: its schedule, what it decays, and that it is the same wherever it stopped."""

import math
from dataclasses import asdict, replace

import brightness
import numpy as np
import pytest
import torch
from torch import nn

from mbsweep.accuracy.datasets import Part, open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training import loop as training
from mbsweep.accuracy.training.checkpoint import BEST, OPTIMIZER, WEIGHT, open_checkpoint
from mbsweep.accuracy.training.evaluating import evaluate
from mbsweep.accuracy.training.loop import (
    DivergedError,
    Job,
    finish,
    has_lost_patience,
    initialised,
    train,
    trained_network,
)
from mbsweep.accuracy.training.optimizer import clip_gradients, make_optimizer, schedule
from mbsweep.space.variant import Variant

pytestmark = pytest.mark.usefixtures("as_in_a_worker")
NET = Variant(width=0.1, resolution=16, depth=0, num_classes=3)
RECIPE = Recipe(epochs=3, batch=16, learning_rate=0.05, warmup_pct=10)


@pytest.fixture
def dataset(tmp_path):
    """Three classes that differ in brightness, 20 training images each."""
    root = brightness.write_images(tmp_path / "images", train=20)
    return open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16])


def job(seed=0, attempt=0, net=NET, **settings):
    return Job(net, RECIPE.model_copy(update=settings), seed, attempt)


def numbers(epochs):
    """Curves without the time they took."""
    return [replace(epoch, seconds=0) for epoch in epochs]


def same_tensors(one, other):
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


# The learning rate


@pytest.mark.parametrize(
    ("kind", "progress", "share"),
    [
        ("one_cycle", 0.0, 0.04),  # PyTorch's OneCycleLR: initial rate is the highest / 25
        ("one_cycle", 0.1, 0.52),  # half-way up the cosine
        ("one_cycle", 0.2, 1.0),
        ("one_cycle", 0.6, 0.5005),
        ("one_cycle", 1.0, 0.001),
        ("cosine", 0.0, 0.001),
        ("cosine", 0.05, 0.25),  # a straight line
        ("cosine", 0.1, 0.5),
        ("cosine", 0.2, 1.0),
        ("cosine", 0.6, 0.5005),  # 0.001 + 0.999 / 2
        ("cosine", 1.0, 0.001),
    ],
)
def test_the_rate_rises_for_the_warmup_and_falls_along_a_cosine(kind, progress, share):
    """Literal shares of the highest rate, with a warmup of 20 %."""
    recipe = Recipe(schedule=kind, warmup_pct=20)
    assert schedule(progress, recipe) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("kind", ["one_cycle", "cosine"])
def test_without_a_warmup_the_rate_begins_at_its_highest(kind):
    """And no step divides by nothing."""
    assert schedule(0.0, Recipe(schedule=kind, warmup_pct=0)) == 1


def test_one_cycle_is_pytorchs(dataset):
    """Step for step what OneCycleLR gives, with the same ends."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1)
    steps = 50
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        # Theirs has its peak at step pct_start * total - 1, and its end at step total - 1.
        optimizer,
        1.0,
        total_steps=steps + 1,
        pct_start=11 / 51,
        div_factor=25,
        final_div_factor=1000 / 25,
    )
    recipe = Recipe(warmup_pct=20)
    for step in range(steps):
        assert schedule(step / steps, recipe) == pytest.approx(theirs.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        theirs.step()


def test_further_attempts_halve_the_rate_and_draw_anew(dataset, tmp_path):
    """Attempt 2 at a quarter of the rate, from other weights; another seed, too, begins elsewhere."""
    assert [job(attempt=attempt).learning_rate for attempt in range(3)] == [0.05, 0.025, 0.0125]
    beginnings = [initialised(job(*place))[0].conv.weight for place in ((0, 0), (0, 1), (1, 0))]
    assert not any(torch.equal(beginnings[0], other) for other in beginnings[1:])
    *_, last = train(job(attempt=1), dataset, tmp_path / "net")
    assert last.learning_rate == pytest.approx(0.025 * schedule(8 / 9, RECIPE))  # 3 epochs of 3 steps


# Optimizer and beginning


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_depthwise_kernels_and_batch_normalisation_do_not_decay(optimizer):
    """Section 3.4 of arXiv:1704.04861: little or no weight decay on the depthwise filters. Of 13 blocks less
    the 5 of depth: 8 pointwise, the stem and the classifier decay.
    """
    net = initialised(job())
    decayed, others = make_optimizer(net, Recipe(optimizer=optimizer, weight_decay=0.01)).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.01, 0)
    names = {id(weight): name for name, weight in net.named_parameters()}
    decaying = {names[id(weight)] for weight in decayed["params"]}
    modules = dict(net.named_modules())
    assert len(decaying) == 8 + 1 + 1
    for name in names.values():
        owner, _, kind = name.rpartition(".")
        module = modules[owner]
        is_depthwise = isinstance(module, nn.Conv2d) and module.groups > 1
        is_dense = isinstance(module, nn.Conv2d | nn.Linear) and kind == "weight" and not is_depthwise
        assert (name in decaying) == is_dense, name
    assert len(decayed["params"]) + len(others["params"]) == len(names)


def test_a_depthwise_kernel_begins_close_to_identity():
    """0.3 times He's kernel, plus 1 in its middle, be it 3, 5 or 7 wide; nothing else differs from He's
    beginning.
    """
    net = NET.but(kernels=(3, 5, 7, 3, 3))
    leaning, he = (
        dict(initialised(job(net=net, depthwise_init=kind)).named_parameters()) for kind in ("identity", "he")
    )
    middles = {3: 1, 5: 2, 7: 3}
    changed = 0
    for name, weight in he.items():
        expected = weight.clone()
        if weight.ndim == 4 and weight.shape[1] == 1:
            expected *= 0.3
            middle = middles[weight.shape[-1]]
            expected[:, 0, middle, middle] += 1
            changed += 1
        assert torch.allclose(leaning[name], expected, atol=1e-7)
    assert changed == 8


def test_a_pointwise_kernel_begins_as_copies_of_its_inputs():
    """8 kernels: 1 where an output channel has its input channel, in turn, and rows of He's, 0.25 long on
    average, on top; nothing else differs from He's beginning.
    """
    net = Variant(width=0.25, resolution=32, depth=0, num_classes=3)
    copying, he = (
        dict(initialised(job(net=net, pointwise_init=kind)).named_parameters()) for kind in ("identity", "he")
    )
    changed = 0
    for name, weight in he.items():
        rest = copying[name].detach().clone()
        if weight.ndim == 4 and weight.shape[2] == 1:
            for row in range(len(rest)):
                rest[row, row % rest.shape[1]] -= 1
            assert float(rest.square().sum((1, 2, 3)).mean().sqrt()) == pytest.approx(0.25, rel=0.2)
            weight = weight.detach() * (rest.norm() / weight.detach().norm())
            changed += 1
        assert torch.allclose(rest, weight, atol=1e-6)
    assert changed == 8


def test_the_default_beginning_tells_an_image_from_another_not_from_its_noisy_self():
    """At 0.25-32, of the features behind the last layer: an image and the same with noise of a tenth have a
    correlation above 0.6, with He's beginning below 0.4. Backwards the gradient of the first pointwise
    kernel, beside its weights, is at most 10 times that of the last; there it is more than 25 times.
    """
    images = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images = nn.functional.avg_pool2d(images, 5, 1, 2) * 5  # neighbours are alike
    noisy = images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(64) % 10
    plain = {"depthwise_init": "he", "pointwise_init": "he", "bn_shift": 0.0}
    found = []
    for settings in ({}, plain):
        variant = Variant(width=0.25, resolution=32, num_classes=10)
        net = initialised(Job(variant, Recipe(**settings), seed=0)).train()
        features = nn.Sequential(*list(net.children())[:-1])(torch.cat([images, noisy])).detach()
        one, other = nn.functional.normalize(features - features.mean(0)).split(64)
        nn.functional.cross_entropy(net(images), labels).backward()
        first, last = (net.get_parameter(f"block{place}_pw.conv.weight") for place in (1, 13))
        steps = [float(weight.grad.norm() / weight.detach().norm()) for weight in (first, last)]
        found.append((float((one * other).sum(1).mean()), steps[0] / steps[1]))
    (alike, grown), (alike_he, grown_he) = found
    assert alike > 0.6 > 0.4 > alike_he
    assert grown < 10 < 25 < grown_he


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_batch_normalisation_begins_where_the_recipe_says(shift):
    """All 17 of them; their scales begin at 1."""
    norms = [
        module for module in initialised(job(bn_shift=shift)).modules() if isinstance(module, nn.BatchNorm2d)
    ]
    assert len(norms) == 17
    for norm in norms:
        assert norm.bias.tolist() == pytest.approx([shift] * norm.num_features)
        assert norm.weight.tolist() == [1] * norm.num_features


@pytest.mark.parametrize(
    ("clip_pct", "gradient", "expected"),
    [
        (2, [0.6, 0.8], [0.06, 0.08]),  # the weights' norm is 5: a gradient's is at most 0.1
        (2, [0.03, 0.04], [0.03, 0.04]),
        (2, [0.0, 0.0], [0.0, 0.0]),
        (50, [6.0, 8.0], [1.5, 2.0]),
        (0, [6.0, 8.0], [6.0, 8.0]),
    ],
)
def test_a_gradient_is_at_most_a_share_of_its_weights(clip_pct, gradient, expected):
    """Its direction stays; biases and batch normalisation have theirs."""
    net = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[3.0, 4.0]]))
    for weight in net.parameters():
        weight.grad = torch.full_like(weight, 7.0)
    net[0].weight.grad = torch.tensor([gradient])
    clip_gradients(net, Recipe(clip_pct=clip_pct))
    assert net[0].weight.grad.tolist()[0] == pytest.approx(expected)
    assert [weight.grad.tolist() for weight in (net[0].bias, net[1].weight, net[1].bias)] == [[7.0]] * 3


def test_weights_of_zero_can_be_learnt():
    """Their gradient is clipped as if their norm were 0.001, the paper's epsilon."""
    net = nn.Linear(2, 1)
    nn.init.zeros_(net.weight)
    net.weight.grad, net.bias.grad = torch.tensor([[3.0, 4.0]]), torch.zeros(1)
    clip_gradients(net, Recipe(clip_pct=2))
    assert net.weight.grad.tolist()[0] == pytest.approx([1.2e-5, 1.6e-5])


# The loop


def test_a_tiny_network_learns_brightness(tmp_path):
    """In three epochs of 80 images per class, all of the test part."""
    root = brightness.write_images(tmp_path / "images")
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16])
    curve = list(train(job(batch=8), dataset, tmp_path / "net.checkpoint"))
    assert [epoch.epoch for epoch in curve] == [1, 2, 3]
    assert curve[-1].train_loss < curve[0].train_loss
    assert curve[-1].train_top1_pct > 75  # with the statistics of batches of eight
    found = finish(tmp_path / "net.checkpoint", tmp_path / "net.safetensors", dataset)
    assert found.top1_pct == 100
    assert len(found.correct) == 60
    assert math.isnan(found.top5_pct)  # of three classes


BUSY = {"flip": True, "crop_pct": 20, "colour_pct": 20, "dropout": 0.3, "label_smoothing": 0.1}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_same_job_gives_the_same_network_wherever_it_is_interrupted(optimizer, dataset, tmp_path):
    """Twice at a stretch, and dropped and taken up after every epoch: the same curve, weights and state of
    the optimizer, bit for bit. What was trained before is not trained again.
    """
    settings = BUSY | {"optimizer": optimizer, "learning_rate": 0.02}
    first, second, again = (tmp_path / name for name in ("first", "second", "again"))
    curve = list(train(job(**settings), dataset, first))
    torch.manual_seed(17)  # what the process drew before does not matter
    assert numbers(train(job(**settings), dataset, second)) == numbers(curve)
    assert same_tensors(open_checkpoint(first).tensors, open_checkpoint(second).tensors)
    before = []
    for epochs in (1, 2, 3):
        torch.manual_seed(epochs)
        run = train(job(**settings), dataset, again)
        seen = [next(run) for _ in range(epochs)]
        run.close()
        assert seen[:-1] == before  # the seconds, too: these epochs are those of before
        before = seen
    assert numbers(before) == numbers(curve)
    assert same_tensors(open_checkpoint(first).tensors, open_checkpoint(again).tensors)
    assert list(train(job(**settings), dataset, again)) == before
    names = open_checkpoint(first).tensors
    assert {prefix for prefix in (WEIGHT, BEST, OPTIMIZER) if any(n.startswith(prefix) for n in names)} == {
        WEIGHT,
        BEST,
        OPTIMIZER,
    }


@pytest.mark.parametrize("change", [{"seed": 1}, {"attempt": 1}, {"weight_decay": 0.02}])
def test_a_checkpoint_of_another_job_is_trained_over(change, dataset, tmp_path):
    """Another seed, attempt or recipe begins at its own beginning."""
    list(train(job(epochs=1), dataset, tmp_path / "net"))
    changed = job(**{"epochs": 1} | change)
    assert numbers(train(changed, dataset, tmp_path / "net")) == numbers(
        train(changed, dataset, tmp_path / "other")
    )


def test_a_damaged_checkpoint_is_trained_over(dataset, tmp_path):
    """It costs its epochs, not the training."""
    (tmp_path / "net").write_bytes(b"damaged")
    assert len(list(train(job(epochs=1), dataset, tmp_path / "net"))) == 1
    assert len(open_checkpoint(tmp_path / "net").curve) == 1


@pytest.mark.parametrize(
    ("values", "patience", "has"),
    [
        ([], 2, False),
        ([50, 40], 2, False),  # two epochs are not more than the patience
        ([50, 40, 50], 2, True),  # as good is not better
        ([50, 40, 51], 2, False),
        ([50, 51, 40], 2, False),
        ([50, 40, 40, 40], None, False),
    ],
)
def test_patience_is_lost_after_so_many_epochs_without_a_better_one(values, patience, has):
    """Made curves."""
    curve = [{"validation_top1_pct": value} for value in values]
    assert has_lost_patience(curve, RECIPE.model_copy(update={"patience": patience})) == has


def evaluations(monkeypatch, values):
    """Validations give these accuracies, one after another."""
    left = iter(values)

    def made(net, part, moments, device="cpu"):
        right = round(next(left) / 100 * 100)
        return training.Outcome(1.0, np.arange(100) < right, math.nan)

    monkeypatch.setattr(training, "evaluate", made)


def test_training_ends_when_patience_is_lost(dataset, tmp_path, monkeypatch):
    """After two epochs that are no better; asked again it stays ended."""
    evaluations(monkeypatch, [50, 70, 60, 70, 80])
    patient = job(epochs=9, patience=2)
    assert len(list(train(patient, dataset, tmp_path / "net"))) == 4
    assert len(list(train(patient, dataset, tmp_path / "net"))) == 4


def test_the_network_is_that_of_the_best_epoch_the_last_of_equals(dataset, tmp_path, monkeypatch):
    """Validation 50, 70, 70, 60: the weights in the end are those after the third epoch."""
    evaluations(monkeypatch, [50, 70, 70, 60])
    weights = []
    for _ in train(job(epochs=4), dataset, tmp_path / "net"):
        found = open_checkpoint(tmp_path / "net").tensors
        weights.append({n.removeprefix(WEIGHT): t for n, t in found.items() if n.startswith(WEIGHT)})
    monkeypatch.undo()
    outcome = finish(tmp_path / "net", tmp_path / "net.safetensors", dataset)
    kept = open_checkpoint(tmp_path / "net.safetensors")
    assert same_tensors({n.removeprefix(WEIGHT): t for n, t in kept.tensors.items()}, weights[2])
    assert not same_tensors(weights[2], weights[3])
    assert [row["validation_top1_pct"] for row in kept.curve] == [50, 70, 70, 60]
    # And the outcome is that network's.
    moments = (kept.about["mean"], kept.about["std"])
    again = evaluate(trained_network(kept), dataset.part("test", 16), moments)
    assert (outcome.correct == again.correct).all()
    assert kept.about["test_top1_pct"] == outcome.top1_pct
    assert kept.about["test_images"] == 60
    assert kept.about["classes"] == ["class0", "class1", "class2"]
    assert kept.about["dataset"] == dataset.id
    assert Variant(**kept.about["variant"]) == NET


@pytest.mark.parametrize("batch", [8, 64])
def test_a_training_that_diverges_says_so(batch, dataset, tmp_path):
    """A rate of 10 and a decay that multiplies weights by -9 at each step: NaN, told with its epoch.

    With one step per epoch (60 images do not fill a batch of 64) it is the validation that finds it.
    """
    absurd = {"learning_rate": 10, "weight_decay": 1, "momentum": 0, "schedule": "cosine", "warmup_pct": 0}
    curve = []
    with pytest.raises(DivergedError, match=r"^the (validation )?loss is not a number in epoch \d+$"):
        curve.extend(train(job(epochs=400, batch=batch, **absurd), dataset, tmp_path / "net"))
    assert all(math.isfinite(value) for epoch in curve for value in asdict(epoch).values())
    path = tmp_path / "net"  # not there where it was the first epoch
    assert len(open_checkpoint(path).curve if path.exists() else []) == len(curve)


def test_a_set_smaller_than_a_batch_is_one_step(dataset, tmp_path):
    """Of all images: shares of 60."""
    (epoch,) = train(job(epochs=1, batch=64), dataset, tmp_path / "net")
    assert epoch.train_top1_pct * 60 / 100 == pytest.approx(round(epoch.train_top1_pct * 60 / 100))


# Evaluation


@pytest.mark.parametrize(("classes", "images"), [(3, 5), (5, 300), (6, 300), (20, 513)])
def test_evaluation_is_that_of_a_plain_loop(classes, images):
    """One image at a time, in NumPy: loss, hits and top-5, which is unknown below six classes."""
    chance = np.random.default_rng(classes)
    part = Part(
        chance.integers(0, 256, (images, 16, 16, 3), dtype=np.uint8), chance.integers(0, classes, images)
    )
    net = initialised(job(net=NET.but(num_classes=classes))).to(memory_format=torch.channels_last)
    with torch.no_grad():
        net[-1].linear.weight *= 100  # so that images differ
    moments = ([120.0, 130.0, 140.0], [70.0, 60.0, 50.0])
    found = evaluate(net, part, moments)
    losses, right, among = [], [], 0
    for image, label in zip(part.images, part.labels, strict=True):
        x = ((image.astype(np.float32) - np.float32(moments[0])) / np.float32(moments[1])).transpose(2, 0, 1)
        with torch.no_grad():
            logits = net(torch.from_numpy(x[None]))[0].double().numpy()
        losses.append(math.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[label])
        order = np.argsort(-logits)
        right.append(order[0] == label)
        among += label in order[:5]
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-4)
    assert found.correct.tolist() == right
    assert found.top1_pct == pytest.approx(100 * np.mean(right))
    if classes < 6:
        assert math.isnan(found.top5_pct)
    else:
        assert found.top5_pct == pytest.approx(100 * among / images)
