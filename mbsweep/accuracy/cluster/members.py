"""A node, and a seat on it, as the bridge knows them. Loads Ray."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mbsweep.accuracy.cluster.looking import Node
from mbsweep.accuracy.cluster.seat import GROUPS, Answer, Seat
from mbsweep.base.cores import threads_each
from mbsweep.base.errors import one_line

# For a seat that is ended to remove its files, which it does at once, unless its node has gone.
# A run waits for that as it ends, and for its bridge no longer than some seconds in all: see `link`.
_CLEARED_S = 2.0


@dataclass(eq=False)
class Member:
    """A node. about: None until it has told of itself."""

    id: str
    name: str
    host: str = ""
    address: str = ""
    about: Node | None = None
    has_gone: bool = False
    silent_until: float = 0.0  # by `time.monotonic`: it may have gone, or its memory is full
    failures: int = 0  # see `Nodes.failed`
    is_full: bool = False  # its memory was, at some time, which has been said
    waits: int = 0  # for a CPU there, in vain, one after another: others have them; see `Seats._wait`
    waited_at: float = 0.0  # by `time.monotonic`: the end of the last of them
    seats: set[TakenSeat] = field(default_factory=set)
    files: dict[str, asyncio.Future[None]] = field(default_factory=dict)  # on their way, or there

    @property
    def is_usable(self) -> bool:
        """Whether it can have seats."""
        is_there = not self.has_gone and time.monotonic() > self.silent_until
        return is_there and self.about is not None and not self.about.why_not

    @property
    def with_gpu(self) -> bool:
        """Whether its seats have a GPU each."""
        return self.about is not None and self.about.gpus > 0

    @property
    def slots(self) -> int:
        """How many seats it has room for."""
        assert self.about is not None  # noqa: S101  (it is usable)
        return min(self.about.gpus, self.about.cpus) if self.with_gpu else self.about.cpus

    def there(self) -> NodeAffinitySchedulingStrategy:
        """For Ray: nowhere else."""
        return NodeAffinitySchedulingStrategy(self.id, soft=False)


class SeatError(Exception):
    """What a seat answered instead of a value: kind "error" or "crash", see `Answer`."""

    def __init__(self, kind: str, argument: Any) -> None:
        super().__init__(kind, argument)
        self.kind, self.argument = kind, argument

    @property
    def words(self) -> str:
        """What it said."""
        return self.argument if isinstance(self.argument, str) else ": ".join(self.argument)


@dataclass(eq=False)
class TakenSeat:
    """A seat that was asked for, and may be open. number: by which the run knows it."""

    number: int
    member: Member
    handle: Any
    threads: int
    since: float = 0.0  # by `time.monotonic`: it waits for its CPU, or GPU
    until: float = 0.0  # and then, in vain
    has_room: bool = False  # it has it
    is_open: bool = False
    idle_since: float = 0.0
    asked: asyncio.Task[None] | None = None
    told: dict[str, Any] = field(default_factory=dict)  # the training or supernet that it is about
    share: float = 0.0

    @classmethod
    def taken(cls, number: int, member: Member) -> TakenSeat:
        """A new one on a node."""
        threads, device = 1, "cpu"
        if member.about and member.with_gpu:
            threads, device = threads_each(member.about.gpus, member.about.cpus), "cuda:0"
        actor = ray.remote(
            num_cpus=1,
            num_gpus=1 if member.with_gpu else 0,
            max_restarts=0,
            concurrency_groups=GROUPS,
            scheduling_strategy=member.there(),
        )(Seat)
        seat = cls(number, member, actor.remote(threads, device), threads)
        member.seats.add(seat)
        return seat

    async def call(self, method: str, *arguments: Any) -> Any:
        """What a method of the seat returns. RayError where the seat has gone."""
        return await asyncio.wrap_future(getattr(self.handle, method).remote(*arguments).future())

    async def value(self, method: str, *arguments: Any) -> Any:
        """The same of a method that gives an Answer; SeatError where it has no value."""
        return value_of(await self.call(method, *arguments))

    async def look(self) -> None:
        """Note how much of the epoch is done."""
        self.share = float(await self.call("share"))

    async def end(self) -> None:
        """Whatever it is about; it removes its files before."""
        with suppress(Exception):  # it may have ended by itself
            if self.has_room:
                await asyncio.wait_for(self.call("clear"), _CLEARED_S)
        with suppress(Exception):
            ray.kill(self.handle)


def is_full(error: Exception) -> bool:
    """Whether Ray's memory monitor has ended what was asked for."""
    return isinstance(error, OutOfMemoryError) or "OUT_OF_MEMORY" in str(error)


def words_of(error: Exception) -> str:
    """What went wrong on a node, or there with what it was asked for."""
    if is_full(error):  # which says it in two thousand characters
        return "the memory there is full, and Ray ends what is started"
    return error.words if isinstance(error, SeatError) else one_line(error, 200)


def value_of(found: Answer) -> Any:
    """The value of an answer; SeatError where it has none."""
    for kind in ("error", "crash"):
        if kind in found:
            raise SeatError(kind, found[kind])
    return found["value"]
