"""The trainings of a sweep: shared out over workers, each epoch on the disk before the next begins."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.guessing import Guessing
from mbsweep.accuracy.settings import TrainedAccuracy
from mbsweep.accuracy.training.cost import image_s
from mbsweep.accuracy.training.files import weights_folder, weights_name
from mbsweep.accuracy.training.loop import DivergedError
from mbsweep.accuracy.training.outcomes import Outcomes
from mbsweep.accuracy.training.pool import LostError, Pool, Team, Worker
from mbsweep.accuracy.training.queue import Training, TrainingQueue
from mbsweep.accuracy.training.sessions import Sessions
from mbsweep.accuracy.training.telling import Telling
from mbsweep.accuracy.training.worker import TOLD_EVERY_S
from mbsweep.accuracy.value import Accuracy
from mbsweep.base.child import AnswerError, CrashError
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.files import remove_dead
from mbsweep.base.progress import Progress
from mbsweep.space.space import Space
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import EpochRow, TrainingRow, hits_of

# Beginnings of a training, by what went wrong with it. A stall is known only when all epochs are over.
ATTEMPTS = {"stalled": 2, "diverged": 3}
CRASHES = 3  # of the process under one training, until it is given up
# A variant's accuracy is entered when a training of it ends. Its interval depends on the seeds of all others,
# too: so all are entered anew once so many trainings more have ended, and when the run does.
ENTERED_ANEW_PCT = 5


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
        self._by_id = dict(zip(space.ids(), variants, strict=True))
        self._source = config.name_on(dataset.id)
        self._folder = weights_folder(store.folder, config.recipe, dataset)
        macs = dict(zip(space.ids(), np.maximum(space.macs, 0).tolist(), strict=True))
        self._pool = pool
        self._guessing = Guessing.of(
            dataset.labels("train"), dataset.labels("validation"), config.recipe.label_smoothing
        )
        epochs = store.epochs(self._source)
        self._queue = TrainingQueue(store, config, self._source, variants, macs, epochs)
        trained = store.trainings(self._source)
        self._outcomes = Outcomes(config, self._source, dataset.id, self._guessing, trained, epochs)
        self._trained = self._entered = len(trained)  # now, and when all accuracies were entered
        self._active: dict[Worker, Training] = {}
        self._ended: list[Training] = []  # whose checkpoints can go
        images = dataset.sizes["train"]
        expected_s = {variant: images * image_s(count) for variant, count in macs.items()}
        counted = (row for row in epochs if row.variant in macs and row.seed in config.seeds)
        self._telling = Telling(progress, self._queue, self._active, expected_s, counted)
        self._sessions = Sessions(store)

    def run(self) -> None:
        """Train what is left, and enter the accuracies. Raises MbsweepError where the disk is full."""
        self._clear()
        self.enter()
        if not self._queue:
            return
        self._telling.begin(f"train on {self._dataset.id}")
        active = self._active
        with self._pool.trainers(len(self._variants) * len(self._config.seeds), self._progress) as team:
            self._queue.jobs = team.size
            self._telling.tell()
            while True:
                self._queue.jobs = team.size
                for worker in team.hire(len(self._queue)):
                    if training := self._queue.next():
                        active[worker] = self._begin(training)
                        self._ask(worker)
                    else:
                        team.rest(worker)
                if not active and not self._queue:
                    break
                self._take(team, team.answered(TOLD_EVERY_S))
            self._telling.tell()
        self.enter()

    def _take(self, team: Team, answered: Iterable[Worker]) -> None:
        """Keep what workers answer, of all of them with one wait for the disk; only then ask for more."""
        going_on: list[Worker] = []
        with self._store.together():
            for worker in answered:
                training = self._active[worker]
                try:
                    if self._step(worker, training):
                        going_on.append(worker)
                    else:
                        del self._active[worker]
                        team.rest(worker)
                except CrashError as error:
                    self._crashed(self._active.pop(worker), error)
                    team.dismiss(worker)
        for training in self._ended:
            self._remove_checkpoint(*training.key)
        self._ended.clear()
        self._telling.tell_if_due()
        for worker in going_on:
            self._ask(worker)
        if 100 * (self._trained - self._entered) > ENTERED_ANEW_PCT * self._entered:
            self.enter()

    def enter(self) -> None:
        """Enter what is known of the accuracies."""
        known = zip(self._by_id, self.accuracies(), strict=True)
        self._store.set_accuracies((id_, "fp32", *accuracy.row) for id_, accuracy in known)
        self._entered = self._trained

    def accuracies(self) -> list[Accuracy]:
        """What is known of each variant."""
        for (variant, config), failure in self._store.failures().items():
            if config in ("", self._source):
                self._queue.reasons[variant] = failure.words
        return self._outcomes.accuracies(self._variants, self._queue.reasons)

    def _enter_one(self, variant: str) -> None:
        """What is known of one."""
        accuracy = self._outcomes.accuracy(self._by_id[variant], self._queue.reasons)
        self._store.set_accuracies([(variant, "fp32", *accuracy.row)])

    def _clear(self) -> None:
        """Remove what a run that was killed has left: unfinished files, and checkpoints of what had ended."""
        remove_dead(self._folder)
        for row in self._store.trainings(self._source):
            self._remove_checkpoint(row.variant, row.seed)

    def _remove_checkpoint(self, variant: str, seed: int) -> None:
        with suppress(OSError):
            self._weights(variant, seed).with_suffix(".checkpoint").unlink(missing_ok=True)

    def _begin(self, training: Training) -> Training:
        training.curve.clear()
        training.asked = "begin"
        return training

    def _ask(self, worker: Worker) -> None:
        """For what comes next of its training."""
        training = self._active[worker]
        if training.asked == "epoch":
            worker.epoch()
        elif training.asked == "finish":
            worker.finish()
        else:
            weights = self._weights(*training.key)
            worker.begin(training.job, self._dataset, weights.with_suffix(".checkpoint"), weights)

    def _weights(self, variant: str, seed: int) -> Path:
        return self._folder / weights_name(variant, seed)

    def _step(self, worker: Worker, training: Training) -> bool:
        """Take a worker's answer, and say what comes next; False where the training is over.

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
                return True
            return self._after_epoch(worker, training, answer)
        training.asked = "epoch"
        return True

    def _after_epoch(self, worker: Worker, training: Training, answer: dict[str, Any]) -> bool:
        row = EpochRow(*training.key, training.job.attempt, **answer)
        training.curve.append(row)
        is_new = not self._queue.has(row)
        if is_new:
            self._store.add_epoch(self._source, row)
            self._queue.note(row)
            self._telling.note(row)
        if self._queue.is_weak(row) and not training.is_trained:
            self._end(worker, training, "stopped")
            return False
        if is_new and self._queue.is_spent() and not training.is_trained:
            self._queue.leave([training])
            return False
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
            self._begin(training)
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
        self._queue.reasons[variant] = told.words
        self._enter_one(variant)

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
        self._outcomes.add(row, training.curve)
        self._trained += 1
        self._ended.append(training)
        self._enter_one(row.variant)


def reraise_if_users(error: AnswerError) -> None:
    """MbsweepError where a worker's answer is one: a full disk is no fault of the network."""
    if error.kind == MbsweepError.__name__:
        raise MbsweepError(f"{error.words}; then run the same command again")
