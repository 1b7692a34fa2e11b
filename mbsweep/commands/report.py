"""`mbsweep report`: runs as pages."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mbsweep.commands import exits
from mbsweep.commands.options import path

EXAMPLE = "mbsweep report --html reports/"


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", parser=path, help="Run folders; default every run under runs/."),
    ] = None,
    html: Annotated[Path, typer.Option(parser=path, help="Folder for the pages.")] = Path("reports"),
    png: Annotated[
        bool, typer.Option("--png", help="Draw each figure as a picture beside its page, too.")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print each page to a PDF beside it, too.")] = False,
) -> None:
    """Write a page for each run, or one for those that are named.

    One page shows the named runs side by side. The index lists all pages in the folder.
    """
    from mbsweep.accuracy.published import latency_rows
    from mbsweep.commands._published import printed_sizes
    from mbsweep.commands._reading import reading
    from mbsweep.reporter.page import write_report
    from mbsweep.reporter.pictures import canvas, draw_pictures, printed
    from mbsweep.table.results import find_runs, open_run

    opened, empty, faults = ([open_run(path) for path in runs], [], []) if runs else find_runs(Path("runs"))
    for folder in empty:
        print(f"{folder} was stopped before it began and is left out", file=sys.stderr)
    pages = [opened] if runs else [[run] for run in opened]
    # Before any page: there may be no browser.
    with canvas() if png or pdf else contextlib.nullcontext() as tab, reading(opened) as progress:
        draw = partial(draw_pictures, tab, published=latency_rows) if tab and png else None
        to_pdf = partial(printed, tab) if tab and pdf else None
        written = write_report(
            pages, html, latency_rows, printed_sizes, draw, to_pdf, faults.append, progress
        )
    for page in written:
        print(page)
    if faults:
        for fault in faults:
            print(f"left out: {fault}", file=sys.stderr)
        raise typer.Exit(exits.FAILURES)
