"""A seat, without a cluster; and what a node looks at in its cache."""

import os
import subprocess
import sys

import pytest

from mbsweep.accuracy.cluster import seat
from mbsweep.accuracy.cluster.looking import looked, versions_here, why_not
from mbsweep.accuracy.cluster.seat import Seat

OPEN = "from mbsweep.accuracy.cluster.seat import Seat; print(Seat(1, 'cpu').open())"


def test_a_node_without_a_cache_is_refused(tmp_path):
    """Images go to a node once: in a folder that ends with one seat, the next would look for them in vain.
    No temporary folder is left.
    """
    env = os.environ | {"MBSWEEP_CACHE": "/dev/null/cache", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", OPEN], env=env, capture_output=True, text=True, timeout=60)
    words = "the cache cannot be used; set MBSWEEP_CACHE there to a writable folder"
    assert done.stdout.splitlines() == [str({"error": ["MbsweepError", words]})]
    assert list(tmp_path.iterdir()) == []


LOOK = "from mbsweep.accuracy.cluster.looking import looked; print(looked()()['has_cache'])"


def test_a_node_without_a_cache_is_told_before_it_gets_anything(tmp_path):
    """Also by `plan`."""
    env = os.environ | {"MBSWEEP_CACHE": "/dev/null/cache", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", LOOK], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n"
    assert list(tmp_path.iterdir()) == []
    here = versions_here()
    assert why_not(here, here, has_cache=True) == ""
    todo = "start Ray there anew with MBSWEEP_CACHE set to a folder that can be written"
    assert why_not(here, here, has_cache=False) == f"has no cache that can be written; {todo}"


class NoTraining:
    """A training process that opens at once."""

    def __init__(self, threads, device):
        self.tell = lambda method, argument: None
        self.answer = list


@pytest.fixture
def seats(own_cache, monkeypatch):
    """Call it for what seats have in the cache."""
    monkeypatch.setattr(seat, "TrainingWorker", NoTraining)
    return lambda: [path.name for path in (own_cache / "seats").iterdir()]


def test_a_seat_that_is_ended_leaves_no_files(seats):
    """Ray ends it by force: it is asked before."""
    taken = Seat(1, "cpu")
    assert taken.open() == {"value": []}
    assert len(seats()) == 1
    taken.clear()
    assert seats() == []


def test_who_looks_at_a_node_removes_what_a_killed_seat_has_left(own_cache, seats):
    """Not the files of one that lives."""
    killed = own_cache / "seats" / ".seat.0123abcd.mbsweep-unfinished"
    killed.mkdir(parents=True)
    (killed / "net.checkpoint").write_bytes(b"weights")
    taken = Seat(1, "cpu")
    assert looked(is_node=False)()["has_cache"]
    assert seats() == [killed.name]
    taken.open()
    (living,) = set(seats()) - {killed.name}
    killed.mkdir(exist_ok=True)
    assert looked()()["has_cache"]
    assert seats() == [living]
    taken.clear()
