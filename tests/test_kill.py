"""A run that is killed again and again ends with the same rows as one that was left alone."""

import os
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import pytest
import stand_in
from brightness import LARGE, SMALL, on_cores, sweep_text
from console import contents, finish, query, start, visit_count, visits, wait_until

from mbsweep import MbsweepError, open_run

ROUNDS = 30
SWEEP = f"""\
space: {{width: [0.25], resolution: [32, 33]}}
latency:
  - {{backend: onnxruntime, rounds: {ROUNDS}, visit_ms: 0.5, target_pct: 0.000001}}
  - {{backend: torch, rounds: {ROUNDS}, visit_ms: 0.5, target_pct: 0.000001}}
"""
CONFIGS = ["onnxruntime-fp32-b1-t1", "torch-fp32-b1-t1"]
VARIANTS = ["mobilenet_v1_w0.25_r32_d5", "mobilenet_v1_w0.25_r33_d5"]
EVERY_VISIT = {
    (config, variant, number) for config in CONFIGS for variant in VARIANTS for number in range(ROUNDS)
}
EARLY_KILLS = 4  # before the first visit of their process: while packages are loaded or networks are prepared
LATE_KILLS = 16  # after it has made some
# Twenty starts of torch would take a minute, and where the run is when it is killed does not depend on them.
TOY = stand_in.toy(visit_s=0.008, spread_pct=dict.fromkeys(VARIANTS, 8))


def recovered(folder):
    """Open a killed run's file for writing, which undoes a commit that was cut short; has the run begun?"""
    with closing(sqlite3.connect(folder / "run.sqlite")) as connection:
        try:
            return connection.execute("SELECT count(*) FROM sweeps").fetchone()[0] > 0
        except sqlite3.OperationalError:  # killed before the tables were made
            return False


