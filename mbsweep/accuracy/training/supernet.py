"""One training for a whole space: networks that share the weights of the largest.

Slimmable networks (Yu and Huang, arXiv:1903.05134): each step trains the largest network, the smallest, and
some in between (the sandwich rule); all but the largest learn from its answers, too (in-place distillation).
A network's weights are the first channels of the largest's, its repeated blocks the first of them. Scales and
shifts of batch normalisation are shared among the networks of one resolution only (Wang et al., Resolution
Switchable Networks, arXiv:2007.09558), and its statistics are each network's own, taken once the training is
over.
"""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (as everyone calls it)
from numpy.typing import NDArray
from torch import Tensor, nn

from mbsweep.accuracy.datasets import Dataset, Part
from mbsweep.accuracy.settings import SupernetAccuracy
from mbsweep.accuracy.training.batches import Moments, augmented, channel_moments, normalised
from mbsweep.accuracy.training.checkpoint import (
    Origin,
    resumed,
    write_checkpoint,
)
from mbsweep.accuracy.training.evaluating import evaluate
from mbsweep.accuracy.training.loop import (
    DivergedError,
    Epoch,
    Job,
    OnStep,
    about,
    check_finite,
    initialised,
    no_step,
)
from mbsweep.accuracy.training.optimizer import clip_gradients, make_optimizer, schedule, set_rate
from mbsweep.accuracy.training.side_by_side import Batch, Lanes, gradients
from mbsweep.nets import build
from mbsweep.space.families import architecture
from mbsweep.space.layers import Layer
from mbsweep.space.sharing import LISTED, largest_of, space_as_dict
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

CALIBRATION_BATCH = 128
CHECKED_ON = 512  # images for the statistics of the networks that are validated after each epoch


