"""Which seats a run has, whatever comes of them: nodes and seats are stand-ins, what asks them is real."""

import asyncio
import queue
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import ray
from ray.exceptions import ActorDiedError, RayTaskError
from seat_stand_in import StandIn, answered, join, settled

from mbsweep.accuracy.cluster import bridge, nodes, parcels
from mbsweep.accuracy.cluster.members import SeatError
from mbsweep.accuracy.cluster.nodes import Nodes
from mbsweep.accuracy.cluster.parcels import Sender
from mbsweep.base.errors import MbsweepError


def test_a_node_that_goes_is_no_node_whose_seats_end(standing, told):
    """All its seats end with it, before Ray says that it has gone. One line; it is not excluded for good,
    which would end a run that has no other: it, or another in its place, may come back.
    """

    async def go():
        found = standing(("node-a", 4, 0))
        found.want(4)
        await settled()
        await answered(found, *[ActorDiedError()] * 4)
        return found

    found = asyncio.run(go())
    assert [argument[1].keys() for what, argument in told if what == "answer"] == [{"lost"}] * 4
    assert [words for what, words in told if what == "say"] == [
        "node-a does not answer any more; what it trained goes on elsewhere"
    ]
    assert found.nodes._members["node-a"].about.why_not == ""


def test_an_excluded_node_trains_no_more(standing, told):
    """Its seats end with what they are about, whose answer is kept."""

    async def go():
        found = standing(("node-a", 1, 0))
        found.want(1)
        await settled()
        found.ask(1, "epoch", {})
        found.nodes.exclude(found.nodes._members["node-a"], "its disk is full")
        found._seats[1].answers.put_nowait({"epoch": 1})
        await settled()

    asyncio.run(go())
    lost = {"lost": "node-a is not used any more"}
    answers = [argument for what, argument in told if what == "answer"]
    assert answers == [[1, {"value": {"epoch": 1}}], [1, lost]]


def test_where_there_are_gpus_they_alone_train(standing, told):
    """Also where a node without one was there first."""

    async def go():
        found = standing(("node-a", 2, 0))
        found.want(2)
        await settled()
        found.ask(1, "epoch", {})
        join(found, "gpu", 8, 2)
        await settled()
        found._seats[1].answers.put_nowait({"epoch": 1})
        await settled()
        return found

    found = asyncio.run(go())
    assert [seat.member.name for seat in found._seats.values()] == ["gpu", "gpu"]


def test_what_goes_wrong_on_a_node_does_not_end_the_run(standing, told):
    """An OSError there is raised here as one, too, by Ray."""
    there = RayTaskError("rest", "traceback", FileNotFoundError(2, "No such file")).as_instanceof_cause()
    assert isinstance(there, OSError)

    async def go():
        found = standing(("node-a", 1, 0))
        found.want(1)
        await settled()
        await answered(found, there)

    asyncio.run(go())
    ((_, (_, answer)),) = [one for one in told if one[0] == "answer"]
    assert answer["error"][0] == "FileNotFoundError"


def test_a_connection_that_breaks_is_said_once(standing, told, monkeypatch):
    """Of ray://: as a head that is lost, not as what went wrong with each training."""

    def lost():
        raise ConnectionError("Request can't be sent because the Ray client has already been disconnected")

    monkeypatch.setattr(ray, "nodes", lost)

    async def go():
        found = standing(("node-a", 1, 0))
        found.want(1)
        await settled()
        await answered(found, ConnectionError("Request can't be sent"))
        await found.nodes.look()

    with pytest.raises(
        MbsweepError, match=r"^the head of the cluster at head:1 is lost: it does not answer$"
    ):
        asyncio.run(go())
    assert "answer" not in dict(told)


