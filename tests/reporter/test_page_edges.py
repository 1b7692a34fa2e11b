"""The page's interactive parts where something is unusual: runs that lack something, odd variants, hostile
names, a narrow window, paper, thousands of points; and every way in and out of a choice.
"""

import csv
import io
import itertools
import random
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from browsing import NARROW, WIDE, Pages, open_axes, settle, show
from console import call
from made_runs import V1_COLUMNS
from page_runs import EDGE, FAILED, HOSTILE_FOLDER, MADE, UNUSUAL
from reporter_runs import HOSTILE

from mbsweep.accuracy.published import latency_rows
from mbsweep.commands._picks import answers as picks
from mbsweep.reporter.page import with_published
from mbsweep.statistics.pareto import front
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.columns import COLUMNS, FIELDS, NUMBERS, OF_STAGES
from mbsweep.table.decide import Budget, decide
from mbsweep.table.panels import panels
from mbsweep.table.results import combine, open_run

# Columns of numbers that the page shows in another unit than the table has.
SHOWN_DIVIDED = {"macs": 1e6, "params": 1e6, "weight_bytes": 1e3, "peak_activation_bytes": 1e3}
SHOWN_DIVIDED |= {"weight_bytes_int8": 1e3, "peak_activation_bytes_int8": 1e3}
# Figure -> its panels: six latencies, or one where latency is on no axis; ranks only of those that know all.
MARKS = {"accuracy_latency": 6, "accuracy_macs": 1, "accuracy_params": 1, "latency_macs": 6, "ranks": 3}
FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Name of a page -> its file."""
    return Pages(tmp_path_factory, "page_edges", MADE)


def table_of(pages, name):
    """The rows of a page, as Python has them."""
    pages(name)
    runs = [open_run(pages.folder / name / run) for run in MADE[name]]
    return with_published(combine(runs), latency_rows)


def options(tab, select):
    return tab.locator(f"#{select} option").evaluate_all("all => all.map((one) => one.value)")


def point_of(tab, variant, figure="explorer-plot"):
    """The middle of a variant's marker in a figure, in pixels, after it was scrolled into the window."""
    return tab.evaluate(
        """([figure, variant]) => {
          const points = [...document.querySelectorAll(`#${figure} .points path`)];
          const point = points.find((p) => [p.__data__.data].flat()[0] === variant);
          point.scrollIntoView({ block: "center" });
          const { x, y, width, height } = point.getBoundingClientRect();
          return [x + width / 2, y + height / 2];
        }""",
        [figure, variant],
    )


# What each page says: points in the explorer, whom the answer names, words of a warning.
SAYS = {
    "one_variant": (1, "0.9-200", "no figure for any of these networks"),
    "all_failed": (16, "1-224", "No latency was measured"),
    "all_skipped": (16, "1-224", "skipped: no paper"),
    "no_accuracy": (12, "0.3-128", "names no accuracy source"),
    "counted": (12, "0.3-128", "No latency was measured."),
    "counted_accurate": (16, "1-224", "the latencies shown are published ones"),
    "disjoint": (16, "1-224", "theirs: tf-slim-2018-08-02 has no figure"),
    "predicted": (16, "1-224", "the latencies shown are predicted and published ones"),
    "nan_heavy": (1, "0.75-224", "32 rows of the table have no latency"),
}


