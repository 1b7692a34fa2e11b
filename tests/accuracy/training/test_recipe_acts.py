"""Each setting of a recipe acts, in a training and in a supernet: its steps are taken again in plain PyTorch.

What entered the network is kept. The loss, the clipping, the learning rate and the shares of a supernet are
written out here; the optimizers are torch's. A setting that is told and does nothing gives other weights.
"""

import math
from itertools import chain, product

import numpy as np
import pytest
import torch
from torch.nn import functional

from mbsweep.accuracy.datasets import Part
from mbsweep.accuracy.settings import Recipe, SupernetAccuracy
from mbsweep.accuracy.training import loop, supernet
from mbsweep.accuracy.training.checkpoint import WEIGHT, open_checkpoint
from mbsweep.accuracy.training.evaluating import Outcome
from mbsweep.accuracy.training.loop import Job, initialised, train
from mbsweep.accuracy.training.side_by_side import gradients
from mbsweep.accuracy.training.supernet import train_supernet
from mbsweep.nets import build
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

pytestmark = pytest.mark.usefixtures("as_in_a_worker", "all_epochs_alike")
NET = Variant(width=0.1, resolution=16, depth=0, num_classes=3)
LARGEST = Variant(width=0.25, resolution=20, depth=1, num_classes=3)
IMAGES, CLASSES = 24, 3
BASE = {
    "epochs": 1,
    "batch": 8,
    "learning_rate": 0.1,
    "momentum": 0.8,
    "weight_decay": 0.05,
    "warmup_pct": 20,
}
BASE |= {"label_smoothing": 0.3, "dropout": 0.0, "clip_pct": 1, "bn_shift": 0.2}
ADAMW = {"optimizer": "adamw", "learning_rate": 0.01}
# Each field of a recipe, another value of it, and what else is to be so for it to matter.
ACTS = [
    ("epochs", 2, {}),
    ("batch", 12, {}),
    ("optimizer", "adamw", {"learning_rate": 0.01}),
    ("learning_rate", 0.03, {}),
    ("momentum", 0.3, {}),
    ("momentum", 0.0, {}),
    ("momentum", 0.3, ADAMW),
    ("weight_decay", 0.5, {}),
    ("weight_decay", 0.5, ADAMW),
    ("schedule", "cosine", {"warmup_pct": 60}),
    ("warmup_pct", 60, {}),
    ("label_smoothing", 0.0, {"clip_pct": 20}),
    ("dropout", 0.5, {}),
    ("flip", True, {}),
    ("crop_pct", 13, {}),
    ("colour_pct", 10, {}),
    ("depthwise_init", "he", {}),
    ("pointwise_init", "he", {}),
    ("bn_shift", 0.7, {}),
    ("clip_pct", 0, {"learning_rate": 0.01}),
    ("clip_pct", 20, {}),
    ("patience", 1, {"epochs": 3}),
]
IDS = [f"{field}={value}{' adamw' if more == ADAMW else ''}" for field, value, more in ACTS]
HE = {"depthwise_init": "he", "pointwise_init": "he", "bn_shift": 0.0}
USUAL = {"optimizer": "sgd", "schedule": "one_cycle"} | BASE
# What the steps by hand take from the recipe. Others are seen in what enters the network, and how it begins.
OF_STEPS = ("optimizer", "learning_rate", "momentum", "weight_decay", "schedule", "warmup_pct")
OF_STEPS += ("label_smoothing", "clip_pct")
OF_WEIGHTS = {"start", "freeze_epochs", "body_rate"}
SAME = 1e-5  # weights are of the order of 0.1; what rounding differs by


def test_each_field_of_a_recipe_is_shown_to_act():
    """A field that is added is added to the table, too, with a value that is not its usual one.

    Those of weights to begin with are in `test_beginning`.
    """
    assert {field for field, _, _ in ACTS} == set(Recipe.model_fields) - OF_WEIGHTS
    assert all((USUAL | more).get(field) != value for field, value, more in ACTS)


# -- what is trained ------------------------------------------------------------------------------------


class Made:
    """A data set of noise whose classes differ in how bright they are, in the order 0, 1, 2, 0, 1, 2."""

    id, classes, settings, reading = "made-1", ("dark", "grey", "light"), {}, {}

    def part(self, name, resolution):
        """Mean grey levels of 60, 110 and 160: no change of light by a tenth takes one for another."""
        chance = np.random.default_rng(resolution)
        labels = np.arange(IMAGES) % CLASSES
        shape = (IMAGES, resolution, resolution, 3)
        levels = np.array([60, 110, 160])[labels][:, None, None, None]
        return Part(chance.normal(levels, 10, shape).clip(20, 200).astype(np.uint8), labels)

    def contents(self, name):
        """All images are different ones."""
        return np.arange(IMAGES)


