"""The trained networks of a run, compressed: each step of each scheme, on the disk before the next begins."""

from __future__ import annotations

import json
import math
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mbsweep.accuracy.compressing.files import ENDING
from mbsweep.accuracy.compressing.worker import CompressingWorker
from mbsweep.accuracy.compression import FAILED_IN, Scheme, Step, all_steps
from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.training.devices import share_out, training_device
from mbsweep.accuracy.training.files import network_name
from mbsweep.accuracy.training.trainings import reraise_if_users
from mbsweep.accuracy.training.worker import TOLD_EVERY_S
from mbsweep.base.child import AnswerError, CrashError
from mbsweep.base.cores import threads_each
from mbsweep.base.errors import one_line
from mbsweep.base.files import remove_dead
from mbsweep.base.pace import Standing
from mbsweep.base.progress import Progress
from mbsweep.space.counting import count
from mbsweep.space.variant import Variant
from mbsweep.storage.compression_tables import CompressedRow
from mbsweep.storage.marks import Failure
from mbsweep.storage.store import Store


@dataclass
class _Network:
    """A trained network, and the steps that are left to be done to it, in their order."""

    variant: Variant
    seed: int
    weights: Path  # its file
    steps: list[Step]
    begun_s: float = field(default=0.0)  # when the first of them was

    @property
    def words(self) -> str:
        return f"{self.variant.id}, seed {self.seed}"

    def cost(self, step: Step) -> float:
        """Of a step, in units that are the same for all networks."""
        return float(count(self.variant).macs * step.epochs + 1)

    def file(self, key: str, ending: str) -> Path:
        """What is kept of it behind a step."""
        return self.weights.with_name(f"{network_name(self.variant.id, self.seed)}_{key}{ending}")


class Compression:
    """What is left to be compressed of a source, and the processes that do it."""

    def __init__(
        self,
        store: Store,
        source: str,
        dataset: Dataset,
        schemes: Sequence[Scheme],
        weights: Mapping[tuple[Variant, int], Path],
        jobs: int | None,
        progress: Progress,
    ) -> None:
        """weights: variant and seed -> the file that has the network, of all that may have been trained."""
        self._store, self._source, self._dataset, self._progress = store, source, dataset, progress
        self._steps, self._weights = all_steps(schemes), weights
        self._jobs, self._devices = share_out(jobs, len(weights))
        self._threads = threads_each(self._jobs)
        self._active: dict[CompressingWorker, _Network] = {}

    def run(self) -> None:
        """Do what is left. Raises MbsweepError where the disk is full."""
        self._store.set_compression_steps(
            (step.key, step.kind, step.before, step.words) for step in self._steps
        )
        networks = list(self._waiting())
        if not networks:
            return
        for folder in {network.weights.parent for network in networks}:
            remove_dead(folder)
        self._session = self._store.begin_session(*training_device(self._devices))
        self._progress.begin("compress", sum(len(network.steps) for network in networks))
        self._networks, self._whole, self._begun_s = networks, _work(networks), time.monotonic()
        self._total = sum(len(network.steps) for network in networks)
        left, active = iter(networks), self._active
        workers = [self._started(place) for place in range(min(self._jobs, len(networks)))]
        try:
            for worker in workers:
                active[worker] = self._begin(worker, next(left))
            while active:
                self._tell()
                for worker in select.select(list(active), [], [], TOLD_EVERY_S)[0]:
                    network = active.pop(worker)
                    try:
                        self._keep(network, worker.answer())
                    except AnswerError as error:
                        reraise_if_users(error)
                        self._fail(network, error)
                        if isinstance(error, CrashError):
                            worker.close()
                            place = workers.index(worker)
                            worker = workers[place] = self._started(place)
                    if following := network if network.steps else next(left, None):
                        active[worker] = self._begin(worker, following)
            self._tell()
        finally:
            for worker in workers:
                worker.close()

    def _tell(self) -> None:
        """How far all is, with what is done of the steps that are on their way."""
        done = self._whole - _work(self._networks)
        done += sum(
            worker.share() * network.cost(network.steps[0]) for worker, network in self._active.items()
        )
        took_s = time.monotonic() - self._begun_s
        left_s = took_s * (self._whole - done) / done if done else math.inf
        steps = self._total - sum(len(network.steps) for network in self._networks)
        self._progress.reach(Standing(steps, self._total, done / self._whole, left_s))

    def _waiting(self) -> Iterator[_Network]:
        """Networks that came to their end in training, and lack a step; the small ones first."""
        done = {row.key for row in self._store.compressed(self._source)}
        trained = {
            (row.variant, row.seed) for row in self._store.trainings(self._source) if row.state == "done"
        }
        failed = {variant for variant, config in self._store.failures() if config == FAILED_IN}
        small_first = sorted(self._weights.items(), key=lambda item: count(item[0][0]).macs)
        for (variant, seed), weights in small_first:
            steps = [step for step in self._steps if (step.key, variant.id, seed) not in done]
            if steps and (variant.id, seed) in trained and variant.id not in failed:
                yield _Network(variant, seed, weights, steps)

    def _started(self, place: int) -> CompressingWorker:
        return CompressingWorker(self._threads, self._devices[place % len(self._devices)])

    def _begin(self, worker: CompressingWorker, network: _Network) -> _Network:
        step, network.begun_s = network.steps[0], time.monotonic()
        before = network.weights
        if step.before:
            before = network.file(step.before, ENDING if step.kind == "coded" else ".safetensors")
        after, file = network.file(step.key, ".safetensors"), network.file(step.key, ENDING)
        worker.do(step, before, after, file, self._dataset)
        return network

    def _keep(self, network: _Network, answer: Mapping[str, Any]) -> None:
        step = network.steps.pop(0)
        if step.kind == "coded":  # it has the very weights of the step before
            key = (step.before, network.variant.id, network.seed)
            same = next(row for row in self._store.compressed(self._source) if row.key == key)
            tested = same.top5_pct, same.images, same.correct
        else:
            tested = answer["top5_pct"], answer["images"], bytes.fromhex(answer["correct"])
        row = CompressedRow(
            step.key,
            network.variant.id,
            network.seed,
            self._session,
            str(network.file(step.key, ENDING).relative_to(self._store.folder)),
            answer["file_bytes"],
            time.monotonic() - network.begun_s,
            *tested,
            json.dumps(answer["layers"]),
        )
        self._store.add_compressed(self._source, row)
        told = f"{row.file_bytes:,} bytes, {100 * row.hits.mean():.1f} % of the test part"
        self._progress.say(f"{network.words}: {step.words}: {told}")

    def _fail(self, network: _Network, error: AnswerError) -> None:
        reason, step = one_line(error, 500), network.steps[0]
        told = Failure.of(error.kind, f"seed {network.seed}, {step.words}: {reason}")
        self._store.add_failure(network.variant.id, FAILED_IN, told)
        self._progress.say(f"{network.words}: {step.words}: failed: {reason}")
        network.steps.clear()


def _work(networks: Sequence[_Network]) -> float:
    """What is left of some networks."""
    return sum(network.cost(step) for network in networks for step in network.steps)
