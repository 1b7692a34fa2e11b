"""The timing loop, with a clock that only moves when the test says so."""

import gc
import math
import subprocess
import sys

import pytest

from mbsweep.profiler import timing
from mbsweep.profiler.prepared import Prepared
from mbsweep.profiler.threads import Thread, Work, work

MS = 1_000_000  # nanoseconds


class FakeClock:
    """A clock in nanoseconds that stands still but for what calls are said to take."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        """The time."""
        return self.now

    def task(self, *durations_ms):
        """A call that takes so long the first, second, ... time; the last duration holds from then on."""
        calls = iter(durations_ms)
        last = durations_ms[-1]

        def call():
            self.now += int(next(calls, last) * MS)

        return call


def _visit(call, clock, visit_ms=1.0, calls=None):
    return timing.visit(Prepared(call, file_bytes=1), visit_ms, calls, clock)


# -- warm-up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("durations_ms", "calls"),
    [([1000], 3), ([1], 50), ([20], 3), ([49, 0.5], 3), ([10], 5), ([0.25], 200)],
)
def test_warm_up_is_so_many_calls_and_fifty_milliseconds(durations_ms, calls):
    """With three calls asked for, slow networks get three, quick ones as many as take 50 ms."""
    clock, made = FakeClock(), []
    task = clock.task(*durations_ms)
    warm = timing.warm_up(lambda: made.append(task()), 3, clock)
    assert len(made) == warm.calls == calls


@pytest.mark.parametrize(
    ("least", "duration_ms", "calls"),
    [(0, 1000, 1), (1, 1000, 1), (0, 10, 5), (7, 1000, 7), (7, 0.001, 1000), (2000, 0.001, 2000)],
)
def test_warm_up_makes_what_is_asked_for_and_ends(least, duration_ms, calls):
    """At least the calls of the file and at least one; a thousand, or those asked for, if they are quick."""
    clock = FakeClock()
    assert timing.warm_up(clock.task(duration_ms), least, clock).calls == calls


@pytest.mark.parametrize("cores", [1, 2.5, 0.25])
def test_warm_up_tells_how_many_cores_were_busy(cores):
    """Processor time of the process over time on the clock: 100 ms on 2.5 cores are 250 ms."""
    clock = FakeClock()
    start_ns = 17 * MS  # what the process used before is not counted
    warm = timing.warm_up(
        clock.task(20), 3, clock, lambda: start_ns + int(clock.now * cores), lambda: {1: UNTOLD}
    )
    assert warm.work.busy_cores == pytest.approx(cores)
    assert math.isnan(warm.work.threads)


UNTOLD = Thread(0, 0, frozenset({0}))  # what a kernel without statistics of its scheduler says
BEFORE = {1: Thread(800, 100, frozenset({0, 1})), 2: Thread(50, 0, frozenset({3}))}


def test_work_is_what_ran_and_what_waited_for_a_core():
    """In 100 ns thread 1 ran for 60 and waited for 40, the new thread 7 ran for 30 and waited for 70; thread
    2 slept. That is 0.9 cores busy and 2 threads at work, which may use cores 0, 1 and 2, but not 3.
    """
    after = {
        1: Thread(860, 140, frozenset({0, 1})),
        2: Thread(51, 0, frozenset({3})),
        7: Thread(30, 70, frozenset({1, 2})),
    }
    found = work(BEFORE, after, 90, 100)
    assert (found.busy_cores, found.threads, found.cores) == (0.9, 2.0, 3)
    assert found.ran == pytest.approx(91 / 60)


def test_one_thread_is_never_more_than_one_beside_neighbours():
    """It waited for 160 ns where 100 passed: the look at the threads came after a wait of its own, when the
    clock had been read.
    """
    found = work(BEFORE, BEFORE | {1: Thread(900, 260, frozenset({0, 1}))}, 50, 100)
    assert found == Work(busy_cores=0.5, threads=1.0, ran=1.0, cores=2)


def test_looking_at_hundreds_of_threads_is_not_the_calls_work():
    """Calls take 30 ms of processor time in 30 ms; the looks before and after take 20 ms each."""
    clock = FakeClock()
    look = clock.task(20)
    warm = timing.warm_up(clock.task(10), 3, clock, clock, lambda: look() or {1: UNTOLD})
    assert warm.work.busy_cores == 1.0


def test_a_sleeping_call_keeps_no_core_busy():
    """By the real clocks: a call that waits for 20 ms uses next to no processor time, and no thread works.

    In a process of its own, where no thread of another test is busy.
    """
    program = (
        "import time; from mbsweep.profiler import timing; "
        "work = timing.warm_up(lambda: time.sleep(0.02), 3).work; print(work.busy_cores, work.threads)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(not float(word) >= 0.5 for word in done.stdout.split())


# -- visits ---------------------------------------------------------------------------------------------


def test_untimed_calls_never_reach_the_samples():
    """A visit's first call, slow because the caches are cold, is not counted."""
    clock = FakeClock()
    assert _visit(clock.task(1000, 2, 3, 5), clock, visit_ms=10) == [2 * MS, 3 * MS, 5 * MS]


