"""What a run does where nodes have no room for it, or no memory; nodes and seats are stand-ins."""

import asyncio

import pytest
from ray.exceptions import OutOfMemoryError
from seat_stand_in import StandIn, answered, settled

from mbsweep.accuracy.cluster import seats


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
    said = "nothing has begun on node-a for 0 s: others may have its CPUs; waits for them, or another node's"
    assert [words for what, words in told if what == "say"] == [said]


@pytest.mark.usefixtures("quick")
def test_where_others_have_gpus_these_are_what_it_waits_for(standing, told, monkeypatch):
    """Not the CPUs of that node."""
    monkeypatch.setattr(StandIn, "full", ("node-a",))

    async def go():
        found = standing(("node-a", 8, 2))
        found.want(2)
        await watched(found, lambda: any(what == "say" for what, _ in told))

    asyncio.run(asyncio.wait_for(go(), 20))
    said = "nothing has begun on node-a for 0 s: others may have its GPUs; waits for them, or another node's"
    assert dict(told)["say"] == said


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


# The beginning of what Ray's memory monitor says, in Ray 2.60.
FULL = OutOfMemoryError(
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: "
)


def test_a_seat_that_ends_for_want_of_memory_is_a_crash_that_is_told(standing, told):
    """Of what was trained there, as where the kernel ends a training on this machine: three are too many."""

    async def go():
        found = standing(("node-a", 1, 0))
        found.want(1)
        await settled()
        await answered(found, FULL)

    asyncio.run(go())
    ((_, answer),) = [argument for what, argument in told if what == "answer"]
    how = "Ray ended it, because the memory there is full"
    assert answer == {"crash": f"the process of the training's seat on node-a ended ({how})"}
    assert [words for what, words in told if what == "say"] == [
        "Ray ended a training on node-a, because the memory there is full"
    ]


def test_a_node_without_memory_is_left_alone_for_a_while(standing, told):
    """Where a seat cannot even be started. It is said once; three times in a row are enough to exclude it, in
    words of ours.
    """

    async def go():
        found = standing(("node-a", 4, 0))
        member = found.nodes._members["node-a"]
        for number in range(3):
            seat = StandIn(number, member)
            seat.opens = FULL
            with pytest.raises(asyncio.TimeoutError):  # it tries again a second later
                await asyncio.wait_for(found._open(seat), 0.01)
            assert not member.is_usable
            member.silent_until = 0.0
        return member.about.why_not

    why = "nothing can be started there: the memory there is full, and Ray ends what is started"
    reason = f"gets no more to train: {why}"
    assert asyncio.run(go()) == reason
    assert [words for what, words in told if what == "say"] == [
        "node-a has no memory left; what it trained goes on elsewhere",
        f"node-a {reason}; what it trained goes on elsewhere",
    ]


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
