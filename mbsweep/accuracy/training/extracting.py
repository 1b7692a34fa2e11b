"""Networks out of a supernet's file."""

from __future__ import annotations

from torch import nn

from mbsweep.accuracy.datasets import Dataset, Part
from mbsweep.accuracy.training.checkpoint import WEIGHT, Checkpoint, load_weights
from mbsweep.accuracy.training.evaluating import Outcome, evaluate
from mbsweep.accuracy.training.loop import trained_network
from mbsweep.accuracy.training.supernet import Supernet
from mbsweep.base.errors import MbsweepError
from mbsweep.nets import build
from mbsweep.space.sharing import largest_of
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant


def measure(state: Checkpoint, variant: Variant, dataset: Dataset) -> tuple[Outcome, Outcome]:
    """How a network of a supernet does on the validation part, and on the test part."""
    found = extract(state, variant, dataset.part("train", variant.resolution))
    moments = state.about["mean"], state.about["std"]
    validation, test = (dataset.part(part, variant.resolution) for part in ("validation", "test"))
    return evaluate(found, validation, moments), evaluate(found, test, moments)


def network_of(state: Checkpoint, variant: Variant, dataset: Dataset) -> nn.Module:
    """A network of a file, which is its own or that of a supernet. MbsweepError where that has it not."""
    if state.about.get("supernet"):
        return extract(state, variant, dataset.part("train", variant.resolution))
    return trained_network(state)


def extract(state: Checkpoint, variant: Variant, part: Part) -> nn.Module:
    """A network of a supernet's file, with statistics of batch normalisation over images of the train part.

    MbsweepError where the supernet does not have it.
    """
    check_has(state, variant)
    largest, space = Variant(**state.about["variant"]), state.about["supernet"]
    net = Supernet(build(largest), largest, space["resolutions"])
    load_weights(net, state.tensors, WEIGHT)
    moments = state.about["mean"], state.about["std"]
    return net.extracted(variant, part, moments, space["calibration_images"])


def check_has(state: Checkpoint, variant: Variant) -> None:
    """MbsweepError where a file is no supernet's, or the supernet does not have a network."""
    largest = Variant(**state.about["variant"])
    if not state.about.get("supernet"):
        raise MbsweepError(f"{largest.id} was trained alone and is no supernet: it has no other networks")
    if largest_of(Space.of([largest, variant])) != largest:
        raise MbsweepError(f"the supernet of {largest.id} has no {variant.id}, which is larger")
    space = state.about["supernet"]
    sizes = space.get("resolutions", [])
    if not sizes:
        raise MbsweepError(f"the supernet of {largest.id} is of an earlier mbsweep; train it again")
    if variant.resolution not in sizes:
        raise MbsweepError(
            f"the supernet of {largest.id} has no network at {variant.resolution} px: it was trained at "
            f"{', '.join(map(str, sizes))}"
        )
