"""The order of a run: what is measured, what is not measured twice, and what happens when something fails."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import stand_in
from console import (
    call,
    contents,
    copied,
    execute,
    finish,
    query,
    refusal,
    rewritten,
    start,
    visit_count,
    visits,
    wait_until,
)

import mbsweep
from mbsweep import MbsweepError, load_sweep, open_run, pipeline
from mbsweep.base.files import read_kept
from mbsweep.latency import measured
from mbsweep.profiler import worker
from mbsweep.storage.marks import Failure, FailureKind

WORKER = worker.COMMAND
ORT, TORCH = "onnxruntime-fp32-b1-t1", "torch-fp32-b1-t1"
R160, R128, R32, R64 = (f"mobilenet_v1_w0.25_r{resolution}_d5" for resolution in (160, 128, 32, 64))
ORT_LINE = "  - {backend: onnxruntime, rounds: 3, visit_ms: 1}\n"
TORCH_ONLY = (ORT_LINE, "")
YARDSTICKS = ["yardstick 0.25-32", "yardstick 0.5-64", "yardstick 0.25-128", "yardstick 0.25-224"]
EVERY_VISIT = {(c, v, n) for c in (ORT, TORCH) for v in (R160, R128, R32) for n in range(3)}


class Told:
    """Keeps what a run tells."""

    def __init__(self):
        self.messages = []

    def say(self, message):
        """One line for the user."""
        self.messages.append(message)

    def begin(self, task, total, done=0):
        """A part of the run begins."""

    def advance(self, done, steps=1):
        """More steps are done."""

    def reach(self, standing):
        """So far the run is."""

    def note(self, words, short=""):
        """What is still open."""


class StoppedBy(Told):
    """Interrupts a run as Ctrl-C does, once it has seen so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def advance(self, done, steps=1):
        """More steps are done."""
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.fixture
def with_worker(monkeypatch):
    """Call it with a command line of `stand_in`: workers are started with that."""
    return lambda command: monkeypatch.setattr(worker, "COMMAND", command)


@pytest.fixture
def toy(with_worker):
    """Workers load no torch and make their samples up: what is told is about the order of a run."""
    with_worker(stand_in.toy())


def go_on(sweep, folder, **options):
    """Run a sweep file into a folder; return what was said, but for how sure that is on this machine."""
    told = Told()
    pipeline.run(load_sweep(sweep), folder, progress=told, **options)
    unsure = (": noisy: ", "speed changed", " intervals are as narrow as asked")
    return [said for said in told.messages if not any(words in said for words in unsure)]


def test_every_variant_is_visited_in_every_round_of_every_configuration(tiny_run):
    """3 variants x 2 configurations x 3 rounds, each of at least visit_ms, every sample kept."""
    measured = visits(tiny_run)
    assert set(measured) == EVERY_VISIT
    for _, _, samples in measured.values():
        samples_ns = np.frombuffer(samples, dtype="<i8")
        assert (samples_ns > 0).all()
        assert samples_ns.sum() >= 1_000_000  # visit_ms: 1


def test_the_yardsticks_are_visited_in_every_round_of_every_configuration(tiny_run):
    """Wherever a variant was visited, so was each yardstick, in the same round and session, and as long."""
    rounds = query(tiny_run, "SELECT DISTINCT config, round, session FROM visits")
    yardsticks = query(tiny_run, "SELECT config, round, session, yardstick, samples FROM yardsticks")
    assert len(yardsticks) == 6 * 4
    assert {row[:4] for row in yardsticks} == {(*row, name) for row in rounds for name in YARDSTICKS}
    assert all(np.frombuffer(row[4], dtype="<i8").sum() >= 1_000_000 for row in yardsticks)


def test_the_order_is_another_in_every_round(tiny_sweep, tmp_path, toy):
    """No variant is visited twice before each was visited once, and none has a fixed place."""
    sweep = rewritten(tiny_sweep, tmp_path, TORCH_ONLY, ("rounds: 3", "rounds: 8"))
    go_on(sweep, tmp_path / "run")
    rows = query(tmp_path / "run", "SELECT round, variant FROM visits ORDER BY rowid")
    rounds = [rows[place : place + 3] for place in range(0, len(rows), 3)]
    assert [{number for number, _ in visited} for visited in rounds] == [{number} for number in range(8)]
    assert all({variant for _, variant in visited} == {R160, R128, R32} for visited in rounds)
    assert len({tuple(variant for _, variant in visited) for visited in rounds}) > 1


def test_device_versions_and_sweep_text_are_stored(tiny_run, tiny_sweep):
    """The machine, the packages and the sweep file stand beside the numbers."""
    about = open_run(tiny_run).about()
    assert about["text"] == tiny_sweep.read_text(encoding="utf-8")
    assert (about["name"], about["title"]) == ("tiny", "Tiny")
    assert len(about["sessions"]) == 2  # one per configuration
    for session, runtime in zip(about["sessions"], ["onnxruntime", "torch"], strict=True):
        assert session["device"]["cores"] == len(os.sched_getaffinity(0))
        assert session["versions"]["torch"] == __import__("torch").__version__
        assert {"python", "mbsweep", "onnxruntime", "onnx", "numpy", "fvcore"} < set(session["versions"])
        version = session["versions"][runtime]
        assert session["device"]["id"].endswith(f"_{runtime}-{version}")


