"""`mbsweep train` and `mbsweep evaluate`: one network, trained and saved, or tested."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from torch import nn

from mbsweep import trust
from mbsweep.accuracy.checkpoint import WEIGHT, Checkpoint, open_checkpoint, write_checkpoint
from mbsweep.accuracy.datasets import Dataset, open_dataset
from mbsweep.accuracy.guessing import Guessing
from mbsweep.accuracy.supernet import extract
from mbsweep.accuracy.trained import what_helps
from mbsweep.accuracy.training import (
    DivergedError,
    Job,
    Outcome,
    evaluate,
    finish,
    train,
    trained_network,
    use_threads,
)
from mbsweep.cores import threads_each
from mbsweep.errors import MbsweepError
from mbsweep.seeds import SeedNoise, spread
from mbsweep.space.accuracy import DATASET_CONFIGS, Recipe
from mbsweep.space.rules import did_you_mean, shown
from mbsweep.space.variant import Variant
from mbsweep.supernets import report_of

RESOLUTION = 64  # of a network that is trained, unless it is said
NO_SEED_NOISE = SeedNoise(variance=0.0, freedom=math.inf, total=1)  # the interval is that of the images alone


def dataset_config(words: str) -> Any:
    """`digits`, a folder of images, or `NAME:PATH` -> the `dataset` of a sweep file.

    Raises MbsweepError for a name that no data set has.
    """
    name, _, path = words.partition(":")
    if name not in DATASET_CONFIGS and Path(words).is_dir():
        name, path = "imagefolder", words
    if name not in DATASET_CONFIGS:
        allowed = ", ".join(DATASET_CONFIGS)
        raise MbsweepError(
            f"--dataset is {shown(words)}; expected digits, a folder of images, or NAME:PATH with NAME one "
            f"of {allowed}{did_you_mean(name, DATASET_CONFIGS)}"
        )
    try:
        return DATASET_CONFIGS[name].model_validate({"name": name} | ({"path": path} if path else {}))
    except ValidationError as error:
        needs_path = error.errors()[0]["type"] == "missing"
        wrong = "needs a path: NAME:PATH" if needs_path else f"has no path: say {name}"
        raise MbsweepError(f"--dataset is {shown(words)}; {name} {wrong}") from None


def train_network(
    fields: dict[str, Any],
    dataset: str,
    settings: dict[str, Any],
    seed: int,
    start: Path | None,
    output: Path,
) -> Iterator[str]:
    """Train one network on all cores and save it; lines that say how it goes.

    fields: those of Variant that were given; others are as `start` has them. settings: those of a recipe.
    start: a network's file to begin with, or a supernet's that has the network. An interrupted training goes
    on from `output` with the ending .checkpoint. Raises MbsweepError for what the user can put right.
    """
    try:
        recipe = Recipe.model_validate(settings)
    except ValidationError as error:
        fault = error.errors()[0]
        words = str(fault["msg"]).removeprefix("Value error, ")
        raise MbsweepError(
            f"--{str(fault['loc'][0]).replace('_', '-')} is {shown(fault['input'])}; {words}"
        ) from None
    _check_output(output)
    config = dataset_config(dataset)
    of_file = None if start is None else _variant(open_checkpoint(start))
    variant = replace(of_file or Variant(resolution=RESOLUTION), **fields)
    images = open_dataset(config, [variant.resolution])
    variant = replace(variant, num_classes=len(images.classes))
    recipe = recipe.complete(images.sizes["train"])
    use_threads(threads_each())
    checkpoint = output.with_suffix(".checkpoint")
    begin = None if start is None else _begin(start, variant, images)
    yield f"{variant.id} on {images.id}, {recipe.words}, seed {seed}"
    yield from (f"{images.id}: {note}" for note in images.remarks)
    if start is not None:
        yield from _cautions(variant, open_checkpoint(start))
    curve = []
    try:
        for row in train(Job(variant, recipe, seed), images, checkpoint, start=begin):
            curve.append(row)
            yield (
                f"epoch {row.epoch}: {row.train_top1_pct:.1f} % while training, "
                f"{row.validation_top1_pct:.1f} % on the validation part, {row.seconds:.1f} s"
            )
    except DivergedError as error:
        raise MbsweepError(f"{variant.id}: {error}; try a lower --learning-rate") from None
    found = finish(checkpoint, output, images)
    with suppress(OSError):
        checkpoint.unlink()
    guessing = Guessing.of(images.labels("train"), images.labels("validation"), recipe.label_smoothing)
    if guessing.is_all(curve):
        yield f"{variant.id} stalled: no better than guessing; {what_helps(variant, '--stem-stride 1')}"
    yield f"{output}: {told(found, images, 'test')}"


def _check_output(output: Path) -> None:
    if output.suffix != ".safetensors" or not output.parent.is_dir():
        raise MbsweepError(f"{output}: name a file with the ending .safetensors in a folder that exists")


def _begin(path: Path, variant: Variant, images: Dataset) -> nn.Module:
    """The network in a file, to be trained further."""
    state = open_checkpoint(path)
    if state.about.get("supernet"):
        return extract(state, variant, images)
    if (other := _variant(state)) != variant:
        raise MbsweepError(f"{path} holds {other.id}, which cannot begin a training of {variant.id}")
    return trained_network(state)


def _variant(state: Checkpoint) -> Variant:
    """The network of a file; of a supernet's, the largest."""
    return Variant(**state.about["variant"])


