"""The page of runs whose accuracies are trained, predicted, of a supernet or a search, in a browser."""

import shlex

import pytest
from browsing import NARROW, WIDE, Pages, cells, open_axes, rest, settle
from page_runs import written
from reporter_runs import TRAINED, WIDTH_RES, trained_run
from search_runs import search_run

from mbsweep.commands._picks import answers as picks
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.decide import Budget
from mbsweep.table.results import open_run

HEAD = TRAINED[: TRAINED.index("accuracy:")]
PLAIN = "accuracy: {source: predicted, table: tf-slim-2018-08-02, extrapolate: true}\n"
SUPERNET = """\
accuracy:
  source: supernet
  dataset: {name: digits, train: 100, validation: 100, test: 100}
  recipe: {epochs: 2, learning_rate: 0.00001}
  alone: {count: 2}
"""
MADE = {
    "trained": {"trained": trained_run},
    "supernet": {"supernet": written(HEAD + SUPERNET)},
    "predicted": {"predicted": written(WIDTH_RES[: WIDTH_RES.index("accuracy:")] + PLAIN)},
    "searched": {"searched": search_run},
    "both": {
        "trained": trained_run,
        "published": written(TRAINED[: TRAINED.index("accuracy:")].replace("48, 32", "224, 128")),
    },
}
PARTLY, STALLED = "mobilenet_v1_w0.5_r48_d5_n10", "mobilenet_v1_w0.5_r32_d5_n10"
BEST = "mobilenet_v1_w1.0_r48_d5_n10"
EXPORTS = "#details .snippet:has(h4:text-is('{}')) pre"  # what is suggested under a title
AS_TRAINED, AT_RANDOM = map(EXPORTS.format, ("Export it as it was trained", "Export it with random weights"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Name of a page -> its file."""
    return Pages(tmp_path_factory, "page_trained", MADE)


@pytest.mark.parametrize("name", ["trained", "supernet", "predicted"])
def test_the_sweep_in_the_details_asks_for_the_same_accuracy(view, pages, name):
    """Data set, recipe and seeds, or the points of a model; the variant with its classes. What a run may
    spend is not what a variant takes.
    """
    path = pages(name)
    run = open_run(pages.folder / name / name)
    whole = parse_sweep(run.about()["text"], "whole.yaml")
    variant = run.table()["variant"].iloc[0]
    with view(path, at=f"variant={variant}") as tab:
        sweep = tab.locator("#details .snippet pre").first.inner_text()
    asked = parse_sweep(sweep, "copied.yaml")
    assert list(count_space(asked).ids()) == [variant]
    assert asked.accuracy.model_dump(exclude={"budget"}) == whole.accuracy.model_dump(exclude={"budget"})
    if name == "trained":
        assert "dataset: {name: digits, train: 100, validation: 100, test: 100}" in sweep
        assert asked.accuracy.recipe.weight_decay == 1e-7
        assert asked.accuracy.budget.minutes is None
    assert ("depends on all variants" in sweep) == (name == "supernet")


def test_an_accuracy_is_told_with_its_interval(view, pages):
    """In the answer, the details, and when a point is hovered over; its remark is a warning. So is that
    the weights cannot be exported, where there are any.
    """
    path = pages("trained")
    rows = open_run(pages.folder / "trained" / "trained").table().set_index("variant")
    words = "{top1_pct:.1f} % 95 %: {top1_low_pct:.1f} to {top1_high_pct:.1f} % {top1_source}"
    with view(path, at=f"variant={PARTLY}") as tab:
        text = " ".join(tab.locator("#details").inner_text().split())
        assert f"Top-1 accuracy {words.format(**rows.loc[PARTLY])}" in text
        assert "Top-1 accuracy, 95 %" not in text
        warnings = tab.locator("#details .warning").all_inner_texts()
        assert any(text.startswith("Accuracy: seed 1 stalled at chance") for text in warnings)
        sentence = " ".join(tab.locator("#answer .sentence").inner_text().split())
        best = "{top1_pct:.1f} % top-1, {top1_kind} (95 %: {top1_low_pct:.1f} to {top1_high_pct:.1f})"
        assert best.format(**rows.loc[BEST]) in sentence
        hovers = tab.evaluate("plot.data.flatMap(({ text }) => text ?? [])")
        (said,) = [text for text in hovers if PARTLY in text]
        ends = "95 &#37; interval: {top1_low_pct:.1f} to {top1_high_pct:.1f} &#37;"
        assert ends.format(**rows.loc[PARTLY]) in said
        assert "Seeds: 0" in said
        assert "<br>Note: seed 1 stalled at chance" in said
        exported = tab.locator(AS_TRAINED).inner_text()
        run = str(pages.folder / "trained" / "trained")
        assert shlex.split(exported) == ["mbsweep", "export", run, PARTLY, "-o", f"{PARTLY}.onnx"]
        assert tab.locator(AT_RANDOM).count() == 0
        tab.evaluate("(variant) => change({ variant })", STALLED)
        assert tab.locator(AS_TRAINED).count() == 0
        assert tab.locator(AT_RANDOM).inner_text().startswith("mbsweep export --width")
        (warning,) = tab.locator("#details .warning").all_inner_texts()
        assert "No accuracy: seed 0 stalled at chance" in warning


def test_bars_reach_to_the_ends_of_the_interval(view, pages):
    """Upright with accuracy on the y axis, level on the x axis, none for top-5."""
    path = pages("trained")
    rows = open_run(pages.folder / "trained" / "trained").table().set_index("variant")
    drawn = """Object.fromEntries(plot.data.flatMap(({ customdata, error_x, error_y, x, y }) =>
      (customdata ?? []).map((name, place) => [name, [[x, error_x], [y, error_y]].map(([at, bar]) =>
        bar?.array ? [at[place] - bar.arrayminus[place], at[place] + bar.array[place]] : null)])))"""
    with view(path, at="x=macs&y=top1_pct") as tab:
        found = tab.evaluate(drawn)
        assert set(found) == {BEST, PARTLY, "mobilenet_v1_w1.0_r32_d5_n10"}
        for variant, (level, upright) in found.items():
            assert level is None
            ends = rows.loc[variant, ["top1_low_pct", "top1_high_pct"]].tolist()
            assert upright == pytest.approx(ends, rel=1e-5)
        open_axes(tab)
        tab.locator("#x").select_option("top1_pct")
        tab.locator("#y").select_option("macs")
        rest(tab)
        assert all(level and not upright for level, upright in tab.evaluate(drawn).values())
        tab.locator("#x").select_option("top5_pct")
        rest(tab)
        assert not any(level or upright for level, upright in tab.evaluate(drawn).values())


def test_a_floor_that_the_interval_reaches_below_is_told(view, pages):
    """The best is at 92 %; its interval goes on below 90 %."""
    with view(pages("trained")) as tab:
        tab.locator("#budget-top1_pct").fill("90")
        assert "interval reaches below what is asked" in tab.locator("#answer .sentence").inner_text()
        tab.locator("#budget-top1_pct").fill("40")
        assert "interval reaches" not in tab.locator("#answer .sentence").inner_text()


@pytest.mark.parametrize("name", ["trained", "both"])
def test_the_best_is_it_as_likely_as_pick_says(view, pages, name):
    """Among accuracies with intervals: both draw a thousand times, so two points are a standard deviation."""
    path = pages(name)
    run = open_run(pages.folder / name / "trained")
    (answer,) = picks(run, Budget({}), None)
    latencies = answer.rows["latency_ms"].dropna().sort_values()
    drawn = 0
    with view(path) as tab:
        for limit in [*(latencies * 1.002), latencies.max() * 2]:
            (found,) = picks(run, Budget({"latency_ms": limit}), None)
            if not found.decision.fitting:
                continue
            wins = found.chances.best_pct[found.decision.fitting[0]]
            tab.evaluate("(most) => change({ group: 0, limits: { latency_ms: most } })", limit)
            told = tab.evaluate("chanceOfBest(decision().fitting[0], state)")
            drawn += 2 < wins < 98
            assert abs(100 * told - wins) <= 6
    assert drawn >= 1


def test_the_table_has_seeds_epochs_and_notes(view, pages):
    """No ends of intervals, and no data set where there is but one; blank where nothing was trained."""
    with view(pages("trained")) as tab:
        tab.locator("#wide").check()
        heads = [text.rstrip(" ▲▼") for text in tab.locator("#table th").all_inner_texts()]
        assert not [head for head in heads if head.startswith(("Top-1 accuracy, 95", "Data set"))]
        assert cells(tab, "Seeds") == ["0, 1", "0, 1", "0", ""]
        assert cells(tab, "Epochs trained") == ["4"] * 4
        assert cells(tab, "About the accuracy")[0] == ""
        assert cells(tab, "About the accuracy")[2].startswith("seed 1 stalled at chance")


def test_evaluations_of_a_search_are_sorted_and_open_the_details(view, pages):
    """A run of a search begins with it. What is unknown is last in both directions; the third click is as
    the first; a network in the table is ringed in the figure.
    """
    with view(pages("searched"), figures=True) as tab:
        tab.evaluate("change({ tab: INITIAL.tab })")
        assert tab.locator("#tabs [aria-selected=true]").inner_text() == "Search"
        table = tab.locator("#search table.sortable")
        seen = table.locator("th", has_text="Seen (%)")
        place = table.locator("th").all_inner_texts().index(seen.inner_text()) + 1
        column = table.locator(f"tbody td:nth-child({place})")
        every = []
        for _ in range(3):
            seen.locator("button").click()
            every.append(column.all_inner_texts())
        rising, falling, again = every
        assert rising[-2:] == falling[-2:] == ["unknown", "unknown"]
        numbers = [float(text) for text in rising[:-2]]
        assert len(numbers) == 28
        assert numbers == sorted(numbers)
        assert falling[:-2] == rising[-3::-1]
        assert again == rising
        assert seen.get_attribute("aria-sort") == "ascending"
        button = table.locator("tr.front button.variant").first
        button.click()
        assert tab.locator("#details-title").inner_text() == button.get_attribute("data-variant")
        ringed = "document.getElementById('search_front').layout.annotations.length"
        tab.wait_for_function(f"{ringed} > 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["trained", "both"])
def test_learning_curves_fit_and_a_chosen_variant_is_ringed_once_a_line(open_page, pages, name, scheme):
    """Wide and narrow; each attempt of either seed is a line."""
    ringed = "curves.layout.annotations?.filter(({ name }) => name === 'chosen').length ?? 0"
    curves = "const curves = document.getElementById('curves');"
    with open_page(pages(name), color_scheme=scheme, figures=True) as tab:
        for width, margin in ((WIDE, 60), (NARROW, 45)):
            tab.set_viewport_size({"width": width, "height": 900})
            tab.evaluate("change({ variant: null })")
            tab.wait_for_function(f"document.getElementById('curves')._fullLayout.margin.l === {margin}")
            settle(tab)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.locator("#curves .scatterlayer .js-line").count() >= 11
            tab.evaluate("(variant) => change({ variant })", PARTLY)
            settle(tab)
            assert tab.evaluate(f"(() => {{ {curves} return {ringed}; }})()") == 4


def test_nothing_of_what_was_evaluated_is_cut_off(view, pages):
    """Names of 80 characters, intervals and a failure's reason: in a window of 1280."""
    beyond = """() => [...document.querySelectorAll("#search .scroll")].map(
      (one) => one.querySelector("table").offsetWidth - one.clientWidth
    )"""
    with view(pages("searched")) as tab:
        tab.evaluate("change({ tab: INITIAL.tab })")
        assert max(tab.evaluate(beyond)) <= 0
