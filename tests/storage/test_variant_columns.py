"""The variants of a large run are kept by columns, too: what is read is what the rows say."""

import pandas as pd
import pytest
from console import execute, query
from made_runs import OF_FAMILIES, made_run

from mbsweep import count_space, open_run
from mbsweep.base.progress import Silent
from mbsweep.storage import variant_columns
from mbsweep.storage.store import Store
from mbsweep.sweep.entering import enter_sweep
from mbsweep.sweep.sweep import parse_sweep

SWEEP = "space: {width: [0.25, 1], resolution: [32, 224], depth: [0, 5]}\n" + OF_FAMILIES
ONE_FAMILY = "space: {width: {from: 0.1, to: 2, step: 0.1}, resolution: [32, 224], depth: [0, 5]}\n"


def is_kept(folder):
    return bool(query(folder, "SELECT 1 FROM sqlite_master WHERE name = 'variant_columns'"))


def by_rows(folder):
    """The table without what is kept by columns."""
    execute(folder, "DROP TABLE IF EXISTS variant_columns")
    return open_run(folder).table()


@pytest.fixture
def kept(monkeypatch):
    """The least of runs is large."""
    monkeypatch.setattr(variant_columns, "LEAST", 1)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("sweep", [SWEEP, ONE_FAMILY], ids=["families", "one family"])
def test_columns_and_rows_are_one_table(sweep, tmp_path):
    """Every cell, and every type."""
    run = made_run(tmp_path / "run", sweep)
    assert is_kept(run)
    table = open_run(run).table()
    assert table["variant"].tolist() == list(count_space(parse_sweep(sweep, "made.yaml")).ids())
    pd.testing.assert_frame_equal(table, by_rows(run))


def test_a_small_run_keeps_rows_alone(tmp_path):
    """They are read at once."""
    assert not is_kept(made_run(tmp_path / "run", SWEEP))


@pytest.mark.usefixtures("kept")
def test_a_sweep_that_still_names_all_is_kept_anew(tmp_path):
    """With another title, and networks before and behind those of before."""
    run = made_run(tmp_path / "run", ONE_FAMILY)
    text = ONE_FAMILY.replace("0.1, to", "0.05, to").replace("[0, 5]", "[5, 0, 9]").replace("0.1}", "0.05}")
    changed = parse_sweep(f"title: another\n{text}", "made.yaml")
    with Store.write(run) as store:
        enter_sweep(store, changed, count_space(changed), None, Silent())
    assert is_kept(run)
    table = open_run(run).table()
    assert table["variant"].tolist() == list(count_space(changed).ids())
    assert len(table) == 40 * 2 * 3
    pd.testing.assert_frame_equal(table, by_rows(run))


@pytest.mark.usefixtures("kept")
def test_what_an_earlier_mbsweep_did_not_count_stays_unknown(tmp_path):
    """It is nowhere in the file; no number takes its place."""
    run = made_run(tmp_path / "run", ONE_FAMILY)
    execute(run, "UPDATE variants SET weight_bytes_int8 = NULL WHERE position = 1")
    sweep = parse_sweep(f"title: another\n{ONE_FAMILY}", "made.yaml")
    with Store.write(run) as store:
        enter_sweep(store, sweep, count_space(sweep), None, Silent())
    table = open_run(run).table()
    assert table["weight_bytes_int8"].isna().tolist() == [place == 1 for place in range(len(table))]


@pytest.mark.usefixtures("kept")
def test_a_sweep_that_leaves_networks_is_read_from_rows(tmp_path):
    """What is new, what is left, and another order: nothing is read as it was before."""
    run = made_run(tmp_path / "run", SWEEP)
    changed = parse_sweep("space: {width: [1, 0.5], resolution: [224, 32]}\n", "made.yaml")
    with Store.write(run) as store:
        enter_sweep(store, changed, count_space(changed), None, Silent())
    assert not is_kept(run)
    table = open_run(run).table()
    shapes = [(1, 224), (1, 32), (0.5, 224), (0.5, 32)]
    assert list(zip(table["width"], table["resolution"], strict=True))[:4] == shapes
    assert len(table) == 14 + 2  # two of the four were there before


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE variant_columns SET packed = x'00' WHERE name = 'macs'",
        "UPDATE variant_columns SET packed = (SELECT packed FROM variant_columns WHERE name = 'id') "
        "WHERE name = 'field width'",
        "UPDATE variant_columns SET choices = 'x' WHERE name = 'family'",
        "UPDATE variant_columns SET choices = '[0.25]' WHERE name = 'field width'",
        "UPDATE variant_columns SET choices = '8' WHERE name = 'field width'",
        "UPDATE variant_columns SET choices = '[[1], [2], {}]' WHERE name = 'field width'",
        "UPDATE variant_columns SET name = x'00' WHERE name = 'field width'",
        "DELETE FROM variant_columns WHERE name = 'params'",
        "DELETE FROM variants WHERE position = 3",
    ],
)
def test_what_cannot_be_read_is_read_from_rows(damage, tmp_path):
    """They are there in any case."""
    run = made_run(tmp_path / "run", SWEEP)
    execute(run, damage)
    table = open_run(run).table()
    pd.testing.assert_frame_equal(table, by_rows(run))