@pytest.mark.parametrize("name", EDGE)
def test_a_page_that_lacks_something_says_so(open_page, pages, name):
    """What there is is drawn and answered, what is missing is told, and no group of its rows leaves an error
    or empty axes; nothing is wider than the window, wide or narrow.
    """
    points, answer, words = SAYS[name]
    with open_page(pages(name), figures=True) as tab:
        assert tab.locator("#explorer-plot .points path").count() == points
        assert tab.locator("#answer .sentence button").inner_text() == answer
        warnings = " ".join(tab.locator(".warning").all_text_contents())
        assert words in " ".join(warnings.split())
        for width in (WIDE, NARROW):
            tab.set_viewport_size({"width": width, "height": 900})
            for number in options(tab, "group"):
                tab.locator("#group").select_option(number)
                tab.evaluate(FRAME)
                known, total = tab.evaluate("[located().length, groupRows().length]")
                remark = tab.locator("#explorer-remark").inner_text()
                assert ("have no place here" in remark or "has no place here" in remark) == (known < total)
                height = tab.locator("#explorer-plot").evaluate("(plot) => plot.offsetHeight")
                assert (height > 300) == (known > 0)
                assert tab.locator("#explorer-png").is_enabled() == (known > 0)
                if not tab.evaluate("decision().fitting.length"):
                    assert tab.locator("#answer .sentence").inner_text() == "Nothing can be judged."
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_group_that_several_devices_share_is_counted_as_pick_does(open_page, pages):
    """Half of a configuration measured on one machine, half on another, two variants on neither: these count
    for both.
    """
    groups = panels(table_of(pages, "two_devices"))
    assert [len(rows) for rows in groups[:2]] == [10, 8]
    with open_page(pages("two_devices")) as tab:
        for number, rows in enumerate(groups):
            tab.locator("#group").select_option(str(number))
            tab.locator("#budget-latency_ms").fill("9")
            found = decide(rows, Budget({"latency_ms": 9}))
            counts = tab.evaluate(
                "(({ fitting, out, unknown }) => [fitting.length, out, unknown])(decision())"
            )
            assert counts == [len(found.fitting), found.beyond, found.unknown]
        text = tab.locator("#group").inner_text()
        assert "measured on Another device" in text


def choose(tab, chance):
    """Make some random choices, with the page's own controls."""
    tab.locator("#presets button").first.click()
    open_axes(tab)
    for select in ("group", "by", "x", "y", "colour", "shape", "theme"):
        if chance.random() < 0.6:
            tab.locator(f"#{select}").select_option(chance.choice(options(tab, select)))
    for box in ("logX", "logY"):
        tab.locator(f"#{box}").set_checked(chance.random() < 0.5)
    for column in ("latency_ms", "macs", "params", "weight_bytes", "peak_activation_bytes", "top1_pct"):
        box = tab.locator(f"#budget-{column}")
        if box.is_enabled():
            box.fill(repr(round(chance.uniform(0.5, 60), 3)) if chance.random() < 0.4 else "")
    tab.locator("#filter").fill(chance.choice(["", "torch", "a & b = c #%20+"]))
    if chance.random() < 0.5:
        tab.evaluate("(number) => change({ variant: rows[number].variant })", chance.randrange(40))
    else:
        tab.keyboard.press("Escape")
    if chance.random() < 0.3:
        tab.locator("#presets button").nth(chance.randrange(5)).click()


def seen(tab):
    """All that a reader sees of the choices."""
    tab.evaluate(FRAME)
    controls = tab.evaluate(
        """Object.fromEntries([...document.querySelectorAll("select, input")]
          .map((one) => [one.id, one.type === "checkbox" ? one.checked : one.value]))"""
    )
    ids = ("answer", "counts", "count", "explorer-remark", "details")
    texts = [tab.locator(f"#{id_}:visible").all_inner_texts() for id_ in ids]
    return tab.evaluate("state"), controls, texts


def test_of_equal_accuracies_the_smaller_is_the_best_for_sure(view, pages):
    """0.75-160 and 1-128 have 65.2 % each, and sizes are exact: nothing is open, as `pick` says, too."""
    with view(pages("counted_accurate"), at="max_macs=200000000") as tab:
        said = tab.locator("#answer .sentence").inner_text()
        assert said.startswith("0.75-160 is the best within 200 million mult-adds: ")
        assert said.endswith("65.2 % top-1. It fits surely.")
    (found,) = picks(open_run(pages.folder / "counted_accurate" / "counted"), Budget({"macs": 2e8}), None)
    assert found.chances.best_pct[found.decision.fitting[0]] == 100


def test_an_address_tells_all_choices(open_page, pages):
    """Random choices, made with the controls: the address opens the same view anew, and in a page that is
    already open at another one.
    """
    chance = random.Random(5)
    addresses, views = [], []
    with open_page(pages("rich")) as tab:
        for _ in range(3):
            choose(tab, chance)
            addresses.append(tab.evaluate("address()"))
            views.append(seen(tab))
            tab.wait_for_function("location.hash.slice(1) === address()", timeout=60_000)
    with open_page(pages("rich"), at=addresses[-1]) as tab:
        assert seen(tab) == views[-1]
        for at, view in zip(addresses, views, strict=True):
            tab.evaluate("at => { location.hash = at; }", at)
            tab.wait_for_function("at => address() === at", arg=at)
            assert seen(tab) == view


