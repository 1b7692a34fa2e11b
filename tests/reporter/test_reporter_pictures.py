"""`mbsweep report --png`: pictures of the figures, drawn by a real browser."""

import io
import os
import shutil
import struct
from contextlib import ExitStack

import numpy as np
import pytest
from axis_labels import check_labels
from console import call, contents, refusal
from PIL import Image  # fvcore needs it
from reporter_runs import HOSTILE, WIDTH_RES, hostile_run, many_run, write_run

from mbsweep import MbsweepError, open_run
from mbsweep.accuracy.published import latency_rows
from mbsweep.commands._published import printed_sizes
from mbsweep.reporter import drawn as drawing
from mbsweep.reporter.figures import FIGURES, accuracy_latency
from mbsweep.reporter.page import with_published, write_report
from mbsweep.reporter.parts import open_parts
from mbsweep.reporter.pictures import BROWSERS, canvas, draw_pictures, picture
from mbsweep.table.results import combine

pytest.importorskip("playwright")

FINE = "space: {width: {from: 0.1, to: 2.0, step: 0.005}, resolution: {from: 96, to: 320, step: 1}}\n"


@pytest.fixture(scope="module", autouse=True)
def own_browser(chromium):
    chromium.close()  # that of the other tests: the pictures are drawn in one of their own
    if not any(map(shutil.which, BROWSERS)):
        message = f"no browser to draw with: none of {', '.join(BROWSERS)} is on the PATH"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return many_run(tmp_path_factory.mktemp("many") / "run")


class Canvas:
    """The tab that tests draw in, one after another, until one starts a browser of its own."""

    def __init__(self):
        self._stack, self._tab = ExitStack(), None

    def tab(self):
        """From `canvas`."""
        self._tab = self._tab or self._stack.enter_context(canvas())
        return self._tab

    def close(self):
        """End its browser."""
        self._tab = None
        self._stack.close()


@pytest.fixture(scope="module")
def shared():
    found = Canvas()
    yield found
    found.close()


@pytest.fixture
def alone(shared):
    """For a test that starts a browser: a process has one Playwright at a time."""
    shared.close()


def pictures_of(tab, run):
    """name -> picture of the figures of a run."""
    return draw_pictures(tab, *open_parts([open_run(run)]), latency_rows)


@pytest.fixture(scope="module")
def drawn(many, shared):
    """name -> picture of the figures of a run of eight configurations."""
    return pictures_of(shared.tab(), many)


def size(png):
    """Width and height, as the file's header says."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def pixels(png):
    """Array (height, width, 4): red, green, blue, opacity."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA"))


def coloured(image):
    """How many pixels are neither grey nor white."""
    red, green, blue = (image[:, :, channel] for channel in range(3))
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return int((most - least > 60).sum())


def test_there_is_a_picture_of_every_figure_of_the_page(drawn):
    """And of no other: this run has accuracies, so parameters against mult-adds is not drawn."""
    assert list(drawn) == [name for name in FIGURES if name != "params_macs"]


def test_pictures_are_2400_pixels_wide_and_twice_the_figures_height(drawn):
    """1200 wide at 2 pixels each, whatever the figure; the height follows from its panels."""
    for name, png in drawn.items():
        width, height = size(png)
        assert width == 2400, name
        assert height % 2 == 0
        assert 700 < height < 6000
    assert size(drawn["latency_macs"])[1] > size(drawn["accuracy_macs"])[1]  # four rows of panels, and one


def test_pictures_are_white_with_coloured_points(drawn):
    """Opaque, white to all four corners; thousands of coloured pixels in the middle."""
    for name, png in drawn.items():
        image = pixels(png)
        assert (image[:, :, 3] == 255).all(), name
        for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
            assert image[row, column, :3].tolist() == [255, 255, 255], name
        assert coloured(image) > 5000, name
        assert coloured(image) < image.shape[0] * image.shape[1] / 4, name


