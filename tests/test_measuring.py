"""One configuration's rounds: what is visited when, with a bench that is a list of what was asked of it."""

import json
import random
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from commands import query, visit_count
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep import Variant
from mbsweep.measuring import YARDSTICKS, Measurement, device_of
from mbsweep.pipeline import Silent
from mbsweep.profiler.subject import Subject
from mbsweep.space.latency import LatencyConfig
from mbsweep.store import Store

SUBJECTS = [Subject.of(Variant(width=0.25, resolution=resolution)) for resolution in range(32, 40)]
NAMES = [subject.name for subject in SUBJECTS]
CONFIG = LatencyConfig(backend="torch", rounds=20, target_pct=1e-6)


class Asked:
    """A bench that keeps what was asked of it. No two visits take the same time, but for all of them it is
    `pace` times what it is for another bench that is asked the same.
    """

    def __init__(self, fails=(), at_visit=None, before=lambda name: None, pace=1.0):
        self.fails, self.at_visit, self.before = fails, at_visit, before
        self.prepared, self.visits = [], []
        self.chance, self.pace = random.Random(1), pace

    def prepare(self, subjects, on_prepared):
        """All can be prepared, but those that fail and have no visit at which they do."""
        for subject in subjects:
            self.prepared.append(subject.name)
            if self.at_visit is not None or subject.name not in self.fails:
                on_prepared(subject, 1000)

    def is_ready(self, name):
        """What was prepared is ready."""
        return self.at_visit is not None or name not in self.fails

    def visit(self, name):
        """Two samples, or None from `at_visit` on."""
        self.before(name)
        self.visits.append(name)
        if name in self.fails and self.visits.count(name) >= (self.at_visit or 0):
            return None
        return [round(self.pace * self.chance.randrange(900_000, 1_100_000)) for _ in range(2)]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Call it for an empty store."""
    opened = []

    def new():
        opened.append(Store.write(tmp_path_factory.mktemp("store")))
        return opened[-1]

    yield new
    for store in opened:
        store.__exit__()


def measure(store, bench, config=CONFIG, subjects=SUBJECTS, session=1, progress=None):
    """Measure what a store lacks; the bench is given back."""
    Measurement(store, config, subjects, progress or Silent()).run(bench, session, "abacus_2c_4g_torch-2.0")
    return bench


def rounds(bench, length):
    """What was visited, in parts of equal length."""
    return [bench.visits[place : place + length] for place in range(0, len(bench.visits), length)]


@pytest.fixture(scope="module")
def measured(stores):
    """The bench of a whole measurement: twenty rounds of eight variants and four yardsticks."""
    return measure(stores(), Asked())


@settings(max_examples=10)
@given(st.sets(st.tuples(st.integers(0, 8), st.sampled_from(NAMES))), st.integers(1, 9))
def test_each_visit_that_is_missing_is_made_once(stores, done, budget):
    """Whatever was measured before, exactly the rest is, round by round, each with its yardsticks."""
    store = stores()
    for number, name in done:
        store.add_visit(CONFIG.id, name, number, 1, bytes(range(1, 9)))
    config = CONFIG.model_copy(update={"rounds": budget})
    missing = {(number, name) for name in NAMES for number in range(budget)} - done
    # A variant that has as many visits as the budget has rounds, be it others than those, is complete.
    complete = {name for name in NAMES if sum(other == name for _, other in done) >= budget}
    missing = {(number, name) for number, name in missing if name not in complete}
    bench = measure(store, Asked(), config, session=2) if missing else Asked()
    new = [(row.round, row.variant) for row in store.visits() if row.session == 2]
    assert set(new) == missing
    asked = Counter(bench.visits)
    for name in YARDSTICKS:
        assert asked.pop(name, 0) == len({number for number, _ in missing})
    assert asked == Counter(name for _, name in missing)
    assert bench.prepared == (list(YARDSTICKS) if missing else []) + [
        name for name in NAMES if any(name == other for _, other in missing)
    ]


def test_variants_are_interleaved_in_rounds(measured):
    """All variants and the yardsticks are visited before any is visited again."""
    assert len(measured.visits) == 20 * 12
    assert all(sorted(part) == sorted([*YARDSTICKS, *NAMES]) for part in rounds(measured, 12))


def test_each_round_has_its_own_random_order(measured):
    """Twenty rounds of eight variants have twenty orders, and no variant keeps a place."""
    orders = [tuple(name for name in part if name not in YARDSTICKS) for part in rounds(measured, 12)]
    assert len(set(orders)) == 20  # 8! = 40320 orders: a repeat by chance has odds of 1 in 212
    for place in range(len(NAMES)):
        assert len({order[place] for order in orders}) >= 4


def test_the_yardsticks_have_no_places_of_their_own(measured):
    """They are visited among the others, but first in the rounds in which intervals are looked at."""
    parts = rounds(measured, 12)
    for number in (10, 15):
        assert set(parts[number][:4]) == set(YARDSTICKS)
    for name in YARDSTICKS:
        assert len({part.index(name) for part in parts}) >= 4


def test_the_yardsticks_are_networks_of_four_sizes():
    """MobileNets of 160 px, of 0.25 to 1.0 times the channels; their names are no variants' ids, so these
    may be measured, too.
    """
    widths = [0.25, 0.5, 0.75, 1.0]
    assert list(YARDSTICKS) == [f"yardstick {width:g}" for width in widths]
    for width, (name, subject) in zip(widths, YARDSTICKS.items(), strict=True):
        network = Subject.of(Variant(width=width, resolution=160))
        assert subject.name == name != network.name
        assert (subject.layers, subject.size) == (network.layers, network.size)


def test_the_order_is_that_of_the_configuration(stores):
    """The same configuration gives the same order, another one another."""
    again = CONFIG.model_copy(update={"visit_ms": 3.0})  # says how much is measured, not what
    other = CONFIG.model_copy(update={"batch": 2})
    few = {"rounds": 3}
    first, second, third = (
        measure(stores(), Asked(), config.model_copy(update=few)).visits for config in (CONFIG, again, other)
    )
    assert first == second
    assert first != third


def test_every_visit_is_kept_before_the_next_begins(stores):
    """At each visit, another reader of the file sees all those before it."""
    store, seen = stores(), []
    bench = Asked(before=lambda name: seen.append(visit_count(store.folder)))
    measure(store, bench, CONFIG.model_copy(update={"rounds": 2}))
    made = [sum(name not in YARDSTICKS for name in bench.visits[:place]) for place in range(len(seen))]
    assert seen == made
    assert seen[-1] >= 14


@pytest.mark.parametrize("at_visit", [None, 1, 2, 12])
def test_a_failing_variant_is_not_visited_again(at_visit, stores):
    """It fails as it is prepared or in some visit: what it gave stays, all others are visited in full."""
    store = stores()
    bench = measure(store, Asked(NAMES[2:3], at_visit))
    counts = store.visit_counts()[CONFIG.id]
    assert counts.pop(NAMES[2], 0) == (at_visit or 1) - 1
    assert bench.visits.count(NAMES[2]) == (at_visit or 0)
    assert counts == {name: 20 for name in NAMES if name != NAMES[2]}


@pytest.mark.parametrize("at_visit", [None, 1])
def test_all_variants_may_fail(at_visit, stores):
    """Nothing is measured, and the run ends."""
    store = stores()
    bench = measure(store, Asked(NAMES, at_visit))
    assert store.visit_counts() == {}
    assert sorted(set(bench.visits) - set(YARDSTICKS)) == ([] if at_visit is None else NAMES)


def test_an_interrupt_is_not_a_failure(stores):
    """Ctrl-C during a visit goes through to the caller and blames no variant."""

    def interrupt(name):
        if name == NAMES[3]:
            raise KeyboardInterrupt

    store = stores()
    with pytest.raises(KeyboardInterrupt):
        measure(store, Asked(before=interrupt))
    assert store.failures() == {}


# -- the machine's speed --------------------------------------------------------------------------------


class Told(Silent):
    """Keeps what was said."""

    def __init__(self):
        self.said = []

    def say(self, message):
        """One line for the user."""
        self.said.append(message)


def headlines(store):
    """Variant -> its headline and the mean of its calls, in ms, as they are kept."""
    return {
        name: (found["latency_ms"], found["latency_mean_ms"])
        for (_, name), (_, found) in store.summaries().items()
    }


def calibration(cache):
    """The reference latencies that are kept of this device and configuration."""
    return json.loads((cache / "yardsticks" / "abacus_2c_4g_torch-2.0" / f"{CONFIG.id}.json").read_text())


def test_the_first_run_of_a_device_calibrates_it(stores, own_cache):
    """What is kept of each yardstick is its calm tenth, in the cache and in the run: the same numbers."""
    store = stores()
    measure(store, Asked())
    kept = calibration(own_cache)
    assert list(kept) == list(YARDSTICKS)
    for name, reference_ns in kept.items():
        visited = query(
            store.folder,
            f"SELECT samples FROM yardsticks WHERE yardstick = '{name}' ORDER BY round",  # noqa: S608
        )
        fastest = [np.frombuffer(samples, "<i8").min() for (samples,) in visited]
        inner = [np.median(fastest[place - 1 : place + 2]) for place in range(1, 19)]
        assert reference_ns == pytest.approx(np.quantile([inner[0], *inner, inner[-1]], 0.1))
    in_the_run = query(store.folder, "SELECT yardstick, params, macs, reference_ns FROM calibrations")
    assert sorted(in_the_run) == sorted(
        (name, *YARDSTICKS[name].size, reference_ns) for name, reference_ns in kept.items()
    )


def test_runs_of_one_device_are_told_at_one_speed(stores, own_cache):
    """A second run, when all takes 10 % longer: the same headlines, though its calls take longer."""
    first, second, told = stores(), stores(), Told()
    measure(first, Asked())
    kept = calibration(own_cache)
    measure(second, Asked(pace=1.1), progress=told)
    before, after = headlines(first), headlines(second)
    assert before.keys() == after.keys() == set(NAMES)
    for name in NAMES:
        assert after[name] == pytest.approx((before[name][0], 1.1 * before[name][1]), rel=1e-5)
    assert calibration(own_cache) == kept
    assert not any("calibrated" in said for said in told.said)


def test_a_machine_in_another_state_is_told_as_it_is(stores, own_cache):
    """30 % slower than when it was calibrated: headlines are 30 % above the first run's, and that is said."""
    first, store, told = stores(), stores(), Told()
    measure(first, Asked())
    kept = calibration(own_cache)
    measure(store, Asked(pace=1.3), progress=told)
    for name, (headline, mean) in headlines(first).items():
        assert headlines(store)[name] == pytest.approx((1.3 * headline, 1.3 * mean), rel=1e-5)
    remark = "the machine was 30% slower than when its yardsticks were calibrated: latencies are those of "
    remark += "then"
    (said,) = [said for said in told.said if "calibrated" in said]
    assert said.startswith(f"{CONFIG.id}: {remark}; if it stays so, delete ")
    assert calibration(own_cache) == kept
    assert store.remarks() == {CONFIG.id: [remark]}


