"""Which seats a run has, whatever comes of them: nodes and seats are stand-ins, what asks them is real."""

import asyncio
import threading
import time

import pytest
import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError

from mbsweep.accuracy.cluster import nodes, parcels, seats
from mbsweep.accuracy.cluster.looking import Node
from mbsweep.accuracy.cluster.members import Member, SeatError, TakenSeat
from mbsweep.accuracy.cluster.nodes import Nodes
from mbsweep.accuracy.cluster.parcels import Sender
from mbsweep.accuracy.cluster.seats import Seats
from mbsweep.base.errors import MbsweepError


class StandIn(TakenSeat):
    """A seat that opens at once, and answers what `answers` says when that is there."""

    full = ()  # names of nodes all of whose CPUs another run has

    def __init__(self, number, member):
        super().__init__(number, member, None, 1)
        self.answers, self.opens = asyncio.Queue(), None
        member.seats.add(self)
        self.waits = asyncio.Event()  # for a CPU that another run has
        if member.name not in self.full:
            self.waits.set()

    async def call(self, method, *arguments):
        """The next of them; raised where it is an error."""
        if self.opens:
            raise self.opens
        if method == "share":
            await self.waits.wait()
            return 0.0
        if method == "open":
            return {"value": [{"id": "x"}, {}]}
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return {"value": answer}

    async def end(self):
        """Whatever it is about."""
        await asyncio.sleep(0.01)
        self.has_ended = True


@pytest.fixture
def told():
    """What the run is told."""
    return []


@pytest.fixture
def standing(told, monkeypatch):
    """Call it with (name, CPUs, GPUs) of nodes, within a loop; the seats."""
    monkeypatch.setattr(seats.TakenSeat, "taken", StandIn)

    def stand(*given):
        found = Seats("head:1", {}, lambda what, argument: told.append((what, argument)))
        for name, cpus, gpus in given:
            join(found, name, cpus, gpus)
        return found

    return stand


def join(found, name, cpus, gpus=0):
    """Another node, which is known."""
    member = Member(name, name, about=Node(name, "a processor", cpus, gpus, {}, ""))
    found.nodes._members[name] = member
    found._changed(member)
    return member


async def settled():
    """Whatever can go on without time has gone on."""
    for _ in range(100):
        await asyncio.sleep(0)


async def answered(found, *answers):
    """All that seats were asked for is answered, each of them so."""
    for number in found._seats:
        found.ask(number, "epoch", {})
    for seat, answer in zip(list(found._seats.values()), answers, strict=True):
        seat.answers.put_nowait(answer)
    await settled()


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
    said = "others have the CPUs of node-a; waits for them, or another node's"
    assert [words for what, words in told if what == "say"] == [said]


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
