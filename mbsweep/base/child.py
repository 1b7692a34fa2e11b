"""A process of our own that answers questions: what crashes it takes no more than it with it.

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
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from mbsweep.base import cores
from mbsweep.base.errors import one_line


class AnswerError(Exception):
    """What was asked for could not be done; the process goes on.

    kind: the name of the exception there; empty where the process ended. words: what it said.
    """

    def __init__(self, kind: str, words: str) -> None:
        words = one_line(words)
        super().__init__(f"{kind}: {words}" if kind else words)
        self.kind, self.words = kind, words


class CrashError(AnswerError):
    """The process ended under it."""

    def __init__(self, words: str) -> None:
        super().__init__("", words)


class Child:
    """A process that was started by a command which calls `serve`."""

    def __init__(
        self,
        command: Sequence[str],
        what: str,
        env: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        """Start it. what: for words, "the runtime". env: what its environment has besides this process's.

        descriptors: files of this process that are open there, too, under the same numbers.
        """
        self._what = what
        # A file, not a pipe: runtimes may write without end, and nobody reads meanwhile.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        self._heard = 0  # bytes of them at the last answer: what was said before is of what went well
        with cores.unbound():
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                pass_fds=descriptors,
                text=True,
                # It finds the modules that this process would find.
                env={
                    **cores.environment(),
                    **(env or {}),
                    "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
                },
                # Ctrl-C is for the process that keeps the results; this one ends when its pipe does.
                start_new_session=True,
            )

    def fileno(self) -> int:
        """Readable when there is an answer, or the process has ended: for `select`."""
        assert self._process.stdout is not None  # noqa: S101
        return self._process.stdout.fileno()

    def tell(self, method: str, argument: Any = None) -> None:
        """Ask for something; its answer is to be fetched. A process that has ended says so there."""
        assert self._process.stdin is not None  # noqa: S101
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps([method, argument]) + "\n")
            self._process.stdin.flush()

    def answer(self, limit_s: float | None = None) -> Any:
        """The answer to what was told.

        Raises AnswerError with what went wrong there; CrashError where the process has ended, or does not
        answer within limit_s.
        """
        assert self._process.stdout is not None  # noqa: S101
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            self.kill()
            raise CrashError(f"{self._what} did not answer within {limit_s} s; its process was stopped")
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise CrashError(self._how_it_ended())
        self._heard = os.fstat(self._errors.fileno()).st_size
        found = json.loads(line)
        if "error" in found:
            raise AnswerError(*found["error"])
        return found["value"]

    def kill(self) -> None:
        """Stop the process and what it has started, such as a compiler. Who waits for it gets CrashError."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a session, and so a group, of its own

    def close(self) -> None:
        """End the process."""
        self.kill()
        with suppress(BrokenPipeError):  # of what was told and not yet written
            self._process.communicate()
        self._errors.close()

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        if code < 0:
            how = signal.Signals(-code).name
            how += " (out of memory?)" if how == "SIGKILL" else ""
        else:
            how = f"exit code {code}"
        self._errors.seek(self._heard)
        said = self._errors.read()[-2000:].decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        return f"{self._what}'s process ended: {how}" + (f"; {last}" if last else "")


def command_of(module: str) -> list[str]:
    """The command line that runs a module."""
    # -P: a file in the current folder that is called like a module must not be taken for it.
    return [sys.executable, "-P", "-m", module]


def serve(answer: Callable[[str, Any], Any], is_lost: Callable[[], bool]) -> None:
    """Answer (method, argument) on what was standard output until standard input ends.

    is_lost: asked after an error, whether all that came after it would fail, too. The process ends then, with
    the first line of the error as its last words.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what runtimes print must not come between the answers
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody is left to answer to
    for line in sys.stdin:
        try:
            found: dict[str, Any] = {"value": answer(*json.loads(line))}
        except Exception as error:
            if is_lost():
                print(str(error).partition("\n")[0], file=sys.stderr, flush=True)
                os._exit(1)
            found = {"error": [type(error).__name__, str(error)]}
        answers.write(json.dumps(found) + "\n")
        answers.flush()