def test_a_short_run_calibrates_nothing(stores, own_cache):
    """Nine rounds have no interval, and are no reference for others."""
    measure(stores(), Asked(), CONFIG.model_copy(update={"rounds": 9}))
    assert not (own_cache / "yardsticks").exists()


def test_drift_is_told_without_a_yardstick_that_fails(stores):
    """Said once, with the reason, and no variant's failure; the other three are visited in every round."""
    store, told = stores(), Told()
    measurement = Measurement(store, CONFIG, SUBJECTS, told)
    measurement.failed("yardstick 0.5", "no kernel")
    assert told.said == [
        f"{CONFIG.id}: yardstick 0.5 failed, and drift is told without it: no kernel",
    ]
    assert store.remarks()[CONFIG.id] == ["yardstick 0.5 failed, and drift is told without it: no kernel"]
    measurement.run(Asked(["yardstick 0.5"]), 1, "abacus")
    assert store.failures() == {}
    assert store.visit_counts()[CONFIG.id] == dict.fromkeys(NAMES, 20)
    counts = dict(query(store.folder, "SELECT yardstick, count(*) FROM yardsticks GROUP BY 1"))
    assert counts == {"yardstick 0.25": 20, "yardstick 0.75": 20, "yardstick 1": 20}
    assert all(0.9 < headline < 1.1 for headline, _ in headlines(store).values())


def test_a_gpu_is_part_of_the_device():
    """Its name stands in the description and in the id, beside the machine that it is in."""
    config = LatencyConfig(backend="torch", device="cuda")
    plain, _ = device_of(config, SimpleNamespace(hardware={}))
    device, versions = device_of(config, SimpleNamespace(hardware={"gpu": "NVIDIA H100 80GB HBM3"}))
    assert device["description"] == f"NVIDIA H100 80GB HBM3 in {plain['description']}"
    assert device["id"].startswith("nvidia-h100-80gb-hbm3_")
    assert device["id"].endswith(f"_torch-{versions['torch']}")
    assert plain["id"] != device["id"]
