"""One cluster for all tests of this room, and nodes for each."""

import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from seat_stand_in import StandIn, join

from mbsweep.accuracy.cluster.members import TakenSeat
from mbsweep.accuracy.cluster.seats import Seats
from mbsweep.base import child
from mbsweep.base.child import Child

HERE = Path(__file__).parent


class Cluster(Child):
    """The process of `nodes.py`."""

    def __init__(self, **head):
        self.folder = tempfile.mkdtemp(prefix="mr-", dir="/tmp")  # short: Ray makes sockets in it
        command = [sys.executable, str(HERE / "nodes.py"), self.folder]
        super().__init__(command, "the cluster", {"TMPDIR": self.folder})
        self.address = self.call("start", **head)
        self.client_address = f"ray://{self.address.rpartition(':')[0]}:{self.call('port')}"

    def call(self, method, **argument):
        """What one of its methods gives."""
        self.tell(method, argument)
        return self.answer()

    def close(self):
        """End all nodes."""
        self.call("end")
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


STANDING = []  # the cluster, while there is one


@pytest.fixture(scope="module")
def cluster():
    """A head that trains nothing, the same for all modules of this room."""
    if not STANDING:
        STANDING.append(Cluster())
    return STANDING[0]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """The cluster does not outlive the tests of this room: it is never quite idle."""
    if STANDING and (nextitem is None or HERE not in nextitem.path.parents):
        STANDING.pop().close()


@pytest.fixture(autouse=True)
def bridges_as_for_a_user(monkeypatch):
    """They end with the process that has started them, which a process that was forked does not."""
    forking = child.subprocess

    def start(command, **options):
        starter = subprocess if "mbsweep.accuracy.cluster.bridge" in command else forking
        return starter.Popen(command, **options)

    monkeypatch.setattr(child, "subprocess", SimpleNamespace(PIPE=subprocess.PIPE, Popen=start))


@pytest.fixture
def nodes(cluster):
    """Call it for another node, of one CPU; its `remove` switches it off, as all are in the end."""
    with coming_and_going(cluster) as add:
        yield add


@pytest.fixture(scope="module")
def pair(cluster):
    """The caches of two nodes, of one CPU and of two, which stay for all tests of a module."""
    with coming_and_going(cluster) as add:
        yield [Path(add(num_cpus=cpus)["cache"]) for cpus in (1, 2)]


@contextmanager
def coming_and_going(cluster):
    """Call it for another node, as `nodes`."""
    there = {}

    def add(**options):
        node = cluster.call("add", **options)
        there[node["number"]] = node["remove"] = lambda: remove(node["number"])
        return node

    def remove(number):
        del there[number]
        cluster.call("remove", number=number)

    try:
        yield add
    finally:
        for end in list(there.values()):
            end()
        cluster.call("settle")


@pytest.fixture
def spoilt(nodes, tmp_path):
    """Call it for a node whose Python runs some code as it starts, or finds another version of mbsweep."""

    def add(code="", version=None):
        folder = tmp_path / f"python{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(code)
        if version:
            told = folder / f"mbsweep-{version}.dist-info"
            told.mkdir()
            (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mbsweep\nVersion: {version}\n")
        return nodes(env={"PYTHONPATH": str(folder)})

    return add


@pytest.fixture
def told():
    """What the run is told."""
    return []


@pytest.fixture
def standing(told, monkeypatch):
    """Call it with (name, CPUs, GPUs) of nodes, within a loop; the seats."""
    monkeypatch.setattr(TakenSeat, "taken", StandIn)

    def stand(*given):
        found = Seats("head:1", {}, lambda what, argument: told.append((what, argument)))
        for name, cpus, gpus in given:
            join(found, name, cpus, gpus)
        return found

    return stand
