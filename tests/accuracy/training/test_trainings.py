"""The trainings of a sweep: what is trained, what is not trained twice, and what is said of failures."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import stand_in_training
from brightness import LARGE, RECIPE, SMALL, SPACE, on_cores, sweep_text, write_images
from console import call, contents, copied, curves, execute, query, refusal
from PIL import Image

import mbsweep
from mbsweep.accuracy.datasets import imagefolder, opening
from mbsweep.accuracy.training import worker
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.base import child
from mbsweep.base.errors import MbsweepError
from mbsweep.sweep.sweep import parse_sweep

EVERY = {(variant, seed) for variant in (SMALL, LARGE) for seed in (0, 1)}
PENDING = "not trained yet; run the sweep again to go on"


class Told:
    """Keeps what a run tells, and may do something after an epoch."""

    def __init__(self, after=None):
        self.messages, self.epochs, self.standings, self._after = [], 0, [], after

    def say(self, message):
        """One line for the user."""
        self.messages.append(message)

    def begin(self, task, total, done=0):
        """A part of the run begins."""

    def advance(self, done, steps=1):
        """A test of a supernet's variant is done."""

    def reach(self, standing):
        """So far the run is; epochs that are done are in the store."""
        self.standings.append(standing)
        while self.epochs < standing.done - self.standings[0].done:
            self.epochs += 1
            if self._after:
                self._after(self.epochs)


def go_on(text, folder, told=None, **options):
    """Run a sweep; its rows by variant."""
    found = mbsweep.run(parse_sweep(text, "trained"), folder, progress=told or Told(), **options)
    return {row.variant: row for row in found.table().itertuples()}


def trainings(folder):
    """(variant, seed) -> state, attempt, epochs, which images were right."""
    rows = query(folder, "SELECT variant, seed, state, attempt, epochs, correct FROM trainings")
    return {row[:2]: row[2:] for row in rows}


def accuracies(folder):
    """What is known of each variant's accuracy, of all sources."""
    return sorted(query(folder, "SELECT * FROM accuracies"), key=str)


def begun(log):
    """Each beginning of a toy: width, seed, attempt, epochs so far."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(float(width), *map(int, rest)) for width, *rest in map(str.split, lines)]


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Call it with what a toy does instead of training; it returns the file in which toys log."""

    def use(**spec):
        log = tmp_path / "log"
        log.unlink(missing_ok=True)
        monkeypatch.setattr(worker, "COMMAND", stand_in_training.toy(**spec, log=log))
        return log

    return use


# Real trainings


def test_a_sweep_is_trained_from_images_to_table(images, undisturbed):
    """Each network with each seed: an accuracy with an interval, every epoch in the store, and the networks
    in files; no checkpoint is left.
    """
    table = mbsweep.open_run(undisturbed).table().set_index("variant")
    assert list(table.index) == [SMALL, LARGE]
    for row in table.itertuples():
        assert row.top1_pct > 90
        assert 0 <= row.top1_low_pct <= row.top1_pct <= row.top1_high_pct <= 100
        assert (row.top1_kind, row.top1_seeds, row.top1_epochs) == ("trained", "0, 1", 3)
        assert row.top1_source.startswith(f"trained on {row.dataset}, 3 epochs, batch 16, rate 0.02 (recipe ")
        assert row.dataset.startswith("imagefolder-")
        assert pd.isna(row.top5_pct)  # of three classes
        assert (row.top1_note, row.top1_reason) == (None, None)
    assert set(curves(undisturbed)) == {(*key, 0, epoch) for key in EVERY for epoch in (1, 2, 3)}
    found = trainings(undisturbed)
    assert set(found) == EVERY
    names = {path for path in contents(undisturbed) if path not in ("lock", "run.sqlite")}
    (weights,) = (undisturbed / "weights").iterdir()
    assert names == {f"weights/{weights.name}/{v}_seed{seed}.safetensors" for v, seed in EVERY}
    assert weights.name.startswith(table["dataset"].iloc[0] + "_")
    for (variant, seed), (state, attempt, epochs, correct) in found.items():
        assert (state, attempt, epochs) == ("done", 0, 3)
        about = open_checkpoint(weights / f"{variant}_seed{seed}.safetensors").about
        assert about["seed"] == seed
        assert about["test_top1_pct"] == 100 * np.unpackbits(np.frombuffer(correct, np.uint8)).sum() / 60


