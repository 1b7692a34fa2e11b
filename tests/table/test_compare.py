"""Configurations of a run or of two: ratios with their intervals, and how alike devices rank the variants."""

import itertools
import json
import math
import re
import shlex

import numpy as np
import pandas as pd
import pytest
from console import call, refusal
from hypothesis import given
from hypothesis import strategies as st
from made_runs import made_run

from mbsweep import MbsweepError, open_run
from mbsweep.commands.compare import EXAMPLE
from mbsweep.table.columns import COLUMNS
from mbsweep.table.compare import GROUP, agreement, pairs
from mbsweep.table.ratios import compared as compare
from mbsweep.table.ratios import rank_agreement, ratio

NAN = math.nan


def series(values):
    return pd.Series(list(values), index=[f"v{place}" for place in range(len(values))], dtype=float)


def kendalls_tau_b(first, second):
    """By its definition (Kendall 1945): each pair of variants is ranked alike, otherwise, or tied in one."""
    alike = ties_in_first = ties_in_second = pairs = 0
    for (a, b), (c, d) in itertools.combinations(zip(first, second, strict=True), 2):
        pairs += 1
        ties_in_first += a == c
        ties_in_second += b == d
        alike += np.sign(a - c) * np.sign(b - d)
    ranked = (pairs - ties_in_first) * (pairs - ties_in_second)
    return alike / math.sqrt(ranked) if ranked else NAN


FEW = st.integers(1, 6).map(float)  # few values: ties


@given(st.lists(st.tuples(FEW | st.just(NAN), FEW | st.just(NAN)), max_size=12))
def test_rank_agreement_is_kendalls_tau_by_counting(pairs):
    """Over the variants that both know, ties included, by comparing each pair; NaN where none is ranked."""
    known = [pair for pair in pairs if not any(map(math.isnan, pair))]
    tau, count = rank_agreement(series([a for a, _ in pairs]), series([b for _, b in pairs]))
    assert count == len(known)
    expected = kendalls_tau_b([a for a, _ in known], [b for _, b in known]) if len(known) > 1 else NAN
    assert tau == pytest.approx(expected, nan_ok=True)


def test_rank_agreement_by_hand():
    """Four variants, of whose six pairs one is turned round: (5 - 1) / 6; all turned round: -1."""
    tau, count = rank_agreement(series([1, 2, 3, 4]), series([10, 30, 20, 40]))
    assert (tau, count) == (pytest.approx(4 / 6), 4)
    assert rank_agreement(series([1, 2, 3]), series([3, 2, 1]))[0] == pytest.approx(-1)
    assert rank_agreement(series([1, 2, 3]), series([1, 2, 3]))[0] == pytest.approx(1)


def test_variants_are_matched_by_name():
    """The order of rows does not matter, and what only one of them has is left out."""
    first = series([1, 2, 3, 4])
    second = pd.Series({"v3": 40.0, "v9": 1.0, "v2": 30.0, "v1": 20.0})
    assert rank_agreement(first, second) == (pytest.approx(1), 3)


@pytest.mark.parametrize("values", [[], [1.0], [NAN, NAN]])
def test_too_few_variants_have_no_agreement(values):
    """Below two variants there is nothing to rank."""
    tau, _ = rank_agreement(series(values), series(values))
    assert math.isnan(tau)


def row(latency_ms, low_ms=NAN, high_ms=NAN):
    return pd.Series({"latency_ms": latency_ms, "latency_low_ms": low_ms, "latency_high_ms": high_ms})


VERDICTS = [  # A, B as (latency, from, to); B is
    ((5, 4.9, 5.1), (5, 4.9, 5.1), "not settled"),
    ((5, 4.9, 5.1), (6, 5.9, 6.1), "slower"),
    ((6, 5.9, 6.1), (5, 4.9, 5.1), "faster"),
    ((5, 4.9, 5.1), (5.1, 5.0, 5.2), "not settled"),  # 2 % apart, +/- 2.8 %
    ((5, 5, 5), (5.0001, 5.0001, 5.0001), "slower"),  # a steady clock tells any difference
    ((5, 4, 6.25), (7, 5.6, 8.75), "slower"),  # 1.4 times, +/- 37 %: intervals that overlap may differ
    ((5, 4, 6.25), (6, 4.8, 7.5), "not settled"),
    ((5, NAN, NAN), (9, 8.9, 9.1), "interval unknown"),
    ((5, 4.9, 5.1), (9, NAN, NAN), "interval unknown"),
    ((5, NAN, NAN), (9, NAN, NAN), "interval unknown"),
]


