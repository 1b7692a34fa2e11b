"""`mbsweep train`, `extract` and `evaluate`: one network, trained, taken from a supernet, or tested."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from torch import nn

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.guessing import Guessing
from mbsweep.accuracy.packages import FILES, check_package
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training.checkpoint import (
    WEIGHT,
    Checkpoint,
    differing,
    open_checkpoint,
    write_checkpoint,
)
from mbsweep.accuracy.training.evaluating import Outcome, evaluate
from mbsweep.accuracy.training.extracting import check_has, extract
from mbsweep.accuracy.training.loop import (
    DivergedError,
    Job,
    about,
    finish,
    train,
    trained_network,
    use_threads,
)
from mbsweep.accuracy.training.outcomes import what_helps
from mbsweep.accuracy.training.supernets import report_of
from mbsweep.accuracy.weights.files import look_at
from mbsweep.accuracy.weights.mapping import mapped
from mbsweep.accuracy.weights.names import library_of
from mbsweep.accuracy.weights.said import ANY, network_of
from mbsweep.accuracy.weights.start import check_fresh
from mbsweep.base.cores import threads_each
from mbsweep.base.errors import MbsweepError
from mbsweep.base.quiet import busy, each_busy
from mbsweep.base.rules import shown
from mbsweep.commands._images import asked_images, images_for, judged
from mbsweep.profiler.counting_code import counted
from mbsweep.space.sharing import space_of
from mbsweep.space.variant import Variant
from mbsweep.statistics.seeds import NO_SEED_NOISE, spread
from mbsweep.table import trust

RESOLUTION = 64  # of a network that is trained, unless it is said


def train_network(
    fields: dict[str, Any],
    dataset: str | None,
    settings: dict[str, Any],
    seed: int,
    start: Path | None,
    output: Path,
) -> Iterator[str]:
    """Train one network on all cores and save it; lines that say how it goes.

    fields: those of Variant that were given; others are as `start` has them. settings: those of a recipe.
    start: weights to begin with, or a supernet's file that has the network. An interrupted training goes on
    from `output` with the ending .checkpoint. Raises MbsweepError for what the user can put right.
    """
    recipe = _recipe(settings | ({"start": str(start)} if start else {}))
    checkpoint = output.with_suffix(".checkpoint")
    _check_output(output, start)
    check_package(FILES)
    found_before = _checkpoint_of(checkpoint)
    weights = None if start is None else look_at(start)
    state = open_checkpoint(weights.file) if weights and weights.about else None
    asked = asked_images(dataset, start, state)
    said = network_of(weights, library_of(weights)) if weights and not state else {}
    variant = _asked(state, _over(said, fields)).but(num_classes=asked.seen.class_count)
    if start and state:
        _check_begin(start, state, variant)
    # A supernet's has no other classes, and of code the layers are not known.
    as_it_is = state is not None and (bool(state.about.get("supernet")) or variant.is_code)
    if variant.is_code and recipe.has_body:
        raise MbsweepError(
            f"the layers of {variant.family} are not known; leave --freeze-epochs and --body-rate out"
        )
    if weights and not as_it_is:
        mapped(weights, variant).values()  # which finds out whether they fit, before images are read
    if variant.is_code:
        counted(variant)  # which finds out what is wrong with it, before images are read
    images = asked.open(variant.resolution)
    recipe = recipe.complete(images.sizes["train"])
    use_threads(threads_each())
    begin = before = None
    notes: Sequence[str] = ()
    if weights:
        advice = "leave --dataset out to train on what it was trained on"
        check_fresh(weights, images.id, images.contents("test"), advice)
    if weights and recipe.start:
        told_start = recipe.start.model_copy(update={"sha256": weights.sha256()})
        recipe = recipe.model_copy(update={"start": told_start})
    if state and as_it_is:
        begin, before = _begin(state, variant, images), state.origin
    elif weights:
        notes = mapped(weights, variant, images.classes).notes
    job = Job(variant, recipe, seed)
    _check_same(checkpoint, found_before, job, images)
    yield f"{variant.id} on {images.id}, {recipe.words}, seed {seed}"
    yield from (f"{images.id}: {note}" for note in images.remarks)
    yield from (f"{start}: {note}" for note in notes)
    if state:
        yield from _cautions(variant, state)
    curve = []
    try:
        for row in each_busy(train(job, images, checkpoint, start=begin, before=before)):
            curve.append(row)
            yield (
                f"epoch {row.epoch}: {row.train_top1_pct:.1f} % while training, "
                f"{row.validation_top1_pct:.1f} % on the validation part, {row.seconds:.1f} s"
            )
    except DivergedError as error:
        raise MbsweepError(f"{variant.id}: {error}; try a lower --learning-rate") from None
    with busy():
        found = finish(checkpoint, output, images)
    with suppress(OSError):
        checkpoint.unlink()
    guessing = Guessing.of(images.labels("train"), images.labels("validation"), recipe.label_smoothing)
    if guessing.is_all(curve):
        helps = what_helps(variant, None if start else "--stem-stride 1")
        yield f"{variant.id} stalled: no better than guessing; {helps}"
    yield f"{output}: {told(found, images, 'test')}"


def _recipe(settings: dict[str, Any]) -> Recipe:
    """MbsweepError, with the option, where a setting is not allowed."""
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        fault = error.errors()[0]
        words = str(fault["msg"]).removeprefix("Value error, ")
        if not fault["loc"]:
            raise MbsweepError(words) from None
        raise MbsweepError(
            f"--{str(fault['loc'][0]).replace('_', '-')} is {shown(fault['input'])}; {words}"
        ) from None


def _over(said: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """What weights say of their network, and fields that were given; of another family, those alone."""
    return fields if fields.get("family", said.get("family")) != said.get("family") else {**said, **fields}


def _check_output(output: Path, read: Path | None) -> None:
    """MbsweepError where no network can be written to a file, or it is the one that is read."""
    if output.suffix != ".safetensors" or not os.path.isdir(output.parent) or os.path.isdir(output):
        raise MbsweepError(f"{output}: name a file with the ending .safetensors in a folder that exists")
    if not os.access(output.parent, os.W_OK):
        raise MbsweepError(f"{output}: cannot be written: no permission; name a file in another folder")
    if read is not None and all(map(os.path.exists, (output, read))) and output.samefile(read):
        raise MbsweepError(f"{output} is the file that is read; name another with -o")


def _checkpoint_of(path: Path) -> dict[str, Any]:
    """What a checkpoint says of its training; nothing where there is none.

    Raises MbsweepError where something else has its place.
    """
    if not os.path.exists(path):
        return {}
    try:
        return open_checkpoint(path).about
    except MbsweepError:
        raise _taken(path, "is no checkpoint of mbsweep, or is damaged") from None


def _check_same(path: Path, found: dict[str, Any], job: Job, images: Dataset) -> None:
    """MbsweepError where a checkpoint is of another training, or is a network that is trained."""
    now = about(job, images, ([], []))
    other = [name for name in differing(found, now) if name in now and name not in ("mean", "std")]
    if found and (other or "test_top1_pct" in found):
        raise _taken(
            path, f"is of another training (its {', '.join(other)})" if other else "is a trained network"
        )


def _taken(path: Path, what: str) -> MbsweepError:
    return MbsweepError(
        f"{path} {what}, and this training would write over it; move it, or choose another -o"
    )


def _check_begin(path: Path, state: Checkpoint, variant: Variant) -> None:
    """MbsweepError where a file does not hold a network, to be trained further."""
    if state.about.get("supernet"):
        check_has(state, variant)
    elif (other := _variant(state)) != variant:
        free = () if variant.is_code else ANY
        named = [
            name
            for name, value in other.values.items()
            if value != variant.values.get(name) and name not in free
        ]
        options = [f"--{name.replace('_', '-')}" for name in named if name != "num_classes"]
        advice = (
            f"leave {', '.join(options)} out"
            if options
            else f"name images of {other.values.get('num_classes')} classes with --dataset"
        )
        if named or other.family != variant.family:
            raise MbsweepError(
                f"{path} holds {other.id}, which cannot begin a training of {variant.id}; {advice}"
            )


def _begin(state: Checkpoint, variant: Variant, images: Dataset) -> nn.Module:
    """The network in a file, to be trained further."""
    if state.about.get("supernet"):
        return extract(state, variant, images.part("train", variant.resolution))
    return trained_network(state)


def _variant(state: Checkpoint) -> Variant:
    """The network of a file; of a supernet's, the largest."""
    return Variant(**state.about["variant"])


