"""The trained networks of a run in the runtimes of its latencies: each tested there, once."""

from __future__ import annotations

import json
import select
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.deploying.runtimes import Runtime, made_with, runtimes_of
from mbsweep.accuracy.deploying.worker import DeployingWorker, WeightsError
from mbsweep.accuracy.settings import Quantization
from mbsweep.accuracy.training.devices import training_device
from mbsweep.accuracy.training.files import network_name
from mbsweep.accuracy.training.trainings import reraise_if_users
from mbsweep.accuracy.value import NAN, Accuracy
from mbsweep.base.child import AnswerError, CrashError
from mbsweep.base.cores import usable_cores
from mbsweep.base.errors import one_line
from mbsweep.base.progress import Progress
from mbsweep.profiler.backends import unavailable
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import kept_weights
from mbsweep.space.variant import Variant
from mbsweep.statistics.drops import Drop, drop_noise, paired_drop
from mbsweep.statistics.seeds import seed_noise, spread
from mbsweep.storage.deployed_tables import DeployedRow
from mbsweep.storage.marks import Failure
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import TrainingRow

UNKNOWN_DROP = Drop(NAN, NAN, NAN)


class _Test(NamedTuple):
    """A trained network that is to be tested in a runtime."""

    variant: Variant
    seed: int
    weights: Path
    runtime: Runtime


class Deployment:
    """What is left to be tested of the networks of a source, and the processes that do it."""

    def __init__(
        self,
        store: Store,
        source: str,
        dataset: Dataset,
        quantization: Quantization,
        weights: Mapping[tuple[Variant, int], Path],
        jobs: int | None,
        progress: Progress,
    ) -> None:
        """weights: variant and seed -> the file that has the network, of all that may have been trained."""
        self._store, self._source, self._dataset, self._progress = store, source, dataset, progress
        self._quantization, self._weights = quantization, weights
        self._jobs = jobs or usable_cores()
        self._runtimes = runtimes_of(asked_configs(store))

    def run(self) -> None:
        """Test what is left, and enter the accuracies. Raises MbsweepError where the disk is full."""
        waiting = list(self._waiting())
        try:
            if waiting:
                self._session = self._store.begin_session(*training_device(["cpu"]))
                self._progress.begin("test in the runtimes", len(waiting))
                self._work(waiting)
        finally:
            if self._runtimes:
                self.enter()

    def _waiting(self) -> Iterator[_Test]:
        """Networks that came to their end, and are not tested with what the sweep asks for."""
        known = {
            (row.variant, row.seed, Runtime(*row.runtime)): row.made
            for row in self._store.deployed(self._source)
        }
        trained = self._trained()
        failures = self._store.failures()
        for (variant, seed), weights in self._weights.items():
            for runtime in self._runtimes:
                made = made_with(runtime, self._quantization)
                failed = (variant.id, self._failure_key(runtime)) in failures
                is_known = known.get((variant.id, seed, runtime)) == made
                if (variant.id, seed) in trained and not is_known and not failed and not lacks(runtime):
                    yield _Test(variant, seed, weights, runtime)

    def _trained(self) -> dict[tuple[str, int], TrainingRow]:
        """Variant and seed -> its training, of those that the sweep asks for and that came to their end."""
        asked = {(variant.id, seed) for variant, seed in self._weights}
        return {
            (row.variant, row.seed): row
            for row in self._store.trainings(self._source)
            if row.state == "done" and (row.variant, row.seed) in asked
        }

    def _work(self, waiting: Sequence[_Test]) -> None:
        left = iter(waiting)
        workers = [DeployingWorker() for _ in range(min(self._jobs, len(waiting)))]
        active: dict[DeployingWorker, _Test] = {}
        try:
            for worker in workers:
                active[worker] = self._begin(worker, next(left))
            while active:
                for worker in select.select(list(active), [], [])[0]:
                    test = active.pop(worker)
                    try:
                        self._keep(test, worker.answer())
                    except CrashError as error:
                        self._fail(test, error)
                        worker.close()
                        workers[workers.index(worker)] = worker = DeployingWorker()
                    except AnswerError as error:
                        reraise_if_users(error)
                        self._fail(test, error)
                    self._progress.advance(f"{test.variant.id}, seed {test.seed}, {test.runtime.words}")
                    if following := next(left, None):
                        active[worker] = self._begin(worker, following)
        finally:
            for worker in workers:
                worker.close()

    def _begin(self, worker: DeployingWorker, test: _Test) -> _Test:
        keep = kept_file(test.weights, test.variant, test.seed, test.runtime)
        held = kept_weights(self._store.sessions(), test.runtime.backend)
        worker.test(test.weights, test.variant, self._dataset, test.runtime, self._quantization, keep, held)
        return test

    def _keep(self, test: _Test, answer: Mapping[str, Any]) -> None:
        name = answer["file"]
        if name:
            name = str(test.weights.with_name(name).relative_to(self._store.folder))
        row = DeployedRow(
            test.variant.id,
            test.seed,
            *test.runtime,
            made_with(test.runtime, self._quantization),
            self._session,
            name,
            answer["file_bytes"],
            answer["top5_pct"],
            answer["images"],
            bytes.fromhex(answer["correct"]),
        )
        self._store.add_deployed(self._source, row)

    def _fail(self, test: _Test, error: AnswerError) -> None:
        reason = error.words if error.kind == WeightsError.__name__ else one_line(error, 500)
        told = Failure.of(error.kind, f"seed {test.seed}: {reason}")
        self._store.add_failure(test.variant.id, self._failure_key(test.runtime), told)
        self._progress.say(f"{test.variant.id}, seed {test.seed}, {test.runtime.words}: failed: {reason}")

    def _failure_key(self, runtime: Runtime) -> str:
        return f"{runtime.words}: {self._source}"

    def enter(self) -> None:
        """Enter what is known of the accuracies in the runtimes."""
        as_trained = self._as_trained()
        trained = self._trained()
        seeds_of: dict[str, set[int]] = {}
        for variant, seed in trained:
            seeds_of.setdefault(variant, set()).add(seed)
        failures = self._store.failures()
        tested = [row for row in self._store.deployed(self._source) if (row.variant, row.seed) in trained]
        rows: list[tuple[Any, ...]] = []
        for runtime in self._runtimes:
            made = made_with(runtime, self._quantization)
            of: dict[str, list[DeployedRow]] = {}
            for row in tested:
                if (row.runtime, row.made) == (runtime, made):
                    of.setdefault(row.variant, []).append(row)
            noise = seed_noise({variant: [row.hits for row in some] for variant, some in of.items()})
            pairs = {
                variant: [(trained[variant, row.seed].hits, row.hits) for row in some]
                for variant, some in of.items()
            }
            noise_of_drops = drop_noise(pairs)
            for variant, base in as_trained.items():
                failure = failures.get((variant, self._failure_key(runtime)))
                drop = UNKNOWN_DROP
                if some := of.get(variant):
                    drop = paired_drop(pairs[variant], noise_of_drops)
                    over_seeds = spread([row.hits for row in some], noise)
                    untested = seeds_of[variant] - {row.seed for row in some}
                    has_interval = base.kind == "trained"  # one supernet does not tell of another
                    found = replace(
                        base,
                        top1_pct=over_seeds.mean_pct,
                        top5_pct=sum(row.top5 for row in some) / len(some),
                        top1_low_pct=over_seeds.low_pct if has_interval else NAN,
                        top1_high_pct=over_seeds.high_pct if has_interval else NAN,
                        top1_sd_pct=over_seeds.sd_pct,
                        seeds=", ".join(str(row.seed) for row in some),
                        note="; ".join(filter(None, (base.note, _missing(runtime, failure, untested)))),
                    )
                else:
                    reason = base.reason or _why(runtime, failure)
                    found = replace(_unknown(base), reason=reason)
                rows.append((variant, *runtime, *found.row, *drop))
        self._store.set_deployed_accuracies(rows)

    def _as_trained(self) -> dict[str, Accuracy]:
        """Variant -> its accuracy at fp32, as it was trained."""
        names, rows = self._store.rows("accuracies")
        of = {variant.id for variant, _ in self._weights}
        found = (dict(zip(names, row, strict=True)) for row in rows)
        return {
            row["variant"]: Accuracy.of_row(row)
            for row in found
            if row["source"] == self._source and row["precision"] == "fp32" and row["variant"] in of
        }


