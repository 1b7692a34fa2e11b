"""`mbsweep open`: a run's page, in the browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from mbsweep.commands.options import RunFolder, path

EXAMPLE = "mbsweep open runs/width_res"


def open(
    run: RunFolder,
    html: Annotated[
        Path | None,
        typer.Option(parser=path, help="Folder for the page.", show_default="reports/ beside the run"),
    ] = None,
) -> None:
    """Write a run's page and open it in the browser.

    Where there is no browser, its path is printed alone.
    """
    from mbsweep.accuracy.published import latency_rows
    from mbsweep.commands._published import printed_sizes
    from mbsweep.commands._reading import reading
    from mbsweep.reporter.page import write_report
    from mbsweep.table.results import open_run

    opened = open_run(run)
    folder = html or run.absolute().parent / "reports"
    with reading([opened]) as progress:
        _, page = write_report([[opened]], folder, latency_rows, printed_sizes, progress=progress)
    print(page)
    if not (has_screen() and webbrowser.open(page.absolute().as_uri())):
        print("there is no browser to open it in", file=sys.stderr)


def has_screen() -> bool:
    """Whether a browser would have a window: without one, Python might start one that draws with letters."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform != "linux" or any(os.environ.get(name) for name in names)