def test_a_second_run_measures_nothing(tiny_run, tiny_sweep, tmp_path):
    """The file of a finished run stays the same, byte for byte."""
    folder = copied(tiny_run, tmp_path)
    go_on(tiny_sweep, folder)  # the sweep's file lies elsewhere, seen from the copy: that is noted
    before = (folder / "run.sqlite").read_bytes()
    assert go_on(tiny_sweep, folder) == []
    assert (folder / "run.sqlite").read_bytes() == before


def test_more_rounds_add_only_the_missing_visits(tiny_run, tiny_sweep, tmp_path, toy):
    """From 3 to 5 rounds: rounds 3 and 4 are measured, the rows of rounds 0 to 2 stay as they are."""
    folder = copied(tiny_run, tmp_path)
    go_on(rewritten(tiny_sweep, tmp_path, ("rounds: 3", "rounds: 5")), folder)
    after = visits(folder)
    assert set(after) == {(c, v, n) for c, v, _ in EVERY_VISIT for n in range(5)}
    assert {key: after[key] for key in EVERY_VISIT} == visits(tiny_run)
    assert open_run(folder).table()["error"].isna().all()


def test_fewer_rounds_take_nothing_away(tiny_run, tiny_sweep, tmp_path):
    """From 3 rounds to 1: nothing is measured, nothing is lost."""
    folder = copied(tiny_run, tmp_path)
    go_on(rewritten(tiny_sweep, tmp_path, ("rounds: 3", "rounds: 1")), folder)
    assert visits(folder) == visits(tiny_run)


def test_another_sweep_in_a_run_is_told(tiny_run, tiny_sweep, tmp_path, toy):
    """With --out: the run is said to be of the other one until now, not this one to have changed."""
    folder = copied(tiny_run, tmp_path)
    other = rewritten(tiny_sweep, tmp_path, ("rounds: 3", "rounds: 1")).rename(tmp_path / "other.yaml")
    assert go_on(other, folder) == [
        "this run was of the sweep tiny and is of other from now on: 0 variants are new"
    ]


def test_a_changed_sweep_adds_what_is_new_and_keeps_the_rest(tiny_run, tiny_sweep, tmp_path, toy):
    """64 px instead of 32: the new variant is measured, the old one keeps its rows, and the user is told."""
    folder = copied(tiny_run, tmp_path)
    messages = go_on(rewritten(tiny_sweep, tmp_path, ("160, 128, 32", "64, 128, 160")), folder)
    assert messages == [
        "tiny has changed since the last run: 1 variants are new; 1 that it no longer names stay in the run"
    ]
    after = visits(folder)
    new = {(config, R64, number) for config in (ORT, TORCH) for number in range(3)}
    assert set(after) == EVERY_VISIT | new
    assert {key: after[key] for key in EVERY_VISIT} == visits(tiny_run)
    table = open_run(folder).table()
    assert list(table["variant"]) == [R64, R128, R160, R32] * 2  # the new order; what was left last
    assert table["error"].isna().all()


def test_what_a_sweep_no_longer_names_is_not_said_to_be_unfinished(tiny_run, tiny_sweep, tmp_path, toy):
    """What no sweep file asks for is not missing: neither a dropped variant in a new configuration nor a new
    variant in a dropped one says "run the sweep again".
    """
    folder = copied(tiny_run, tmp_path)
    sweep = rewritten(
        tiny_sweep,
        tmp_path,
        ("[160, 128, 32]", "[64]"),
        ("{backend: torch, rounds: 3", "{backend: torch, batch: 2, rounds: 3"),
    )
    go_on(sweep, folder)
    assert {key for key in visits(folder) if key not in EVERY_VISIT} == {
        (config, R64, number) for config in (ORT, "torch-fp32-b2-t1") for number in range(3)
    }
    table = open_run(folder).table()
    assert table["latency_ms"].notna().sum() == 6 + 2
    assert not table["error"].str.contains("run the sweep again").any()


PARENT = """\
import json, os, sys
import mbsweep
from mbsweep.profiler import worker
worker.COMMAND = json.loads(sys.argv[1])
before = os.sched_getaffinity(0)
mbsweep.run(mbsweep.load_sweep(sys.argv[2]), sys.argv[3])
loaded = sorted({"torch", "onnxruntime", "onnx", "openvino", "fvcore"} & set(sys.modules))
print(json.dumps([loaded, before == os.sched_getaffinity(0)]))
"""


def test_a_run_leaves_the_process_as_it_was(tiny_sweep, tmp_path):
    """It loads no runtime, so sets no threads and flushes no denormals, and stays on its cores: all that is
    for its workers.
    """
    core = max(os.sched_getaffinity(0))
    sweep = rewritten(tiny_sweep, tmp_path, ("visit_ms: 1", f"visit_ms: 1, cpus: [{core}]"))
    command = [sys.executable, "-c", PARENT, json.dumps(stand_in.toy()), sweep, tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "[[], true]\n")
    assert len(visits(tmp_path / "run")) == 18


# -- failures -------------------------------------------------------------------------------------------

SPOILS = [  # a resolution that no yardstick has, its fault, and what the reason begins with
    (112, "raises", "RuntimeError: no kernel for this network"),
    (96, "wrong_by_a_percent", "ValueError: output differs from eager PyTorch by 0.01 of the largest logit"),
    (72, "not_a_number", "ValueError: output differs from eager PyTorch by nan of the largest logit"),
    (48, "infinite", "ValueError: output differs from eager PyTorch by inf of the largest logit"),
    (40, "of_another_shape", "ValueError: output has the shape (1, 999); eager PyTorch gives (1, 1000)"),
]


