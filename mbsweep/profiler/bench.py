"""A worker that is started anew when a runtime crashes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import TypeVar

from mbsweep.base.child import AnswerError, CrashError
from mbsweep.base.errors import MbsweepError
from mbsweep.base.quiet import quiet, tell
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import weights_of
from mbsweep.profiler.subject import Subject
from mbsweep.profiler.worker import Worker

Answer = TypeVar("Answer")
OnFailure = Callable[[str, AnswerError], None]  # a network's name, and what went wrong with it
OnPrepared = Callable[[Subject, int], None]  # and the size on disk of the runtime's file


class Bench:
    """Networks of one configuration, prepared and visited in a process of their own.

    A network that cannot be prepared or timed is reported once and dropped. One under which the process ends
    is, too; the others are prepared again in a new process. Raises MbsweepError where no process can be had.
    """

    def __init__(
        self,
        config: LatencyConfig,
        on_failure: OnFailure,
        weights: str = "",
        say: Callable[[str], None] = tell,
    ) -> None:
        """weights: see Workbench. say: told what is waited for. Not to be made while `quiet`, which it may
        have to be itself.
        """
        self._config, self._on_failure = config, on_failure
        self.weights = weights
        self._ready: dict[str, Subject] = {}
        # How int8 weights are held is tried out, and timed, unless it is known.
        is_open = config.precision == "int8" and not weights
        with quiet(lambda words: say(f"{config.id}: {words}")) if is_open else nullcontext():
            self._worker = self._start()
        #: Why this machine cannot run the configuration; empty where it can.
        self.unavailable: str = self._worker.unavailable
        #: What the device is beyond this machine, see Workbench.
        self.hardware: dict[str, str] = self._worker.hardware
        #: How weights are held, from now on in every process.
        self.weights = self.hardware.get(weights_of(config.backend), "")

    def _start(self) -> Worker:
        try:
            return Worker(self._config, self.weights)
        except AnswerError as error:
            raise MbsweepError(f"{self._config.id}: cannot be measured: {error}") from None

    def prepare(self, subjects: Iterable[Subject], on_prepared: OnPrepared) -> None:
        """Prepare networks, one after another."""
        for subject in subjects:
            file_bytes = self._try(subject.name, partial(self._worker.prepare, subject))
            if file_bytes is not None:
                self._ready[subject.name] = subject
                on_prepared(subject, file_bytes)

    def is_ready(self, name: str) -> bool:
        """Whether a network was prepared and has not failed since."""
        return name in self._ready

    def visit(self, name: str) -> list[int] | None:
        """Samples of one visit in nanoseconds; None where the network is not ready, or fails now."""
        if name not in self._ready:
            return None
        return self._try(name, partial(self._worker.visit, name))

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _try(self, name: str, step: Callable[[], Answer]) -> Answer | None:
        try:
            return step()
        except AnswerError as error:
            self._ready.pop(name, None)
            self._on_failure(name, error)
            if isinstance(error, CrashError):
                self._worker.close()
                self._worker = self._start()
                again, self._ready = list(self._ready.values()), {}
                self.prepare(again, lambda subject, file_bytes: None)
            return None