def train_supernet(
    config: SupernetAccuracy,
    space: Space,
    dataset: Dataset,
    checkpoint: Path,
    on_step: OnStep = no_step,
    threads: int = 1,
) -> Iterator[Epoch]:
    """Train all variants at once, or go on from the checkpoint; yield each epoch, also those of before.

    threads: of the networks of a step. Where there are no more than networks, their number changes nothing.

    The train figures of an epoch are those of the largest, the validation figures means of the largest and
    the smallest. Raises DivergedError where the loss is not a number.
    """
    recipe, largest = config.recipe, largest_of(space)
    job = Job(largest, recipe, config.seed)
    resolutions = space.column("resolution")
    sizes = np.unique([*np.unique(resolutions), largest.resolution]).tolist()
    parts = {size: dataset.part("train", size) for size in sizes}
    images = {size: torch.from_numpy(part.images) for size, part in parts.items()}
    labels = torch.from_numpy(parts[largest.resolution].labels)
    moments = channel_moments(parts[largest.resolution])
    smallest = space.variant(int(space.macs.argmin()))
    highest = np.flatnonzero(resolutions == resolutions.max())
    net = Supernet(initialised(job), largest, sizes)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(net, recipe)
    for weight in net.parameters():  # a step moves what it has not used, too: as momentum had it
        weight.grad = torch.zeros_like(weight)
    steps = max(1, len(labels) // recipe.batch)

    told = about(job, dataset, moments) | _about_space(config, space, sizes)
    state = resumed(checkpoint, told, Origin.of(dataset))
    state.restore(net, optimizer)
    yield from (Epoch(**row) for row in state.curve)
    with Lanes(threads, 2 + config.middle) as lanes:
        for epoch in range(len(state.curve), recipe.epochs):
            start = time.monotonic()
            chance = torch.Generator().manual_seed(job.random_state(epoch))
            picker = random.Random(job.random_state(epoch, 1))  # noqa: S311  (no secret)
            torch.manual_seed(job.random_state(epoch, 2))  # of the dropout
            order = torch.randperm(len(labels), generator=chance)
            losses, hits = torch.zeros(steps), 0
            net.train()
            for step in range(steps):
                places = order[step * recipe.batch : (step + 1) * recipe.batch]
                y = labels[places]
                rate = job.learning_rate * schedule((epoch * steps + step) / (recipe.epochs * steps), recipe)
                set_rate(optimizer, rate)
                batches = []
                others = map(space.variant, picked(picker, highest, len(space), config.middle))
                for variant in (largest, smallest, *others):
                    x = normalised(augmented(images[variant.resolution], places, recipe, chance), moments)
                    batches.append(Batch(variant, x, net.kept(variant, len(x))))
                how = recipe.label_smoothing, config.labels_pct / 100, lanes
                logits, losses[step] = gradients(net, batches, y, *how)
                clip_gradients(net, recipe)
                optimizer.step()
                hits += int((logits.argmax(1) == y).sum())
                on_step((step + 1) / steps)
            check_finite(losses, epoch)
            found = [
                evaluate(
                    net.extracted(variant, parts[variant.resolution], moments, CHECKED_ON),
                    dataset.part("validation", variant.resolution),
                    moments,
                )
                for variant in (largest, smallest)
            ]
            if not all(math.isfinite(outcome.loss) for outcome in found):
                raise DivergedError(f"the validation loss is not a number in epoch {epoch + 1}")
            row = Epoch(
                epoch + 1,
                rate,
                float(losses.mean()),
                100 * hits / (steps * len(places)),
                sum(outcome.loss for outcome in found) / len(found),
                sum(outcome.top1_pct for outcome in found) / len(found),
                time.monotonic() - start,
            )
            state.add(asdict(row), net, optimizer)
            write_checkpoint(checkpoint, state)
            yield row


def _about_space(config: SupernetAccuracy, space: Space, sizes: Sequence[int]) -> dict[str, Any]:
    """What a supernet's file says of its networks: each of them, or the space where there are many."""
    said: dict[str, Any] = {"middle": config.middle, "calibration_images": config.calibration_images}
    said["labels_pct"] = config.labels_pct
    if len(space) > LISTED:
        return {"supernet": said | {"space": space_as_dict(space), "resolutions": sizes}}
    networks = sorted(space.variants(), key=lambda variant: variant.id)
    said |= {"variants": [variant.id for variant in networks], "resolutions": sizes}
    # Not in `said`: what a file of before does not say at all does not make it another training's.
    return {"supernet": said, "networks": [variant.as_dict() for variant in networks]}


def picked(picker: random.Random, highest: NDArray[np.int64], total: int, count: int) -> list[int]:
    """Variants that a step trains besides the largest and the smallest, by their places in the space.

    highest: the places of those of the highest resolution, of which the first is one: there narrow networks
    would else be trained too seldom, for the smallest, which every step trains, is small.
    """
    if not count:
        return []
    first = int(picker.choice(highest))
    others = picker.sample(range(total - 1), min(count - 1, total - 1))
    return [first, *(place + (place >= first) for place in others)]


@lru_cache(maxsize=1000)
def shared_layers(variant: Variant, largest: Variant) -> list[tuple[Layer, str]]:
    """A network's layers, each with the name of the child of the largest's that has its weights."""
    names = {place: layer.name.replace(".", "_") for place, layer in architecture(largest).placed().items()}
    # Where the largest has no sum, for its shapes do not agree, a smaller may have one: it has no weights.
    return [(layer, names.get(place, "")) for place, layer in architecture(variant).placed().items()]


def sliced(weight: Tensor, layer: Layer) -> Tensor:
    """The first output channels of a kernel, the first inputs of each, and the middle of a larger one.

    A dimension that is wanted whole is not sliced: each slice has a gradient as large as the kernel.
    """
    wanted = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel)
    for dimension, (size, kept) in enumerate(zip(weight.shape, wanted, strict=True)):
        if kept < size:
            weight = weight.narrow(dimension, (size - kept) // 2 if dimension > 1 else 0, kept)
    return weight


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "": lambda x: x,
    "relu": F.relu_,
    "relu6": lambda x: F.relu6(x, inplace=True),
}


