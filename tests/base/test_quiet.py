"""Processes of a machine that train and that measure take turns, and one that is killed holds up nobody."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager

import pytest
from console import as_a_plain_user, finish, wait_until

from mbsweep.base.quiet import busy, each_busy, quiet

# Words on the command line: a log that all write to, a file that ends them, seconds of an epoch.
HEAD = """
import os, sys, time
from mbsweep.base.quiet import busy, quiet
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(words):
    os.write(log, f"{words} {os.getpid()}\\n".encode())
"""
TRAINS = """
while not os.path.exists(sys.argv[2]):
    with busy():
        note("trains")
        time.sleep(float(sys.argv[3]))
        note("trained")
"""
MEASURES = """
with quiet(note):
    note("measures")
    time.sleep(float(sys.argv[3]))
    note("measured")
"""
NAMES = [f"mbsweep-{os.getuid()}.{name}" for name in ("gate", "machine")]
WAITED = "waits for trainings on this machine to end their epochs"
BEHIND = "waits until others have measured their latencies on this machine"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The system's temporary folder of a machine of this test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


class Machine:
    """Processes that share a log."""

    def __init__(self, folder):
        self.log, self.end = folder / "log", folder / "end"
        self.started = []

    def start(self, script, seconds=0.02, before=()):
        """A process of its own. seconds: of an epoch, or of a measurement."""
        words = [sys.executable, "-c", HEAD + script, str(self.log), str(self.end), str(seconds)]
        self.started.append(subprocess.Popen([*before, *words], stderr=subprocess.PIPE, text=True))
        return self.started[-1]

    def lines(self, process=None):
        """What was noted, by one process or by all."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if process is None or line.endswith(f" {process.pid}")]

    def wait_for(self, words, process, count=1):
        """Until a process has noted something so often."""
        line = f"{words} {process.pid}"
        wait_until(lambda: self.lines(process).count(line) >= count, process)


@pytest.fixture
def machine(tmp_path):
    """Its processes are ended with the test."""
    machine = Machine(tmp_path)
    yield machine
    for process in machine.started:
        process.kill()
        process.communicate()


def overlaps(lines):
    """Pairs of process ids that trained or measured at the same time, with what they did."""
    at_work, found = {}, set()
    for line in lines:
        what, pid = line.split()[0], line.split()[-1]
        if what in ("trains", "measures"):
            found |= {frozenset([(pid, what), other]) for other in at_work.items()}
            at_work[pid] = what
        elif what in ("trained", "measured"):
            del at_work[pid]
    return [sorted(what for _, what in pair) for pair in found]


