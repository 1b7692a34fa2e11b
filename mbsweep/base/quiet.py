"""A machine either measures latencies or trains networks: processes take turns, of whatever run they are.

They lock two files in the system's temporary folder. Who trains holds MACHINE with others, for an epoch; who
measures holds it alone, and GATE, through which all come, from when it asks: no other epoch begins before its
turn. A lock goes when its process does, however that ends. Where nothing can be locked, nobody waits.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

Step = TypeVar("Step")
_GATE, _MACHINE = "gate", "machine"


def tell(words: str) -> None:
    """One line for the user, where no bar is drawn."""
    print(words, file=sys.stderr)


@contextmanager
def quiet(say: Callable[[str], None] = tell) -> Iterator[None]:
    """While latencies are measured: nothing is trained, and nobody else measures.

    say: told what is waited for, where that is needed. Not to be asked for within itself.
    """
    with ExitStack() as held:
        with suppress(OSError):
            gate = held.enter_context(_opened(_GATE))
            if not _has(gate, fcntl.LOCK_EX):
                if not _has(gate, fcntl.LOCK_SH):  # those who train do, for microseconds
                    say("waits until others have measured their latencies on this machine")
                fcntl.flock(gate, fcntl.LOCK_EX)
            machine = held.enter_context(_opened(_MACHINE))
            if not _has(machine, fcntl.LOCK_EX):
                say("waits for trainings on this machine to end their epochs")
                fcntl.flock(machine, fcntl.LOCK_EX)
        yield


@contextmanager
def busy() -> Iterator[None]:
    """While a network is trained or tested, for an epoch at most: nothing is measured."""
    with ExitStack() as held:
        with suppress(OSError):
            gate = held.enter_context(_opened(_GATE))
            fcntl.flock(gate, fcntl.LOCK_SH)
            fcntl.flock(held.enter_context(_opened(_MACHINE)), fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def each_busy(steps: Iterator[Step]) -> Iterator[Step]:
    """The same steps, each made while `busy`."""
    while True:
        try:
            with busy():
                step = next(steps)
        except StopIteration:
            return
        yield step


def _has(file: IO[bytes], how: int) -> bool:
    """Whether a file is locked now, without a wait."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(name: str) -> IO[bytes]:
    """The user's file of that name. OSError where it cannot be had, or is not the user's."""
    path = Path(tempfile.gettempdir(), f"mbsweep-{os.getuid()}.{name}")
    file = open(path, "rb", opener=_open)  # noqa: SIM115  (closed by who asks)
    found = os.fstat(file.fileno())
    if found.st_uid != os.getuid() or not stat.S_ISREG(found.st_mode):
        file.close()
        raise PermissionError(path)
    os.utime(file.fileno())  # or who clears the folder of what is old takes it away while it is locked
    return file


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
