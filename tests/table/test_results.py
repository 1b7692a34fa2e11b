"""A run's table, against its raw samples and against definitions written out here."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from console import call, copied, execute, query, rewritten
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import DEVICE, V1_TABLE, made_run

import mbsweep
from mbsweep import MbsweepError, load_sweep, open_run
from mbsweep.accuracy.published import latency_rows
from mbsweep.profiler.device import device_id
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store
from mbsweep.table.columns import COLUMNS, COMPARABLE
from mbsweep.table.published import published_latencies
from mbsweep.table.results import combine, find_runs, fronts

# What a table has at least.
PROMISED = [
    "run",
    "config",
    "variant",
    "family",
    "block",
    "width",
    "resolution",
    "depth",
    "params",
    "macs",
    "latency_ms",
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_low_ms",
    "latency_high_ms",
    "latency_p50_low_ms",
    "latency_p50_high_ms",
    "latency_p90_low_ms",
    "latency_p90_high_ms",
    "latency_iqr_pct",
    "latency_visits",
    "latency_kind",
    "latency_note",
    "file_bytes",
    "backend",
    "precision",
    "mode",
    "memory_format",
    "threads",
    "batch",
    "device",
    "device_id",
    "top1_pct",
    "top5_pct",
    "top1_kind",
    "top1_source",
    "on_front",
    "error",
]


@pytest.fixture(scope="module")
def table(tiny_run):
    return open_run(tiny_run).table()


def test_the_table_has_the_promised_columns(table):
    """Every promised column is there, each described in COLUMNS, in that order."""
    assert set(PROMISED) <= set(COLUMNS)
    assert list(table.columns) == V1_TABLE


WORDS = {  # what a reader sees of a number, and which way is better
    "width": ("Width multiplier", "", ""),
    "resolution": ("Resolution", "px", ""),
    "depth": ("Depth", "blocks", ""),
    "params": ("Parameters", "", "lower"),
    "macs": ("Mult-adds", "", "lower"),
    "weight_bytes": ("Weights at fp32", "bytes", "lower"),
    "peak_activation_bytes": ("Peak activations at fp32", "bytes", "lower"),
    "latency_ms": ("Latency", "ms", "lower"),
    "latency_p50_ms": ("Latency p50", "ms", "lower"),
    "latency_p90_ms": ("Latency p90", "ms", "lower"),
    "latency_low_ms": ("Latency, 95 % from", "ms", "lower"),
    "latency_high_ms": ("Latency, 95 % to", "ms", "lower"),
    "latency_mean_ms": ("Latency mean", "ms", "lower"),
    "latency_sd_ms": ("Latency sd", "ms", "lower"),
    "file_bytes": ("File that the runtime loads", "bytes", "lower"),
    "threads": ("Threads", "", ""),
    "batch": ("Batch", "images", ""),
    "top1_pct": ("Top-1 accuracy", "%", "higher"),
    "top5_pct": ("Top-5 accuracy", "%", "higher"),
    "front_pct": ("Probability of being on the front", "%", ""),
}


def test_each_number_has_its_own_words():
    """No two are exchanged, neither in what they are called nor in their order from left to right."""
    found = {name: (it.label, it.unit, it.better) for name, it in COLUMNS.items() if name in WORDS}
    assert found == WORDS
    order = ["width", "resolution", "depth", "params", "macs", "weight_bytes", "peak_activation_bytes"]
    order += ["latency_ms", "latency_low_ms", "latency_high_ms", "top1_pct", "top5_pct"]
    assert [name for name in COLUMNS if name in order] == order


def test_every_unit_in_a_name_is_the_unit_of_its_column():
    """A column that ends in _ms, _pct or _bytes says so in words, too; a percentage of what, where it could
    be of several things; the difference of two percentages is in points."""
    units = {"_ms": ["ms"], "_pct": ["%", "% of p50", "points"], "_bytes": ["bytes"]}
    for name, column in COLUMNS.items():
        for ending, allowed in units.items():
            assert not name.endswith(ending) or column.unit in allowed


def test_one_row_per_variant_and_configuration(table):
    """3 variants x 2 configurations, in the sweep file's order of both."""
    assert list(zip(table["backend"], table["resolution"], strict=True)) == [
        (backend, resolution) for backend in ("onnxruntime", "torch") for resolution in (160, 128, 32)
    ]
    same = {"family": "mobilenet_v1", "block": "separable", "width": 0.25, "depth": 5}
    same |= {"precision": "fp32", "threads": 1, "batch": 1, "mode": "forward", "memory_format": "contiguous"}
    same |= {"run": "tiny"}
    for name, value in same.items():
        assert set(table[name]) == {value}


