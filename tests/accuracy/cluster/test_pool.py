"""Trainings on a cluster: the numbers of a local run, whatever happens to its nodes."""

import json
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from brightness import sweep_text
from clusters import Told, kill_seat, kill_training, run, soon, trainers, trainings
from console import contents, curves, query

from mbsweep.accuracy.cluster.looking import Node
from mbsweep.accuracy.cluster.pool import RayPool
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.base.progress import Silent

IS_FULL = """
import resource, sys
if "mbsweep.accuracy.training.worker" in sys.orig_argv:  # not Ray, whose logs would be cut, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
"""


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


def test_two_nodes_give_the_very_numbers_of_a_local_run(cluster, nodes, images, undisturbed, tmp_path):
    """Each has a cache of its own, and gets the images once; when the run is over nothing is left of it
    there.
    """
    caches = [Path(nodes()["cache"]) for _ in range(2)]
    seen = []
    told = Told(lambda epoch: seen.append([len(trainers(cache)) for cache in caches]))
    run(sweep_text(images), tmp_path / "run", cluster.address, told)
    check_same(tmp_path / "run", undisturbed)
    assert [1, 1] in seen  # both are at work
    (dataset,) = {row[0] for row in query(tmp_path / "run", "SELECT dataset FROM accuracies")}
    for cache in caches:
        (kept,) = (cache / "datasets").iterdir()
        assert kept.name == dataset
        assert (kept / "images_16.u8").stat().st_size == 3 * (80 + 12 + 20) * 16 * 16 * 3
        soon(lambda cache=cache: not trainers(cache))
    devices = [json.loads(row[0]) for row in query(tmp_path / "run", "SELECT device FROM sessions")]
    assert all("_torch-" in device["id"] for device in devices if "id" in device)
    assert not [message for message in told.messages if "elsewhere" in message]


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


def test_a_run_looks_before_it_works(cluster, nodes):
    """Which nodes there are, what they are, and how many networks that trains at once."""
    nodes(num_cpus=3)
    pool = RayPool(cluster.address)
    pool.check()
    (node,) = pool.look()
    assert (node.cpus, node.gpus, node.why_not) == (3, 0, "")
    assert node.name
    assert node.processor
    assert set(node.versions) == {"python", "mbsweep", "torch", "numpy", "safetensors"}
    assert pool.at_once() == 3
    pool.jobs = 2
    assert pool.at_once() == 2


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


@pytest.mark.parametrize("jobs", [None, 7])
def test_what_this_machine_has_is_told_without_ray(jobs, monkeypatch):
    """Of `local`, before a cluster is started."""
    monkeypatch.setattr("mbsweep.accuracy.cluster.looking.usable_cores", lambda: 5)
    pool = RayPool("local", jobs)
    pool.check()
    (node,) = pool.look()
    assert (node.cpus, node.gpus, node.why_not) == (5, 0, "")
    assert pool.at_once() == 5