def test_what_is_no_budget_does_not_stay_in_its_box(view, pages):
    """-5 and 0 change nothing; when the box is left, it shows the budget that is in force, or nothing."""
    with view(pages("rich")) as tab:
        box = tab.locator("#budget-latency_ms")
        for typed, before in (("-5", ""), ("0", ""), ("-5", "4"), ("0", "4")):
            box.fill(before)
            box.fill(typed)
            box.press("Tab")
            assert box.input_value() == before
            assert tab.evaluate("state.limits") == ({"latency_ms": 4} if before else {})
        box.press_sequentially(".5")  # no "5." or ".5" is rewritten while it is typed
        assert tab.evaluate("state.limits") == {"latency_ms": 4.5}


def test_very_many_lines_are_thinned(view, pages):
    """Of 2,500 variants about 500 have a line, the chosen one always; axes reach as far as all of them
    do. Of few that fit, all have one. The page says which it is.
    """
    ranges = """({data: [{dimensions}]}) => dimensions.map(({label, range, values}) => {
      const { name, scale } = columns.find((column) => labelled(column) === label);
      const all = groupRows().map((row) => row[name] / scale);
      return [values.length, range[0] - Math.min(...all), range[1] - Math.max(...all)];
    })"""
    with view(pages("thousands"), at="view=parallel") as tab:
        said = tab.locator("#explorer-remark")
        if "WebGL" in said.inner_text():
            pytest.skip("this browser has no WebGL")
        assert (
            " lines of 2,500 variants within the budgets: those on a front, and others" in said.inner_text()
        )
        found = tab.locator("#explorer-plot").evaluate(ranges)
        assert len({count for count, *_ in found}) == 1
        assert found[0][0] == pytest.approx(500, rel=0.03)
        assert [ends for _, *ends in found] == [[0, 0]] * len(found)
        left_out = tab.evaluate(
            """() => {
              const kept = new Set(someLines(groupRows()));
              return groupRows().find((row) => !kept.has(row)).variant;
            }"""
        )
        assert tab.evaluate(
            """(variant) => {
              state.variant = variant;
              const kept = someLines(groupRows()).some((row) => row.variant === variant);
              state.variant = null;
              return kept;
            }""",
            left_out,
        )
        tab.evaluate("change({ limits: { macs: 2e7 } })")
        tab.wait_for_function("remark.textContent.includes('lines, one for each variant within')")


def test_a_page_of_sizes_alone_has_a_way_back_from_parallel_coordinates(view, pages):
    """To parameters against mult-adds; and no part for devices, for there is none."""
    with view(pages("counted")) as tab:
        buttons = tab.locator("#presets button")
        assert {"Parallel coordinates", "Parameters / mult-adds"} <= set(buttons.all_inner_texts())
        tab.evaluate("change({ view: 'parallel' })")
        buttons.filter(has_text="Parameters / mult-adds").click()
        assert tab.evaluate("[state.view, state.x, state.y]") == ["scatter", "macs", "params"]
        assert tab.locator("#tab-devices").count() == 0


def test_parallel_coordinates_of_nothing(view, pages):
    """Where nothing fits, words stand there, nothing of the figure before, and no picture can be saved; a
    wider budget brings the lines back, another preset the points; also in quick succession.
    """
    with view(pages("rich"), at=f"variant={FAILED}") as tab:
        tab.locator("#budget-macs").fill("1")
        tab.locator("#presets button", has_text="Parallel").click()
        remark = tab.locator("#explorer-remark")
        assert remark.inner_text() == "No variant within the budgets has a place on every axis."
        assert tab.locator("#explorer-overlay *").count() == 0
        assert tab.locator("#explorer-svg").is_disabled()
        tab.locator("#reset").click()
        tab.wait_for_function("document.getElementById('explorer-remark').textContent.startsWith('16 lines')")
        assert tab.locator("#explorer-svg").is_enabled()
        views = ["scatter", "parallel", "scatter", "parallel", "scatter"]
        tab.evaluate("(views) => views.forEach((view) => change({ view }))", views)
        tab.wait_for_function("plot.querySelectorAll('.points path').length === 16")
        rings = 1 + tab.evaluate("marks.unsettled.length + marks.chosen.length")  # and the best's
        assert tab.locator("#explorer-overlay circle").count() == rings


