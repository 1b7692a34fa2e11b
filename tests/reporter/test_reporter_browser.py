"""The pages as a reader meets them: opened from a file in headless Chromium, without any network."""

import base64
import math
import os

import pytest
from browsing import MIDDLING, NARROW, WIDE, Pages, cells, rest, settle, show
from playwright.sync_api import Page as Tab
from reporter_runs import HOSTILE, WIDTH_RES, hostile_run, made_up_ms, many_run, report, write_run

LONG_DEVICE = "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz, 2 cores, 23 GiB, Linux x86_64"
GRID = "space: {width: {from: 0.25, to: 1.0, step: 0.05}, resolution: {from: 96, to: 320, step: 16}}\n"  # 240
FINE = "space: {width: {from: 0.1, to: 2.0, step: 0.005}, resolution: {from: 96, to: 320, step: 1}}\n"
RUNS = {
    "normal": {"device": LONG_DEVICE},
    "one": {
        "text": WIDTH_RES.replace("[1.0, 0.75, 0.5, 0.25]", "1.0").replace("[224, 192, 160, 128]", "224")
    },
    "failed": {
        "latency_ms": lambda config, variant: None,
        "failures": {
            (f"mobilenet_v1_w{w}_r{r}_d5", ""): "RuntimeError: " + "out of paper " * 30
            for w in (1.0, 0.75, 0.5, 0.25)
            for r in (224, 192, 160, 128)
        },
    },
    "gaps": {  # unknown accuracies, missing latencies, latencies that were not measured to the end
        "text": WIDTH_RES.replace("[1.0, 0.75,", "[1.0, 0.7,"),
        "latency_ms": lambda config, v: (
            None if config.backend[0] + str(v.width) == "t1.0" else made_up_ms(config, v)
        ),
        "rounds": lambda variant: 1 if variant.width == 0.25 else 3,
    },
    "no_accuracy": {"text": WIDTH_RES.rsplit("accuracy", 1)[0]},
    "counted": {"text": GRID},
    "many_widths": {
        "text": GRID + "latency: [{backend: torch, rounds: 3}]\n"
        "accuracy: {source: published, table: tf-slim-2018-08-02}\n"
    },
    "slow": {"text": WIDTH_RES, "latency_ms": lambda config, variant: 1200.4 + variant.width},
    "webgl": {
        "text": FINE + "sample: {count: 3000}\nlatency: [{backend: onnxruntime, rounds: 1}]\n",
        "rounds": lambda variant: 1,
    },
    "thinned": {"text": FINE + "sample: {count: 25000}\n"},
}


def normal_run(name: str):
    return lambda folder: write_run(folder, **RUNS[name])


