"""Nodes that train nothing: made-up epochs on a clock of their own, for the real queue, trainings and store.

Their time goes on while the driver works, so many times as fast as ours; where nothing happens, it jumps. So
a driver that is too slow shows in how long the nodes wait for it.
"""

from __future__ import annotations

import heapq
import time
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.training.loop import Job
from mbsweep.accuracy.training.pool import DeviceAndVersions, LostError, Pool, Team, Worker
from mbsweep.base.progress import Progress
from mbsweep.space.variant import Variant

TEST_IMAGES = 1000
BEGIN_S, FINISH_S = 5.0, 5.0  # to take up a training, and to test its network
AGAIN_S = 0.01  # to say again what an epoch gave that the checkpoint has
SEND_S = 1.0  # from the end of an epoch until its checkpoint is back
REPAIR_S = 900.0  # until another node is there in place of one that was lost
KINDS = ("a", "b", "c")  # of processors


@dataclass
class Tally:
    """What the nodes saw of it. Times are theirs."""

    begun: int = 0  # trainings, each time that a node took one up
    lost_nodes: int = 0
    in_vain: int = 0  # epochs that were begun, and whose node was lost before they were back
    in_vain_s: float = 0.0
    epochs: int = 0  # that came back, each time
    worked_s: float = 0.0
    waited_s: float = 0.0  # for the driver, from an answer to what was asked next
    now_s: float = 0.0


@dataclass
class SimulatedPool(Pool):
    """So many nodes of one worker each. macs: variant -> mult-adds. epoch_s: mean over the variants.

    speed: so many times as fast as our clock goes that of the nodes while the driver works.
    """

    nodes: int
    epoch_s: float
    lost_pct_per_hour: float
    macs: dict[str, int]
    speed: float = 1.0
    seed: int = 0
    tally: Tally = field(default_factory=Tally)

    def trainers(self, trainings: int, progress: Progress) -> Team:
        """All of them."""
        return SimulatedTeam(self)

    def testers(self, progress: Progress) -> Team:
        """None: supernets are not simulated."""
        raise NotImplementedError

    def at_once(self) -> int:
        """One on each node."""
        return self.nodes


@dataclass(eq=False)
class _Node:
    number: int
    worker: SimulatedWorker | None = None  # None: it is lost


class SimulatedTeam(Team):
    """The workers on nodes that are there, and what happens when."""

    def __init__(self, pool: SimulatedPool) -> None:
        self.tally, self._pool = pool.tally, pool
        self._chance = Random(pool.seed)
        self._coming: list[tuple[float, int, _Node, SimulatedWorker | None]] = []  # when, tie, what
        self._ties = 0
        self._idle: deque[SimulatedWorker] = deque()
        self._mean_macs = sum(pool.macs.values()) / len(pool.macs)
        self.checkpoints: dict[tuple[str, int, int], int] = {}  # epochs that have come back
        self._up = pool.nodes
        self._looked_at = time.perf_counter()
        for number in range(pool.nodes):
            self._join(_Node(number))

    @property
    def size(self) -> int:
        """Nodes that are there."""
        return max(1, self._up)

    def epoch_s(self, variant: str, seed: int, epoch: int) -> float:
        """What an epoch takes: in part as its network has mult-adds, and give or take a fifth."""
        size = 0.25 + 0.75 * self._pool.macs[variant] / self._mean_macs
        return self._pool.epoch_s * size * (0.8 + 0.4 * drawn(variant, seed, epoch))

    def hire(self, waiting: int) -> Iterator[Worker]:
        """Those that have nothing to do."""
        for _ in range(min(waiting, len(self._idle))):
            yield self._idle.popleft()

    def rest(self, worker: Worker) -> None:
        """It waits, unless its node is lost already."""
        assert isinstance(worker, SimulatedWorker)  # noqa: S101  (hired here)
        if not worker.is_gone:
            self._idle.append(worker)

    def dismiss(self, worker: Worker) -> None:
        """Its node is lost, and has another some time later."""

    def answered(self, limit_s: float) -> list[Worker]:
        """Whoever has an answer by now; where nobody has, the next."""
        now_s = self.now_s()
        found: list[Worker] = []
        while self._coming and (self._coming[0][0] <= now_s or not found):
            at_s, _, node, worker = heapq.heappop(self._coming)
            now_s = self.tally.now_s = max(now_s, at_s)
            if worker is not None:
                if worker.has_answered(at_s):
                    found.append(worker)
            elif node.worker is not None:
                if lost := self._lose(node):
                    found.append(lost)
            else:
                self._up += 1
                self._join(node)
                if not found:  # it can be hired
                    break
        return found

    def close(self) -> None:
        """Nothing is left of them."""
        self._coming.clear()
        self._idle.clear()

    def now_s(self) -> float:
        """By the nodes' clock."""
        now = time.perf_counter()
        self.tally.now_s += (now - self._looked_at) * self._pool.speed
        self._looked_at = now
        return self.tally.now_s

    def later(self, seconds: float, node: _Node, worker: SimulatedWorker | None) -> None:
        """Something comes about. worker: it has an answer; None: the node is lost, or there again."""
        self._ties += 1
        heapq.heappush(self._coming, (self.tally.now_s + seconds, self._ties, node, worker))

    def _join(self, node: _Node) -> None:
        node.worker = SimulatedWorker(self, node)
        self._idle.append(node.worker)
        if rate := self._pool.lost_pct_per_hour / 100 / 3600:
            self.later(self._chance.expovariate(rate), node, None)

    def _lose(self, node: _Node) -> SimulatedWorker | None:
        """The worker that it had, if that was asked for something."""
        worker, node.worker = node.worker, None
        assert worker is not None  # noqa: S101
        self.tally.lost_nodes += 1
        self._up -= 1
        self.later(REPAIR_S, node, None)
        if worker in self._idle:
            self._idle.remove(worker)
        return worker if worker.lose() else None