def asked_configs(store: Store) -> list[LatencyConfig]:
    """The latency configurations of a run's sweep."""
    names, rows = store.rows("configs")
    asked = (dict(zip(names, row, strict=True)) for row in rows)
    return [
        LatencyConfig.model_validate(json.loads(row["settings"]))
        for row in asked
        if row["position"] is not None
    ]


def kept_file(weights: Path, variant: Variant, seed: int, runtime: Runtime) -> Path | None:
    """How the name begins under which the file of a network in a runtime is kept; None where it is not.

    Kept is what was calibrated: another file the weights give again.
    """
    if runtime.precision != "int8":
        return None
    return weights.with_name(f"{network_name(variant.id, seed)}_{runtime.backend}-{runtime.precision}")


def lacks(runtime: Runtime) -> str:
    """Why this machine cannot run it; empty where it can."""
    return unavailable(runtime.config)


def _why(runtime: Runtime, failure: Failure | None) -> str:
    if failure:
        return failure.words
    if reason := lacks(runtime):
        return f"not tested in {runtime.words}: {reason}"
    return f"not tested in {runtime.words} yet; run the sweep again to go on"


def _missing(runtime: Runtime, failure: Failure | None, untested: Collection[int]) -> str:
    """Why an accuracy is not one of all seeds; empty where it is."""
    if failure or not untested:
        return failure.words if failure else ""
    return f"{_why(runtime, None)}: seed {', '.join(map(str, sorted(untested)))}"


def _unknown(base: Accuracy) -> Accuracy:
    return Accuracy(NAN, NAN, base.kind, base.source, base.dataset, epochs=base.epochs, marks=base.marks)
