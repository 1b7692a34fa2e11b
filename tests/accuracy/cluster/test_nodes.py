"""Nodes on which nothing can be trained, each in a line; and clusters that are not there."""

import importlib.metadata
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
from brightness import on_cores, sweep_text
from clusters import Told, run
from conftest import Cluster
from console import curves, finish

import mbsweep
from mbsweep.accuracy.cluster import connecting
from mbsweep.accuracy.cluster.looking import versions_here, why_not
from mbsweep.accuracy.cluster.pool import RayPool
from mbsweep.base.errors import MbsweepError
from mbsweep.sweep.sweep import parse_sweep

LACKS = """
from importlib.machinery import PathFinder
found = PathFinder.find_spec
PathFinder.find_spec = classmethod(lambda _, name, *to: None if name == "safetensors" else found(name, *to))
"""


def test_a_node_that_is_set_up_otherwise_is_told_of_before_any_work(cluster, spoilt, tmp_path, monkeypatch):
    """A package that is missing there, another version of mbsweep: what to do about it, and where."""
    monkeypatch.chdir(tmp_path)  # Ray lets nodes look for packages where the run was started, before all else
    spoilt(LACKS)
    spoilt(version="9.9")
    pool = RayPool(cluster.address)
    version = importlib.metadata.version("mbsweep")
    install = f"pip install 'mbsweep[train]=={version}'"
    reasons = {node.why_not for node in pool.look()}
    assert f"lacks safetensors; run there: {install}" in reasons
    assert f"has mbsweep 9.9, and this machine {version}; there: {install}" in reasons
    with pytest.raises(MbsweepError, match=r"no node of the cluster at .* can train: .* \(and 1 more\)$"):
        pool.check()


def test_a_lost_head_costs_an_epoch(images, undisturbed, tmp_path):
    """It is said in a line; what is done is kept, and the run goes on without a cluster."""
    cluster = Cluster(num_cpus=1)
    told = Told(lambda epoch: cluster.call("remove_head") if epoch == 2 else None)
    with pytest.raises(MbsweepError, match=f"^[^\n]*cluster at {cluster.address} is lost[^\n]*$"):
        run(sweep_text(images), tmp_path / "run", cluster.address, told)
    cluster.close()
    known = curves(tmp_path / "run")
    assert 2 <= len(known) < 12
    assert known.items() <= curves(undisturbed).items()
    with on_cores(2):
        mbsweep.run(parse_sweep(sweep_text(images), "trained"), tmp_path / "run", jobs=2)
    assert curves(tmp_path / "run") == curves(undisturbed)


def test_nobody_at_the_address():
    """Within some seconds, not the minutes for which Ray would try."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
            with pytest.raises(MbsweepError, match=f"^nobody is at {address}: Connection refused; start"):
                RayPool(address).check()


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("auto", ConnectionError("Could not find"), "no Ray cluster runs on this machine; start one with"),
        (
            "h:1",
            RuntimeError("Version mismatch: The cluster was started with:\n  Ray: 2.9.0"),
            "the cluster at h:1 has another version of Ray or Python: Version mismatch: The cluster was",
        ),
        (
            "h:1",
            RuntimeError("No node info found matching attributes"),
            "this machine is no node of the cluster at h:1: run `ray start --address=h:1 --num-cpus=0` here",
        ),
        ("h:1", ValueError("odd\nlines"), "the Ray cluster at h:1 cannot be used: ValueError: odd lines"),
    ],
)
def test_what_ray_says_is_said_in_a_line(address, error, words, monkeypatch):
    """With what to do. A stand-in for Ray raises what Ray does."""

    def init(**options):
        raise error

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    with pytest.raises(MbsweepError) as raised:
        connecting.connect(address, None)
    assert str(raised.value).startswith(words)
    assert "\n" not in str(raised.value)


def test_versions_that_train_alike():
    """Builds of PyTorch for other devices, and corrections of Python; nothing else."""
    here = versions_here() | {"torch": "2.9.1+cpu", "python": "3.11.7"}
    assert why_not(here | {"torch": "2.9.1+cu130", "python": "3.11.9"}, here) == ""
    torch = "has torch 2.10.0, and this machine 2.9.1+cpu; there: pip install torch==2.9.1"
    assert why_not(here | {"torch": "2.10.0"}, here) == torch
    python = "has python 3.12.1, and this machine 3.11.7; there: use Python 3.11"
    assert why_not(here | {"python": "3.12.1"}, here) == python


def test_the_run_loads_neither_ray_nor_torch():
    """Nor does asking what the cluster has."""
    script = "import sys, mbsweep.accuracy.cluster.pool; print({'ray', 'torch'} & set(sys.modules))"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    assert finish(subprocess.Popen([sys.executable, "-c", script], **pipes)) == (0, "set()\n", "")