# Name of a page -> its runs: what makes each in a folder.
MADE = {
    "many": {"many": lambda folder: many_run(folder, device=LONG_DEVICE)},
    "merged": {
        "a_run_with_a_rather_long_name_of_64_letters_and_nowhere_to_break": normal_run("normal"),
        "many": lambda folder: many_run(folder, device=LONG_DEVICE),
        "gaps": normal_run("gaps"),
    },
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Name of a page, or of a run that has a page of its own -> its file."""
    return Pages(
        tmp_path_factory, "reporter_browser", {name: {name: normal_run(name)} for name in RUNS} | MADE
    )


def drawn_points(tab: Tab) -> dict[str, list[int]]:
    """Figure -> how many markers are drawn in each of its panels."""
    return tab.evaluate(
        """Object.fromEntries([...document.querySelectorAll('.figure')].map((figure) => [figure.id,
          [...figure.querySelectorAll('.subplot')].filter((panel) => panel.querySelector('.trace'))
          .map((panel) => panel.querySelectorAll('.points path').length)]))"""
    )


def tick_labels(tab: Tab) -> dict[str, list[float]]:
    """`figure axis` -> the numbers written along it, in order."""
    return tab.evaluate(
        """Object.fromEntries([...document.querySelectorAll(".figure")].flatMap((figure) =>
          Object.entries(figure._fullLayout)
          .filter(([name, axis]) => /^[xy]axis/.test(name) && axis.title.text)
          .map(([name, axis]) => [figure.id + " " + name, axis._vals.map((t) => t.text).filter(Boolean)])))"""
    )


def header(tab: Tab, head: str):
    return tab.locator("#table th", has=tab.get_by_role("button", name=head, exact=True))


def as_numbers(texts: list[str]) -> list[float]:
    return [math.nan if text == "unknown" else float(text.replace(",", "")) for text in texts]


def test_page_of_the_papers_grid_draws_every_point(view, pages):
    """16 variants x (2 measured configurations + 3 of the Pixel 3), or once where no latency is drawn."""
    with view(pages("normal"), figures=True) as tab:
        assert drawn_points(tab) == {
            "accuracy_latency": [16] * 5,
            "accuracy_macs": [16],
            "accuracy_params": [16],
            "latency_macs": [16] * 5,
            "ranks": [16 * 5],
        }
        assert tab.locator(".figure .scatterlayer path.js-line").count() == 5 + 1 + 1 + 5 + 16
        assert tab.locator(".figure .legendtext").all_text_contents()[:9] == [
            *("width 0.25", "width 0.5", "width 0.75", "width 1"),
            *("128 px", "160 px", "192 px", "224 px"),
            "Pareto front",
        ]


def test_figures_unfold(open_page, pages):
    """The first is there; each other where its title is clicked; all of them on paper, and as before then."""
    shown = "[...document.querySelectorAll('.figure')].map((figure) => figure.checkVisibility())"
    with open_page(pages("normal"), at="tab=stills") as tab:
        assert tab.evaluate(shown) == [True, False, False, False, False]
        tab.locator(".still summary").nth(1).click()
        tab.wait_for_function("document.querySelector('#accuracy_macs .main-svg') !== null")
        assert tab.locator("#ranks .main-svg").count() == 0
        tab.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert tab.evaluate(shown) == [True] * 5
        tab.evaluate("dispatchEvent(new Event('afterprint'))")
        assert tab.evaluate(shown) == [True, True, False, False, False]


def hover(tab: Tab, figure: str, panel: str, variant: str) -> str:
    """Put the mouse on a variant's point; return what is shown then."""
    place = tab.evaluate(
        """([figure, panel, variant]) => {
          const points = document.querySelectorAll(`#${figure} .subplot.${panel} .points path`);
          const point = [...points].find((p) => p.__data__.data[0] === variant);
          point.scrollIntoView({ block: "center" });
          const { x, y, width, height } = point.getBoundingClientRect();
          return [x + width / 2, y + height / 2];
        }""",
        [figure, panel, variant],
    )
    tab.mouse.move(*place)
    lines = tab.locator(f"#{figure} .hovertext tspan.line")
    lines.first.wait_for()
    return "\n".join(lines.all_text_contents())


def test_hovering_names_the_variant_and_every_number(view, pages):
    """With the mouse on a point: its id, its sizes, its accuracy, each with unit, kind and source."""
    always = [
        "Width multiplier: 1\n",
        "Resolution: 224 px\n",
        "Parameters: 4,231,976 (exact)\n",
        "Mult-adds: 568,740,352 (exact)\n",
        "Weights at fp32: 16,927,904 bytes (exact)\n",
        "Top-1 accuracy: 70.9 % (published, tf-slim-2018-08-02)\n",
        "Top-5 accuracy: 89.9 %",
    ]
    measured = ["Latency: 10.34 ms (measured, onnxruntime)", "Latency p90: 12.4 ms", "Timed calls: 15"]
    measured += ["Precision: fp32", "Note: 95 % interval unknown, 2 % asked"]
    published = ["Latency: 24 ms (published, TensorFlow Lite, CPU)", "Pixel 3, Android 10 (tflite-hosted)"]
    with view(pages("normal"), figures=True) as tab:
        for figure, panel, lines in (
            ("accuracy_latency", "xy", [*measured, "Device: Intel(R) Xeon(R) Platinum 8481C"]),
            ("latency_macs", "x3y3", published),
            ("accuracy_macs", "xy", []),
        ):
            text = hover(tab, figure, panel, "mobilenet_v1_w1.0_r224_d5")
            assert text.startswith("mobilenet_v1_w1.0_r224_d5\n")
            for line in [*always, *lines]:
                assert line in text
            assert ("Latency" in text) == bool(lines)


def test_hovering_tells_the_interval_and_the_note(view, pages):
    """The 95 % interval in words; what is wrong with a noisy row; of a prediction nothing more."""
    name = "mobilenet_v1_w1.0_r224_d5"
    with view(pages("many"), figures=True) as tab:
        fp32, int8, predicted = (
            hover(tab, "accuracy_latency", panel, name) for panel in ("xy", "x2y2", "x3y3")
        )
        assert "Latency: 10.34 ms (measured, onnxruntime)\n95 % interval: 10.29 to 10.39 ms\n" in fp32
        assert "Note" not in fp32
        assert "Precision: int8\n" in int8
        assert "Note: noisy: interquartile range" in int8
        assert "Top-1 accuracy: 70 % (published, tflite-hosted)" in int8
        assert "Latency: 10.34 ms (predicted, onnxruntime)\n95 % interval: 9.82 to 11.37 ms\n" in predicted
        assert "Note" not in predicted


def test_predicted_points_are_drawn_hollow(view, pages):
    """Of the nine panels, the third is drawn without filling, all others with it."""
    with view(pages("many"), figures=True) as tab:
        fillings = tab.evaluate(
            """[...document.querySelectorAll('#accuracy_latency .subplot')]
              .map((panel) => [...panel.querySelectorAll('.points path')].map((p) => getComputedStyle(p)))
              .filter((styles) => styles.length)
              .map((styles) => styles.filter((s) => s.fill === 'none' || s.fillOpacity === '0').length)"""
        )
        assert fillings == [0, 0, 16, 0, 0, 0, 0, 0, 0]


READABLE = [name for name in [*RUNS, *MADE] if name not in ("slow", "webgl", "thinned")]


@pytest.mark.parametrize("name", READABLE)
def test_every_panel_is_drawn_and_readable(open_page, pages, name):
    """A point in every panel, two numbers or more on every axis, nothing cut off and nothing overlapping.

    In a wide window with two or three panels in a row, then with two, then in a narrow one with the panels
    one under the other.
    """
    with open_page(pages(name), figures=True) as tab:
        first = "document.querySelector('.figure')._fullLayout"
        for width, margin in ((WIDE, 60), (MIDDLING, 60), (NARROW, 45)):
            tab.set_viewport_size({"width": width, "height": 900})
            tab.wait_for_function(f"{first}.margin.l == {margin} && {first}.width <= {width}")
            settle(tab)
            drawn = drawn_points(tab)
            assert drawn
            assert all(counts and min(counts) > 0 for counts in drawn.values())
            for axis, labels in tick_labels(tab).items():
                values = as_numbers(labels)
                assert len(values) >= 2, axis
                assert values == sorted(values), axis
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            check_titles(tab, width)
            assert max(columns(tab).values()) <= {WIDE: 3, MIDDLING: 2, NARROW: 1}[width]


def columns(tab: Tab) -> dict[str, int]:
    """Figure -> how many panels stand beside each other."""
    return tab.evaluate(
        """Object.fromEntries([...document.querySelectorAll(".figure")].map((figure) =>
          [figure.id, new Set(Object.entries(figure._fullLayout).filter(([name, axis]) =>
            /^xaxis/.test(name) && axis.title.text).map(([_, axis]) => axis.domain[0].toFixed(4))).size]))"""
    )


def check_titles(tab: Tab, width: int) -> None:
    """Titles of panels and axes, legends and colour bars are inside the window and apart from each other."""
    boxes = tab.evaluate(
        """[...document.querySelectorAll(".xtitle, .ytitle, .annotation, .legend, .colorbar")]
          .map((e) => [e.textContent, e.getBoundingClientRect()])
          .map(([text, b]) => [text, b.left, b.right, b.top, b.bottom]).filter((b) => b[2] > b[1])"""
    )
    assert boxes
    for i, (text, left, right, top, bottom) in enumerate(boxes):
        assert left >= 0, text
        assert right <= width, text
        for other, left2, right2, top2, bottom2 in boxes[:i]:
            apart = left >= right2 - 1 or left2 >= right - 1 or top >= bottom2 - 1 or top2 >= bottom - 1
            assert apart, (text, other)


def test_zooming_keeps_the_labels_of_a_log_axis(view, pages):
    """Zoomed to 2.1 to 4.6 ms, between two of the written-out ticks, the axis still tells its numbers."""
    with view(pages("normal"), figures=True) as tab:
        zoom = "document.getElementById('accuracy_latency')"
        tab.evaluate(f"Plotly.relayout({zoom}, {{'xaxis.range': [Math.log10(2.1), Math.log10(4.6)]}})")
        tab.wait_for_function(f"{zoom}._fullLayout.xaxis.tickmode === 'auto'")
        values = as_numbers(tick_labels(tab)["accuracy_latency xaxis"])
        assert len(values) >= 3
        assert all(2.1 <= value <= 4.6 for value in values)
        tab.evaluate(f"Plotly.relayout({zoom}, {{'xaxis.autorange': true}})")
        tab.wait_for_function(f"{zoom}._fullLayout.xaxis.tickmode === 'linear'")
        assert as_numbers(tick_labels(tab)["accuracy_latency xaxis"]) == [0.5, 1, 2, 5, 10]


def test_table_sorts_by_number_with_the_unknown_last(view, pages):
    """Clicking a header sorts up, again down; NaN stays at the end in both; aria-sort says which it is."""
    with view(pages("normal"), at="wide=true") as tab:
        assert tab.locator("#table tbody tr").count() == 80
        p90 = header(tab, "Latency p90 (ms)")
        assert p90.get_attribute("aria-sort") == "none"
        for direction, sign in (("ascending", 1), ("descending", -1)):
            p90.get_by_role("button").click()
            assert p90.get_attribute("aria-sort") == direction
            values = as_numbers(cells(tab, "Latency p90 (ms)"))
            known = values[:32]
            assert known == sorted(known, key=lambda value: sign * value)
            assert len(set(known)) > 20
            assert all(map(math.isnan, values[32:]))  # the 48 published figures have no spread
            assert len(values) == 80
        macs = header(tab, "Mult-adds")
        macs.get_by_role("button").focus()
        tab.keyboard.press("Enter")
        assert macs.get_attribute("aria-sort") == "ascending"
        assert p90.get_attribute("aria-sort") == "none"
        values = as_numbers(cells(tab, "Mult-adds"))
        assert values == sorted(values)
        assert (values[0], values[-1]) == (13_570_048, 568_740_352)


def test_table_filters(view, pages):
    """The filter keeps the rows with the words in a text; the order stays as it was sorted."""
    with view(pages("normal")) as tab:
        header(tab, "Latency (ms)").get_by_role("button").click()
        tab.fill("#filter", "TENSORFLOW lite, gpu")
        assert set(cells(tab, "Backend")) == {"TensorFlow Lite, GPU"}
        values = as_numbers(cells(tab, "Latency (ms)"))
        assert len(values) == 16
        assert values == sorted(values)
        assert tab.inner_text("#count") == "16 of 16 rows"
        tab.fill("#filter", "no such thing")
        assert tab.locator("#table tbody tr").count() == 0
        tab.fill("#filter", "")
        assert tab.locator("#table tbody tr").count() == 80


def test_table_shows_more_and_sorts_names_as_a_reader_would(open_page, pages):
    """288 rows (240 variants, 16 of which have 3 published latencies), 100 more with each click.

    Sorted by name, 96 px comes before 128 px, and width 0.25 before 0.3.
    """
    with open_page(pages("counted")) as tab:
        for shown in (100, 200, 288):
            assert tab.locator("#table tbody tr").count() == shown
            assert tab.inner_text("#count") == f"{shown} of 288 rows"
            assert tab.locator("#more").is_visible() == (shown < 288)
            if shown < 288:
                tab.click("#more")
        header(tab, "Variant").get_by_role("button").click()
        names = list(dict.fromkeys(cells(tab, "Variant")))  # those with published latencies have several rows
        assert names[:4] == [f"mobilenet_v1_w0.25_r{r}_d5" for r in (96, 112, 128, 144)]
        assert names[15] == "mobilenet_v1_w0.3_r96_d5"


def test_table_marks_the_front_and_writes_numbers_in_full(open_page, pages):
    """1201.4 ms is written 1,201: no digit before the point is ever lost; rows on a front are marked."""
    with open_page(pages("slow"), at="wide=true") as tab:
        measured = [
            t for t, b in zip(cells(tab, "Latency (ms)"), cells(tab, "Backend"), strict=True) if b == "torch"
        ]
        assert set(measured) == {"1,201"}  # 1201.4, 1201.15, 1200.9 and 1200.65
        yes = [text == "yes" for text in cells(tab, "On the Pareto front")]
        marked = tab.evaluate(
            "[...document.querySelectorAll('#table tbody tr')].map((r) => r.className === 'front')"
        )
        assert marked == yes
        assert 0 < sum(yes) < 80


def test_hostile_text_is_shown_and_never_run(open_page, tmp_path):
    """Markup in title, description, device, reason and sweep file is text, also in the figures."""
    index, _ = report(tmp_path / "pages", hostile_run(tmp_path / "run"))
    with open_page(index, figures=True) as tab:
        assert tab.inner_text("h2") == HOSTILE
        tab.click("h2 a")
        settle(tab)
        assert tab.title() == f"{HOSTILE} - mbsweep"
        assert tab.inner_text("h1") == HOSTILE
        assert tab.inner_text(".description") == HOSTILE
        assert tab.inner_text("td.reason") == HOSTILE
        assert HOSTILE in tab.inner_text("pre")
        tab.evaluate("change({ wide: true })")
        assert HOSTILE in cells(tab, "Device")
        assert HOSTILE in cells(tab, "Error")
        assert tab.locator("img, iframe, object").count() == 0
        scripts = tab.locator("script").evaluate_all("(all) => all.map((s) => s.type)")
        assert scripts == ["application/json"] * 6 + ["", ""]
        shown = HOSTILE.replace(" ", "")
        titles = tab.evaluate(
            "[...document.querySelectorAll('#latency_macs .annotation')].map((title) => title.textContent)"
        )
        starts = [shown[:40] in "".join(title.split()) for title in titles]  # two lines, then "..."
        assert starts == [True, True, False, False, False]
        tab.evaluate("Plotly.Fx.hover('accuracy_latency', [{ curveNumber: 1, pointNumber: 0 }], 'xy')")
        tab.wait_for_selector("#accuracy_latency .hovertext")
        hover = tab.locator("#accuracy_latency .hoverlayer").text_content()
        assert shown in "".join(hover.split())


def coloured_pixels(tab: Tab, figure: str) -> int:
    """How many pixels of a figure, as it is shown, are neither grey nor white."""
    picture = base64.b64encode(tab.locator(f"#{figure}").screenshot()).decode()
    return tab.evaluate(
        """async (data) => {
          const image = new Image();
          image.src = `data:image/png;base64,${data}`;
          await image.decode();
          const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
          canvas.drawImage(image, 0, 0);
          const bytes = canvas.getImageData(0, 0, image.width, image.height).data;
          let coloured = 0;
          for (let i = 0; i < bytes.length; i += 4) {
            const [red, green, blue] = [bytes[i], bytes[i + 1], bytes[i + 2]];
            if (Math.max(red, green, blue) - Math.min(red, green, blue) > 60) coloured += 1;
          }
          return coloured;
        }""",
        picture,
    )


def test_thousands_of_points_are_drawn_by_webgl(open_page, pages):
    """3,000 points in each of two figures: on canvases, and really there."""
    with open_page(pages("webgl"), figures=True) as tab:
        assert tab.locator(".no-webgl").count() == 0
        assert tab.locator(".figure canvas.gl-canvas").count() > 0
        assert coloured_pixels(tab, "params_macs") > 10_000


def test_a_browser_without_webgl_draws_them_too(open_page, pages):
    """Where the browser has no WebGL, the same points are SVG."""
    without = """const original = HTMLCanvasElement.prototype.getContext;
      HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
        return kind.includes("webgl") ? null : original.call(this, kind, ...rest); };"""
    with open_page(pages("webgl"), script=without, figures=True) as tab:
        assert tab.locator(".no-webgl").count() == 0
        # One of the variants is published, too, on three processors.
        assert drawn_points(tab) == {"latency_macs": [3000, 1, 1, 1], "params_macs": [3000]}


def test_page_of_25_000_variants_opens(open_page, pages):
    """Thinned to 20,000, which the page says, and drawn."""
    assert pages("thinned").stat().st_size < 15e6
    with open_page(pages("thinned"), figures=True) as tab:
        assert "20,000 of 25,000" in tab.inner_text(".warning >> nth=0")
        assert coloured_pixels(tab, "params_macs") > 10_000
        show(tab, "networks")
        header(tab, "Variant").get_by_role("button").click()
        assert tab.inner_text("#count") == "100 of 20,000 rows, a sample of 25,000"


def test_index_leads_to_every_page_and_back(open_page, tmp_path):
    """By clicking, whatever the folders are called."""
    names = ["index", "50% #1 & 'two' \"three\"? größe 模型", os.fsdecode(b"\xff\xfe")]
    text = "title: Run {}\nspace: {{width: [0.5]}}\n"
    runs = [write_run(tmp_path / name, text.format(i)) for i, name in enumerate(names)]
    index = report(tmp_path / "pages", *runs)[0]
    with open_page(index) as tab:
        # In the order of their files: 50%..., index-2, one that is no text.
        assert tab.locator("h2 a").all_inner_texts() == [f"Run {i}" for i in (1, 0, 2)]
        for i in range(3):
            tab.get_by_role("link", name=f"Run {i}").click()
            rest(tab)
            assert tab.inner_text("h1") == f"Run {i}"
            tab.get_by_role("link", name="All runs").click()
            assert tab.title() == "mbsweep runs"


def test_names_without_a_place_to_break_do_not_overflow(open_page, tmp_path):
    """A title and a folder's name of 200 letters widen neither the index nor the page."""
    text = f"title: {'y' * 200}\nspace: {{width: [0.5]}}\n"
    for page in report(tmp_path / "pages", write_run(tmp_path / ("x" * 200), text)):
        with open_page(page, figures=True) as tab:
            for width in (WIDE, NARROW):
                tab.set_viewport_size({"width": width, "height": 900})
                settle(tab)
                tab.wait_for_function(f"document.documentElement.scrollWidth <= {width}")


def test_page_of_a_real_run_opens(open_page, tiny_run, tmp_path):
    """A measured run: three networks in two runtimes on this machine, two of them with a known accuracy."""
    with open_page(report(tmp_path, tiny_run)[1], figures=True) as tab:
        drawn = drawn_points(tab)
        assert drawn["latency_macs"][:2] == [3, 3]
        assert drawn["accuracy_macs"] == [2]
