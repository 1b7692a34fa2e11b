"""A workbench in a process of its own: a runtime that crashes takes no more than that process with it."""

from __future__ import annotations

from typing import Any

from mbsweep.base import child
from mbsweep.base.child import Child, command_of
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import is_gpu_lost
from mbsweep.profiler.subject import Subject

COMMAND = command_of(__name__)
HUNG_S = 1800  # the slowest compiler takes minutes for a network; who does not answer for so long, hangs


class Worker(Child):
    """The methods of Workbench, carried out in another process."""

    def __init__(self, config: LatencyConfig, weights: str = "") -> None:
        """weights: see Workbench."""
        super().__init__(COMMAND, "the runtime")
        # A visit of so many calls takes as long as they take.
        self._are_visits_limited = config.visit_calls is None
        try:
            begun = self._ask("begin", [config.settings, weights])
        except BaseException:
            self.close()
            raise
        self.unavailable: str = begun["unavailable"]
        self.hardware: dict[str, str] = begun["hardware"]

    def prepare(self, subject: Subject) -> int:
        """See Workbench.prepare. Raises AnswerError, CrashError where the process ended."""
        return int(self._ask("prepare", subject.as_dict()))

    def visit(self, name: str) -> list[int]:
        """See Workbench.visit. Raises AnswerError, CrashError where the process ended."""
        return list(self._ask("visit", name, self._are_visits_limited))

    def _ask(self, method: str, argument: Any, is_limited: bool = True) -> Any:
        self.tell(method, argument)
        return self.answer(HUNG_S if is_limited else None)


class _Answers:
    """What the other process does."""

    bench: Any = None

    def __call__(self, method: str, argument: Any) -> Any:
        if method == "begin":
            from mbsweep.profiler.workbench import Workbench

            settings, weights = argument
            self.bench = Workbench(LatencyConfig.model_validate(settings), weights)
            return {"unavailable": self.bench.unavailable, "hardware": self.bench.hardware}
        if method == "prepare":
            from mbsweep.space.families.factory import code_allowed

            with code_allowed():  # of a network that is code, or nobody would have told us of it
                return self.bench.prepare(Subject.from_dict(argument))
        return self.bench.visit(argument)


def serve() -> None:
    """Be the other process."""
    child.serve(_Answers(), is_gpu_lost)


if __name__ == "__main__":
    serve()
