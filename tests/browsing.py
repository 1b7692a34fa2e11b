"""Pages as a reader meets them: opened from a file in headless Chromium, without any network."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Error, sync_playwright
from playwright.sync_api import Page as Tab
from reporter_runs import merged
from sharing import made_once, shared_folder

from mbsweep.reporter.pictures import BROWSERS

WIDE, MIDDLING, NARROW = 1280, 1000, 390
TIMEOUT_MS = 120_000  # on a busy machine
PLOTLY_LINE = 5000  # see `Chromium.placed`
# What stands in the address behind "#" would make it another script. It is back before a line of ours runs.
HIDE_CHOICES = """if (location.hash) {
  const { pathname, hash } = location;
  history.replaceState(null, "", pathname);
  Object.defineProperty(window, "Plotly", { configurable: true, set(value) {
    Object.defineProperty(window, "Plotly", { value, writable: true });
    history.replaceState(null, "", hash);
  } });
}"""


@contextmanager
def _chromium() -> Iterator[BrowserContext]:
    """The browser on the PATH; without one the tests are skipped, in CI they fail.

    Its tabs share one process, which so compiles plotly.js, most of the time of opening a page, only once;
    see `Chromium.placed`.
    """
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        message = f"no browser to test the pages in: none of {', '.join(BROWSERS)} is on the PATH"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        one = ["--no-sandbox", "--renderer-process-limit=1"]
        with playwright.chromium.launch(executable_path=path, args=one) as browser:
            context = browser.new_context()
            context.set_offline(True)
            context.set_default_timeout(TIMEOUT_MS)
            context.new_page()  # the process lives as long as a tab of it
            yield context


class Chromium:
    """A browser for a whole session: started when it is asked for, and again after it was closed."""

    def __init__(self, folder: Path) -> None:
        """folder: for itself."""
        self._folder = folder
        self._stack = ExitStack()
        self._context: BrowserContext | None = None

    def new_tab(self) -> Tab:
        """An empty one."""
        self._context = self._context or self._stack.enter_context(_chromium())
        return self._context.new_page()

    def placed(self, page: Path) -> Path:
        """A copy of a page at the one place for all of them, with blank lines before plotly.js, so that it
        begins in one line in all: the browser knows a script again by its address, its line and its text.

        A page without plotly.js, an index, stays where it is, beside those that it leads to.
        """
        head, script, rest = page.read_bytes().partition(b"<script>/**\n* plotly.js ")
        if not script:
            return page
        lines = head.count(b"\n")
        assert lines < PLOTLY_LINE, f"{page}: {lines} lines before plotly.js"
        place = self._folder / "page.html"
        place.write_bytes(head + b"\n" * (PLOTLY_LINE - lines) + script + rest)
        return place

    def close(self) -> None:
        """End it, for those who start one of their own: a process has one Playwright at a time."""
        self._context = None
        self._stack.close()


class Pages:
    """Name of a page -> its file, written when it is first asked for, by whichever worker that is."""

    def __init__(self, tmp_path_factory, label: str, made: Mapping) -> None:
        """label: of these pages, unlike others. made: page -> run -> what writes that run into a folder."""
        self._factory, self.label, self.made = tmp_path_factory, label, made
        self.folder = shared_folder(tmp_path_factory) / label  # of the runs: page / run

    def __call__(self, name: str) -> Path:
        """The page of a name."""

        def write(folder: Path) -> None:
            runs = [make(folder / run) for run, make in self.made[name].items()]
            merged(folder / "pages of these", *runs)

        folder = made_once(self._factory, f"{self.label}/{name}", write) / "pages of these"
        (page,) = (path for path in folder.glob("*.html") if path.name != "index.html")
        return page


@dataclass
class Opened:
    """A page in a tab, and what it has said and asked for since it was opened."""

    tab: Tab
    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check(self) -> None:
        """The page has raised, asked and loaded nothing."""
        assert self.troubles == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        files = [url for url in self.requests if url.startswith("file:")]
        assert len(files) == 1 or all(url.split("#")[0].endswith(".html") for url in files)


def _open(
    browser: Chromium,
    path: Path,
    width: int = WIDE,
    script: str = "",
    at: str = "",
    color_scheme: Literal["light", "dark"] = "light",
) -> Opened:
    page = Opened(tab := browser.new_tab())
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=color_scheme)
    tab.add_init_script(f"{script}\n{HIDE_CHOICES}")
    tab.on("request", lambda request: page.requests.append(request.url))
    tab.on("pageerror", lambda error: page.troubles.append(str(error)))
    tab.on("console", lambda said: page.troubles.append(said.text) if is_trouble(said) else None)
    tab.on("dialog", lambda dialog: (page.troubles.append(dialog.message), dialog.dismiss()))
    address = browser.placed(path).as_uri()
    tab.goto(f"{address}#{at}" if at else address)
    return page


@contextmanager
def opened(browser: Chromium, path: Path, *, figures: bool = False, at: str = "", **how) -> Iterator[Tab]:
    """`with opened(browser, path) as tab`: in the end, the page has raised, asked and loaded nothing.

    figures: whether those that come drawn are waited for; as for a reader, none is drawn that is far away.
    at: what stands in the address behind `#`. how: width of the window, script to run before those of the
    page, and which color_scheme the reader's system has.
    """
    page = _open(browser, path, at=at, **how)
    try:
        ready = settle if figures else rest
        ready(page.tab)
        yield page.tab
        ready(page.tab)
        page.check()
    finally:
        page.tab.close()


class Views:
    """Pages that stay open from test to test; each test finds the choices of its address, and no others.

    That an address which is set in an open page gives the same view as one that it is opened with is a claim
    of its own, of test_page_edges.
    """

    def __init__(self, browser: Chromium) -> None:
        self.browser = browser
        self.open: dict[Path, Opened] = {}

    @contextmanager
    def __call__(
        self, path: Path, *, figures: bool = False, at: str = "", width: int = WIDE
    ) -> Iterator[Tab]:
        """As `opened`."""
        if path in self.open:
            page = self.open.pop(path)
            page.tab.set_viewport_size({"width": width, "height": 900})
            page.tab.evaluate(
                """(at) => {
                  scrollTo(0, 0);
                  document.activeElement?.blur();
                  history.replaceState(null, "", `#${at}`);
                  change(readAddress());
                }""",
                at,
            )
        else:
            while len(self.open) > 1:  # they are large
                self.open.pop(next(iter(self.open))).tab.close()
            page = _open(self.browser, path, width=width, at=at)
        ready = settle if figures else rest
        try:
            ready(page.tab)
            yield page.tab
            ready(page.tab)
            page.check()
        except BaseException:
            page.tab.close()
            raise
        self.open[path] = page

    def close(self) -> None:
        """Close all tabs."""
        for page in self.open.values():
            with suppress(Error):
                page.tab.close()


def is_trouble(said) -> bool:
    """All but a software renderer's remark on how slow it is."""
    return said.type in ("error", "warning") and "GL Driver Message" not in said.text