def test_the_keyboard_reaches_all_of_the_details(open_page, pages):
    """From the variant's name by Tab alone: Close, every table, every text to copy; copying leaves the focus
    where it is, also where a page may not use the clipboard, and what it copied can be pasted.
    """
    deny = "Object.defineProperty(navigator, 'clipboard', { value: { writeText: () => Promise.reject() } })"
    with open_page(pages("rich"), script=deny) as tab:
        tab.locator("#answer button.variant").first.focus()
        tab.keyboard.press("Enter")
        tab.evaluate("window.reached = []; addEventListener('focusin', (e) => reached.push(e.target))")
        wanted = tab.evaluate(
            "document.querySelectorAll('#details button, #details [tabindex=\"0\"]').length"
        )
        assert wanted == 9  # Close, numbers, layers, three texts and three buttons
        for _ in range(wanted - 1):  # Close stands before the title, which has the focus
            tab.keyboard.press("Tab")
        assert tab.evaluate("reached.every((element) => drawer.contains(element))")
        last = tab.locator("#details .snippet button").last
        assert last.evaluate("(button) => button === document.activeElement")
        tab.keyboard.press("Enter")
        tab.wait_for_function("document.activeElement.textContent === 'Copied'")
        tab.keyboard.press("Enter")
        tab.wait_for_function("document.activeElement.textContent === 'Copy'")
        for _ in range(wanted - 1):
            tab.keyboard.press("Shift+Tab")
        assert tab.evaluate("document.activeElement.id") == "details-close"
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.title") == FAILED
        tab.locator("#filter").focus()
        tab.keyboard.press("Control+V")
        command = f"mbsweep export --width 1 --resolution 224 -o {FAILED}.onnx"
        assert tab.locator("#filter").input_value() == command


def test_the_details_hold_every_number(view, pages):
    """Each known number of a row, of every group: its label, its value to four digits in its unit, its kind;
    fields that are words, or lists of all stages; of the failed row the reason.
    """
    ends = re.compile(r"_(low|high)_(ms|pct)$")
    table = table_of(pages, "rich")
    with view(pages("rich")) as tab:
        for number, rows in enumerate(panels(table)):
            tab.locator("#group").select_option(str(number))
            for _, row in rows.sample(2, random_state=number).iterrows():
                tab.evaluate("(variant) => change({ variant })", row["variant"])
                lines = tab.locator("[aria-label^='Numbers of'] tbody tr").evaluate_all(
                    "all => all.map((line) => [...line.cells].map((td) => td.firstChild?.textContent ?? ''))"
                )
                shown = {label: (value, kind) for label, value, kind in lines}
                known = {
                    name: float(row[name])
                    for name in COLUMNS
                    if name in table
                    and name not in OF_STAGES
                    and table[name].map(lambda value: isinstance(value, int | float)).all()
                    and name != "on_front"
                    and not ends.search(name)
                    and row[name] == row[name]
                }
                words = {COLUMNS[name].label for name in FIELDS if name in table and name not in NUMBERS}
                assert set(shown) == {COLUMNS[name].label for name in known} | words
                for name, value in known.items():
                    words, kind = shown[COLUMNS[name].label]
                    told = float(words.split()[0].replace(",", ""))
                    digits = (
                        0.05 if COLUMNS[name].unit == "%" else abs(value / SHOWN_DIVIDED.get(name, 1)) / 1000
                    )
                    assert told == pytest.approx(value / SHOWN_DIVIDED.get(name, 1), abs=digits)
                    if name.startswith("latency_"):
                        assert kind == f"{row['latency_kind']}, {row['backend']}"
        tab.locator("#group").select_option("1")
        tab.evaluate("(variant) => change({ variant })", FAILED)
        assert "RuntimeError: out of paper" in tab.locator("#details .warning").first.inner_text()


