"""`kind: predicted`, end to end: a few blocks and networks are measured, every variant has a latency."""

import json
import re
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
import stand_in
from console import call, contents, query

from mbsweep import count_space, load_sweep, open_run, pipeline
from mbsweep.base.progress import Silent
from mbsweep.profiler import worker
from mbsweep.space.fused import space_blocks
from mbsweep.storage.store import Store

SWEEP = """\
space: {width: [0.25, 0.35, 0.5], resolution: [32, 48, 64], depth: [0, 1]}
latency:
  - {backend: onnxruntime, kind: predicted, max_blocks: 30, networks: 12, rounds: 3, visit_ms: 1}
"""
CONFIG = "onnxruntime-fp32-b1-t1-predicted"
NOTE = (
    r"predicted from (\d+) of (\d+) distinct blocks and (\d+) networks; mean absolute error (\d+\.\d) %, "
    r"at worst (\d+\.\d) %, over the (\d+) of them that were held out"
)


class Told(Silent):
    """Keeps what a run tells."""

    def __init__(self):
        self.said = []

    def say(self, message):
        """One line for the user."""
        self.said.append(message)


def a_sweep(folder, name="predicted", text=SWEEP):
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def predict(sweep, folder):
    """Run a sweep file into a folder; return what was said, but for how sure that is on this machine."""
    told = Told()
    pipeline.run(load_sweep(sweep), folder, progress=told)
    unsure = (": noisy: ", "speed changed", " intervals are as narrow as asked")
    return [said for said in told.said if not any(words in said for words in unsure)]


def measured_parts(cache):
    """What the cache holds: (name, round, samples) of every visit to a block or a network."""
    (file,) = cache.glob(f"blocks-*/*/{CONFIG}/run.sqlite")
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT variant, round, samples FROM visits").fetchall()


def blocks_and_networks(sweep):
    """Distinct blocks of a sweep's space by key, and its variants' ids: written out from the layers."""
    space = count_space(load_sweep(sweep))
    blocks = space_blocks(space)
    return {blocks.block(place).key for place in range(len(blocks))}, set(space.ids())


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """(sweep, run, cache, what was said) of a real prediction. None of them is to be changed."""
    folder = tmp_path_factory.mktemp("predicted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MBSWEEP_CACHE", str(folder / "cache"))
        sweep = a_sweep(folder)
        return sweep, folder / "run", folder / "cache", predict(sweep, folder / "run")


def test_every_variant_has_a_latency_with_its_interval_and_note(predicted):
    """18 networks of which 12 were measured: all are predicted, and how well is said beside each."""
    sweep, run, _, said = predicted
    table = open_run(run).table()
    assert len(table) == 18
    assert table["error"].isna().all()
    assert set(table["latency_kind"]) == {"predicted"}
    assert (table["latency_low_ms"] > 0).all()
    assert (table["latency_low_ms"] < table["latency_ms"]).all()
    assert (table["latency_ms"] < table["latency_high_ms"]).all()
    assert table["device_id"].notna().all()
    (note,) = set(table["latency_note"])
    summary = re.match(NOTE, note)  # what follows is of a busy machine
    assert said == [f"{CONFIG}: {summary.group()}"]
    blocks, _ = blocks_and_networks(sweep)
    measured, distinct, networks, mean, worst, held_out = summary.groups()
    assert (int(measured), int(distinct), int(networks), int(held_out)) == (30, len(blocks), 12, 4)
    assert len(blocks) > 30
    assert 0 <= float(mean) <= float(worst)


def test_a_larger_network_is_predicted_to_take_longer(predicted):
    """0.5-64 has 6 times the mult-adds of 0.25-32 at the same depth, and takes longer on any machine."""
    _, run, _, _ = predicted
    latency_ms = open_run(run).table().set_index(["width", "resolution", "depth"])["latency_ms"]
    assert latency_ms[0.5, 64, 1] > 1.5 * latency_ms[0.25, 32, 1]


def test_what_is_measured_are_blocks_and_networks_in_rounds(predicted):
    """Thirty of the space's blocks and twelve of its networks, three visits each, and the yardsticks beside;
    of the run itself, nothing is measured.
    """
    sweep, run, cache, _ = predicted
    blocks, variants = blocks_and_networks(sweep)
    visited = {}
    for name, number, samples in measured_parts(cache):
        assert (np.frombuffer(samples, "<i8") > 0).all()
        visited.setdefault(name, []).append(number)
    assert len(visited.keys() & blocks) == 30
    assert len(visited.keys() & variants) == 12
    assert len(visited) == 42
    assert all(sorted(numbers) == [0, 1, 2] for numbers in visited.values())
    (folder,) = (file.parent for file in cache.glob("blocks-*/*/*/run.sqlite"))
    rounds = query(folder, "SELECT yardstick, round FROM yardsticks")
    names = {name for name, _ in rounds}
    assert 4 <= len(names) <= 8
    assert sorted(rounds) == sorted((name, number) for name in names for number in range(3))
    assert query(run, "SELECT count(*) FROM visits") == [(0,)]