def test_sizes_are_those_of_the_shapes(table):
    """0.25 MobileNet: 470,072 parameters; 21,059,200 mult-adds at 160 px and 13,570,048 at 128 px."""
    sizes = table.set_index("resolution")[["params", "macs"]].drop_duplicates()
    assert (sizes["params"] == 470_072).all()
    assert sizes.loc[[160, 128], "macs"].to_list() == [21_059_200, 13_570_048]


def test_accuracy_is_the_published_one_or_unknown_with_the_reason(table):
    """TF-Slim, 2018-08-02: 45.5/70.3 at 160 px, 41.5/66.3 at 128 px; nothing at 32 px."""
    rows = table.drop_duplicates("variant").set_index("resolution")
    assert rows.loc[160, ["top1_pct", "top5_pct"]].to_list() == [45.5, 70.3]
    assert rows.loc[128, ["top1_pct", "top5_pct"]].to_list() == [41.5, 66.3]
    assert math.isnan(rows.loc[32, "top1_pct"])
    assert math.isnan(rows.loc[32, "top5_pct"])
    assert rows.loc[32, "top1_reason"] == "tf-slim-2018-08-02 has no figure for this network"
    assert (table["top1_kind"] == "published").all()
    assert (table["top1_source"] == "tf-slim-2018-08-02").all()


def slowness_by_hand(folder, config, size):
    """(rounds,): how slow the machine was for a network of (params, macs), against its reference state.

    By plain SQL, of a run in one session, from the yardsticks and their reference latencies.
    """
    logs, weights = [], []
    for name, params, macs, reference_ns in query(
        folder,
        f"SELECT yardstick, params, macs, reference_ns FROM calibrations WHERE config = '{config}'",  # noqa: S608
    ):
        visited = query(
            folder,
            f"SELECT samples FROM yardsticks WHERE config = '{config}' "  # noqa: S608
            f"AND yardstick = '{name}' ORDER BY round",
        )
        fastest = [np.frombuffer(samples, "<i8").min() for (samples,) in visited]
        # The lower fifth of the last twenty visits; the first twelve have that of all twelve.
        of_late = [fastest[max(0, place - 19) : max(place + 1, 12)] for place in range(len(fastest))]
        levels = np.array([np.quantile(some, 0.2) for some in of_late])
        logs.append(np.log(levels / (reference_ns or np.quantile(levels, 0.2))))
        distance_sq = np.log(size[0] / params) ** 2 + np.log(size[1] / macs) ** 2
        weights.append(1 / (distance_sq + 0.05) ** 2)
    assert len(logs) == 4
    return np.exp(np.average(logs, axis=0, weights=weights))


def test_latencies_are_numpys_statistics_of_the_raw_samples(table, tiny_run):
    """Read by plain SQL: the headline is the lower fifth of the visits' fastest calls, each divided by how
    slow the machine was in that round, as the yardsticks tell; p50 and p90 are of all calls, so divided; mean
    and sd are of all calls as they were timed."""
    for row in table.itertuples():
        found = query(
            tiny_run,
            f"SELECT samples FROM visits WHERE variant = '{row.variant}' "  # noqa: S608
            f"AND config = '{row.backend}-fp32-b1-t1' ORDER BY round",
        )
        visits_ms = [np.frombuffer(samples, "<i8") / 1e6 for (samples,) in found]
        slow = slowness_by_hand(tiny_run, row.config, (row.params, row.macs))
        undrifted_ms = [visit / level for visit, level in zip(visits_ms, slow, strict=True)]
        every_ms = np.concatenate(visits_ms)
        assert row.latency_ms == pytest.approx(
            np.quantile([visit.min() for visit in undrifted_ms], 0.2), rel=1e-12
        )
        assert row.latency_visits == 3
        assert np.isnan([row.latency_low_ms, row.latency_high_ms]).all()  # of three visits, nobody knows
        assert row.latency_note.startswith("95 % interval unknown, 2 % asked: the budget was spent")
        assert row.latency_p50_ms == pytest.approx(np.median(np.concatenate(undrifted_ms)), rel=1e-12)
        assert row.latency_p90_ms == pytest.approx(np.quantile(np.concatenate(undrifted_ms), 0.9), rel=1e-12)
        assert row.latency_mean_ms == pytest.approx(np.mean(every_ms), rel=1e-12)
        assert row.latency_sd_ms == pytest.approx(np.std(every_ms, ddof=1), rel=1e-9)
        assert row.latency_samples == len(every_ms)
        assert row.latency_kind == "measured"