def test_every_visit_has_its_own_untimed_call():
    """Other networks ran in between: each return to a variant begins cold again."""
    clock = FakeClock()
    call = clock.task(70, 4, 71, 5, 72, 6)
    assert [_visit(call, clock, visit_ms=1) for _ in range(3)] == [[4 * MS], [5 * MS], [6 * MS]]


@pytest.mark.parametrize(
    ("visit_ms", "samples"),
    [(0.001, 1), (3, 1), (3.001, 2), (6, 2), (20, 7), (21, 7)],
)
def test_a_visit_lasts_until_its_time_is_spent(visit_ms, samples):
    """Calls of 3 ms are timed until they add up to `visit_ms`, and at least once."""
    clock = FakeClock()
    assert _visit(clock.task(3), clock, visit_ms=visit_ms) == [3 * MS] * samples


def test_a_slow_call_is_timed_once():
    """A network slower than a visit still gives one sample per visit."""
    clock = FakeClock()
    call = clock.task(5000)
    assert [_visit(call, clock, visit_ms=20) for _ in range(2)] == [[5000 * MS], [5000 * MS]]


@pytest.mark.parametrize("visit_ms", [0.001, 3, 1000])
@pytest.mark.parametrize("calls", [1, 2, 7])
def test_a_visit_may_be_a_number_of_calls(calls, visit_ms):
    """With `visit_calls`, so many calls are timed, after one that is not, however long they take."""
    clock, made = FakeClock(), []
    task = clock.task(3)
    assert _visit(lambda: made.append(task()), clock, visit_ms, calls) == [3 * MS] * calls
    assert len(made) == 1 + calls


def test_samples_are_whole_nanoseconds():
    """Raw samples are integers, as the clock gave them."""
    clock = FakeClock()
    samples = _visit(clock.task(0.000001), clock, visit_ms=0.000003)
    assert samples == [1, 1, 1]
    assert all(type(sample) is int for sample in samples)


def test_a_device_with_a_clock_of_its_own_is_believed():
    """Where a backend tells durations itself, as a GPU does, they are the samples; the first call is not."""
    log = []
    durations = iter([2 * MS, 3 * MS, 5 * MS, 7 * MS])

    def time_ns():
        log.append("timed")
        return next(durations)

    prepared = Prepared(lambda: log.append("untimed"), 1, time_ns)
    assert timing.visit(prepared, 10, None, FakeClock()) == [2 * MS, 3 * MS, 5 * MS]
    assert log == ["untimed", "timed", "timed", "timed"]


# -- failures and garbage collection --------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("good_calls", [0, 1, 2])
def test_an_error_goes_to_the_caller(error, good_calls):
    """Whether the untimed call fails or a timed one, nothing is swallowed; garbage is collected again."""
    left = [good_calls]
    clock = FakeClock()

    def failing():
        if not left[0]:
            raise error
        left[0] -= 1
        clock.now += MS

    with pytest.raises(error):
        _visit(failing, clock, visit_ms=10)
    assert gc.isenabled()


def test_no_garbage_collection_while_calls_are_timed():
    """It is off during every call and on again between visits, where results are stored."""
    clock, during = FakeClock(), []
    task = clock.task(1)

    def call():
        during.append(gc.isenabled())
        task()

    for _ in range(3):
        assert gc.isenabled()
        _visit(call, clock, visit_ms=2.0)
    assert during == [False] * 9
    assert gc.isenabled()


def test_garbage_collection_stays_off_where_it_was_off():
    """A process that collects no garbage is left so."""
    clock = FakeClock()
    gc.disable()
    try:
        _visit(clock.task(1), clock)
        assert not gc.isenabled()
    finally:
        gc.enable()
