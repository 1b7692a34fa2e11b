"""Files that took long to make, kept by content: a network is lowered or quantised once per machine."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mbsweep.errors import MbsweepError
from mbsweep.export import write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn


def cache_dir() -> Path:
    """MBSWEEP_CACHE, or mbsweep's folder in the user's cache folder. It may be deleted at any time."""
    if given := os.environ.get("MBSWEEP_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mbsweep"


def content_key(module: nn.Module, image: NDArray[np.float32], *settings: str) -> str:
    """A hash of everything that a prepared file depends on.

    The network's structure and weights, the image's shape, and settings: precision, versions of the tools.
    """
    digest = hashlib.sha256(repr((module, image.shape, settings)).encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def cached(key: str, ending: str, make: Callable[[], bytes]) -> bytes:
    """The kept file of this key, or else what `make` gives, kept for the next time.

    Raises MbsweepError where the cache cannot be written.
    """
    path = cache_dir() / "files" / f"{key}.{ending}"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    data = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    except MbsweepError as error:
        raise MbsweepError(f"{error}; set MBSWEEP_CACHE to a writable folder") from None
    return data


def check_writable() -> None:
    """MbsweepError where nothing can be kept in the cache."""
    folder = cache_dir() / "files"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from None


def _unusable(path: Path, reason: str) -> MbsweepError:
    return MbsweepError(f"{path}: the cache cannot be used: {reason}; set MBSWEEP_CACHE to a writable folder")