def test_the_device_is_described(table, tiny_run):
    """Every measured row names the machine: processor, cores, memory, system; and has it with its runtime as
    one word, from the session of its configuration."""
    stored = [json.loads(device) for (device,) in query(tiny_run, "SELECT device FROM sessions ORDER BY id")]
    assert len(stored) == 2
    for device, rows in zip(stored, (table.iloc[:3], table.iloc[3:]), strict=True):
        assert (rows["device"] == device["description"]).all()
        assert (rows["device_id"] == device["id"]).all()
        assert " cores, " in device["description"]
        assert " GiB, Linux " in device["description"]
        (backend,) = set(rows["backend"])
        assert f"_{backend}-" in device["id"]


def test_file_sizes_are_those_on_disk(table):
    """A quarter-width network of 470,072 parameters at fp32 takes about 4 bytes for each, in any runtime.

    Less where batch normalisation is folded into the weights, more where the graph is described.
    """
    assert table["file_bytes"].between(0.99 * 4 * 470_072, 1.1 * 4 * 470_072).all()


def beaten(row, others, cost, value):
    """Whether another row is as good on both and better on one: the definition, row by row."""
    return any(
        other[cost] <= row[cost]
        and other[value] >= row[value]
        and (other[cost] < row[cost] or other[value] > row[value])
        for other in others
    )


def by_definition(table, cost):
    """The front among the rows that share all of COMPARABLE, by comparing each with each."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    known = [row for row in rows if row[cost] is not None and row["top1_pct"] is not None]
    return [
        row in known
        and not beaten(
            row,
            [other for other in known if all(other[name] == row[name] for name in COMPARABLE)],
            cost,
            "top1_pct",
        )
        for row in rows
    ]


def test_on_front_is_the_definition_in_a_real_run(table):
    """160 px and 128 px, with known accuracy, by comparing row with row; never 32 px, without."""
    assert table["on_front"].dtype == bool
    assert table["on_front"].to_list() == by_definition(table, "latency_ms")
    assert not table.loc[table["resolution"] == 32, "on_front"].any()
    assert table.loc[table["resolution"] == 160, "on_front"].all()  # none is more accurate


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "latency_ms": st.sampled_from([1.0, 2.0, 3.0, math.nan]),  # few values: ties
            "top1_pct": st.sampled_from([40.0, 50.0, 60.0, math.nan]),
            "macs": st.integers(1, 4),
            "run": st.sampled_from(["mine", None]),
            "config": st.sampled_from(["c", "c-channels_last"]),
            "backend": st.sampled_from(["torch", "onnxruntime"]),
            "device": st.sampled_from(["a", None]),
            "top1_source": st.sampled_from(["paper", "timm"]),
            "dataset": st.just("ImageNet"),
        }
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60)
@given(rows=ROWS)
def test_fronts_are_the_definition(rows):
    """Any rows, with ties and unknowns, over several configurations, devices and sources of accuracy."""
    constant = {"precision": "fp32", "threads": 1, "batch": 1}
    constant |= {"latency_kind": "measured", "top1_kind": "published", "device_id": "a_2c_4g"}
    table = pd.DataFrame(rows).assign(**constant)
    cost = "macs" if all(math.isnan(row["latency_ms"]) for row in rows) else "latency_ms"
    assert fronts(table).to_list() == by_definition(table, cost)


def test_without_latencies_the_front_is_over_mult_adds(tmp_path):
    """A sweep that times nothing has one row per variant, no latency, and still a front."""
    sweep = tmp_path / "counted.yaml"
    sweep.write_text(
        "space: {width: [0.25, 0.5], resolution: [160, 128, 64]}\n"
        "accuracy: {source: published, table: tf-slim-2018-08-02}\n",
        encoding="utf-8",
    )
    table = mbsweep.run(load_sweep(sweep), tmp_path / "run").table()
    assert len(table) == 6
    assert table["latency_ms"].isna().all()
    assert table["backend"].isna().all()
    assert table["error"].isna().all()
    assert table["on_front"].to_list() == by_definition(table, "macs")
    assert table["on_front"].to_list() == [True, True, False, True, True, False]


def test_an_unfinished_row_says_what_is_missing(tiny_run, tmp_path):
    """Two of three rounds are there: the row has their latency, and says that one is missing."""
    folder = copied(tiny_run, tmp_path)
    execute(folder, "DELETE FROM visits WHERE round = 1 AND variant LIKE '%_r32_%' AND config LIKE 'torch%'")
    row = open_run(folder).table().iloc[-1]
    assert (row["backend"], row["resolution"]) == ("torch", 32)
    assert row["error"] == "measured in 2 of 3 rounds; run the sweep again to go on"
    assert row["latency_ms"] > 0
    assert (row["latency_visits"], row["latency_samples"] > 0) == (2, True)


def test_another_source_of_accuracy_replaces_the_old_one(tiny_run, tiny_sweep, tmp_path):
    """After a run with `table: paper` the table has the paper's figures only; sources never mix."""
    folder = copied(tiny_run, tmp_path)
    replacements = ("tf-slim-2018-08-02", "paper"), ("128, 32]", "128, 32, 224]"), ("rounds: 3", "rounds: 1")
    sweep = rewritten(tiny_sweep, tmp_path, *replacements)
    table = mbsweep.run(load_sweep(sweep), folder).table()
    assert set(table["top1_source"]) == {"paper"}
    known = table.drop_duplicates("variant").set_index("resolution")["top1_pct"].to_dict()
    assert known[224] == 50.6  # Table 6
    assert all(math.isnan(known[resolution]) for resolution in (160, 128, 32))