@pytest.mark.parametrize(("first", "second", "verdict"), VERDICTS)
def test_latencies_differ_beyond_their_intervals_or_not(first, second, verdict):
    """Slower or faster only where 1 lies outside the ratio's interval; unknown where either's is."""
    found = ratio(row(*first), row(*second))
    assert found.verdict == verdict
    assert found.value == pytest.approx(second[0] / first[0])
    assert math.isnan(found.low) == math.isnan(found.high) == (verdict == "interval unknown")


def test_the_interval_of_a_ratio_by_hand():
    """10 % and 10 % in the logarithm add up like the legs of a triangle: exp(0.1 x sqrt(2))."""
    spread = math.exp(0.1)
    found = ratio(row(2, 2 / spread, 2 * spread), row(3, 3 / spread, 3 * spread))
    assert (found.low, found.value, found.high) == pytest.approx(
        (1.5 * math.exp(-0.1 * math.sqrt(2)), 1.5, 1.5 * math.exp(0.1 * math.sqrt(2)))
    )


def rows(*latencies_ms):
    """Rows of networks with narrow intervals; of None the interval is unknown."""
    reach = 0.01
    found = {
        f"v{place}": row(ms, ms * (1 - reach), ms * (1 + reach)) if known else row(ms)
        for place, (ms, known) in enumerate(latencies_ms)
    }
    return pd.DataFrame(found).T


def sure(*latencies_ms):
    return rows(*((ms, True) for ms in latencies_ms))


def unsure(*latencies_ms):
    return rows(*((ms, False) for ms in latencies_ms))


WORDS = [  # A, B; what is said of B, by hand
    (
        sure(1, 2, 4, 8),
        sure(2, 4, 8, 32),
        "2.00 times as slow in the median of 4 networks (2.00 to 4.00); "
        "4 of 4 differ beyond their intervals; the same order; Kendall's tau 1.000",
    ),
    (
        sure(10, 20, 300),
        sure(2, 1, 2),
        "20.0 times as fast in the median of 3 networks (5.00 to 150); "
        "3 of 3 differ beyond their intervals; 1 of 3 pairs in another order; Kendall's tau 0.000",
    ),
    (
        unsure(1, 2),
        sure(2, 1),
        "as fast in the median of 2 networks (0.50 to 2.00); "
        "whether they differ is unknown: no interval is; 1 of 1 pairs in another order; Kendall's tau -1.000",
    ),
    (sure(1), unsure(2).rename({"v0": "w"}), "with no network in common"),
]


@pytest.mark.parametrize(("first", "second", "words"), WORDS)
def test_a_comparison_in_words(first, second, words):
    """The median and the ends of the ratios, how many differ, how many pairs change places; the other way
    round the same.
    """
    found = compare(first, second)
    assert found.words == words
    back = found.turned_round()
    assert back.words == compare(second, first).words
    pd.testing.assert_frame_equal(back.ratios, compare(second, first).ratios)


