"""The trainings of a sweep: shared out over processes, each epoch on the disk before the next begins."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.guessing import Guessing
from mbsweep.accuracy.settings import Recipe, TrainedAccuracy
from mbsweep.accuracy.training.cost import image_s
from mbsweep.accuracy.training.loop import DivergedError
from mbsweep.accuracy.training.outcomes import trained_accuracies
from mbsweep.accuracy.training.pool import LostError, Pool, Worker
from mbsweep.accuracy.training.queue import Training, TrainingQueue
from mbsweep.accuracy.training.sessions import Sessions
from mbsweep.accuracy.training.worker import TOLD_EVERY_S
from mbsweep.accuracy.value import Accuracy
from mbsweep.base.child import AnswerError, CrashError
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.files import remove_dead
from mbsweep.base.pace import Pace
from mbsweep.base.progress import Progress
from mbsweep.space.space import Space
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import EpochRow, TrainingRow, hits_of

# Beginnings of a training, by what went wrong with it. A stall is known only when all epochs are over.
ATTEMPTS = {"stalled": 2, "diverged": 3}
CRASHES = 3  # of the process under one training, until it is given up


class Trainings:
    """What is left to be trained of a source, and the workers that do it."""

    def __init__(
        self,
        store: Store,
        config: TrainedAccuracy,
        dataset: Dataset,
        space: Space,
        pool: Pool,
        progress: Progress,
    ) -> None:
        config = config.complete(dataset.sizes["train"])
        self._store, self._config, self._dataset, self._progress = store, config, dataset, progress
        self._variants = variants = space.variants()
        self._source = config.name_on(dataset.id)
        self._folder = weights_folder(store.folder, config.recipe, dataset)
        self._macs = dict(zip(space.ids(), np.maximum(space.macs, 0).tolist(), strict=True))
        self._pool = pool
        self._guessing = Guessing.of(
            dataset.labels("train"), dataset.labels("validation"), config.recipe.label_smoothing
        )
        self._queue = TrainingQueue(store, config, self._source, variants, self._macs)
        images = dataset.sizes["train"]
        expected_s = {variant: images * image_s(macs) for variant, macs in self._macs.items()}
        self._pace = Pace(expected_s)
        self._active: dict[Worker, Training] = {}
        self._sessions = Sessions(store)
        for row in store.epochs(self._source):
            if row.variant in self._macs and row.seed in config.seeds:
                self._pace.note(row.variant, row.seconds)

    def run(self) -> None:
        """Train what is left, and enter the accuracies. Raises MbsweepError where the disk is full."""
        self._clear()
        self.enter()
        if not self._queue:
            return
        self._progress.begin(f"train on {self._dataset.id}", self._pace.standing(self._queue.waiting()).total)
        active = self._active
        with self._pool.trainers(len(self._variants) * len(self._config.seeds), self._progress) as team:
            while True:
                self._queue.jobs = self._pace.jobs = team.size
                for worker in team.hire(len(self._queue)):
                    if training := self._queue.next():
                        active[worker] = self._begin(worker, training)
                    else:
                        team.rest(worker)
                if not active and not self._queue:
                    break
                self._tell()
                for worker in team.answered(TOLD_EVERY_S):
                    try:
                        if not self._step(worker, active[worker]):
                            del active[worker]
                            team.rest(worker)
                    except CrashError as error:
                        self._crashed(active.pop(worker), error)
                        team.dismiss(worker)
            self._tell()
        self.enter()

    def _tell(self) -> None:
        """How far all trainings are, with what is done of the epochs that are on their way."""
        left = self._queue.waiting()
        for worker, training in self._active.items():
            left.append((training.key[0], max(0.0, self._queue.epochs_left(training) - worker.share())))
        found = self._pace.standing(left)
        self._progress.reach(replace(found, left_s=min(found.left_s, self._queue.seconds_allowed())))

    def enter(self) -> None:
        """Enter what is known of the accuracies."""
        self._store.set_accuracies(
            (variant.id, "fp32", *accuracy.row)
            for variant, accuracy in zip(self._variants, self.accuracies(), strict=True)
        )

    def accuracies(self) -> list[Accuracy]:
        """What is known of each variant."""
        for (variant, config), failure in self._store.failures().items():
            if config in ("", self._source):
                self._queue.reasons[variant] = failure.words
        store, source = self._store, self._source
        return trained_accuracies(
            self._config,
            source,
            self._dataset.id,
            self._variants,
            store.trainings(source),
            store.epochs(source),
            self._guessing,
            self._queue.reasons,
        )

    def _clear(self) -> None:
        """Remove what a run that was killed has left: unfinished files, and checkpoints of what had ended."""
        remove_dead(self._folder)
        for row in self._store.trainings(self._source):
            self._remove_checkpoint(row.variant, row.seed)

    def _remove_checkpoint(self, variant: str, seed: int) -> None:
        with suppress(OSError):
            self._weights(variant, seed).with_suffix(".checkpoint").unlink(missing_ok=True)

    def _begin(self, worker: Worker, training: Training) -> Training:
        training.curve.clear()
        training.asked = "begin"
        weights = self._weights(*training.key)
        worker.begin(training.job, self._dataset, weights.with_suffix(".checkpoint"), weights)
        return training

    def _weights(self, variant: str, seed: int) -> Path:
        return self._folder / weights_name(variant, seed)

    def _step(self, worker: Worker, training: Training) -> bool:
        """Take a worker's answer and ask for what comes next; False where the training is over.

        Raises CrashError where the worker's process has ended.
        """
        try:
            answer = worker.answer()
        except CrashError:
            raise
        except AnswerError as error:
            return self._went_wrong(worker, training, error)
        if training.asked == "finish":
            self._finished(worker, training, answer)
            return False
        if training.asked == "epoch":
            if answer is None:
                # Not before: networks may start when the rate falls, at the end of the schedule.
                if self._guessing.is_all(training.curve):
                    return self._begin_anew(worker, training, "stalled", "stalled")
                training.asked = "finish"
                worker.finish()
                return True
            return self._after_epoch(worker, training, answer)
        training.asked = "epoch"
        worker.epoch()
        return True

    def _after_epoch(self, worker: Worker, training: Training, answer: dict[str, Any]) -> bool:
        row = EpochRow(*training.key, training.job.attempt, **answer)
        training.curve.append(row)
        is_new = not self._queue.has(row)
        if is_new:
            self._store.add_epoch(self._source, row)
            self._queue.note(row)
            self._pace.note(row.variant, row.seconds)
            self._tell()
        if self._queue.is_weak(row) and not training.is_trained:
            self._end(worker, training, "stopped")
            return False
        if is_new and self._queue.is_spent() and not training.is_trained:
            self._queue.leave([training])
            return False
        worker.epoch()
        return True

    def _begin_anew(self, worker: Worker, training: Training, state: str, words: str) -> bool:
        """Train from another beginning at a lower rate; give up after ATTEMPTS of them.

        state: "stalled" or "diverged". words: how.
        """
        variant, seed = training.key
        attempts = ATTEMPTS[state]
        if training.job.attempt + 1 < attempts:
            self._progress.say(f"{variant}, seed {seed}: {words}; begun anew at a lower learning rate")
            training.job = replace(training.job, attempt=training.job.attempt + 1)
            self._begin(worker, training)
            return True
        if state == "stalled":
            self._end(worker, training, state)
        else:
            # With the same seeds it diverges again.
            reason = f"{words}, also when begun anew {attempts - 1} times"
            self._fail(training, Failure(reason, FailureKind.LASTING))
        return False

    def _went_wrong(self, worker: Worker, training: Training, error: AnswerError) -> bool:
        if error.kind == DivergedError.__name__:
            return self._begin_anew(worker, training, "diverged", error.words)
        reraise_if_users(error)
        self._fail(training, Failure.of(error.kind, one_line(error, 500)))
        return False

    def _crashed(self, training: Training, error: CrashError) -> None:
        training.crashes += not isinstance(error, LostError)
        if training.crashes < CRASHES:
            self._queue.put_back(training)
        else:
            self._fail(training, Failure(str(error)))

    def _fail(self, training: Training, failure: Failure) -> None:
        variant, seed = training.key
        told = failure._replace(reason=f"seed {seed}: {failure.reason}")
        self._store.add_failure(variant, self._source, told)
        self._progress.say(f"{variant}, seed {seed}: failed: {failure.reason}")
        self._queue.drop(variant)

    def _end(self, worker: Worker, training: Training, state: str) -> None:
        """The training ended without a network that is worth a point."""
        self._add(worker, training, state, None, 0, b"")
        variant, seed = training.key
        best = max(row.validation_top1_pct for row in training.curve)
        self._progress.say(f"{variant}, seed {seed}: {state}, {best:.1f} % at best on the validation part")

    def _finished(self, worker: Worker, training: Training, answer: dict[str, Any]) -> None:
        correct = bytes.fromhex(answer["correct"])
        self._add(worker, training, "done", answer["top5_pct"], answer["images"], correct)
        hits = hits_of(correct, answer["images"])
        variant, seed = training.key
        seconds = sum(row.seconds for row in training.curve)
        self._progress.say(
            f"{variant}, seed {seed}: {100 * hits.mean():.1f} % of the test part, "
            f"{len(training.curve)} epochs in {seconds:.0f} s"
        )

    def _add(
        self,
        worker: Worker,
        training: Training,
        state: str,
        top5_pct: float | None,
        images: int,
        correct: bytes,
    ) -> None:
        begun = (*training.key, training.job.attempt, self._sessions.of(worker), worker.threads)
        row = TrainingRow(*begun, state, len(training.curve), top5_pct, images, correct)
        self._store.add_training(self._source, row)
        self._remove_checkpoint(*training.key)
        self.enter()


def reraise_if_users(error: AnswerError) -> None:
    """MbsweepError where a worker's answer is one: a full disk is no fault of the network."""
    if error.kind == MbsweepError.__name__:
        raise MbsweepError(f"{error.words}; then run the same command again")


def weights_folder(run: Path, recipe: Recipe, dataset: Dataset) -> Path:
    """Where a run keeps the networks of a recipe and a data set."""
    return run / "weights" / f"{dataset.id}_{recipe.key}"


def weights_of(run: Path, recipe: Recipe, dataset: Dataset, variant: str, seed: int) -> Path:
    """Where a run keeps a network that was trained alone. recipe: complete. variant: its id."""
    return weights_folder(run, recipe, dataset) / weights_name(variant, seed)


def weights_name(variant: str, seed: int) -> str:
    """What the file of a network that was trained alone is called."""
    return f"{network_name(variant, seed)}.safetensors"


def network_name(variant: str, seed: int) -> str:
    """How the names of all files of a trained network begin."""
    return f"{variant}_seed{seed}"