@pytest.fixture(scope="module")
def spoiled_run(tiny_sweep, tmp_path_factory):
    """A run of seven networks in two runtimes, in one of which five go wrong; and what was said."""
    folder = tmp_path_factory.mktemp("spoiled")
    sweep = rewritten(tiny_sweep, folder, ("[160, 128, 32]", "[160, 112, 96, 72, 48, 40, 32]"))
    spoils = {resolution: fault for resolution, fault, _ in SPOILS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "COMMAND", stand_in.spoiled("torch", spoils))
        return folder / "run", go_on(sweep, folder / "run")


@pytest.mark.parametrize(("resolution", "fault", "reason"), SPOILS, ids=[fault for _, fault, _ in SPOILS])
def test_a_network_that_runs_wrong_or_not_at_all_is_recorded(resolution, fault, reason, spoiled_run):
    """It fails in one of two runtimes: its row there says why, the user is told; in the other it is timed."""
    folder, messages = spoiled_run
    failed = f"mobilenet_v1_w0.25_r{resolution}_d5"
    recorded = open_run(folder).failures()[failed, TORCH].reason
    assert recorded.startswith(reason)
    assert f"{failed} failed in {TORCH}: {recorded}" in messages
    table = open_run(folder).table().set_index(["backend", "variant"])
    assert table.loc[("torch", failed), "error"] == recorded
    assert np.isnan(table.loc[("torch", failed), "latency_ms"])
    assert table.loc[("onnxruntime", failed), "latency_ms"] > 0


def test_when_networks_fail_the_others_go_on(spoiled_run):
    """Five of seven fail in one runtime: the other two, and all seven in the other runtime, are complete."""
    folder, messages = spoiled_run
    failed = {(f"mobilenet_v1_w0.25_r{resolution}_d5", TORCH) for resolution, _, _ in SPOILS}
    failures = open_run(folder).failures()
    assert set(failures) == failed
    # What gives a wrong output would give it again; whether a runtime raises again nobody knows.
    kinds = {key[0]: why.kind for key, why in failures.items()}
    assert kinds.pop("mobilenet_v1_w0.25_r112_d5") is FailureKind.PASSING
    assert set(kinds.values()) == {FailureKind.LASTING}
    assert len(messages) == 5
    table = open_run(folder).table()
    assert len(table) == 14
    assert table["error"].isna().sum() == 9
    assert set(visits(folder)) == {
        (config, variant, number)
        for config, variant in zip(table["config"], table["variant"], strict=True)
        if (variant, config) not in failed
        for number in range(3)
    }


def test_a_runtime_that_crashes_costs_one_variant(tiny_sweep, tmp_path, with_worker):
    """A segmentation fault in one network in one runtime: its row says so, the others are complete, the exit
    code is 1, and --retry measures what is missing.
    """
    folder = tmp_path / "run"
    with_worker(stand_in.spoiled("torch", {128: "segfault"}))
    result = call("run", tiny_sweep, "--out", folder)
    assert result.exit_code == 1
    assert f"  {R128} in {TORCH}: the runtime's process ended: SIGSEGV" in result.stderr
    assert set(open_run(folder).failures()) == {(R128, TORCH)}
    before = visits(folder)
    assert set(before) == {key for key in EVERY_VISIT if key[:2] != (TORCH, R128)}
    table = open_run(folder).table().set_index(["backend", "variant"])
    assert table.loc[("torch", R128), "error"].startswith("the runtime's process ended: SIGSEGV")
    assert np.isnan(table.loc[("torch", R128), "latency_ms"])
    assert table.drop(index=("torch", R128))["error"].isna().all()

    with_worker(WORKER)
    assert call("run", tiny_sweep, "--out", folder, "--retry").exit_code == 0
    after = visits(folder)
    assert set(after) == EVERY_VISIT
    assert {key: after[key] for key in before} == before
    assert open_run(folder).table()["error"].isna().all()


def test_what_failed_is_tried_again_only_when_told(tiny_sweep, tmp_path, with_worker):
    """Exit code 1 and the reason, also when nothing is left to do; --retry measures what is missing."""
    folder, log = tmp_path / "run", tmp_path / "log"
    sweep = rewritten(tiny_sweep, tmp_path, TORCH_ONLY)
    words = ["run", sweep, "--out", folder]
    with_worker(stand_in.toy({R128: "raises"}, log=log))
    first = call(*words)
    assert first.exit_code == 1
    again = f"mbsweep run {sweep} --out {folder} --retry"
    assert f"1 failed; `{again}` tries them again:" in first.stderr.splitlines()
    assert f"  {R128} in {TORCH}: RuntimeError: no kernel for this network" in first.stderr.splitlines()
    prepared = [*YARDSTICKS, R160, R128, R32]
    assert log.read_text().splitlines() == prepared
    before = visits(folder)

    second = call(*words)
    assert second.exit_code == 1
    assert "RuntimeError: no kernel for this network" in second.stderr
    assert log.read_text().splitlines() == prepared
    assert visits(folder) == before

    with_worker(stand_in.toy(log=log))
    third = call(*again.split()[1:])
    assert third.exit_code == 0
    assert log.read_text().splitlines() == [*prepared, *YARDSTICKS, R128]
    after = visits(folder)
    assert set(after) == {key for key in EVERY_VISIT if key[0] == TORCH}
    assert {key: after[key] for key in before} == before
    assert open_run(folder).table()["error"].isna().all()