class Supernet(nn.Module):
    """The largest network, which has the weights of all, and batch normalisation for each resolution."""

    def __init__(self, net: nn.Module, largest: Variant, resolutions: Iterable[int]) -> None:
        super().__init__()
        self.net, self.variant = net, largest
        layers: dict[str, Any] = dict(net.named_children())
        self.norms = nn.ModuleDict()
        for size in sorted(set(resolutions) - {largest.resolution}):
            own = {name: copy.deepcopy(part.bn) for name, part in layers.items() if hasattr(part, "bn")}
            self.norms[str(size)] = nn.ModuleDict(own)

    def norm(self, name: str, resolution: int) -> Any:
        """The nn.BatchNorm2d of a layer at a resolution."""
        norms: Any = self.norms
        is_largest = resolution == self.variant.resolution
        return getattr(self.net, name).bn if is_largest else norms[str(resolution)][name]

    def kept(self, variant: Variant, images: int) -> Tensor:
        """What dropout makes of ones before a network's classifier, of so many images."""
        layer, name = shared_layers(variant, self.variant)[-1]
        module: Any = getattr(self.net, name)
        kept: Tensor = module.dropout(torch.ones(images, layer.in_channels))
        return kept

    def forward(self, variant: Variant, x: Tensor, kept: Tensor) -> Tensor:
        """Logits of a network in training, from its share of the weights. kept: see the method."""
        given = [x]
        for layer, name in shared_layers(variant, self.variant):
            module: Any = getattr(self.net, name) if name else None
            read = [given[back] for back in layer.reads]
            if layer.kind == "avg_pool":
                x = module(*read)
            elif layer.kind == "fc":
                weight = module.linear.weight[:, : layer.in_channels]
                x = F.linear(read[0] * kept, weight, module.linear.bias)
            elif layer.kind == "add":
                x = _ACTIVATIONS[layer.activation](read[0] + read[1])
            else:
                norm = self.norm(name, variant.resolution)
                scale, shift = (part[: layer.out_channels] for part in (norm.weight, norm.bias))
                weight = sliced(module.conv.weight, layer)
                top, left, bottom, right = layer.pads
                if (top, left) == (bottom, right):
                    x = F.conv2d(read[0], weight, None, layer.stride, (top, left), groups=layer.groups)
                else:
                    x = F.pad(read[0], (left, right, top, bottom))
                    x = F.conv2d(x, weight, None, layer.stride, groups=layer.groups)
                x = F.batch_norm(x, None, None, scale, shift, training=True, eps=layer.epsilon)
                x = _ACTIVATIONS[layer.activation](x)
            given.append(x)
        return x

    def extracted(self, variant: Variant, part: Part, moments: Moments, images: int) -> nn.Module:
        """A network of its own, with its share of the weights and its own batch normalisation statistics.

        part: gives the images, at the variant's resolution, over which the statistics are taken.
        """
        found = build(variant)
        with torch.no_grad():
            for layer, name in shared_layers(variant, self.variant):
                source: Any = getattr(self.net, name) if name else None
                target: Any = getattr(found, layer.name.replace(".", "_"))
                if layer.kind == "fc":
                    target.linear.weight.copy_(source.linear.weight[:, : layer.in_channels])
                    target.linear.bias.copy_(source.linear.bias)
                elif layer.is_conv:
                    norm = self.norm(name, variant.resolution)
                    target.conv.weight.copy_(sliced(source.conv.weight, layer))
                    target.bn.weight.copy_(norm.weight[: layer.out_channels])
                    target.bn.bias.copy_(norm.bias[: layer.out_channels])
        found.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        recalibrate(found, part, moments, images)
        return found


@torch.no_grad()
def recalibrate(net: nn.Module, part: Part, moments: Moments, images: int) -> None:
    """Take batch normalisation statistics anew: the mean over batches of some images, picked at random."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
    net.train()
    # A part may be in the order of its classes, and a batch of one class has not the spread of all.
    chosen = np.random.default_rng(0).permutation(len(part.images))[:images]
    for batch in torch.split(torch.from_numpy(part.images[chosen]), CALIBRATION_BATCH):
        if len(batch) > 1:
            net(normalised(batch, moments))
    net.eval()
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