def test_a_folder_without_a_run_is_refused(tmp_path):
    """The message names the file that is missing and the command that makes one."""
    with pytest.raises(MbsweepError) as refused:
        open_run(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} is not an mbsweep run (it has no run.sqlite); `mbsweep run SWEEP` makes one"
    )


def test_runs_are_found_by_name(tiny_run, tmp_path):
    """Every folder with a run, in alphabetical order; other folders and files are passed over."""
    for name in ("b", "a", "c"):
        copied(tiny_run, tmp_path).rename(tmp_path / name)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert [run.path.name for run in find_runs(tmp_path)[0]] == ["a", "b", "c"]
    for nowhere in ("notes", "notes.txt", "missing"):
        with pytest.raises(MbsweepError, match=rf"no run under .*{nowhere}/; make one with `mbsweep run SWE"):
            find_runs(tmp_path / nowhere)


def test_a_run_tells_its_size(tiny_run):
    """In words: variants, configurations, visits."""
    assert open_run(tiny_run).size() == "3 variants, 2 latency configurations, 18 visits"


def test_a_run_that_was_stopped_before_it_began_says_so(tmp_path):
    """The tables were made, the sweep was not entered: what to do, instead of an empty table."""
    with Store.write(tmp_path / "run"):
        pass
    with pytest.raises(MbsweepError) as refused:
        open_run(tmp_path / "run")
    assert str(refused.value) == (
        f"{tmp_path / 'run'} is a run that was stopped before it began; run its sweep again"
    )


TWO = """\
space: {width: [0.25], resolution: [160, 128]}
latency: [{backend: torch, rounds: 12, visit_ms: 1}]
accuracy: {source: published, table: tf-slim-2018-08-02}
"""
TORCH = "torch-fp32-b1-t1"
NO_GPU = Failure("no CUDA device on this machine", FailureKind.SKIPPED)


def rows_of(folder):
    """The table of a run as records."""
    return open_run(folder).table().to_dict("records")


def test_a_settled_row_needs_no_more_rounds(tmp_path):
    """Twelve equal visits of 15: the interval is 0 % wide, so nothing is missing and nothing is to say."""
    sweep = TWO.replace("rounds: 12", "rounds: 15")
    run = made_run(tmp_path / "run", sweep, {TORCH: [[[5, 6]] * 12, [[4, 4.1]] * 11]})
    settled, unsettled = rows_of(run)
    assert (settled["latency_low_ms"], settled["latency_ms"], settled["latency_high_ms"]) == (5, 5, 5)
    assert settled["error"] is None or math.isnan(settled["error"])
    assert unsettled["error"] == "measured in 11 of 15 rounds; run the sweep again to go on"
    assert math.isnan(unsettled["latency_low_ms"])


def test_a_row_says_that_its_budget_was_spent(tmp_path):
    """Twelve visits spread by 20 %: the row is finished, and its note says how wide, and what was asked."""
    spread = [[5 + place / 11] for place in range(12)]
    row, _ = rows_of(made_run(tmp_path / "run", TWO, {TORCH: [spread, []]}))
    width = 100 * (row["latency_high_ms"] - row["latency_low_ms"]) / row["latency_ms"]
    assert 2 < width < 20
    assert row["latency_note"] == f"95 % interval {width:.1f} % wide, 2 % asked: the budget was spent"
    assert pd.isna(row["error"])


def test_a_row_says_that_its_calls_were_noisy(tmp_path):
    """Calls of 4, 5 and 6 ms in equal numbers: the middle half is 2 of 5 ms wide, whatever the headline."""
    quiet = [[5.0, 5.1, 5.2]] * 12
    noisy = [[4, 5, 6]] * 12
    rows = rows_of(made_run(tmp_path / "run", TWO, {TORCH: [noisy, quiet]}))
    assert rows[0]["latency_note"] == "noisy: interquartile range 40 % of the median"
    assert rows[0]["latency_iqr_pct"] == pytest.approx(40)
    assert pd.isna(rows[1]["latency_note"])


