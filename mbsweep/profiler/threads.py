"""What the threads of this process do, as Linux tells it."""

from __future__ import annotations

import math
import os
import time
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
class Snapshot:
    """The process so far: its processor time, that of threads that have ended included, and its threads."""

    processor_ns: int
    threads: dict[int, Thread]


@dataclass(frozen=True)
class Work:
    """What the threads did between two snapshots."""

    busy_cores: float  # processor time of the process per time on the clock
    # Threads that had something to do: those that waited for a core count, too, so what else the machine does
    # makes no difference. NaN where the kernel does not tell.
    threads: float
    cores: int  # that those at work may use, all together


def snapshot() -> Snapshot:
    """This process now."""
    threads = {}
    for folder in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended, or this kernel does not tell
            ran, waited, _ = map(int, (folder / "schedstat").read_text().split())
            threads[int(folder.name)] = Thread(ran, waited, frozenset(os.sched_getaffinity(int(folder.name))))
    return Snapshot(time.process_time_ns(), threads)


def work(before: Snapshot, after: Snapshot, passed_ns: int) -> Work:
    """What was done in so much time on the clock."""
    new = Thread(0, 0, frozenset())
    waited, cores = 0, set[int]()
    for number, thread in after.threads.items():
        then = before.threads.get(number, new)
        waited += thread.waited_ns - then.waited_ns
        if thread.ran_ns + thread.waited_ns - then.ran_ns - then.waited_ns > _AT_WORK * passed_ns:
            cores |= thread.cores
    busy = (after.processor_ns - before.processor_ns) / passed_ns
    tells = any(thread.ran_ns for thread in after.threads.values())
    return Work(busy, busy + waited / passed_ns if tells else math.nan, len(cores))