def test_an_unusual_variant_can_be_had_again(view, pages):
    """Depth, stage channels, classes and divisor of its own; a training step of 16 images on two cores, then
    a prediction, which one variant alone is not: the sweep in the details gives this variant in this
    configuration, the last as a measurement; the command shows it.
    """
    table = table_of(pages, "rich")
    (variant,) = {name for name in table["variant"] if name.startswith(UNUSUAL)}
    groups = panels(table)
    with view(pages("rich"), at=f"variant={variant}") as tab:
        for number in range(3):
            tab.locator("#group").select_option(str(number))
            sweep, show, _ = tab.locator("#details .snippet pre").all_inner_texts()
            asked = parse_sweep(sweep, "copied.yaml")
            assert list(count_space(asked).ids()) == [variant]
            config = groups[number]["config"].iloc[0].removesuffix("-predicted")
            assert [config.id for config in asked.latency] == [config]
        shown = call(*show.split()[1:])
        assert (shown.exit_code, shown.stderr) == (0, "")
        row = table[table["variant"] == variant].iloc[0]
        assert variant in shown.stdout
        assert f"{row['macs']:,}" in shown.stdout
        lines = tab.locator("[aria-label^='Layers of'] tbody tr").evaluate_all(
            "all => all.map((line) => [line.cells[3].textContent, line.cells[5].textContent])"
        )
        sums = [sum(int(cell.replace(",", "")) for cell in column) for column in zip(*lines, strict=True)]
        assert sums == [row["params"], row["macs"]]


def test_a_variant_is_marked_wherever_it_is_drawn(view, pages):
    """Chosen in the table, in the answer, or on a point of a figure: ringed in the explorer and once in each
    panel of each figure, its rows marked; closed, nothing is marked.
    """
    marked = """Object.fromEntries([...document.querySelectorAll(".figure")].map((figure) => [figure.id,
      figure.layout.annotations?.filter(({ name }) => name === "chosen").length ?? 0]))"""
    variant = "mobilenet_v1_w0.5_r192_d5"
    with view(pages("rich"), figures=True) as tab:
        show(tab, "networks")
        tab.locator("#filter").fill("w0.5_r192")
        tab.locator("#table button.variant").first.click()
        assert tab.locator("#details-title").inner_text() == variant
        assert tab.locator("#table tr.chosen").count() == tab.locator("#table tbody tr").count() == 6
        assert tab.locator("#explorer-overlay circle[r='12'][stroke-width='3']").count() == 1
        settle(tab)
        assert tab.evaluate(marked) == MARKS
        tab.locator("#details-close").click()
        assert tab.locator("tr.chosen").count() == 0
        assert tab.locator("#explorer-overlay circle[r='12'][stroke-width='3']").count() == 0
        settle(tab)
        assert set(tab.evaluate(marked).values()) == {0}
        tab.locator("#answer button.variant").nth(1).click()
        assert tab.locator("#details-title").inner_text() == "mobilenet_v1_w1.0_r192_d5"
        tab.keyboard.press("Escape")
        settle(tab)
        place = point_of(tab, variant, "accuracy_macs")
        tab.mouse.move(*place)
        tab.mouse.click(*place)
        assert tab.locator("#details-title").inner_text() == variant


def test_hostile_names_are_text_wherever_they_are_shown(open_page, pages):
    """A folder, a device and a reason full of markup, on a page of two runs: as options, axis titles,
    legends, hover and details they are the words that they are, and nothing of them becomes an element.
    """

    def bare(text):
        return "".join(text.split())

    with open_page(pages("hostile"), figures=True) as tab:
        elements = tab.evaluate("document.querySelectorAll('img, script, iframe, object').length")
        assert tab.locator("#group option").first.inner_text().startswith(f"{HOSTILE_FOLDER}: ")
        assert tab.locator("#group-device").inner_text() == f"measured on {HOSTILE}"
        own = [key for key in options(tab, "y") if key.startswith("latency_ms@<img")]
        assert len(own) == 2
        open_axes(tab)
        tab.locator("#y").select_option(own[1])
        tab.locator("#colour").select_option("run")
        tab.locator("#shape").select_option("device")
        tab.evaluate(FRAME)
        title = tab.locator("#explorer-plot .ytitle").text_content()
        assert bare(f"Latency (ms): {HOSTILE_FOLDER}: torch")[:40] in bare(title)
        legend = tab.locator("#legend .entry").all_text_contents()
        assert bare(f"●{HOSTILE_FOLDER}") in [bare(text) for text in legend]
        assert bare(HOSTILE) in [bare(text)[1:] for text in legend]
        tab.mouse.move(*point_of(tab, "mobilenet_v1_w0.5_r192_d5"))
        tab.locator("#explorer-plot .hovertext").first.wait_for()
        tab.evaluate("change({ variant: 'mobilenet_v1_w1.0_r224_d5', group: 1 })")
        assert HOSTILE in tab.locator("#details .warning").all_inner_texts()
        everywhere = tab.locator("#details li").all_inner_texts()
        assert sum(HOSTILE in text for text in everywhere) == 2  # the device of one, the failure of the other
        assert tab.locator("#details .snippet pre").first.inner_text().startswith("variants:\n")
        assert tab.evaluate("document.querySelectorAll('img, script, iframe, object').length") == elements


