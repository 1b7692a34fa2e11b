"""Accuracies of networks that share the weights of one supernet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.accuracy.settings import SupernetAccuracy
from mbsweep.accuracy.source import Account, Estimate, Opened, Say, SettingError
from mbsweep.accuracy.training.cost import image_s
from mbsweep.accuracy.training.learning import (
    Done,
    OpenedTraining,
    TrainingSource,
    images_words,
    left_to_test,
    plan_images,
    recipe_words,
    remark_words,
    runtime_words,
)
from mbsweep.base.cores import usable_cores
from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.space import Space
from mbsweep.space.variant import largest_of
from mbsweep.storage.store import Store


class SupernetSource(SupernetAccuracy, TrainingSource):
    """One training for all variants, which share its weights."""

    def check_space(self, space: Space) -> None:
        """Raises SettingError where the variants cannot share weights."""
        try:
            largest_of(space.variants())
        except MbsweepError as error:
            raise SettingError("source", f"is supernet: {error}") from None

    def open(self, space: Space, say: Say, images: ImageSource | None = None) -> Opened:
        """The images. MbsweepError where they cannot be read."""
        dataset = self.open_images(space, say, images)
        name = self.complete(dataset.sizes["train"]).name_on(dataset.id, list(space.ids()))
        return _Supernet(self, name, dataset, space)

    def estimate(
        self, space: Space, configs: Sequence[LatencyConfig], folder: Path, images: ImageSource | None
    ) -> Estimate:
        """How far the supernet and its comparison are, on which images, and how long the rest takes."""
        assert images is not None  # noqa: S101  (it has a data set)
        found = plan_images(images, space)
        config = self.complete(found.train)
        done = compared = Done()
        ids = list(space.ids())
        name = config.name_on(found.dataset, ids) if found.dataset else None
        if name and found.dataset:
            done = Done.of(folder, name, [self.seed])
            alone = config.alone_as_trained
            compared = Done.of(folder, alone.name_on(found.dataset), alone.seeds)
        trainings = min(self.alone.count, len(space)) * len(self.alone.seeds)  # of no more than there are
        trained = max(done.reached.values(), default=0)
        words = (
            f"one supernet trained on {self.dataset.name} for {config.recipe.words}; {trained} epochs done; "
            f"{trainings} trainings of single networks to compare, {min(trainings, len(compared.ended))} done"
        )
        per_image_s = image_s(space.macs)
        # Networks side by side, each on one core: no sooner than the largest.
        largest_s = usable_cores() * float(per_image_s.max())
        step_s = max(config.step_cost(per_image_s, space.column("resolution")), largest_s)
        alone_s = float(per_image_s.mean()) * max(0, trainings - len(compared.ended))
        left_s = step_s * (config.recipe.epochs - trained) + alone_s * config.alone.recipe.epochs
        train_s = found.train * left_s / usable_cores()
        tests = left_to_test(folder, name, configs, self.quantization, ids, [self.seed])
        left_s = train_s + found.reading_s + tests.left_s
        return Estimate(words + tests.words, (*found.lines, *self.missing()), left_s, trains=True)

    def account(
        self,
        dataset: str,
        sizes: dict[str, int],
        remarks: Sequence[str],
        has_interval: bool,
        runtimes: Sequence[str] = (),
    ) -> Account:
        """On what, how, and why there is no interval."""
        on = f"on {dataset}{images_words(sizes)}"
        said = [
            f"One network that holds all variants was trained {on}, with seed {self.seed}.",
            "Each variant was then tested with its part of the weights and batch normalisation of its own.",
            "The weights are those of the last epoch; the table reports the test part.",
            *runtime_words(runtimes, self.quantization),
            *remark_words(remarks),
            "No interval is given: one training says nothing of how much another would differ.",
        ]
        return Account(said, recipe_words(self.recipe, sizes))


class _Supernet(OpenedTraining):
    def __init__(self, config: SupernetAccuracy, *opened: Any) -> None:
        super().__init__(config.source, *opened)
        self._config = config

    def work(self, store: Store, jobs: int | None, progress: Progress) -> None:
        """Train it, test every variant, and say how far they can be trusted."""
        from mbsweep.accuracy.deploying.deploying import Deployment  # loads torch
        from mbsweep.accuracy.training.supernets import run_supernet, supernet_file

        variants = self.space.variants()
        run_supernet(store, self._config, self.dataset, variants, jobs, progress)
        config = self._config.complete(self.dataset.sizes["train"])
        file = supernet_file(store.folder, config, self.dataset, self.name)
        weights = {(variant, config.seed): file for variant in variants}
        asked = self.name, self.dataset, config.quantization, weights
        Deployment(store, *asked, jobs, progress).run()