def test_what_was_found_of_the_machine_stands_beside_each_prediction(tmp_path, own_cache, with_worker):
    """Its parts were measured on a machine 40 % slower than when it was calibrated: the note says so."""
    told = []
    for place, pace in enumerate((1, 1.4)):
        with_worker(stand_in.toy(pace=pace))
        sweep = a_sweep(tmp_path, text=SWEEP.replace("rounds: 3", "rounds: 12"))
        predict(sweep, tmp_path / str(place))
        (note,) = set(open_run(tmp_path / str(place)).table()["latency_note"])
        told.append(note.partition("held out")[2])
        shutil.rmtree(next(own_cache.glob("blocks*")))
    assert told == [
        "",
        "; the machine was 40% slower than when its yardsticks were calibrated: latencies are those of then",
    ]


def test_a_second_run_does_nothing(predicted, monkeypatch):
    """The same sweep into the same folder: no process is started, nothing is said, no byte is changed."""
    sweep, run, cache, _ = predicted
    monkeypatch.setenv("MBSWEEP_CACHE", str(cache))
    monkeypatch.setattr(worker, "COMMAND", ["false"])
    before = contents(run) | contents(cache)
    assert predict(sweep, run) == []
    assert contents(run) | contents(cache) == before


def test_another_sweep_over_the_same_blocks_measures_nothing_anew(predicted, monkeypatch, tmp_path):
    """Another file, another folder, the same space: it is predicted from what this device's cache holds."""
    _, run, cache, _ = predicted
    monkeypatch.setenv("MBSWEEP_CACHE", str(cache))
    log = tmp_path / "log"
    monkeypatch.setattr(worker, "COMMAND", stand_in.toy(log=log))
    before = measured_parts(cache)
    predict(a_sweep(tmp_path, "other", f"title: Another\n{SWEEP}"), tmp_path / "other")
    assert measured_parts(cache) == before
    assert not log.exists()  # nothing was even prepared
    names = ["variant", "latency_ms", "latency_low_ms", "latency_high_ms", "latency_note"]
    assert open_run(tmp_path / "other").table()[names].equals(open_run(run).table()[names])


# -- toy workers: what is told is about the order of things ----------------------------------------------


@pytest.fixture
def with_worker(monkeypatch):
    """Call it with a command line of `stand_in`: workers are started with that."""
    return lambda command: monkeypatch.setattr(worker, "COMMAND", command)


def test_another_space_measures_only_what_is_new_to_the_device(tmp_path, own_cache, with_worker):
    """One more resolution: the visits that are there stay as they are, and none of them is made again."""
    with_worker(stand_in.toy())
    first = a_sweep(tmp_path, "first", SWEEP.replace("max_blocks: 30", "max_blocks: 400"))
    predict(first, tmp_path / "run")
    before = measured_parts(own_cache)
    more = first.read_text(encoding="utf-8").replace("[32, 48, 64]", "[32, 48, 64, 80]")
    second = a_sweep(tmp_path, "second", more)
    predict(second, tmp_path / "other")
    after = measured_parts(own_cache)
    assert set(after) > set(before)
    assert len(after) == len({row[:2] for row in after})
    (known, _), (all_blocks, variants) = (blocks_and_networks(sweep) for sweep in (first, second))
    new = {name for name, _, _ in after} - {name for name, _, _ in before}
    assert new - variants == all_blocks - known