def test_the_csv_has_what_the_command_prints(view, pages):
    """All columns of the filtered rows, sorted as on the page, as `mbsweep table` has them, to 7 digits."""
    pages("rich")
    printed = call("table", pages.folder / "rich" / "rich").stdout
    wanted = [row for row in csv.DictReader(io.StringIO(printed)) if row["backend"] == "torch"]
    with view(pages("rich"), at="filter=torch&sort=-variant") as tab:
        with tab.expect_download() as caught:
            tab.locator("#csv").click()
        saved = list(csv.DictReader(io.StringIO(Path(caught.value.path()).read_text(encoding="utf-8"))))
        shown = tab.locator("#table tbody button.variant").all_inner_texts()
    assert [row["variant"] for row in saved] == shown
    assert len(saved) == len(wanted) == 21
    by_name = {row["variant"]: row for row in wanted}
    of_stages = {f"stage_channels_{stage}" for stage in range(1, 6)}  # of MobileNet v1; v2 has more
    columns = [name for name in COLUMNS if name in V1_COLUMNS or name in of_stages]
    for row in saved:
        expected = by_name[row["variant"]]
        assert list(row) == list(expected) == columns
        for name, text in row.items():
            try:
                assert float(text) == pytest.approx(float(expected[name]), rel=1e-6), name
            except ValueError:
                assert text.lower() == expected[name].lower(), name  # true of one is True of the other


@pytest.mark.parametrize(
    ("x", "y"),
    [("latency_ms", "macs"), ("top1_pct", "params"), ("top1_pct", "latency_ms"), ("macs", "params")],
)
def test_a_front_points_to_the_better_ends(view, pages, x, y):
    """On any two axes, of which less or more is better: the drawn front is that of all pairs compared, under
    random budgets; on axes without a better end there is none.
    """
    rows = panels(table_of(pages, "rich"))[0]
    chance = random.Random(f"{x} {y}")
    sign = {"lower": 1, "higher": -1}
    with view(pages("rich"), at=f"x={x}&y={y}&logX=false") as tab:
        for _ in range(6):
            limit = chance.choice(sorted(rows["macs"])) * chance.uniform(0.9, 1.3)
            tab.locator("#budget-macs").fill(repr(limit / 1e6))
            tab.evaluate(FRAME)
            fits = rows[
                (rows["macs"] <= tab.evaluate("state.limits.macs")) & rows[[x, y]].notna().all(axis=1)
            ]
            costs = fits[[x, y]].to_numpy(float) * [sign[COLUMNS[x].better], sign[COLUMNS[y].better]]
            beaten = [any((other <= own).all() and (other < own).any() for other in costs) for own in costs]
            drawn = tab.evaluate("marks.fronts.flat().map(({ row }) => row.variant)")
            assert sorted(drawn) == sorted(fits.loc[~np.array(beaten, dtype=bool), "variant"])
            assert tab.locator("#explorer-plot .points path").count() == tab.evaluate("ordered.length")
        open_axes(tab)
        tab.locator("#x").select_option("resolution")
        tab.evaluate(FRAME)
        assert tab.evaluate("marks.fronts.flat()") == []