def test_a_second_run_trains_nothing(images, undisturbed, tmp_path, monkeypatch):
    """No process is started for it, and nothing changes."""
    folder = copied(undisturbed, tmp_path)
    monkeypatch.setattr(worker, "COMMAND", ["/does/not/exist"])
    told = Told()
    go_on(sweep_text(images), folder, told)
    assert told.epochs == 0
    assert accuracies(folder) == accuracies(undisturbed)
    assert trainings(folder) == trainings(undisturbed)


def test_the_images_are_listed_and_hashed_once_in_a_run(images, undisturbed, tmp_path, monkeypatch):
    """Before the networks are counted, before the trainings, and for what is known at each precision the same
    data set is asked.
    """
    listed, listing = [], imagefolder.Listing
    monkeypatch.setattr(imagefolder, "Listing", lambda *given: listed.append(given) or listing(*given))
    hashed, sha256 = [], opening._sha256
    monkeypatch.setattr(opening, "_sha256", lambda path: hashed.append(path.name) or sha256(path))
    go_on(sweep_text(images), copied(undisturbed, tmp_path))
    assert sorted(hashed) == ["about.json", "contents.i8", "images_16.u8", "labels.i8"]
    assert len(listed) == 1


def test_one_process_or_two_train_the_same_networks(images, undisturbed, tmp_path):
    """Where each has one thread: the same curves and hits, to the last digit."""
    with on_cores(1):
        go_on(sweep_text(images), tmp_path / "run", jobs=1)
    assert query(tmp_path / "run", "SELECT DISTINCT threads FROM trainings") == [(1,)]
    assert query(undisturbed, "SELECT DISTINCT threads FROM trainings") == [(1,)]
    assert curves(tmp_path / "run") == curves(undisturbed)
    assert trainings(tmp_path / "run") == trainings(undisturbed)


@pytest.fixture
def alive(monkeypatch):
    """Call it: the processes that were started to train, and that still run."""
    started, starter = [], child.subprocess

    class Watched:
        PIPE = starter.PIPE

        @staticmethod
        def Popen(*command, **options):  # noqa: N802  (as there)
            started.append(starter.Popen(*command, **options))
            return started[-1]

    monkeypatch.setattr(child, "subprocess", Watched)
    return lambda: [process.pid for process in started if process.poll() is None]


def test_a_killed_worker_costs_an_epoch(images, undisturbed, tmp_path, alive):
    """SIGKILL to one of the two processes after the fourth epoch: its network goes on from its checkpoint in
    another process, nothing is said to have failed, and all numbers are those of an undisturbed run.
    """
    killed = []

    def after(epochs):
        if epochs == 4:
            assert len(alive()) == 2
            killed.append(alive()[0])
            os.kill(killed[0], signal.SIGKILL)

    folder = tmp_path / "run"
    with on_cores(2):
        go_on(sweep_text(images), folder, Told(after), jobs=2)
    assert killed
    assert not alive()
    assert query(folder, "SELECT * FROM failures") == []
    assert curves(folder) == curves(undisturbed)
    assert accuracies(folder) == accuracies(undisturbed)
    # An epoch that was trained twice took other seconds in the file of the network than in the store.
    seconds = {row[:3]: row[3] for row in query(folder, "SELECT variant, seed, epoch, seconds FROM epochs")}
    twice = 0
    for path in folder.glob("weights/*/*.safetensors"):
        variant, _, seed = path.stem.rpartition("_seed")
        for row in open_checkpoint(path).curve:
            twice += row["seconds"] != seconds[variant, int(seed), row["epoch"]]
    assert twice <= 1


def test_a_network_that_learns_nothing_is_flagged(tmp_path):
    """Images of which no class can be told: after all epochs begun anew once, at a lower rate; then known to
    have stalled, with what helps.
    """
    images = write_images(tmp_path / "images", is_learnable=False, train=20)
    text = sweep_text(images, seeds="[0]", space=SPACE.replace("[0.1, 0.25]", "0.1"))
    told = Told()
    with on_cores(1):
        row = go_on(text, tmp_path / "run", told, jobs=1)[SMALL]
    assert pd.isna(row.top1_pct)
    assert row.top1_reason.startswith("seed 0 stalled at chance with ")
    assert row.top1_reason.endswith(
        " % on the validation part, also when begun anew once; what helps: `stem_stride: 1`, a higher "
        "resolution, more epochs"
    )
    assert [said for said in told.messages if "begun anew" in said] == [
        f"{SMALL}, seed 0: stalled; begun anew at a lower learning rate"
    ]
    rates = {key[2:]: values[0] for key, values in curves(tmp_path / "run").items()}
    assert set(rates) == {(attempt, epoch) for attempt in (0, 1) for epoch in (1, 2, 3)}
    assert rates[0, 2] == 2 * rates[1, 2]
    assert not list((tmp_path / "run").glob("weights/*/*"))