def test_a_head_is_asked_while_large_files_are_read(monkeypatch):
    """However many threads are busy with them: it is not taken for lost."""
    monkeypatch.setattr(nodes, "_HEAD_S", 0.5)
    monkeypatch.setattr(ray, "nodes", list)
    read = threading.Event()

    async def go():
        files = [asyncio.ensure_future(asyncio.to_thread(read.wait, 10)) for _ in range(64)]
        try:
            await Nodes("head:1", {}, pytest.fail, pytest.fail).look()
        finally:
            read.set()
            await asyncio.gather(*files)

    asyncio.run(go())


def test_a_file_is_read_once_for_its_hash(tmp_path, monkeypatch):
    """Also where several trainings that need it begin at the same moment."""
    path, hashed, sha256 = tmp_path / "images", [], parcels._sha256
    path.write_bytes(b"images")

    def slowly(path):
        hashed.append(path)
        time.sleep(0.05)
        return sha256(path)

    monkeypatch.setattr(parcels, "_sha256", slowly)
    sender = Sender()
    threads = [threading.Thread(target=sender.of_files, args=([path],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hashed == [path]


def test_seats_that_end_with_their_node_as_they_open_are_one_failure(standing, told):
    """Where nothing can be started on a node, three of them are enough to exclude it."""

    async def go(error):
        found = standing(("node-a", 4, 0))
        for seat in [StandIn(number, found.nodes._members["node-a"]) for number in range(3)]:
            seat.opens = error
            with pytest.raises(asyncio.TimeoutError):  # it tries again a second later
                await asyncio.wait_for(found._open(seat), 0.01)
        return found.nodes._members["node-a"].about.why_not

    assert asyncio.run(go(ActorDiedError())) == ""
    reason = "gets no more to train: nothing can be started there: no memory"
    assert asyncio.run(go(SeatError("crash", "no memory"))) == reason


def test_a_run_that_ends_waits_until_its_seats_have(standing, told):
    """Those that it gives back, and those that it has ended just before: their files are removed there."""

    async def go():
        found = standing(("node-a", 2, 0))
        found.want(2)
        await settled()
        ended = list(found._seats.values())
        found.ask(1, "epoch", {})
        found.want(0)
        found.end(1)
        await found.close()
        return [seat.has_ended for seat in ended], found._seats, [seat.member.seats for seat in ended]

    assert asyncio.run(go()) == ([True, True], {}, [set(), set()])
    assert "answer" not in dict(told)


def test_a_run_that_ends_takes_no_more_seats(standing):
    """Be it that a node joins while it waits for those that it had."""

    async def go():
        found = standing(("node-a", 1, 0))
        found.want(2)
        closing = asyncio.ensure_future(found.close())
        await asyncio.sleep(0)
        join(found, "node-b", 1)
        await closing
        return found._seats

    assert asyncio.run(go()) == {}


def test_a_run_that_cannot_go_on_ends_its_seats_too(standing, monkeypatch):
    """No node can train any more; what is at work on one is ended as when the run itself ends."""
    node = {"NodeID": "node-a", "Alive": True, "Resources": {"CPU": 1.0}}
    monkeypatch.setattr(ray, "nodes", lambda: [node])
    asked, before = queue.SimpleQueue(), threading.enumerate()
    monkeypatch.setattr(sys, "stdin", iter(asked.get, None))

    async def go():
        found = standing(("node-a", 1, 0))
        monkeypatch.setattr(bridge, "Seats", lambda *given: found)
        found.want(1)
        await settled()
        found.ask(1, "epoch", {})
        seat = found._seats[1]

        def tell(what, argument):
            found.nodes.exclude(seat.member, "its disk is full")

        with pytest.raises(
            MbsweepError, match=r"^no node of the cluster at head:1 can train: node-a gets no"
        ):
            await bridge._serve({"address": "head:1", "versions": {}}, SimpleNamespace(tell=tell))
        asked.put(None)
        for thread in set(threading.enumerate()) - {*before}:
            if thread.name.endswith("(read)"):  # which speaks to this loop in its end
                thread.join()
        return seat.has_ended

    assert asyncio.run(go())