def test_a_budget_is_spent_where_every_round_was_visited(tmp_path):
    """Eleven of twelve visits, spread by 20 %: the run goes on, so the row does not say that it was spent."""
    spread = [[5 + place / 11] for place in range(11)]
    row, _ = rows_of(made_run(tmp_path / "run", TWO, {TORCH: [spread, []]}))
    assert pd.isna(row["latency_note"])
    assert row["error"] == "measured in 11 of 12 rounds; run the sweep again to go on"


def test_both_notes_are_told(tmp_path):
    """Three visits of three, all noisy: that the interval is unknown, and that the calls were noisy."""
    sweep = TWO.replace("rounds: 12", "rounds: 3")
    row, _ = rows_of(made_run(tmp_path / "run", sweep, {TORCH: [[[4, 5, 6]] * 3, []]}))
    assert row["latency_note"] == (
        "95 % interval unknown, 2 % asked: the budget was spent; "
        "noisy: interquartile range 40 % of the median"
    )


LONG = TWO.replace("rounds: 12", "rounds: 40")
OF_TWO = ["yardstick 0.5-64", "yardstick 0.25-128", "yardstick 0.25-224", "yardstick 0.5-128"]


def test_drift_is_divided_out_of_the_headline(tmp_path):
    """Rounds 8 to 39 take twice as long, the yardsticks tell so: the headline is that of the others."""
    levels = [1] * 7 + [2] * 33
    visits = {TORCH: [[[5 * level] for level in levels], []]}
    run = made_run(tmp_path / "run", LONG, visits, {TORCH: [[2 * level] for level in levels]})
    row, unmeasured = rows_of(run)
    assert (row["latency_low_ms"], row["latency_ms"], row["latency_high_ms"]) == pytest.approx((5, 5, 5))
    assert row["latency_p50_ms"] == pytest.approx(5)
    assert row["latency_note"] == (
        "the machine's speed changed in the middle: its yardsticks took 100% longer in the slow rounds than "
        "in the fast ones (divided out)"
    )
    assert pd.isna(unmeasured["latency_note"])
    assert row["latency_mean_ms"] == pytest.approx(5 * 73 / 40)  # as it was timed


def test_headlines_are_told_at_the_reference_speed(tmp_path):
    """All yardsticks take 2.2 ms, and 2 ms in the device's reference state: 5.5 ms were 5 ms there."""
    reference = {TORCH: dict.fromkeys(OF_TWO, 2)}
    visits, yardsticks = {TORCH: [[[5.5]] * 12, []]}, {TORCH: [[2.2, 3]] * 12}
    row, _ = rows_of(made_run(tmp_path / "run", TWO, visits, yardsticks, reference_ms=reference))
    assert (row["latency_low_ms"], row["latency_ms"], row["latency_high_ms"]) == pytest.approx((5, 5, 5))
    assert (row["latency_p50_ms"], row["latency_mean_ms"]) == pytest.approx((5, 5.5))  # mean: as it was timed


def test_the_note_is_about_the_interval_that_is_shown(tmp_path):
    """Twelve equal visits, but of the yardsticks two are 1.1 slow and two are not: the interval is wide, and
    the note says how wide, although the visits themselves agree.
    """
    reference = {TORCH: dict(zip(OF_TWO, [2, 2.2, 2, 2.2], strict=True))}
    visits, yardsticks = {TORCH: [[[5.5]] * 12, []]}, {TORCH: [[2.2]] * 12}
    row, _ = rows_of(made_run(tmp_path / "run", TWO, visits, yardsticks, reference_ms=reference))
    width = 100 * (row["latency_high_ms"] - row["latency_low_ms"]) / row["latency_ms"]
    assert width > 10
    assert row["latency_note"] == f"95 % interval {width:.1f} % wide, 2 % asked: the budget was spent"


def test_what_was_done_needs_no_more_when_the_drift_is_less_sure_later(tmp_path):
    """A row of 12 of 40 rounds that was narrow enough then, by its kept summary: finished, with its width."""
    run = made_run(tmp_path / "run", LONG, {TORCH: [[[5]] * 12, [[4]] * 12]})
    first, second = (row["variant"] for row in rows_of(run))
    kept = {"latency_ms": 5.0, "latency_iqr_pct": 0.0, "width_pct": 2.3, "settled_pct": 2}
    with Store.write(run) as store:
        store.set_summaries(TORCH, [(first, 12, kept), (second, 12, kept | {"settled_pct": 3})])
    done, open_ = rows_of(run)
    assert pd.isna(done["error"])
    assert done["latency_note"] == (
        "95 % interval 2.3 % wide, 2 % asked: later rounds made the drift less sure"
    )
    assert open_["error"] == "measured in 12 of 40 rounds; run the sweep again to go on"


