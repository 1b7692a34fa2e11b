"""The store: what is written is read back, whatever happens in between."""

import json
import math
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from console import (
    call,
    contents,
    copied,
    execute,
    finish,
    query,
    refusal,
    start,
    visits,
    with_files_up_to,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep import MbsweepError, open_run
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store

ABOUT = {"name": "n", "title": "t", "description": "d", "text": "space: {}"}
DEVICE, VERSIONS = {"processor": "p"}, {"torch": "2"}
SETTINGS = json.dumps({"backend": "torch"})


def variant_row(name, position=0):
    return (position, name, "mobilenet_v1", "{}", 1, 2, 4, 8, 1, 2)


def fill(folder, visit_rows):
    with Store.write(folder) as store:
        session = store.begin_session(DEVICE, VERSIONS)
        for (config, variant, number), samples in visit_rows.items():
            store.add_visit(config, variant, number, session, samples)


SAMPLES = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=50).map(
    lambda values: np.array(values, dtype="<i8").tobytes()
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)  # Cs: not in UTF-8
FAILURES = st.builds(Failure, NAMES, st.sampled_from(FailureKind))
VISITS = st.dictionaries(st.tuples(NAMES, NAMES, st.integers(0, 9999)), SAMPLES, max_size=12)


@settings(max_examples=30)
@given(sessions=st.lists(VISITS, min_size=1, max_size=3))
def test_visits_come_back_as_they_were_given(sessions, tmp_path_factory):
    """Any names, rounds and 64-bit samples survive closing and opening, bit for bit, in a fixed order."""
    folder = tmp_path_factory.mktemp("store") / "run"
    written = {}
    for new in sessions:
        fill(folder, {key: samples for key, samples in new.items() if key not in written})
        written = new | written
    with Store.read(folder) as store:
        found = list(store.visits())
        assert [(*row[:3], row.samples) for row in found] == [(*key, written[key]) for key in sorted(written)]
        for config in {key[0] for key in written}:
            assert list(store.visits(config)) == [row for row in found if row.config == config]
        counted = {(c, v): n for c, row in store.visit_counts().items() for v, n in row.items()}
        assert counted == {(c, v): sum(key[:2] == (c, v) for key in written) for c, v, _ in written}
        assert store.size()[2] == len(written)


@settings(max_examples=20)
@given(
    about=st.fixed_dictionaries(
        dict.fromkeys(["name", "title", "description", "text"], NAMES)
        | {"accuracy_sources": st.lists(NAMES | st.just("[a]\nb"), max_size=3)}
    ),
    failures=st.dictionaries(st.tuples(NAMES, NAMES | st.just("")), FAILURES, max_size=5),
)
def test_sweep_and_failures_come_back_as_they_were_given(about, failures, tmp_path_factory):
    """Any text in a sweep file or a reason is stored as text; it is never taken for SQL."""
    folder = tmp_path_factory.mktemp("store") / "run"
    with Store.write(folder) as store:
        store.set_sweep(about, [variant_row("v")], [], [])
        for (variant, config), failure in failures.items():
            store.add_failure(variant, config, failure)
    with Store.read(folder) as store:
        assert store.last_sweep() == about
        assert store.failures() == failures
        assert store.variants()[0][0] == "v"


YARDSTICKS = st.dictionaries(st.tuples(NAMES, NAMES, st.integers(0, 9999)), SAMPLES, max_size=8)


@settings(max_examples=20)
@given(sessions=st.lists(YARDSTICKS, min_size=1, max_size=3))
def test_yardsticks_come_back_in_the_order_of_time(sessions, tmp_path_factory):
    """Of each yardstick, sessions one after another, in each its rounds: the same round of a later session is
    another visit.
    """
    folder = tmp_path_factory.mktemp("store") / "run"
    written = []
    for given_visits in sessions:
        with Store.write(folder) as store:
            session = store.begin_session(DEVICE, VERSIONS)
            for (config, name, number), samples in given_visits.items():
                store.add_yardstick(config, name, number, session, samples)
                written.append((config, name, number, session, samples))
    with Store.read(folder) as store:
        in_time = sorted(written, key=lambda row: (row[0], row[1], row[3], row[2]))
        assert list(store.yardsticks()) == in_time


