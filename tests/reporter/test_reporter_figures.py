"""Any two columns as a figure, and the ranks: what is drawn, without a page around it."""

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
from reporter_runs import HOSTILE, WIDTH_RES, hostile_run, made_up_ms, many_run, write_run

from mbsweep import MbsweepError, open_run
from mbsweep.accuracy.published import latency_rows
from mbsweep.reporter.figures import FIGURES, ranks, scatter
from mbsweep.statistics.pareto import front
from mbsweep.table.columns import COLUMNS, NUMBERS
from mbsweep.table.published import published_latencies
from mbsweep.table.results import combine

ONNX, TORCH = "onnxruntime-fp32-b1-t1", "torch-fp32-b1-t1"


@pytest.fixture(scope="module")
def normal(tmp_path_factory):
    """Sixteen variants in two configurations, of three visits: no intervals."""
    return open_run(write_run(tmp_path_factory.mktemp("normal") / "run"))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Eight configurations, one of them predicted and one skipped; with intervals."""
    return open_run(many_run(tmp_path_factory.mktemp("many") / "run"))


@pytest.fixture(scope="module")
def many_table(many):
    """The rows of `many`. Not to be changed."""
    return many.table()


def points(figure):
    """x axis -> array (points, 2) of what is drawn on it."""
    found = {}
    for trace in figure.data:
        if trace.customdata is not None:
            found.setdefault(trace.xaxis, []).extend(zip(trace.x, trace.y, strict=True))
    return {axis: np.array(pairs, dtype=float) for axis, pairs in found.items()}


def fronts(figure):
    return [trace for trace in figure.data if trace.mode == "lines" and trace.name is None]


@pytest.mark.parametrize(
    ("value", "cost", "name"),
    [
        ("top1_pct", "latency_ms", "accuracy_latency"),
        ("top1_pct", "macs", "accuracy_macs"),
        ("top1_pct", "params", "accuracy_params"),
    ],
)
def test_a_runs_figure_is_that_of_the_page(many, many_table, value, cost, name):
    """Trace by trace and axis by axis, from the same rows; the published panels are the page's alone."""
    figure = many.figure(value, cost)
    assert figure.to_json() == FIGURES[name](many_table).to_json()


def test_latencies_have_a_panel_for_each_configuration(many, many_table):
    """Six of the eight, in the sweep's order: one was skipped, and at bf16 no accuracy is known. Each point
    has its interval for a bar.
    """
    figure = many.figure("top1_pct", "latency_ms")
    table = many_table
    titles = [re.sub("<.*", "", title.text) for title in figure.layout.annotations]
    assert titles[:2] == ["onnxruntime, fp32, batch 1, 1 thread", "onnxruntime, int8, batch 1, 1 thread"]
    assert len(titles) == 6
    first = table[table["config"] == ONNX]
    assert sorted(map(tuple, points(figure)["x"])) == sorted(
        zip(first["latency_ms"], first["top1_pct"], strict=True)
    )
    bars = [trace.error_x for trace in figure.data if trace.customdata is not None]
    assert all(bar.array is not None for bar in bars)
    assert all(bar.array is None for bar in (t.error_y for t in figure.data if t.customdata is not None))


def test_one_configuration_can_be_asked_for(many):
    """One panel, with the rows of that configuration; of the accuracies, those at its precision."""
    (drawn,) = points(many.figure("top1_pct", "latency_ms", config="onnxruntime-int8-b1-t1")).values()
    assert drawn[:, 1].max() == 70.0  # tflite-hosted, 1.0-224 at int8
    (drawn,) = points(many.figure("top1_pct", "macs", config=ONNX)).values()
    assert drawn[:, 1].max() == 71.0  # at fp32


@pytest.mark.parametrize(
    ("value", "cost"),
    [(v, c) for v in ("top1_pct", "top5_pct") for c in ("macs", "latency_p90_ms", "file_bytes")],
)
def test_a_front_is_drawn_where_both_directions_are_known(normal, value, cost):
    """Cost lower, value higher is better: the line's corners are the front of the numbers in the table."""
    table = normal.table().assign(file_bytes=lambda rows: 4 * rows["params"] + 1000 * rows["resolution"])
    rows = table[table["config"] == TORCH]
    lines = fronts(scatter(table, cost, value))
    assert len(lines) == (1 if cost == "macs" else 2)
    best = rows[front(rows[cost], rows[value])].sort_values(cost)
    scale = 1e6 if cost == "macs" else 1
    assert lines[-1].x == pytest.approx(best[cost] / scale)
    assert list(lines[-1].y) == best[value].tolist()


