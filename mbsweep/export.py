"""DataFrame -> file. What stood there before is replaced whole or not at all."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mbsweep.errors import MbsweepError

if TYPE_CHECKING:
    import pandas as pd


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
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{path.name[:50]}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)  # mkstemp's files are private
            Path(temporary).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except (OSError, ValueError) as error:
        raise MbsweepError(
            f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from None


def write_table(frame: pd.DataFrame, format_: str, output: Path | None) -> None:
    """Write a table as csv, json (a list of records, unknown as null) or parquet, to a file or to stdout."""
    if format_ == "parquet":
        if output is None:
            raise MbsweepError("parquet is not text; name a file with -o FILE")
        if importlib.util.find_spec("pyarrow") is None:
            raise MbsweepError(
                "parquet needs pyarrow, which is not installed; run: pip install 'mbsweep[parquet]'"
            )
        content = frame.to_parquet(index=False)
    elif format_ == "json":
        content = (frame.to_json(orient="records", indent=1, double_precision=15) + "\n").encode()
    else:
        content = frame.to_csv(index=False).encode()
    if output is not None:
        write_file(output, content)
    else:
        sys.stdout.write(content.decode())
        sys.stdout.flush()