def test_the_command_writes_pages_and_pictures(tmp_path, monkeypatch, alone):
    """Named like their page, printed behind all pages; nothing else is in the folder."""
    for name in ("a.b", "two"):
        write_run(tmp_path / "runs" / name, "space: {width: [0.5, 1.0]}\n")
    monkeypatch.chdir(tmp_path)
    result = call("report", "--html", "pages", "--png")
    assert result.exit_code == 0, result.output
    names = ["index.html", "a.b.html", "two.html"]
    pictures = ["a.b.latency_macs.png", "a.b.ranks.png", "a.b.params_macs.png"]
    pictures += [name.replace("a.b", "two") for name in pictures]
    assert result.stdout.split() == [f"pages/{name}" for name in names + pictures]
    files = contents(tmp_path / "pages")
    assert sorted(files) == sorted(names + pictures)
    assert size(files["two.params_macs.png"])[0] == 2400


def test_several_runs_have_the_pictures_of_their_page(tmp_path, monkeypatch, alone):
    """`mbsweep report A B --png`: panels of both runs. One figure is drawn, for its size is looked at."""
    monkeypatch.setattr(drawing, "FIGURES", {"accuracy_latency": accuracy_latency})
    runs = [write_run(tmp_path / name) for name in ("a", "b")]
    result = call("report", *runs, "--html", tmp_path / "pages", "--png")
    assert result.exit_code == 0, result.output
    one, both = (
        2 * accuracy_latency(with_published(combine(list(map(open_run, group))), latency_rows)).layout.height
        for group in (runs[:1], runs)
    )
    assert size((tmp_path / "pages" / "a+b.accuracy_latency.png").read_bytes())[1] == both > one


def test_hostile_names_are_drawn_as_text(tmp_path, shared):
    """Markup in a device's name: no element comes of it, no script runs, nothing is asked for."""
    figure = FIGURES["latency_macs"](open_run(hostile_run(tmp_path / "run")).table())
    tab = shared.tab()
    troubles = []

    def dismiss(dialog):
        troubles.append(dialog.message)
        dialog.dismiss()

    listeners = {
        "dialog": dismiss,
        "pageerror": lambda error: troubles.append(str(error)),
        "request": lambda request: troubles.append(request.url),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)
    image = pixels(picture(tab, figure))
    titles = tab.locator(".annotation").all_text_contents()
    assert tab.locator("img, iframe, object").count() == 0
    assert tab.locator("script").count() == 1
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    assert [url for url in troubles if not url.startswith(("data:", "blob:"))] == []
    shown = HOSTILE.replace(" ", "")[:40]
    assert [shown in "".join(title.split()) for title in titles] == [True, True]
    assert coloured(image) > 5000


def test_the_labels_of_a_picture_are_the_numbers_of_their_places(tmp_path, shared):
    """From 2.1 to 6.5 ms, where of 1, 2 and 5 there is but one; and to 20, with some space a decade."""
    for slowest_ms in (6.5, 20):
        step_ms = (slowest_ms - 2.1) / 96
        run = write_run(
            tmp_path / f"{slowest_ms}",
            latency_ms=lambda config, v, step_ms=step_ms: 2.1 + step_ms * (v.resolution - 128),
        )
        picture(shared.tab(), open_run(run).figure("top1_pct", "latency_ms"))
        assert check_labels(shared.tab(), "#figure") == 2


def test_thousands_of_points_are_drawn(tmp_path, shared):
    """20,000 of 25,000 variants, as on the page."""
    run = write_run(tmp_path / "run", FINE + "sample: {count: 25000}\n")
    assert coloured(pixels(pictures_of(shared.tab(), run)["params_macs"])) > 100_000


def refused(tmp_path):
    run = write_run(tmp_path / "run", "space: {width: [0.5]}\n")
    message = refusal(call("report", run, "--html", tmp_path / "pages", "--png"))
    assert not (tmp_path / "pages").exists()
    return message


def test_without_a_browser_nothing_is_written(tmp_path, monkeypatch):
    """What was looked for, and what to do; exit code 2, and no page either."""
    monkeypatch.setenv("PATH", "")
    assert refused(tmp_path) == (
        "no browser to draw the pictures with: none of chromium-headless-shell, chromium, chromium-browser, "
        "google-chrome is on the PATH; install Debian's chromium or put one on the PATH"
    )


