"""One cluster for all tests of this room, and nodes for each."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mbsweep.base import child
from mbsweep.base.child import Child

HERE = Path(__file__).parent


class Cluster(Child):
    """The process of `nodes.py`."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="mr-", dir="/tmp")  # short: Ray makes sockets in it
        command = [sys.executable, str(HERE / "nodes.py"), self.folder]
        super().__init__(command, "the cluster", {"TMPDIR": self.folder})
        self.address = self.call("start")

    def call(self, method, **argument):
        """What one of its methods gives."""
        self.tell(method, argument)
        return self.answer()

    def close(self):
        """End all nodes."""
        self.call("end")
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster():
    """A head that trains nothing."""
    found = Cluster()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def started_as_for_a_user(monkeypatch):
    """The bridge is: it ends with the process that has started it."""
    monkeypatch.setattr(child, "subprocess", subprocess)


@pytest.fixture
def nodes(cluster):
    """Call it for another node, of one CPU; in the end all are removed."""
    added = []

    def add(**options):
        added.append(cluster.call("add", **options))
        return added[-1]

    yield add
    for node in added:
        if not node.get("removed"):
            cluster.call("remove", number=node["number"])
