"""What tests of runs on a cluster share."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from console import contents, curves, query

from mbsweep import pipeline
from mbsweep.accuracy.cluster.pool import RayPool
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.sweep.sweep import parse_sweep


class Told:
    """Keeps what a run tells, and may do something after an epoch."""

    def __init__(self, after=None):
        self.messages, self.epochs, self._first, self._after = [], 0, None, after

    def say(self, message):
        """One line for the user."""
        self.messages.append(message)

    def begin(self, task, total, done=0):
        """A part of the run begins."""
        self._first = None

    def advance(self, done, steps=1):
        """A test of a supernet's variant is done."""

    def note(self, words, short=""):
        """What is still open."""

    def reach(self, standing):
        """So far the run is; epochs that are done are in the store."""
        self._first = standing.done if self._first is None else self._first
        while self.epochs < standing.done - self._first:
            self.epochs += 1
            if self._after:
                self._after(self.epochs)


def run(text, folder, address, told=None, jobs=None):
    """Run a sweep on a cluster."""
    with RayPool(address, jobs) as pool:
        return pipeline._run(parse_sweep(text, "trained"), folder, False, told or Told(), pool, None, 0)


def trainings(folder):
    """(variant, seed) -> state, attempt, epochs, threads, which images were right."""
    rows = query(folder, "SELECT variant, seed, state, attempt, epochs, threads, correct FROM trainings")
    return {row[:2]: row[2:] for row in rows}


def check_same(folder, local):
    """Every epoch, and which images are right, to the last digit; the networks; nothing is left over."""
    assert curves(folder) == curves(local)
    assert trainings(folder) == trainings(local)
    assert query(folder, "SELECT * FROM failures") == []
    files = {path for path in contents(folder) if path.startswith("weights/")}
    assert files == {path for path in contents(local) if path.startswith("weights/")}
    for path in files:
        one, other = (open_checkpoint(root / path) for root in (folder, local))
        assert one.about == other.about
        assert one.tensors.keys() == other.tensors.keys()
        assert all(bool((one.tensors[name] == other.tensors[name]).all()) for name in one.tensors)


def processes(of):
    """Numbers of the processes that live, for whose folder, parent and words `of` is true."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
                environ = (path / "environ").read_bytes().decode(errors="replace").split("\0")
                parent = (path / "stat").read_text().rpartition(")")[2].split()
                if parent[0] != "Z" and of(environ, int(parent[1]), words):
                    found.append(int(path.name))
    return found


def trainers(cache):
    """Those that train on the node of a cache: their numbers, and those of the seats that own them."""
    name, module = f"MBSWEEP_CACHE={cache}", "mbsweep.accuracy.training.worker"
    own = processes(lambda environ, parent, words: name in environ and module in words)
    return {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in own}


def kill_training(cache):
    """The process that trains on a node, as the kernel does where the memory is full."""
    (pid,) = trainers(cache)
    os.kill(pid, signal.SIGKILL)


def kill_seat(cache):
    """The process of Ray's that owns it."""
    ((_, seat),) = trainers(cache).items()
    os.kill(seat, signal.SIGKILL)


def soon(condition, timeout_s=30):
    """Wait until it is true."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)
