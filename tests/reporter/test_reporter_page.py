"""The pages as they are written: what stands in them, and the data of their figures. No browser."""

import base64
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from console import contents, execute, refusal
from reporter_runs import (
    HOSTILE,
    PREDICTOR,
    WIDTH_RES,
    hostile_run,
    made_up_ms,
    many_run,
    merged,
    report,
    write_run,
)
from typer.testing import CliRunner

from mbsweep.accuracy.published import latency_rows
from mbsweep.base.errors import MbsweepError
from mbsweep.commands._published import printed_sizes
from mbsweep.commands.app import app
from mbsweep.reporter.figures import FIGURES
from mbsweep.reporter.page import write_report
from mbsweep.table.columns import COMPARABLE, PANEL
from mbsweep.table.published import published_latencies
from mbsweep.table.results import open_run

MEASURED = ["onnxruntime", "torch"]
PIXEL = ["TensorFlow Lite, CPU", "TensorFlow Lite, GPU", "TensorFlow Lite, NNAPI"]


class Page(HTMLParser):
    """A page taken apart: its text, its elements, its figures and its rows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.data: list[str] = []
        self._within: list[str] = []
        self.feed(self.source)
        names = [attributes["id"] for tag, attributes in self.elements if attributes.get("class") == "figure"]
        self.figures = dict(zip(names, map(json.loads, self.data[:-1]), strict=True)) if self.data else {}
        self.payload = json.loads(self.data[-1]) if self.data else {}

    def handle_starttag(self, tag, attributes):
        """Called by the parser."""
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._within.append(dict(attributes).get("type", tag))

    def handle_endtag(self, tag):
        """Called by the parser."""
        if tag in ("script", "style"):
            self._within.pop()

    def handle_data(self, data):
        """Called by the parser."""
        if not self._within:
            self.words.append(data)
        elif self._within[-1] == "application/json":
            self.data.append(data)

    @property
    def text(self) -> str:
        """All that a reader sees before scripts run."""
        return "".join(self.words)

    def records(self) -> list[dict]:
        """The page's rows by the names of their columns."""
        count = len(self.payload["group"])
        columns = {name: decoded(values, count) for name, values in self.payload["rows"].items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def shown_columns(page: Page) -> list[str]:
    return [column["name"] for column in page.payload["columns"] if column["shown"]]


def decoded(values, count: int) -> list:
    """A column of the page: a list, one value for all rows, or texts with each row's place among them."""
    if isinstance(values, dict):
        return [None if at is None else values["texts"][at] for at in values["at"]]
    return values if isinstance(values, list) else [values] * count


def numbers(values) -> np.ndarray:
    """An array of a plotly figure: a list, or base64 of its bytes."""
    if isinstance(values, dict):
        array = np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
        return array.reshape([int(n) for n in str(values.get("shape", len(array))).split(",")])
    return np.array(values, dtype=float)


def points(figure: dict) -> dict[str, list[tuple[float, float]]]:
    """x axis -> the points drawn on it."""
    found: dict[str, list[tuple[float, float]]] = {}
    for trace in figure["data"]:
        if trace["mode"] == "markers" and "customdata" in trace:
            pairs = zip(numbers(trace["x"]), numbers(trace["y"]), strict=True)
            found.setdefault(trace["xaxis"], []).extend(pairs)
    return found


def lines(figure: dict) -> list[dict]:
    return [t for t in figure["data"] if t["mode"] == "lines" and "xaxis" in t and t.get("name") is None]


@pytest.fixture(scope="module")
def normal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("normal")
    return Page(report(folder / "pages", write_run(folder / "run"))[1])


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Eight configurations: int8, bf16, training steps, pinned cores, one predicted, one skipped."""
    folder = tmp_path_factory.mktemp("many")
    return Page(report(folder / "pages", many_run(folder / "run"))[1])


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two runs of one sweep on two devices, on one page; the second is 1.5 times as slow."""
    folder = tmp_path_factory.mktemp("both")
    runs = [
        write_run(folder / "fast", device="Fast device"),
        write_run(folder / "slow", latency_ms=lambda *of: 1.5 * made_up_ms(*of), device="Slow device"),
    ]
    return Page(merged(folder / "pages", *runs))


def traces(figure: dict) -> dict[str, list[dict]]:
    """x axis -> the traces of the points drawn on it."""
    found: dict[str, list[dict]] = {}
    for trace in figure["data"]:
        if "customdata" in trace:
            found.setdefault(trace["xaxis"], []).append(trace)
    return found


def titles(figure: dict) -> list[str]:
    """The panels' titles without markup, their lines joined by spaces."""
    found = [title["text"] for title in figure["layout"].get("annotations", [])]
    return [re.sub("<[^>]*>", "", title.replace("<br>", " ")) for title in found]


def words(page: Page) -> str:
    return " ".join(page.text.split())


def page_of(folder: Path, *args, **kwargs) -> Page:
    return Page(report(folder / "pages", write_run(folder / "run", *args, **kwargs))[1])


def test_figures_are_the_promised_ones_on_log_axes(normal):
    """Accuracy against MACs, parameters and latency, latency against MACs; every cost on a log axis. And the
    ranks, which have axes of their own."""
    names = ["accuracy_latency", "accuracy_macs", "accuracy_params", "latency_macs", "ranks"]
    assert list(normal.figures) == names
    titles = {
        "accuracy_latency": "Latency (ms, log scale)",
        "accuracy_macs": "Mult-adds (millions, log scale)",
    }
    titles |= {"accuracy_params": "Parameters (millions, log scale)", "latency_macs": titles["accuracy_macs"]}
    for name, figure in normal.figures.items():
        layout = figure["layout"]
        for axis in points(figure):
            shown = layout["xaxis" + axis[1:]]
            assert shown["type"] == "log"
            assert shown["title"]["text"] == titles[name]
            y = layout["yaxis" + axis[1:]]
            wanted = (
                ("log", "Latency (ms, log scale)") if name == "latency_macs" else (None, "Top-1 accuracy (%)")
            )
            assert (y.get("type"), y["title"]["text"]) == wanted


def test_every_variant_is_a_point_of_every_panel(normal):
    """16 points in each of the 2 measured panels and the 3 of the Pixel 3; 16 where no latency is drawn."""
    counts = {name: sorted(map(len, points(figure).values())) for name, figure in normal.figures.items()}
    assert counts == {
        "accuracy_latency": [16] * 5,
        "accuracy_macs": [16],
        "accuracy_params": [16],
        "latency_macs": [16] * 5,
        "ranks": [],  # lines
    }


def test_points_are_where_the_numbers_say(normal):
    """1.0-224 of tf-slim-2018-08-02: 70.9 % at 568,740,352 mult-adds and 4,231,976 parameters."""
    for name, x in (("accuracy_macs", 568.740352), ("accuracy_params", 4.231976)):
        (drawn,) = points(normal.figures[name]).values()
        assert any(point == pytest.approx((x, 70.9), abs=1e-9) for point in drawn)


def test_drawn_front_equals_brute_force(normal):
    """In each panel, the line's vertices are exactly the points that no other point beats."""
    for name in ("accuracy_latency", "accuracy_macs", "accuracy_params"):
        figure = normal.figures[name]
        drawn = points(figure)
        assert len(lines(figure)) == len(drawn)
        for line in lines(figure):
            cloud = drawn[line["xaxis"]]
            best = {
                (x, y) for x, y in cloud if not any(a <= x and b >= y and (a, b) != (x, y) for a, b in cloud)
            }
            vertices = list(zip(numbers(line["x"]), numbers(line["y"]), strict=True))
            assert vertices == sorted(best)
            assert line["line"]["shape"] == "hv"


def test_front_of_accuracy_against_parameters_is_the_224_px_column(normal):
    """Resolution costs no parameter: the front is the four 224 px networks, 49.8, 63.3, 68.4 and 70.9 %."""
    (line,) = lines(normal.figures["accuracy_params"])
    assert numbers(line["y"]).tolist() == [49.8, 63.3, 68.4, 70.9]
    assert numbers(line["x"]) == pytest.approx([0.470072, 1.331592, 2.585560, 4.231976])


def test_bars_are_the_95_percent_interval(tmp_path):
    """Twelve visits, in turn 5 % below, at and above the headline: no bar is longer, none is zero."""
    page = page_of(tmp_path, WIDTH_RES.replace("rounds: 3", "rounds: 12"), rounds=lambda v: 12, spread=0.05)
    for name, bar, along in (("accuracy_latency", "error_x", "x"), ("latency_macs", "error_y", "y")):
        measured = [t for t in page.figures[name]["data"] if "customdata" in t and bar in t]
        assert sum(len(numbers(t[along])) for t in measured) == 32  # the published figures have no interval
        for trace in measured:
            for side in ("array", "arrayminus"):
                lengths = numbers(trace[bar][side]) / numbers(trace[along])
                assert (lengths > 0.02).all()
                assert (lengths < 0.0501).all()
    (row,) = [
        r for r in page.records() if r["variant"] == "mobilenet_v1_w1.0_r224_d5" and r["backend"] == "torch"
    ]
    assert row["latency_low_ms"] == pytest.approx(0.95 * (3 + 40 * 0.568740352), rel=1e-6)
    assert row["latency_high_ms"] == pytest.approx(1.05 * (3 + 40 * 0.568740352), rel=1e-6)


def test_without_an_interval_there_is_no_bar(normal):
    """Three visits are too few for an interval: no bar is drawn, and the page says so."""
    for figure in normal.figures.values():
        assert not [t for t in figure["data"] if "error_x" in t or "error_y" in t]
    for config in ("onnxruntime-fp32-b1-t1", "torch-fp32-b1-t1"):
        assert f"{config}: 16 of 16 rows without an interval, of too few visits." in words(normal)


def test_bars_of_predictions_reach_to_both_ends_of_their_interval(many):
    """5 % below and 10 % above: the two sides of a bar differ."""
    (panel,) = [
        place for place, title in enumerate(titles(many.figures["accuracy_latency"])) if "predicted" in title
    ]
    for trace in list(traces(many.figures["accuracy_latency"]).values())[panel]:
        latency = numbers(trace["x"])
        assert numbers(trace["error_x"]["array"]) == pytest.approx(0.1 * latency)
        assert numbers(trace["error_x"]["arrayminus"]) == pytest.approx(0.05 * latency)


def test_predicted_points_are_hollow_and_no_others(many, normal):
    """Their markers are open ones of the same symbols; legend, title and caption say what that means."""
    for name in ("accuracy_latency", "latency_macs"):
        figure = many.figures[name]
        for title, panel in zip(titles(figure), traces(figure).values(), strict=True):
            symbols = {symbol for trace in panel for symbol in trace["marker"]["symbol"]}
            assert len(symbols) == 4
            is_open = {symbol.endswith("-open") for symbol in symbols}
            assert is_open == {"predicted for Made-up device, 2 cores" in title}
        assert "hollow: predicted" in [trace.get("name") for trace in figure["data"]]
    for figure in (many.figures["accuracy_macs"], *normal.figures.values()):
        assert "hollow: predicted" not in [trace.get("name") for trace in figure["data"]]
    assert "A point is the headline latency, hollow where it is predicted" in words(many)


def test_what_predictions_are_worth_is_said_once(many):
    """The predictor's own sentence stands once on the page, and once in its data, not in every row."""
    assert f"onnxruntime-fp32-b1-t1-predicted: {PREDICTOR}" in words(many)
    assert words(many).count(PREDICTOR) == 1
    assert many.source.count(PREDICTOR) == 2  # the other time for the details of all 16 variants


def test_noisy_rows_are_counted_by_configuration(many):
    """Only int8 is noisy, in 4 of its 16 rows; a configuration that is as it should be is not spoken of."""
    text = words(many)
    expected = "onnxruntime-int8-b1-t1: 4 of 16 rows noisy (interquartile range above 10 % of the median)."
    assert f"Not to be relied on to the last digit: {expected}" in text
    assert text.count("rows noisy") == 1
    assert "wider than asked" not in text
    noisy = [r for r in many.records() if r["latency_note"] and r["latency_kind"] == "measured"]
    assert [(r["precision"], r["width"]) for r in noisy] == [("int8", 1)] * 4


def test_spent_budgets_are_counted_by_configuration(tmp_path):
    """Visits that are 2 % apart leave no row an interval of 2 %; those 0.5 % apart, in `many`, do."""
    page = page_of(tmp_path, WIDTH_RES.replace("rounds: 3", "rounds: 12"), rounds=lambda v: 12, spread=0.02)
    for config in ("onnxruntime-fp32-b1-t1", "torch-fp32-b1-t1"):
        assert f"{config}: 16 of 16 rows wider than asked when the budget was spent." in words(page)


def test_an_unfinished_row_has_not_spent_its_budget(tmp_path):
    """Stopped after 12 of 40 rounds: the row is among the missing, not among the wide ones."""
    page = page_of(tmp_path, WIDTH_RES.replace("rounds: 3", "rounds: 40"), rounds=lambda v: 12, spread=0.05)
    assert "32 rows of the table have no latency, or less than was asked for" in words(page)
    assert "the budget was spent" not in words(page)


def test_a_skipped_configuration_is_named_once_with_its_reason(many):
    """Its 16 rows stay in the table, but the list of what is missing does not repeat the reason 16 times."""
    reason = "skipped: executorch is not installed"
    assert f"executorch-int8-b1-t1: {reason}" in words(many)
    assert many.text.count(reason) == 1
    assert "What is missing, and why" not in many.text
    assert [r["error"] for r in many.records() if r["backend"] == "executorch"] == [reason] * 16
    assert "6 measured, 1 predicted, 1 skipped" in words(many)


def test_panel_titles_name_whatever_tells_configurations_apart(many):
    """Precision, mode, memory format, batch, threads and cores; what is usual is left out."""
    found = titles(many.figures["latency_macs"])
    measured = [title.partition(" measured on")[0] for title in found if "measured on" in title]
    assert measured == [
        "onnxruntime, fp32, batch 1, 1 thread",
        "onnxruntime, int8, batch 1, 1 thread",
        "openvino, bf16, batch 1, 2 threads",
        "torch, fp32, batch 1, 1 thread, channels_last",
        "torch, fp32, batch 16, 1 thread, forward_backward, cpu0, cpu1",
        "torch_compile, fp32, batch 1, 2 threads, forward_backward, channels_last",
    ]
    assert len(set(found)) == len(found) == 10
    for name in measured:
        # The table of devices says it in the same words.
        assert name in [group["words"] for group in many.payload["groups"]]


def test_panels_tell_apart_all_that_is_comparable():
    """Whatever keeps two rows off one front keeps them off one panel, but for where accuracy comes from."""
    assert set(COMPARABLE) - set(PANEL) == {"top1_kind", "top1_source", "dataset"}


def test_many_panels_stand_three_in_a_row(many, normal):
    """Ten panels: rows of 3, 3, 3 and 1; five: rows of 2, 2 and 1. Points in every one."""
    for page, columns, count in ((many, 3, 10), (normal, 2, 5)):
        figure = page.figures["latency_macs"]
        drawn = points(figure)
        assert len(drawn) == count
        starts = [figure["layout"]["xaxis" + axis[1:]]["domain"][0] for axis in drawn]
        assert starts == [starts[place % columns] for place in range(count)]
        assert len(set(starts)) == columns


def test_accuracies_of_two_precisions_are_two_panels(many):
    """tflite-hosted: 1.0-224 has 71.0 % at fp32 and 70.0 % at int8; neither front joins the two."""
    for name, x in (("accuracy_macs", 568.740352), ("accuracy_params", 4.231976)):
        figure = many.figures[name]
        assert titles(figure) == ["accuracy at fp32", "accuracy at int8"]
        floats, ints = points(figure).values()
        assert (len(floats), len(ints), len(lines(figure))) == (16, 16, 2)
        assert max(floats, key=lambda point: point[1]) == pytest.approx((x, 71.0))
        assert max(ints, key=lambda point: point[1]) == pytest.approx((x, 70.0))
    text = words(many)
    assert "known for 16 of 16 variants, at int8 for 16 of 16 variants, at bf16 for 0 of 16 variants" in text
    assert "no figure for any of these networks at bf16, so no figure shows accuracy at bf16." in text


def test_beyond_eight_resolutions_the_legend_says_that_markers_do_not_tell_them(tmp_path):
    """15 resolutions: one marker, and one entry in words."""
    page = page_of(tmp_path, "space: {width: [0.5, 1.0], resolution: {from: 96, to: 320, step: 16}}\n")
    figure = page.figures["params_macs"]
    assert {trace["marker"]["symbol"] for trace in figure["data"] if "customdata" in trace} == {"circle"}
    names = [trace["name"] for trace in figure["data"] if trace.get("name")]
    assert names == ["width 0.5", "width 1", "15 resolutions, 96 to 320 px: one marker"]


def test_sessions_of_one_device_are_one_row(normal, many):
    """Each configuration has a session of its own; the table of how it was measured does not repeat them."""
    assert normal.text.count("torch 2.13.0") == many.text.count("torch 2.13.0") == 1
    assert "2 sessions, the last" in words(normal)
    assert "7 sessions, the last" in words(many)


def test_table_begins_with_what_a_reader_asks_first(normal, many):
    """What is the same in every row is left out, and so are columns that only a program wants."""
    columns = shown_columns(normal)
    assert columns[:4] == ["variant", "backend", "precision", "latency_ms"]
    assert not {"run", "mode", "memory_format", "device_id", "latency_p90_low_ms"} & set(columns)
    columns = shown_columns(many)
    assert columns[:4] == ["variant", "backend", "precision", "mode"]
    assert columns[4:8] == ["latency_ms", "latency_low_ms", "latency_high_ms", "top1_pct"]


def test_several_runs_make_one_page(both):
    """One panel per run and configuration, those of a configuration beside each other; Pixel 3's once."""
    figure = both.figures["accuracy_latency"]
    assert [title.split(",")[0] for title in titles(figure)] == [
        "fast onnxruntime",
        "slow onnxruntime",
        "fast torch",
        "slow torch",
        *["TensorFlow Lite"] * 3,
    ]
    assert [len(drawn) for drawn in points(figure).values()] == [16] * 7
    assert len(both.records()) == 16 * (2 + 2 + 3)
    by_run = {run: [r for r in both.records() if r["run"] == run] for run in ("fast", "slow", None)}
    assert [len(rows) for rows in by_run.values()] == [32, 32, 48]
    for fast, slow in zip(by_run["fast"], by_run["slow"], strict=True):
        assert slow["latency_ms"] == pytest.approx(1.5 * fast["latency_ms"], rel=1e-5)
    assert [len(drawn) for drawn in points(both.figures["accuracy_macs"]).values()] == [16]
    text = words(both)
    for words_ in ("fast + slow", "Fast device", "Slow device", "16 of 16 variants"):
        assert words_ in text
    assert text.count(" ".join(WIDTH_RES.split())) == 2
    assert "fast, torch-fp32-b1-t1: 16 of 16 rows without an interval" in text


def test_panels_of_one_configuration_have_the_same_range(both):
    """A run that is 1.5 times as slow also looks slower: the second panel's axes follow the first's."""
    for figure in (both.figures["accuracy_latency"], both.figures["latency_macs"]):
        follows = [figure["layout"]["xaxis" + axis[1:]].get("matches") for axis in points(figure)]
        assert follows == ["x", "x", "x3", "x3", None, None, None]


def test_the_front_of_each_run_is_its_own(both):
    """A slower run's front is no shorter: its rows are compared with none of the other's."""
    for backend in MEASURED:
        fast, slow = (
            [
                r["variant"]
                for r in both.records()
                if (r["run"], r["backend"]) == (run, backend) and r["on_front"]
            ]
            for run in ("fast", "slow")
        )
        assert fast == slow != []


def test_runs_of_the_same_name_are_told_apart_by_their_paths(tmp_path):
    """`a/run` and `b/run` give `run+run.html`, with both paths in it."""
    runs = [write_run(tmp_path / name / "run", "space: {width: [0.5]}\n") for name in ("a", "b")]
    page = merged(tmp_path / "pages", *runs)
    assert page.name == "run+run.html"
    assert {row["run"] for row in Page(page).records() if row["latency_kind"] is None} == set(map(str, runs))


def test_gaps_of_several_runs_say_whose_they_are(tmp_path):
    """Where the runs lack the same, it is said once; else each sentence begins with the run."""
    lines_ = "space: {width: [0.3]}\n"
    known = lines_ + "accuracy: {source: published, table: paper}\n"
    one, two, three = (
        write_run(tmp_path / name, text)
        for name, text in (("one", lines_), ("two", known), ("three", lines_))
    )
    alike, apart = Page(merged(tmp_path / "pages", one, three)), Page(merged(tmp_path / "pages", one, two))
    assert words(alike).count("The sweep names no accuracy source") == 1
    assert "one: The sweep" not in words(alike)
    assert "one: The sweep names no accuracy source" in words(apart)
    assert "two: paper has no figure for any of these networks" in words(apart)


def test_index_lists_pages(tmp_path):
    """A page of two runs is one entry, with both paths."""
    runs = [write_run(tmp_path / name, "title: T\nspace: {width: [0.5]}\n") for name in ("one", "two")]
    page = merged(tmp_path / "pages", *runs)
    index = Page(page.parent / "index.html")
    assert [a["href"] for tag, a in index.elements if tag == "a"] == ["one%2Btwo.html"]
    assert "one + two" in words(index)
    for run in runs:
        assert str(run) in words(index)


def test_published_latencies_have_the_accuracy_of_their_own_precision(tmp_path):
    """A run at int8 alone knows no accuracy at fp32, so the Pixel 3's fp32 latencies get none."""
    int8 = WIDTH_RES.replace("onnxruntime,", "onnxruntime, precision: int8,").replace(
        "tf-slim-2018-08-02", "tflite-hosted"
    )
    text = re.sub("  - {backend: torch.*\n", "", int8)
    rows = published_latencies(open_run(write_run(tmp_path / "int8", text)).table(), latency_rows)
    assert len(rows) == 48
    assert rows["top1_pct"].isna().all()
    assert not rows["on_front"].any()
    rows = published_latencies(open_run(write_run(tmp_path / "fp32")).table(), latency_rows)
    assert rows["top1_pct"].max() == 70.9
    assert rows["run"].isna().all()


def test_no_published_latencies_is_an_empty_table(tmp_path):
    """Nobody published this network: no row, the usual columns."""
    table = open_run(write_run(tmp_path / "run", "space: {width: [0.3]}\n")).table()
    rows = published_latencies(table, latency_rows)
    assert len(rows) == 0
    assert list(rows.columns) == list(table.columns)


def test_width_is_colour_and_resolution_is_marker(normal):
    """One colour per width and one marker per resolution, the same in every figure, and a legend of both."""
    for figure in normal.figures.values():
        looks = set()
        for trace in figure["data"]:
            if "customdata" in trace:
                symbols = trace["marker"]["symbol"]
                for data, symbol in zip(trace["customdata"], symbols, strict=True):
                    looks.add((data[1], trace["marker"]["color"], data[2], symbol))
        assert len(looks) == 16
        assert len({look[:2] for look in looks}) == len({look[1] for look in looks}) == 4
        assert len({look[2:] for look in looks}) == len({look[3] for look in looks}) == 4
        legend = [t["name"] for t in figure["data"] if t.get("name")]
        assert legend[:4] == ["width 0.25", "width 0.5", "width 0.75", "width 1"]
        assert legend[4:8] == ["128 px", "160 px", "192 px", "224 px"]


@pytest.mark.parametrize(
    ("width", "resolution", "backend", "latency_ms"),
    [  # tensorflow.org/lite/guide/hosted_models, Pixel 3, Android 10
        (1.0, 224, "TensorFlow Lite, CPU", 24.0),
        (1.0, 224, "TensorFlow Lite, GPU", 6.5),
        (1.0, 224, "TensorFlow Lite, NNAPI", 13.8),
        (0.25, 128, "TensorFlow Lite, CPU", 1.2),
        (0.25, 128, "TensorFlow Lite, NNAPI", 3.0),
        (0.75, 192, "TensorFlow Lite, CPU", 11.0),
    ],
)
def test_published_pixel_3_latencies_are_another_device(normal, width, resolution, backend, latency_ms):
    """They stand in the table as published, with their device and source, beside what was measured here."""
    (row,) = [
        row
        for row in normal.records()
        if (row["width"], row["resolution"], row["backend"]) == (width, resolution, backend)
    ]
    assert row["latency_ms"] == latency_ms
    assert row["latency_kind"] == "published"
    assert row["device"] == "Pixel 3, Android 10 (tflite-hosted)"
    assert row["threads"] == (4 if backend.endswith("CPU") else None)


def test_table_has_every_row(normal):
    """16 variants x (2 measured configurations + 3 published): 80 rows, with the run's numbers."""
    rows = normal.records()
    assert len(rows) == 80
    assert {(row["backend"], row["latency_kind"]) for row in rows} == {
        *((name, "measured") for name in MEASURED),
        *((name, "published") for name in PIXEL),
    }
    (row,) = [
        r for r in rows if r["variant"] == "mobilenet_v1_w1.0_r224_d5" and r["backend"] == "onnxruntime"
    ]
    assert (row["params"], row["macs"], row["top1_pct"]) == (4_231_976, 568_740_352, 70.9)
    assert row["latency_ms"] == pytest.approx(0.1 + 18 * 0.568740352, rel=1e-6)
    units = {column["name"]: column["unit"] for column in normal.payload["columns"]}
    assert (units["latency_ms"], units["top1_pct"], units["weight_bytes"]) == ("ms", "%", "bytes")


def test_page_states_what_a_reader_must_know(normal):
    """Device, versions, source of accuracy and sweep file."""
    text = " ".join(normal.text.split())
    assert "torch 2.13.0" in text
    assert "Made-up device, 2 cores" in text
    assert "tf-slim-2018-08-02, known for 16 of 16 variants" in text
    assert " ".join(WIDTH_RES.split()) in text
    words = normal.payload["groups"][0]["words"]
    assert words == "onnxruntime, fp32, batch 1, 1 thread"  # not 1.0


def test_page_loads_nothing(normal):
    """Nothing refers to what is outside the page but the link to the index, and the browser is told so."""
    links = [(tag, a[name]) for tag, a in normal.elements for name in ("src", "href", "action") if name in a]
    within = [("a", "#decide"), ("a", "#trust")]
    assert [link for link in links if link not in within] == [("link", "data:,"), ("a", "index.html")]
    (policy,) = [
        a["content"] for tag, a in normal.elements if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


@pytest.mark.parametrize(
    ("kwargs", "figures", "says"),
    [
        (
            {"text": WIDTH_RES.rsplit("accuracy", 1)[0]},
            ["latency_macs", "ranks", "params_macs"],
            "The sweep names no accuracy source, so no figure shows accuracy.",
        ),
        (
            {"text": "space: {width: [0.3, 0.4]}\naccuracy: {source: published, table: paper}\n"},
            ["params_macs"],
            "paper has no figure for any of these networks",
        ),
        (
            {"text": "space: {width: [0.3, 0.4]}\n"},
            ["params_macs"],
            "No latency was measured.",
        ),
        (
            {"text": WIDTH_RES.replace("[1.0, 0.75,", "[1.0, 0.7,")},
            ["accuracy_latency", "accuracy_macs", "accuracy_params", "latency_macs", "ranks"],
            "gives the accuracy of 12 of 16 variants; the other 4 are missing",
        ),
        (
            {
                "latency_ms": lambda config, variant: None,
                "failures": {
                    (f"mobilenet_v1_w{w}_r{r}_d5", ""): "RuntimeError: out of paper"
                    for w in (1.0, 0.75, 0.5, 0.25)
                    for r in (224, 192, 160, 128)
                },
            },
            [
                "accuracy_latency",
                "accuracy_macs",
                "accuracy_params",
                "latency_macs",
                "ranks",
            ],  # the published latencies
            "No latency was measured; the latencies shown are published ones.",
        ),
    ],
    ids=["no accuracy", "accuracies of other networks", "counted only", "some unknown", "all failed"],
)
def test_page_says_what_is_missing(tmp_path, kwargs, figures, says):
    """A figure without a point is left out, and the page says why."""
    page = page_of(tmp_path, **kwargs)
    assert list(page.figures) == figures
    assert says in page.text
    for figure in page.figures.values():
        assert any(trace.get("customdata") for trace in figure["data"])


def test_failures_stand_in_the_page_with_their_reason(tmp_path):
    """A failed variant keeps its rows, with the reason; so does one that was not measured to the end."""
    page = page_of(
        tmp_path,
        latency_ms=lambda config, v: (
            None if v.width == 1.0 and config.backend == "torch" else made_up_ms(config, v)
        ),
        rounds=lambda v: 1 if v.width == 0.25 else 3,
        failures={
            (f"mobilenet_v1_w1.0_r{r}_d5", "torch-fp32-b1-t1"): "RuntimeError: no"
            for r in (224, 192, 160, 128)
        },
    )
    text = " ".join(page.text.split())
    assert "12 rows of the table have no latency, or less than was asked for" in text
    assert text.count("RuntimeError: no") == 4
    assert text.count("measured in 1 of 3 rounds; run the sweep again to go on") == 8
    errors = [row["error"] for row in page.records() if row["error"]]
    assert len(errors) == 12
    counts = [len(drawn) for drawn in points(page.figures["latency_macs"]).values()]
    assert counts == [16, 12, 16, 16, 16]


def test_one_failure_is_spoken_of_in_the_singular(tmp_path):
    """`1 row of the table has`."""
    failures = {("mobilenet_v1_w1.0_r224_d5", "torch-fp32-b1-t1"): "RuntimeError: no"}
    page = page_of(tmp_path, failures=failures)
    assert "1 row of the table has" in " ".join(page.text.split())


def test_thousands_of_failures_are_counted_but_not_all_listed(tmp_path):
    """300 failed variants: the page says 300, lists 200 reasons and where the rest is."""
    text = "space: {width: [0.5], resolution: {from: 1, to: 300, step: 1}}\nlatency: [{backend: torch}]\n"
    failures = {(f"mobilenet_v1_w0.5_r{r}_d5", ""): "RuntimeError: no" for r in range(1, 301)}
    page = page_of(tmp_path, text, latency_ms=lambda config, variant: None, failures=failures)
    words = " ".join(page.text.split())
    assert "300 rows of the table have no latency" in words
    assert "The first 200 of 300;" in words


def test_large_runs_are_thinned_and_say_so(tmp_path):
    """25,000 counted variants give a page below 15 MB, with 20,000 points and rows, and it says so."""
    text = (
        "space: {width: {from: 0.1, to: 2.0, step: 0.005}, resolution: {from: 96, to: 320, step: 1}}\n"
        "sample: {count: 25000}\n"
    )
    page = page_of(tmp_path, text)
    assert len(page.source) < 15e6
    assert "20,000 of 25,000" in page.text
    assert len(page.payload["group"]) == 20_000
    (drawn,) = points(page.figures["params_macs"]).values()
    assert len(drawn) == 20_000
    assert {t["type"] for t in page.figures["params_macs"]["data"] if "customdata" in t} == {"scattergl"}


def test_many_widths_get_a_colour_bar(tmp_path):
    """Beyond 8 widths a colour bar stands in for the legend's entries; no colour is white or pale."""
    page = page_of(tmp_path, "space: {width: {from: 0.1, to: 1.0, step: 0.05}, resolution: [96, 128]}\n")
    figure = page.figures["params_macs"]
    (trace,) = [t for t in figure["data"] if "customdata" in t]
    assert trace["marker"]["coloraxis"] == "coloraxis"
    assert numbers(trace["marker"]["color"]).max() == 1.0
    assert figure["layout"]["coloraxis"]["colorbar"]["title"]["text"] == "Width"
    for _, colour in figure["layout"]["coloraxis"]["colorscale"]:
        assert min(int(part) for part in re.findall(r"\d+", colour)) < 100


def test_hostile_text_stays_text(tmp_path):
    """Title, description, device, reasons and the sweep file are shown as given and end no element."""
    index, path = report(tmp_path / "pages", hostile_run(tmp_path / "run"))
    page, overview = Page(path), Page(index)
    # title element, heading, description, three cards or cells for the device, reason, sweep file thrice
    assert page.text.count(HOSTILE) >= 8
    assert overview.text.count(HOSTILE) == 3  # heading, description, device
    for one in (page, overview):
        assert "img" not in [tag for tag, _ in one.elements]
        assert not [a for _, attributes in one.elements for a in attributes if a.startswith("on")]
    scripts = [a.get("type") for tag, a in page.elements if tag == "script"]
    assert scripts == ["application/json"] * 6 + [None, None]  # five figures and the table; plotly and ours
    for data in page.data:
        assert "<" not in data
        assert "&" not in data
    assert {row["device"] for row in page.records() if row["latency_kind"] == "measured"} == {HOSTILE}
    for figure in page.figures.values():
        for trace in figure["data"]:
            assert "%{x}" not in trace.get("hovertemplate", "")


def test_every_run_has_its_own_page(tmp_path):
    """Folders named `index`, twice the same, or with signs that mean something in a link: none is lost."""
    text = "title: {title}\nspace: {{width: [0.5]}}\n"
    names = ["index", "a/same", "b/same", "50% #1 & 'two' \"three\"?", "größe 模型", "same-2"]
    runs = [write_run(tmp_path / name, text.format(title=f"Run {i}")) for i, name in enumerate(names)]
    index, *pages = report(tmp_path / "pages", *runs)
    assert index == tmp_path / "pages" / "index.html"
    assert len(set(pages)) == 6
    assert sorted(tmp_path.joinpath("pages").iterdir()) == sorted([index, *pages])
    overview = Page(index)
    assert len([a for tag, a in overview.elements if tag == "a"]) == 6
    for i, page in enumerate(pages):
        assert f"Run {i}" in Page(page).text
        assert f"Run {i}" in overview.text


def test_folder_names_may_be_long_or_not_utf8(tmp_path):
    """A name of 250 characters still leaves room for `.html`; a name of other bytes is written about, too."""
    text = "space: {width: [0.5]}\n"
    runs = [write_run(tmp_path / ("x" * 250), text), write_run(tmp_path / ("x" * 249 + "y"), text)]
    runs.append(write_run(tmp_path / os.fsdecode(b"\xff\xfe"), text))
    pages = report(tmp_path / "pages", *runs)
    assert len(set(pages)) == 4
    assert 'href="%FF%FE.html"' in pages[0].read_text(encoding="utf-8")


def test_report_can_be_written_again(tmp_path):
    """A second report replaces the first and leaves nothing else behind."""
    run = write_run(tmp_path / "run", "space: {width: [0.5]}\n")
    first = report(tmp_path / "pages", run)
    assert report(tmp_path / "pages", run) == first
    assert sorted(p.name for p in (tmp_path / "pages").iterdir()) == ["index.html", "run.html"]


def _file(folder):
    (folder / "file").write_text("kept")
    return folder / "file"


def _below_file(folder):
    return _file(folder) / "pages"


def _folder_for_page(folder):
    (folder / "pages" / "run.html").mkdir(parents=True)
    return folder / "pages"


@pytest.mark.parametrize(
    "make",
    [_file, _below_file, _folder_for_page, lambda _: Path("/proc/pages"), lambda _: Path("a\0b")],
    ids=["file", "below a file", "folder in the page's place", "unwritable", "no path"],
)
def test_folder_that_cannot_be_written_is_named_in_one_line(tmp_path, make):
    """One message, no traceback, and what stood there is still there."""
    run = write_run(tmp_path / "run", "space: {width: [0.5]}\n")
    folder = make(tmp_path)
    with pytest.raises(MbsweepError) as caught:
        report(folder, run)
    assert str(caught.value).startswith(str(folder))
    assert "cannot be written" in str(caught.value)
    assert "\n" not in str(caught.value)
    if (tmp_path / "file").exists():
        assert (tmp_path / "file").read_text() == "kept"


def test_command_writes_the_pages_of_all_runs(tmp_path, monkeypatch):
    """`mbsweep report --html pages` finds every run under runs/ and prints what it wrote."""
    for name in ("one", "two"):
        write_run(tmp_path / "runs" / name, "space: {width: [0.5]}\n")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", "--html", "pages"])
    assert result.exit_code == 0
    assert result.stdout.split() == ["pages/index.html", "pages/one.html", "pages/two.html"]


def damaged(run, kind):
    """A run spoiled in one way; what the message says of it."""
    file = run / "run.sqlite"
    if kind == "old":
        execute(run, "PRAGMA user_version = 3")
        return "was written by an older mbsweep (run format 3, this one reads "
    if kind == "cut":
        file.write_bytes(file.read_bytes()[:5000])
        return "the file is damaged; restore it from a copy"
    if kind == "foreign":
        file.unlink()
        execute(run, "CREATE TABLE photos (id INTEGER)")
        return "was not written by mbsweep"
    if kind == "row":
        execute(run, "UPDATE visits SET samples = x'00' WHERE rowid = 1")
        return "are cut short; the file is damaged"
    execute(run, "UPDATE visits SET variant = 'another' WHERE rowid = 1")
    return "cannot be shown, for its file is damaged, or mbsweep is at fault: "


def test_a_run_that_cannot_be_read_does_not_hide_the_others(tmp_path, monkeypatch):
    """Old, cut off, another program's, with samples cut short, with those of no variant: each is named in a
    line, the pages of the others are written, the index lists those, and the exit code is 1.
    """
    for name in ("a", "old", "cut", "foreign", "row", "name", "z"):
        write_run(tmp_path / "runs" / name, WIDTH_RES)
    kinds = ("old", "cut", "foreign", "row", "name")
    said = {kind: damaged(tmp_path / "runs" / kind, kind) for kind in kinds}
    (tmp_path / "runs" / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", "--html", "pages"])
    assert result.exit_code == 1, result.output
    assert result.stdout.split() == ["pages/index.html", "pages/a.html", "pages/z.html"]
    lines = result.stderr.splitlines()
    assert len(lines) == len(kinds)
    for kind, words in said.items():
        assert [line for line in lines if line.startswith(f"left out: runs/{kind}") and words in line], lines
    index = Page(tmp_path / "pages" / "index.html").text
    assert "2 pages." in index
    # One that is asked for by its name is refused.
    for kind, words in said.items():
        assert words in refusal(CliRunner().invoke(app, ["report", f"runs/{kind}"]))


def test_where_no_run_can_be_read_the_first_is_named(tmp_path, monkeypatch):
    """And no page is written over."""
    execute(write_run(tmp_path / "runs" / "old", WIDTH_RES), "PRAGMA user_version = 3")
    monkeypatch.chdir(tmp_path)
    message = refusal(CliRunner().invoke(app, ["report"]))
    assert message.startswith("no run under runs/ can be read: runs/old was written by an older mbsweep ")
    assert message.endswith("; make one with `mbsweep run SWEEP`, or name a run's folder")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("name", ["index.html", "one.html"])
def test_a_page_of_the_users_is_not_written_over(name, tmp_path):
    """`mbsweep report --html .` in the folder of a web site: refused, before anything is written."""
    run = write_run(tmp_path / "one", "space: {width: [0.5]}\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / name).write_text("<!doctype html><title>Mine</title>")
    before = contents(tmp_path)
    assert refusal(CliRunner().invoke(app, ["report", str(run), "--html", str(tmp_path / "site")])) == (
        f"{tmp_path / 'site' / name} was not written by mbsweep, and would be written over; move it, or "
        "choose another --html folder"
    )
    assert contents(tmp_path) == before


@pytest.mark.parametrize("head", ["<title>mbsweep runs</title>", "<title>Tiny - mbsweep</title>"])
def test_a_page_of_an_earlier_mbsweep_is_written_over(head, tmp_path):
    """Those did not name their maker in their head."""
    run = write_run(tmp_path / "one", "space: {width: [0.5]}\n")
    for name in ("index.html", "one.html"):
        (tmp_path / name).write_text(f"<!doctype html>{head}")
    assert CliRunner().invoke(app, ["report", str(run), "--html", str(tmp_path)]).exit_code == 0
    assert '<meta name="generator" content="mbsweep">' in (tmp_path / "one.html").read_text()


def test_a_picture_of_the_users_is_not_written_over(tmp_path):
    """Where there is no page that it belongs to; where there is, it is ours."""
    run = open_run(write_run(tmp_path / "one", "space: {width: [0.5]}\n"))
    (tmp_path / "one.ranks.png").write_bytes(b"mine")

    def write():
        return write_report([[run]], tmp_path, latency_rows, printed_sizes, lambda *page: {"ranks": b"ours"})

    with pytest.raises(MbsweepError, match=r"one\.ranks\.png was not written by mbsweep, and would be"):
        write()
    assert (tmp_path / "one.ranks.png").read_bytes() == b"mine"
    (tmp_path / "one.ranks.png").unlink()
    write()
    write()
    assert (tmp_path / "one.ranks.png").read_bytes() == b"ours"


def test_command_puts_the_runs_that_are_named_on_one_page(tmp_path, monkeypatch):
    """`mbsweep report RUN_A RUN_B` writes one page called after both; a run named twice is refused."""
    for name in ("one", "two"):
        write_run(tmp_path / name, "space: {width: [0.5]}\n")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", "one", "two", "--html", "pages"])
    assert result.exit_code == 0
    assert result.stdout.split() == ["pages/index.html", "pages/one+two.html"]
    result = CliRunner().invoke(app, ["report", "one", "./one", "--html", "pages"])
    assert result.exit_code == 2
    assert "is named twice" in result.stderr


def test_real_run_gives_a_page(tiny_run, tmp_path):
    """A run that was really measured: 2 of its 3 variants have an accuracy, all a latency."""
    page = Page(report(tmp_path, tiny_run)[1])
    assert [len(drawn) for drawn in points(page.figures["accuracy_latency"]).values()][:2] == [2, 2]
    assert [len(drawn) for drawn in points(page.figures["latency_macs"]).values()][:2] == [3, 3]
    assert "gives the accuracy of 2 of 3 variants" in page.text


def test_every_figure_explains_itself():
    """The docstring of a figure is its heading and caption on the page."""
    for make in FIGURES.values():
        heading, _, caption = (make.__doc__ or "").partition("\n")
        assert heading
        assert caption.strip()


def test_published_latencies_leave_the_front_of_a_counted_run_as_it_is(tmp_path):
    """Without a measured latency the front is against mult-adds: 14 of TF-Slim's 16 are on it."""
    counted = re.sub(r"latency:\n(  - .*\n)+", "", WIDTH_RES)
    _, page = report(tmp_path / "html", write_run(tmp_path / "run", counted))
    rows = [row for row in Page(page).records() if row["latency_kind"] is None]
    beaten = {row["variant"] for row in rows if not row["on_front"]}
    # 1.0-128: 65.2 % for 186.4 M, and 0.75-160 gives 65.3 % for 166.4 M; 0.5-192: 61.7 % for 110.0 M, and
    # 0.75-128 gives 62.1 % for 106.8 M.
    assert len(rows) == 16
    assert beaten == {"mobilenet_v1_w1.0_r128_d5", "mobilenet_v1_w0.5_r192_d5"}
