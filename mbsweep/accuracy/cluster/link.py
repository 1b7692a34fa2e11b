"""The run's end of the bridge to a cluster: what its process says, read as it comes. Loads no Ray."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mbsweep.accuracy.cluster.connecting import environment
from mbsweep.accuracy.cluster.looking import Node, versions_here
from mbsweep.accuracy.training.pool import DeviceAndVersions
from mbsweep.base.child import Child, command_of
from mbsweep.base.errors import MbsweepError

_COMMAND = command_of("mbsweep.accuracy.cluster.bridge")
_READY_S = 120.0  # to start a cluster, or to reach one and ask its nodes what they are
_END_S = 8.0  # to leave it
_GO_ON = "what is done is kept: run the same command again, with --ray or without"


@dataclass(eq=False)
class OpenSeat:
    """A seat that has told what it works on, as the run knows it."""

    number: int
    node: str
    threads: int
    device: DeviceAndVersions
    answers: deque[dict[str, Any]] = field(default_factory=deque)
    share: float = 0.0


class Link(AbstractContextManager["Link", None]):
    """A bridge's process. only_look: it ends once it has told of the nodes. folder: for Ray's own files."""

    def __init__(self, address: str, only_look: bool = False, folder: Path | None = None) -> None:
        given = {"address": address, "only_look": only_look, "versions": versions_here()}
        given["folder"] = folder and str(folder)
        self._process = _Process([*_COMMAND, json.dumps(given)], "Ray", environment(address))
        self._address = address
        self._read = b""  # of a line whose end is not there yet
        self._over = ""  # why it has ended
        self._nodes: list[Node] | None = None
        self._seats: dict[int, OpenSeat] = {}
        self.free: list[OpenSeat] = []  # that have nothing to do
        self.slots = 1  # seats that the cluster has room for
        self.news = 0  # seats that have come so far
        self.say: Callable[[str], None] = lambda words: None
        self._wanted: dict[object, int] = {}  # by whom

    def ready(self) -> list[Node]:
        """The nodes, once they are known. MbsweepError where there is no cluster, or none that can train."""
        until = time.monotonic() + _READY_S
        while self._nodes is None:
            self.check()
            if time.monotonic() > until:
                raise MbsweepError(f"the cluster at {self._address} did not answer within {_READY_S:.0f} s")
            self.hear(1.0)
        return self._nodes

    def check(self) -> None:
        """MbsweepError where nothing more can come."""
        if self._over:
            raise MbsweepError(self._over if self._nodes is None else f"{self._over}; {_GO_ON}")

    def hear(self, limit_s: float) -> None:
        """Take what was said; wait for the first of it, no longer than limit_s."""
        while not self._over and select.select([self._process], [], [], limit_s)[0]:
            said = os.read(self._process.fileno(), 1 << 16)
            if not said:
                self._over = f"the cluster at {self._address} is lost: {self._process.how_it_ended()}"
                return
            *lines, self._read = (self._read + said).split(b"\n")
            for line in lines:
                what, argument = json.loads(line)
                getattr(self, f"_hear_{what}")(argument)
            limit_s = 0.0

    def want(self, who: object, seats: int) -> None:
        """So many seats would have something to do; whoever else wants some wants them, too."""
        before = sum(self._wanted.values())
        self._wanted[who] = seats
        if not seats:
            del self._wanted[who]
        if before != (now := sum(self._wanted.values())):
            self._process.tell("want", [now])

    def ask(self, seat: OpenSeat, method: str, told: dict[str, Any]) -> None:
        """Of a seat; the answer comes among its `answers`."""
        self._process.tell("ask", [seat.number, method, told])

    def end(self, seat: OpenSeat) -> None:
        """A seat, whatever it is about."""
        if self._seats.pop(seat.number, None):
            self._process.tell("end", [seat.number])

    def _hear_ready(self, nodes: list[dict[str, Any]]) -> None:
        self._nodes = [Node(**node) for node in nodes]

    def _hear_slots(self, slots: int) -> None:
        self.slots = max(1, slots)

    def _hear_seat(self, told: dict[str, Any]) -> None:
        seat = OpenSeat(told["number"], told["node"], told["threads"], (told["device"], told["versions"]))
        self._seats[seat.number] = seat
        self.free.append(seat)
        self.news += 1

    def _hear_answer(self, told: tuple[int, dict[str, Any]]) -> None:
        number, found = told
        if (seat := self._seats.get(number)) is None:
            return
        if "lost" in found:
            del self._seats[number]
        if seat in self.free:
            self.free.remove(seat)
        else:
            seat.answers.append(found)
        seat.share = 0.0

    def _hear_share(self, told: tuple[int, float]) -> None:
        if seat := self._seats.get(told[0]):
            seat.share = told[1]

    def _hear_say(self, words: str) -> None:
        self.say(words)

    def _hear_over(self, words: str) -> None:
        self._over = words

    def __exit__(self, *_: object) -> None:
        """End the process, which leaves the cluster; with force where that takes long."""
        try:
            self._process.leave(_END_S)
        finally:
            self._process.close()


class _Process(Child):
    """Speaks in both directions at any time."""

    def how_it_ended(self) -> str:
        """In words, without the last line of Ray's log, which is about anything."""
        words = self._how_it_ended()
        return words.partition("; [")[0]

    def leave(self, limit_s: float) -> None:
        """Let it end, and wait for that."""
        self.tell("leave", [])
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(limit_s)
