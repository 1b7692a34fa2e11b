"""What runs of formats 6 and 7 said in words alone: kept here as they wrote it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from console import call, query, refusal
from reporter_runs import TRAINED, trained_run, write_run

from mbsweep import open_run
from mbsweep.reporter.accuracies import accuracy_doubts, accuracy_gaps
from mbsweep.reporter.parts import open_parts
from mbsweep.storage import old_words
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store
from mbsweep.table.trust import of_accuracies, of_each

REASONS = [
    ("ValueError: output differs from eager PyTorch by 0.01 of the largest logit", FailureKind.LASTING),
    ("CountMismatchError: mobilenet_v1_w0.25_r32_d5: params: 1 in closed form", FailureKind.LASTING),
    ("seed 0: the loss is not a number in epoch 2, also when begun anew 2 times", FailureKind.LASTING),
    ("seed 1: ValueError: no such thing", FailureKind.LASTING),
    ("MemoryError: needs about 40.0 GiB; 8.0 GiB are free", FailureKind.PASSING),
    ("RuntimeError: torch kept 1.9 cores busy, with threads: 1", FailureKind.PASSING),
    ("the runtime's process ended: SIGKILL (out of memory?)", FailureKind.PASSING),
    ("cannot be predicted: 7 networks to fit and 4 held out", FailureKind.PASSING),
]


@pytest.mark.parametrize(("reason", "kind"), REASONS)
def test_a_reason_says_whether_it_comes_again(reason, kind):
    """What follows from weights, seeds and versions alone does; what the moment did may not."""
    assert old_words.failure(reason) == Failure(reason, kind)


def test_a_skip_was_told_by_its_first_word():
    """It is told apart since, and the word is said again where people read it."""
    found = old_words.failure("skipped: executorch is not installed")
    assert found == Failure("executorch is not installed", FailureKind.SKIPPED)
    assert found.words == "skipped: executorch is not installed"


FITTED = (
    "fitted on 16 points; each predicted from the others is 0.21 points of top-1 off on average, 0.6 at worst"
)
BEYOND = "extrapolated: width 1.2 is above the points' 1"
RANKED = "Kendall's tau 0.33; its ranking is not to be relied on (tau below 0.7)"
LATE = "seed 0 started late: no better than guessing for 3 of 4 epochs; what helps: more epochs"
STOPPED = "seed 0 was stopped by halving after epoch 2; seed 1 stalled at chance, also when begun anew once"
ANEW = "seed 1 stalled or diverged once and was begun anew"


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (("predicted", FITTED, ""), ("", FITTED, "")),
        (("predicted", f"{FITTED}; {BEYOND}", ""), (BEYOND, FITTED, "extrapolated")),
        (("supernet", RANKED, ""), ("", RANKED, "unreliable")),
        (("trained", LATE, ""), (LATE, "", "late")),
        (("trained", "", STOPPED), ("", "", "stalled, stopped")),
        (("trained", ANEW, ""), (ANEW, "", "begun anew")),
        (("published", "as printed", ""), ("as printed", "", "")),
    ],
)
def test_notes_are_told_apart(kept, expected):
    """What is said of one accuracy alone, what of all like it, and what code must know of it."""
    assert old_words.notes(*kept) == expected


def aged(folder, format_=7):
    """A run of this version, as format 7 had it: the same words, and nothing else."""
    with closing(sqlite3.connect(folder / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE failures SET reason = 'skipped: ' || reason WHERE kind = 'skipped'")
        connection.execute("ALTER TABLE failures DROP COLUMN kind")
        connection.execute("UPDATE accuracies SET note = trim(shared_note || '; ' || note, '; ')")
        for name in ("shared_note", "marks"):
            connection.execute(f"ALTER TABLE accuracies DROP COLUMN {name}")
        connection.execute(f"PRAGMA user_version = {format_}")
    return folder


PREDICTED = """\
space: {width: [0.5, 1.0, 1.2], resolution: [128, 160]}
latency: [{backend: torch, rounds: 3}, {backend: executorch, rounds: 3}]
accuracy: {source: predicted, extrapolate: true, table: tf-slim-2018-08-02}
"""
FAILURES = {
    ("", "executorch-fp32-b1-t1"): Failure("executorch is not installed", FailureKind.SKIPPED),
    ("mobilenet_v1_w0.5_r128_d5", "torch-fp32-b1-t1"): Failure("ValueError: no", FailureKind.LASTING),
    ("mobilenet_v1_w0.5_r160_d5", "torch-fp32-b1-t1"): Failure("RuntimeError: no"),
}


def told(folder):
    """Of a run all that its words were read for before."""
    run = open_run(folder)
    table = run.table()
    parts, whole = open_parts([run])
    gaps = accuracy_gaps(parts[0].about["accuracy_sources"], whole)
    about = (run.failures(), run.skipped(), of_accuracies(table), of_each(table), gaps)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return (*about, accuracy_doubts(parts, whole), rows)


@pytest.mark.parametrize("made", ["predicted", "trained"])
def test_a_run_of_before_says_the_same(made, tmp_path):
    """Read as it is, and after the next writer has brought it up to date: every word and number is that of a
    run which said it as data from the beginning.
    """
    folder = tmp_path / "run"
    if made == "predicted":
        write_run(
            folder, PREDICTED, lambda config, _: 1.0 if config.backend == "torch" else None, failures=FAILURES
        )
    else:
        trained_run(folder, TRAINED)
    before = told(folder)
    rows = query(folder, "SELECT * FROM accuracies"), query(folder, "SELECT * FROM failures")
    if made == "predicted":
        assert before[2] == ["2 of 6 accuracies are extrapolated: how wrong they are is unknown"]
        assert len(before[0]) == 2
    else:
        assert before[5] == ["accuracy of 1 variant: a seed stalled at chance."]
    shutil.copytree(folder, tmp_path / "new")
    aged(folder)
    assert told(folder) == before
    with Store.write(folder):
        pass
    assert query(folder, "PRAGMA user_version") == query(tmp_path / "new", "PRAGMA user_version")
    assert (query(folder, "SELECT * FROM accuracies"), query(folder, "SELECT * FROM failures")) == rows
    assert told(folder) == before


def test_a_run_may_be_brought_up_to_date_while_it_is_read(tmp_path):
    """Whichever statement of a reader comes after it, each answer is that of before."""
    write_run(
        tmp_path / "new",
        PREDICTED,
        lambda config, _: 1.0 if config.backend == "torch" else None,
        failures=FAILURES,
    )

    def answers(store):
        return store.variants(), store.failures(), store.rows("accuracies")

    with Store.read(tmp_path / "new") as store:
        expected = answers(store)
    moment, is_over = 0, False
    while not is_over:
        folder = aged(Path(shutil.copytree(tmp_path / "new", tmp_path / f"run{moment}")))
        left = [moment]

        def update(_, left=left, folder=folder):
            left[0] -= 1
            if left[0] == -1:
                with Store.write(folder):
                    pass

        with Store.read(folder) as store:
            store._connection.set_trace_callback(update)
            assert answers(store) == expected
        moment, is_over = moment + 1, left[0] >= 0
    assert moment > 3  # one for each table


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE failures SET kind = 'odd'", "'odd' is not a valid FailureKind"),
        ("UPDATE accuracies SET marks = 'odd'", "'odd' is not a valid Mark"),
    ],
)
def test_a_word_for_code_that_is_none_is_damage(damage, words, tmp_path):
    """One line that says so, from whatever reads it."""
    write_run(
        tmp_path, PREDICTED, lambda config, _: 1.0 if config.backend == "torch" else None, failures=FAILURES
    )
    with closing(sqlite3.connect(tmp_path / "run.sqlite")) as connection, connection:
        connection.execute(damage)
    for command in ("table", "pick", "front"):
        assert f"{words}; the file is damaged" in refusal(call(command, tmp_path))
