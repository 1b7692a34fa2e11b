"""The images that `train`, `evaluate` and `extract` are asked for, and which of them a network has seen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from mbsweep.accuracy.datasets import DATASETS, Dataset, Part, open_dataset
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.datasets.source import DatasetSettings, ImageSource, Seen
from mbsweep.accuracy.training.checkpoint import Checkpoint
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.files import expanded
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.sweep.sweep import load_sweep


def dataset_config(words: str) -> DatasetSettings:
    """`digits`, a folder of images, a sweep file or `NAME:PATH` -> the `dataset` of a sweep file.

    Raises MbsweepError for a name that no data set has, and for a sweep that trains nothing.
    """
    if words.lower().endswith((".yaml", ".yml")):
        accuracy = load_sweep(words).accuracy
        if accuracy is None or accuracy.images is None:
            raise MbsweepError(
                f"--dataset is {shown(words)}; that sweep trains nothing: its accuracy has no data set"
            )
        return accuracy.images
    name, _, path = words.partition(":")
    if name not in DATASETS and os.path.isdir(expanded(words)):
        name, path = "imagefolder", words
    if name not in DATASETS:
        allowed = ", ".join(DATASETS)
        raise MbsweepError(
            f"--dataset is {shown(words)}; expected digits, a folder of images, a sweep file, or NAME:PATH "
            f"with NAME one of {allowed}{did_you_mean(name, DATASETS)}"
        )
    try:
        return DATASETS[name].model_validate({"name": name} | ({"path": path} if path else {}))
    except ValidationError as error:
        needs_path = error.errors()[0]["type"] == "missing"
        wrong = "needs a path: NAME:PATH" if needs_path else f"has no path: say {name}"
        raise MbsweepError(f"--dataset is {shown(words)}; {name} {wrong}") from None


class Asked(NamedTuple):
    """A data set before its images are read."""

    config: DatasetSettings
    source: ImageSource
    seen: Seen

    def open(self, resolution: int) -> Dataset:
        """The images, at one resolution."""
        return open_dataset(self.config, [resolution], source=self.source)


def asked_images(words: str | None, path: Path | None, state: Checkpoint | None) -> Asked:
    """What `--dataset` asks for; without it, what the network of a file was trained on, else the digits.

    A folder, an archive or `digits` is read with the settings of the network's own data set, if that is of
    the same kind; a sweep file as it says. Raises MbsweepError where it cannot be had, before images are
    read, or where it has other classes than the network.
    """
    own = state.origin.settings if state else {}
    if words is not None:
        config = dataset_config(words)
        if config.name == own.get("name") and not words.lower().endswith((".yaml", ".yml")):
            place = {"path": config.path} if hasattr(config, "path") else {}
            config = _own(own | place, path)
    elif own:
        config = _own(own, path)
    elif state is None or str(state.about["dataset"]).startswith("digits-"):
        config = Digits(name="digits")
    else:
        raise MbsweepError(
            f"{path} is of an earlier mbsweep and does not say where the images of {state.about['dataset']} "
            "are; name them with --dataset"
        )
    try:
        source = config.source()
        return Asked(config, source, source.seen())
    except MbsweepError as error:
        hint = "" if words or not own else "; if they lie elsewhere now, name them with --dataset"
        raise MbsweepError(f"{error}{hint}") from None


def _own(settings: dict[str, Any], path: Path | None) -> DatasetSettings:
    """The data set of a network's file."""
    try:
        return DATASETS[settings["name"]].model_validate(settings)
    except (KeyError, ValidationError):
        raise MbsweepError(
            f"{path}: is damaged, or of another mbsweep: it says of its images {shown(settings)}"
        ) from None


def check_classes(path: Path, state: Checkpoint, given: Sequence[str], count: int, name: str) -> None:
    """MbsweepError where a network tells other classes apart than a data set has.

    given: those of the data set; empty where only their number is known yet.
    """
    own = state.about["classes"]
    if count != len(own) or (given and list(given) != own):
        has = _named(given) if given else f"{count} classes"
        raise MbsweepError(
            f"{path} tells {_named(own)} apart, and {name} has {has}; the classes must be the same"
        )


def images_for(path: Path, state: Checkpoint, dataset: str | None, resolution: int) -> Dataset:
    """The images to judge a network by. MbsweepError, before they are read, where it has other classes."""
    asked = asked_images(dataset, path, state)
    check_classes(path, state, asked.seen.classes, asked.seen.class_count, asked.config.name)
    images = asked.open(resolution)
    check_classes(path, state, images.classes, len(images.classes), images.id)
    return images


def _named(classes: Sequence[str]) -> str:
    names = ", ".join(one_line(name, 60) for name in classes[:5])
    return f"{len(classes)} classes ({names}{', ...' if len(classes) > 5 else ''})"


class Judged(NamedTuple):
    """Images that a network is judged by, and what must be said of them."""

    part: Part
    words: str


def judged(path: Path, state: Checkpoint, images: Dataset, name: str, resolution: int) -> Judged:
    """A part of a data set, as the network of a file knows it: no image that it was trained on is a test.

    Of the network's own data set that is the part. Where another one, or another split, has images of it, the
    part is made of those that were in that part for the network, wherever they are now. MbsweepError where
    there are none.
    """
    if images.id == state.about["dataset"]:
        return Judged(images.part(name, resolution), "")
    other = f"; it was trained on {state.about['dataset']}"
    if not state.origin.split:
        unknown = "whether it was trained on some of these images is not known"
        return Judged(images.part(name, resolution), f"{other}, and {unknown}")
    contents = np.concatenate([images.contents(part) for part in PARTS])
    is_in = {part: np.isin(contents, state.origin.split[part]) for part in PARTS}
    known = is_in["train"] | is_in["validation"] | is_in["test"]
    if not known.any():
        return Judged(images.part(name, resolution), f"{other}, of which these images are none")
    chosen = is_in[name].copy()
    for before in PARTS[: PARTS.index(name)]:  # an image may be in two given parts
        chosen &= ~is_in[before]
    if not chosen.any():
        seen = int(is_in["train"].sum())
        raise MbsweepError(
            f"{path}: {seen:,} of the {len(contents):,} images of {images.id} are those that it was trained "
            f"on, and none is of its {name} part; name other images, or a sweep file, with --dataset"
        )
    words = f"{other}: of these images, those that were in its {name} part there"
    if not known.all():
        words += f"; {int((~known).sum()):,} others are not looked at"
    return Judged(_some(images, resolution, chosen), words)


def _some(images: Dataset, resolution: int, chosen: NDArray[np.bool_]) -> Part:
    """Some images of all parts."""
    parts = [images.part(part, resolution) for part in PARTS]
    ends = np.cumsum([len(part.labels) for part in parts])[:-1]
    each = list(zip(parts, np.split(chosen, ends), strict=True))
    return Part(
        np.concatenate([part.images[some] for part, some in each]),
        np.concatenate([part.labels[some] for part, some in each]),
    )