@given(st.lists(st.tuples(FEW, FEW), min_size=2, max_size=12))
def test_pairs_that_change_places_are_counted(pairs):
    """One by one, ties aside; the other way round as many."""
    first, second = (sure(*values) for values in zip(*pairs, strict=True))
    turned = sum((a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(pairs, 2))
    assert compare(first, second).turned == compare(second, first).turned == turned


POSITIVE = st.floats(0.01, 1000)
LATENCIES = st.tuples(POSITIVE, st.floats(1, 1.5)).map(
    lambda pair: row(pair[0], pair[0] / pair[1], pair[0] * pair[1])
)


@given(LATENCIES, LATENCIES)
def test_turned_round_a_ratio_is_its_inverse(first, second):
    """B over A and A over B tell the same: the ends change places, slower becomes faster."""
    there, back = ratio(first, second), ratio(second, first)
    assert (1 / back.high, 1 / back.value, 1 / back.low) == pytest.approx(
        (there.low, there.value, there.high)
    )
    assert there.low <= there.value <= there.high
    if abs(there.low - 1) > 1e-9 and abs(there.high - 1) > 1e-9:
        opposite = {"slower": "faster", "faster": "slower", "not settled": "not settled"}
        assert back.verdict == opposite[there.verdict]


def test_the_interval_of_a_ratio_holds_the_true_ratio():
    """Two networks measured 400 times with 2 % noise: the true ratio lies within in at least 93 %."""
    rng = np.random.default_rng(0)
    half = math.exp(1.96 * 0.02)  # of a headline whose logarithm has a standard deviation of 2 %
    held = 0
    for _ in range(400):
        a, b = 5 * math.exp(rng.normal(0, 0.02)), 7 * math.exp(rng.normal(0, 0.02))
        found = ratio(row(a, a / half, a * half), row(b, b / half, b * half))
        held += found.low <= 7 / 5 <= found.high
    assert held / 400 >= 0.93


SWEEP = """\
space: {{width: [0.25], resolution: [{resolutions}]}}
latency: {latency}
accuracy: {{source: published, table: tf-slim-2018-08-02}}
"""
TORCH, ONNX = "torch-fp32-b1-t1", "onnxruntime-fp32-b1-t1"


def a_run(folder, configs, resolutions=(160, 128, 32), spread=0.0):
    """A made run. configs: configuration -> latency of each variant, visited twelve times; 0: not visited."""
    latency = [f"{{backend: {config.split('-')[0]}, rounds: 12}}" for config in configs]
    sweep = SWEEP.format(resolutions=", ".join(map(str, resolutions)), latency=f"[{', '.join(latency)}]")
    visits = {
        config: [[[ms * (1 + spread * place)] for place in range(12)] if ms else [] for ms in latencies_ms]
        for config, latencies_ms in configs.items()
    }
    return made_run(folder, sweep, visits)


def compared(*folders):
    """What `mbsweep compare` prints, line by line, without the spaces at the ends."""
    result = call("compare", *folders)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


def test_the_comparison_of_two_runs(tmp_path):
    """Both latencies, the ratio and a verdict for each variant; how many differ, how alike the ranks are."""
    first = a_run(tmp_path / "first", {TORCH: [5, 4, 2]})
    second = a_run(tmp_path / "second", {TORCH: [6, 2, 2]})
    lines = compared(first, second)
    assert lines[:2] == [
        f"A = first: {TORCH} on abacus_2c_4g_torch-2.0",
        f"B = second: {TORCH} on abacus_2c_4g_torch-2.0",
    ]
    assert [re.split(r"\s{2,}", line) for line in lines[2:6]] == [
        ["network", "A ms", "B ms", "B / A", "95 %", "B is"],
        ["0.25-160", "5", "6", "1.200", "1.200 to 1.200", "slower"],
        ["0.25-128", "4", "2", "0.500", "0.500 to 0.500", "faster"],
        ["0.25-32", "2", "2", "1.000", "1.000 to 1.000", "not settled"],
    ]
    # Pairs: 160-128 and 160-32 alike, 128-32 tied in B: 2 / sqrt(3 x 2).
    assert lines[6] == (
        "B is as fast in the median of 3 networks (0.50 to 1.20); 2 of 3 differ beyond their intervals; "
        "the same order but for ties; Kendall's tau 0.816"
    )


def test_one_network_in_common_has_no_rank(tmp_path):
    """That is unknown, and said so."""
    first, second = (a_run(tmp_path / name, {TORCH: [5, 0, 0]}) for name in ("first", "second"))
    assert compared(first, second)[4] == (
        "B is as fast in the median of 1 network (1.00 to 1.00); 0 of 1 differ beyond their intervals; "
        "Kendall's tau unknown"
    )


def test_ranks_are_compared_with_the_published_devices(tmp_path, monkeypatch):
    """The table of agreements has each run's configuration and each published device, each against each. In a
    terminal that is too narrow for it, it stands in blocks of whole columns.
    """
    first = a_run(tmp_path / "first", {TORCH: [5, 4, 1]})
    second = a_run(tmp_path / "second", {TORCH: [4, 5, 1]})
    lines = compared(first, second)
    begin = next(place for place, line in enumerate(lines) if "rank the variants" in line)
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[begin + 1 :] if line]
    names, (titles, *taus) = rows[:5], rows[5:]
    assert names[:2] == [["1", f"first, {TORCH}, measured"], ["2", f"second, {TORCH}, measured"]]
    name = "Pixel 3, Android 10 (tflite-hosted), TensorFlow Lite, {}, published"
    assert {name.format(processor) for processor in ("CPU", "GPU", "NNAPI")} == {row[1] for row in names[2:]}
    assert titles == [row[0] for row in names] == [row[0] for row in taus]
    assert [row[1:] for row in taus[:2]] == [["1.000"], ["0.333", "1.000"]]
    # On all three processors 160 px takes longer than 128 px, as in the first run; 32 px is not published.
    for device in [row[1:] for row in taus[2:]]:
        assert device[:2] == ["1.000", "-1.000"]
        assert device[-1] == "1.000"
    monkeypatch.setattr("mbsweep.base.printing.terminal_columns", lambda: 20)
    narrow = compared(first, second)
    blocks = narrow[[line.split() for line in narrow].index(["1", "2"]) :]
    assert max(map(len, blocks)) <= 20
    heads = [place for place, line in enumerate(blocks) if line.startswith("    ")]
    assert [blocks[place].split() for place in heads] == [["1", "2"], ["3", "4"], ["5"]]
    found = {}
    for line in blocks:
        if not line.startswith("    "):
            number, *cells = line.split()
            found.setdefault(number, []).extend(cells)
    assert [[number, *cells] for number, cells in found.items()] == taus