@pytest.mark.parametrize(
    ("value", "cost"), [("latency_ms", "top1_pct"), ("macs", "params"), ("top1_pct", "width")]
)
def test_elsewhere_there_is_no_front(normal, value, cost):
    """Where the value is better lower, the cost better higher, or neither."""
    figure = normal.figure(value, cost)
    assert fronts(figure) == []
    assert "Pareto front" not in [trace.name for trace in figure.data]


AXES = [  # column, title, axis type, the largest value drawn
    ("macs", "Mult-adds (millions, log scale)", "log", 568.740352),
    ("params", "Parameters (millions, log scale)", "log", 4.231976),
    ("weight_bytes", "Weights at fp32 (bytes, log scale)", "log", 16_927_904),
    ("width", "Width multiplier", None, 1),
    ("resolution", "Resolution (px)", None, 224),
    ("depth", "Depth (blocks)", None, 5),
    ("top5_pct", "Top-5 accuracy (%)", None, 89.9),
]


@pytest.mark.parametrize(("column", "title", "kind", "largest"), AXES)
def test_an_axis_has_the_columns_label_unit_and_scale(normal, column, title, kind, largest):
    """Millions of mult-adds and parameters, bytes, nothing in brackets where there is no unit."""
    figure = normal.figure("top1_pct", column)
    assert figure.layout.xaxis.title.text == title
    assert figure.layout.xaxis.type == kind
    assert points(figure)["x"][:, 0].max() == pytest.approx(largest)


@pytest.mark.parametrize(("slowest_ms", "kind"), [(2.9, None), (3.1, "log")])
def test_a_cost_has_a_log_axis_beyond_a_factor_of_3(tmp_path, slowest_ms, kind):
    """1 to 2.9 ms is drawn on a linear axis, which shows no time below zero; 1 to 3.1 ms on a log one."""
    run = write_run(
        tmp_path / "run", latency_ms=lambda config, v: 1 + (slowest_ms - 1) * (v.resolution - 128) / 96
    )
    axis = open_run(run).figure("top1_pct", "latency_ms").layout.xaxis
    assert axis.type == kind
    assert axis.title.text == f"Latency (ms{', log scale' if kind else ''})"
    assert axis.rangemode == (None if kind else "nonnegative")


def test_a_cost_of_nought_keeps_its_place(normal):
    """A log axis has no place for 0: with one such value the axis is linear, and no point is lost."""
    table = normal.table().assign(latency_sd_ms=lambda rows: rows["latency_ms"] - rows["latency_ms"].min())
    figure = scatter(table, "latency_sd_ms", "top1_pct")
    assert figure.layout.xaxis.type is None
    assert sum(map(len, points(figure).values())) == 32


def test_hovering_names_both_numbers(normal):
    """Also where the page never shows them; with unit."""
    figure = normal.figure("latency_iqr_pct", "num_classes")
    (trace, *_) = [trace for trace in figure.data if trace.customdata is not None]
    for label, unit, number in (
        ("Classes", "", 1000),
        ("Interquartile range of the calls", " % of p50", pytest.approx(100 * 0.02 / 1.02, rel=1e-4)),
    ):
        found = re.search(rf"{label}: %\{{customdata\[(\d+)\]:,\.4~g\}}([^<]*)", trace.hovertemplate)
        place, end = found.groups()
        assert end == unit
        assert trace.customdata[0][int(place)] == number


@pytest.fixture(scope="module")
def five(many_table):
    """Of those eight, the configurations that are of a kind each: fp32, int8, predicted, bf16, skipped."""
    return many_table[many_table["config"].isin(many_table["config"].unique()[:5])]


@pytest.mark.parametrize("column", NUMBERS)
def test_every_column_of_numbers_can_be_either_axis(five, column):
    """Those that hold a number in some row; the point of each such row is drawn. No table has all."""
    table = five
    known = table.reindex(columns=[column, "latency_ms"]).notna().all(axis=1)
    for x, y in ((column, "latency_ms"), ("latency_ms", column)):
        figure = scatter(table, x, y)
        assert (figure is None) == (not known.any())
        if figure is not None:
            assert sum(map(len, points(figure).values())) == known.sum()


def test_numbers_are_the_columns_of_numbers(many_table):
    """No other column of a run has numbers, and all of these have, or nothing."""
    table = many_table
    for name in (name for name in COLUMNS if name in table):
        values = table[name].dropna()
        numeric = all(
            isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values
        )
        assert (name in NUMBERS) == numeric or values.empty, name