# What is trained, and what is not trained again


def test_more_seeds_later_train_only_those(images, undisturbed, tmp_path, toy):
    """Of both networks the new seed, and the accuracy is that of all."""
    folder = copied(undisturbed, tmp_path)
    log = toy(curves={"0.1": [80], "0.25": [85]})
    rows = go_on(sweep_text(images, seeds="[0, 1, 2]"), folder)
    assert sorted(begun(log)) == [(0.1, 2, 0, 0), (0.25, 2, 0, 0)]
    assert trainings(folder).items() > trainings(undisturbed).items()
    assert rows[SMALL].top1_seeds == "0, 1, 2"


def test_another_recipe_is_another_source(images, undisturbed, tmp_path, toy):
    """All is trained anew; the table has the new accuracies, and the store also the old ones. With the old
    recipe again nothing is trained.
    """
    folder = copied(undisturbed, tmp_path)
    log = toy(curves={"0.1": [80], "0.25": [85]})
    rows = go_on(sweep_text(images, recipe=RECIPE.replace("batch: 16", "batch: 12")), folder)
    assert {(width, seed) for width, seed, _, _ in begun(log)} == {(0.1, 0), (0.1, 1), (0.25, 0), (0.25, 1)}
    assert (rows[SMALL].top1_pct, rows[LARGE].top1_pct) == (80, 85)
    before = accuracies(undisturbed)
    assert set(accuracies(folder)) > set(before)
    assert len(accuracies(folder)) == 2 * len(before)
    log.unlink()
    rows = go_on(sweep_text(images), folder)
    assert begun(log) == []
    assert rows[SMALL].top1_pct == mbsweep.open_run(undisturbed).table().set_index("variant").top1_pct[SMALL]


def test_a_changed_data_set_is_another_source(images, tmp_path, toy):
    """One image more: all is trained anew, and the old accuracies stay in the store."""
    root = Path(shutil.copytree(images, tmp_path / "images"))
    toy(curves={"0.1": [70], "0.25": [75]})
    old = go_on(sweep_text(root), tmp_path / "run")
    Image.new("RGB", (16, 16)).save(root / "train" / "class0" / "more.png")
    log = toy(curves={"0.1": [80], "0.25": [85]})
    new = go_on(sweep_text(root), tmp_path / "run")
    assert len(begun(log)) == 4
    assert (old[SMALL].top1_pct, new[SMALL].top1_pct) == (70, 80)
    assert old[SMALL].top1_source != new[SMALL].top1_source
    sources = {row[5] for row in accuracies(tmp_path / "run")}
    assert sources == {old[SMALL].top1_source, new[SMALL].top1_source}
    assert len(list((tmp_path / "run" / "weights").iterdir())) == 2


def test_a_run_that_is_interrupted_goes_on(images, tmp_path, toy):
    """Ctrl-C after the second epoch: the checkpoint has it, and the next run does not train it again."""
    log = toy()

    def after(epochs):
        if epochs == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_on(sweep_text(images), tmp_path / "run", Told(after), jobs=1)
    assert len(curves(tmp_path / "run")) == 2
    rows = go_on(sweep_text(images), tmp_path / "run", jobs=1)
    assert begun(log) == [(0.1, 0, 0, 0), (0.1, 0, 0, 2), (0.1, 1, 0, 0), (0.25, 0, 0, 0), (0.25, 1, 0, 0)]
    assert (rows[SMALL].top1_pct, rows[LARGE].top1_pct) == (90, 90)


