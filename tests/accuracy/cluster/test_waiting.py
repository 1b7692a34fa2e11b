"""What a run does where nodes have no room for it, or no memory; nodes and seats are stand-ins."""

import asyncio
import re
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
import ray
from ray.exceptions import OutOfMemoryError
from seat_stand_in import StandIn, answered, join, settled

from mbsweep.accuracy.cluster import nodes, seats
from mbsweep.accuracy.cluster.looking import versions_here


async def watched(found, until):
    """The seats are looked after until something is so."""
    watching = asyncio.ensure_future(found.watch())
    while not until():
        await asyncio.sleep(0.001)
    watching.cancel()


@pytest.fixture
def quick(monkeypatch):
    """Seats are looked after all the time, and wait a hundredth of a second for a CPU."""
    monkeypatch.setattr(seats, "_LOOKED_EVERY_S", 0.001)
    monkeypatch.setattr(seats, "_ROOM_S", 0.01)


def names(found):
    """Where there are seats, and whether they are open."""
    return sorted((seat.member.name, seat.is_open) for seat in found._seats.values())


@pytest.mark.usefixtures("quick")
def test_a_seat_does_not_wait_at_a_full_node_while_another_is_idle(standing, monkeypatch):
    """Another run has the CPUs of one, which Ray does not tell."""
    monkeypatch.setattr(StandIn, "full", ("node-a",))

    async def go():
        found = standing(("node-a", 2, 0), ("node-b", 1, 0))
        found.want(2)
        await watched(found, lambda: ("node-b", True) in names(found))
        return names(found)

    assert asyncio.run(asyncio.wait_for(go(), 20)) == [("node-a", False), ("node-b", True)]


@pytest.mark.usefixtures("quick")
def test_where_others_have_all_a_run_waits_for_the_first_that_is_free(standing, told, monkeypatch):
    """With a line; at whichever node that is. What it wants no more it does not wait for, either."""
    monkeypatch.setattr(StandIn, "full", ("node-a", "node-b"))

    async def go():
        found = standing(("node-a", 1, 0), ("node-b", 1, 0))
        found.want(1)
        for name in ("node-b", "node-a", "node-b"):
            await watched(found, lambda name=name: names(found) == [(name, False)])
        monkeypatch.setattr(StandIn, "full", ("node-b",))
        await watched(found, lambda: names(found) == [("node-a", True)])
        found.want(2)
        assert names(found) == [("node-a", True), ("node-b", False)]
        found.want(1)
        await watched(found, lambda: names(found) == [("node-a", True)])

    asyncio.run(asyncio.wait_for(go(), 20))
    tail = "others may have its CPUs; waits for them, or another node's"
    (words,) = [words for what, words in told if what == "say"]
    assert re.fullmatch(rf"nothing has begun on node-a for \d+ s: {tail}", words)


@pytest.mark.usefixtures("quick")
def test_where_others_have_gpus_these_are_what_it_waits_for(standing, told, monkeypatch):
    """Not the CPUs of that node."""
    monkeypatch.setattr(StandIn, "full", ("node-a",))

    async def go():
        found = standing(("node-a", 8, 2))
        found.want(2)
        await watched(found, lambda: any(what == "say" for what, _ in told))

    asyncio.run(asyncio.wait_for(go(), 20))
    assert ": others may have its GPUs; waits for them, or another node's" in dict(told)["say"]


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        """As of `time`."""
        return self.now

    async def pass_s(self, found, duration_s):
        """Second by second, in each of which the seats are looked after once."""
        for _ in range(duration_s):
            self.now += 1
            for seat in list(found._seats.values()):
                if seat.number in found._seats and not seat.has_room:
                    found._wait(seat)
            await settled()


@pytest.fixture
def clock(monkeypatch):
    """What the seats go by."""
    found = Clock()
    monkeypatch.setattr(seats, "time", found)
    return found


def test_seats_that_wait_at_one_node_leave_it_together(standing, clock, monkeypatch):
    """After half a minute another has them all, not one more each time."""
    monkeypatch.setattr(StandIn, "full", ("node-a",))

    async def go():
        found = standing(("node-a", 8, 0), ("node-b", 8, 0))
        found.want(8)
        await settled()
        before = names(found)
        await clock.pass_s(found, 31)
        return before, names(found)

    waiting, there = [("node-a", False)] * 4, [("node-b", True)] * 4
    assert asyncio.run(go()) == (waiting + there, there * 2)


def test_however_many_have_waited_at_a_node_it_is_tried_again(standing, clock, monkeypatch):
    """Within four minutes of when the other is full: 30 s, 60 s and 120 s."""
    monkeypatch.setattr(StandIn, "full", ("node-a",))

    async def go():
        found = standing(("node-a", 8, 0), ("node-b", 8, 0))
        found.want(16)
        await clock.pass_s(found, 600)
        assert names(found) == [("node-a", False)] * 8 + [("node-b", True)] * 8
        for number in list(found._seats):
            found.want(0)
            found.end(number)
        monkeypatch.setattr(StandIn, "full", ("node-b",))
        found.want(1)
        await clock.pass_s(found, 209)
        before = names(found)
        await clock.pass_s(found, 5)
        return before, names(found)

    assert asyncio.run(go()) == ([("node-b", False)], [("node-a", True)])


