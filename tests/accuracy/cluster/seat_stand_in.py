"""Stand-ins for nodes and their seats; what asks them is real."""

import asyncio

from mbsweep.accuracy.cluster.looking import Node
from mbsweep.accuracy.cluster.members import Member, TakenSeat


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