@pytest.mark.parametrize("is_calibrated", [True, False])
def test_headlines_are_numpys_on_a_machine_that_drifts(is_calibrated, tmp_path):
    """Forty rounds in which each yardstick takes another time in each, longer from the twentieth on:
    recomputed from the raw samples.
    """
    rng = np.random.default_rng(11)
    slower = np.where(np.arange(40) < 20, 1, 1.4)[:, None]
    yardsticks = {name: (slower * rng.uniform(2, 3, (40, 2))).tolist() for name in OF_TWO}
    visits_ms = slower * rng.uniform(5, 8, (2, 40, 3))
    reference = {TORCH: dict(zip(OF_TWO, [1.9, 2.1, 2.2, 2], strict=True)) if is_calibrated else {}}
    run = made_run(
        tmp_path / "run", LONG, {TORCH: visits_ms.tolist()}, {TORCH: yardsticks}, reference_ms=reference
    )
    for row, visits in zip(rows_of(run), np.round(visits_ms, 6), strict=True):
        slow = slowness_by_hand(run, TORCH, (row["params"], row["macs"]))
        assert slow.max() / slow.min() > 1.1
        assert row["latency_ms"] == pytest.approx(np.quantile(visits.min(axis=1) / slow, 0.2), rel=1e-12)
        every_ms = visits / slow[:, None]
        found = [row["latency_p50_ms"], row["latency_p90_ms"]]
        assert found == pytest.approx(np.quantile(every_ms, [0.5, 0.9]), rel=1e-12)


def test_a_network_drifts_as_yardsticks_of_its_size_do(tmp_path):
    """Only one yardstick takes twice as long as in the reference state: 0.25-128 is that network, and what
    slows it by 2 is nearly all divided out; for 1.0-128, another one, nearly nothing is.
    """
    sweep = TWO.replace("[0.25]", "[0.25, 1]").replace("[160, 128]", "[128]")
    names = ["yardstick 0.5-64", "yardstick 0.25-128", "yardstick 0.25-224", "yardstick 1-128"]
    yardsticks = {name: [[4 if name == "yardstick 0.25-128" else 2]] * 12 for name in names}
    visits = {TORCH: [[[10]] * 12, [[40]] * 12]}
    made = made_run(
        tmp_path / "run", sweep, visits, {TORCH: yardsticks}, reference_ms={TORCH: dict.fromkeys(names, 2)}
    )
    small, large = rows_of(made)
    # Weights by hand, from (params, macs): 1 / (0 + 0.05)^2 = 400 and, with 1.089, 1.224 and 11.694 for the
    # squares of the distances, 0.771, 0.616 and 0.0073: a share of 0.996527 seen from itself. Seen from the
    # largest, with 8.564, 11.694 and 7.120, it is 0.0000181.
    assert small["latency_ms"] == pytest.approx(10 / 2**0.996527, rel=1e-5)
    assert large["latency_ms"] == pytest.approx(40 / 2**0.0000181, rel=1e-6)


def test_kept_summaries_are_used_while_they_are_of_all_visits(tmp_path):
    """A summary of as many visits as there are is taken as it is; one of fewer is made anew."""
    run = made_run(tmp_path / "run", TWO, {TORCH: [[[5]] * 12, [[4]] * 12]})
    first, second = (row["variant"] for row in rows_of(run))
    kept = {"latency_ms": 77.0, "latency_iqr_pct": 0.0, "width_pct": 0.0}
    with Store.write(run) as store:
        store.set_summaries(TORCH, [(first, 12, kept), (second, 11, kept)])
    assert [row["latency_ms"] for row in rows_of(run)] == [77, 4]


def test_kept_summaries_are_those_of_the_samples(tiny_run, tmp_path):
    """What a real run keeps is what is made anew, number by number."""
    folder = copied(tiny_run, tmp_path)
    execute(folder, "DELETE FROM summaries")
    anew, kept = (open_run(path).table().drop(columns="run") for path in (folder, tiny_run))
    pd.testing.assert_frame_equal(anew, kept, rtol=1e-12)


def test_a_skipped_configuration_keeps_its_rows_with_the_reason(tmp_path):
    """No latency, no device, and why; the other configuration's rows are not concerned."""
    sweep = TWO.replace("[{", "[{backend: onnxruntime}, {")
    run = made_run(tmp_path / "run", sweep, {TORCH: [[[5]] * 12, [[4]] * 12]})
    with Store.write(run) as store:
        store.add_failure("", "onnxruntime-fp32-b1-t1", NO_GPU)
    table = open_run(run).table()
    skipped, measured = (table[table["backend"] == name] for name in ("onnxruntime", "torch"))
    assert set(skipped["error"]) == {"skipped: no CUDA device on this machine"}
    assert skipped[["latency_ms", "device", "device_id", "latency_kind"]].isna().all(axis=None)
    assert skipped["macs"].notna().all()
    assert measured["error"].isna().all()
    assert not skipped["on_front"].any()
    assert measured["on_front"].all()


