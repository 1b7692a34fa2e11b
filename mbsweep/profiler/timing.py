"""The only timing loop: interleaved rounds over all variants of one configuration."""

import gc
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NS_PER_MS = 1_000_000
WARMUP_CALLS = 3
WARMUP_MS = 50

Call = Callable[[], object]
Clock = Callable[[], int]  # nanoseconds


@dataclass(frozen=True)
class Visit:
    """One stop at one variant in one round, with the duration of each timed call."""

    variant: str
    round: int
    samples_ns: list[int]


def warm_up(call: Call, clock: Clock = time.perf_counter_ns) -> None:
    """Untimed calls, at least WARMUP_CALLS and for WARMUP_MS: memory is allocated and kernels are chosen."""
    start = clock()
    calls = 0
    while calls < WARMUP_CALLS or clock() - start < WARMUP_MS * NS_PER_MS:
        call()
        calls += 1


def interleaved(
    calls: dict[str, Call],
    pending: Iterable[tuple[int, str]],
    visit_ms: float,
    seed: str,
    on_failure: Callable[[str, Exception], None],
    clock: Clock = time.perf_counter_ns,
) -> Iterator[Visit]:
    """Time the pending (round, variant) visits, round by round, in a random order within each round.

    A shared machine is slow for seconds at a time. Networks timed one after another would each get their
    own weather; in rounds over all of them it is the same for all. A visit begins with one untimed call,
    which brings the network back into the caches, and then times calls until `visit_ms` are spent, at least
    one.

    A variant whose call raises is reported to `on_failure` and not visited again.
    """
    rounds: dict[int, list[str]] = {}
    for number, variant in pending:
        rounds.setdefault(number, []).append(variant)
    failed: set[str] = set()
    for number in sorted(rounds):
        order = sorted(rounds[number])
        random.Random(f"{seed}/{number}").shuffle(order)  # noqa: S311  (the order needs no secrecy)
        for variant in order:
            if variant in failed:
                continue
            try:
                with _undisturbed():
                    samples = _time_calls(calls[variant], visit_ms * NS_PER_MS, clock)
            except Exception as error:
                failed.add(variant)
                on_failure(variant, error)
                continue
            yield Visit(variant, number, samples)


def _time_calls(call: Call, visit_ns: float, clock: Clock) -> list[int]:
    call()
    samples: list[int] = []
    spent = 0
    while not samples or spent < visit_ns:
        start = clock()
        call()
        duration = clock() - start
        samples.append(duration)
        spent += duration
    return samples


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection while calls are timed; what has piled up goes before."""
    was_enabled = gc.isenabled()
    gc.collect(0)
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