def test_missing_intervals_and_latencies_are_unknown(tmp_path):
    """A variant without a latency is left out; one without an interval has a ratio, and no verdict."""
    first = a_run(tmp_path / "first", {TORCH: [5, 4, 0]})
    visits = {TORCH: [[[5]] * 12, [[8]] * 3, [[1]] * 12]}
    sweep = SWEEP.format(resolutions="160, 128, 32", latency="[{backend: torch, rounds: 12}]")
    lines = compared(first, made_run(tmp_path / "second", sweep, visits))
    assert re.split(r"\s{2,}", lines[4]) == [*("0.25-128", "4", "8", "2.000", "unknown", "interval unknown")]
    assert lines[5] == (
        "B is 1.41 times as slow in the median of 2 networks (1.00 to 2.00); "
        "0 of 1 differ beyond their intervals, 1 has no interval; 1 of 1 pairs in another order; "
        "Kendall's tau -1.000"
    )
    assert not any("nan" in line for line in lines[:6])


def test_every_common_configuration_is_compared(tmp_path):
    """Two of two in common, the first run's order; a third that one run has alone is left out."""
    first = a_run(tmp_path / "first", {TORCH: [5, 4, 1], ONNX: [3, 2, 1]})
    second = a_run(tmp_path / "second", {ONNX: [3, 2, 1], TORCH: [5, 4, 1]})
    lines = compared(first, second)
    assert [line for line in lines if line.startswith("A = ")] == [
        f"A = first: {config} on abacus_2c_4g_torch-2.0" for config in (TORCH, ONNX)
    ]
    only = a_run(tmp_path / "only", {ONNX: [3, 2, 1]})
    assert [line.split(" on ")[0] for line in compared(first, only) if line[:3] in ("A =", "B =")] == [
        f"A = first: {ONNX}",
        f"B = only: {ONNX}",
    ]


def test_a_runs_own_configurations_are_compared(tmp_path):
    """Each further one against the first, where one run is named; a run of one has nothing to compare."""
    run = a_run(tmp_path / "run", {TORCH: [5, 4, 1], ONNX: [3, 2, 1], "openvino-fp32-b1-t1": [1, 2, 3]})
    lines = compared(run)
    sides = [line.split(" on ")[0] for line in lines if line[:3] in ("A =", "B =")]
    others = [ONNX, "openvino-fp32-b1-t1"]
    assert sides == [words for other in others for words in (f"A = run: {TORCH}", f"B = run: {other}")]
    assert [line.split("; ")[2] for line in lines if line.startswith("B is")] == [
        "the same order",
        "3 of 3 pairs in another order",
    ]
    told = compared(run.rename(tmp_path / "two\nlines"))
    assert f"A = two lines: {TORCH}" in [line.split(" on ")[0] for line in told]
    one = a_run(tmp_path / "one", {TORCH: [5, 4, 1]})
    assert refusal(call("compare", one)) == (
        f"one has latencies of {TORCH}, so there is nothing to compare within it; name another run behind it"
    )


def test_one_configuration_each_is_a_pair(tmp_path):
    """Runtimes can be compared, though no configuration is the same."""
    first = a_run(tmp_path / "first", {TORCH: [5, 4, 1]})
    lines = compared(first, a_run(tmp_path / "second", {ONNX: [3, 2, 1]}))
    assert lines[0].startswith(f"A = first: {TORCH} on ")
    assert lines[1].startswith(f"B = second: {ONNX} on ")
    assert lines[6].startswith("B is 1.67 times as fast in the median of 3 networks (1.00 to 2.00); 2 of 3")


