"""What the page decides and draws on its own, in a real browser, against Python's answers for its rows."""

import csv
import io
import math
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import NARROW, Pages, cells, open_axes, settle, show
from console import call
from reporter_runs import (
    HOSTILE,
    WIDTH_RES,
    hostile_run,
    made_up_ms,
    many_run,
    merged,
    report,
    write_run,
)

from mbsweep.accuracy.published import latency_rows
from mbsweep.base.errors import MbsweepError
from mbsweep.reporter.page import with_published
from mbsweep.statistics.pareto import front
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.decide import Budget, decide
from mbsweep.table.panels import panels
from mbsweep.table.results import open_run

SCALES = {
    "macs": 1e6,
    "params": 1e6,
    "weight_bytes": 1e3,
    "peak_activation_bytes": 1e3,
}  # of the number boxes
BUDGETED = ["latency_ms", *SCALES]

# Twelve visits, spread by 5 %: with intervals, and with networks whose order they do not settle.
SPREAD = {"text": WIDTH_RES.replace("rounds: 3", "rounds: 12"), "rounds": lambda variant: 12, "spread": 0.05}
GAPS = {  # an unknown accuracy for width 0.7, no latency in torch at width 1
    "text": WIDTH_RES.replace("[1.0, 0.75,", "[1.0, 0.7,"),
    "latency_ms": lambda config, v: (
        None if (config.backend, v.width) == ("torch", 1.0) else made_up_ms(config, v)
    ),
}
MADE = {
    "spread": {"spread": lambda folder: write_run(folder, **SPREAD)},
    "many": {"many": many_run},
    "gaps": {"gaps": lambda folder: write_run(folder, **GAPS)},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Name of a page -> its file."""
    return Pages(tmp_path_factory, "page_browser", MADE)


def groups_of(pages, name):
    """The rows that the page of a run can be asked about, in the order of its groups."""
    pages(name)
    run = open_run(pages.folder / name / name)
    return panels(with_published(run.table(), latency_rows))


# Controls, by their ids, get values, and say so as they do when a reader gives them: several in one frame.
CHOSEN = """(values) => {
  for (const [id, value] of Object.entries(values)) {
    const control = document.getElementById(id);
    control.value = value;
    control.dispatchEvent(new Event(control.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
  }
}"""


def in_box(column, value):
    """What is typed into a number box for a value, and the number that this is in the column's own unit."""
    scale = SCALES.get(column, 1)
    return repr(float(value / scale)), float(value / scale) * scale


def fill(tab, column, value):
    """Type into a number box; the number that was typed, in the column's own unit."""
    text, number = in_box(column, value)
    tab.locator(f"#budget-{column}").fill(text)
    return number


def limits_in(tab):
    """What the page holds against the rows, after what the boxes can show."""
    return tab.evaluate("({ limits: state.limits, floor: state.floor, by: state.by, group: state.group })")


def ask_python(groups, wish):
    """The best and the counts, as `mbsweep pick` finds them."""
    rows = groups[wish["group"]]
    found = decide(rows, Budget(wish["limits"], wish["floor"], wish["by"]))
    names = [rows["variant"].iloc[place] for place in found.fitting[:1]]
    return names, (len(found.fitting), found.beyond, found.unknown)


def ask_page(tab):
    named = tab.locator("#answer .sentence > button.variant").evaluate_all(
        "all => all.map((one) => one.title)"
    )
    found = tab.evaluate("(({ fitting, out, unknown }) => [fitting.length, out, unknown])(decision())")
    return named, tuple(found)


@pytest.mark.parametrize("name", ["many", "gaps"])
def test_the_page_answers_as_pick_does(view, pages, name):
    """25 random budgets on each of two pages: same best and counts, in any group and
    for any objective; also where nothing fits and where numbers are unknown.
    """
    groups, chance = groups_of(pages, name), random.Random(name)
    nothing = 0
    with view(pages(name)) as tab:
        objectives = tab.locator("#by option").evaluate_all("all => all.map((one) => one.value)")
        assert objectives == ["top1_pct", "top5_pct", *BUDGETED]
        for number in sorted(chance.randrange(len(groups)) for _ in range(25)):  # each is drawn once
            rows = groups[number]
            tab.evaluate(CHOSEN, {"group": number, "by": chance.choice(objectives)})
            tab.locator("#reset").click()
            wish = {"limits": {}, "floor": None, "by": tab.locator("#by").input_value(), "group": number}
            typed = {}
            for column in BUDGETED:
                known = list(rows[column].dropna())
                if known and chance.random() < 0.5:
                    exact = chance.choice(known)  # what costs just what may be spent fits
                    limit = chance.choice([exact, chance.uniform(0.8, 1.1) * exact])
                    typed[column], wish["limits"][column] = in_box(column, limit)
            known = list(rows["top1_pct"].dropna())
            assert tab.locator("#budget-top1_pct").is_enabled() == bool(known)
            if known and chance.random() < 0.4:
                floor = chance.choice([*known, *(round(chance.uniform(40, 65), 1) for _ in known)])
                typed["top1_pct"], wish["floor"] = in_box("top1_pct", floor)
            tab.evaluate(CHOSEN, {f"budget-{column}": text for column, text in typed.items()})
            assert limits_in(tab) == wish
            named, counts = ask_python(groups, wish)
            nothing += not named
            assert ask_page(tab) == (named, counts)
            shown = tab.locator("#counts").inner_text()
            assert shown.startswith(f"{counts[0]} variant{'' if counts[0] == 1 else 's'}")
            if wish["limits"] or wish["floor"] is not None:
                assert f"fit{'s' if counts[0] == 1 else ''}; " in shown
                assert f"; {counts[1]} {'does' if counts[1] == 1 else 'do'} not" in shown
            assert ("cannot be judged" in shown) == (counts[2] > 0)
    assert 0 < nothing < 20


def test_a_slider_sets_its_box_and_the_answer(view, pages):
    """Every slider, moved by the keyboard: the box shows a limit, the answer is Python's for it; its open end
    takes the limit away.
    """
    groups = groups_of(pages, "spread")
    with view(pages("spread")) as tab:
        for column in [*BUDGETED, "top1_pct"]:
            slider, box = tab.locator(f"#slider-{column}"), tab.locator(f"#budget-{column}")
            slider.focus()
            slider.press("PageUp" if column == "top1_pct" else "PageDown")
            slider.press("ArrowRight" if column == "top1_pct" else "ArrowLeft")
            wish = limits_in(tab)
            limit = wish["floor"] if column == "top1_pct" else wish["limits"][column]
            assert float(box.input_value()) == pytest.approx(limit / SCALES.get(column, 1), rel=1e-6)
            assert ask_page(tab)[0] == ask_python(groups, wish)[0]
            slider.press("Home" if column == "top1_pct" else "End")
            assert box.input_value() == ""
        assert limits_in(tab) == {"limits": {}, "floor": None, "by": "top1_pct", "group": 0}


def test_what_a_step_more_would_buy(view, pages):
    """0.75-224 takes 0.1 + 18 x 0.3254 = 5.957 ms and is the best below 6, with 68.3 %; 1.0-192, 7.626 ms,
    has 69.9 % and is 27 % over, and of 7.62 ms 0.08 %. Above 1.0-224's 10.34 ms nothing better is to be had.
    """
    with view(pages("many")) as tab:
        fill(tab, "latency_ms", 6.0)
        assert ask_page(tab)[0] == ["mobilenet_v1_w0.75_r224_d5"]
        text = tab.locator("#answer").inner_text()
        assert "0.75-224 is the best within 6 ms: 68.3 % top-1 in 5.957 ms" in text
        assert "A step more: 1-192, +1.6 points for +1.67 ms (limit 7.627 ms, 27 % more)." in text
        fill(tab, "latency_ms", 7.62)
        assert "(limit 7.627 ms, <1 % more)." in tab.locator("#answer").inner_text()
        fill(tab, "latency_ms", 11.0)
        assert "More would buy nothing better." in tab.locator("#answer").inner_text()
        fill(tab, "latency_ms", 0.1)
        text = tab.locator("#answer").inner_text()
        assert text.startswith("Nothing fits within 0.1 ms.")
        assert "Nearest: 0.25-128, " in text


CHOICES = {
    "latency": "torch, fp32, batch 1, 1 thread",
    "max_latency_ms": "20",
    "max_params": "3000000",
    "floor": "45.5",
    "by": "macs",
    "x": "macs",
    "y": "latency_ms",
    "logX": "false",
    "logY": "true",
    "colour": "resolution",
    "shape": "width",
    "variant": "mobilenet_v1_w0.5_r160_d5",
    "filter": "torch",
    "sort": "-macs",
    "theme": "dark",
}


def test_a_link_opens_the_same_view(open_page, pages):
    """All choices at once: they are in force, and the address made of them opens them again."""
    with open_page(pages("spread"), at="&".join(f"{k}={v}" for k, v in CHOICES.items())) as tab:
        state, made = tab.evaluate("[state, address()]")
        assert state["limits"] == {"latency_ms": 20, "params": 3e6}
        assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
        assert tab.locator("#details-title").inner_text() == CHOICES["variant"]
        assert tab.locator("#filter").input_value() == "torch"
        assert cells(tab, "Mult-adds")[0] == "568,740,352"
        answer = tab.locator("#answer").inner_text()
        tab.wait_for_function("location.hash === ''  || location.hash.length > 1")
    with open_page(pages("spread"), at=made) as tab:
        assert tab.evaluate("state") == state
        assert tab.locator("#answer").inner_text() == answer
        tab.locator("#details-close").click()
        tab.locator("#reset").click()
        fill(tab, "macs", 100e6)
        tab.wait_for_function("new URLSearchParams(location.hash.slice(1)).get('max_macs') === '100000000'")
        assert "max_latency_ms" not in tab.evaluate("location.hash")


@pytest.mark.parametrize(
    "at",
    [
        "max_latency_ms=-1&max_macs=NaN&floor=<script>alert(1)</script>&group=99",
        "latency=of%20another%20page&x=nothing&y=__proto__&colour=constructor&view=globe&variant=none&theme=%22",
        "%E0%A4%A&&&===&x=x&max_latency_ms=1e999",
    ],
)
def test_nonsense_in_the_address_changes_nothing(open_page, pages, at):
    """Unknown names, negative numbers, markup, broken encodings: the page opens as if nothing were asked."""
    with open_page(pages("spread"), at=at) as tab:
        state = tab.evaluate("state")
        assert state == tab.evaluate("INITIAL")


def test_the_keyboard_reaches_everything(open_page, pages):
    """Tab alone comes to every control; Enter on a name opens the details, Escape closes them, and the focus
    is where it was.
    """
    with open_page(pages("spread"), figures=True) as tab:
        # Of the tabs the chosen one is reached; arrow keys go from tab to tab.
        wanted = (
            "a[href], button:not([role=tab]), [aria-selected=true], input, select, [tabindex='0'], summary"
        )
        visible = tab.evaluate(
            """(wanted) => [...document.querySelectorAll(wanted)].map((element, number) => {
              element.dataset.number = number;
              return element.checkVisibility() && !element.disabled ? `${number}` : null;
            }).filter(Boolean)""",
            wanted,
        )
        tab.evaluate("window.reached = []; addEventListener('focusin', (e) => reached.push(e.target))")
        for _ in range(len(visible) + 20):
            tab.keyboard.press("Tab")
        reached = tab.evaluate("reached.map((element) => element.dataset.number)")
        assert set(visible) - set(reached) == set()
        tab.locator("#tabs [aria-selected=true]").focus()
        tab.keyboard.press("ArrowRight")
        assert tab.locator("#measured").is_visible()
        show(tab, "networks")
        name = tab.locator("#table tbody tr:nth-child(3) button.variant")
        name.focus()
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.id") == "details-title"
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.getElementById('details').contains(document.activeElement)")
        tab.keyboard.press("Escape")
        assert not tab.locator("#details").is_visible()
        assert tab.evaluate("document.activeElement.title") == name.get_attribute("title")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", NARROW)])
def test_axe_finds_no_serious_violation(open_page, pages, scheme, width):
    """axe-core on the whole page, wide and narrow, with the details of a variant open and closed. Of the
    table it sees some rows, in which is every kind of cell that is in all.
    """
    at = "max_latency_ms=5&max_params=3e6"
    kinds = """() => [...new Set([...document.querySelectorAll("#table td")]
      .map((cell) => `${cell.parentElement.className} ${cell.className}`))].sort()"""
    with open_page(pages("gaps"), width=width, at=at, color_scheme=scheme, figures=True) as tab:
        show(tab, "networks")
        every = tab.evaluate(kinds)
        tab.locator("#filter").fill("r160")
        assert tab.evaluate(kinds) == every
        for details in ("", "mobilenet_v1_w0.5_r160_d5"):
            tab.evaluate("variant => change({ variant: variant || null })", details)
            found = Axe().run(tab, options={"resultTypes": ["violations"]}).response["violations"]
            serious = [
                (one["id"], node["html"][:200], node["failureSummary"][:300])
                for one in found
                if one["impact"] in ("serious", "critical")
                for node in one["nodes"][:3]
            ]
            assert serious == []


def test_axe_finds_nothing_on_the_index(open_page, tmp_path):
    """The page that lists the others."""
    index = report(tmp_path / "pages", write_run(tmp_path / "run", "space: {width: [0.5]}\n"))[0]
    with open_page(index) as tab:
        found = Axe().run(tab).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


def test_hostile_names_are_text_in_the_details_too(open_page, tmp_path):
    """Title, device, reason and folder of a run full of markup: nothing of it becomes an element."""
    run = hostile_run(tmp_path / "<img src=x onerror=alert(1)>")
    page = report(tmp_path / "pages", run)[1]
    with open_page(
        page, at="variant=mobilenet_v1_w1.0_r224_d5&latency=torch, fp32, batch 1, 1 thread"
    ) as tab:
        assert tab.locator("#details .warning").first.inner_text() == HOSTILE
        for view in ("scatter", "parallel"):
            tab.evaluate("view => change({ view })", view)
        assert tab.locator("img, b b").count() == 0


def test_the_details_hold_all_that_is_known(view, pages):
    """Every number of the row; layers that add up to it; each visit's calls; a sweep and a command that give
    this very network. A click on its point opens them, and marks it in the table and in the figures.
    """
    variant = "mobilenet_v1_w0.5_r160_d5"
    with view(pages("spread")) as tab:
        place = tab.evaluate(
            """(variant) => {
              const { row } = ordered.find(({ row }) => row.variant === variant);
              for (const [number, members] of base.entries()) {
                const at = members.findIndex((point) => point.row === row);
                const trace = plot.querySelectorAll(".scatterlayer .trace")[number];
                const path = trace?.querySelectorAll(".points path")[at];
                if (!path) continue;
                path.scrollIntoView({ block: "center" });
                const box = path.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
              }
            }""",
            variant,
        )
        tab.mouse.move(*place)
        tab.mouse.click(*place)
        assert tab.locator("#details-title").inner_text() == variant
        assert tab.locator("#table tr.chosen").count() == 5  # 2 configurations, 3 of the Pixel 3
        assert tab.locator("#explorer-overlay circle[r='12'][stroke-width='3']").count() == 1
        (rows,) = [r for r in groups_of(pages, "spread") if (r["config"] == "onnxruntime-fp32-b1-t1").any()]
        row = rows[rows["variant"] == variant].iloc[0]
        text = " ".join(tab.locator("#details").inner_text().split())
        for words in (
            "Latency {latency_ms:.4g} ms 95 %: {latency_low_ms:.4g} to {latency_high_ms:.4g} ms".format(
                **row
            ),
            "Top-1 accuracy 59.1 % published, tf-slim-2018-08-02",
            "Mult-adds 76.52 million exact, from the layer shapes",
            "Parameters 1.332 million",
            "Peak activations at fp32 1,229 kB",
        ):
            assert words in text
        lines = tab.locator("[aria-label^='Layers of'] tbody tr").evaluate_all(
            "all => all.map((line) => [...line.cells].map((cell) => cell.textContent))"
        )
        assert len(lines) == 29
        columns = list(zip(*lines, strict=True))
        whole = [sum(int(cell.replace(",", "")) for cell in columns[place]) for place in (3, 5)]
        assert whole == [1_331_592, 76_524_800] == [row["params"], row["macs"]]
        assert tab.locator("#visits .scatterlayer .trace").count() == 3
        sweep, show, export = tab.locator("#details .snippet pre").all_inner_texts()
        asked = parse_sweep(sweep, "copied.yaml")
        assert list(count_space(asked).ids()) == [variant]
        assert [(config.id, config.rounds) for config in asked.latency] == [("onnxruntime-fp32-b1-t1", 12)]
        assert asked.accuracy.table == "tf-slim-2018-08-02"
        assert variant in call(*show.split()[1:]).stdout
        assert export == f"mbsweep export --width 0.5 --resolution 160 -o {variant}.onnx"
        tab.locator("#details .snippet button").first.click()
        tab.wait_for_function("document.querySelector('#details .snippet button').textContent === 'Copied'")


@pytest.mark.parametrize(
    ("x", "y"), [("latency_ms", "top1_pct"), ("macs", "top5_pct"), ("params", "top1_pct")]
)
def test_the_drawn_front_is_that_of_what_fits(view, pages, x, y):
    """Under ten random budgets, the front on the page is that of the rows that fit; the others fade."""
    chance, rows = random.Random(x), groups_of(pages, "spread")[0]
    with view(pages("spread"), at=f"x={x}&y={y}") as tab:
        for _ in range(10):
            column = chance.choice(BUDGETED)
            limit = chance.uniform(0.9, 1.1) * chance.choice(list(rows[column]))
            tab.locator("#reset").click()
            fill(tab, column, limit)
            fits = rows[rows[column] <= limits_in(tab)["limits"][column]]
            drawn = tab.evaluate(
                "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => "
                "done(marks.fronts.flat().map(({ row }) => row.variant)))))"
            )
            expected = set(fits.loc[front(fits[x], fits[y]), "variant"])
            assert set(drawn) == expected
            assert len(drawn) == len(expected)
            faint = tab.evaluate(
                "[...plot.querySelectorAll('.scatterlayer .points path')]"
                ".filter((path) => path.style.opacity === '0.4').length"
            )
            assert faint == len(rows) - len(fits)


def test_what_the_measurements_do_not_settle_is_ringed(view, pages):
    """A ring for each point that is on the front with 5 to 95 %, and bars of its interval for every point."""
    rows = groups_of(pages, "spread")[0]
    unsettled = rows[(rows["front_pct"] > 5) & (rows["front_pct"] < 95)]
    assert 0 < len(unsettled) < 16
    with view(pages("spread")) as tab:
        assert tab.locator("#explorer-overlay circle[r='10']").count() == len(unsettled)
        assert tab.locator("#explorer-plot .errorbar").count() == 16
        assert "settle" in tab.locator("#explorer-remark").inner_text()
        tab.locator("#presets button", has_text="Accuracy / mult-adds").click()
        tab.wait_for_function("marks.unsettled.length === 0")
        assert tab.locator("#explorer-overlay circle[r='10']").count() == 0


def test_latency_against_mult_adds_has_its_power_law(view, pages):
    """The exponent of least squares on the logarithms, and who is off the line by more than 20 %."""
    rows = groups_of(pages, "spread")[1]  # eager PyTorch's made-up floor of 3 ms bends the line
    power, level = np.polyfit(np.log(rows["macs"] / 1e6), np.log(rows["latency_ms"]), 1)
    off = rows["latency_ms"] / np.exp(level + power * np.log(rows["macs"] / 1e6)) - 1
    with view(pages("spread"), at="latency=torch, fp32, batch 1, 1 thread") as tab:
        tab.locator("#presets button", has_text="Latency / mult-adds").click()
        tab.wait_for_function("marks.fit !== null")
        text = tab.locator("#explorer-remark").inner_text()
        assert f"mult-adds^{power:.2f}," in text
        worst = rows.loc[off.abs().idxmax()]
        assert f"{worst['width']:g}-{worst['resolution']} ({round(100 * off.abs().max()):+d} %)" in text
        assert tab.locator("#explorer-underlay path[stroke-dasharray]").count() == 1


def test_one_device_is_drawn_against_another(view, pages):
    """Latency here against that of the Pixel 3: 16 points where the two tables say."""
    groups = groups_of(pages, "spread")
    pixel = groups[2].set_index("variant")["latency_ms"]
    with view(pages("spread")) as tab:
        keys = tab.locator("#y option").evaluate_all("all => all.map((one) => one.value)")
        (key,) = [key for key in keys if key.startswith("latency_ms@TensorFlow Lite, CPU")]
        open_axes(tab)
        tab.locator("#y").select_option(key)
        found = dict(tab.evaluate("ordered.map(({ row, y }) => [row.variant, y])"))
        assert found == {variant: pytest.approx(value) for variant, value in pixel.items()}


def test_what_is_saved_is_what_is_shown(view, pages):
    """The filtered table as CSV has the rows and numbers of `mbsweep table`; figures are pictures."""
    table = open_run(pages.folder / "spread" / "spread").table()
    with view(pages("spread")) as tab:
        tab.locator("#filter").fill("onnxruntime")
        with tab.expect_download() as caught:
            tab.locator("#csv").click()
        saved = list(csv.DictReader(io.StringIO(Path(caught.value.path()).read_text())))
        expected = table[table["backend"] == "onnxruntime"]
        assert [row["variant"] for row in saved] == expected["variant"].tolist()
        for name in ("latency_ms", "latency_low_ms", "top1_pct", "macs", "front_pct"):
            assert [float(row[name]) for row in saved] == pytest.approx(expected[name].tolist(), rel=1e-6)
        show(tab, "stills")
        for button in ("#explorer-png", "button[data-figure=accuracy_latency][data-format=png]"):
            with tab.expect_download() as caught:
                tab.locator(button).click()
            content = Path(caught.value.path()).read_bytes()
            assert content[:8] == b"\x89PNG\r\n\x1a\n"
            width, height = struct.unpack(">II", content[16:24])
            assert width >= 1400
            assert height >= 1000
            assert len(content) > 20_000  # a blank one has some 8 kB
        with tab.expect_download() as caught:
            tab.locator("#explorer-svg").click()
        drawing = Path(caught.value.path()).read_text()
        assert drawing.startswith("<svg")
        assert "<b>" not in drawing
        assert "1-224" in drawing  # the best is named
        assert "no budget" in drawing


def test_every_view_can_be_drawn(open_page, pages):
    """All presets, all pairs of theme and group, colour by each field: no error, and points or a word."""
    with open_page(pages("gaps")) as tab:
        for preset in tab.locator("#presets button").all():
            preset.click()
            assert tab.locator("#explorer-remark").inner_text()
        tab.evaluate("change({ view: 'scatter' })")
        open_axes(tab)
        for select in ("x", "y", "colour", "shape", "group", "theme"):
            if select == "theme":  # of all figures
                settle(tab)
            for value in tab.locator(f"#{select} option").evaluate_all("all => all.map((one) => one.value)"):
                tab.locator(f"#{select}").select_option(value)
        assert tab.evaluate("state.theme") == "dark"
        tab.emulate_media(media="print")
        assert tab.pdf()[:5] == b"%PDF-"


def test_points_of_predicted_accuracy_are_hollow(open_page, tmp_path):
    """In the explorer, where the accuracy is an axis; where it is not, the measured points are full."""
    run = write_run(tmp_path / "run", WIDTH_RES.replace("source: published", "source: predicted"))
    full = (
        "document.getElementById('explorer-plot').data.filter((trace) => trace.customdata)"
        ".flatMap((trace) => trace.marker.symbol).filter((symbol) => !symbol.endsWith('-open')).length"
    )
    legend = "document.getElementById('legend').textContent.includes('Hollow: predicted')"
    presets = {
        "Accuracy / latency": (0, True),
        "Latency / mult-adds": (16, False),
        "Accuracy / mult-adds": (0, True),
    }
    with open_page(merged(tmp_path / "pages", run)) as tab:
        for preset, (count, is_told) in presets.items():
            tab.get_by_role("button", name=preset, exact=True).click()
            tab.wait_for_function(f"{full} === {count}")
            tab.wait_for_function(f"{legend} === {str(is_told).lower()}")


def test_a_budget_that_is_none_is_refused_by_python_too():
    """What the page leaves out of its address, a limit of 0 or below, is an error on the command line."""
    for limit in (0, -1, math.nan, math.inf):
        with pytest.raises(MbsweepError):
            Budget({"latency_ms": limit})
