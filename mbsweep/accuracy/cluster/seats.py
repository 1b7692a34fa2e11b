"""The seats that a run has on the nodes of a cluster. Loads Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayTaskError

from mbsweep.accuracy.cluster.members import Member, Place, SeatError
from mbsweep.accuracy.cluster.nodes import Nodes
from mbsweep.accuracy.cluster.talking import Talking
from mbsweep.base.errors import MbsweepError, one_line

LOST = "lost"  # an answer beside those of a seat; its words say how

_IDLE_S = 60.0  # after which a seat is given back
_LOOKED_EVERY_S = 1.0  # how far the epochs are
_LOOKS_PER_S = 50
_DYING_S = 5.0  # in which Ray finds out why a seat does not answer
_THERE_S = 20.0  # for a node to show that it still is: it starts a process


class Seats:
    """tell: the run, of a seat that is open, of an answer, of how far an epoch is."""

    def __init__(self, address: str, versions: dict[str, str], tell: Callable[[str, Any], None]) -> None:
        self.nodes = Nodes(address, versions, lambda words: tell("say", words), self._changed)
        self._tell, self._talking = tell, Talking()
        self._places: dict[int, Place] = {}
        self._wanted, self._number, self._slots = 0, 0, 0
        self._tasks: set[asyncio.Task[None]] = set()

    # What the run says

    def want(self, seats: int) -> None:
        """So many at most are of use now."""
        self._wanted = seats
        self._fill()

    def ask(self, number: int, method: str, told: dict[str, Any]) -> None:
        """Of a seat, which is not about anything; of one whose loss has been told there is no answer."""
        if place := self._places.get(number):
            place.asked = self._start(self._answer(place, method, told))

    def end(self, number: int) -> None:
        """A seat, whatever it is about."""
        if place := self._places.pop(number, None):
            place.end()
            self._fill()

    # What goes on meanwhile

    async def watch(self) -> None:
        """Tell how far the epochs are, not of all seats at once; give back seats that nobody needs."""
        while True:
            for place in list(self._places.values()):
                idle_s = time.monotonic() - place.idle_since
                if place.is_open and place.asked:
                    await self._look(place)
                elif place.is_open and idle_s > _IDLE_S and len(self._places) > self._wanted:
                    self._lose(place, "it was given back")
            await asyncio.sleep(_LOOKED_EVERY_S)

    async def _look(self, place: Place) -> None:
        before = place.share
        with suppress(Exception):  # who waits for its answer hears of it
            await asyncio.wait_for(place.look(), _LOOKED_EVERY_S)
        if place.share != before and place.asked:
            self._tell("share", [place.number, place.share])
        await asyncio.sleep(1 / _LOOKS_PER_S)

    def _changed(self, member: Member) -> None:
        """A node has come, gone, or is not to be used any more; nor are others where it has the first GPU."""
        usable = set(self.nodes.usable())
        for place in list(self._places.values()):
            if place.member.has_gone:
                self._lose(place, f"{place.member.name} has left the cluster")
            elif place.member not in usable and not place.asked:
                self._lose(place, f"{place.member.name} is not used any more")
        self._fill()

    def _fill(self) -> None:
        """Take seats until there are as many as the run wants, on the nodes that have most room."""
        usable = self.nodes.usable()
        slots = sum(member.slots for member in usable)
        if slots != self._slots:
            self._slots = slots
            self._tell("slots", slots)
        while len(self._places) < self._wanted:
            member = max(usable, key=lambda one: one.slots - len(one.seats), default=None)
            if member is None or len(member.seats) >= member.slots:
                return
            self._number += 1
            self._places[self._number] = place = Place.taken(self._number, member)
            place.asked = self._start(self._open(place))

    async def _open(self, place: Place) -> None:
        try:
            device, versions = await place.value("open")
        except Exception as error:
            self._drop(place)
            said = error.words if isinstance(error, SeatError) else one_line(error, 200)
            reason = f"nothing can be started there: {said}"
            if isinstance(error, SeatError | RayTaskError) or getattr(error, "actor_init_failed", False):
                self.nodes.failed(place.member, reason)
            else:  # it ended with its node, perhaps
                self.nodes.silent(place.member, reason)
            await asyncio.sleep(1)
            self._fill()
            return
        place.is_open, place.asked, place.idle_since = True, None, time.monotonic()
        told = {"number": place.number, "place": place.member.name, "threads": place.threads}
        self._tell("seat", told | {"device": device, "versions": versions})
        self._let_go(place)

    async def _answer(self, place: Place, method: str, told: dict[str, Any]) -> None:
        """Put a question of the run to a seat, and tell the answer."""
        try:
            found: dict[str, Any] = {"value": await self._talking.answer(place, method, told)}
            place.member.failures = 0
        except SeatError as error:
            found = {error.kind: error.argument}
            if error.kind == "error" and error.argument[0] == MbsweepError.__name__:
                # It is about the node: its disk is full, or the like. Elsewhere the same may go well.
                found = {LOST: error.words}
                self.nodes.exclude(place.member, error.argument[1])
        except RayTaskError as error:  # before OSError: as which one there is raised here, too
            found = {"error": [type(error.cause).__name__, one_line(error.cause, 500)]}
        except (
            ConnectionError
        ):  # of ray://; who asks the head for its nodes hears of it, too, and that ends all
            return
        except (MbsweepError, OSError) as error:
            found = {"error": [MbsweepError.__name__, str(error)]}
        except Exception as error:
            found = await self._how_it_ended(place, error)
        place.asked, place.share, place.idle_since = None, 0.0, time.monotonic()
        if LOST in found:
            self._drop(place)
        self._tell("answer", [place.number, found])
        self._let_go(place)
        self._fill()

    def _let_go(self, place: Place) -> None:
        """End a seat whose node is there, and not to be used any more."""
        member = place.member
        if place.number in self._places and not member.silent_until and member not in self.nodes.usable():
            self._lose(place, f"{member.name} is not used any more")

    async def _how_it_ended(self, place: Place, error: Exception) -> dict[str, Any]:
        """An answer: a seat ended with its node; or alone, which is the fault of what it was about."""
        until = time.monotonic() + _DYING_S
        while isinstance(error, ActorUnavailableError) and time.monotonic() < until:
            await asyncio.sleep(0.5)
            try:
                await place.look()
            except Exception as now:
                error = now
            else:
                break
        name, said = place.member.name, str(error)
        is_full = isinstance(error, OutOfMemoryError) or "OUT_OF_MEMORY" in said
        is_alone = isinstance(error, ActorDiedError) and "worker process has died" in said
        if is_full or (is_alone and await _is_there(place.member)):
            how = "Ray stopped it, because the memory there is full" if is_full else "out of memory?"
            return {"crash": f"the process of the training's seat on {name} ended ({how})"}
        self.nodes.silent(place.member, f"its seats end: {one_line(said, 200)}")
        return {LOST: f"{name} does not answer any more"}

    def _lose(self, place: Place, words: str) -> None:
        """End a seat, which the run has not ended."""
        self._drop(place)
        if place.is_open:
            self._tell("answer", [place.number, {LOST: words}])

    def _drop(self, place: Place) -> None:
        self._places.pop(place.number, None)
        place.end()

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
    except Exception:
        return False
    return True
