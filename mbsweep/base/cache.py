"""Files that took long to make, kept by content: a network is lowered or quantised once per machine."""

from __future__ import annotations

import atexit
import functools
import hashlib
import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded, keep, read_kept, temporary_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

_PARTS = ("files", "datasets", "yardsticks")  # folders that must be writable where they are there


def cache_dir() -> Path:
    """MBSWEEP_CACHE, or mbsweep's folder in the user's cache folder. It may be deleted at any time.

    Where that cannot be had (no home, no permission, a file in its place) it is a temporary folder of this
    process and those that it starts, and stderr is told: what is made then is made anew the next time.
    """
    home = os.path.expanduser("~")  # stays "~" where nobody knows it
    if given := os.environ.get("MBSWEEP_CACHE"):
        return _usable(expanded(given))
    if base := os.environ.get("XDG_CACHE_HOME"):
        return _usable(expanded(base) / "mbsweep")
    return _usable(None if home == "~" else Path(home, ".cache", "mbsweep"))


def lasting_cache_dir() -> Path:
    """The same, for what other processes are to find there; MbsweepError where it would be temporary."""
    folder = cache_dir()
    if _own.cache_info().currsize and folder == _own():
        shutil.rmtree(folder, ignore_errors=True)  # a process that is killed would leave it behind
        raise MbsweepError("the cache cannot be used; set MBSWEEP_CACHE there to a writable folder")
    return folder


@functools.cache
def _usable(wanted: Path | None) -> Path:
    try:
        if wanted is None:
            raise OSError("there is no home folder")
        wanted.mkdir(parents=True, exist_ok=True)
        for folder in (wanted, *(wanted / name for name in _PARTS)):
            if folder == wanted or folder.exists():
                tempfile.TemporaryFile(dir=folder).close()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        of = "" if wanted is None else f" {wanted}"
        print(
            f"warning: the cache{of} cannot be used: {reason}; what takes long is made anew by each command: "
            "set MBSWEEP_CACHE to a writable folder",
            file=sys.stderr,
        )
        return _own()
    return wanted


@functools.cache
def _own() -> Path:
    """A cache that goes with this process; those that it starts use it, too."""
    stack = ExitStack()
    try:
        folder = stack.enter_context(temporary_folder(Path(tempfile.gettempdir()), "mbsweep-cache"))
    except OSError as error:
        raise MbsweepError(
            f"no temporary folder can be made: {error.strerror or error}; set TMPDIR to a writable folder"
        ) from None
    atexit.register(stack.close)
    os.environ["MBSWEEP_CACHE"] = str(folder)
    return folder


def content_key(module: nn.Module, image: NDArray[np.float32], *settings: str) -> str:
    """A hash of everything that a prepared file depends on.

    The network's structure and weights, the image's shape, and settings: precision, versions of the tools. Of
    modules that are not torch's or mbsweep's the source, too: their structure does not say what they do.
    """
    digest = hashlib.sha256(repr((module, image.shape, settings)).encode())
    for kind in sorted({type(part) for part in module.modules()}, key=repr):
        if kind.__module__.partition(".")[0] not in ("torch", "mbsweep"):
            with suppress(OSError, TypeError):
                digest.update(inspect.getsource(kind).encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def cached(key: str, ending: str, make: Callable[[], bytes]) -> bytes:
    """The kept file of this key, or else what `make` gives, kept for the next time if that is possible."""
    path = cache_dir() / "files" / f"{key}.{ending}"
    data = read_kept(path)
    if data is None:
        data = make()
        keep(path, data)
    return data
