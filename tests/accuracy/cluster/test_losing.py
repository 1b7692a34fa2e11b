"""A cluster that is lost is said in one line of ours, whatever Ray says of it. Stand-ins for Ray."""

import asyncio
import sys
import time
from types import SimpleNamespace

import pytest
import ray

from mbsweep.accuracy.cluster import link, nodes
from mbsweep.accuracy.cluster.link import Link
from mbsweep.accuracy.cluster.nodes import Nodes
from mbsweep.base.errors import MbsweepError

GO_ON = "; what is done is kept: run the same command again, with --ray or without"
RAYS_LOG = "[2026-11-28 02:59:40,803 I 3297 3297] (raylet) grpc_client_manager.h:65: Starting gRPC client"


@pytest.fixture
def bridged(monkeypatch):
    """Call it with what a bridge's process does; the run's end of it."""
    links = []

    def start(code):
        monkeypatch.setattr(link, "_COMMAND", [sys.executable, "-c", f"import json, sys\n{code}"])
        links.append(Link("head:1"))
        return links[-1]

    yield start
    for one in links:
        one.__exit__()


def lost(started):
    """What is said of it, within half a minute."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        started.hear(10)
        try:
            started.check()
        except MbsweepError as error:
            return str(error)
    pytest.fail("nothing is said of its end")


def test_a_bridge_that_ray_has_ended_is_told_without_rays_log(bridged):
    """Its last line is about anything; the reason why Python has ended is told. What to do is, too, where
    something may be done already.
    """
    ready = 'print(json.dumps(["ready", []]), flush=True)\n'
    end = f"print({RAYS_LOG!r}, file=sys.stderr)\nsys.exit(1)"
    words = "the cluster at head:1 is lost: Ray's process ended: exit code 1"
    assert lost(bridged(ready + end)) == words + GO_ON
    assert lost(bridged(end)) == words
    assert lost(bridged("import not_there")) == f"{words}; ModuleNotFoundError: No module named 'not_there'"


def test_a_connection_through_a_client_that_breaks_is_not_asked_whether_it_is_there(monkeypatch):
    """The head is asked, which raises anything, and so would the question whether Ray is initialized."""

    def broken():
        raise RuntimeError(
            "<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.NOT_FOUND\n>"
        )

    monkeypatch.setattr(ray, "nodes", broken)
    monkeypatch.setattr(ray, "is_initialized", broken)
    with pytest.raises(
        MbsweepError, match=r"^the head of the cluster at ray://h:1 is lost: it does not answer$"
    ):
        asyncio.run(Nodes("ray://h:1", {}, pytest.fail, pytest.fail).look())


def node(name):
    """As Ray tells of one."""
    about = {"NodeID": name, "Alive": True, "Resources": {"CPU": 1.0}, "NodeManagerPort": 1}
    return about | {"NodeManagerHostname": name, "NodeManagerAddress": name}


def test_no_node_for_five_minutes_ends_the_run(monkeypatch):
    """Counted from when the last has gone: another may come until then. The clock is made up."""
    now, there, looks, said = [0.0], [node("node-a")], [], []
    monkeypatch.setattr(nodes, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(nodes, "_LOOKED_EVERY_S", 0.001)
    monkeypatch.setattr(ray, "nodes", lambda: looks.append(1) or list(there))

    async def meet(self, member, resources):
        member.about = nodes.Node(member.name, "a processor", 1, 0, {}, "")

    monkeypatch.setattr(Nodes, "_meet", meet)

    async def go():
        watching = asyncio.ensure_future(Nodes("head:1", {}, said.append, lambda member: None).watch())

        async def at(seconds, *alive):
            now[0], there[:] = seconds, [node(name) for name in alive]
            until = len(looks) + 3
            while len(looks) < until and not watching.done():
                await asyncio.sleep(0.001)
            return watching.done()

        assert not await at(1000, "node-a")
        assert not await at(1000)
        assert not await at(1299)
        assert not await at(1299, "node-b")
        assert not await at(2000, "node-b")
        assert not await at(2000)
        assert not await at(2299)
        assert await at(2301)
        watching.result()

    with pytest.raises(MbsweepError) as raised:
        asyncio.run(asyncio.wait_for(go(), 20))
    assert str(raised.value) == "the cluster at head:1 has had no node to train on for 5 minutes"
    assert said == [f"node-{one} has left the cluster; what it trained goes on elsewhere" for one in "ab"]