BAD = [
    (("top1", "macs"), "value is 'top1'; expected one of width, resolution, ", "; did you mean 'top1_pct'?"),
    (("top1_pct", "latency"), "cost is 'latency'; expected one of width, ", "; did you mean 'latency_ms'?"),
    (
        ("top1_pct", "backend"),
        "cost is 'backend'; expected one of width, ",
        ", top1_drop_high_pct, top1_epochs, front_pct",
    ),
    (
        ("top1_pct", "macs", "torch-fp32"),
        "config is 'torch-fp32'; ",
        f" has {ONNX}, {TORCH}; did you mean '{TORCH}'?",
    ),
]


@pytest.mark.parametrize(("words", "begin", "end"), BAD)
def test_what_cannot_be_drawn_is_refused(normal, words, begin, end):
    """What was given, what is allowed, what may have been meant."""
    with pytest.raises(MbsweepError) as refused:
        normal.figure(*words)
    assert str(refused.value).startswith(begin)
    assert str(refused.value).endswith(end)


def test_numbers_that_no_row_knows_are_refused(tmp_path):
    """Nothing was timed: no row has a latency; and there is no configuration to ask for."""
    run = open_run(write_run(tmp_path / "run", "space: {width: [0.5, 1.0]}\n"))
    with pytest.raises(MbsweepError, match=r"run: no row knows both top1_pct and latency_ms$"):
        run.figure("top1_pct", "latency_ms")
    with pytest.raises(MbsweepError, match=r"config is 'torch'; .*run has no latency configuration$"):
        run.figure("params", "macs", config="torch")
    (drawn,) = points(run.figure("params", "macs")).values()
    assert drawn[:, 1] == pytest.approx([1.331592, 4.231976])


def with_published(*runs):
    table = combine(runs)
    return pd.concat(
        [table.astype(object), published_latencies(table, latency_rows).astype(object)], ignore_index=True
    ).infer_objects()


def drawn_ranks(figure):
    """Variant -> its rank in each configuration, from left to right."""
    traces = [trace for trace in figure.data if trace.customdata is not None]
    assert all(list(trace.x) == list(range(len(trace.x))) for trace in traces)
    return {trace.customdata[0][0]: list(trace.y) for trace in traces}


def heads(figure):
    """The names of the columns, their lines joined by spaces."""
    return [re.sub("<br>|\N{NO-BREAK SPACE}", " ", head) for head in figure.layout.xaxis.ticktext]


def test_ranks_are_those_of_the_latencies(normal):
    """By counting, for each variant and configuration, how many others are faster; published devices last."""
    table = with_published(normal)
    figure = ranks(table)
    assert heads(figure) == [
        "onnxruntime",
        "torch",
        *(f"TensorFlow Lite, {it}, Pixel 3" for it in ("CPU, 4 threads", "GPU", "NNAPI")),
    ]
    drawn = drawn_ranks(figure)
    assert len(drawn) == 16
    backends = list(dict.fromkeys(table["backend"]))
    for place, backend in enumerate(backends):
        latency = table[table["backend"] == backend].set_index("variant")["latency_ms"].to_dict()
        for variant, found in drawn.items():
            assert found[place] == 1 + sum(ms < latency[variant] for ms in latency.values())
    assert figure.layout.yaxis.range == (16.5, 0.5)  # the fastest on top


def test_equal_latencies_share_a_rank(normal):
    """On the Pixel 3's GPU 0.25-192 and 0.25-224 take 1.8 ms, behind 1.6, 1.7 and 1.7: both are fourth."""
    gpu = {variant: found[3] for variant, found in drawn_ranks(ranks(with_published(normal))).items()}
    assert sorted(gpu.values())[:6] == [1, 2, 2, 4, 4, 6]
    assert gpu["mobilenet_v1_w0.25_r192_d5"] == gpu["mobilenet_v1_w0.25_r224_d5"] == 4


def test_a_device_that_knows_fewer_variants_hides_none(tmp_path):
    """Nobody has published the Pixel 3's latencies of depth 4: all 8 variants are ranked in the run's own two
    configurations, and the Pixel 3 is left out.
    """
    text = WIDTH_RES.replace("width: [1.0, 0.75, 0.5, 0.25]", "depth: [4, 5]")
    table = with_published(open_run(write_run(tmp_path / "run", text)))
    assert (table["latency_kind"] == "published").sum() == 4 * 3
    figure = ranks(table)
    assert heads(figure) == ["onnxruntime", "torch"]
    assert len(drawn_ranks(figure)) == 8


def test_names_of_configurations_say_what_is_unusual(many_table):
    """Not fp32, nor batch 1; what is predicted is said to be, and drawn hollow."""
    figure = ranks(many_table)
    assert heads(figure) == [
        "onnxruntime",
        "onnxruntime, int8",
        "onnxruntime, predicted",
        "openvino, bf16, 2 threads",
        "torch, channels_last",
        "torch, batch 16, forward_backward, cpu0, cpu1",
        "torch_compile, 2 threads, forward_backward, channels_last",
    ]
    for trace in figure.data:
        if trace.customdata is not None:
            assert [symbol.endswith("-open") for symbol in trace.marker.symbol] == [False, False, True] + [
                False
            ] * 4


