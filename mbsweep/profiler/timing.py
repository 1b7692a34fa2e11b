"""The only timing loop."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from mbsweep.profiler.prepared import Call, Prepared
from mbsweep.profiler.threads import Thread, Work, threads_now, work

NS_PER_MS = 1_000_000
WARMUP_MS = 50  # warm-up goes on for so long, but makes no more than WARMUP_MOST_CALLS calls
WARMUP_MOST_CALLS = 1000

Clock = Callable[[], int]  # nanoseconds


@dataclass(frozen=True)
class WarmUp:
    """What the untimed calls told."""

    calls: int
    work: Work


def warm_up(
    call: Call,
    least_calls: int,
    clock: Clock = time.perf_counter_ns,
    processor: Clock = time.process_time_ns,
    now: Callable[[], Mapping[int, Thread]] = threads_now,
) -> WarmUp:
    """Untimed calls: memory is allocated, kernels are chosen.

    At least `least_calls`, and on until WARMUP_MS have passed or WARMUP_MOST_CALLS were made.
    """
    # To look at hundreds of threads takes milliseconds, which are not of the calls.
    before, start, used = now(), clock(), processor()
    calls = 0
    while calls < least_calls or (
        calls < WARMUP_MOST_CALLS and (not calls or clock() - start < WARMUP_MS * NS_PER_MS)
    ):
        call()
        calls += 1
    passed, busy = max(clock() - start, 1), processor() - used
    return WarmUp(calls, work(before, now(), busy, passed))


def visit(
    prepared: Prepared,
    visit_ms: float,
    calls: int | None = None,
    clock: Clock = time.perf_counter_ns,
) -> list[int]:
    """Durations of a visit's calls, in nanoseconds.

    One untimed call brings the network back into the caches. Then calls are timed until `visit_ms` are spent,
    at least one; or exactly `calls` of them. Garbage is not collected meanwhile.
    """
    time_ns = prepared.time_ns or _by(clock, prepared.call)
    limit_ns = 0 if calls else visit_ms * NS_PER_MS
    samples: list[int] = []
    spent = 0
    gc.collect(0)  # what has piled up goes before
    with no_garbage_collection():
        prepared.call()
        while spent < limit_ns or len(samples) < (calls or 1):
            duration = time_ns()
            samples.append(duration)
            spent += duration
    return samples


def _by(clock: Clock, call: Call) -> Clock:
    def time_ns() -> int:
        start = clock()
        call()
        return clock() - start

    return time_ns


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Garbage is not collected for a while."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