def nanoseconds(*values):
    return np.array(values, dtype="<i8").tobytes()


def test_drifts_are_told_of_each_configuration(tmp_path):
    """The fastest calls of each visit, in its session and round, against the reference; a network of the
    yardstick's size has its drift. Without a reference (config d) it is relative to the run's calm state.
    """
    with Store.write(tmp_path / "run") as store:
        store.set_calibration("c", [("small", 1000, 10_000, None), ("large", 2000, 20_000, None)])
        store.set_calibration("c", [("small", 1000, 10_000, 50.0)])  # the later word counts
        store.set_calibration("d", [("small", 1000, 10_000, None)])
        store.set_calibration("e", [("small", 1000, 10_000, 7.0)])
        for number, session in ((0, 1), (1, 1), (1, 2)):
            store.add_yardstick("c", "small", number, session, nanoseconds(70, 60, 90))
            store.add_yardstick("d", "small", number, session, nanoseconds(80))
    with Store.read(tmp_path / "run") as store:
        found = store.drifts()
    assert set(found) == {"c", "d", "e"}
    keys = [(1, 0), (1, 1), (2, 1)]
    assert found["c"].at((1000, 10_000), keys) == pytest.approx([1.2] * 3)
    assert found["d"].at((1000, 10_000), keys) == pytest.approx([1.0] * 3)
    assert found["c"].calm_ns == {"small": 60}
    assert found["e"].at((1000, 10_000), keys).tolist() == [1, 1, 1]  # was never visited


def test_a_yardsticks_visit_that_is_made_again_counts_once(tmp_path):
    """The same round of the same session: the later samples stand."""
    with Store.write(tmp_path / "run") as store:
        for duration in (5, 6):
            store.add_yardstick("c", "small", 0, 1, nanoseconds(duration))
        assert list(store.yardsticks()) == [("c", "small", 0, 1, nanoseconds(6))]


NUMBERS = st.floats(allow_nan=True, allow_infinity=False)


@settings(max_examples=20)
@given(
    summaries=st.dictionaries(
        st.tuples(NAMES, NAMES),
        st.tuples(st.integers(1, 10_000), st.dictionaries(NAMES, NUMBERS, max_size=4)),
        max_size=6,
    )
)
def test_summaries_come_back_as_they_were_given(summaries, tmp_path_factory):
    """Every number to its last bit, NaN included, and of how many visits it is; a newer one replaces it."""
    folder = tmp_path_factory.mktemp("store") / "run"
    with Store.write(folder) as store:
        for (config, variant), (count, summary) in summaries.items():
            store.set_summaries(config, [(variant, 1, {"old": 0.0})])
            store.set_summaries(config, [(variant, count, summary)])
    with Store.read(folder) as store:
        found = store.summaries()
    assert found.keys() == summaries.keys()
    for key, (count, summary) in summaries.items():
        assert found[key][0] == count
        assert repr(found[key][1]) == repr(summary)  # NaN equals nothing, but is written alike


@settings(max_examples=20)
@given(
    reports=st.dictionaries(NAMES, st.dictionaries(NAMES, NAMES, max_size=3), min_size=1, max_size=3),
    rows=st.lists(st.tuples(NAMES, *[st.floats(0, 1e12)] * 3), max_size=5, unique_by=lambda row: row[0]),
)
def test_predictions_come_back_as_they_were_given(reports, rows, tmp_path_factory):
    """A configuration's predictions replace those that it had; its report and session go with them."""
    folder = tmp_path_factory.mktemp("store") / "run"
    with Store.write(folder) as store:
        first = store.begin_session(DEVICE, VERSIONS)
        for config in reports:
            store.set_predictions(config, first, {"old": "report"}, [("old", 1.0, 1.0, 1.0)])
        session = store.begin_session(DEVICE, VERSIONS)
        for config, report in reports.items():
            store.set_predictions(config, session, report, rows)
    with Store.read(folder) as store:
        assert store.predictors() == {config: (session, report) for config, report in reports.items()}
        everything = {(config, *row) for config in reports for row in rows}
        assert set(store.rows("predictions")[1]) == everything
        assert set(store.predicted()) == {row[:2] for row in everything}
        assert [session["id"] for session in store.sessions()] == [session]  # the first has nothing left


