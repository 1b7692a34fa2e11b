"""Accuracies of networks that are each trained alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.compression import Scheme, all_steps
from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.accuracy.packages import HALVING, missing_packages
from mbsweep.accuracy.settings import TrainedAccuracy
from mbsweep.accuracy.source import Account, Estimate, Opened, Say, SettingError, Sought
from mbsweep.accuracy.training.cost import image_s, together_s
from mbsweep.accuracy.training.learning import (
    Done,
    OpenedTraining,
    TrainingSource,
    best_validation,
    images_words,
    left_to_test,
    plan_images,
    recipe_words,
    remark_words,
    runtime_words,
    steps_done,
)
from mbsweep.accuracy.training.pool import Pool
from mbsweep.accuracy.value import NAN, Accuracy
from mbsweep.accuracy.weights.files import look_at
from mbsweep.accuracy.weights.start import check_fresh
from mbsweep.base.cores import usable_cores
from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store

_RULES = (
    "The choice of the epoch, early stopping and halving see the validation part only, and the detection of "
    "stalls the training loss, too; the table reports the test part, on which each network is tested once, "
    "at the end."
)
_INTERVAL = (
    "Top-1 is the mean over the seeds. Its 95 % interval covers which images happen to be in the test part "
    "and which seeds happened to be drawn, with what all variants say of their noise; not what another "
    "recipe, or images of another kind, would give."
)
_NO_INTERVAL = "With one seed of each network, the noise of the seeds is unknown, and so is the interval."


class TrainedSource(TrainedAccuracy, TrainingSource):
    """Each variant trained alone."""

    def beside(self, folder: Path) -> TrainedSource:
        """With the weights to begin with where they are."""
        if self.recipe.start is None:
            return self
        start = self.recipe.start.beside(folder.absolute())
        return self.model_copy(update={"recipe": self.recipe.model_copy(update={"start": start})})

    def missing(self) -> Iterator[str]:
        """For each package that it needs and that is not installed, what to do about it."""
        yield from super().missing()
        if self.budget.halving:
            yield from missing_packages(HALVING)

    def check_space(self, space: Space) -> None:
        """Raises SettingError where weights to begin with are missing, or do not fit a variant."""
        start = self.recipe.start
        if start is None:
            return
        try:
            start.looked_at(space.variants())
        except MbsweepError as error:
            raise SettingError("recipe.start", f"cannot be had: {error}") from None

    def open(self, space: Space, say: Say, images: ImageSource | None = None) -> Opened:
        """The images. MbsweepError where they cannot be read."""
        dataset = self.open_images(space, say, images)
        config, notes = self._with_weights(space)
        for note in notes:
            say(note)
        if start := config.recipe.start:
            test = dataset.contents("test")
            for file in {start.path_of(variant) for variant in space.variants()}:
                check_fresh(look_at(file), dataset.id, test)
        name = config.complete(dataset.sizes["train"]).name_on(dataset.id)
        return _Trained(config, name, dataset, space)

    def _with_weights(self, space: Space) -> tuple[TrainedSource, list[str]]:
        """With the hash of the weights that its networks begin with; and what is to be known of these."""
        if self.recipe.start is None:
            return self, []
        start, notes = self.recipe.start.looked_at(space.variants())
        return self.model_copy(update={"recipe": self.recipe.model_copy(update={"start": start})}), notes

    def estimate(
        self,
        space: Space,
        configs: Sequence[LatencyConfig],
        folder: Path,
        images: ImageSource | None,
        sought: Sought | None = None,
        seats: int | None = None,
    ) -> Estimate:
        """How many trainings are done, on which images, and how long the others take."""
        assert images is not None  # noqa: S101  (it has a data set)
        space = space.select(sought.chosen) if sought else space
        found = plan_images(images, space)
        source, notes = self._with_weights(space)
        config = source.complete(found.train)
        name = config.name_on(found.dataset) if found.dataset else None
        done = Done.of(folder, name, self.seeds) if name else Done()
        ids, seeds, epochs = list(space.ids()), self.seeds, config.recipe.epochs
        known, total = set(ids), len(space) * len(seeds)
        ended = sum(variant in known for variant, _ in done.ended)
        begun = sum(key[0] in known and key not in done.ended for key in done.reached)
        begun_words = f", {begun:,} begun" if begun else ""
        words = (
            f"trained on {self.dataset.name}: {total:,} trainings of {config.recipe.words} (seeds "
            f"{', '.join(map(str, seeds))}); {ended:,} of {total:,} done{begun_words}"
        )
        left = np.full((len(space), len(seeds)), epochs)
        if done.reached:
            for place, variant in enumerate(ids):
                trainings = [(variant, seed) for seed in seeds]
                left[place] -= [
                    epochs if key in done.ended else done.reached.get(key, 0) for key in trainings
                ]
        epoch_s = found.train * image_s(np.maximum(space.macs, 0))
        train_s = together_s(epoch_s[:, None] * left, seats)
        tests = left_to_test(folder, name, configs, self.quantization, ids, seeds)
        left_s = train_s + found.reading_s + tests.left_s
        lines = (*found.lines, *notes, *self.missing())
        return Estimate(words + tests.words, lines, left_s, trains=True)

    def said(self) -> dict[str, Any]:
        """With the seeds; without the budget, which only says how much is done."""
        said = super().said()
        said.pop("budget", None)
        return said | {"seeds": list(self.seeds)}

    def account(
        self,
        dataset: str,
        sizes: dict[str, int],
        remarks: Sequence[str],
        has_interval: bool,
        runtimes: Sequence[str] = (),
    ) -> Account:
        """On what, how, and what the intervals cover."""
        said, seeds = [], ", ".join(map(str, self.seeds))
        on = f"on {dataset}{images_words(sizes)}"
        plural = "s" if len(self.seeds) > 1 else ""
        said.append(f"Each variant was trained by itself {on}, with seed{plural} {seeds}.")
        if halving := self.budget.halving:
            first, factor = halving.min_epochs, halving.factor
            said.append(
                f"Successive halving stopped weak variants: from epoch {first} on, one of {factor} went on."
            )
        if self.budget.minutes is not None:
            said.append(f"Training was given {self.budget.minutes:g} minutes.")
        said += [_RULES, *runtime_words(runtimes, self.quantization), *remark_words(remarks)]
        said.append(_INTERVAL if has_interval else _NO_INTERVAL)
        return Account(said, recipe_words(self.recipe, sizes))

    def check_search(self, space: Space) -> None:
        """Raises SettingError where something else than the search decides how much is trained."""
        if self.budget.model_fields_set:
            raise SettingError("budget", "ends trainings; a search says how many there are by `evaluations`")

    def check_compression(self, space: Space) -> None:
        """Raises SettingError where a network is code, whose layers nobody knows."""
        if code := space.code():
            raise SettingError(
                "source",
                f"trains {code[0].family}, which is code, whose kinds of layers mbsweep does not know: leave "
                "`compress` out",
            )

    def estimate_compression(
        self, schemes: Sequence[Scheme], space: Space, folder: Path, images: ImageSource | None
    ) -> Estimate:
        """How many steps there are, how many are done, and how long the others take."""
        assert images is not None  # noqa: S101  (it has a data set)
        found, steps = plan_images(images, space), all_steps(schemes)
        config = self._with_weights(space)[0].complete(found.train)
        done = steps_done(folder, config.name_on(found.dataset)) if found.dataset else frozenset()
        macs = dict(zip(space.ids(), np.maximum(space.macs, 0).tolist(), strict=True))
        asked = {(step.key, variant, seed): step for step in steps for variant in macs for seed in self.seeds}
        epochs = {key: step.epochs for key, step in asked.items() if key not in done}
        words = (
            f"{len(schemes)} scheme{'s' if len(schemes) > 1 else ''} of {len(steps)} different steps, for "
            f"{len(macs) * len(self.seeds):,} trained networks; {len(asked) - len(epochs):,} of "
            f"{len(asked):,} done"
        )
        left_s = sum(image_s(macs[variant]) * count for (_, variant, _), count in epochs.items())
        return Estimate(words, left_s=found.train * float(left_s) / usable_cores())


class _Trained(OpenedTraining):
    def __init__(self, config: TrainedAccuracy, *opened: Any) -> None:
        super().__init__(config.source, *opened)
        self._config = config

    def work(self, store: Store, pool: Pool, progress: Progress) -> None:
        """Train what is left, and test it in the runtimes. Raises MbsweepError where the disk is full."""
        self._train(self.space, store, pool, progress)
        self._deploy(self.space.variants(), store, pool, progress)

    def evaluate(self, variants: Sequence[Variant], store: Store, pool: Pool, progress: Progress) -> None:
        """Train what is left of a batch: how many there are in it decides the threads of each."""
        self._train(Space.of(variants).with_found(self.space.found), store, pool, progress)

    def at_once(self, pool: Pool) -> int:
        """As many as keep all processes busy with the seeds of each."""
        return max(1, pool.at_once() // len(self._config.seeds))

    def seen_pct(self, variants: Sequence[Variant], store: Store) -> NDArray[np.float64]:
        """The best validation epoch, mean over those seeds that came to their end."""
        known: dict[str, list[float]] = {}
        for (variant, seed), best_pct in best_validation(store, self.name).items():
            if seed in self._config.seeds:
                known.setdefault(variant, []).append(best_pct)
        return np.array([np.mean(known.get(variant.id, [NAN])) for variant in variants])

    def finish(self, store: Store, variants: Sequence[Variant], pool: Pool, progress: Progress) -> None:
        """Enter the accuracies of all once more, since each tells something of the others' noise; test them
        in the runtimes.
        """
        from mbsweep.accuracy.training.trainings import Trainings  # loads torch

        space = Space.of(variants).with_found(self.space.found)
        Trainings(store, self._config, self.dataset, space, pool, progress).enter()
        self._deploy(variants, store, pool, progress)

    def alone(
        self, variants: Sequence[Variant], store: Store, pool: Pool, progress: Progress
    ) -> list[Accuracy]:
        """What was trained is."""
        from mbsweep.accuracy.training.trainings import Trainings  # loads torch

        space = Space.of(variants).with_found(self.space.found)
        return Trainings(store, self._config, self.dataset, space, pool, progress).accuracies()

    def _train(self, space: Space, store: Store, pool: Pool, progress: Progress) -> None:
        from mbsweep.accuracy.training.trainings import Trainings  # loads torch

        Trainings(store, self._config, self.dataset, space, pool, progress).run()

    def _deploy(self, variants: Sequence[Variant], store: Store, pool: Pool, progress: Progress) -> None:
        from mbsweep.accuracy.deploying.deploying import Deployment  # loads torch

        asked = self.name, self.dataset, self._config.quantization, self._weights(store, variants)
        Deployment(store, *asked, pool.jobs, progress).run()

    def compress(self, schemes: Sequence[Scheme], store: Store, pool: Pool, progress: Progress) -> None:
        """Compress what was trained. Raises MbsweepError where the disk is full."""
        from mbsweep.accuracy.compressing.compressing import Compression  # loads torch

        asked = self.name, self.dataset, schemes, self._weights(store, self.space.variants())
        Compression(store, *asked, pool.jobs, progress).run()

    def _weights(self, store: Store, variants: Sequence[Variant]) -> dict[tuple[Variant, int], Path]:
        """Variant and seed -> the file that has the network, of all that may have been trained."""
        from mbsweep.accuracy.training.files import weights_of

        recipe = self._config.complete(self.dataset.sizes["train"]).recipe
        return {
            (variant, seed): weights_of(store.folder, recipe, self.dataset, variant.id, seed)
            for variant in variants
            for seed in self._config.seeds
        }
