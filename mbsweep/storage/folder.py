"""A run's folder: what lies in it, and its lock."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mbsweep.base.errors import MbsweepError

FILE_NAME = "run.sqlite"
LOCK_NAME = "lock"


def holds_run(folder: Path) -> bool:
    """Whether a folder holds a run. MbsweepError where that cannot be told."""
    with _explained(folder, "read"):
        return (folder / FILE_NAME).is_file()


def check_free(folder: Path) -> None:
    """MbsweepError where a folder can neither hold a new run nor holds one already."""
    with _explained(folder, "written"):
        if folder.exists() and not folder.is_dir():
            raise MbsweepError(f"{folder} is a file; choose another --out")
        if folder.is_dir() and not (folder / FILE_NAME).is_file() and not _is_empty(folder):
            raise MbsweepError(f"{folder} is not empty and holds no mbsweep run; choose another --out")


def _is_empty(folder: Path) -> bool:
    """Whether there is nothing in a folder, but perhaps the lock of a run that was stopped at once."""
    return all(path.name == LOCK_NAME and _is_lock(path) for path in folder.iterdir())


def _is_lock(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return re.fullmatch(rb"([0-9]+\n)?", file.read(20)) is not None


def lock(folder: Path) -> IO[str]:
    """Make the folder if need be, and lock it until the returned file is closed or the process ends, however.

    Raises MbsweepError where another process has it, or it cannot be written.
    """
    with _explained(folder, "written"):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK_NAME).open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip() or "unknown"
            file.close()
            raise MbsweepError(
                f"{folder} is in use by another mbsweep run (process {holder}); wait for it or choose --out"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    return file


@contextmanager
def _explained(folder: Path, attempt: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise MbsweepError(f"{folder}: cannot be {attempt}: {reason}; choose another --out") from None