def test_thousands_of_points_fade_too(open_page, pages):
    """2,500 points, drawn by WebGL: under a budget those beyond it fade, the front is that of the others."""
    rows = panels(table_of(pages, "thousands"))[0]
    with open_page(pages("thousands")) as tab:
        assert tab.evaluate("isWebgl") is True
        open_axes(tab)
        tab.locator("#y").select_option("peak_activation_bytes")
        tab.locator("#budget-macs").fill("100")
        fits = rows[rows["macs"] <= 100e6]
        tab.wait_for_function(
            "(count) => plot.data.flatMap(({ marker }) => marker?.opacity ?? [])"
            ".filter((opacity) => opacity === 0.4).length === count",
            arg=2500 - len(fits),
            timeout=60_000,
        )
        on_front = fits.loc[front(fits["macs"], -fits["peak_activation_bytes"]), "variant"]
        assert sorted(tab.evaluate("marks.fronts.flat().map(({ row }) => row.variant)")) == sorted(on_front)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_explorer_can_be_read(view, pages, width):
    """Names of the front's points are whole, within the figure, and none hides another; the plot has most of
    a figure's height.
    """
    with view(pages("rich"), width=width) as tab:
        # A tab that was wider is drawn anew a moment after it is narrower.
        tab.wait_for_function(
            "() => { const wide = document.querySelector('.explorer').clientWidth;"
            " const names = [...document.querySelectorAll('#explorer-overlay text')];"
            " return Math.abs(plot._fullLayout.width - wide) < 2 && names.length > 3"
            " && names.every((name) => name.getBoundingClientRect().right < wide + 400); }"
        )
        box = tab.locator(".explorer").bounding_box()
        boxes = [name.bounding_box() for name in tab.locator("#explorer-overlay text").all()]
        for inner in boxes:
            assert box["x"] - 1 <= inner["x"]
            assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
            assert box["y"] <= inner["y"]
        for one, other in itertools.combinations(boxes, 2):  # letters are half as high as their line
            is_apart = (
                one["x"] + one["width"] <= other["x"] + 1
                or other["x"] + other["width"] <= one["x"] + 1
                or one["y"] + 0.6 * one["height"] <= other["y"]
                or other["y"] + 0.6 * other["height"] <= one["y"]
            )
            assert is_apart, (one, other)
        assert tab.locator("#explorer-overlay text").first.text_content() == "1-224 · best"
        assert tab.evaluate("plot._fullLayout.yaxis._length") > 230


def test_a_saved_figure_fades_as_the_page_does(view, pages):
    """Under a budget of 100 million mult-adds, its points are as faint as those on the page."""
    with view(pages("rich"), at="max_macs=1e8") as tab:
        with tab.expect_download() as caught:
            tab.locator("#explorer-svg").click()
        drawing = Path(caught.value.path()).read_text(encoding="utf-8")
        points = re.findall(r'<path class="point [^>]*style="opacity: ([\d.]+)', drawing)
        rows = panels(table_of(pages, "rich"))[0]
        drawn = rows[rows[["latency_ms", "top1_pct"]].notna().all(axis=1)]
        faint = (drawn["macs"] > 1e8).sum()
        assert (points.count("0.4"), points.count("1")) == (faint, 16 - faint)


def test_paper_is_white(open_page, pages):
    """Printed from a dark page with open details: dark ink, no dark ground, no details; then the page is dark
    again.
    """
    with open_page(
        pages("rich"), at=f"theme=dark&variant={FAILED}", color_scheme="dark", figures=True
    ) as tab:
        printed = tab.pdf()
        streams = re.findall(rb"stream\r?\n(.*?)endstream", printed, re.S)
        colours = set()
        for stream in streams:
            try:
                colours |= set(re.findall(rb"([.\d]+ [.\d]+ [.\d]+) rg", zlib.decompress(stream)))
            except zlib.error:
                continue  # a font, a picture
        assert b".1137 .1529 .2" in colours  # --ink of the light theme, in texts and in the figures
        assert not colours & {
            b".0706 .0902 .1137",
            b".9020 .9176 .9373",
            b".902 .9176 .9373",
        }  # of the dark one
        assert tab.evaluate("[state.theme, document.documentElement.dataset.theme]") == ["dark", "dark"]
        tab.emulate_media(media="print")
        assert not tab.locator("#details").is_visible()
        assert not tab.locator("#filter").is_visible()
        assert tab.locator("#answer").is_visible()