def test_no_other_try_is_advised_where_none_can_help(tiny_run, tiny_sweep, tmp_path):
    """A wrong output comes again, a process that was killed may not: each is listed under its own head."""
    folder = copied(tiny_run, tmp_path)
    wrong = "ValueError: output has the shape (1, 999); eager PyTorch gives (1, 1000)"
    killed = "the runtime's process ended: SIGKILL (out of memory?)"
    for variant, reason, kind in ((R128, wrong, "lasting"), (R160, killed, "passing")):
        execute(folder, "INSERT INTO failures VALUES (?, ?, ?, '', ?)", [variant, TORCH, reason, kind])
    assert call("run", tiny_sweep, "--out", folder).stderr.splitlines() == [
        f"1 failed; `mbsweep run {tiny_sweep} --out {folder} --retry` tries them again:",
        f"  {R160} in {TORCH}: {killed}",
        "1 failed; they would fail again:",
        f"  {R128} in {TORCH}: {wrong}",
    ]


LATE = [
    ("raises", "RuntimeError: no kernel for this network"),
    ("killed", "the runtime's process ended: SIGKILL (out of memory?)"),
]


@pytest.mark.parametrize(("fault", "reason"), LATE, ids=[fault for fault, _ in LATE])
def test_a_call_that_fails_in_a_later_round_keeps_what_it_gave(
    fault, reason, tiny_sweep, tmp_path, with_worker
):
    """A network dies, or its process does, in its third visit: the two before it stay, beside the reason; no
    other is touched.
    """
    with_worker(stand_in.toy({R128: fault}, at_visit=3))
    go_on(rewritten(tiny_sweep, tmp_path, TORCH_ONLY), tmp_path / "run")
    assert set(visits(tmp_path / "run")) == {
        key for key in EVERY_VISIT if key[0] == TORCH and key != (TORCH, R128, 2)
    }
    row = open_run(tmp_path / "run").table().set_index("variant").loc[R128]
    assert row["error"] == reason
    assert row["latency_ms"] == 1.0
    assert set(open_run(tmp_path / "run").failures()) == {(R128, TORCH)}


ONE, ALL = YARDSTICKS[1:2], YARDSTICKS


@pytest.mark.parametrize(("failing", "at_visit"), [(ONE, 0), (ONE, 2), (ALL, 0), (ALL, 1)])
@pytest.mark.parametrize("fault", ["raises", "segfault"])
def test_a_yardstick_that_fails_costs_no_variant(fault, failing, at_visit, tiny_sweep, tmp_path, with_worker):
    """Drift is told without it, or without any, which is said once of each; every variant is measured, none
    has an error.
    """
    with_worker(stand_in.toy(dict.fromkeys(failing, fault), at_visit=at_visit))
    messages = go_on(rewritten(tiny_sweep, tmp_path, TORCH_ONLY), tmp_path / "run")
    assert sorted(message.partition(": ")[2].partition(": ")[0] for message in messages) == [
        f"{name} failed, and drift is told without it" for name in sorted(failing)
    ]
    assert all(message.startswith(f"{TORCH}: ") for message in messages)
    assert set(visits(tmp_path / "run")) == {key for key in EVERY_VISIT if key[0] == TORCH}
    table = open_run(tmp_path / "run").table()
    assert table["error"].isna().all()
    assert (table["latency_ms"] == 1.0).all()


def test_a_network_that_does_not_fit_is_recorded_and_the_others_go_on(tmp_path):
    """549 GB of activations (2048 x 2048 x 32768 x 4 bytes): refused before anything is allocated."""
    sweep = tmp_path / "huge.yaml"
    sweep.write_text(
        "variants:\n"
        "  - {width: 4, resolution: 4096, block: standard, stage_channels: [8192, 8192, 8192, 8192, 8192]}\n"
        "  - {width: 0.25, resolution: 32}\n"
        "latency:\n"
        "  - {backend: torch, rounds: 2, visit_ms: 1}\n"
        "  - {backend: torch, batch: 2, rounds: 2, visit_ms: 1}\n",
        encoding="utf-8",
    )
    result = call("run", sweep, "--out", tmp_path / "run")
    assert result.exit_code == 1
    huge = "mobilenet_v1_w4.0_r4096_d5_standard_c8192-8192-8192-8192-8192"
    failures = open_run(tmp_path / "run").failures()
    assert set(failures) == {(huge, TORCH), (huge, "torch-fp32-b2-t1")}
    assert all(why.reason.startswith("MemoryError: needs about ") for why in failures.values())
    table = open_run(tmp_path / "run").table()
    one, two = (why.words for why in failures.values())
    assert list(table["error"].fillna("")) == [one, "", two, ""]
    assert set(visits(tmp_path / "run")) == {
        (config, R32, number) for config in (TORCH, "torch-fp32-b2-t1") for number in range(2)
    }


def test_a_network_with_other_counts_than_its_variant_is_an_error(tiny_sweep, tmp_path, with_worker):
    """One variant is built as another network: it fails in every configuration, and is never timed."""
    with_worker(stand_in.spoiled("torch", {}, wrong_network=128))
    go_on(tiny_sweep, tmp_path / "run")
    failures = open_run(tmp_path / "run").failures()
    assert set(failures) == {(R128, ORT), (R128, TORCH)}
    assert {
        why.reason for why in failures.values()
    } == {  # the given variant is 0.25-128, the built one 0.35-128
        f"CountMismatchError: {R128}: closed form gives 470072 params and 13570048 mult-adds, "
        f"the built network 763752 and fvcore 26497472"
    }
    assert {why.kind for why in failures.values()} == {FailureKind.LASTING}
    assert set(visits(tmp_path / "run")) == {key for key in EVERY_VISIT if key[1] != R128}
    table = open_run(tmp_path / "run").table().set_index("variant")
    assert table.loc[R128, "latency_ms"].isna().all()
    assert table.loc[R128, "error"].notna().all()
    with_worker(WORKER)
    assert call("run", tiny_sweep, "--out", tmp_path / "run", "--retry").exit_code == 0
    assert set(visits(tmp_path / "run")) == EVERY_VISIT


