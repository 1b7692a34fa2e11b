"""Accuracies of networks that share the weights of one supernet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.accuracy.settings import SupernetAccuracy
from mbsweep.accuracy.source import Account, Estimate, Opened, Say, SettingError, Sought
from mbsweep.accuracy.training.cost import image_s, together_s
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
from mbsweep.accuracy.training.pool import Pool
from mbsweep.accuracy.training.tester import Tester
from mbsweep.accuracy.value import NAN, Accuracy
from mbsweep.base.cores import usable_cores
from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.sharing import LISTED, largest_of
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store

if TYPE_CHECKING:
    from mbsweep.accuracy.training.supernets import SupernetRun


class SupernetSource(SupernetAccuracy, TrainingSource):
    """One training for all variants, which share its weights."""

    trains_alone = True

    def check_space(self, space: Space) -> None:
        """Raises SettingError where the variants cannot share weights."""
        try:
            largest_of(space)
        except MbsweepError as error:
            raise SettingError("source", f"is supernet: {error}") from None

    def open(self, space: Space, say: Say, images: ImageSource | None = None) -> Opened:
        """The images. MbsweepError where they cannot be read."""
        dataset = self.open_images(space, say, images)
        name = self.complete(dataset.sizes["train"]).name_on(dataset.id, space)
        return _Supernet(self, name, dataset, space)

    def estimate(
        self,
        space: Space,
        configs: Sequence[LatencyConfig],
        folder: Path,
        images: ImageSource | None,
        sought: Sought | None = None,
        seats: int | None = None,
    ) -> Estimate:
        """How far the supernet and its comparison are, on which images, and how long the rest takes."""
        tested, confirm = list[str](), sought.confirm if sought else 0
        if sought or len(space) <= LISTED:  # of more, a search tests few
            tested = list((space.select(sought.chosen) if sought else space).ids())
        assert images is not None  # noqa: S101  (it has a data set)
        found = plan_images(images, space)
        config = self.complete(found.train)
        done = compared = Done()
        name = config.name_on(found.dataset, space) if found.dataset else None
        if name and found.dataset:
            done = Done.of(folder, name, [self.seed])
            alone = config.alone_as_trained
            compared = Done.of(folder, alone.name_on(found.dataset), alone.seeds)
        alone_count = min(self.alone.count, len(space))  # of no more than there are
        trainings = (alone_count + confirm) * len(self.alone.seeds)
        trained = max(done.reached.values(), default=0)
        words = (
            f"one supernet trained on {self.dataset.name} for {config.recipe.words}; {trained} epochs done"
        )
        if trainings:
            ended = min(trainings, len(compared.ended))
            words += f"; {trainings} trainings of single networks to compare, {ended} done"
        per_image_s = image_s(space.macs)
        # Networks side by side, each on one core: no sooner than the largest.
        largest_s = usable_cores() * float(per_image_s.max())
        step_s = max(config.step_cost(per_image_s, space.column("resolution")), largest_s)
        alone_s = found.train * float(per_image_s.mean()) * config.alone.recipe.epochs
        train_s = found.train * step_s * (config.recipe.epochs - trained) / usable_cores()
        train_s += together_s([alone_s] * max(0, trainings - len(compared.ended)), seats)
        asked = configs if tested else []
        tests = left_to_test(folder, name, asked, self.quantization, tested, [self.seed])
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
        self._config = config.complete(self.dataset.sizes["train"])
        self._tester: Tester | None = None

    def work(self, store: Store, pool: Pool, progress: Progress) -> None:
        """Train it, test every variant, and say how far they can be trusted."""
        variants = self.space.variants()
        run = self._run(store, progress)
        try:
            if missing := run.untested(variants, validation=False):
                run.train()
                self._test(run, missing, pool, progress)
                run.enter(variants)
            self.finish(store, variants, pool, progress)
        finally:
            self.close()

    def prepare(self, store: Store, pool: Pool, progress: Progress) -> None:
        """Train it; where that fails, each variant that is evaluated says so."""
        self._run(store, progress).train()

    def evaluate(self, variants: Sequence[Variant], store: Store, pool: Pool, progress: Progress) -> None:
        """Test them."""
        run = self._run(store, progress)
        self._test(run, run.untested(variants, validation=True), pool, progress)
        run.enter(variants)

    def seen_pct(self, variants: Sequence[Variant], store: Store) -> NDArray[np.float64]:
        """Of each the validation part, from the shared weights."""
        known = store.validations(self.name)
        return np.array([known.get((variant.id, self._config.seed), NAN) for variant in variants])

    def finish(self, store: Store, variants: Sequence[Variant], pool: Pool, progress: Progress) -> None:
        """Train some alone, say how far the supernet can be trusted, and test it in the runtimes."""
        from mbsweep.accuracy.deploying.deploying import Deployment  # loads torch
        from mbsweep.accuracy.training.supernets import supernet_file

        self._run(store, progress).compare(variants, pool)
        file = supernet_file(store.folder, self._config, self.dataset, self.name)
        weights = {(variant, self._config.seed): file for variant in variants}
        asked = self.name, self.dataset, self._config.quantization, weights
        Deployment(store, *asked, pool.jobs, progress).run()

    def alone(
        self, variants: Sequence[Variant], store: Store, pool: Pool, progress: Progress
    ) -> list[Accuracy]:
        """Trained as those with which the supernet is compared: its report counts them, too."""
        run = self._run(store, progress)
        found = run.alone(variants, pool)
        run.enter(variants)
        return found

    def close(self) -> None:
        """End the workers that test."""
        if self._tester is not None:
            self._tester.close()

    def _test(self, run: SupernetRun, variants: Sequence[Variant], pool: Pool, progress: Progress) -> None:
        self._tester = self._tester or Tester(pool.testers(progress))
        run.test(variants, self._tester)

    def _run(self, store: Store, progress: Progress) -> SupernetRun:
        from mbsweep.accuracy.training.supernets import SupernetRun  # loads torch

        return SupernetRun(store, self._config, self.name, self.dataset, self.space, progress)