def test_runs_without_a_common_variant(tmp_path):
    """There is nothing to divide, and the comparison says so; the ranks share no variant either."""
    first = a_run(tmp_path / "first", {TORCH: [5, 4]}, resolutions=(160, 128))
    lines = compared(first, a_run(tmp_path / "second", {TORCH: [3, 2]}, resolutions=(64, 32)))
    assert lines[2] == "they have no variant in common"
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert ["2", f"second, {TORCH}, measured"] in rows
    assert ["2", "unknown", "1.000"] in rows


def test_runs_without_a_common_configuration_are_refused(tmp_path):
    """Which configurations each run has, or that it has nothing."""
    several = a_run(tmp_path / "several", {TORCH: [5, 4, 1], "openvino-fp32-b1-t1": [3, 2, 1]})
    other = a_run(tmp_path / "other", {ONNX: [3, 2, 1]})
    nothing = a_run(tmp_path / "nothing", {TORCH: [0, 0, 0]})
    assert refusal(call("compare", several, other)) == (
        "the runs have no latency configuration in common: "
        f"several has {TORCH}, openvino-fp32-b1-t1; other has {ONNX}"
    )
    assert refusal(call("compare", nothing, other)) == (
        f"the runs have no latency configuration in common: nothing has nothing; other has {ONNX}"
    )


def test_a_run_is_not_compared_with_itself(tmp_path):
    """Named twice, also under another path."""
    run = a_run(tmp_path / "run", {TORCH: [5, 4, 1]})
    (tmp_path / "link").symlink_to("run")
    assert refusal(call("compare", run, run)) == f"{run} is named twice; name each run once"
    message = refusal(call("compare", run, tmp_path / "link"))
    assert message == f"{tmp_path / 'link'} is named twice; name each run once"


def test_what_is_no_run_is_refused(tmp_path):
    """Whichever of the two it is."""
    run = a_run(tmp_path / "run", {TORCH: [5, 4, 1]})
    for words in ((run, tmp_path / "none"), (tmp_path / "none", run)):
        assert refusal(call("compare", *words)).startswith(f"{tmp_path / 'none'} is not an mbsweep run")


def test_the_example_of_the_help_compares(tmp_path, monkeypatch):
    """Typed where two such runs lie."""
    monkeypatch.chdir(tmp_path)
    for name in ("width_res", "backends"):
        a_run(tmp_path / "runs" / name, {TORCH: [5, 4, 1]})
    result = call(*shlex.split(EXAMPLE)[1:])
    assert result.exit_code == 0
    assert "width_res" in result.stdout


def test_names_are_text_not_markup(tmp_path):
    """Folders called "[red]" and ":warning:" are printed as they are called."""
    first = a_run(tmp_path / "[red]a[", {TORCH: [5, 4, 1]})
    second = a_run(tmp_path / ":warning:[blink]", {TORCH: [5, 4, 1]})
    lines = compared(first, second)
    assert lines[0].startswith(f"A = [red]a[: {TORCH}")
    assert lines[1].startswith(f"B = :warning:[blink]: {TORCH}")
    assert any(f":warning:[blink], {TORCH}, measured" in line for line in lines)


def test_runs_of_one_name_go_by_their_paths(tmp_path, monkeypatch):
    """morning/run and evening/run can be told apart."""
    monkeypatch.chdir(tmp_path)
    for name in ("morning", "evening"):
        a_run(tmp_path / name / "run", {TORCH: [5, 4, 1]})
    assert [line.split(":")[0] for line in compared("morning/run", "evening/run")[:2]] == [
        "A = morning/run",
        "B = evening/run",
    ]


def test_configurations_that_differ_in_one_setting_are_ranked_apart(tmp_path):
    """Contiguous and channels-last latencies of one run are two columns of the agreement, not one."""
    sweep = (
        "space: {width: [0.25], resolution: [160, 128]}\n"
        "latency: [{backend: torch, rounds: 12}, "
        "{backend: torch, memory_format: channels_last, rounds: 12}]\n"
    )
    visits = {TORCH: [[[5]] * 12, [[4]] * 12], f"{TORCH}-channels_last": [[[3]] * 12, [[4]] * 12]}
    runs = [made_run(tmp_path / name, sweep, visits) for name in ("a", "b")]
    lines = compared(*runs)
    assert sum(line.startswith("A = ") for line in lines) == 2
    rows = [re.split(r"\s{2,}", line) for line in lines]
    assert ["", "2", f"a, {TORCH}-channels_last, measured"] in rows
    assert ["", "2", "-1.000", "1.000"] in rows
    assert set(GROUP) <= set(COLUMNS)


