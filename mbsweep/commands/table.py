"""`mbsweep table`: runs as CSV, JSON, Markdown or Parquet; on a terminal, to be read."""

from __future__ import annotations

import importlib.util
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file
from mbsweep.commands.options import RunFolders, path

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "mbsweep table runs/width_res -o width_res.csv"


class Format(StrEnum):
    """File formats of a table."""

    csv = "csv"
    json = "json"
    md = "md"
    parquet = "parquet"


def table(
    runs: RunFolders,
    format: Annotated[
        Format | None,
        typer.Option(help="File format.", show_default="by the ending of -o; on a terminal none, else csv"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", parser=path, help="Write to a file, not to stdout.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C", help="Columns.", show_default="all; on a terminal and in md the usual ones"
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="[-]COLUMN", help="Sort by a column; with - the most first.", show_default=False
        ),
    ] = None,
    on_front: Annotated[
        bool, typer.Option("--front", help="Rows on the front of top-1 against latency alone.")
    ] = False,
    compressed: Annotated[
        bool, typer.Option("--compressed", help="Steps of compression, one row per variant and step.")
    ] = False,
    search: Annotated[
        bool, typer.Option("--search", help="Evaluations of a search, one row each: when, why, what it saw.")
    ] = False,
    layers: Annotated[
        bool, typer.Option("--layers", help="With --compressed: one row per layer of each network.")
    ] = False,
) -> None:
    """Print runs: one row per variant and latency configuration.

    Several runs stand below one another. A terminal gets a table to read, a pipe CSV.
    """
    from mbsweep.base.printing import terminal_columns
    from mbsweep.commands import _compressed, _search, _tables
    from mbsweep.commands._reading import reading
    from mbsweep.table.results import combine, open_run

    suffix = output.suffix[1:] if output else ""
    if not format and suffix and suffix not in Format.__members__:
        allowed = ", ".join(Format.__members__)
        raise MbsweepError(f"{output}: the ending {suffix!r} is none of {allowed}; say which with --format")
    is_read = format is None and output is None and terminal_columns() is not None
    chosen = format or (Format(suffix) if suffix else Format.csv)
    opened = [open_run(run) for run in runs]
    if output and any(run.is_in(output) for run in opened):
        raise MbsweepError(f"{output} is the run that is read; name another file with -o")
    if search and (compressed or layers):
        raise MbsweepError("--search and --compressed are two tables; name one of them")
    if compressed or layers:
        if on_front or not compressed:
            raise MbsweepError("--layers goes with --compressed, --front does not; leave it out")
        frame = _compressed.rows(opened, layers, columns, sort)
        if is_read or chosen is Format.md:
            _compressed.print_rows(frame, is_read and columns is None and not layers)
        else:
            write_table(frame, chosen.value, output)
        return
    if search:
        found = _search.rows(opened, on_front, columns, sort)
        if is_read or chosen is Format.md:
            _search.print_rows(opened, found, is_read and columns is None)
        else:
            write_table(found, chosen.value, output)
        return
    with reading(opened) as progress:
        every = combine(opened, progress)
    rows = _tables.chosen(every, sort, on_front)
    names = _tables.named(every, columns)
    if is_read:
        _tables.print_rows(every, rows, names)
    elif chosen is Format.md:
        _write(_tables.markdown(every, rows, names).encode(), output)
    else:
        write_table(rows if names is None else rows[names], chosen.value, output)


def write_table(frame: pd.DataFrame, format_: str, output: Path | None) -> None:
    """Write a table as csv, json (a list of records, unknown as null) or parquet, to a file or to stdout."""
    from mbsweep.table.columns import EXACT, INNER, WHOLE

    frame = frame.drop(columns=[name for name in INNER if name in frame])
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
        # What some networks lack is of floats in the table; channels of a stage may be broken numbers.
        whole = {
            name: "Int64"
            for name in (*WHOLE, *EXACT)
            if name in frame and frame[name].dtype == float and (frame[name].dropna() % 1 == 0).all()
        }
        content = frame.astype(whole).to_csv(index=False).encode()
    _write(content, output)


def _write(content: bytes, output: Path | None) -> None:
    if output is not None:
        write_file(output, content)
    else:
        sys.stdout.write(content.decode())
        sys.stdout.flush()