def test_the_bar_goes_to_its_end_and_no_further(images, tmp_path, toy):
    """Two networks, two seeds, three epochs: 12. Both of the small one's have stalled and are begun anew: 6
    epochs more. At no time are more done than there are, and the share ends at 1.
    """
    toy(curves={"0.1": [[30], [90]]})
    told = Told()
    go_on(sweep_text(images), tmp_path / "run", told, jobs=1)
    found = told.standings
    assert (found[0].done, found[0].total, found[0].share) == (0, 12, 0)
    assert (found[-1].done, found[-1].total, found[-1].share, found[-1].left_s) == (18, 18, 1, 0)
    assert all(one.done <= one.total and 0 <= one.share <= 1 for one in found)
    assert told.epochs == 18


def test_the_bar_goes_on_where_it_was(images, tmp_path, toy):
    """Interrupted after five of twelve epochs, each of which took a second: the next run begins with the same
    share and time left. None of the large network is known yet; its epochs weigh a tenth more.
    """
    toy()

    def after(epochs):
        if epochs == 5:
            raise KeyboardInterrupt

    first, second = Told(after), Told()
    with pytest.raises(KeyboardInterrupt):
        go_on(sweep_text(images), tmp_path / "run", first, jobs=1)
    go_on(sweep_text(images), tmp_path / "run", second, jobs=1)
    assert second.standings[0] == first.standings[-1]
    assert (second.standings[0].done, second.standings[0].total) == (5, 12)
    assert second.standings[0].share < 5 / 12
    assert second.standings[0].left_s > 7
    assert second.standings[-1].share == 1


def test_a_bar_moves_within_an_epoch(images, tmp_path, toy):
    """The toy says that half of an epoch is done, and takes its time for the other half."""
    toy(spoils={"0.1": "dawdles"}, at_epoch=2)
    told = Told()
    go_on(sweep_text(images, seeds="[0]"), tmp_path / "run", told, jobs=1)
    between = {one.share for one in told.standings if one.done == 1}
    assert len(between) == 2
    assert {one.total for one in told.standings} == {6}


def test_what_is_left_is_trained_with_as_many_threads_as_before(images, undisturbed, tmp_path, toy):
    """Threads decide the last digits. One training of four is left, and two processes are asked for."""
    folder = copied(undisturbed, tmp_path)
    execute(folder, "DELETE FROM trainings WHERE variant = ? AND seed = 1", [LARGE])
    log = toy()
    with on_cores(2):
        go_on(sweep_text(images), folder, jobs=2)
    assert begun(log) == [(0.25, 1, 0, 0)]
    assert query(folder, "SELECT DISTINCT threads FROM trainings") == [(1,)]


# What fails


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raises", "seed 0: RuntimeError: no kernel for this network"),
        ("segfault", "seed 0: the training's process ended: SIGSEGV"),
        ("killed", "seed 0: the training's process ended: SIGKILL (out of memory?)"),
    ],
)
def test_what_fails_is_told_and_the_others_go_on(fault, reason, images, tmp_path, toy):
    """The command ends with 1 and names the network and the reason, which is in the table; a process that
    dies is given three of them. --retry trains it.
    """
    sweep, folder = tmp_path / "trained.yaml", tmp_path / "run"
    sweep.write_text(sweep_text(images, seeds="[0]"), encoding="utf-8")
    log = toy(spoils={"0.1": fault}, at_epoch=2)
    result = call("run", sweep, "--out", folder, "--jobs", 1)
    assert result.exit_code == 1, result.stderr
    assert "1 failed; `mbsweep run " in result.stderr
    assert f"{SMALL} in trained on imagefolder-" in result.stderr
    assert reason in result.stderr
    times = 1 if fault == "raises" else 3
    # Each process of it goes on after the first epoch.
    assert begun(log) == [(0.1, 0, 0, 0), *[(0.1, 0, 0, 1)] * (times - 1), (0.25, 0, 0, 0)]
    table = mbsweep.open_run(folder).table().set_index("variant")
    assert pd.isna(table.top1_pct[SMALL])
    assert table.top1_reason[SMALL] == reason
    assert table.top1_pct[LARGE] == 90
    # Without --retry it is left alone, and with it trained.
    log = toy()
    assert call("run", sweep, "--out", folder).exit_code == 1
    assert begun(log) == []
    result = call("run", sweep, "--out", folder, "--retry")
    assert result.exit_code == 0, result.stderr
    assert [row[:2] for row in begun(log)] == [(0.1, 0)]
    assert mbsweep.open_run(folder).table().set_index("variant").top1_pct[SMALL] == 90