def test_a_skip_is_forgotten_without_the_failures(tmp_path):
    """A configuration that can be measured again loses its skip; what failed in it stays failed."""
    with Store.write(tmp_path / "run") as store:
        for variant, config in (("", "c"), ("v", "c"), ("", "d")):
            store.add_failure(variant, config, Failure("why"))
        store.forget_skip("c")
        assert store.failures() == {("v", "c"): Failure("why"), ("", "d"): Failure("why")}
        store.forget_failures()
        assert store.failures() == {}


def test_a_visit_is_kept_once(tmp_path):
    """The same visit a second time is refused, and the samples of the first stay."""
    fill(tmp_path / "run", {("c", "v", 0): b"first..."})
    with pytest.raises(MbsweepError):
        fill(tmp_path / "run", {("c", "v", 0): b"second.."})
    assert [row[2] for row in visits(tmp_path / "run").values()] == [b"first..."]


def test_a_sweep_is_entered_whole_or_not_at_all(tmp_path):
    """An error halfway through a new sweep file leaves the run with the old one."""

    def broken():
        yield variant_row("new")
        raise RuntimeError("halfway")

    with Store.write(tmp_path / "run") as store:
        store.set_sweep(ABOUT, [variant_row("old")], [], [("c", 0, SETTINGS)])
        with pytest.raises(RuntimeError, match="halfway"):
            store.set_sweep(ABOUT | {"text": "new"}, broken(), [], [])
        assert store.last_sweep()["text"] == "space: {}"
        assert [row[:2] for row in store.variants()] == [("old", 0)]
        assert store.rows("configs")[1] == [("c", 0, SETTINGS)]


def test_a_changed_sweep_keeps_what_it_no_longer_names(tmp_path):
    """Variants that a new sweep file drops lose their place in the order, not their row or their visits."""
    with Store.write(tmp_path / "run") as store:
        assert store.set_sweep(ABOUT, [variant_row("a", 0), variant_row("b", 1)], [], []) == (2, 0)
        store.add_visit("c", "a", 0, 1, b"12345678")
        assert store.set_sweep(ABOUT, [variant_row("z", 0), variant_row("b", 1)], [], []) == (1, 1)
        assert [row[:2] for row in store.variants()] == [("z", 0), ("b", 1), ("a", None)]
        assert store.visit_counts() == {"c": {"a": 1}}


def test_a_commit_waits_for_the_disk(tmp_path):
    """SQLite is told to sync every commit (synchronous = 2, FULL): also a power failure loses nothing."""
    with Store.write(tmp_path / "run") as store:
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_is_written_together_is_on_the_disk_at_once(tmp_path):
    """Another process sees none of it before the end, and then all: an error keeps what was written before
    it, and takes back no more than the part that it was in.
    """

    def broken():
        yield variant_row("new")
        raise RuntimeError("halfway")

    def seen():
        return [name for (name,) in query(tmp_path / "run", "SELECT variant FROM visits ORDER BY variant")]

    with Store.write(tmp_path / "run") as store:
        with store.together():
            store.add_visit("c", "a", 0, 1, b"12345678")
            store.add_visit("c", "b", 0, 1, b"12345678")
            assert seen() == []
        assert seen() == ["a", "b"]
        with pytest.raises(RuntimeError, match="halfway"), store.together():  # noqa: PT012
            store.add_visit("c", "c", 0, 1, b"12345678")
            store.set_sweep(ABOUT, broken(), [], [])
        assert seen() == ["a", "b", "c"]
        assert list(store.variants()) == []
        store.add_visit("c", "d", 0, 1, b"12345678")
        assert seen() == ["a", "b", "c", "d"]