def _asked(state: Checkpoint | None, fields: dict[str, Any]) -> Variant:
    """The network of some fields; of a file's family, and else as the file's, where there is one."""
    if state is None or fields.get("family", _variant(state).family) != _variant(state).family:
        usual = {} if "input" in fields else {"resolution": RESOLUTION}
        return Variant(**{**usual, **fields})
    return _variant(state).but(**{name: value for name, value in fields.items() if name != "family"})


def extract_network(path: Path, fields: dict[str, Any], dataset: str | None, output: Path) -> str:
    """Write one network of a supernet to a file of its own; return in a line what was written.

    Below it, in lines of their own, what keeps the network from being relied on. fields: those of Variant in
    which it may differ from the largest, and does.
    Raises MbsweepError where the file is no supernet, or does not have the network.
    """
    _check_output(output, path)
    check_package(FILES)
    state = open_checkpoint(path)
    variant = _asked(state, fields)
    check_has(state, variant)
    images = images_for(path, state, dataset, variant.resolution)
    use_threads(threads_each())
    part, test = (judged(path, state, images, name, variant.resolution) for name in ("train", "test"))
    net = extract(state, variant, part.part)
    kept = {name: value for name, value in state.about.items() if name not in ("supernet", "networks")}
    weights = {WEIGHT + name: tensor for name, tensor in net.state_dict().items()}
    write_checkpoint(output, Checkpoint(kept | {"variant": variant.as_dict()}, [], weights, state.origin))
    found = evaluate(net, test.part, (kept["mean"], kept["std"]))
    said = [f"{output}: {variant.id}, {told(found, images, 'test')}{test.words}", *_cautions(variant, state)]
    if words := trust.of_supernet(report_of(path)):
        said.append(f"caution: {words}")
    return "\n".join(said)


def _cautions(variant: Variant, state: Checkpoint) -> list[str]:
    """What is to be known of a network that is taken from a file; nothing where all is well."""
    space = state.about.get("supernet")
    if not space:
        return []
    if "space" in space:
        words = trust.of_member(variant, space_of(space["space"]))
        return [f"caution: {words}"] if words else []
    networks = [Variant(**fields) for fields in state.about.get("networks", [])]  # not in files of before
    words = trust.of_extracted(variant, space["variants"], networks)
    return [f"caution: {words}"] if words else []


def told(found: Outcome, images: Dataset, part: str) -> str:
    """Accuracy with the interval that the choice of the images leaves open."""
    ends = spread([found.correct], NO_SEED_NOISE)
    top5 = "" if np.isnan(found.top5_pct) else f", top-5 {found.top5_pct:.2f} %"
    return (
        f"top-1 {found.top1_pct:.2f} % (95 % interval {ends.low_pct:.2f} to {ends.high_pct:.2f}, of the "
        f"choice of the {len(found.correct):,} images){top5} on the {part} part of {images.id}"
    )
