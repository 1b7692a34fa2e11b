"""Figures -> PNG files for a paper or a slide, drawn by the page's plotly.js in a headless browser."""

from __future__ import annotations

import base64
import importlib.util
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from mbsweep.errors import MbsweepError
from mbsweep.export import write_file
from mbsweep.reporter.curves import learning_curves
from mbsweep.reporter.facts import open_parts
from mbsweep.reporter.figures import FIGURES
from mbsweep.reporter.page import curves_of, thinned, with_published
from mbsweep.results import PublishedRows, Run

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH = 1200  # of a picture, in the pixels of its fonts
SCALE = 2  # pixels of the file for each of these, both ways
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 120_000  # for the browser to start and to read plotly.js, on a busy machine

_PAGE = '<!doctype html><meta charset="utf-8"><div id="figure"></div><script>SCRIPT</script>'
_TICKS = Path(__file__).with_name("templates") / "ticks.js"  # the page's labels
_DRAW = """async ([text, width, scale]) => {
  const { data, layout } = JSON.parse(text);
  const element = document.getElementById("figure");
  for (const trace of data) if (trace.type === "scattergl") trace.type = "scatter"; // as sharp as the text
  await Plotly.newPlot(element, data, { ...layout, width }, { staticPlot: true });
  await chooseTicks(element);
  return Plotly.toImage(element, { format: "png", width, height: layout.height, scale });
}"""


def draw_pictures(pages: Sequence[Sequence[Run]], published: PublishedRows) -> list[dict[str, bytes]]:
    """For the runs of each page, the figures that the page shows: name in FIGURES, or curves -> PNG.

    pages, published: as in write_report. Raises MbsweepError where Playwright or a browser is missing or
    cannot draw.
    """
    with canvas() as tab:
        found = []
        for runs in pages:
            parts, table = open_parts(runs)
            found.append(_pictures(tab, thinned(with_published(table, published)), curves_of(parts)))
        return found


def _pictures(tab: Page, table: pd.DataFrame, epochs: pd.DataFrame) -> dict[str, bytes]:
    figures = {name: make(table) for name, make in FIGURES.items()} | {"curves": learning_curves(epochs)}
    return {name: picture(tab, figure) for name, figure in figures.items() if figure is not None}


def write_pictures(pages: Sequence[Path], pictures: Sequence[dict[str, bytes]]) -> list[Path]:
    """Write the pictures of each page beside it, named `PAGE.FIGURE.png`; return their paths."""
    written = []
    for page, drawn in zip(pages, pictures, strict=True):
        for name, content in drawn.items():
            written.append(page.with_name(f"{page.stem}.{name}.png"))
            write_file(written[-1], content)
    return written


@contextmanager
def canvas() -> Iterator[Page]:
    """A browser's tab with plotly.js, that reaches no network.

    Raises MbsweepError where Playwright or the browser is missing or fails, also while the tab is used.
    """
    if importlib.util.find_spec("playwright") is None:
        raise MbsweepError(
            "pictures need playwright, which is not installed; run: pip install 'mbsweep[png]'"
        )
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise MbsweepError(
            f"no browser to draw the pictures with: none of {', '.join(BROWSERS)} is on the PATH; "
            "install Debian's chromium or put one on the PATH"
        )
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            launched = playwright.chromium.launch(
                executable_path=path,
                chromium_sandbox=os.geteuid() != 0,  # for root, Chromium has none
                timeout=TIMEOUT_MS,
            )
            with launched as browser:
                tab = browser.new_page(offline=True)
                script = f"{get_plotlyjs()}\n{_TICKS.read_text(encoding='utf-8')}"
                tab.set_content(_PAGE.replace("SCRIPT", script), timeout=TIMEOUT_MS)
                yield tab
    except Error as error:
        reason = error.message.partition("\n")[0]
        raise MbsweepError(f"{path} cannot draw the pictures: {reason}") from None


def picture(tab: Page, figure: go.Figure) -> bytes:
    """A figure as a PNG file, WIDTH wide and as high as it is on the page, times SCALE."""
    url = str(tab.evaluate(_DRAW, [figure.to_json(), WIDTH, SCALE]))
    return base64.b64decode(url.partition(",")[2])