def settle(tab: Tab) -> None:
    """Wait until every figure is drawn, which it is when it comes near, and nothing is about to be again."""
    tab.wait_for_load_state()
    tab.evaluate(
        """async () => {
          const figures = document.querySelectorAll('.figure');
          for (const still of document.querySelectorAll('.still')) still.open = true;
          for (const figure of figures) {
            if (typeof change === 'function') change({ tab: figure.closest('.panel').id });
            figure.scrollIntoView();
            const isDrawn = () => figure.querySelector('.main-svg, .no-webgl');
            const soon = () => new Promise((done) => setTimeout(done, 20));
            for (let waits = 0; !isDrawn() && waits < 1000; waits += 1) await soon();
          }
          scrollTo(0, 0);
        }"""
    )
    tab.wait_for_function(
        "[...document.querySelectorAll('.figure')].every((f) => f.querySelector('.main-svg, .no-webgl'))"
    )
    rest(tab)


def rest(tab: Tab) -> None:
    """Wait until what the page draws at once is there: the explorer, or words in its place."""
    tab.wait_for_function("document.getElementById('explorer-remark')?.textContent !== ''")
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def open_axes(tab: Tab) -> None:
    """Let the controls of any two numbers be there to be used."""
    tab.evaluate("document.getElementById('any').open = true")


def show(tab: Tab, part: str) -> None:
    """Turn to a part of the page: networks, devices, stills (all of them unfolded), measured, sizes."""
    tab.locator(f"#tab-{part}").click()
    tab.evaluate("for (const still of document.querySelectorAll('.still')) still.open = true")


def cells(tab: Tab, head: str) -> list[str]:
    """The texts of one column of the table, from top to bottom."""
    heads = tab.locator("#table th").all_inner_texts()
    (place,) = [i for i, text in enumerate(heads) if text.rstrip(" ▲▼") == head]
    return tab.locator(f"#table tbody td:nth-child({place + 1})").all_inner_texts()