def test_what_was_finished_before_a_skip_has_no_error(tmp_path):
    """Measured where the device was, skipped where it is not: the finished row is as it was, the others say
    why nothing is added to them.
    """
    run = made_run(tmp_path / "run", TWO, {TORCH: [[[5]] * 12, []]})
    with Store.write(run) as store:
        store.add_failure("", TORCH, NO_GPU)
    finished, missing = rows_of(run)
    assert (finished["latency_ms"], finished["latency_visits"]) == (5, 12)
    assert pd.isna(finished["error"])
    assert missing["error"] == "skipped: no CUDA device on this machine"


def test_accuracies_are_those_of_the_precision(tmp_path):
    """TF-Slim's 1.0-224: 70.9 % at fp32 and 70.1 % at int8; of bf16 it says nothing, so nothing is said."""
    sweep = (
        "space: {}\naccuracy: {source: published, table: tf-slim-2018-08-02}\nlatency:\n"
        "  - {backend: torch}\n  - {backend: torch, precision: int8}\n  - {backend: torch, precision: bf16}\n"
    )
    rows = {row["precision"]: row for row in rows_of(made_run(tmp_path / "run", sweep))}
    assert (rows["fp32"]["top1_pct"], rows["int8"]["top1_pct"]) == (70.9, 70.1)
    assert math.isnan(rows["bf16"]["top1_pct"])
    assert rows["bf16"]["top1_reason"] == "tf-slim-2018-08-02 has no figure for this network at bf16"


PREDICTED = "torch-fp32-b1-t1-predicted"


def test_predicted_rows_beside_measured_ones(tmp_path):
    """A prediction has its kind, its interval, the report's summary as its note; p50 and visits are unknown.

    What has no prediction says so; kinds never share a front.
    """
    sweep = TWO.replace("[{", "[{backend: torch, kind: predicted}, {")
    run = made_run(tmp_path / "run", sweep, {TORCH: [[[5]] * 12, [[4]] * 12]})
    first = rows_of(run)[0]["variant"]
    report = {"summary": "predicted from 30 blocks; 3 % off in the median of 8 networks"}
    with Store.write(run) as store:
        session = store.begin_session(DEVICE, {"torch": "2.0"})
        store.set_predictions(PREDICTED, session, report, [(first, 6e6, 5e6, 8e6)])
    table = open_run(run).table()
    predicted, missing, *measured = table.to_dict("records")
    numbers = [predicted[name] for name in ("latency_ms", "latency_low_ms", "latency_high_ms")]
    assert numbers == [6, 5, 8]
    assert (predicted["config"], predicted["variant"]) == (PREDICTED, first)
    assert (predicted["latency_kind"], predicted["latency_note"]) == ("predicted", report["summary"])
    assert (predicted["device"], predicted["device_id"]) == (DEVICE["description"], DEVICE["id"])
    assert all(math.isnan(predicted[name]) for name in ("latency_p50_ms", "latency_visits"))
    assert pd.isna(predicted["error"])
    assert missing["error"] == "not predicted yet; run the sweep again to go on"
    assert math.isnan(missing["latency_ms"])
    assert [row["latency_kind"] for row in measured] == ["measured"] * 2
    assert table["on_front"].to_list() == by_definition(table, "latency_ms") == [True, False, True, True]


def test_runs_stand_below_one_another(tmp_path):
    """Each run's rows as they are in its own table, with their own fronts, in the order asked."""
    slow = made_run(tmp_path / "slow", TWO, {TORCH: [[[5]] * 12, [[4]] * 12]})
    fast = made_run(tmp_path / "fast", TWO, {TORCH: [[[2]] * 12, [[1]] * 12]})
    both = combine([open_run(slow), open_run(fast)])
    assert list(both["run"]) == ["slow"] * 2 + ["fast"] * 2
    assert list(both.columns) == V1_TABLE
    for name, path in (("slow", slow), ("fast", fast)):
        rows = both[both["run"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, open_run(path).table(), check_dtype=False)
    assert both["on_front"].to_list() == [True] * 4
    assert both["on_front"].dtype == bool


def test_one_run_is_its_own_table(tiny_run, table):
    """Combining one run changes nothing."""
    pd.testing.assert_frame_equal(combine([open_run(tiny_run)]), table)


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path):
    """runs/a/mine and runs/b/mine go by path; a third keeps its short name."""
    for name in ("a/mine", "b/mine", "other"):
        made_run(tmp_path / name, TWO)
    both = combine([open_run(tmp_path / name) for name in ("a/mine", "b/mine", "other")])
    assert list(dict.fromkeys(both["run"])) == [
        str(tmp_path / "a" / "mine"),
        str(tmp_path / "b" / "mine"),
        "other",
    ]