def extract_network(path: Path, fields: dict[str, Any], dataset: str, output: Path) -> str:
    """Write one network of a supernet to a file of its own; return in a line what was written.

    Below it, in lines of their own, what keeps the network from being relied on. fields: those of Variant in
    which it may differ from the largest, and does.
    Raises MbsweepError where the file is no supernet, or does not have the network.
    """
    _check_output(output)
    state = open_checkpoint(path)
    variant = replace(_variant(state), **fields)
    images = open_dataset(dataset_config(dataset), [variant.resolution])
    _check_classes(path, state, images)
    use_threads(threads_each())
    net = extract(state, variant, images)
    about = {name: value for name, value in state.about.items() if name != "supernet"}
    weights = {WEIGHT + name: tensor for name, tensor in net.state_dict().items()}
    write_checkpoint(output, Checkpoint(about | {"variant": asdict(variant)}, [], weights))
    found = evaluate(net, images.part("test", variant.resolution), (about["mean"], about["std"]))
    said = [f"{output}: {variant.id}, {told(found, images, 'test')}", *_cautions(variant, state)]
    if words := trust.of_supernet(report_of(path)):
        said.append(f"caution: {words}")
    return "\n".join(said)


def _cautions(variant: Variant, state: Checkpoint) -> list[str]:
    """What is to be known of a network that is taken from a file; nothing where all is well."""
    space = state.about.get("supernet")
    words = trust.of_extracted(variant, space["variants"]) if space else ""
    return [f"caution: {words}"] if words else []


def _check_classes(path: Path, state: Checkpoint, images: Dataset) -> None:
    if list(images.classes) != state.about["classes"]:
        raise MbsweepError(
            f"{path} tells {_named(state.about['classes'])} apart, and {images.id} has "
            f"{_named(images.classes)}; the classes must be the same"
        )


def evaluate_network(path: Path, dataset: str, part: str) -> str:
    """What a saved network does on a part of a data set, in a line.

    Raises MbsweepError where the file is no network, or the data set has other classes than it knows.
    """
    state = open_checkpoint(path)
    if state.about.get("supernet"):
        raise MbsweepError(
            f"{path} is a supernet; `mbsweep extract` gives each network of it a file of its own"
        )
    variant = _variant(state)
    images = open_dataset(dataset_config(dataset), [variant.resolution])
    _check_classes(path, state, images)
    use_threads(threads_each())
    moments = state.about["mean"], state.about["std"]
    found = evaluate(trained_network(state), images.part(part, variant.resolution), moments)
    other = "" if state.about["dataset"] == images.id else f"; it was trained on {state.about['dataset']}"
    return f"{path}: {variant.id}, {told(found, images, part)}{other}"


def told(found: Outcome, images: Dataset, part: str) -> str:
    """Accuracy with the interval that the choice of the images leaves open."""
    ends = spread([found.correct], NO_SEED_NOISE)
    top5 = "" if np.isnan(found.top5_pct) else f", top-5 {found.top5_pct:.2f} %"
    return (
        f"top-1 {found.top1_pct:.2f} % (95 % interval {ends.low_pct:.2f} to {ends.high_pct:.2f}, of the "
        f"choice of the {len(found.correct):,} images){top5} on the {part} part of {images.id}"
    )


def _named(classes: Any) -> str:
    names = ", ".join(map(str, classes[:5]))
    return f"{len(classes)} classes ({names}{', ...' if len(classes) > 5 else ''})"
