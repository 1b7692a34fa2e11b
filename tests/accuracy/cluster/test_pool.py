"""Trainings on a cluster whose nodes fail, come and go; what is known of it before they begin."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from brightness import sweep_text
from clusters import Told, check_same, kill_seat, kill_training, run

from mbsweep.accuracy.cluster.looking import Node
from mbsweep.accuracy.cluster.pool import RayPool
from mbsweep.base.progress import Silent

IS_FULL = """
import resource, sys
if "mbsweep.accuracy.training.worker" in sys.orig_argv:  # not Ray, whose logs would be cut, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
"""


def test_whatever_happens_to_nodes_costs_an_epoch(cluster, nodes, spoilt, images, undisturbed, tmp_path):
    """The disk of one is full; on another the process that trains is killed, then that of Ray's which owns
    it; then it is switched off, when a third has joined. What they trained goes on from its last epoch.
    """
    spoilt(IS_FULL)
    first, late = nodes(), []

    def replace_it():
        late.append(nodes())
        first["remove"]()

    ends = {2: lambda: kill_training(first["cache"]), 4: lambda: kill_seat(first["cache"]), 6: replace_it}
    told = Told(lambda epoch: ends.get(epoch, int)())
    run(sweep_text(images), tmp_path / "run", cluster.address, told)
    check_same(tmp_path / "run", undisturbed)
    full, gone = [message for message in told.messages if "; what it trained goes on elsewhere" in message]
    assert " gets no more to train: " in full
    assert ".checkpoint: cannot be written: File too large; what it trained" in full
    assert " does not answer any more; " in gone or " has left the cluster; " in gone
    assert full.split()[0] != gone.split()[0]  # their names
    assert (Path(late[0]["cache"]) / "datasets").is_dir()


def test_a_run_that_stays_in_touch_knows_how_many_train_at_once(monkeypatch):
    """All nodes count, though work can begin as soon as one has told what it is."""
    first, second = (Node(name, "a processor", 2, 0, {}, "") for name in "ab")

    class OnItsWay(AbstractContextManager):
        def __init__(self, address, only_look=False, folder=None):
            self.nodes = [first, second] if only_look else [first]

        def ready(self):
            return self.nodes

        def __exit__(self, *_):
            """Nothing is to be ended."""

    monkeypatch.setattr("mbsweep.accuracy.cluster.pool.Link", OnItsWay)
    monkeypatch.setattr("mbsweep.accuracy.cluster.pool.reach", lambda address: None)
    with RayPool("head:1") as pool:
        pool.check(Silent())
        assert pool.at_once() == 4


@pytest.mark.parametrize(("jobs", "at_once"), [(None, 5), (7, 5), (2, 2)])
def test_what_this_machine_has_is_told_without_ray(jobs, at_once, monkeypatch):
    """Of `local`, before a cluster is started."""
    monkeypatch.setattr("mbsweep.accuracy.cluster.looking.usable_cores", lambda: 5)
    pool = RayPool("local", jobs)
    pool.check()
    (node,) = pool.look()
    assert (node.cpus, node.gpus, node.why_not) == (5, 0, "")
    assert pool.at_once() == at_once