def test_without_published_devices_only_the_runs_are_ranked(tmp_path):
    """A table without rows adds nothing."""
    tables = [open_run(a_run(tmp_path / name, {TORCH: [5, 4, 1]})).table() for name in ("a", "b")]
    every = pd.concat([*tables, pd.DataFrame(columns=list(COLUMNS))], ignore_index=True)
    assert agreement(every)[0] == [f"{name}, {TORCH}, measured" for name in ("a", "b")]


def test_the_comparison_for_programs(tmp_path):
    """`--json`: both latencies with their intervals, the ratio, the verdict; what is unknown is null. `-q`:
    the ratios without the agreement.
    """
    first = a_run(tmp_path / "first", {TORCH: [5, 4, 2]})
    second = made_run(
        tmp_path / "second",
        SWEEP.format(resolutions="160, 128", latency="[{backend: torch, rounds: 12}]"),
        {TORCH: [[[6]] * 12, [[8]] * 3]},
    )
    told = json.loads(call("compare", first, second, "--json").stdout)
    (pair,) = told["pairs"]
    assert (pair["a"]["run"], pair["a"]["config"], pair["b"]["run"]) == ("first", TORCH, "second")
    assert (pair["differing"], pair["turned"], pair["tau"]) == (1, 1, -1)
    assert pair["words"].startswith("1.55 times as slow in the median of 2 networks (1.20 to 2.00); 1 of 1 ")
    assert pair["variants"] == [
        {
            "variant": "mobilenet_v1_w0.25_r160_d5",
            "name": "0.25-160",
            "a": {"latency_ms": 5, "latency_low_ms": 5, "latency_high_ms": 5},
            "b": {"latency_ms": 6, "latency_low_ms": 6, "latency_high_ms": 6},
            **{"ratio": 1.2, "ratio_low": 1.2, "ratio_high": 1.2, "b_is": "slower"},
        },
        {
            "variant": "mobilenet_v1_w0.25_r128_d5",
            "name": "0.25-128",
            "a": {"latency_ms": 4, "latency_low_ms": 4, "latency_high_ms": 4},
            "b": {"latency_ms": 8, "latency_low_ms": None, "latency_high_ms": None},
            **{"ratio": 2, "ratio_low": None, "ratio_high": None, "b_is": "interval unknown"},
        },
    ]
    assert told["agreement"]["devices"][:2] == [f"{name}, {TORCH}, measured" for name in ("first", "second")]
    assert told["agreement"]["taus"][0][:2] == [1, -1]
    assert compared(first, second, "-q") == compared(first, second)[:6]


def test_tables_without_a_latency_have_nothing_to_compare(tmp_path):
    """A sweep that only counts: an error, not an empty comparison."""
    sweep = "space: {width: [0.25]}\n"
    tables = [open_run(made_run(tmp_path / name, sweep)).table() for name in ("a", "b")]
    with pytest.raises(MbsweepError, match="a has nothing; b has nothing"):
        pairs(*tables)


def test_the_matrix_of_agreements_is_symmetric_and_that_of_the_definition(tmp_path):
    """Each configuration and device of a table with each: Kendall's tau by counting, over what both know."""
    first = open_run(a_run(tmp_path / "first", {TORCH: [5, 4, 1], ONNX: [3, 3, 1]})).table()
    second = open_run(a_run(tmp_path / "second", {TORCH: [4, 5, 0]})).table()
    names, taus = agreement(pd.concat([first, second], ignore_index=True))
    assert names == [f"first, {TORCH}, measured", f"first, {ONNX}, measured", f"second, {TORCH}, measured"]
    tied = 2 / math.sqrt(2 * 3)  # of three pairs two alike, one equal in one of the two
    expected = [[1, tied, -1], [tied, 1, NAN], [-1, NAN, 1]]  # both variants of the last are equal in ONNX
    np.testing.assert_allclose(taus, expected)


def test_a_table_without_latencies_has_no_agreement(tmp_path):
    """No configuration: no names, and a matrix of 0 x 0."""
    names, taus = agreement(open_run(made_run(tmp_path / "run", "space: {width: [0.25]}\n")).table())
    assert (names, taus.shape) == ([], (0, 0))
