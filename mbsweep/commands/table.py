"""DataFrame -> file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file

if TYPE_CHECKING:
    import pandas as pd


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