def test_a_failure_ends_the_other_seeds_of_its_network(images, tmp_path, toy):
    """What goes wrong with one seed is not tried with the next."""
    log = toy(spoils={"0.1": "raises"})
    rows = go_on(sweep_text(images), tmp_path / "run", jobs=1)
    assert [row[:2] for row in begun(log)] == [(0.1, 0), (0.25, 0), (0.25, 1)]
    assert rows[SMALL].top1_reason == "seed 0: RuntimeError: no kernel for this network"


def test_what_failed_with_one_recipe_is_trained_with_another(images, tmp_path, toy):
    """A lower rate is tried without being asked to retry."""
    toy(spoils={"0.1": "raises"})
    go_on(sweep_text(images), tmp_path / "run")
    toy()
    lower = sweep_text(images, recipe=RECIPE.replace("learning_rate: 0.02", "learning_rate: 0.01"))
    assert go_on(lower, tmp_path / "run")[SMALL].top1_pct == 90


def test_a_training_that_diverges_is_begun_anew_twice(images, tmp_path, toy):
    """At lower rates; then it has failed."""
    told, log = Told(), toy(spoils={"0.1": "diverges"})
    rows = go_on(sweep_text(images, seeds="[0]"), tmp_path / "run", told, jobs=1)
    assert [row[2] for row in begun(log) if row[0] == 0.1] == [0, 1, 2]
    assert (
        f"{SMALL}, seed 0: the loss is not a number in epoch 1; begun anew at a lower learning rate"
        in told.messages
    )
    assert rows[SMALL].top1_reason == (
        "seed 0: the loss is not a number in epoch 1, also when begun anew 2 times"
    )


def test_a_stall_that_ends_at_a_lower_rate_is_in_the_note(images, tmp_path, toy):
    """The second attempt learns: it counts, and is told."""
    log = toy(curves={"0.1": [[33.3], [60, 90]]})
    rows = go_on(sweep_text(images, seeds="[0]"), tmp_path / "run", jobs=1)
    assert [key[2:] for key in curves(tmp_path / "run") if key[0] == SMALL] == [
        (attempt, epoch) for attempt in (0, 1) for epoch in (1, 2, 3)
    ]
    assert begun(log)[:2] == [(0.1, 0, 0, 0), (0.1, 0, 1, 0)]
    assert rows[SMALL].top1_pct == 90
    assert rows[SMALL].top1_note.startswith("seed 0 stalled or diverged once and was begun anew; ")


def test_a_network_that_starts_late_is_left_alone(images, tmp_path, toy):
    """At chance for five of six epochs, and good in the end: begun once, it has its accuracy, and the note
    tells.
    """
    log = toy(curves={"0.1": [33.3, 33.3, 33.3, 33.3, 33.3, 80]})
    text = sweep_text(images, seeds="[0]", recipe=RECIPE.replace("epochs: 3", "epochs: 6"))
    rows = go_on(text, tmp_path / "run", jobs=1)
    assert begun(log)[:2] == [(0.1, 0, 0, 0), (0.25, 0, 0, 0)]
    assert rows[SMALL].top1_pct == 80
    assert rows[SMALL].top1_note.startswith(
        "seed 0 started late: no better than guessing for 5 of 6 epochs; what helps: `stem_stride: 1`, "
    )


def test_a_stall_is_noticed_where_patience_ends_it_early(images, tmp_path, toy):
    """Nine epochs, and patience is lost after two: at chance, it is no result."""
    log = toy(curves={"0.1": [33.3]}, patience=2)
    text = sweep_text(images, seeds="[0]", recipe=RECIPE.replace("epochs: 3", "epochs: 9"))
    rows = go_on(text, tmp_path / "run", jobs=1)
    assert [row[2] for row in begun(log) if row[0] == 0.1] == [0, 1]
    assert pd.isna(rows[SMALL].top1_pct)
    assert rows[SMALL].top1_reason.startswith(
        "seed 0 stalled at chance with 33.3 % on the validation part, also when begun anew once; what helps: "
    )
    assert (rows[LARGE].top1_pct, rows[LARGE].top1_epochs) == (90, 2)


# Budgets


