"""The seats that a run has on the nodes of a cluster. Loads Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError

from mbsweep.accuracy.cluster.members import Member, SeatError, TakenSeat, is_full, words_of
from mbsweep.accuracy.cluster.nodes import Nodes
from mbsweep.accuracy.cluster.talking import Talking
from mbsweep.base.errors import MbsweepError, one_line

LOST = "lost"  # an answer beside those of a seat; its words say how

_IDLE_S = 60.0  # after which a seat is given back
_ROOM_S = 30.0  # to get a CPU of a node before another is tried; twice as long after each wait in vain
_MOST_WAITS = 3  # in vain that count
_LOOKED_EVERY_S = 1.0  # how far the epochs are
_LOOKS_PER_S = 50
_DYING_S = 5.0  # in which Ray finds out why a seat does not answer
_THERE_S = 20.0  # for a node to show that it still is: it starts a process


class Seats:
    """tell: the run, of a seat that is open, of an answer, of how far an epoch is."""

    def __init__(self, address: str, versions: dict[str, str], tell: Callable[[str, Any], None]) -> None:
        self.nodes = Nodes(address, versions, lambda words: tell("say", words), self._changed)
        self._tell, self._talking = tell, Talking()
        self._seats: dict[int, TakenSeat] = {}
        self._wanted, self._number, self._slots = 0, 0, 0
        self._has_said = False  # that others have what it waits for
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()  # of them, those that end a seat

    # What the run says

    def want(self, seats: int) -> None:
        """So many at most are of use now."""
        self._wanted = seats
        self._fill()

    def ask(self, number: int, method: str, told: dict[str, Any]) -> None:
        """Of a seat, which is not about anything; of one whose loss has been told there is no answer."""
        if seat := self._seats.get(number):
            seat.asked = self._start(self._answer(seat, method, told))

    def end(self, number: int) -> None:
        """A seat, whatever it is about."""
        if seat := self._seats.get(number):
            self._drop(seat)
            self._fill()

    async def close(self) -> None:
        """End them all, and wait for that; no others are taken meanwhile."""
        self._wanted = 0
        for seat in list(self._seats.values()):
            self._drop(seat)
        if self._ending:
            await asyncio.wait(self._ending)

    # What goes on meanwhile

    async def watch(self) -> None:
        """Tell how far the epochs are, not of all seats at once; give back seats that nobody needs; wait for
        room where there is some.
        """
        while True:
            for seat in list(self._seats.values()):
                idle_s = time.monotonic() - seat.idle_since
                if seat.is_open and seat.asked:
                    await self._look(seat)
                elif seat.is_open and idle_s > _IDLE_S and len(self._seats) > self._wanted:
                    self._lose(seat, "it was given back")
                elif seat.number in self._seats and not seat.has_room:
                    self._wait(seat)
            await asyncio.sleep(_LOOKED_EVERY_S)

    async def _look(self, seat: TakenSeat) -> None:
        before = seat.share
        with suppress(Exception):  # who waits for its answer hears of it
            await asyncio.wait_for(seat.look(), _LOOKED_EVERY_S)
        if seat.share != before and seat.asked:
            self._tell("share", [seat.number, seat.share])
        await asyncio.sleep(1 / _LOOKS_PER_S)

    def _changed(self, member: Member) -> None:
        """A node has come, gone, or is not to be used any more; nor are others where it has the first GPU."""
        usable = set(self.nodes.usable())
        for seat in list(self._seats.values()):
            if seat.member.has_gone:
                self._lose(seat, f"{seat.member.name} has left the cluster")
            elif seat.member not in usable and (not seat.asked or not seat.has_room):
                self._lose(seat, f"{seat.member.name} is not used any more")
        self._fill()

    def _fill(self) -> None:
        """Take seats until there are as many as the run wants."""
        slots = sum(member.slots for member in self.nodes.usable())
        if slots != self._slots:
            self._slots = slots
            self._tell("slots", slots)
        while len(self._seats) < self._wanted:
            if (member := self._best()) is None:
                return
            self._take(member)

    def _best(self, but: Member | None = None) -> Member | None:
        """The node for the next seat: one of which others do not have all, as far as is known; of these the
        emptiest. None where the run has all seats of each.
        """
        found = [one for one in self.nodes.usable() if len(one.seats) < one.slots and one is not but]
        return min(found, key=lambda one: (one.waits, len(one.seats) - one.slots), default=None)

    def _take(self, member: Member) -> None:
        self._number += 1
        self._seats[self._number] = seat = TakenSeat.taken(self._number, member)
        self._begin_to_wait(seat)
        seat.asked = self._start(self._open(seat))

    def _begin_to_wait(self, seat: TakenSeat) -> None:
        seat.since = time.monotonic()
        seat.until = seat.since + _ROOM_S * 2**seat.member.waits

    def _wait(self, seat: TakenSeat) -> None:
        """For a CPU of a node, or of another: Ray gives them to whoever asks first, also to other runs, and
        a seat that waits at one node would not see that another has some. Seats that wait at one node at the
        same time wait in vain once, together.
        """
        member, now = seat.member, time.monotonic()
        if len(self._seats) > self._wanted:
            self._drop(seat)
        elif now > seat.until:
            if seat.since >= member.waited_at:
                member.waits, member.waited_at = min(member.waits + 1, _MOST_WAITS), now
            if not self._has_said and not any(one.has_room for one in self._seats.values()):
                self._say_that_it_waits(seat)
            other = self._best(but=member)
            if other and other.waits <= member.waits:
                self._drop(seat)
                self._take(other)
            else:
                self._begin_to_wait(seat)

    def _say_that_it_waits(self, seat: TakenSeat) -> None:
        name, units = seat.member.name, "GPUs" if seat.member.with_gpu else "CPUs"
        since = f"nothing has begun on {name} for {time.monotonic() - seat.since:.0f} s"
        self._tell("say", f"{since}: others may have its {units}; waits for them, or another node's")
        self._has_said = True

    async def _open(self, seat: TakenSeat) -> None:
        try:
            await seat.look()  # which is answered as soon as it has its CPU
            seat.has_room, seat.member.waits = True, 0
            device, versions = await seat.value("open")
        except Exception as error:
            self._drop(seat)
            reason = f"nothing can be started there: {words_of(error)}"
            if is_full(error):
                self.nodes.full(seat.member, reason)
            elif isinstance(error, SeatError | RayTaskError) or getattr(error, "actor_init_failed", False):
                self.nodes.failed(seat.member, reason)
            else:  # it ended with its node, perhaps
                self.nodes.silent(seat.member, reason)
            await asyncio.sleep(1)
            self._fill()
            return
        seat.is_open, seat.asked, seat.idle_since = True, None, time.monotonic()
        told = {"number": seat.number, "node": seat.member.name, "threads": seat.threads}
        self._tell("seat", told | {"device": device, "versions": versions})
        self._let_go(seat)

    async def _answer(self, seat: TakenSeat, method: str, told: dict[str, Any]) -> None:
        """Put a question of the run to a seat, and tell the answer."""
        try:
            found: dict[str, Any] = {"value": await self._talking.answer(seat, method, told)}
            seat.member.failures = 0
        except SeatError as error:
            found = {error.kind: error.argument}
            if error.kind == "error" and error.argument[0] == MbsweepError.__name__:
                # It is about the node: its disk is full, or the like. Elsewhere the same may go well.
                found = {LOST: error.words}
                self.nodes.exclude(seat.member, error.argument[1])
        except RayTaskError as error:  # before OSError: as which one there is raised here, too
            found = {"error": [type(error.cause).__name__, one_line(error.cause, 500)]}
        except (
            ConnectionError
        ):  # of ray://; who asks the head for its nodes hears of it, too, and that ends all
            return
        except (MbsweepError, OSError) as error:
            found = {"error": [MbsweepError.__name__, str(error)]}
        except Exception as error:
            found = await self._how_it_ended(seat, error)
        seat.asked, seat.share, seat.idle_since = None, 0.0, time.monotonic()
        if LOST in found:
            self._drop(seat)
        self._tell("answer", [seat.number, found])
        self._let_go(seat)
        self._fill()

    def _let_go(self, seat: TakenSeat) -> None:
        """End a seat whose node is there, and not to be used any more."""
        member = seat.member
        if seat.number in self._seats and not member.silent_until and member not in self.nodes.usable():
            self._lose(seat, f"{member.name} is not used any more")

    async def _how_it_ended(self, seat: TakenSeat, error: Exception) -> dict[str, Any]:
        """An answer: a seat ended with its node; or alone, which is the fault of what it was about."""
        until = time.monotonic() + _DYING_S
        while isinstance(error, ActorUnavailableError) and time.monotonic() < until:
            await asyncio.sleep(0.5)
            try:
                await seat.look()
            except Exception as now:
                error = now
            else:
                break
        name, said = seat.member.name, str(error)
        if was_full := is_full(error):
            self._tell("say", f"Ray ended a training on {name}, because the memory there is full")
            self.nodes.full(seat.member, words_of(error))  # no failure: this seat was open
        is_alone = isinstance(error, ActorDiedError) and "worker process has died" in said
        if was_full or (is_alone and await _is_there(seat.member)):
            how = "Ray ended it, because the memory there is full" if was_full else "out of memory?"
            return {"crash": f"the process of the training's seat on {name} ended ({how})"}
        self.nodes.silent(seat.member, f"its seats end: {one_line(said, 200)}")
        return {LOST: f"{name} does not answer any more"}

    def _lose(self, seat: TakenSeat, words: str) -> None:
        """End a seat, which the run has not ended."""
        self._drop(seat)
        if seat.is_open:
            self._tell("answer", [seat.number, {LOST: words}])

    def _drop(self, seat: TakenSeat) -> None:
        self._seats.pop(seat.number, None)
        seat.member.seats.discard(seat)
        if seat.asked and seat.asked is not asyncio.current_task():
            seat.asked.cancel()
        ending = self._start(seat.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _is_there(member: Member) -> bool:
    """Whether a node still is: does it do what it is asked to?"""

    def nothing() -> None:
        pass

    asked = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=member.there())(nothing)
    try:
        await asyncio.wait_for(asyncio.wrap_future(asked.remote().future()), _THERE_S)
    except Exception as error:
        return is_full(error)  # it said no
    return True
