"""What the threads of this process do, as Linux tells it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_AT_WORK = 0.05  # of the time: a thread that ran or waited for less is none of those that work


@dataclass(frozen=True)
class Thread:
    """One thread so far: how long it ran, how long it waited for a core, and the cores that it may use."""

    ran_ns: int
    waited_ns: int
    cores: frozenset[int]


@dataclass(frozen=True)
class Work:
    """What the threads did meanwhile."""

    busy_cores: float  # processor time of the process per time on the clock
    # Threads that had something to do: a wait for a core counts as work, so what else the machine does makes
    # no difference. NaN where the kernel does not tell.
    threads: float
    # Processor time of all threads per that of the busiest: who waited for a core, and then had next to
    # nothing to do, is nothing here. Of threads that share work it may be little, too, beside neighbours.
    ran: float
    cores: int  # that those at work may use, all together


def threads_now() -> dict[int, Thread]:
    """The threads of this process."""
    threads = {}
    for folder in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended, or this kernel does not tell
            ran, waited, _ = map(int, (folder / "schedstat").read_text().split())
            threads[int(folder.name)] = Thread(ran, waited, frozenset(os.sched_getaffinity(int(folder.name))))
    return threads


def work(before: Mapping[int, Thread], after: Mapping[int, Thread], busy_ns: int, passed_ns: int) -> Work:
    """What was done in so much time on the clock.

    busy_ns: the processor time of the process meanwhile, that of threads that have ended included.

    A thread is one at most: the kernel counts a wait when it is over, so one that began before, or that fell
    between the clock and the look at the threads, would count for more than the time that has passed.
    """
    new = Thread(0, 0, frozenset())
    threads, cores, ran_ns = 0.0, set[int](), [0]
    for number, thread in after.items():
        then = before.get(number, new)
        ran_ns.append(thread.ran_ns - then.ran_ns)
        share = (ran_ns[-1] + thread.waited_ns - then.waited_ns) / passed_ns
        if share > _AT_WORK:
            threads += min(share, 1)
            cores |= thread.cores
    tells = any(thread.ran_ns for thread in after.values())
    ran = sum(ran_ns) / max(ran_ns) if any(ran_ns) else math.nan
    return Work(busy_ns / passed_ns, threads if tells else math.nan, ran, len(cores))