def test_a_budget_that_is_spent_ends_the_run_and_says_so(images, tmp_path, toy):
    """Epochs of 15 s in a minute: the small network's three and one of the large one. A larger budget goes on
    where it ended; before, the same sweep does nothing.
    """
    log = toy(seconds=15)
    text = sweep_text(images, more="  budget: {minutes: 1}\n")
    rows = go_on(text, tmp_path / "run", jobs=1)
    assert begun(log) == [(0.1, 0, 0, 0), (0.1, 1, 0, 0)]
    spent = "the budget of 1 minutes was spent"
    advice = "; raise it and run the sweep again"
    assert rows[SMALL].top1_pct == 90
    assert rows[SMALL].top1_note.startswith(f"{spent} after epoch 1 of 3{advice}: seed 1")
    assert pd.isna(rows[LARGE].top1_pct)
    assert rows[LARGE].top1_reason == spent + advice
    again = go_on(text, tmp_path / "run", jobs=1)
    assert len(begun(log)) == 2
    assert again[SMALL].top1_note == rows[SMALL].top1_note
    assert again[LARGE].top1_reason == rows[LARGE].top1_reason
    rows = go_on(text.replace("minutes: 1", "minutes: 10"), tmp_path / "run", jobs=1)
    assert begun(log)[2:] == [(0.1, 1, 0, 1), (0.25, 0, 0, 0), (0.25, 1, 0, 0)]
    assert [row.top1_pct for row in rows.values()] == [90, 90]


HALVING = "  budget: {halving: {min_epochs: 1, factor: 2}}\n"


def test_halving_ends_what_does_not_lead(images, tmp_path, toy):
    """The larger network is no better than the smaller one: stopped after its first epoch."""
    toy(curves={"0.1": [80], "0.25": [79]})
    rows = go_on(sweep_text(images, seeds="[0]", more=HALVING), tmp_path / "run", jobs=1)
    assert rows[SMALL].top1_pct == 80
    assert pd.isna(rows[LARGE].top1_pct)
    assert rows[LARGE].top1_reason == (
        "seed 0 was stopped by halving after epoch 1 with 79.0 % on the validation part"
    )
    assert trainings(tmp_path / "run")[LARGE, 0][:3] == ("stopped", 0, 1)


def test_what_halving_decided_holds_after_an_interruption(images, tmp_path, toy):
    """Interrupted between the epoch with which a training ends, and its end."""
    toy(curves={"0.1": [80], "0.25": [79]})
    text = sweep_text(images, seeds="[0]", more=HALVING)

    def after(epochs):
        if epochs == 4:  # three of the small network
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_on(text, tmp_path / "run", Told(after), jobs=1)
    assert (LARGE, 0, 0, 1) in curves(tmp_path / "run")
    rows = go_on(text, tmp_path / "run", jobs=1)
    assert rows[LARGE].top1_reason.startswith("seed 0 was stopped by halving after epoch 1 ")


def test_a_sweep_with_halving_may_drop_variants(images, tmp_path, toy):
    """Their epochs stay in the store, and do not stop it."""
    toy()
    go_on(sweep_text(images, seeds="[0]", more=HALVING), tmp_path / "run")
    fewer = sweep_text(images, seeds="[0, 1]", more=HALVING, space=SPACE.replace("[0.1, 0.25]", "[0.25]"))
    rows = go_on(fewer, tmp_path / "run")
    assert rows[LARGE].top1_seeds.endswith("1")


def test_what_halving_stopped_goes_on_without_it(images, tmp_path, toy):
    """The sweep has no halving any more: the larger network gets all of its epochs."""
    toy(curves={"0.1": [80], "0.25": [79, 79, 85]})
    go_on(sweep_text(images, seeds="[0]", more=HALVING), tmp_path / "run", jobs=1)
    rows = go_on(sweep_text(images, seeds="[0]"), tmp_path / "run", jobs=1)
    assert (rows[SMALL].top1_pct, rows[LARGE].top1_pct) == (80, 85)
    assert trainings(tmp_path / "run")[LARGE, 0][:3] == ("done", 0, 3)


def test_a_perfect_network_has_not_stalled_however_few_the_images(tmp_path, toy):
    """Two images of each of three classes: four standard errors above chance are 110 %."""
    toy(curves={"0.1": [100]})
    root = write_images(tmp_path / "images")
    for label in range(3):
        for picture in sorted((root / "validation" / f"class{label}").iterdir())[2:]:
            picture.unlink()
    space = SPACE.replace("[0.1, 0.25]", "0.1")
    rows = go_on(sweep_text(root, seeds="[0]", space=space), tmp_path / "run", jobs=1)
    assert rows[SMALL].top1_pct == 100