def test_nothing_is_trained_while_latencies_are_measured(machine):
    """Three processes train epoch after epoch, at the same time; two that want to measure get in between, one
    after the other, and all trainings go on behind them.
    """
    trainings = [machine.start(TRAINS) for _ in range(3)]
    for training in trainings:
        machine.wait_for("trained", training, 2)
    measuring = [machine.start(MEASURES, 0.3) for _ in range(2)]
    for process in measuring:
        assert finish(process)[0] == 0
    for training in trainings:
        machine.wait_for("trained", training, len(machine.lines(training)) // 2 + 2)
    machine.end.touch()
    for training in trainings:
        assert finish(training)[0] == 0
    met = overlaps(machine.lines())
    assert ["trains", "trains"] in met
    assert [pair for pair in met if "measures" in pair] == []


def test_who_measures_is_the_next(machine):
    """Two trainings whose epochs always overlap leave the machine to who asks for it after the epochs that
    they are at: neither begins another before.
    """
    trainings = [machine.start(TRAINS, 0.5)]
    machine.wait_for("trains", trainings[0])
    time.sleep(0.25)
    trainings.append(machine.start(TRAINS, 0.5))
    machine.wait_for("trains", trainings[1])
    measuring = machine.start(MEASURES, 0.1)
    machine.wait_for(WAITED, measuring)
    asked = machine.lines().index(f"{WAITED} {measuring.pid}")
    machine.wait_for("measured", measuring)
    after = machine.lines()[asked + 1 :]
    between = after[: after.index(f"measures {measuring.pid}")]
    for training in trainings:
        assert between.count(f"trained {training.pid}") <= 1


def test_what_is_waited_for_is_said(machine):
    """An epoch, or another who measures; nothing where there is no wait, nor by who only passes."""
    said = []
    with quiet(said.append):
        pass
    training = machine.start(TRAINS, 0.3)
    machine.wait_for("trains", training)
    with quiet(said.append):
        assert said == [WAITED]
    training.kill()
    measuring = machine.start(MEASURES, 0.3)
    machine.wait_for("measures", measuring)
    with quiet(said.append):
        assert said == [WAITED, BEHIND]


@pytest.mark.parametrize(("script", "begun"), [(TRAINS, "trains"), (MEASURES, "measures")])
def test_a_process_that_is_killed_leaves_nothing_locked(machine, script, begun):
    """SIGKILL in the middle of an epoch, or while it measures: whoever waits for it is let in."""
    killed = machine.start(script, 600)
    machine.wait_for(begun, killed)
    waits = machine.start(MEASURES, 0)
    wait_until(lambda: machine.lines(waits), waits)
    assert [line for line in machine.lines(waits) if line.startswith("waits ")]
    killed.send_signal(signal.SIGKILL)
    assert finish(waits)[0] == 0
    assert machine.lines(waits)[-1].startswith("measured ")


def test_one_that_is_killed_while_it_waits_is_out_of_the_way(machine):
    """Who waits to measure keeps new epochs back; killed, it does so no more."""
    training = machine.start(TRAINS, 600)
    machine.wait_for("trains", training)
    waits = machine.start(MEASURES, 0)
    wait_until(lambda: machine.lines(waits), waits)
    other = machine.start(TRAINS, 0)
    time.sleep(0.3)
    assert machine.lines(other) == []
    waits.send_signal(signal.SIGKILL)
    machine.wait_for("trained", other)


def is_free(folder):
    """Whether nobody trains and nobody measures, as another process would find it."""
    with ExitStack() as opened:
        for path in folder.iterdir():
            file = opened.enter_context(path.open("rb"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
    return True


def test_it_is_let_go_between_two_epochs(folder):
    """What a process is about between them, or whether it is about anything, holds up nobody."""
    seen = []

    def epochs():
        for number in range(2):
            seen.append(is_free(folder))
            yield number

    assert [(number, is_free(folder)) for number in each_busy(epochs())] == [(0, True), (1, True)]
    assert seen == [False, False]
    with pytest.raises(ZeroDivisionError), busy():
        _ = 1 / 0
    assert is_free(folder)


@contextmanager
def in_its_place(folder, what):
    """Something else where the files belong."""
    for name in NAMES:
        path = folder / name
        if what == "a folder":
            path.mkdir()
        elif what == "a link":
            path.symlink_to(folder.parent / "elsewhere")
        else:
            os.mkfifo(path)
    yield
    assert not (folder.parent / "elsewhere").exists()


@pytest.mark.parametrize("what", ["a folder", "a link", "a pipe"])
def test_what_is_not_our_file_is_left_alone(folder, what):
    """A link that another user has put there is not followed; training and measuring go on as if alone."""
    said = []
    with in_its_place(folder, what):
        with busy():
            said.append("trained")
        with quiet(said.append):
            said.append("measured")
    assert said == ["trained", "measured"]


def test_where_nothing_can_be_locked_nobody_waits(machine, folder):
    """With files that cannot be opened, one trains while another measures, as if there were none."""
    for name in NAMES:
        path = folder / name
        path.touch()
        path.chmod(0)
    training = machine.start(TRAINS, 600, before=as_a_plain_user())
    measuring = machine.start(MEASURES, 0, before=as_a_plain_user())
    machine.wait_for("trains", training)
    assert finish(measuring)[0] == 0
    assert [line.split()[0] for line in machine.lines(measuring)] == ["measures", "measured"]
