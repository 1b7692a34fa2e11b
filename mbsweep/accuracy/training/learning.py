"""What the accuracy sources that train networks have in common. Loads no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mbsweep.accuracy.datasets import AnyDataset, Dataset, open_dataset
from mbsweep.accuracy.datasets.opening import in_bytes, lacking, room
from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.accuracy.deploying.runtimes import Runtime, made_with, runtimes_of
from mbsweep.accuracy.packages import FILES, missing_packages
from mbsweep.accuracy.settings import Quantization, Recipe
from mbsweep.accuracy.source import Opened, Say, Source
from mbsweep.accuracy.training.outcomes import PENDING
from mbsweep.accuracy.value import NAN, Accuracies, Accuracy
from mbsweep.base.cache import cache_dir
from mbsweep.base.cores import usable_cores
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.space import Space
from mbsweep.storage.database import EmptyRunError
from mbsweep.storage.folder import holds_run
from mbsweep.storage.store import Store

# Rough, as all that a plan estimates.
_READ_BYTES_PER_S = 20e6  # of files, decoded by two threads
_MADE_IMAGE_S = 1e-3  # an image that is drawn, or resized
_OPEN = ("batch", "learning_rate")  # settings of a recipe that may be left open


class TrainingSource(Source):
    """A source that trains on a data set."""

    dataset: AnyDataset

    @property
    def images(self) -> AnyDataset:
        """The data set that the networks learn."""
        return self.dataset

    def missing(self) -> Iterator[str]:
        """For each package that it needs and that is not installed, what to do about it."""
        yield from missing_packages(*self.dataset.needs, FILES)

    def open_images(self, space: Space, say: Say, images: ImageSource | None) -> Dataset:
        """The images at the resolutions of a space. MbsweepError where they cannot be read."""
        dataset = open_dataset(self.dataset, np.unique(space.column("resolution")).tolist(), say, images)
        for note in dataset.remarks:
            say(f"{dataset.id}: {note}")
        return dataset

    def said(self) -> dict[str, Any]:
        """With the data set, also where it is the usual one."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        return said | {"dataset": self.dataset.model_dump(mode="json", exclude_defaults=True)}


class OpenedTraining(Opened):
    """Such a source, with its images."""

    def __init__(self, kind: str, name: str, dataset: Dataset, space: Space) -> None:
        self.kind, self.name, self.dataset, self.space = kind, name, dataset, space

    def known(self, precision: str) -> Accuracies:
        """Nothing before `work`, at no precision."""
        unknown = Accuracy(NAN, NAN, self.kind, self.name, self.dataset.id, reason=PENDING)
        return Accuracies.shared([unknown], np.zeros(len(self.space), np.int64))

    def keep(self, store: Store) -> None:
        """Keep what the images are."""
        store.set_dataset(self.dataset.id, self.dataset.sizes, self.dataset.remarks)


class ImagesPlan(NamedTuple):
    """The images of a sweep, as far as they are known before they are read."""

    lines: tuple[str, ...]
    reading_s: float  # what is not in the cache
    dataset: str | None  # its id, where the cache knows it
    train: int  # images to train on


def plan_images(images: ImageSource, space: Space) -> ImagesPlan:
    """At the resolutions of a space."""
    seen = images.seen()
    dataset, missing = lacking(images, np.unique(space.column("resolution")).tolist())
    reading_s = seen.file_bytes / _READ_BYTES_PER_S + sum(seen.sizes.values()) * _MADE_IMAGE_S
    lines = tuple(_lines(images, missing))
    return ImagesPlan(lines, reading_s if missing else 0.0, dataset, seen.sizes["train"])


def _lines(images: ImageSource, missing: Sequence[int]) -> Iterator[str]:
    seen = images.seen()
    yield seen.class_words
    about = "" if seen.is_exact else "about "
    train, validation, test = (f"{seen.sizes[part]:,}" for part in PARTS)
    yield f"{about}{train} to train on, {validation} for validation, {test} to test"
    yield from seen.remarks
    if not missing:
        yield f"read already, kept in {cache_dir() / 'datasets'}"
        return
    needed_bytes, free_bytes = room(images, missing)
    is_short = "; too little: set MBSWEEP_CACHE to a folder with more" if needed_bytes > free_bytes else ""
    yield (
        f"need {in_bytes(needed_bytes)} in {cache_dir() / 'datasets'}, of {in_bytes(free_bytes)} that are "
        f"free{is_short}"
    )