def test_a_full_disk_ends_the_run_and_is_no_failure_of_the_network(images, tmp_path, toy):
    """One line; once there is space, the same command goes on."""
    toy(spoils={"0.25": "fills disk"}, at_epoch=2)
    with pytest.raises(MbsweepError, match=r"No space left on device; then run the same command again$"):
        go_on(sweep_text(images, seeds="[0]"), tmp_path / "run", jobs=1)
    assert query(tmp_path / "run", "SELECT * FROM failures") == []
    toy()
    rows = go_on(sweep_text(images, seeds="[0]"), tmp_path / "run", jobs=1)
    assert (rows[SMALL].top1_pct, rows[LARGE].top1_pct) == (90, 90)


def test_what_was_left_out_of_the_images_is_told(tmp_path, toy):
    """As the data set says it, before anything is trained; and it stays with the run."""
    toy()
    root = write_images(tmp_path / "images")
    (root / "train" / "class0" / "000.png").write_bytes(b"no picture")
    text = sweep_text(root, seeds="[0]").replace(
        "name: imagefolder,", "name: imagefolder, broken: leave_out,"
    )
    told = Told()
    rows = go_on(text, tmp_path / "run", told, jobs=1)
    assert any("000.png" in message for message in told.messages), told.messages
    sizes, notes = mbsweep.open_run(tmp_path / "run").about()["datasets"][rows[SMALL].dataset]
    assert sum(sizes.values()) == len(list(root.rglob("*.png"))) - 1
    assert notes[:2] == [
        "3 classes: class0, class1, class2",
        "train part: the folder 'train', validation part: the folder 'validation', "
        "test part: the folder 'test'",
    ]
    assert ["000.png" in note for note in notes[2:]] == [True]


# What is refused


# What `plan` says of it


def planned(sweep, folder):
    """The lines of a plan that are about training, by their first word; what follows a word is with it."""
    result = call("plan", sweep, "--out", folder)
    assert (result.exit_code, result.stderr) == (0, "")
    found, word = {}, ""
    for line in result.stdout.splitlines()[1:]:
        word = line[2:13].strip() or word
        found.setdefault(word, []).append(line[13:])
    return found


def test_a_plan_counts_images_and_says_what_is_done(images, tmp_path, toy):
    """Before, amid and after: two networks with two seeds, three epochs each; no `num_classes` is given."""
    toy()
    sweep, folder = tmp_path / "trained.yaml", tmp_path / "run"
    text = sweep_text(images, space=SPACE.removesuffix(", num_classes: 3"))
    sweep.write_text(text, encoding="utf-8")
    lines = planned(sweep, folder)
    trained = "trained on imagefolder: 4 trainings of 3 epochs, batch 16, rate 0.02 (seeds 0, 1); "
    assert lines["params"] == ["22,331 to 123,603"]  # parameters of the built networks
    assert lines["accuracy"] == [f"{trained}0 of 4 done"]
    assert lines["images"][:3] == [
        "3 classes: class0, class1, class2",
        "240 to train on, 36 for validation, 60 to test",
        "train part: the folder 'train', validation part: the folder 'validation', test part: the folder "
        "'test'",
    ]
    assert lines["images"][3].startswith("need 1 MB in ")
    assert lines["time"][0].startswith("at most about ")

    class Stop(Exception):  # noqa: N818
        pass

    def stop(epochs):
        if epochs == 4:
            raise Stop

    with pytest.raises(Stop):
        go_on(text, folder, Told(stop), jobs=1)
    lines = planned(sweep, folder)
    assert lines["accuracy"] == [f"{trained}1 of 4 done, 1 begun"]
    assert lines["images"][3].startswith("read already, kept in ")
    result = call("run", sweep, "--out", folder, "--jobs", 1)
    assert f"{folder}: 2 variants, 0 latency configurations, 0 visits, 4 networks trained or" in result.stdout
    lines = planned(sweep, folder)
    assert lines["accuracy"] == [f"{trained}4 of 4 done"]
    assert lines["time"] == ["nothing is left to train"]


# What is refused