# -- how much is measured -------------------------------------------------------------------------------


def _adaptive(tmp_path, target_pct, rounds=40):
    """A sweep of three variants in one configuration that says when a variant is done."""
    sweep = tmp_path / "adaptive.yaml"
    sweep.write_text(
        "space: {width: 0.25, resolution: [160, 128, 32]}\n"
        f"latency: [{{backend: torch, rounds: {rounds}, visit_ms: 1, target_pct: {target_pct}}}]\n",
        encoding="utf-8",
    )
    return sweep


def _visits_of(folder):
    """Variant -> the rounds in which it was visited."""
    found = {}
    for _, variant, number in sorted(visits(folder)):
        found.setdefault(variant, []).append(number)
    return found


def _each_in_rounds(count):
    return {variant: list(range(count)) for variant in (R160, R128, R32)}


NOISE = dict.fromkeys([R160, R128, R32, *YARDSTICKS], 8)  # percent


def test_a_wide_target_ends_a_variant_early(tmp_path, with_worker):
    """With 100 % allowed, twelve visits of forty are enough, the fewest that have an interval: no error."""
    with_worker(stand_in.toy(spread_pct=NOISE))
    go_on(_adaptive(tmp_path, 100), tmp_path / "run")
    assert _visits_of(tmp_path / "run") == _each_in_rounds(12)
    table = open_run(tmp_path / "run").table()
    assert (table["latency_visits"] == 12).all()
    assert table[["error", "latency_note"]].isna().all(axis=None)


def test_a_narrow_target_spends_the_budget_and_says_so(tmp_path, with_worker):
    """With 0.001 % asked for, all rounds are used, and the row says how wide its interval is: no error."""
    with_worker(stand_in.toy(spread_pct=NOISE))
    go_on(_adaptive(tmp_path, 0.001, rounds=23), tmp_path / "run")
    assert _visits_of(tmp_path / "run") == _each_in_rounds(23)
    table = open_run(tmp_path / "run").table()
    assert (table["latency_visits"] == 23).all()
    assert table["error"].isna().all()
    assert (
        table["latency_note"]
        .str.fullmatch(r"95 % interval \d+\.\d % wide, 0.001 % asked: the budget was spent")
        .all()
    )
    assert go_on(_adaptive(tmp_path, 0.001, rounds=23), tmp_path / "run") == []
    assert len(visits(tmp_path / "run")) == 3 * 23


def test_each_variant_is_visited_as_often_as_it_needs(tmp_path, with_worker):
    """One network is steady, two are not: it stops after twelve visits, they go on; the yardsticks, too."""
    with_worker(stand_in.toy(spread_pct={R160: 8, R32: 8}))
    go_on(_adaptive(tmp_path, 0.5), tmp_path / "run")
    found = _visits_of(tmp_path / "run")
    assert found == {R128: list(range(12)), R160: list(range(40)), R32: list(range(40))}
    yardsticks = set(query(tmp_path / "run", "SELECT yardstick, round FROM yardsticks"))
    assert yardsticks == {(name, number) for name in YARDSTICKS for number in range(40)}


@pytest.mark.parametrize("steps", [10, 37, 42, 43, 50, 80])
def test_an_interrupted_adaptive_run_measures_nothing_twice(steps, tmp_path, with_worker):
    """Stopped at any point, it goes on to what it would have been: no visit is lost, none is made again."""
    folder = tmp_path / "run"
    with_worker(stand_in.toy(spread_pct={R160: 8, R32: 8}))
    sweep = _adaptive(tmp_path, 0.5)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(load_sweep(sweep), folder, progress=StoppedBy(steps))
    before = visits(folder)
    assert 0 < len(before) < 92
    go_on(sweep, folder)
    after = visits(folder)
    assert after.items() >= before.items()
    assert _visits_of(folder) == {R128: list(range(12)), R160: list(range(40)), R32: list(range(40))}
    rounds = set(query(folder, "SELECT config, round, session FROM visits"))
    for name in YARDSTICKS:
        sql = f"SELECT config, round, session FROM yardsticks WHERE yardstick = '{name}'"  # noqa: S608
        # The round in which it was stopped may have ended before its yardsticks' turn.
        assert len(rounds - set(query(folder, sql))) <= 1
    assert open_run(folder).table()["error"].isna().all()
    whole = contents(folder)
    assert go_on(sweep, folder) == []
    assert contents(folder) == whole


def test_a_narrower_target_goes_on(tmp_path, with_worker):
    """A finished run is asked for more: each variant keeps its visits and gets the next ones."""
    folder = tmp_path / "run"
    with_worker(stand_in.toy(spread_pct=NOISE))
    go_on(_adaptive(tmp_path, 100), folder)
    before = visits(folder)
    go_on(_adaptive(tmp_path, 0.001, rounds=20), folder)
    assert visits(folder).items() >= before.items()
    assert _visits_of(folder) == _each_in_rounds(20)


