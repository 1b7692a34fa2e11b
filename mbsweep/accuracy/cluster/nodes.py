"""The nodes of a cluster: which are there, what they are, which can train. Loads Ray."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import ray

from mbsweep.accuracy.cluster.connecting import CLIENT
from mbsweep.accuracy.cluster.looking import Node, looked, none_left, why_not
from mbsweep.accuracy.cluster.members import Member, is_full, words_of
from mbsweep.base.errors import MbsweepError, one_line

_LOOKED_EVERY_S = 1.0  # for nodes that come and go
_PER_S = 200  # nodes that a second's look is enough for
_HEAD_S = 10.0  # after which the head is taken for lost
_PROBED_S = 90.0  # to tell what a node is: a process is started there, which loads Python
_NONE_S = 300.0  # without any node that can train
_SILENT_S = 40.0  # in which Ray finds out that a node has gone; or its memory may be free again
FAILURES = 3  # of seats of one node, one after another; or when it is asked what it is


class Nodes:
    """versions: of the run's machine. changed: called with a node that has come, gone, or been excluded."""

    def __init__(
        self,
        address: str,
        versions: dict[str, str],
        say: Callable[[str], None],
        changed: Callable[[Member], None],
    ) -> None:
        self._address, self._versions, self._say, self._changed = address, versions, say, changed
        self._members: dict[str, Member] = {}
        self._tries = FAILURES  # to ask a node whose memory is full what it is
        self._tasks: set[asyncio.Task[None]] = set()
        self._had_some = time.monotonic()
        self._asking = ThreadPoolExecutor(1)  # its own: the others may read large files for minutes

    async def known(self, all_of_them: bool) -> list[Node]:
        """Those that have told what they are: all, as they are now; or as soon as one of them can train.

        MbsweepError where the head does not tell of them.
        """
        self._tries = 1 if all_of_them else FAILURES
        await self.look()
        while not self._are_known() and (all_of_them or not self.usable()):
            await asyncio.sleep(0.05)
        return [member.about for member in self._members.values() if member.about]

    def usable(self) -> list[Member]:
        """Those that can have seats; only those with a GPU where there are any."""
        found = [member for member in self._members.values() if member.is_usable]
        return [member for member in found if member.with_gpu] or found

    async def watch(self) -> None:
        """Nodes that come and go. MbsweepError where nothing can go on."""
        while True:
            await self.look()
            self._check_some()
            for member in self._members.values():
                if 0 < member.silent_until < time.monotonic() and not member.has_gone:
                    member.silent_until = 0.0
                    self._changed(member)
            await asyncio.sleep(max(_LOOKED_EVERY_S, len(self._members) / _PER_S))

    def exclude(self, member: Member, reason: str) -> None:
        """It gets no more to do."""
        if member.about and not member.about.why_not:
            member.about = replace(member.about, why_not=f"gets no more to train: {reason}")
            self._say(f"{member.name} {member.about.why_not}; what it trained goes on elsewhere")
            self._changed(member)

    def silent(self, member: Member, reason: str) -> None:
        """It does not answer, and gets nothing to do before it is known whether it has gone.

        Until then that is one failure, however many of its seats end.
        """
        if not member.has_gone and not member.silent_until:
            self._say(f"{member.name} does not answer any more; what it trained goes on elsewhere")
            self.failed(member, reason)
        self._pause(member)

    def full(self, member: Member, reason: str) -> None:
        """Its memory is, and it gets nothing more to do for a while. That is a failure where it has no open
        seat: else it can train, if not as much as it has CPUs.
        """
        if not member.has_gone and not member.silent_until:
            self._say_full(member)
            if not any(seat.is_open for seat in member.seats):
                self.failed(member, reason)
        self._pause(member)

    def _say_full(self, member: Member) -> None:
        if not member.is_full:
            words = f"has no memory for another training; it is tried again in {_SILENT_S:.0f} s"
            self._say(f"{member.name} {words}")
            member.is_full = True

    def _pause(self, member: Member) -> None:
        if not member.has_gone:
            member.silent_until = time.monotonic() + _SILENT_S
            self._changed(member)

    def failed(self, member: Member, reason: str) -> None:
        """A seat there ended, and it is not known that this was the fault of what it was about."""
        member.failures += 1
        if member.failures >= FAILURES and not member.has_gone:
            self.exclude(member, reason)

    async def look(self) -> None:
        """Which are there now. MbsweepError where the head does not tell."""
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._asking, ray.nodes)
            told = await asyncio.wait_for(asked, _HEAD_S)
        except Exception as error:
            # Ray says of a connection that has broken that it was never told to connect. Through ray:// only
            # that can go wrong, in many words, and whether it is connected is asked over the same connection.
            is_known = isinstance(error, TimeoutError | ConnectionError) or self._address.startswith(CLIENT)
            reason = "it does not answer" if is_known or not ray.is_initialized() else one_line(error, 200)
            raise MbsweepError(f"the head of the cluster at {self._address} is lost: {reason}") from None
        alive = {one["NodeID"]: one for one in told if one["Alive"] and one["Resources"].get("CPU", 0) >= 1}
        for id_, member in self._members.items():
            if id_ not in alive and not member.has_gone:
                member.has_gone = True
                if member.about and not member.about.why_not and not member.silent_until:
                    self._say(f"{member.name} has left the cluster; what it trained goes on elsewhere")
                self._changed(member)
        new = [one for id_, one in alive.items() if id_ not in self._members]
        for member, one in zip(self._named(new), new, strict=True):
            self._members[member.id] = member
            self._start(self._meet(member, one["Resources"]))

    def _named(self, told: Sequence[dict[str, Any]]) -> list[Member]:
        """New nodes, called by their hosts, or by their addresses where two have the same."""
        new = [(str(one["NodeManagerHostname"]), str(one["NodeManagerAddress"])) for one in told]
        every = [*((member.host, member.address) for member in self._members.values()), *new]
        hosts, addresses = Counter(host for host, _ in every), Counter(address for _, address in every)
        found = []
        for (host, address), one in zip(new, told, strict=True):
            name = f"{address}:{one['NodeManagerPort']}" if addresses[address] > 1 else address
            found.append(Member(one["NodeID"], host if hosts[host] == 1 else name, host, address))
        return found

    async def _meet(self, member: Member, resources: dict[str, float]) -> None:
        """Learn what a node is."""
        counts = int(resources["CPU"]), int(resources.get("GPU", 0))
        try:
            found = await self._ask(member)
            reason = why_not(found["versions"], self._versions, found["has_cache"])
            member.about = Node(member.name, found["processor"], *counts, found["versions"], reason)
        except Exception as error:
            if member.has_gone:
                return
            said = f"does not answer within {_PROBED_S:.0f} s" if isinstance(error, TimeoutError) else ""
            reason = said or f"cannot be asked what it is: {words_of(error)}"
            member.about = Node(member.name, "", *counts, {}, reason)
        if reason:
            self._say(f"{member.name} is not used: it {reason}")
        self._changed(member)

    async def _ask(self, member: Member) -> dict[str, Any]:
        """What a node says of itself; where its memory is full, it is asked again after a while."""
        asked = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=member.there())(looked())
        failures = 0
        while True:
            try:
                return await asyncio.wait_for(asyncio.wrap_future(asked.remote().future()), _PROBED_S)
            except Exception as error:
                failures += 1
                if member.has_gone or not is_full(error) or failures == self._tries:
                    raise
            self._say_full(member)
            await asyncio.sleep(_SILENT_S)

    def _are_known(self) -> bool:
        return all(member.about or member.has_gone for member in self._members.values())

    def _check_some(self) -> None:
        """MbsweepError where no node can train any more."""
        now = time.monotonic()
        if self.usable() or not self._are_known():
            self._had_some = now
            return
        there = [one.about for one in self._members.values() if one.about and not one.has_gone]
        if there and all(about.why_not for about in there):
            raise MbsweepError(none_left(self._address, there))
        if now - self._had_some > _NONE_S:
            raise MbsweepError(
                f"the cluster at {self._address} has had no node to train on for {_NONE_S / 60:.0f} minutes"
            )

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
