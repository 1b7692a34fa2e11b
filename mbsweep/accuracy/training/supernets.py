"""A supernet in a run: train it once, test every variant from it, say how far it can be trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.settings import SupernetAccuracy
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.accuracy.training.cost import image_s
from mbsweep.accuracy.training.files import weights_folder
from mbsweep.accuracy.training.pool import Pool
from mbsweep.accuracy.training.sessions import Sessions
from mbsweep.accuracy.training.tester import Tester
from mbsweep.accuracy.training.trainings import Trainings, reraise_if_users
from mbsweep.accuracy.training.trusting import trust
from mbsweep.accuracy.training.worker import TrainingWorker
from mbsweep.accuracy.value import NAN, Accuracy
from mbsweep.base.child import AnswerError
from mbsweep.base.cores import usable_cores
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.pace import Pace
from mbsweep.base.progress import Progress, Silent
from mbsweep.space.counting import count
from mbsweep.space.sharing import largest_of
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.folder import FILE_NAME
from mbsweep.storage.marks import Failure, Mark, marked
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import EpochRow, TrainingRow


class SupernetRun:
    """The supernet of a source in a run. config: complete. source: the name of its accuracies."""

    def __init__(
        self,
        store: Store,
        config: SupernetAccuracy,
        source: str,
        dataset: Dataset,
        space: Space,
        progress: Progress,
    ) -> None:
        self._store, self._config, self._source = store, config, source
        self._dataset, self._space, self._progress = dataset, space, progress
        self._file = supernet_file(store.folder, config, dataset, source)

    def train(self) -> None:
        """Train what is left of it, or record why that cannot be done. Each epoch is on the disk before the
        next begins. Raises MbsweepError for what the user can put right.
        """
        if self._failure():
            return
        store, source, epochs = self._store, self._source, self._config.recipe.epochs
        before = {row.epoch: row.seconds for row in store.epochs(source)}
        if len(before) == epochs and self._is_whole():
            return
        largest = largest_of(self._space)
        self._progress.begin(f"train a supernet on {self._dataset.id}", epochs)
        pace = self._pace(largest)
        for seconds in before.values():
            pace.note(largest.id, seconds)

        def tell(share: float) -> None:
            self._progress.reach(pace.standing([(largest.id, epochs - len(before) - share)]))

        worker = TrainingWorker(usable_cores(), "cpu")
        try:
            worker.begin_supernet(self._config, self._space, self._dataset, self._file)
            worker.answer()
            while True:
                worker.epoch()
                if (row := worker.answer_meanwhile(tell)) is None:
                    break
                if row["epoch"] not in before:
                    store.add_epoch(source, EpochRow(largest.id, self._config.seed, 0, **row))
                    pace.note(largest.id, row["seconds"])
                    before[row["epoch"]] = row["seconds"]
                tell(0)
        except AnswerError as error:
            reraise_if_users(error)
            reason = one_line(error, 500)
            store.add_failure("", source, Failure.of(error.kind, reason))
            self._progress.say(f"the supernet failed: {reason}")
        finally:
            worker.close()

    def _is_whole(self) -> bool:
        """Whether its file has all epochs; one that is lost or damaged is trained anew."""
        try:
            return len(open_checkpoint(self._file).curve) == self._config.recipe.epochs
        except MbsweepError:
            return False

    def _pace(self, largest: Variant) -> Pace:
        """What an epoch of it takes, until one is known."""
        image = image_s(self._space.macs)
        step_s = self._config.step_cost(image, self._space.column("resolution"))
        step_s = max(step_s / usable_cores(), float(image.max()))  # networks side by side, each on one core
        return Pace({largest.id: self._dataset.sizes["train"] * step_s})

    def untested(self, variants: Sequence[Variant], validation: bool) -> list[Variant]:
        """Those that were not tested on the test part, or not on the validation part, where that is asked."""
        known = {row.variant for row in self._store.trainings(self._source)}
        if validation:
            known &= {variant for variant, _ in self._store.validations(self._source)}
        return [variant for variant in variants if variant.id not in known]

    def test(self, variants: Sequence[Variant], tester: Tester) -> None:
        """Test variants on the validation and the test part; each is on the disk before the next begins.

        What cannot be tested is recorded, and the others go on. Raises MbsweepError for what the user can
        put right.
        """
        failed = {variant for variant, source in self._store.failures() if source == self._source}
        missing = [variant for variant in variants if variant.id not in failed]
        if not missing or self._failure():
            return
        store, source, seed = self._store, self._source, self._config.seed
        epochs, sessions = len(store.epochs(source)), Sessions(store)
        progress = self._progress if len(missing) > 1 else Silent()  # a search asks for one by one
        progress.begin("test variants of the supernet", len(missing))
        for worker, variant, found in tester.measure(missing, self._dataset, self._file):
            if isinstance(found, AnswerError):
                reraise_if_users(found)
                reason = one_line(found, 500)
                store.add_failure(variant.id, source, Failure.of(found.kind, reason))
                self._progress.say(f"{variant.id}: failed: {reason}")
                continue
            store.add_validation(source, variant.id, seed, found["validation_top1_pct"])
            test = found["top5_pct"], found["images"], bytes.fromhex(found["correct"])
            began = variant.id, seed, 0, sessions.of(worker), worker.threads
            store.add_training(source, TrainingRow(*began, "done", epochs, *test))
            progress.advance(variant.id)

    def compare(self, variants: Sequence[Variant], pool: Pool) -> None:
        """Train some of the variants alone, and enter how the supernet compares with them. Raises
        MbsweepError for what the user can put right.
        """
        chosen = spread_evenly(variants, self._config.alone.count)
        if self._failure() or not chosen:
            self.enter(variants)
            return
        self.alone(chosen, pool)
        self._progress.say(f"supernet: {self.enter(variants)}")

    def alone(self, variants: Sequence[Variant], pool: Pool) -> list[Accuracy]:
        """Variants that are trained alone, each; what is left of it."""
        asked = self._config.alone_as_trained, self._dataset, Space.of(variants)
        trainings = Trainings(self._store, *asked, pool, self._progress)
        trainings.run()
        return trainings.accuracies()

    def _alone(self) -> tuple[dict[str, dict[int, float]], set[str]]:
        """Variant -> seed -> top-1 in percent, of trainings alone; and the variants that stalled with each
        seed.
        """
        config = self._config.alone_as_trained
        found: dict[str, dict[int, float]] = {}
        stalled = set()
        for row in self._store.trainings(config.name_on(self._dataset.id)):
            if row.seed in config.seeds and row.state == "done":
                found.setdefault(row.variant, {})[row.seed] = 100 * float(row.hits.mean())
            elif row.seed in config.seeds and row.state == "stalled":
                stalled.add(row.variant)
        return found, stalled - set(found)

    def _failure(self) -> str:
        """Why it could not be trained; empty where it could."""
        failure = self._store.failures().get(("", self._source))
        return failure.words if failure else ""

    def enter(self, variants: Sequence[Variant]) -> str:
        """Enter the accuracies of what was tested, each with how far it can be trusted; return that in words.

        variants: of which is entered, too, why they could not be tested.
        """
        store, source, config = self._store, self._source, self._config
        rows = {row.variant: row for row in store.trainings(source)}
        values = {variant: 100 * float(row.hits.mean()) for variant, row in rows.items()}
        alone, stalled = self._alone()
        report = trust(values, alone, config.min_tau, stalled)
        store.set_supernet(source, report)
        known = Accuracy(NAN, NAN, "supernet", source, self._dataset.id, seeds=str(config.seed))
        known = replace(known, shared_note=report["summary"])
        if not report["is_reliable"]:
            known = replace(known, marks=marked([Mark.UNRELIABLE]))
        missing = Accuracy(NAN, NAN, "supernet", source, self._dataset.id)
        why = {variant: told.words for (variant, of), told in store.failures().items() if of == source}
        found = []
        for variant in dict.fromkeys([*rows, *(variant.id for variant in variants)]):
            if row := rows.get(variant):
                own = replace(known, top1_pct=values[variant], top5_pct=row.top5, epochs=row.epochs)
            elif reason := why.get(variant) or (why.get("") and f"the supernet failed: {why['']}"):
                own = replace(missing, reason=reason)
            else:
                continue
            found.append((variant, "fp32", *own.row))
        store.set_accuracies(found)
        return str(report["summary"])


def spread_evenly(variants: Sequence[Variant], number: int) -> list[Variant]:
    """So many of the variants, from the smallest to the largest, evenly by their rank in mult-adds."""
    ordered = sorted(variants, key=lambda variant: count(variant).macs)
    places = np.linspace(0, len(ordered) - 1, min(number, len(ordered))).round().astype(int)
    return [ordered[place] for place in dict.fromkeys(places.tolist())]


def supernet_file(run: Path, config: SupernetAccuracy, dataset: Dataset, source: str) -> Path:
    """Where a run keeps the supernet of a source. config: complete."""
    return weights_folder(run, config.recipe, dataset) / file_name(source)


def file_name(source: str) -> str:
    """Of a supernet, by the name of its accuracies: what other networks or settings learn is not for it."""
    return f"supernet_{hashlib.sha256(source.encode()).hexdigest()[:6]}.safetensors"


def report_of(path: Path) -> dict[str, Any] | None:
    """What `trust` said of the supernet in a file; None where the file does not lie in its run's folder."""
    for folder in path.resolve().parents[:3]:
        if (folder / FILE_NAME).is_file():
            with suppress(MbsweepError), Store.read(folder) as store:
                reports = {file_name(source): report for source, report in store.supernets().items()}
                return reports.get(path.name)
    return None