def test_what_is_noisy_is_measured_again_in_the_same_run(tmp_path, with_worker):
    """`--again noisy`: of three networks one is unsteady, and it alone is visited anew; by its name, all are.

    The visits of before are kept. What is no configuration is refused, with the names that are.
    """
    folder, sweep = tmp_path / "run", _adaptive(tmp_path, 2, rounds=14)
    with_worker(stand_in.toy(spread_pct={R160: 8}))
    go_on(sweep, folder)
    first = visits(folder)
    again = call("run", sweep, "--out", folder, "--again", "noisy")
    assert f"{TORCH}: 1 of 3 are measured again\n" in again.stderr
    second = visits(folder)
    assert first.keys() == second.keys()
    changed = {key for key in first if first[key] != second[key]}
    assert changed == {(TORCH, R160, number) for number in range(14)}
    assert query(folder, "SELECT name, count(*) FROM old_visits GROUP BY 1") == [(R160, 14)]

    again = call("run", sweep, "--out", folder, "--again", TORCH)
    assert f"{TORCH}: 3 of 3 are measured again\n" in again.stderr
    assert all(row != second[key] for key, row in visits(folder).items())
    assert open_run(folder).table()["error"].isna().all()

    before = contents(folder)
    assert refusal(call("run", sweep, "--out", folder, "--again", "noise")) == (
        f"--again is 'noise'; expected noisy or {TORCH}; did you mean 'noisy'?"
    )
    assert contents(folder) == before


def test_what_is_settled_stays_settled(tmp_path, with_worker):
    """Forty networks, each as noisy as the machine: when the run has ended, no row asks for another, although
    the yardsticks' later visits have changed what is known of the drift at the last ones.
    """
    names = [f"mobilenet_v1_w0.25_r{resolution}_d5" for resolution in range(32, 72)]
    yardsticks = ["yardstick 0.25-32", "yardstick 0.25-64 shallow", "yardstick 0.5-32", "yardstick 0.25-64"]
    with_worker(stand_in.toy(spread_pct=dict.fromkeys([*names, *yardsticks], 4)))
    sweep = tmp_path / "many.yaml"
    sweep.write_text(
        "space: {width: 0.25, resolution: {from: 32, to: 71, step: 1}}\n"
        "latency: [{backend: torch, rounds: 60, target_pct: 2}]\n",
        encoding="utf-8",
    )
    go_on(sweep, tmp_path / "run")
    table = open_run(tmp_path / "run").table()
    assert table["latency_visits"].nunique() > 2  # they took different numbers of visits
    assert table["error"].isna().all()
    whole = contents(tmp_path / "run")
    go_on(sweep, tmp_path / "run")
    assert contents(tmp_path / "run") == whole


def test_a_run_calibrates_its_device(tmp_path, own_cache, with_worker):
    """Where the yardsticks of this device and runtime are kept; the next run, into another folder, 40 %
    slower, is told as it is, with a word on stderr, beside each latency, on the page and where it is
    compared; 10 % slower, it is told at the kept speed.
    """
    sweep = _adaptive(tmp_path, 100)
    told = {}
    for pace in (1, 1.4, 1.1):
        with_worker(stand_in.toy(pace=pace))
        result = call("run", sweep, "--out", tmp_path / f"run{pace}")
        assert result.exit_code == 0, result.output
        table = open_run(tmp_path / f"run{pace}").table()
        (note,) = table["latency_note"].unique()
        told[pace] = (table["latency_ms"].tolist(), note, "calibrated" in result.stderr)
    remark = (
        "the machine was 40% slower than when its yardsticks were calibrated: latencies are those of then"
    )
    assert told == {
        1: (pytest.approx([1] * 3), None, False),
        1.4: (pytest.approx([1.4] * 3), remark, True),
        1.1: (pytest.approx([1] * 3), None, False),
    }
    page = tmp_path / "html" / "run1.4.html"
    assert call("report", tmp_path / "run1.4", "--html", tmp_path / "html").exit_code == 0
    assert f"<li>{TORCH}: {remark}.</li>" in page.read_text(encoding="utf-8")
    compared = call("compare", tmp_path / "run1", tmp_path / "run1.4").stdout
    assert f"of B: {remark}" in compared
    assert "of A: " not in compared
    (file,) = (path for path in (own_cache / "yardsticks").rglob("*") if path.is_file())
    (device,) = set(table["device_id"])
    assert file == own_cache / "yardsticks" / device / f"{TORCH}.json"
    assert json.loads(read_kept(file)) == dict.fromkeys(YARDSTICKS, 1_000_000)


# -- machines -------------------------------------------------------------------------------------------

ELSEWHERE = [
    ("device", "processor", "Cray-1"),
    ("device", "cores", 999),
    ("device", "machine", "pdp11"),
    ("versions", "torch", "1.0.0"),
    ("versions", "onnxruntime", "1.0.0"),
]


@pytest.mark.parametrize(("part", "name", "value"), ELSEWHERE)
def test_two_machines_or_runtimes_do_not_mix(part, name, value, tiny_run, tiny_sweep, tmp_path):
    """A run measured elsewhere is refused with both values, and left as it is."""
    folder = copied(tiny_run, tmp_path)
    stored = query(folder, f"SELECT {part} FROM sessions")[-1][0]  # noqa: S608
    here = json.loads(stored)[name]
    execute(folder, f"UPDATE sessions SET {part} = ?", [json.dumps(json.loads(stored) | {name: value})])  # noqa: S608
    before = (folder / "run.sqlite").read_bytes()
    more = rewritten(tiny_sweep, tmp_path, ("rounds: 3", "rounds: 4"))
    assert refusal(call("run", more, "--out", folder)) == (
        f"{folder} was measured with {name} {value!r}, and here it is {here!r}; "
        "choose another --out, so that the two do not mix"
    )
    assert (folder / "run.sqlite").read_bytes() == before


