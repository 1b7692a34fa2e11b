"""A workbench in a process of its own: a runtime that crashes takes no more than that process with it.

The two processes talk in lines of JSON over pipes. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import IO, Any

from mbsweep.profiler.subject import Subject
from mbsweep.space.latency import LatencyConfig

# -P: a file in the current folder that is called like a module must not be taken for it.
COMMAND = [sys.executable, "-P", "-m", __name__]
HUNG_S = 1800  # the slowest compiler takes minutes for a network; who does not answer for so long, hangs


class NetworkError(Exception):
    """One network could not be prepared or timed; the others are not concerned."""


class CrashError(NetworkError):
    """The process ended under it."""


class Worker:
    """The methods of Workbench, carried out in another process."""

    def __init__(self, config: LatencyConfig) -> None:
        # A file, not a pipe: runtimes may write without end, and nobody reads meanwhile.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the worker)
        # A visit of so many calls takes as long as they take.
        self._are_visits_limited = config.visit_calls is None
        self._process = subprocess.Popen(  # noqa: S603
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # It finds the modules that this process would find.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            # Ctrl-C is for the process that keeps the results; this one ends when its pipe does.
            start_new_session=True,
        )
        try:
            begun = self._ask("begin", config.settings)
        except BaseException:
            self.close()
            raise
        self.unavailable: str = begun["unavailable"]
        self.hardware: dict[str, str] = begun["hardware"]

    def prepare(self, subject: Subject) -> int:
        """See Workbench.prepare. Raises NetworkError, CrashError where the process ended."""
        return int(self._ask("prepare", subject.as_dict()))

    def visit(self, name: str) -> list[int]:
        """See Workbench.visit. Raises NetworkError, CrashError where the process ended."""
        return list(self._ask("visit", name, self._are_visits_limited))

    def kill(self) -> None:
        """Stop the process and what it has started, such as a compiler. Who waits for it gets CrashError."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a session, and so a group, of its own

    def close(self) -> None:
        """End the process."""
        self.kill()
        self._process.communicate()
        self._errors.close()

    def _ask(self, method: str, argument: Any, is_limited: bool = True) -> Any:
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps([method, argument]) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], HUNG_S if is_limited else None)[0]:
                self.kill()
                raise CrashError(f"the runtime did not answer within {HUNG_S} s; its process was stopped")
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line.endswith("\n"):
            raise CrashError(self._how_it_ended())
        answer = json.loads(line)
        if "error" in answer:
            raise NetworkError(answer["error"])
        return answer["value"]

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        if code < 0:
            how = signal.Signals(-code).name
            how += " (out of memory?)" if how == "SIGKILL" else ""
        else:
            how = f"exit code {code}"
        self._errors.seek(0)
        said = self._errors.read()[-2000:].decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        return f"the runtime's process ended: {how}" + (f"; {last}" if last else "")


def serve() -> None:
    """Answer on what was standard output until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what runtimes print must not come between the answers
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody is left to answer to
    bench: Any = None
    for line in sys.stdin:
        method, argument = json.loads(line)
        try:
            if method == "begin":
                from mbsweep.profiler.workbench import Workbench

                bench = Workbench(LatencyConfig.model_validate(argument))
                value = {"unavailable": bench.unavailable, "hardware": bench.hardware}
            elif method == "prepare":
                value = bench.prepare(Subject.from_dict(argument))
            else:
                value = bench.visit(argument)
            answer: dict[str, Any] = {"value": value}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
