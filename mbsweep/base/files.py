"""Files that are written whole or not at all, and what a process that was killed leaves of them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mbsweep.base.errors import MbsweepError

# How the name of what is not finished ends. Whoever writes it has it locked, as long as its process lives.
UNFINISHED = ".mbsweep-unfinished"


def expanded(path: str | Path) -> Path:
    """A path with `~` and `~user` at its beginning replaced, where that home is known."""
    return Path(os.path.expanduser(path))


def write_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, also if the disk is full.

    Raises MbsweepError where it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device; a directory raises below
            with path.open("wb") as file:
                file.write(content)
            return
        target = path.resolve()  # a link stays, and what it points to is replaced
        remove_dead(target.parent)
        temporary, descriptor = _locked(target.parent, path.name[:50], _new_file)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except (OSError, ValueError) as error:
        raise MbsweepError(
            f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from None


def check_writable(path: Path) -> None:
    """MbsweepError, as of `write_file`, where it is clear beforehand that a file cannot be written."""
    try:
        folder = path.parent
        os.stat(folder)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.access(path if path.exists() and not path.is_file() else folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (OSError, ValueError) as error:
        raise MbsweepError(
            f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from None


def keep(path: Path, data: bytes) -> str:
    """Keep a file behind a line with its SHA-256, both at once. Returns why that cannot be, or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    except (OSError, MbsweepError) as error:
        return str(error)
    return ""


def read_kept(path: Path) -> bytes | None:
    """What `keep` has kept; None where there is nothing, or it is damaged."""
    try:
        digest, _, data = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return data if digest == hashlib.sha256(data).hexdigest().encode() else None


@contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder for this process alone, which is removed in the end. OSError where it cannot be made."""
    remove_dead(parent)
    folder, descriptor = _locked(parent, name, _new_folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_dead(folder: Path) -> None:
    """Remove from a folder what processes have not finished that do not live any more."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(UNFINISHED):
                with suppress(OSError):  # locked by a process that lives; or another removes it, too
                    _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    finally:
        os.close(descriptor)


def _locked(folder: Path, name: str, make: Callable[[Path], int]) -> tuple[Path, int]:
    """Something new that is not finished, and the descriptor that holds its lock."""
    while True:
        path = folder / f".{name}.{secrets.token_hex(4)}{UNFINISHED}"
        try:
            descriptor = make(path)
        except FileExistsError:
            continue
        with suppress(OSError):  # where nothing can be locked, nothing is taken for dead, either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            return path, descriptor
        os.close(descriptor)  # another process was faster, and took it for what a dead one has left


def _new_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _new_folder(path: Path) -> int:
    path.mkdir(mode=0o700)
    return os.open(path, os.O_RDONLY)


def as_text(name: str) -> str:
    """A file's name may hold bytes that are no text, which no table can hold: they are spelt out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