def test_more_threads_than_cores_are_refused(tiny_sweep, tmp_path):
    """1024 threads (the most that a file may say) are refused with the line, before anything is made."""
    sweep = rewritten(tiny_sweep, tmp_path, ("{backend: torch,", "{backend: torch, threads: 1024,"))
    cores = len(os.sched_getaffinity(0))
    assert refusal(call("run", sweep, "--out", tmp_path / "run")) == (
        f"{sweep}:8: latency[1].threads is 1024; this process may use {cores} cores"
    )
    assert not (tmp_path / "run").exists()


CORES = sorted(os.sched_getaffinity(0))
PINNED = [  # more settings of the second configuration, and why they are refused
    ("cpus: [4095]", f"cpus names core 4095; this process may use {CORES}"),
    (f"cpus: [{CORES[0]}, 4094]", f"cpus names core 4094; this process may use {CORES}"),
    (f"cpus: [{CORES[0]}], threads: 2", "threads is 2; `cpus` names 1"),
]


@pytest.mark.parametrize(("more", "message"), PINNED)
def test_cores_that_are_not_there_are_refused(more, message, tiny_sweep, tmp_path):
    """Of `cpus` that this process may not use, or fewer than the threads: refused before anything is made."""
    sweep = rewritten(tiny_sweep, tmp_path, ("{backend: torch,", f"{{backend: torch, {more},"))
    refused = refusal(call("run", sweep, "--out", tmp_path / "run"))
    assert refused == f"{sweep}:8: latency[1].{message}"
    assert not (tmp_path / "run").exists()


def test_threads_are_what_the_file_says(tiny_sweep, tmp_path, with_worker):
    """A runtime with more threads at work than `threads` fails for that, with the number, however few cores
    are left to them; others go on.
    """
    with_worker(stand_in.spoiled("torch", {128: "spins"}))
    folder = tmp_path / "run"
    go_on(rewritten(tiny_sweep, tmp_path, TORCH_ONLY), folder)
    ((failed, (reason, kind)),) = open_run(folder).failures().items()
    assert kind is FailureKind.PASSING
    assert failed == (R128, TORCH)
    said = re.fullmatch(r"RuntimeError: torch had (\d+\.\d) threads at work, with threads: 1", reason)
    assert 1.5 < float(said[1]) <= 34
    assert set(visits(folder)) == {key for key in EVERY_VISIT if key[0] == TORCH and key[1] != R128}


def test_a_configuration_without_its_device_is_skipped(tiny_sweep, tmp_path, monkeypatch):
    """No CUDA device here: the configuration is skipped with a word, its rows say so, others are measured.
    Where the device appears, it is measured without --retry.
    """
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    folder, skipped = tmp_path / "run", "torch-fp32-b1-t1-cuda"
    sweep = rewritten(
        tiny_sweep,
        tmp_path,
        ("{backend: onnxruntime, rounds: 3", "{backend: torch, device: cuda, rounds: 3"),
    )
    result = call("run", sweep, "--out", folder)
    assert result.exit_code == 0
    reason = "skipped: no CUDA device on this machine"
    assert [line for line in result.stderr.splitlines() if "CUDA" in line] == [f"{skipped}: {reason}"]
    assert open_run(folder).failures() == {}
    assert open_run(folder).skipped() == {
        skipped: Failure("no CUDA device on this machine", FailureKind.SKIPPED)
    }
    assert set(visits(folder)) == {key for key in EVERY_VISIT if key[0] == TORCH}
    table = open_run(folder).table().set_index("config")
    assert (table.loc[skipped, "error"] == reason).all()
    assert table.loc[skipped, "latency_ms"].isna().all()
    assert table.loc[TORCH, "error"].isna().all()

    monkeypatch.setattr(worker, "COMMAND", stand_in.toy())  # it has whatever is asked for
    assert call("run", sweep, "--out", folder).exit_code == 0
    assert {key for key in visits(folder) if key[0] == skipped} == {
        (skipped, variant, number) for variant in (R160, R128, R32) for number in range(3)
    }
    assert open_run(folder).table()["error"].isna().all()


def test_a_run_without_a_folder_lies_under_runs(tmp_path, monkeypatch):
    """`mbsweep run some/name.yaml` writes runs/name, here of a sweep that times nothing."""
    monkeypatch.chdir(tmp_path)
    sweep = tmp_path / "elsewhere" / "counted.yaml"
    sweep.parent.mkdir()
    sweep.write_text("space: {width: [0.25, 0.5]}\n", encoding="utf-8")
    done = mbsweep.run(load_sweep(sweep))
    assert str(done.path) == "runs/counted"
    assert len(open_run("runs/counted").table()) == 2