def refused(sweep, folder):
    """The message with which both `plan` and `run` refuse a sweep at once: nothing is read or written."""
    message = refusal(call("plan", sweep, "--out", folder))
    assert refusal(call("run", sweep, "--out", folder)) == message
    assert not folder.exists()
    return message


@pytest.mark.parametrize("said", ["1000", "[3, 4]"])
def test_networks_of_other_classes_than_the_data_are_refused(images, tmp_path, said):
    """One line that names the classes, and says what to write."""
    sweep = tmp_path / "trained.yaml"
    space = f"width: 0.1, resolution: 16, num_classes: {said}"
    sweep.write_text(sweep_text(images, space=space), encoding="utf-8")
    assert refused(sweep, tmp_path / "run") == (
        f"{sweep}:1: space.num_classes is {said.strip('[]')}, and the data set has 3 classes: class0, "
        "class1, class2; say 3, or leave it out"
    )


def test_images_that_are_not_there_are_refused(tmp_path):
    """With the line of the sweep."""
    sweep, nowhere = tmp_path / "trained.yaml", tmp_path / "nowhere"
    sweep.write_text(sweep_text(nowhere), encoding="utf-8")
    assert refused(sweep, tmp_path / "run") == (
        f"{sweep}:4: accuracy.dataset cannot be had: {nowhere}: there is no such folder; set the data set's "
        "path to a folder of images"
    )


def test_a_class_without_an_image_for_each_part_is_refused(tmp_path):
    """Two images of a class cannot be in three parts: the names of the files are enough to tell."""
    root = write_images(tmp_path / "images", train=4)
    shutil.rmtree(root / "test")
    shutil.rmtree(root / "validation")
    for path in sorted((root / "train" / "class1").iterdir())[2:]:
        path.unlink()
    sweep = tmp_path / "trained.yaml"
    sweep.write_text(sweep_text(root), encoding="utf-8")
    assert "too few different images to give each part one: 'class1' has 2; a class needs" in refused(
        sweep, tmp_path / "run"
    )


def test_digits_without_one_of_the_ten_are_refused(tmp_path):
    """Ten test images at random: one digit in three is not among them."""
    sweep = tmp_path / "trained.yaml"
    few = "{name: digits, train: 100, test: 10}"
    text = f"space: {{resolution: 32}}\naccuracy: {{source: trained, dataset: {few}}}\n"
    sweep.write_text(text, encoding="utf-8")
    message = refused(sweep, tmp_path / "run")
    assert message.startswith(
        f"{sweep}:2: accuracy.dataset cannot be had: digits: test: 10 images at random "
    )
    assert message.endswith("; take more, 100 at least")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("PIL", "the data set imagefolder needs Pillow, which is not installed; run: "),
        ("safetensors", "a network's file needs safetensors, which is not installed; run: "),
        ("optuna", "a budget with halving needs Optuna, which is not installed; run: "),
    ],
)
def test_a_package_that_is_missing_is_told_at_once(images, tmp_path, monkeypatch, module, message):
    """The plan has a line for it, and the run begins nothing."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == module else real(name, *rest)
    )
    sweep, folder = tmp_path / "trained.yaml", tmp_path / "run"
    sweep.write_text(sweep_text(images, more="  budget: {halving: {}}\n"), encoding="utf-8")
    message += "pip install 'mbsweep[train]'"
    assert message in planned(sweep, folder)["images"]
    assert refusal(call("run", sweep, "--out", folder)) == message
    assert not folder.exists()


def test_a_disk_without_room_for_the_images_is_told_at_once(images, tmp_path, own_cache, monkeypatch):
    """336 images of 16 x 16 pixels, of which two copies are there while they are read: 516,096 bytes."""
    disk = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk._replace(free=516_095))
    sweep, folder = tmp_path / "trained.yaml", tmp_path / "run"
    sweep.write_text(sweep_text(images), encoding="utf-8")
    where = own_cache / "datasets"
    assert planned(sweep, folder)["images"][-1] == (
        f"need 1 MB in {where}, of 1 MB that are free; too little: set MBSWEEP_CACHE to a folder with more"
    )
    message = refusal(call("run", sweep, "--out", folder))
    assert message.startswith(f"{where}: the images need 1 MB, and 1 MB are free; free some space, or set ")
    assert not folder.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk._replace(free=516_096))
    assert planned(sweep, folder)["images"][-1] == f"need 1 MB in {where}, of 1 MB that are free"
    assert not folder.exists()