def test_a_full_disk_takes_back_what_was_written_together(tmp_path):
    """SQLite's own SQLITE_FULL, by a page limit: one line; with room the next row is written as ever."""
    with Store.write(tmp_path / "run") as store:
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        full = pytest.raises(MbsweepError, match="database or disk is full; free some space")
        with full, store.together():
            for number in range(10):
                store.add_visit("c", "v", number, 1, bytes(8000))
        assert visits(tmp_path / "run") == {}
        store._connection.execute("PRAGMA max_page_count = 10000")
        store.add_visit("c", "v", 0, 1, bytes(8))
        assert len(visits(tmp_path / "run")) == 1


HOLDER = """
import sys, time
from pathlib import Path
from mbsweep.storage.store import Store
with Store.write(Path(sys.argv[1])) as store:
    for number in range(5):
        store.add_visit("c", "v", number, 1, b"12345678")
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def held_run(tmp_path):
    """A run that another process is writing: its folder, and the process."""
    folder = tmp_path / "held"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "ready\n"
        yield folder, holder
        holder.kill()


def test_a_run_has_one_writer_and_any_number_of_readers(held_run):
    """While a process writes a run, another is told which process that is; reading goes on beside it."""
    folder, holder = held_run
    before = contents(folder)
    with pytest.raises(MbsweepError) as refused:
        Store.write(folder)
    assert str(refused.value) == (
        f"{folder} is in use by another mbsweep run (process {holder.pid}); wait for it or choose --out"
    )
    assert contents(folder) == before
    with Store.read(folder) as one, Store.read(folder) as two:
        assert one.visit_counts() == two.visit_counts() == {"c": {"v": 5}}


def test_a_killed_writer_leaves_its_visits_and_no_lock(held_run):
    """What add_visit returned from is there after SIGKILL, and the next writer is let in."""
    folder, holder = held_run
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Store.write(folder) as store:
        assert [(row.round, row.samples) for row in store.visits("c")] == [
            (number, b"12345678") for number in range(5)
        ]


@pytest.fixture
def half_committed_run(tiny_run, tmp_path):
    """A run whose writer died within a commit: the file is half new, its journal has the old."""
    writing = copied(tiny_run, tmp_path)
    died = tmp_path / "died"
    with closing(sqlite3.connect(writing / "run.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 2")  # pages go to the file before the commit
        connection.execute("BEGIN IMMEDIATE")
        for number in range(50):
            row = ("c", "v", number, 1, "now", bytes(4000))
            connection.execute("INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?)", row)
        shutil.copytree(writing, died)
        connection.execute("ROLLBACK")
    assert (died / "run.sqlite-journal").stat().st_size > 0
    assert (died / "run.sqlite").read_bytes() != (tiny_run / "run.sqlite").read_bytes()
    return died


def test_a_run_that_died_within_a_commit_can_be_continued(half_committed_run, tiny_run):
    """The next writer finds the run as it was before the commit that was cut short."""
    with Store.write(half_committed_run):
        pass
    assert visits(half_committed_run) == visits(tiny_run)


def test_a_run_that_died_within_a_commit_can_be_read(half_committed_run, tiny_run):
    """Its table is the one from before the commit that was cut short; it need not be continued first."""
    read, before = (open_run(folder).table().drop(columns="run") for folder in (half_committed_run, tiny_run))
    assert read.equals(before)


def overwritten(at, with_):
    """Bytes at a place of the file replaced. `at`: where it begins, from the file's bytes."""

    def damage(raw):
        place = at(raw)
        return raw[:place] + with_ + raw[place + len(with_) :]

    return damage


