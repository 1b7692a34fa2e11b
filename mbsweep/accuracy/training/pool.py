"""Where networks are trained and tested: processes of this machine, or a cluster's. Loads no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbsweep.base.child import CrashError
from mbsweep.base.progress import Progress
from mbsweep.space.variant import Variant

if TYPE_CHECKING:
    from mbsweep.accuracy.datasets import Dataset
    from mbsweep.accuracy.training.loop import Job

DeviceAndVersions = tuple[dict[str, Any], dict[str, str]]  # as `Store.begin_session` takes them


class LostError(CrashError):
    """The machine under a worker has gone: no fault of what it was about."""


class Worker(ABC):
    """Trains networks, one after another, or tests those of a supernet.

    What is asked for is told; the answers are fetched, one for each. Files are named as this process knows
    them, and lie there when the answer is fetched, wherever the worker is.
    """

    node = ""  # of a cluster, that it works on; empty: this machine
    threads: int

    @abstractmethod
    def device(self) -> DeviceAndVersions:
        """What it works on."""

    @abstractmethod
    def begin(self, job: Job, dataset: Dataset, checkpoint: Path, weights: Path) -> None:
        """A network, which goes on from its checkpoint if there is one. Answer: None. Then `epoch`."""

    @abstractmethod
    def epoch(self) -> None:
        """Train for one more epoch. Answer: its fields; None where there is none left."""

    @abstractmethod
    def finish(self) -> None:
        """Test the best epoch's weights and write them to their file. Answer: top5_pct, images, correct."""

    @abstractmethod
    def open_supernet(self, dataset: Dataset, checkpoint: Path) -> None:
        """A supernet whose training has ended. Answer: None. Then `measure`."""

    @abstractmethod
    def measure(self, variant: Variant) -> None:
        """Test a network of a supernet. Answer: as of `finish`, and validation_top1_pct."""

    @abstractmethod
    def answer(self) -> Any:
        """The answer to what was told.

        Raises AnswerError with what went wrong; CrashError where the worker has ended, LostError where that
        is not for what it was told.
        """

    @abstractmethod
    def share(self) -> float:
        """How much of the epoch that was asked for is done; 0 once its answer is fetched, or if unknown."""


class Team(AbstractContextManager["Team", None], ABC):
    """The workers of one part of a run. Each that was hired is about something until it rests."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many can work at once now; at least one."""

    @abstractmethod
    def hire(self, waiting: int) -> Iterator[Worker]:
        """Workers that can begin, no more than there is work for; only those that are there without a wait.

        Raises MbsweepError where none will ever be there.
        """

    @abstractmethod
    def rest(self, worker: Worker) -> None:
        """It has nothing to do any more, for now."""

    @abstractmethod
    def dismiss(self, worker: Worker) -> None:
        """It has ended: another may take its place."""

    @abstractmethod
    def answered(self, limit_s: float) -> list[Worker]:
        """Those whose answer is there, or that have ended. Waits for the first of them, or until `hire` may
        have another, but no longer than limit_s.
        """

    @abstractmethod
    def close(self) -> None:
        """End them all, whatever they are about."""

    def __exit__(self, *_: object) -> None:
        self.close()


class Pool(AbstractContextManager["Pool", None], ABC):
    """What a run may use. jobs: networks that are trained at the same time, where the user limits them."""

    jobs: int | None = None

    def check(self, stay: Progress | None = None) -> None:
        """MbsweepError where it is clear beforehand that nothing can be trained.

        stay: told what is found, where work begins at once; None: nothing is left running, since latencies
        are measured before.
        """

    @abstractmethod
    def trainers(self, trainings: int, progress: Progress) -> Team:
        """For so many trainings in all, those included that have come to their end.

        Not for those that are left: the number of threads decides the last digits, and a run that was
        interrupted must end with the same ones.
        """

    @abstractmethod
    def testers(self, progress: Progress) -> Team:
        """For networks of a supernet."""

    @abstractmethod
    def at_once(self) -> int:
        """How many networks are trained at the same time, if there are enough."""

    def close(self) -> None:
        """Give back what it holds."""

    def __exit__(self, *_: object) -> None:
        self.close()