def test_the_python_api_raises_what_the_command_line_says(tiny_sweep, tmp_path):
    """`mbsweep.run` refuses by MbsweepError, with the same words."""
    (tmp_path / "foreign.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(MbsweepError, match="is not empty and holds no mbsweep run; choose another --out"):
        mbsweep.run(load_sweep(tiny_sweep), tmp_path)


# -- processes ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_sweep(tiny_sweep, tmp_path_factory):
    """About ten seconds of visits, of one network."""
    folder = tmp_path_factory.mktemp("long")
    budget = "rounds: 2000, target_pct: 0.000001"
    return rewritten(tiny_sweep, folder, ("[160, 128, 32]", "[32]"), ("rounds: 3", budget))


def children(pid):
    """Processes that a process has started and that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == pid and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def test_ctrl_c_ends_a_run_within_seconds_and_loses_nothing(long_sweep, tmp_path):
    """SIGINT while visits are made: exit code 130, advice on stderr, every visit stays, the run goes on."""
    folder = tmp_path / "run"
    process = start("run", long_sweep, "--out", folder)
    wait_until(lambda: visit_count(folder) >= 20, process)
    before, workers = visits(folder), children(process.pid)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process, timeout_s=10)
    assert (code, out) == (130, "")
    assert err.endswith(
        "\nstopped; what was measured and trained is kept: run the same command again to go on\n"
    )
    assert "Traceback" not in err
    assert len(workers) == 1
    assert not Path(f"/proc/{workers[0]}").exists()
    stopped = visits(folder)
    assert stopped.items() >= before.items()
    assert sorted(contents(folder)) == ["lock", "run.sqlite"]

    more = len(stopped) + 10
    loaded = stand_in.Loaded()
    again = loaded.start("run", long_sweep, "--out", folder)
    wait_until(lambda: visit_count(folder) >= more, again)
    os.kill(again.pid, signal.SIGINT)
    assert again.wait() == 130
    loaded.close()
    assert visits(folder).items() >= stopped.items()


def maps(pid, library):
    """Whether a process has loaded a shared library."""
    try:
        return library in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


LIBRARIES = ["multiarray_umath", "libtorch_cpu.so", "libtorch_python.so", "onnx_cpp2py"]  # as they are loaded


@pytest.mark.parametrize("library", LIBRARIES)
def test_ctrl_c_ends_a_run_that_is_still_loading(library, long_sweep, tmp_path):
    """SIGINT while NumPy is loaded, or the worker loads the runtimes or prepares networks: the same words,
    130 in a shell, and the worker has ended, too.
    """
    process = start("run", long_sweep, "--out", tmp_path / "run")
    is_ours = library == "multiarray_umath"
    wait_until(
        lambda: any(maps(pid, library) for pid in ([process.pid] if is_ours else children(process.pid))),
        process,
    )
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process, timeout_s=10)
    assert "Traceback" not in err
    # Interrupted within an import, Python may end itself by the signal: shells call that 130, too.
    assert code in (130, -signal.SIGINT)
    assert out == ""
    assert err.endswith(
        "\nstopped; what was measured and trained is kept: run the same command again to go on\n"
    )
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_second_run_into_the_same_folder_is_refused_and_the_first_goes_on(tiny_sweep, tmp_path):
    """Two commands at once: one message that names the first process; reading beside it is allowed."""
    folder = tmp_path / "run"
    sweep = rewritten(
        tiny_sweep, tmp_path, TORCH_ONLY, ("[160, 128, 32]", "[32]"), ("rounds: 3", "rounds: 9")
    )
    waiting = stand_in.toy(until=tmp_path / "go_on")
    first = stand_in.start(waiting, "run", sweep, "--out", folder)
    wait_until(lambda: visit_count(folder) >= 5, first)
    assert refusal(finish(start("run", sweep, "--out", folder))) == (
        f"{folder} is in use by another mbsweep run (process {first.pid}); wait for it or choose --out"
    )
    assert first.poll() is None
    assert call("table", folder).exit_code == 0
    assert call("plan", sweep, "--out", folder).exit_code == 0
    (tmp_path / "go_on").touch()
    code, _, err = finish(first)
    assert code == 0, err
    assert set(visits(folder)) == {(TORCH, R32, number) for number in range(9)}


def _int8(tmp_path, sizes):
    sweep = tmp_path / "int8.yaml"
    sweep.write_text(
        f"space: {{width: 0.25, resolution: {sizes}}}\n"
        "latency: [{backend: onnxruntime, precision: int8, rounds: 2, visit_ms: 1}]\n",
        encoding="utf-8",
    )
    return sweep


def test_how_int8_weights_were_held_is_told_and_the_run_keeps_to_it(tmp_path, with_worker, monkeypatch):
    """In each row's note, in the device; a run that goes on tells its worker, and never mixes two ways."""
    folder = tmp_path / "run"
    with_worker(stand_in.toy(weights="7-bit weights"))
    go_on(_int8(tmp_path, [32]), folder)
    with_worker(stand_in.toy(weights="8-bit weights"))  # what it would choose if it were not told
    go_on(_int8(tmp_path, [32, 64]), folder)
    table = open_run(folder).table()
    said = (
        "int8 with 7-bit weights (-63 to 63), the fastest that onnxruntime calculates right on this processor"
    )
    assert table["latency_note"].str.contains(said, regex=False).tolist() == [True, True]
    assert table["device_id"].str.endswith("_7-bit-weights").tolist() == [True, True]

    monkeypatch.setattr(
        measured, "kept_weights", lambda sessions, backend: ""
    )  # as if it were not right any more
    with pytest.raises(
        MbsweepError, match=r"with onnxruntime int8 '7-bit .*, and here it is '8-bit weights'"
    ):
        go_on(_int8(tmp_path, [32, 64, 96]), folder)
    assert visit_count(folder) == 4