class SimulatedWorker(Worker):
    """Gives, after a while, what a training would have given."""

    threads = 1

    def __init__(self, team: SimulatedTeam, node: _Node) -> None:
        self.node = f"node {node.number}"
        self._team, self._node, self._tally = team, node, team.tally
        self.is_gone = self._is_asked = False
        self._answer: dict[str, Any] | LostError | None = None
        self._since_s: float | None = None  # its last answer was there, or it was asked; None: at rest
        self._epoch_s = 0.0  # of the epoch that it is about; 0 if of none

    def device(self) -> DeviceAndVersions:
        """One of a few kinds."""
        kind = KINDS[self._node.number % len(KINDS)]
        return {"id": f"simulated {kind}", "description": f"simulated {kind}"}, {"torch": "0"}

    def begin(self, job: Job, dataset: Dataset, checkpoint: Path, weights: Path) -> None:
        """After the last epoch that came back."""
        self._tally.begun += 1
        self._job, self._done, self._since_s = job, 0, None
        self._key = (job.variant.id, job.seed, job.attempt)
        self._before = self._team.checkpoints.get(self._key, 0)
        self._ask(BEGIN_S, None)

    def epoch(self) -> None:
        """As its network would learn."""
        self._done += 1
        if self._done > self._job.recipe.epochs:
            self._ask(0.0, None)
            return
        seconds = self._team.epoch_s(*self._key[:2], self._done)
        fields = epoch_fields(self._job, self._key[0], self._done, seconds)
        if self._done <= self._before:
            self._ask(AGAIN_S, fields)
        else:
            self._ask(seconds + SEND_S, fields, seconds)

    def finish(self) -> None:
        """As many images right as of the validation part."""
        correct = np.arange(TEST_IMAGES) < TEST_IMAGES * validation_pct(*self._key[:2], self._done) / 100
        bits = np.packbits(correct).tobytes().hex()
        self._ask(FINISH_S, {"top5_pct": None, "images": TEST_IMAGES, "correct": bits})

    def open_supernet(self, dataset: Dataset, checkpoint: Path) -> None:
        """Not simulated."""
        raise NotImplementedError

    def measure(self, variant: Variant) -> None:
        """Not simulated."""
        raise NotImplementedError

    def answer(self) -> Any:
        """What was made up. Raises LostError where the node was lost meanwhile."""
        if isinstance(self._answer, LostError):
            raise self._answer
        return self._answer

    def share(self) -> float:
        """By its clock."""
        if not self._is_asked or not self._epoch_s or self._since_s is None:
            return 0.0
        return min(1.0, (self._tally.now_s - self._since_s) / self._epoch_s)

    def has_answered(self, at_s: float) -> bool:
        """What was asked for comes back; False where it has been lost before."""
        if not self._is_asked:
            return False
        if self._epoch_s:
            self._team.checkpoints[self._key] = self._done
            self._tally.epochs += 1
            self._tally.worked_s += self._epoch_s
        self._is_asked, self._epoch_s, self._since_s = False, 0.0, at_s
        return True

    def lose(self) -> bool:
        """Its node is lost; whether that is the answer to what it was asked."""
        self.is_gone = True
        if not self._is_asked:
            return False
        if self._epoch_s and self._since_s is not None:
            self._tally.in_vain += 1
            self._tally.in_vain_s += min(self._tally.now_s - self._since_s, self._epoch_s)
        self._is_asked, self._answer = False, LostError(f"{self.node} has gone")
        return True

    def _ask(self, seconds: float, answer: dict[str, Any] | None, epoch_s: float = 0.0) -> None:
        now_s = self._team.now_s()
        if self._since_s is not None:
            self._tally.waited_s += now_s - self._since_s
        self._is_asked, self._since_s = True, now_s
        if self.is_gone:  # after its last answer
            self._answer, self._epoch_s = LostError(f"{self.node} has gone"), 0.0
            self._team.later(0.0, self._node, self)
        else:
            self._answer, self._epoch_s = answer, epoch_s
            self._team.later(seconds, self._node, self)


def epoch_fields(job: Job, variant: str, epoch: int, seconds: float) -> dict[str, Any]:
    """What an epoch gives, by the names that trainings expect."""
    reached = validation_pct(variant, job.seed, epoch)
    return {
        "epoch": epoch,
        "learning_rate": job.learning_rate,
        "train_loss": 2.3 * (1 - reached / 100),
        "train_top1_pct": reached,
        "validation_loss": 2.4 * (1 - reached / 100),
        "validation_top1_pct": reached,
        "seconds": seconds,
    }


def validation_pct(variant: str, seed: int, epoch: int) -> float:
    """Rising to between 60 and 95 %, by variant and a little by seed."""
    best = 60 + 30 * drawn(variant) + 5 * drawn(variant, seed)
    return best * (1 - 0.8 * 0.9**epoch)


def drawn(*of: object) -> float:
    """A number from 0 to 1, always the same for the same."""
    return zlib.crc32(" ".join(map(str, of)).encode()) / 2**32
