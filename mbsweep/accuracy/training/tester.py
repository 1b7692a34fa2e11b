"""The workers that test a supernet's networks. Loads no torch here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.training.pool import LostError, Team, Worker
from mbsweep.base.child import AnswerError, CrashError
from mbsweep.space.variant import Variant

_LOOKED_AT_EVERY_S = 0.5  # whether there are more workers


class Tester:
    """They start with the first network, and are kept from one `measure` to the next."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self._opened: dict[Worker, Path] = {}  # the supernet that it has

    def measure(
        self, variants: Sequence[Variant], dataset: Dataset, file: Path
    ) -> Iterator[tuple[Worker, Variant, dict[str, Any] | AnswerError]]:
        """How networks of a supernet's file do, or what went wrong with one; as each comes to its end."""
        left = deque(variants)
        active: dict[Worker, Variant] = {}
        while left or active:
            for worker in self._team.hire(len(left)):
                active[worker] = left.popleft()
                if self._opened.get(worker) == file:
                    worker.measure(active[worker])
                else:
                    worker.open_supernet(dataset, file)
            for worker in self._team.answered(_LOOKED_AT_EVERY_S):
                try:
                    found: dict[str, Any] | AnswerError | None = worker.answer()
                except LostError:
                    left.appendleft(active.pop(worker))
                    self._dismiss(worker)
                    continue
                except CrashError as error:
                    self._dismiss(worker)
                    yield worker, active.pop(worker), error
                    continue
                except AnswerError as error:
                    found = error
                    self._opened.pop(worker, None)
                if found is None:  # it is open
                    self._opened[worker] = file
                    worker.measure(active[worker])
                else:
                    self._team.rest(worker)
                    yield worker, active.pop(worker), found

    def _dismiss(self, worker: Worker) -> None:
        self._opened.pop(worker, None)
        self._team.dismiss(worker)

    def close(self) -> None:
        """End the workers."""
        self._team.close()
