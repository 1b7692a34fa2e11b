"""Figures -> PNG files for a paper or a slide, drawn by the page's plotly.js in a headless browser."""

from __future__ import annotations

import base64
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from mbsweep.base.errors import MbsweepError
from mbsweep.reporter.drawn import of_searches, stills
from mbsweep.reporter.page import with_published
from mbsweep.reporter.parts import Part
from mbsweep.reporter.plotly_js import plotly_js
from mbsweep.reporter.thinning import thinned
from mbsweep.table.published import PublishedRows

if TYPE_CHECKING:
    from playwright.sync_api import Page, PdfMargins, ViewportSize

WIDTH = 1200  # of a picture, in the pixels of its fonts
SCALE = 2  # pixels of the file for each of these, both ways
# The first, Debian's package of what alone draws pages, starts in half the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 120_000  # for the browser to start and to read plotly.js, on a busy machine

_PAGE = '<!doctype html><meta charset="utf-8"><div id="figure"></div><script>SCRIPT</script>'
_MARGIN = "10mm"
_SHEET: ViewportSize = {"width": 1047, "height": 718}  # A4, lying, without its margins: pixels of 1/96 inch
_IS_DRAWN = """() => {
  const figures = [...document.querySelectorAll(".figure")];
  const isThere = figures.every((one) => one.classList.contains("drawn"));
  const isFitted = (one) => !one?._fullLayout || Math.abs(one._fullLayout.width - one.clientWidth) < 2;
  const areFitted = [...figures, document.getElementById("explorer-plot")].every(isFitted);
  return isThere && areFitted && document.getElementById("explorer-remark")?.textContent !== "";
}"""
_TICKS = Path(__file__).with_name("templates") / "ticks.js"  # the page's labels
_DRAW = """async ([text, width, scale]) => {
  const { data, layout } = JSON.parse(text);
  const element = document.getElementById("figure");
  for (const trace of data) if (trace.type === "scattergl") trace.type = "scatter"; // as sharp as the text
  await Plotly.newPlot(element, data, { ...layout, width }, { staticPlot: true });
  await chooseTicks(element);
  return Plotly.toImage(element, { format: "png", width, height: layout.height, scale });
}"""


def draw_pictures(
    tab: Page, parts: Sequence[Part], table: pd.DataFrame, published: PublishedRows
) -> dict[str, bytes]:
    """The figures of the page of some runs: name, as in `drawn.NAMES` -> PNG.

    tab: from `canvas`. parts, table: as `mbsweep.reporter.parts.open_parts` gives them. published: as in
    `write_report`.
    """
    rows = thinned(with_published(table, published))
    drawn = [*stills(parts, rows), *(one for of_run in of_searches(parts) for one in of_run)]
    return {one.name: picture(tab, one.figure) for one in drawn}


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
        with _home(), sync_playwright() as playwright:
            launched = playwright.chromium.launch(
                executable_path=path,
                chromium_sandbox=os.geteuid() != 0,  # for root, Chromium has none
                timeout=TIMEOUT_MS,
            )
            with launched as browser:
                tab = browser.new_page(offline=True)
                script = f"{plotly_js()}\n{_TICKS.read_text(encoding='utf-8')}"
                tab.set_content(_PAGE.replace("SCRIPT", script), timeout=TIMEOUT_MS)
                yield tab
    except Error as error:
        reason = error.message.partition("\n")[0]
        raise MbsweepError(f"{path} cannot draw the pictures: {reason}") from None


@contextmanager
def _home() -> Iterator[None]:
    """Playwright's driver ends where nobody knows a home, though it puts nothing there."""
    is_known = os.path.expanduser("~") != "~"
    if not is_known:
        os.environ["HOME"] = tempfile.gettempdir()
    try:
        yield
    finally:
        if not is_known:
            del os.environ["HOME"]


def printed(tab: Page, page: Path) -> bytes:
    """A report's page as a PDF file, as its reader would print it. tab: from `canvas`."""
    browser = tab.context.browser
    assert browser is not None  # noqa: S101  (of a tab from `canvas`)
    # As wide as the paper: a figure that is wider would be cut, for it is drawn before it is printed.
    sheet = browser.new_page(offline=True, viewport=_SHEET)
    try:
        sheet.goto(page.resolve().as_uri(), timeout=TIMEOUT_MS)
        sheet.emulate_media(media="print")
        sheet.evaluate("dispatchEvent(new Event('beforeprint'))")  # it draws what is not yet on the screen
        sheet.wait_for_function(_IS_DRAWN, timeout=TIMEOUT_MS)
        edges: PdfMargins = {"top": _MARGIN, "right": _MARGIN, "bottom": _MARGIN, "left": _MARGIN}
        return sheet.pdf(format="A4", landscape=True, print_background=True, margin=edges)
    finally:
        sheet.close()


def picture(tab: Page, figure: go.Figure) -> bytes:
    """A figure as a PNG file, WIDTH wide and as high as it is on the page, times SCALE."""
    url = str(tab.evaluate(_DRAW, [figure.to_json(), WIDTH, SCALE]))
    return base64.b64decode(url.partition(",")[2])