def test_a_seat_does_not_wait_at_a_node_that_may_have_gone(standing, monkeypatch):
    """Another that is there takes its place at once."""
    monkeypatch.setattr(StandIn, "full", ("node-a",))

    async def go():
        found = standing(("node-a", 2, 0))
        found.want(1)
        await settled()
        join(found, "node-b", 1)
        assert names(found) == [("node-a", False)]
        found.nodes.silent(found.nodes._members["node-a"], "its seats end")
        await settled()
        return names(found)

    assert asyncio.run(go()) == [("node-b", True)]


# The beginning of what Ray's memory monitor says, in Ray 2.60.
FULL = OutOfMemoryError(
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: "
)


def test_a_seat_that_ends_for_want_of_memory_is_a_crash_that_is_told(standing, told):
    """Of what was trained there, as where the kernel ends a training on this machine: three are too many. So
    the next try is elsewhere, be it on a node that has less room.
    """

    async def go():
        found = standing(("node-a", 4, 0), ("node-b", 1, 0))
        found.want(1)
        await settled()
        await answered(found, FULL)
        found.end(1)
        await settled()
        return names(found), found.nodes._members["node-a"].failures

    assert asyncio.run(go()) == ([("node-b", True)], 0)
    ((_, answer),) = [argument for what, argument in told if what == "answer"]
    how = "Ray ended it, because the memory there is full"
    assert answer == {"crash": f"the process of the training's seat on node-a ended ({how})"}
    assert [words for what, words in told if what == "say"] == [
        "Ray ended a training on node-a, because the memory there is full",
        "node-a has no memory for another training; it is tried again in 40 s",
    ]


async def three_that_are_killed(found, member):
    """Seats, as they open, one after another."""
    for number in (100, 101, 102):
        seat = StandIn(number, member)
        seat.opens = FULL
        with pytest.raises(asyncio.TimeoutError):  # it tries again a second later
            await asyncio.wait_for(found._open(seat), 0.01)
        assert not member.is_usable
        member.silent_until = 0.0


def test_a_node_without_memory_is_left_alone_for_a_while(standing, told):
    """Where a seat cannot even be started. It is said once; three times in a row are enough to exclude it, in
    words of ours.
    """

    async def go():
        found = standing(("node-a", 4, 0))
        member = found.nodes._members["node-a"]
        await three_that_are_killed(found, member)
        return member.about.why_not

    why = "nothing can be started there: the memory there is full, and Ray ends what is started"
    reason = f"gets no more to train: {why}"
    assert asyncio.run(go()) == reason
    assert [words for what, words in told if what == "say"] == [
        "node-a has no memory for another training; it is tried again in 40 s",
        f"node-a {reason}; what it trained goes on elsewhere",
    ]


def test_a_node_whose_memory_holds_some_trainings_keeps_them(standing, told):
    """And is used on, though none is answered before it could not hold another for three times."""

    async def go():
        found = standing(("node-a", 4, 0))
        found.want(1)
        await settled()
        found.ask(1, "epoch", {})
        member = found.nodes._members["node-a"]
        await three_that_are_killed(found, member)
        return names(found), member.about.why_not

    assert asyncio.run(go()) == ([("node-a", True)], "")
    assert [words for what, words in told if what == "say"] == [
        "node-a has no memory for another training; it is tried again in 40 s"
    ]


KILLED = "cannot be asked what it is: the memory there is full, and Ray ends what is started"
AGAIN = "node-a has no memory for another training; it is tried again in 0 s"


@pytest.mark.parametrize(
    ("only_look", "kills", "why_not", "told"),
    [
        (False, 2, "", [AGAIN]),
        (False, 3, KILLED, [AGAIN, f"node-a is not used: it {KILLED}"]),
        (True, 1, KILLED, [f"node-a is not used: it {KILLED}"]),
    ],
)
def test_a_node_whose_memory_is_full_when_it_joins_is_asked_again(
    only_look, kills, why_not, told, monkeypatch
):
    """Up to three times; once by `plan`, which says what is. A stand-in for Ray kills what it is to start."""
    monkeypatch.setattr(nodes, "_SILENT_S", 0.001)
    node = {"NodeID": "a" * 56, "Alive": True, "Resources": {"CPU": 2.0}}
    node |= {"NodeManagerHostname": "node-a", "NodeManagerAddress": "10.0.0.1", "NodeManagerPort": 1}
    said, versions = [], versions_here()
    answers = [FULL] * kills + [{"versions": versions, "processor": "a processor", "has_cache": True}]

    def start():
        future, answer = Future(), answers.pop(0)
        (future.set_exception if answer is FULL else future.set_result)(answer)
        return SimpleNamespace(future=lambda: future)

    monkeypatch.setattr(ray, "nodes", lambda: [node])
    monkeypatch.setattr(ray, "remote", lambda **options: lambda function: SimpleNamespace(remote=start))
    known = nodes.Nodes("head:1", versions, said.append, lambda member: None).known(only_look)
    assert [one.why_not for one in asyncio.run(known)] == [why_not]
    assert said == told
