"""The timing loop, with a clock that only moves when the test says so."""

import gc
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep.profiler.timing import interleaved, warm_up

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


def _no_failure(variant, error):
    raise AssertionError(f"{variant} failed") from error


def _grid(variants, rounds):
    return [(number, variant) for variant in variants for number in range(rounds)]


def _visits(calls, pending, clock, visit_ms=1.0, seed="s", on_failure=_no_failure):
    return list(interleaved(calls, pending, visit_ms, seed, on_failure, clock))


# -- warm-up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("durations_ms", "calls"),
    [([1000], 3), ([1], 50), ([20], 3), ([49, 0.5], 3), ([10], 5), ([0.25], 200)],
)
def test_warm_up_is_three_calls_and_fifty_milliseconds(durations_ms, calls):
    """Slow networks are called three times, quick ones until 50 ms have passed."""
    clock, made = FakeClock(), []
    task = clock.task(*durations_ms)
    warm_up(lambda: made.append(task()), clock)
    assert len(made) == calls


# -- visits ---------------------------------------------------------------------------------------------


def test_untimed_calls_never_reach_the_samples():
    """A visit's first call, slow because the caches are cold, is not counted."""
    clock = FakeClock()
    visits = _visits({"a": clock.task(1000, 2, 3, 5)}, [(0, "a")], clock, visit_ms=10)
    assert [(visit.variant, visit.round, visit.samples_ns) for visit in visits] == [
        ("a", 0, [2 * MS, 3 * MS, 5 * MS])
    ]


def test_every_visit_has_its_own_untimed_call():
    """Other networks ran in between: each return to a variant begins cold again."""
    clock = FakeClock()
    calls = {"a": clock.task(70, 4, 71, 5, 72, 6)}
    visits = _visits(calls, _grid(["a"], 3), clock, visit_ms=1)
    assert [visit.samples_ns for visit in visits] == [[4 * MS], [5 * MS], [6 * MS]]


@pytest.mark.parametrize(
    ("visit_ms", "samples"),
    [(0.001, 1), (3, 1), (3.001, 2), (6, 2), (20, 7), (21, 7)],
)
def test_a_visit_lasts_until_its_time_is_spent(visit_ms, samples):
    """Calls of 3 ms are timed until they add up to `visit_ms`, and at least once."""
    clock = FakeClock()
    (visit,) = _visits({"a": clock.task(3)}, [(0, "a")], clock, visit_ms=visit_ms)
    assert visit.samples_ns == [3 * MS] * samples


def test_a_slow_call_is_timed_once():
    """A network slower than a visit still gives one sample per visit."""
    clock = FakeClock()
    visits = _visits({"a": clock.task(5000)}, _grid(["a"], 2), clock, visit_ms=20)
    assert [visit.samples_ns for visit in visits] == [[5000 * MS], [5000 * MS]]


def test_samples_are_whole_nanoseconds():
    """Raw samples are integers, as the clock gave them."""
    clock = FakeClock()
    (visit,) = _visits({"a": clock.task(0.000001)}, [(0, "a")], clock, visit_ms=0.000003)
    assert visit.samples_ns == [1, 1, 1]
    assert all(type(sample) is int for sample in visit.samples_ns)


# -- order ----------------------------------------------------------------------------------------------

NAMES = [f"v{number}" for number in range(8)]


@settings(max_examples=50)
@given(st.sets(st.tuples(st.integers(0, 9), st.sampled_from(NAMES))), st.text(max_size=3), st.randoms())
def test_each_pending_visit_is_made_once(pending, seed, shuffler):
    """Whatever is still to do is done exactly once, round by round, whatever the order it is asked in."""
    clock = FakeClock()
    calls = {name: clock.task(1) for name in NAMES}
    asked = sorted(pending)
    done = [(visit.round, visit.variant) for visit in _visits(calls, asked, clock, seed=seed)]
    assert Counter(done) == Counter(pending)
    assert [number for number, _ in done] == sorted(number for number, _ in pending)
    shuffler.shuffle(asked)
    assert [(visit.round, visit.variant) for visit in _visits(calls, asked, clock, seed=seed)] == done


def _orders(seed, rounds=20):
    clock = FakeClock()
    visits = _visits({name: clock.task(1) for name in NAMES}, _grid(NAMES, rounds), clock, seed=seed)
    done = [visit.variant for visit in visits]
    return [tuple(done[start : start + len(NAMES)]) for start in range(0, len(done), len(NAMES))]