@pytest.fixture
def all_epochs_alike(monkeypatch):
    """No epoch is better than another, which takes no time to find out."""
    outcome = Outcome(1.0, np.ones(4, bool), math.nan)
    for module in (loop, supernet):
        monkeypatch.setattr(module, "evaluate", lambda *_: outcome)


class Step:
    """What one network saw in one step."""

    def __init__(self, variant, x, kept):
        part = Made().part("train", variant.resolution)
        of_moments = Made().part("train", LARGEST.resolution if kept is not None else variant.resolution)
        levels = of_moments.images.reshape(-1, 3).astype(float)
        mean, std = levels.mean(0).round(3), levels.std(0).round(3)
        self.variant, self.kept, self.originals = variant, kept, part.images
        self.x = x.detach().clone()
        self.chance = torch.get_rng_state()
        grey = self.x.permute(0, 2, 3, 1).double().numpy() * std + mean
        self.images = grey
        self.labels = torch.from_numpy(np.digitize(grey.mean((1, 2, 3)), [85, 134]))


def trained(recipe, folder, monkeypatch):
    """(weights at the beginning, weights in the end, what each step saw) of a training alone."""
    steps, begun = [], {}

    def watched(job):
        net = initialised(job)
        begun.update({name: tensor.clone() for name, tensor in net.state_dict().items()})
        net.stem.register_forward_pre_hook(lambda _, args: steps.append([Step(NET, args[0], None)]))
        return net

    monkeypatch.setattr(loop, "initialised", watched)
    list(train(Job(NET, recipe, seed=1), Made(), folder / "net"))
    return begun, weights(folder / "net"), steps


def weights(file):
    """Name -> tensor, as they are kept."""
    tensors = open_checkpoint(file).tensors
    return {name.removeprefix(WEIGHT): tensor for name, tensor in tensors.items() if name.startswith(WEIGHT)}


# -- the same by hand -----------------------------------------------------------------------------------


def rate(recipe, progress):
    """Of OneCycleLR, from a 25th up along a cosine; or in a straight line; then down along one to 0.1 %."""
    up = recipe.warmup_pct / 100
    if progress >= up:
        return 0.001 + 0.999 * (0.5 + 0.5 * math.cos(math.pi * (progress - up) / (1 - up)))
    if recipe.schedule == "cosine":
        return max(0.001, progress / up)
    return 0.04 + 0.96 * (0.5 - 0.5 * math.cos(math.pi * progress / up))


def smoothed(logits, labels, smoothing):
    """Cross-entropy with a target that gives a share to all classes alike (arXiv:1512.00567, section 7)."""
    target = (1 - smoothing) * torch.eye(CLASSES)[labels] + smoothing / CLASSES
    return -(target * logits.log_softmax(1)).sum(1).mean()