def test_runs_are_columns_of_their_own(tmp_path):
    """Two runs of one sweep: a run's name stands above its configurations, those of one side by side."""
    runs = [
        open_run(
            write_run(tmp_path / name, latency_ms=lambda config, v, up=up: 1 + up * made_up_ms(config, v))
        )
        for name, up in (("up", 1), ("down", -0.01))
    ]
    figure = ranks(combine(runs))
    assert heads(figure) == [
        f"{run}, {backend}" for backend in ("onnxruntime", "torch") for run in ("up", "down")
    ]
    for up, down, *_ in drawn_ranks(figure).values():
        assert up + down == 17


def test_hovering_over_a_rank_names_it(normal):
    """Variant, rank, latency with unit, configuration, kind and device."""
    trace = next(
        t
        for t in ranks(normal.table()).data
        if t.customdata is not None and "w1.0_r224" in t.customdata[0][0]
    )
    variant, width, resolution, rank, latency_ms, origin = trace.customdata[1]
    assert (variant, width, resolution, rank) == ("mobilenet_v1_w1.0_r224_d5", 1.0, 224, 16)
    assert latency_ms == pytest.approx(3 + 40 * 0.568740352)
    assert origin == "torch, fp32, batch 1, 1 thread<br>measured on Made-up device, 2 cores"
    for place, words in enumerate(("<b>{}</b>", None, None, "Rank: {}<br>", "Latency: {:.4~g} ms<br>", "{}")):
        if words:
            assert re.sub(r"\{(.*)\}", rf"%{{customdata[{place}]\1}}", words) in trace.hovertemplate


def test_only_what_is_known_everywhere_is_ranked(tmp_path):
    """Width 1 failed in PyTorch: twelve variants are ranked in both, from 1 to 12."""
    run = write_run(
        tmp_path / "run",
        latency_ms=lambda config, v: (
            None if (config.backend, v.width) == ("torch", 1) else made_up_ms(config, v)
        ),
    )
    drawn = drawn_ranks(ranks(open_run(run).table()))
    assert len(drawn) == 12
    assert [max(found) for found in zip(*drawn.values(), strict=True)] == [12, 12]


SIZES = list(itertools.product((1, 2, 40, 41), (1, 2)))


@pytest.mark.parametrize(("variants", "configs"), SIZES)
def test_ranks_need_two_configurations_and_2_to_40_variants(tmp_path, variants, configs):
    """Fewer tell nothing, and more lines cannot be told apart."""
    backends = ", ".join(f"{{backend: {name}, rounds: 3}}" for name in ("torch", "onnxruntime")[:configs])
    text = f"space: {{width: [0.3], resolution: {{from: 101, to: {100 + variants}, step: 1}}}}\n"
    text += f"latency: [{backends}]\n"
    figure = ranks(open_run(write_run(tmp_path / "run", text)).table())
    assert (figure is not None) == (configs == 2 and variants in (2, 40))


def test_ranks_of_many_widths_have_a_colour_bar_and_lines_in_its_colours(tmp_path):
    """Ten widths: the darkest line is the narrowest network's; the bar says from where to where."""
    text = WIDTH_RES.replace("[1.0, 0.75, 0.5, 0.25]", "{from: 0.1, to: 1.0, step: 0.1}")
    text = text.replace("[224, 192, 160, 128]", "[128]")
    figure = ranks(open_run(write_run(tmp_path / "run", text)).table())
    lines = [trace for trace in figure.data if trace.customdata is not None]
    assert len({trace.line.color for trace in lines}) == 10
    by_width = {trace.customdata[0][1]: trace.line.color for trace in lines}
    scale = figure.layout.coloraxis.colorscale
    assert by_width[0.1].replace(" ", "") == scale[0][1].replace(" ", "")
    assert by_width[1.0].replace(" ", "") == scale[-1][1].replace(" ", "")
    assert {trace.marker.coloraxis for trace in lines} == {"coloraxis"}


def test_hostile_names_are_text_in_the_ranks(tmp_path):
    """A device's name is neither markup nor a template, in names and in what hovering tells."""
    figure = ranks(open_run(hostile_run(tmp_path / "run")).table())
    said = json.dumps(
        [figure.layout.xaxis.ticktext, [list(map(list, t.customdata or ())) for t in figure.data]]
    )
    assert "&lt;script&gt;" in said
    assert "<script" not in said
    assert "%{x}" not in said
    assert HOSTILE not in said