class Done(NamedTuple):
    """What a run has of some trainings, each a variant and a seed."""

    ended: frozenset[tuple[str, int]] = frozenset()
    reached: Mapping[tuple[str, int], int] = {}  # epochs, of what was not begun anew

    @classmethod
    def of(cls, folder: Path, name: str, seeds: Sequence[int]) -> Done:
        """Those under one name; nothing where there is no run yet."""
        if not holds_run(folder):
            return cls()
        try:
            with Store.read(folder) as store:
                ended = {(row.variant, row.seed) for row in store.trainings(name) if row.seed in seeds}
                epochs = [row for row in store.epochs(name) if row.seed in seeds]
        except EmptyRunError:
            return cls()
        return cls(frozenset(ended), {(row.variant, row.seed): row.epoch for row in epochs})


def best_validation(store: Store, name: str) -> dict[tuple[str, int], float]:
    """Variant and seed of each training under a name that came to its end -> its best epoch's top-1 in
    percent on the validation part.
    """
    best: dict[tuple[str, int, int], float] = {}
    for epoch in store.epochs(name):
        best[epoch.key[:3]] = max(best.get(epoch.key[:3], 0), epoch.validation_top1_pct)
    ended = (row.key for row in store.trainings(name) if row.state == "done")
    return {key[:2]: best[key] for key in ended if key in best}


def steps_done(folder: Path, name: str) -> frozenset[tuple[str, str, int]]:
    """Step, variant and seed of each step of compression that a run has done to networks under a name."""
    if not holds_run(folder):
        return frozenset()
    try:
        with Store.read(folder) as store:
            return frozenset(row.key for row in store.compressed(name))
    except EmptyRunError:
        return frozenset()


class Tests(NamedTuple):
    """Tests of trained networks in the runtimes of the latencies, for a plan."""

    words: str = ""
    left_s: float = 0.0


_TEST_S = 5  # of a network in a runtime, rough: its file and some thousand images


def left_to_test(
    folder: Path,
    name: str | None,
    configs: Sequence[LatencyConfig],
    quantization: Quantization,
    variants: Collection[str],
    seeds: Sequence[int],
) -> Tests:
    """Those that the run in a folder lacks. name: of the source, where it is known. variants: their ids."""
    runtimes = runtimes_of(configs)
    if not runtimes:
        return Tests()
    done = 0
    if name and holds_run(folder):
        asked = {(runtime, made_with(runtime, quantization)) for runtime in runtimes}
        with suppress(EmptyRunError), Store.read(folder) as store:
            known = set(variants)
            done = sum(
                (Runtime(*row.runtime), row.made) in asked and row.variant in known and row.seed in seeds
                for row in store.deployed(name)
            )
    total = len(variants) * len(seeds) * len(runtimes)
    where = ", ".join(runtime.words for runtime in runtimes)
    left_s = (total - done) * _TEST_S / usable_cores()
    return Tests(f"; each tested as {where}: {done:,} of {total:,} done", left_s)


def images_words(sizes: Mapping[str, int]) -> str:
    """` (8,000 images to train on, 1,000 for validation, 4,000 to test)`, as far as it is known."""
    if not sizes:
        return ""
    parts = f"{sizes['train']:,} images to train on, {sizes['validation']:,} for validation"
    return f" ({parts}, {sizes['test']:,} to test)"


def remark_words(remarks: Sequence[str]) -> list[str]:
    """What is to be known of the images, such as files that were left out, in a sentence."""
    return [f"Of the images: {'; '.join(remarks)}."] if remarks else []


def runtime_words(runtimes: Sequence[str], quantization: Quantization) -> list[str]:
    """Where else networks were tested, in a sentence. runtimes: `int8 in onnxruntime`, ..."""
    if not runtimes:
        return []
    calibrated = f"; int8 was calibrated by {quantization.words}" if "int8" in " ".join(runtimes) else ""
    return [
        f"Accuracies at {', '.join(runtimes)} are those of the files: each was run there on the test part, "
        f"and its drop is against the same network as it was trained{calibrated}."
    ]


def recipe_words(recipe: Recipe, sizes: Mapping[str, int]) -> str:
    """`9 epochs, batch 64, optimizer sgd, ...`: every setting, as far as the number of images is known."""
    whole = recipe.complete(sizes["train"]) if sizes else recipe
    settings = {name: value for name, value in whole.settings.items() if value or name not in _OPEN}
    if whole.start:
        settings["start"] = whole.start.words
    else:
        settings = {name: value for name, value in settings.items() if name not in Recipe.added}
    epochs = settings.pop("epochs")
    words = []
    for name, value in settings.items():
        unit = " %" if name.endswith("_pct") else ""
        words.append(f"{name.removesuffix('_pct').replace('_', ' ')} {_setting(value)}{unit}")
    return ", ".join([f"{epochs} epoch{'s' if epochs > 1 else ''}", *words])


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")