# What may have happened to a file, and a command that has to notice.
DAMAGES = {
    "cut in half": (lambda raw: raw[: len(raw) // 2], ["table", "run"]),
    "cut within the first page": (lambda raw: raw[:1000], ["table", "run"]),
    "all random": (lambda raw: np.random.default_rng(0).bytes(len(raw)), ["table", "run", "plan"]),
    "text": (lambda raw: b"dear diary\n" * 400, ["table", "run", "plan"]),
    "header overwritten": (overwritten(lambda raw: 0, b"\0" * 16), ["table", "run", "plan"]),
    "schema overwritten": (
        overwritten(lambda raw: raw.index(b"CREATE TABLE visits"), b"\xa5" * 500),
        ["table", "run", "plan"],
    ),
    "all pages after the first overwritten": (
        lambda raw: raw[:4096] + np.random.default_rng(0).bytes(len(raw) - 4096),
        ["table", "run", "plan"],
    ),
    "a text is not UTF-8": (
        overwritten(lambda raw: raw.index(b"[64, 128, 256, 512, 1024]"), b"\xff\xfe"),
        ["table"],
    ),
    "a column's name is not UTF-8": (
        overwritten(lambda raw: raw.index(b"peak_activation_bytes INTEGER"), b"\xfd"),
        ["table"],
    ),
    "a device description is not JSON": (
        overwritten(lambda raw: raw.index(b'{"processor":'), b"????"),
        ["table", "run"],
    ),
    "a summary is not JSON": (
        overwritten(lambda raw: raw.index(b'{"latency_ms":'), b"????"),
        ["table", "plan"],
    ),
    "a configuration's settings are not JSON": (
        overwritten(lambda raw: raw.index(b'{"backend":'), b"????"),
        ["table"],
    ),
}


@pytest.mark.parametrize(
    ("damage", "command"),
    [
        pytest.param(damage, command, id=f"{name}, {command}")
        for name, (damage, commands) in DAMAGES.items()
        for command in commands
    ],
)
def test_a_damaged_file_is_reported_and_left_alone(damage, command, tiny_run, tiny_sweep, tmp_path):
    """One message, no traceback, and not a byte of what is left is changed."""
    folder = copied(tiny_run, tmp_path)
    file = folder / "run.sqlite"
    file.write_bytes(damage(file.read_bytes()))
    before = file.read_bytes()
    words = {
        "table": ["table", folder],
        "run": ["run", tiny_sweep, "--out", folder],
        "plan": ["plan", tiny_sweep, "--out", folder],
    }
    assert str(folder) in refusal(call(*words[command]))
    assert file.read_bytes() == before
    assert sorted(contents(folder)) == ["lock", "run.sqlite"]


def test_samples_cut_short_are_reported(tiny_run, tmp_path):
    """A blob that is not whole 64-bit numbers is damage, too: a message, not a traceback."""
    folder = copied(tiny_run, tmp_path)
    execute(folder, "UPDATE visits SET samples = x'010203' WHERE rowid = 5")
    with pytest.raises(MbsweepError, match="damaged"):
        open_run(folder).table()


def test_yardsticks_cut_short_are_reported(tiny_run, tmp_path):
    """The same for the samples of the yardstick networks, by which drift is told."""
    folder = copied(tiny_run, tmp_path)
    execute(folder, "UPDATE yardsticks SET samples = x'' WHERE round = 1")
    with pytest.raises(MbsweepError, match=r"the samples of yardstick 0.25-128 in .* are cut short.*damaged"):
        open_run(folder).table()


def test_a_real_run_keeps_everything_about_a_configuration(tiny_run):
    """Settings as JSON; four yardsticks in each round, their sizes, and their latencies at the speed at which
    headlines are told; a file's size and a summary for each variant.
    """
    settings_of = dict(query(tiny_run, "SELECT id, settings FROM configs"))
    assert set(settings_of) == {"onnxruntime-fp32-b1-t1", "torch-fp32-b1-t1"}
    for config, text in settings_of.items():
        found = json.loads(text)
        assert (found["backend"], found["rounds"], found["visit_ms"]) == (config.split("-")[0], 3, 1)
    with Store.read(tiny_run) as store:
        names = ["yardstick 0.25-128", "yardstick 0.25-224", "yardstick 0.25-32", "yardstick 0.5-64"]
        assert [row[:3] for row in store.yardsticks()] == [
            (config, name, number) for config in sorted(settings_of) for name in names for number in range(3)
        ]
        kept = query(tiny_run, "SELECT * FROM calibrations ORDER BY config, yardstick")
        assert [row[:2] for row in kept] == [
            (config, name) for config in sorted(settings_of) for name in names
        ]
        # 0.25-128 and 0.25-224, as the paper's Table 7 has them in millions
        assert {row[2:4] for row in kept if row[1] == names[0]} == {(470_072, 13_570_048)}
        assert {row[2:4] for row in kept if row[1] == names[1]} == {(470_072, 41_030_272)}
        assert all(reference_ns > 0 for *_, reference_ns in kept)
        assert {(c, v) for c, row in store.visit_counts().items() for v in row} == set(store.summaries())
        assert {count for count, _ in store.summaries().values()} == {3}
        assert all(math.isnan(summary["width_pct"]) for _, summary in store.summaries().values())
        assert all(file_bytes > 1_000_000 for *_, file_bytes in store.rows("files")[1])


def test_a_full_disk_stops_the_run_and_keeps_what_was_measured(tmp_path, monkeypatch):
    """SQLite's own SQLITE_FULL, by a page limit: the visits before it stay; with room, the run goes on."""
    connect = sqlite3.connect

    def on_a_small_disk(*args, **options):
        connection = connect(*args, **options)
        connection.execute("PRAGMA max_page_count = 40")
        return connection

    def add(number):
        store.add_visit("c", "v", number, 1, bytes([number]) * 8000)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", on_a_small_disk)
        with Store.write(folder) as store, pytest.raises(MbsweepError) as refused:  # noqa: PT012
            for added in range(100):  # which one fails is not known
                add(added)
    assert str(refused.value) == (
        f"{folder / 'run.sqlite'}: database or disk is full; "
        "free some space and run the same command again; what was measured is kept"
    )
    assert added > 3
    with Store.write(folder) as store:
        for number in range(added, 100):
            add(number)
    assert {key[2]: row[2] for key, row in visits(folder).items()} == {
        n: bytes([n]) * 8000 for n in range(100)
    }


LIMITED = """
import resource, sys
from pathlib import Path
from mbsweep.base.errors import MbsweepError
from mbsweep.storage.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
with Store.write(Path(sys.argv[1])) as store:
    for number in range(100):
        try:
            store.add_visit("c", "v", number, 1, bytes(8000))
        except MbsweepError as error:
            sys.exit(f"{number} {error}")
"""


def test_a_file_that_may_not_grow_stops_the_run_and_keeps_what_was_measured(tmp_path):
    """The kernel refuses to write (a file size limit): every visit that was accepted is there, no other."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "run")], capture_output=True, text=True, check=False
    )
    accepted, _, message = done.stderr.partition(" ")
    assert message.endswith("free some space and run the same command again; what was measured is kept\n")
    with Store.write(tmp_path / "run") as store:
        assert [row.round for row in store.visits("c")] == list(range(int(accepted)))


def test_a_new_run_that_cannot_be_begun_says_so_once(tiny_sweep, tmp_path):
    """No byte can be written, not even the lock's: one message, nothing more on stderr, nothing left."""
    done = finish(start("run", tiny_sweep, "--out", tmp_path / "run", before=with_files_up_to(0)))
    assert refusal(done) == f"{tmp_path / 'run'}: cannot be written: File too large; choose another --out"
    assert contents(tmp_path) in ({}, {"run/lock": b""})