def optimizer_of(recipe, params):
    """torch's own. What decays are dense weights: those of no depthwise kernel, no bias and no scale."""
    groups = [
        {"params": [p for p in params if is_dense(p) == dense], "weight_decay": recipe.weight_decay * dense}
        for dense in (True, False)
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=1, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(groups, lr=1, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def is_dense(weight):
    return weight.ndim == 2 or (weight.ndim == 4 and (weight.shape[1] > 1 or weight.shape[2] == 1))


def by_hand(recipe, begun, steps, loss_of):
    """The weights after all steps. loss_of: what is to be made less in one step."""
    params = {name: tensor.clone().requires_grad_() for name, tensor in begun.items()}
    all_steps = recipe.epochs * (IMAGES // recipe.batch)  # also those that patience leaves out
    optimizer = optimizer_of(recipe, list(params.values()))
    for number, step in enumerate(steps):
        for param in params.values():
            param.grad = torch.zeros_like(param)
        loss_of(recipe, params, step).backward()
        for param in params.values():
            most, length = (
                recipe.clip_pct / 100 * max(float(param.detach().norm()), 1e-3),
                float(param.grad.norm()),
            )
            if recipe.clip_pct and param.ndim > 1 and length > most:
                param.grad *= most / length
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * rate(recipe, number / all_steps)
        optimizer.step()
    return {name: param.detach() for name, param in params.items()}


def loss_alone(recipe, params, step):
    """Of the ordinary network, with its dropout."""
    (seen,) = step
    net = build(NET, recipe.dropout).train()
    torch.set_rng_state(seen.chance)
    return smoothed(torch.func.functional_call(net, params, seen.x), seen.labels, recipe.label_smoothing)


def begun_by_hand(recipe, he):
    """He's beginning, changed as the recipe says."""
    found = {}
    for name, tensor in he.items():
        weight = found[name] = tensor.clone()
        if name.endswith("bn.bias"):
            weight[:] = recipe.bn_shift
        elif weight.ndim == 4 and weight.shape[1:] == (1, 3, 3) and recipe.depthwise_init == "identity":
            weight *= 0.3
            weight[:, 0, 1, 1] += 1
        elif weight.ndim == 4 and weight.shape[2] == 1 and recipe.pointwise_init == "identity":
            outputs, inputs = weight.shape[:2]
            weight *= 0.25 / math.sqrt(2 * inputs / outputs)
            for row in range(outputs):
                weight[row, row % inputs] += 1
    return found


def check_images(recipe, steps):
    """In each epoch so many steps of so many images, each of the data set once, changed as the recipe says
    and no more.
    """
    per_epoch = IMAGES // recipe.batch
    assert len(steps) == per_epoch * (2 if recipe.patience else recipe.epochs)
    seen = [seen for step in steps for seen in step]
    assert {len(one.images) for one in seen} == {recipe.batch}
    found = [[place_of(image, one, recipe) for image in one.images] for one in seen]
    is_changed = [not (one.images[0].round() == one.originals).all((1, 2, 3)).any() for one in seen]
    assert any(is_changed) == (recipe.flip or recipe.crop_pct > 0 or recipe.colour_pct > 0)
    of_first = found[:: len(steps[0])]  # the networks of one step see the same images
    assert found == [places for places in of_first for _ in steps[0]]
    for epoch in range(0, len(steps), per_epoch):
        assert sorted(chain(*of_first[epoch : epoch + per_epoch])) == list(range(IMAGES))


def place_of(image, seen, recipe):
    """Which image of the data set this is, moved and flipped, or in another light, as a whole."""
    if recipe.colour_pct:
        (place,) = (place for place, other in enumerate(seen.originals) if is_in_other_light(image, other))
        return place
    most = round(recipe.crop_pct / 100 * seen.variant.resolution)
    by = range(-most, most + 1)
    flips = [False, True] if recipe.flip else [False]
    assert np.abs(image - image.round()).max() < 0.01
    found = [moved(seen.originals, *move) == image.round() for move in product(by, by, flips)]
    (place,) = np.flatnonzero(np.concatenate(found).all((1, 2, 3)))
    return int(place) % IMAGES


def moved(images, down, right, is_flipped):
    """Pixels beyond an edge are its nearest ones; flipped after they were moved."""
    size = images.shape[1]
    rows, columns = (np.clip(np.arange(size) + by, 0, size - 1) for by in (down, right))
    return images[:, rows][:, :, columns[::-1] if is_flipped else columns]


def is_in_other_light(image, original):
    """Whether it is a * original + b for the same a and b everywhere, a within a tenth of 1."""
    a, b = np.polyfit(original.ravel().astype(float), image.ravel(), 1)
    return 0.9 <= a <= 1.1 and np.abs(a * original + b - image).max() < 0.1


def off_by(found, expected):
    """Root mean square of what the weights differ by."""
    return math.sqrt(
        float(sum((found[name] - weight).square().sum() for name, weight in expected.items()))
        / sum(weight.numel() for weight in expected.values())
    )


def check_weights(recipe, field, begun, found, steps, loss_of):
    """They are those of the steps by hand; without the one setting those would be others."""
    params = {name: tensor for name, tensor in begun.items() if name.endswith((".weight", ".bias"))}
    assert off_by(found, by_hand(recipe, params, steps, loss_of)) < SAME
    if field in OF_STEPS:
        usual = recipe.model_copy(update={field: USUAL[field]})
        assert off_by(found, by_hand(usual, params, steps, loss_of)) > 10 * SAME


# -- a network alone ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "value", "more"), ACTS, ids=IDS)
def test_a_setting_acts_on_a_network_alone(field, value, more, tmp_path, monkeypatch):
    """What it sees, how it begins, and what a handful of steps make of its weights."""
    recipe = Recipe(**BASE | more | {field: value})
    begun, found, steps = trained(recipe, tmp_path, monkeypatch)
    check_images(recipe, steps)
    he = initialised(Job(NET, recipe.model_copy(update=HE), seed=1)).state_dict()
    assert off_by(begun, begun_by_hand(recipe, he)) < 1e-6
    check_weights(recipe, field, begun, found, steps, loss_alone)


# -- a supernet -----------------------------------------------------------------------------------------

SMALLEST = Variant(width=0.1, resolution=16, depth=0, num_classes=3)
OTHERS = [SMALLEST.but(resolution=20), LARGEST.but(width=0.1), LARGEST.but(depth=0)]


def trained_together(recipe, folder, monkeypatch):
    """The same of a supernet. A step trains the largest, the smallest, and one of the others."""
    steps, begun = [], {}

    def told(net, batches, *rest):
        if not steps:
            begun.update({name: tensor.clone() for name, tensor in net.state_dict().items()})
        steps.append([Step(batch.variant, batch.images, batch.kept) for batch in batches])
        return gradients(net, batches, *rest)

    monkeypatch.setattr(supernet, "gradients", told)
    config = SupernetAccuracy(source="supernet", recipe=recipe, seed=1, middle=1)
    list(train_supernet(config, Space.of([SMALLEST, *OTHERS, LARGEST]), Made(), folder / "net"))
    return begun, weights(folder / "net"), steps


# Table 1 of the paper at depth 1: the stem, and what each block gives, the seventh being the repeated one.
STRIDES = (2, 1, 2, 1, 2, 1, 2, 1, 2, 1)
CHANNELS = {
    0.25: (8, 16, 32, 32, 64, 64, 128, 128, 256, 256),
    0.1: (8, 8, 16, 16, 24, 24, 48, 48, 104, 104),  # multiples of 8, the nearest
}


def answers(params, seen):
    """Logits of a network of the supernet: the first channels of the largest, and the first of its blocks."""
    size, channels = seen.variant.resolution, CHANNELS[seen.variant.width]
    norms = "net.{}.bn" if size == LARGEST.resolution else f"norms.{size}.{{}}"

    def layer(x, name, outputs, stride=1, groups=1):
        kernel = params[f"net.{name}.conv.weight"][:outputs, : x.shape[1] // groups]
        x = functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2, groups=groups)
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
        norm = norms.format(name)
        scale, shift = (params[f"{norm}.{part}"][:outputs, None, None] for part in ("weight", "bias"))
        return ((x - mean) / (variance + 1e-5).sqrt() * scale + shift).relu()

    x = layer(seen.x, "stem", channels[0], STRIDES[0])
    for number in range(1, len(channels)):
        if number != 7 or seen.variant.depth:
            x = layer(x, f"block{number}_dw", x.shape[1], STRIDES[number], groups=x.shape[1])
            x = layer(x, f"block{number}_pw", channels[number])
    weight, bias = (params[f"net.classifier.linear.{part}"] for part in ("weight", "bias"))
    return (x.mean((2, 3)) * seen.kept) @ weight[:, : x.shape[1]].T + bias


def loss_together(recipe, params, step):
    """Sandwich rule (arXiv:1903.05134): the largest learns from the labels, all others by half from these and
    by half from its answers.
    """
    first, *others = step
    logits = answers(params, first)
    told = logits.detach().softmax(1)
    loss = smoothed(logits, first.labels, recipe.label_smoothing)
    for other in others:
        own = answers(params, other)
        loss = loss + smoothed(own, first.labels, recipe.label_smoothing) / 2
        loss = loss - (told * own.log_softmax(1)).sum(1).mean() / 2
    return loss


@pytest.mark.parametrize(
    "field", [field for field in Recipe.model_fields if field not in {"patience", *OF_WEIGHTS}]
)
def test_a_setting_acts_on_a_supernet(field, tmp_path, monkeypatch):
    """Each step trains the largest, the smallest and one of the others, all on the same images."""
    value, more = next(row[1:] for row in ACTS if row[0] == field)
    recipe = Recipe(**BASE | more | {field: value})
    begun, found, steps = trained_together(recipe, tmp_path, monkeypatch)
    assert all([seen.variant for seen in step[:2]] == [LARGEST, SMALLEST] for step in steps)
    assert {seen.variant for step in steps for seen in step[2:]} & set(OTHERS)
    check_images(recipe, steps)
    kept = torch.cat([seen.kept.flatten() for step in steps for seen in step])
    assert set(kept.tolist()) == ({0, 2} if recipe.dropout else {1})
    he = initialised(Job(LARGEST, recipe.model_copy(update=HE), seed=1)).state_dict()
    begun_alone = begun_by_hand(recipe, {f"net.{name}": tensor for name, tensor in he.items()})
    assert off_by(begun, begun_alone) < 1e-6
    check_weights(recipe, field, begun, found, steps, loss_together)