def test_variants_are_interleaved_in_rounds():
    """All variants are visited before any is visited again: never one variant after another."""
    assert all(sorted(order) == NAMES for order in _orders("s"))


def test_each_round_has_its_own_random_order():
    """Twenty rounds of eight variants have twenty orders, and no variant keeps a place."""
    orders = _orders("s")
    assert len(set(orders)) == 20  # 8! = 40320 orders: a repeat by chance has odds of 1 in 212
    for place in range(len(NAMES)):
        assert len({order[place] for order in orders}) >= 4


def test_the_order_is_that_of_the_seed():
    """The same seed gives the same order, another seed another."""
    assert _orders("one") == _orders("one")
    assert _orders("one") != _orders("two")


def test_visits_come_as_they_are_made():
    """Each visit is handed over, to be stored, before the next begins."""
    clock, log = FakeClock(), []
    calls = {name: lambda name=name: (log.append(name), clock.task(1)()) for name in ("a", "b")}
    for visit in interleaved(calls, _grid(["a", "b"], 2), 1.0, "s", _no_failure, clock):
        log.append(f"stored {visit.variant}")
    for stored in range(2, len(log), 3):
        first, second, third = log[stored - 2 : stored + 1]
        assert first == second
        assert third == f"stored {first}"
    assert len(log) == 4 * 3


# -- failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("good_calls", [0, 1, 2, 5])
def test_a_failing_variant_is_reported_once_and_the_rest_goes_on(good_calls):
    """Its error reaches `on_failure` once; its broken visit is not given; all others are visited in full."""
    clock, left, failures = FakeClock(), [good_calls], []
    boom = RuntimeError("boom")

    def failing():
        clock.now += MS
        if not left[0]:
            raise boom
        left[0] -= 1

    calls = {"good": clock.task(1), "bad": failing, "fine": clock.task(1)}
    visits = _visits(
        calls,
        _grid(calls, 4),
        clock,
        visit_ms=2,
        on_failure=lambda variant, error: failures.append((variant, error)),
    )
    assert failures == [("bad", boom)]
    times = Counter(visit.variant for visit in visits)
    assert (times["good"], times["fine"]) == (4, 4)
    assert times["bad"] == good_calls // 3  # a visit takes three calls: one untimed, two of 1 ms
    assert all(visit.samples_ns == [MS, MS] for visit in visits)


def test_all_variants_may_fail():
    """Nothing is given, each failure is reported, and the loop ends."""
    failures = []

    def failing():
        raise ValueError

    visits = _visits(
        {"a": failing, "b": failing}, _grid("ab", 3), FakeClock(), on_failure=lambda v, _: failures.append(v)
    )
    assert visits == []
    assert sorted(failures) == ["a", "b"]


def test_an_interrupt_is_not_a_failure():
    """Ctrl-C goes through to the caller and blames no variant."""

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _visits({"a": interrupted}, [(0, "a")], FakeClock())
    assert gc.isenabled()


# -- garbage collection ---------------------------------------------------------------------------------


def test_no_garbage_collection_while_calls_are_timed():
    """It is off during every call and on again between visits, where results are stored."""
    clock, during = FakeClock(), []
    task = clock.task(1)

    def call():
        during.append(gc.isenabled())
        task()

    assert gc.isenabled()
    between = [gc.isenabled() for _ in interleaved({"a": call}, _grid("a", 3), 2.0, "s", _no_failure, clock)]
    assert during == [False] * 9
    assert between == [True] * 3
    assert gc.isenabled()


def test_garbage_collection_is_on_again_after_a_failure():
    """When a call raises, `on_failure` and all that follows run with garbage collection."""
    after = []

    def failing():
        raise ValueError

    _visits({"a": failing}, [(0, "a")], FakeClock(), on_failure=lambda *_: after.append(gc.isenabled()))
    assert after == [True]
    assert gc.isenabled()


def test_garbage_collection_is_on_when_a_run_is_given_up():
    """Leaving the loop between visits leaves nothing switched off."""
    clock = FakeClock()
    visits = interleaved({"a": clock.task(1)}, _grid("a", 3), 1.0, "s", _no_failure, clock)
    next(visits)
    visits.close()
    assert gc.isenabled()