def test_a_run_killed_at_twenty_random_moments_measures_everything_once(tmp_path):
    """SIGKILL, twenty times, mostly while visits are made: at the end every visit is there once. What was
    there after any of the kills is there unchanged: nothing was measured twice, and each state can be read.
    """
    rng = random.Random(20)
    sweep, folder = tmp_path / "killed.yaml", tmp_path / "run"
    sweep.write_text(SWEEP, encoding="utf-8")
    command = [TOY, "run", sweep, "--out", folder]
    moments = ["early"] * EARLY_KILLS + ["late"] * LATE_KILLS
    rng.shuffle(moments)
    # In each of 17 equal parts of the visits, but the last, one kill at a random place.
    places = (len(EVERY_VISIT) * (place + rng.random()) / 17 for place in range(LATE_KILLS))
    kept, states, unreadable = {}, [], []
    loaded = stand_in.Loaded(TOY)
    for kill, moment in enumerate(moments):
        if moment == "early":
            process = stand_in.start(*command)
            time.sleep(rng.uniform(0.1, 0.7))
            process.send_signal(signal.SIGKILL)
            assert finish(process)[0] == -signal.SIGKILL
        else:
            process = loaded.start(*command[1:])
            target = max(next(places), len(kept) + 1)
            wait_until(lambda target=target: visit_count(folder) >= target, process)
            time.sleep(rng.uniform(0, 0.02))
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        if not (folder / "run.sqlite").exists():
            continue
        # A copy is looked at: to open a file may put it right.
        copy = tmp_path / f"killed_{kill}"
        shutil.copytree(folder, copy)
        try:
            states.append(open_run(copy).table()["latency_samples"].fillna(0).sum())
        except MbsweepError as error:
            unreadable.append(f"after kill {kill}: {error}")
        if not recovered(copy):
            unreadable.clear()  # there was nothing yet to be read
            continue
        found = visits(copy)
        assert found.items() >= kept.items()
        kept = found

    assert set(kept) < EVERY_VISIT
    assert loaded.start(*command[1:]).wait() == 0
    loaded.close()
    after = visits(folder)
    assert set(after) == EVERY_VISIT
    assert after.items() >= kept.items()
    assert len({row[0] for row in after.values()}) > LATE_KILLS  # sessions that measured something
    assert open_run(folder).table()["error"].isna().all()
    rounds = set(query(folder, "SELECT config, round, session FROM visits"))
    names = [name for (name,) in query(folder, "SELECT DISTINCT yardstick FROM yardsticks")]
    assert len(names) == 4
    for name in names:
        sql = f"SELECT config, round, session FROM yardsticks WHERE yardstick = '{name}'"  # noqa: S608
        # The round in which a run was killed may have ended before its yardsticks' turn.
        assert len(rounds - set(query(folder, sql))) <= LATE_KILLS
    assert sorted(contents(folder)) == ["lock", "run.sqlite"]
    assert unreadable == []
    assert states == sorted(states)


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_a_killed_run_of_a_real_runtime_goes_on_at_once(backend, tmp_path):
    """SIGKILL among the visits of a real runtime: the next run does not wait for the worker that is left,
    finds every visit, and ends with all of them.
    """
    sweep, folder = tmp_path / "killed.yaml", tmp_path / "run"
    sweep.write_text(
        "space: {width: 0.25, resolution: [32, 33]}\n"
        f"latency: [{{backend: {backend}, rounds: 12, visit_ms: 0.5, target_pct: 0.000001}}]\n",
        encoding="utf-8",
    )
    loaded = stand_in.Loaded()
    process = loaded.start("run", sweep, "--out", folder)
    wait_until(lambda: visit_count(folder) >= 5, process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert recovered(folder)
    kept = visits(folder)
    assert loaded.start("run", sweep, "--out", folder).wait() == 0
    loaded.close()
    after = visits(folder)
    config = f"{backend}-fp32-b1-t1"
    assert set(after) == {(config, variant, number) for variant in VARIANTS for number in range(12)}
    assert after.items() >= kept.items()


def epochs_kept(folder):
    """(variant, seed, attempt, epoch) -> what it gave, but for the seconds; {} where no run can be read
    without writing: not made yet, or just killed within a commit, which is undone when a run is opened.
    """
    try:
        rows = query(
            folder,
            "SELECT variant, seed, attempt, epoch, learning_rate, train_loss, validation_loss, "
            "validation_top1_pct FROM epochs",
        )
    except sqlite3.OperationalError:
        return {}
    return {row[:4]: row[4:] for row in rows}


def killed_five_times(command, folder):
    """Start a training and kill it, again and again; what the run has kept then. It is run to its end."""
    rng, kept = random.Random(5), {}
    process = start(*command)
    time.sleep(0.7)  # it loads its packages
    process.send_signal(signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    loaded = stand_in.Loaded(modules=["mbsweep.accuracy.training.trainings"])
    for moment in ("made", 1, 5, 10):
        process = loaded.start(*command)
        if moment == "made":
            wait_until((folder / "run.sqlite").exists, process)
        else:
            wait_until(lambda epochs=moment: len(epochs_kept(folder)) >= epochs, process)
            time.sleep(rng.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        recovered(folder)
        found = epochs_kept(folder)
        assert found.items() >= kept.items()
        kept = found
    assert loaded.start(*command).wait() == 0
    loaded.close()
    assert 10 <= len(kept) <= 12
    return kept


def test_a_sweep_killed_while_it_trains_ends_with_the_same_accuracies(images, undisturbed, tmp_path):
    """SIGKILL, five times: while packages are loaded, when the run has just been made, then after the first,
    fifth and tenth of twelve epochs. What was kept stays; the end is that of a run that was left alone, but
    for the seconds.
    """
    sweep, folder = tmp_path / "trained.yaml", tmp_path / "run"
    sweep.write_text(sweep_text(images), encoding="utf-8")
    command = ["run", sweep, "--out", folder, "--jobs", "2"]
    with on_cores(2):  # as the other
        kept = killed_five_times(command, folder)
    assert epochs_kept(folder) == epochs_kept(undisturbed)
    assert {(variant, seed) for variant, seed, _, _ in kept} == {
        (v, s) for v in (SMALL, LARGE) for s in (0, 1)
    }
    for sql in ("SELECT * FROM accuracies", "SELECT variant, seed, state, epochs, correct FROM trainings"):
        assert query(folder, sql) == query(undisturbed, sql)
    tables = [open_run(path).table() for path in (folder, undisturbed)]
    names = [name for name in tables[0] if name.startswith("top1_")]
    assert len(names) > 5
    assert tables[0][names].equals(tables[1][names])
    assert sorted(path.name for path in folder.glob("weights/*/*")) == sorted(
        path.name for path in undisturbed.glob("weights/*/*")
    )