def test_a_run_that_is_named_twice_is_refused(tmp_path):
    """Also under another path: its rows would stand there twice, as if they were two runs'."""
    run = made_run(tmp_path / "run", TWO)
    (tmp_path / "link").symlink_to("run")
    for other in (run, tmp_path / "link"):
        with pytest.raises(MbsweepError) as refused:
            combine([open_run(run), open_run(other)])
        assert str(refused.value) == f"{other} is named twice; name each run once"


def test_a_folder_whose_name_is_no_text_has_a_table(tmp_path):
    """A name that is not UTF-8 is spelt out, in every format."""
    run = made_run(tmp_path / b"a\xff".decode("utf-8", "surrogateescape"), TWO)
    assert set(open_run(run).table()["run"]) == {"a\\xff"}
    assert call("table", run).exit_code == 0
    assert json.loads(call("table", run, "--format", "json").stdout)[0]["run"] == "a\\xff"


A_DEVICE = {"processor": "Intel(R) Xeon(R) CPU @ 2.20GHz", "cores": 2, "memory_bytes": 24 * 2**30}


def test_a_devices_id_is_one_word():
    """Processor, cores, memory, runtime, version; trademarks and spaces are no part of it."""
    assert device_id(A_DEVICE, "onnxruntime", "1.23.0") == (
        "intel-xeon-cpu-2.20ghz_2c_24g_onnxruntime-1.23.0"
    )
    gpu = A_DEVICE | {"gpu": "NVIDIA H100 80GB HBM3"}
    assert device_id(gpu, "torch", "2.9.0+cu128") == "nvidia-h100-80gb-hbm3_2c_24g_torch-2.9.0+cu128"


SAME_DEVICE = [
    {},
    {"memory_bytes": 24 * 2**30 - 5 * 2**20},  # kernels keep a few MiB for themselves
    {"memory_bytes": 24 * 2**30 + 9 * 2**20},
    {"description": "another word for it"},
    {"system": "Linux"},
]
OTHER_DEVICES = [
    {"processor": "AMD EPYC"},
    {"cores": 4},
    {"memory_bytes": 32 * 2**30},
    {"gpu": "NVIDIA T4"},
]


@pytest.mark.parametrize("change", SAME_DEVICE, ids=str)
def test_a_devices_id_is_the_same_again(change):
    """Made anew, from the keys in another order, or with a few MiB more or less, it is the same."""
    changed = dict(reversed((A_DEVICE | change).items()))
    assert device_id(changed, "torch", "2.9") == device_id(A_DEVICE, "torch", "2.9")


@pytest.mark.parametrize("change", OTHER_DEVICES, ids=str)
def test_another_device_has_another_id(change):
    """Another processor, number of cores, memory or GPU; and another runtime or version of it."""
    known = device_id(A_DEVICE, "torch", "2.9")
    assert device_id(A_DEVICE | change, "torch", "2.9") != known
    assert device_id(A_DEVICE, "torch", "2.10") != known
    assert device_id(A_DEVICE, "onnxruntime", "2.9") != known


@given(st.text(), st.text(), st.text())
def test_a_devices_id_is_fit_for_a_file_name(processor, runtime, version):
    """Whatever a processor calls itself: small letters, digits and a few signs, never empty."""
    word = device_id(A_DEVICE | {"processor": processor}, runtime, version)
    assert set(word) <= set("abcdefghijklmnopqrstuvwxyz0123456789.+-_")
    assert not word.startswith("_")


def test_published_latencies_become_rows(tmp_path):
    """0.25-128 has three at fp32 on a Pixel 3 (1.2, 1.6 and 3.0 ms): of no run and no configuration."""
    runs = [
        open_run(made_run(tmp_path / name, TWO, {TORCH: [[[5]] * 12, [[4]] * 12]})) for name in ("a", "b")
    ]
    table = combine(runs)
    rows = published_latencies(table, latency_rows)
    assert list(rows.columns) == V1_TABLE
    small = rows[rows["variant"] == "mobilenet_v1_w0.25_r128_d5"]
    assert small["latency_ms"].to_list() == [1.2, 1.6, 3.0]  # once, though both runs have the variant
    assert set(rows["latency_kind"]) == {"published"}
    assert set(small["top1_pct"]) == {41.5}
    assert set(small["macs"]) == {13_570_048}
    assert rows[["run", "config", "error", "latency_low_ms", "latency_note"]].isna().all(axis=None)


def test_variants_that_nobody_timed_have_no_published_rows(tmp_path):
    """A table of the right columns without a row."""
    sweep = "space: {width: [0.3], resolution: [64]}\n"
    rows = published_latencies(open_run(made_run(tmp_path / "run", sweep)).table(), latency_rows)
    assert (len(rows), list(rows.columns)) == (0, V1_TABLE)
