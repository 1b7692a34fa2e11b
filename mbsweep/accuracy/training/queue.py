"""What is left to be trained of a source, in which order, and what the budget and halving leave of it."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mbsweep.accuracy.settings import TrainedAccuracy
from mbsweep.accuracy.training.halving import Rungs
from mbsweep.accuracy.training.loop import Job
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import EpochRow

_Place = tuple[str, int, int, int]  # variant, seed, attempt, epoch


@dataclass
class Training:
    """One training on its way."""

    job: Job
    asked: str = ""  # "begin", "epoch" or "finish": what its worker is about
    curve: list[EpochRow] = field(default_factory=list)
    crashes: int = 0

    @cached_property
    def key(self) -> tuple[str, int]:
        """Variant and seed."""
        return self.job.variant.id, self.job.seed

    @property
    def is_trained(self) -> bool:
        """Whether it has had all of its epochs, and lacks only its test."""
        return bool(self.curve) and self.curve[-1].epoch == self.job.recipe.epochs


class TrainingQueue:
    """The trainings of a source that have not come to their end, and the epochs that count for them.

    macs: variant -> mult-adds.
    """

    def __init__(
        self,
        store: Store,
        config: TrainedAccuracy,
        source: str,
        variants: Sequence[Variant],
        macs: Mapping[str, int],
        epochs: Sequence[EpochRow],
    ) -> None:
        self._config, self._macs = config, macs
        self.reasons: dict[str, str] = {}  # variant -> why it has no accuracy
        found = self._unfinished(store, source, variants, epochs)
        self._todo = OrderedDict((training.key, training) for training in found)
        self._rungs = Rungs(config.budget.halving, macs) if config.budget.halving else None
        # Beginning of a training -> its epochs that are in the store: the first so many.
        self._epochs: Counter[tuple[str, int, int]] = Counter()
        self._weak: set[_Place] = set()  # those of them with which halving ends a training
        # Of the budget: what the epochs of before took, and those since, each over the trainings at once when
        # it ended. Nodes that go must not make dearer what is done.
        self._before_s = self._since_s = 0.0
        self._jobs = self._most = 1
        for row in epochs:
            self._count(row)
            self._before_s += row.seconds

    def __len__(self) -> int:
        return len(self._todo)

    @property
    def jobs(self) -> int:
        """Trainings at once, now."""
        return self._jobs

    @jobs.setter
    def jobs(self, jobs: int) -> None:
        self._jobs, self._most = jobs, max(self._most, jobs)

    def _unfinished(
        self, store: Store, source: str, variants: Sequence[Variant], epochs: Sequence[EpochRow]
    ) -> list[Training]:
        """Small networks first, so that there is soon something to see."""
        # What halving stopped goes on where the sweep has no halving any more.
        ended = {
            (row.variant, row.seed)
            for row in store.trainings(source)
            if row.state != "stopped" or self._config.budget.halving
        }
        failed = {variant for variant, config in store.failures() if config in ("", source)}
        attempts: dict[tuple[str, int], int] = {}
        for row in epochs:
            attempts[row.variant, row.seed] = row.attempt
        found = []
        for variant in sorted(variants, key=lambda variant: self._macs[variant.id]):
            for seed in self._config.seeds:
                key = (variant.id, seed)
                if key not in ended and variant.id not in failed:
                    found.append(Training(Job(variant, self._config.recipe, seed, attempts.get(key, 0))))
        return found

    def note(self, row: EpochRow) -> None:
        """Take an epoch that was done just now into account."""
        self._count(row)
        self._since_s += row.seconds / self.jobs

    def _count(self, row: EpochRow) -> None:
        self._epochs[row.variant, row.seed, row.attempt] += 1
        # The store may have epochs of variants that the sweep no longer names.
        if self._rungs is not None and row.variant in self._macs and self._rungs.is_weak(row):
            self._weak.add(row.key)

    def has(self, row: EpochRow) -> bool:
        """Whether an epoch was noted."""
        return row.epoch <= self._epochs[row.key[:3]]

    def is_weak(self, row: EpochRow) -> bool:
        """Whether halving ends a training with this epoch."""
        return row.key in self._weak

    def is_spent(self) -> bool:
        """Whether the epochs have taken what the budget allows."""
        return not self.seconds_allowed()

    def next(self) -> Training | None:
        """What is to be trained next; None where nothing is left, or the budget is spent."""
        if self.is_spent():
            # What has had all of its epochs only lacks its test.
            unpaid = [training for training in self._todo.values() if self.epochs_left(training)]
            self.leave(unpaid)
            for training in unpaid:
                del self._todo[training.key]
        return self._todo.popitem(last=False)[1] if self._todo else None

    def epochs_left(self, training: Training) -> int:
        """Of its recipe, those that are not in the store."""
        return self._config.recipe.epochs - self._epochs[*training.key, training.job.attempt]

    def waiting(self) -> list[tuple[str, float]]:
        """Variant and epochs left of each training that nobody is about."""
        return [(training.key[0], self.epochs_left(training)) for training in self._todo.values()]

    def seconds_allowed(self) -> float:
        """What the budget leaves; infinite without one."""
        minutes = self._config.budget.minutes
        if minutes is None:
            return math.inf
        return max(0.0, 60 * minutes - self._before_s / self._most - self._since_s)

    def put_back(self, training: Training) -> None:
        """Let a training be the next again."""
        self._todo[training.key] = training
        self._todo.move_to_end(training.key, last=False)

    def drop(self, variant: str) -> None:
        """Begin no other training of a variant."""
        for seed in self._config.seeds:
            self._todo.pop((variant, seed), None)

    def leave(self, trainings: Iterable[Training]) -> None:
        """Say of trainings that they had to end, or could not begin, because the budget is spent."""
        for training in trainings:
            epochs, minutes = self._config.recipe.epochs, self._config.budget.minutes
            last = epochs - self.epochs_left(training)
            after = f" after epoch {last} of {epochs}" if last else ""
            self.reasons[training.key[0]] = (
                f"the budget of {minutes:g} minutes was spent{after}; raise it and run the sweep again"
            )