@pytest.mark.parametrize("at_visit", [0, 2])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [("raises", "RuntimeError: no kernel"), ("segfault", "the runtime's process ended: SIGSEGV")],
)
def test_a_block_that_fails_is_left_out_with_a_word(
    fault, reason, at_visit, tmp_path, own_cache, with_worker
):
    """One of thirty: it is named with its reason, the prediction is made from the others for all variants."""
    sweep = a_sweep(tmp_path)
    with_worker(stand_in.toy())
    predict(sweep, tmp_path / "whole")
    blocks, _ = blocks_and_networks(sweep)
    failing = sorted({name for name, _, _ in measured_parts(own_cache)} & blocks)[-1]
    for file in own_cache.glob("blocks-*/*/*/*"):
        file.unlink()

    with_worker(stand_in.toy({failing: fault}, at_visit=at_visit))
    word, summary = predict(sweep, tmp_path / "run")
    assert word.startswith(f"{CONFIG}: {failing} failed and is left out: {reason}")
    table = open_run(tmp_path / "run").table()
    assert table["error"].isna().all()
    assert table["latency_ms"].gt(0).all()
    (note,) = set(table["latency_note"])
    assert summary == f"{CONFIG}: {note}"
    # What it gave before it failed is a measurement: two calls in a visit, of one of three rounds.
    assert note.startswith("predicted from 30 of " if at_visit else "predicted from 29 of ")
    assert open_run(tmp_path / "run").failures() == {}


def test_too_few_networks_are_a_recorded_reason(tmp_path, own_cache, with_worker):
    """All but five networks fail: every row says why it has no latency, the exit code is 1; what was measured
    is kept, and the next run measures the rest.
    """
    sweep = a_sweep(tmp_path)
    _, variants = blocks_and_networks(sweep)
    with_worker(stand_in.toy(dict.fromkeys(sorted(variants)[5:], "raises")))
    result = call("run", sweep, "--out", tmp_path / "run")
    assert result.exit_code == 1
    run = open_run(tmp_path / "run")
    ((concerned, (reason, _)),) = run.failures().items()
    assert concerned == ("", CONFIG)
    assert reason.startswith("cannot be predicted: ")
    assert f"{CONFIG}: {reason}" in result.stderr.splitlines()
    table = run.table()
    assert set(table["error"]) == {reason}
    assert table["latency_ms"].isna().all()
    before = measured_parts(own_cache)
    assert len({name for name, _, _ in before} & variants) <= 5

    with_worker(stand_in.toy())
    assert call("run", sweep, "--out", tmp_path / "run", "--retry").exit_code == 0
    assert run.failures() == {}
    assert run.table()["latency_ms"].gt(0).all()
    assert set(measured_parts(own_cache)) > set(before)


def test_blocks_that_cannot_be_had_are_measured_anew(tmp_path, own_cache, with_worker):
    """Their file is damaged: it is made anew. Another run is about them: they are measured for this one
    alone, and the other's stay as they are. The predictions are the same.
    """
    sweep = a_sweep(tmp_path)
    with_worker(stand_in.toy())
    predict(sweep, tmp_path / "first")
    (file,) = own_cache.glob("blocks-*/*/*/run.sqlite")
    parts = {name for name, _, _ in measured_parts(own_cache)}
    file.write_bytes(file.read_bytes()[:5000])
    predict(sweep, tmp_path / "second")
    assert {name for name, _, _ in measured_parts(own_cache)} == parts
    with Store.write(file.parent):
        before = file.read_bytes()
        predict(sweep, tmp_path / "third")
        assert file.read_bytes() == before
    tables = [open_run(tmp_path / name).table() for name in ("first", "second", "third")]
    for table in tables:
        assert table["latency_ms"].equals(tables[0]["latency_ms"])


def test_a_change_of_settings_predicts_anew(tmp_path, own_cache, with_worker):
    """More rounds are asked for: the cache gets the missing visits, the report is made anew."""
    with_worker(stand_in.toy())
    predict(a_sweep(tmp_path), tmp_path / "run")
    sweep = a_sweep(tmp_path, text=SWEEP.replace("rounds: 3", "rounds: 4"))
    before = measured_parts(own_cache)
    assert len(predict(sweep, tmp_path / "run")) == 2  # that the sweep has changed, and the new summary
    after = measured_parts(own_cache)
    assert set(after) > set(before)
    assert len(after) == 4 * len(before) / 3


def test_defaults_are_those_of_a_prediction(tmp_path):
    """A prediction visits its hundreds of blocks in 20 rounds of 8 ms, unless the file says otherwise."""
    text = "space: {}\nlatency: [{backend: onnxruntime, kind: predicted}]\n"
    sweep = a_sweep(tmp_path, text=text)
    (config,) = load_sweep(sweep).latency
    assert (config.rounds, config.visit_ms, config.max_blocks, config.networks) == (20, 8, 400, 24)
    (other,) = load_sweep(a_sweep(tmp_path, text=text.replace("predicted}", "predicted, rounds: 5}"))).latency
    assert (other.rounds, other.visit_ms) == (5, 8)
    assert json.loads(json.dumps(config.settings))["rounds"] == 20
