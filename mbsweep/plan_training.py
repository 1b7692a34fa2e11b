"""What a run would train, on which images, what of it is done, how long the rest takes. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets import in_bytes, lacking, room
from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.datasets.source import Source
from mbsweep.accuracy.packages import missing_packages
from mbsweep.accuracy.settings import SupernetAccuracy, TrainedAccuracy
from mbsweep.accuracy.trained import source_name, supernet_name
from mbsweep.accuracy.training.cost import image_s
from mbsweep.base.cache import cache_dir
from mbsweep.base.cores import usable_cores
from mbsweep.space.counting import SpaceCounts
from mbsweep.storage.database import EmptyRunError
from mbsweep.storage.folder import holds_run
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import EpochRow, TrainingRow
from mbsweep.sweep.sweep import Sweep

# Rough, as all that a plan estimates.
_READ_BYTES_PER_S = 20e6  # of files, decoded by two threads
_MADE_IMAGE_S = 1e-3  # and image that is drawn, or resized


class TrainingPlan(NamedTuple):
    """Of one sweep."""

    words: str  # what is trained, and what of that is done
    images: list[str]  # lines about them
    left_s: float  # at most, estimated
    is_begun: bool


def plan_training(sweep: Sweep, source: Source, space: SpaceCounts, folder: Path) -> TrainingPlan:
    """The trainings of a sweep, given what it trains on and the folder of its run."""
    config = sweep.accuracy
    assert isinstance(config, TrainedAccuracy | SupernetAccuracy)  # noqa: S101
    seen = source.seen()
    dataset, missing = lacking(source, space.resolution.tolist())
    config = config.complete(seen.sizes["train"])
    done = _Done(folder, dataset, config, space)
    per_image_s = image_s(space.macs)
    left_s = seen.sizes["train"] * _left(config, space, per_image_s, done) / usable_cores()
    if missing:
        left_s += seen.file_bytes / _READ_BYTES_PER_S + sum(seen.sizes.values()) * _MADE_IMAGE_S
    images = list(_images(source, space, missing))
    images += list(missing_packages(config))
    return TrainingPlan(_words(config, space, done), images, left_s, done.epochs > 0)


def _images(source: Source, space: SpaceCounts, missing: Sequence[int]) -> Iterator[str]:
    seen = source.seen()
    yield seen.class_words
    about = "" if seen.is_exact else "about "
    train, validation, test = (f"{seen.sizes[part]:,}" for part in PARTS)
    yield f"{about}{train} to train on, {validation} for validation, {test} to test"
    yield from seen.remarks
    if not missing:
        yield f"read already, kept in {cache_dir() / 'datasets'}"
        return
    needed_bytes, free_bytes = room(source, missing)
    is_short = "; too little: set MBSWEEP_CACHE to a folder with more" if needed_bytes > free_bytes else ""
    yield (
        f"need {in_bytes(needed_bytes)} in {cache_dir() / 'datasets'}, of {in_bytes(free_bytes)} that are "
        f"free{is_short}"
    )


class _Done:
    """What a run has of a sweep's trainings."""

    def __init__(
        self,
        folder: Path,
        dataset: str | None,
        config: TrainedAccuracy | SupernetAccuracy,
        space: SpaceCounts,
    ) -> None:
        self.ended: set[tuple[str, int]] = set()  # variant, seed
        self.reached: dict[tuple[str, int], int] = {}  # variant, seed -> epochs
        self.alone_ended: set[tuple[str, int]] = set()
        if dataset is None or not holds_run(folder):
            return
        try:
            with Store.read(folder) as store:
                if isinstance(config, TrainedAccuracy):
                    name = source_name(config, dataset)
                    self._take(store.trainings(name), store.epochs(name), config)
                else:
                    name = supernet_name(config, dataset, space.variants())
                    self._take(store.trainings(name), store.epochs(name), None)
                    alone = store.trainings(source_name(config.alone_as_trained, dataset))
                    seeds = config.alone.seeds
                    self.alone_ended = {(row.variant, row.seed) for row in alone if row.seed in seeds}
        except EmptyRunError:
            return

    def _take(
        self, rows: Sequence[TrainingRow], epochs: Sequence[EpochRow], config: TrainedAccuracy | None
    ) -> None:
        asked = None if config is None else set(config.seeds)
        self.ended = {(row.variant, row.seed) for row in rows if asked is None or row.seed in asked}
        for row in epochs:
            if asked is None or row.seed in asked:
                self.reached[row.variant, row.seed] = row.epoch

    @property
    def epochs(self) -> int:
        """How many there are, of what was not begun anew."""
        return sum(self.reached.values())


def _words(config: TrainedAccuracy | SupernetAccuracy, space: SpaceCounts, done: _Done) -> str:
    ids, name = set(space.ids()), config.dataset.name
    if isinstance(config, TrainedAccuracy):
        total = len(space) * len(config.seeds)
        ended = sum(variant in ids for variant, _ in done.ended)
        begun = sum(key[0] in ids and key not in done.ended for key in done.reached)
        begun_words = f", {begun:,} begun" if begun else ""
        return (
            f"trained on {name}: {total:,} trainings of {config.recipe.words} (seeds "
            f"{', '.join(map(str, config.seeds))}); {ended:,} of {total:,} done{begun_words}"
        )
    alone = _alone(config, space)
    trained = max(done.reached.values(), default=0)
    return (
        f"one supernet trained on {name} for {config.recipe.words}; {trained} epochs done; {alone} trainings "
        f"of single networks to compare, {min(alone, len(done.alone_ended))} done"
    )


def _alone(config: SupernetAccuracy, space: SpaceCounts) -> int:
    """How many trainings of single networks a supernet is compared with: of no more than it has."""
    return min(config.alone.count, len(space)) * len(config.alone.seeds)


def _left(
    config: TrainedAccuracy | SupernetAccuracy,
    space: SpaceCounts,
    per_image_s: NDArray[np.float64],
    done: _Done,
) -> float:
    """Seconds of one core for each image of the train part."""
    epochs = config.recipe.epochs
    if isinstance(config, TrainedAccuracy):
        lacking_epochs = [
            sum(
                0 if (variant, seed) in done.ended else epochs - done.reached.get((variant, seed), 0)
                for seed in config.seeds
            )
            for variant in (space.ids() if done.epochs else ())
        ]
        if not done.epochs:
            return float(per_image_s.sum()) * epochs * len(config.seeds)
        return float((per_image_s * np.array(lacking_epochs)).sum())
    # Networks side by side, each on one core: no sooner than the largest.
    largest_s = usable_cores() * float(per_image_s.max())
    step_s = max(config.step_cost(per_image_s, space.resolution), largest_s)
    alone = max(0, _alone(config, space) - len(done.alone_ended))
    alone_s = float(per_image_s.mean()) * alone
    left = epochs - max(done.reached.values(), default=0)
    return step_s * left + alone_s * config.alone.recipe.epochs
