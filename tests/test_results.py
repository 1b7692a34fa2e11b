"""A run's table, against its raw samples and against definitions written out here."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from commands import copied, execute, query, rewritten
from hypothesis import given, settings
from hypothesis import strategies as st

import mbsweep
from mbsweep import MbsweepError, load_sweep, open_run
from mbsweep.results import COLUMNS, COMPARABLE, find_runs, fronts
from mbsweep.store import Store

# What a table has at least.
PROMISED = [
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
    "latency_kind",
    "backend",
    "precision",
    "threads",
    "batch",
    "device",
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
    assert list(table.columns) == list(COLUMNS)


def test_every_unit_in_a_name_is_the_unit_of_its_column():
    """A column that ends in _ms, _pct or _bytes says so in words, too."""
    units = {"_ms": "ms", "_pct": "%", "_bytes": "bytes"}
    for name, column in COLUMNS.items():
        for ending, unit in units.items():
            assert not name.endswith(ending) or column.unit == unit


def test_one_row_per_variant_and_configuration(table):
    """3 variants x 2 configurations, in the sweep file's order of both."""
    assert list(zip(table["backend"], table["resolution"], strict=True)) == [
        (backend, resolution) for backend in ("onnxruntime", "torch") for resolution in (160, 128, 32)
    ]
    same = {"family": "mobilenet_v1", "block": "separable", "width": 0.25, "depth": 5}
    same |= {"precision": "fp32", "threads": 1, "batch": 1}
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


def test_latencies_are_numpys_statistics_of_the_raw_samples(table, tiny_run):
    """Read by plain SQL: the headline is the median of the visits' fastest calls; the rest is of all."""
    for row in table.itertuples():
        found = query(
            tiny_run,
            f"SELECT samples FROM visits WHERE variant = '{row.variant}' "  # noqa: S608
            f"AND config = '{row.backend}-fp32-b1-t1'",
        )
        visits_ms = [np.frombuffer(samples, "<i8") / 1e6 for (samples,) in found]
        assert len(visits_ms) == 3
        every_ms = np.concatenate(visits_ms)
        assert row.latency_ms == pytest.approx(np.median([visit.min() for visit in visits_ms]), rel=1e-12)
        assert row.latency_p50_ms == pytest.approx(np.median(every_ms), rel=1e-12)
        assert row.latency_p90_ms == pytest.approx(np.quantile(every_ms, 0.9), rel=1e-12)
        assert row.latency_mean_ms == pytest.approx(np.mean(every_ms), rel=1e-12)
        assert row.latency_sd_ms == pytest.approx(np.std(every_ms, ddof=1), rel=1e-9)
        assert row.latency_samples == len(every_ms)
        assert row.latency_kind == "measured"


def test_the_device_is_described(table, tiny_run):
    """Every measured row names the machine: processor, cores, memory, system."""
    ((stored,),) = query(tiny_run, "SELECT device FROM sessions")
    device = json.loads(stored)["description"]
    assert (table["device"] == device).all()
    assert " cores, " in device
    assert " GiB, Linux " in device


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
            "backend": st.sampled_from(["torch", "onnxruntime"]),
            "device": st.sampled_from(["a", None]),
            "top1_source": st.sampled_from(["paper", "timm"]),
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
    constant |= {"latency_kind": "measured", "top1_kind": "published"}
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
    with pytest.raises(MbsweepError, match=r"no run under .*notes/; make one with `mbsweep run SWEEP`"):
        find_runs(tmp_path / "notes")


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