def test_without_playwright_the_way_to_get_it_is_told(tmp_path, monkeypatch):
    """It is an extra; no page is written either."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refused(tmp_path) == (
        "pictures need playwright, which is not installed; run: pip install 'mbsweep[png]'"
    )


def test_a_browser_that_does_not_start_is_reported(tmp_path, monkeypatch, alone):
    """A program of that name that ends at once: one line, and no page."""
    program = tmp_path / "bin" / BROWSERS[0]
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert refused(tmp_path).startswith(f"{program} cannot draw the pictures: ")


def test_pictures_need_no_home(tmp_path, monkeypatch, alone):
    """As in a container whose user has a number and no name; afterwards there is none, either."""

    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    run = write_run(tmp_path / "run", "space: {width: [0.5]}\n")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    result = call("report", run, "--html", tmp_path / "pages", "--png")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "pages").glob("*.png"))) > 1
    assert "HOME" not in os.environ


def test_a_tab_that_crashes_is_reported(alone):
    """While it draws: the error is the user's to read, not Playwright's."""
    with pytest.raises(MbsweepError, match=r"cannot draw the pictures: .*crash"), canvas() as tab:
        tab.goto("chrome://crash")


def test_a_picture_that_cannot_be_written_is_named(tmp_path):
    """Its place is taken by a folder; the file is named in one line."""
    run = write_run(tmp_path / "run", "space: {width: [0.5]}\n")
    (tmp_path / "run.ranks.png").mkdir()
    with pytest.raises(MbsweepError, match=r"run\.ranks\.png: cannot be written: Is a directory"):
        write_report(
            [[open_run(run)]], tmp_path, latency_rows, printed_sizes, lambda parts, table: {"ranks": b"png"}
        )


def test_a_command_without_png_needs_no_browser(tmp_path, monkeypatch):
    """Pages are written as before, and no picture."""
    monkeypatch.setenv("PATH", "")
    run = write_run(tmp_path / "run", WIDTH_RES)
    assert call("report", run, "--html", tmp_path / "pages").exit_code == 0
    assert sorted(contents(tmp_path / "pages")) == ["index.html", "run.html"]


def test_a_report_is_printed_too(tmp_path, alone, monkeypatch):
    """`report --pdf`: a file beside the page, of several sheets, with its sentence; not over what is ours.
    Every figure is drawn, and no wider than the 277 mm that a sheet has, each of 96 pixels to the inch; the
    decision may begin on the first sheet, and each part has what its tab would show.
    """
    from playwright.sync_api import Page

    def spy(tab, **how):
        tab.wait_for_function("plot._fullLayout.width === plot.clientWidth")
        seen.append(
            tab.evaluate(
                """() => {
                  const right = (one) => one.getBoundingClientRect().right;
                  const figures = [...document.querySelectorAll(".main-svg")].filter((one) => right(one) > 0);
                  const decide = getComputedStyle(document.getElementById("decide"));
                  const devices = document.querySelectorAll("#everywhere tbody tr").length;
                  return [figures.length, Math.max(...figures.map(right)), decide.breakInside, devices];
                }"""
            )
        )
        return pdf(tab, **how)

    seen, pdf = [], Page.pdf
    monkeypatch.setattr(Page, "pdf", spy)
    run = write_run(tmp_path / "run", WIDTH_RES)
    done = call("report", run, "--html", tmp_path / "pages", "--pdf")
    assert done.exit_code == 0, done.output
    ((figures, right, begins, devices),) = seen
    assert figures >= 6
    assert right <= 277 / 25.4 * 96
    assert (begins, devices) == ("auto", 5)
    printed = tmp_path / "pages" / "run.pdf"
    assert str(printed) in done.stdout
    content = printed.read_bytes()
    assert content[:5] == b"%PDF-"
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") >= 3
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.pdf").write_bytes(b"mine")
    refused = call("report", run, "--html", tmp_path / "other", "--pdf")
    assert refused.exit_code == 2
    assert "run.pdf was not written by mbsweep" in " ".join(refused.stderr.split())
    assert (tmp_path / "other" / "run.pdf").read_bytes() == b"mine"
