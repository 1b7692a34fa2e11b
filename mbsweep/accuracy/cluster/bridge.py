"""The process that speaks with Ray for a run: what Ray does to a program that uses it, it does to this one.

It reads lines of JSON, [what, arguments], and writes such lines; `mbsweep.accuracy.cluster.link` is at the
other end. A file that comes from a node is written whole, in its place, before the run is told of the answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import ray

from mbsweep.accuracy.cluster.clearing import watched
from mbsweep.accuracy.cluster.connecting import connect
from mbsweep.accuracy.cluster.looking import none_left
from mbsweep.accuracy.cluster.seats import Seats
from mbsweep.accuracy.training.worker import end_with_parent
from mbsweep.base.errors import MbsweepError, one_line

_END_S = 5.0  # to leave the cluster
_KEPT: list[Any] = []  # to the end of this process


class _Lines:
    """What is told goes out in a thread of its own: the run may be about something else for minutes."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what Ray prints must not come between the lines
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def tell(self, what: str, argument: Any) -> None:
        """Write a line, soon."""
        self._waiting.put(json.dumps([what, argument]))

    def close(self) -> None:
        """Write what is left."""
        self._waiting.put(None)
        self._thread.join(_END_S)

    def _write(self) -> None:
        with suppress(OSError):
            while (line := self._waiting.get()) is not None:
                self._out.write(line + "\n")
                self._out.flush()


async def _look(given: dict[str, Any], lines: _Lines) -> None:
    """Tell of the nodes."""
    seats = Seats(given["address"], given["versions"], lines.tell)
    lines.tell("ready", [asdict(node) for node in await seats.nodes.known(all_of_them=True)])


async def _serve(given: dict[str, Any], lines: _Lines) -> None:
    """Until the run has nothing more to ask. MbsweepError where nothing can go on."""
    loop, left = asyncio.get_running_loop(), asyncio.Event()
    seats = Seats(given["address"], given["versions"], lines.tell)
    nodes = await seats.nodes.known(all_of_them=False)
    if all(node.why_not for node in nodes):
        raise MbsweepError(none_left(given["address"], nodes))
    lines.tell("ready", [asdict(node) for node in nodes])

    does: dict[str, Callable[..., None]] = {"want": seats.want, "ask": seats.ask, "end": seats.end}
    does["leave"] = left.set

    def take(line: str) -> None:
        what, arguments = json.loads(line)
        does[what](*arguments)

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(take, line)
        loop.call_soon_threadsafe(left.set)

    threading.Thread(target=read, daemon=True).start()
    tasks = [asyncio.ensure_future(one) for one in (left.wait(), seats.nodes.watch(), seats.watch())]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    try:
        for task in done:
            task.result()
    finally:
        await seats.close()


def _main(given: dict[str, Any]) -> None:
    lines = _Lines()
    try:
        if given["folder"]:
            _KEPT.append(watched(given["folder"]))
        connect(given["address"], given["folder"])
        work = _look(given, lines) if given["only_look"] else _serve(given, lines)
        # Not `asyncio.run`, which waits in the end for threads, also for one that asks a head that is lost.
        asyncio.new_event_loop().run_until_complete(work)
    except MbsweepError as error:
        lines.tell("over", str(error))
    except Exception as error:
        said = f"{type(error).__name__}: {one_line(error, 300)}"
        lines.tell("over", f"the cluster at {given['address']} cannot be used any more: {said}")
    lines.close()
    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(_END_S)
    os._exit(0)  # also where Ray does not let go


if __name__ == "__main__":
    end_with_parent()
    _main(json.loads(sys.argv[1]))
