"""Files that trainings need, by content: each goes to a node once, into mbsweep's cache there, and stays."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mbsweep.accuracy.datasets.dataset import CONTENTS, LABELS, images_file
from mbsweep.base.cache import cache_dir
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import temporary_folder

PIECE_BYTES = 16 << 20  # sent at once: a small object store has room for some of them
_SENT = "sent"  # the folder of the cache for all but data sets, and for what is known of any
_KEPT_S = 30 * 24 * 3600.0  # what nobody has asked for since


@dataclass(frozen=True)
class Parcel:
    """A file of this machine. target: where it goes, in the cache of a node."""

    source: str
    target: str
    sha256: str
    size_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Sender:
    """Knows the hashes of files of this machine: each is read for that once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], str] = {}
        self._reading = threading.Lock()  # who needs the same file waits, in place of reading it, too

    def of_dataset(self, told: dict[str, Any], resolution: int | None) -> list[Parcel]:
        """A data set's files, images at one resolution; `told` as of `Dataset.as_dict`. OSError where they
        are not there.
        """
        folder = Path(told["folder"])
        names = [LABELS, CONTENTS, "about.json"]
        if resolution:
            images = images_file(folder, resolution)
            names = [images.name, images.with_suffix(".sha256").name, *names]
        return [self._parcel(folder / name, f"datasets/{told['id']}/{name}") for name in names]

    def of_files(self, paths: list[Path]) -> list[Parcel]:
        """Files that lie in one folder, and are to do so there. OSError where they are not there."""
        hashes = [self._sha256(path) for path in paths]
        folder = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
        return [self._parcel(path, f"{_SENT}/{folder}/{path.name}") for path in paths]

    def _parcel(self, path: Path, target: str) -> Parcel:
        return Parcel(str(path), target, self._sha256(path), path.stat().st_size)

    def _sha256(self, path: Path) -> str:
        stat = path.stat()
        key = str(path), stat.st_size, stat.st_mtime_ns
        with self._reading:
            if key not in self._known:
                self._known[key] = _sha256(path)
            return self._known[key]


class Receiver:
    """Takes files in on a node, one after another. Each step may raise OSError."""

    def __init__(self) -> None:
        self._arriving = ExitStack()

    def lacks(self, parcel: dict[str, Any]) -> bool:
        """Whether it is to be sent: then `take` its pieces, and `keep` it.

        Waits where it is on its way here for another run.
        """
        self.forget()
        root = cache_dir()
        self._target, self._sha256 = root / parcel["target"], parcel["sha256"]
        known = root / _SENT / f"{self._sha256}.json"
        known.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._arriving.enter_context(known.open("a+"))
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if self._is_here(parcel["size_bytes"]):
            self.forget()
            return False
        self._target.parent.mkdir(parents=True, exist_ok=True)
        folder = self._arriving.enter_context(temporary_folder(self._target.parent, "arriving"))
        self._path = folder / self._target.name
        self._file = self._arriving.enter_context(self._path.open("wb"))
        return True

    def take(self, piece: bytes) -> None:
        """The next piece."""
        self._file.write(piece)

    def keep(self) -> None:
        """All is here. MbsweepError where it is not what was to come."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if _sha256(self._path) != self._sha256:
            raise MbsweepError(f"{self._target}: what arrived is damaged")
        self._path.replace(self._target)
        self._note()
        self.forget()
        _remove_old(cache_dir() / _SENT)

    def forget(self) -> None:
        """Whatever was on its way here."""
        self._arriving.close()

    def _is_here(self, size_bytes: int) -> bool:
        """As it was when it was looked at whole; else it is looked at whole."""
        try:
            if self._target.stat().st_size != size_bytes:
                return False
            self._lock.seek(0)
            if self._lock.read() != self._state() and _sha256(self._target) != self._sha256:
                return False
        except OSError:
            return False
        self._note()
        return True

    def _state(self) -> str:
        stat = self._target.stat()
        return json.dumps([str(self._target), stat.st_size, stat.st_mtime_ns, stat.st_ino])

    def _note(self) -> None:
        self._lock.truncate(0)
        self._lock.write(self._state())
        self._lock.flush()
        os.utime(self._lock.fileno())


def _remove_old(sent: Path) -> None:
    """Files that were sent, not data sets, and that nobody has asked for in a month."""
    before = time.time() - _KEPT_S
    with suppress(OSError):
        for known in sent.glob("*.json"):
            if known.stat().st_mtime < before:
                with suppress(ValueError, LookupError, TypeError):
                    target = Path(json.loads(known.read_text())[0])
                    if target.is_relative_to(sent):
                        shutil.rmtree(target.parent, ignore_errors=True)
                known.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
