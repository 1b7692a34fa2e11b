"""One configuration's rounds: what is visited when, with a bench that is a list of what was asked of it."""

import fcntl
import json
import os
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from console import query, visit_count
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep import Variant
from mbsweep.base.child import AnswerError
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import keep, read_kept
from mbsweep.base.progress import Silent
from mbsweep.base.quiet import busy
from mbsweep.latency.measured import measure as measure_space
from mbsweep.latency.measuring import Measurement, device_of, set_aside
from mbsweep.latency.predicting import foretell
from mbsweep.latency.yardsticks import yardstick
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.subject import Subject
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep

SUBJECTS = [Subject.of(Variant(width=0.25, resolution=resolution)) for resolution in range(32, 40)]
NAMES = [subject.name for subject in SUBJECTS]
YARDSTICKS = ["yardstick 0.25-32", "yardstick 0.25-64 shallow", "yardstick 0.5-32", "yardstick 0.25-64"]
CONFIG = LatencyConfig(backend="torch", rounds=20, target_pct=1e-6)


class Told(Silent):
    """Keeps what was said."""

    def __init__(self):
        self.said = []

    def say(self, message):
        """One line for the user."""
        self.said.append(message)


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


def test_the_machine_is_kept_quiet_from_the_first_visit_to_the_last(stores):
    """No process can begin to train between two of them; before, while networks are prepared, and behind, it
    can.
    """
    machine = Path(tempfile.gettempdir(), f"mbsweep-{os.getuid()}.machine")
    machine.touch()

    def is_free(*_):
        with machine.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    class Looking(Asked):
        def prepare(self, subjects, on_prepared):
            assert is_free()
            super().prepare(subjects, on_prepared)

    free = []
    bench = measure(stores(), Looking(before=lambda name: free.append(is_free())))
    assert len(free) == len(bench.visits) > 0
    assert not any(free)
    assert is_free()


def test_a_run_says_what_it_waits_for(tmp_path):
    """While a network is trained on this machine, nothing is visited, and one line tells why."""

    def in_its_thread():
        with Store.write(tmp_path / "run") as store:
            measure(store, bench, progress=told)

    told, bench = Told(), Asked()
    with busy():
        measuring = threading.Thread(target=in_its_thread)
        measuring.start()
        while not told.said and measuring.is_alive():
            time.sleep(0.01)
        assert bench.visits == []
    measuring.join()
    waited = f"{CONFIG.id}: waits for trainings on this machine to end their epochs"
    assert told.said[0] == waited
    assert told.said.count(waited) == 1
    assert bench.visits


@pytest.mark.parametrize("timing", [measure_space, foretell])
def test_a_run_says_what_a_trial_of_int8_waits_for(timing, tmp_path, monkeypatch):
    """As it says everything, so that the words do not tear its bar. No process is begun here."""

    def quiet(say):
        say("waits")
        raise MbsweepError("enough")

    monkeypatch.setattr("mbsweep.profiler.bench.quiet", quiet)
    config, told = LatencyConfig(backend="onnxruntime", precision="int8"), Told()
    space = count_space(parse_sweep("space: {resolution: [32, 64]}\n", "two.yaml"))
    with Store.write(tmp_path / "run") as store, pytest.raises(MbsweepError, match="enough"):
        timing(store, config, space, told, None)
    assert told.said == [f"{config.id}: waits"]


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
    assert bench.prepared == (YARDSTICKS if missing else []) + [
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
    for number in (12, 17):
        assert set(parts[number][:4]) == set(YARDSTICKS)
    for name in YARDSTICKS:
        assert len({part.index(name) for part in parts}) >= 4


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


def headlines(store):
    """Variant -> its headline and the mean of its calls, in ms, as they are kept."""
    return {
        name: (found["latency_ms"], found["latency_mean_ms"])
        for (_, name), (_, found) in store.summaries().items()
    }


def calibration(cache):
    """The reference latencies that are kept of this device and configuration."""
    return json.loads(read_kept(cache / "yardsticks" / "abacus_2c_4g_torch-2.0" / f"{CONFIG.id}.json"))


def test_the_first_run_of_a_device_calibrates_it(stores, own_cache):
    """What is kept of each yardstick is its calm fifth, in the cache and in the run: the same numbers."""
    store = stores()
    measure(store, Asked())
    kept = calibration(own_cache)
    assert sorted(kept) == sorted(YARDSTICKS)
    for name, reference_ns in kept.items():
        visited = query(
            store.folder,
            f"SELECT samples FROM yardsticks WHERE yardstick = '{name}' ORDER BY round",  # noqa: S608
        )
        fastest = [np.frombuffer(samples, "<i8").min() for (samples,) in visited]
        levels = [np.quantile(fastest[: max(12, place + 1)], 0.2) for place in range(20)]
        assert reference_ns == pytest.approx(np.quantile(levels, 0.2))
    in_the_run = query(store.folder, "SELECT yardstick, params, macs, reference_ns FROM calibrations")
    assert sorted(in_the_run) == sorted(
        (name, *yardstick(name).size, reference_ns) for name, reference_ns in kept.items()
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
    """Eleven rounds have no interval, and are no reference for others."""
    measure(stores(), Asked(), CONFIG.model_copy(update={"rounds": 11}))
    assert not (own_cache / "yardsticks").exists()


def test_drift_is_told_without_a_yardstick_that_fails(stores):
    """Said once, with the reason, and no variant's failure; the other three are visited in every round."""
    store, told = stores(), Told()
    measurement = Measurement(store, CONFIG, SUBJECTS, told)
    measurement.failed("yardstick 0.5-32", AnswerError("", "no kernel"))
    assert told.said == [
        f"{CONFIG.id}: yardstick 0.5-32 failed, and drift is told without it: no kernel",
    ]
    assert store.remarks()[CONFIG.id] == ["yardstick 0.5-32 failed, and drift is told without it: no kernel"]
    measurement.run(Asked(["yardstick 0.5-32"]), 1, "abacus")
    assert store.failures() == {}
    assert store.visit_counts()[CONFIG.id] == dict.fromkeys(NAMES, 20)
    counts = dict(query(store.folder, "SELECT yardstick, count(*) FROM yardsticks GROUP BY 1"))
    assert counts == dict.fromkeys([name for name in YARDSTICKS if name != "yardstick 0.5-32"], 20)
    assert all(0.9 < headline < 1.1 for headline, _ in headlines(store).values())


# -- more of a sweep, and once more ---------------------------------------------------------------------


def test_a_run_that_is_added_to_keeps_its_yardsticks(stores, own_cache):
    """A network far from the others: the four stay, and those are added that are near it. The headlines of
    before stay what they were, and so does the speed at which they are told.
    """
    store = stores()
    measure(store, Asked())
    before, kept = headlines(store), calibration(own_cache)
    more = [*SUBJECTS, Subject.of(Variant(width=1.0, resolution=128))]
    bench = measure(store, Asked(pace=1.05), subjects=more, session=2)
    assert bench.prepared == [*YARDSTICKS, "yardstick 1-128", more[-1].name]
    assert headlines(store).items() > before.items()
    assert calibration(own_cache).items() > kept.items()
    assert set(calibration(own_cache)) == {*YARDSTICKS, "yardstick 1-128"}


def test_networks_are_done_when_the_interval_that_is_shown_is_narrow(stores, own_cache):
    """The device's reference makes the yardsticks contradict each other by 20 %: no network is done before
    its budget is spent, although by the run's own reference each would be after twelve visits.
    """
    wide = CONFIG.model_copy(update={"target_pct": 12})
    first, second = stores(), stores()
    measure(first, Asked(), wide)
    assert set(first.visit_counts()[CONFIG.id].values()) == {12}
    path = own_cache / "yardsticks" / "abacus_2c_4g_torch-2.0" / f"{CONFIG.id}.json"
    factors = zip(calibration(own_cache).items(), (1, 1.2, 1, 1.2), strict=True)
    assert keep(path, json.dumps({name: ns * factor for (name, ns), factor in factors}).encode()) == ""
    measure(second, Asked(), wide)
    assert set(second.visit_counts()[CONFIG.id].values()) == {20}


def old_visits(store):
    """Name -> how many visits were set aside."""
    return dict(query(store.folder, "SELECT name, count(*) FROM old_visits GROUP BY 1"))


def test_a_configuration_can_be_measured_again(stores, own_cache):
    """Each network is visited anew in every round; old visits, the yardsticks' too, are kept, in no number.

    Slower at first by 1.1: the second time the mean is that of the new calls alone.
    """
    store, told = stores(), Told()
    measure(store, Asked(pace=1.1))
    before = headlines(store)
    set_aside(store, CONFIG, SUBJECTS, False, told)
    assert told.said == [f"{CONFIG.id}: 8 of 8 are measured again"]
    assert store.visit_counts() == {}
    assert old_visits(store) == dict.fromkeys([*NAMES, *YARDSTICKS], 20)
    measure(store, Asked(), session=2)
    assert store.visit_counts()[CONFIG.id] == dict.fromkeys(NAMES, 20)
    for name, (_, mean) in headlines(store).items():
        assert mean == pytest.approx(before[name][1] / 1.1, rel=1e-5)
    assert old_visits(store) == dict.fromkeys([*NAMES, *YARDSTICKS], 20)


def test_only_what_is_noisy_is_measured_again(stores, own_cache):
    """The intervals of four of eight networks are wider than asked: these go, with their old visits; the
    others stay, and so do the yardsticks' visits beside them.
    """
    store = stores()
    measure(store, Asked())
    widths_pct = {name: found["width_pct"] for (_, name), (_, found) in store.summaries().items()}
    config = CONFIG.model_copy(update={"target_pct": np.median(list(widths_pct.values()))})
    wide = {name for name, found_pct in widths_pct.items() if found_pct > config.target_pct}
    assert len(wide) == 4
    counts = store.visit_counts()[CONFIG.id]
    set_aside(store, config, SUBJECTS, True, Silent())
    assert set(old_visits(store)) == wide
    assert store.visit_counts()[CONFIG.id] == {n: c for n, c in counts.items() if n not in wide}
    bench = measure(store, Asked(), config, session=2)
    assert set(bench.visits) == {*wide, *YARDSTICKS}


def test_measuring_again_that_was_stopped_goes_on(stores, own_cache):
    """Asked again after a kill in round 5: what was measured since is kept, and the rest is measured."""
    store, told = stores(), Told()
    measure(store, Asked())
    set_aside(store, CONFIG, SUBJECTS, False, told)

    def killed(name):
        if bench.visits.count(name) == 5:
            raise KeyboardInterrupt

    bench = Asked(before=killed)
    with pytest.raises(KeyboardInterrupt):
        measure(store, bench, session=2)
    made = dict(store.visit_counts()[CONFIG.id])
    set_aside(store, CONFIG, SUBJECTS, False, told)
    assert told.said[1:] == [
        f"{CONFIG.id}: is not finished, and goes on; what is done is not measured again yet"
    ]
    assert store.visit_counts()[CONFIG.id] == made
    measure(store, Asked(), session=3)
    assert store.visit_counts()[CONFIG.id] == dict.fromkeys(NAMES, 20)
    assert old_visits(store) == dict.fromkeys([*NAMES, *YARDSTICKS], 20)


def test_a_gpu_is_part_of_the_device():
    """Its name stands in the description and in the id, beside the machine that it is in."""
    config = LatencyConfig(backend="torch", device="cuda")
    plain, _ = device_of(config, SimpleNamespace(hardware={}, weights=""))
    device, versions = device_of(
        config, SimpleNamespace(hardware={"gpu": "NVIDIA H100 80GB HBM3"}, weights="")
    )
    assert device["description"] == f"NVIDIA H100 80GB HBM3 in {plain['description']}"
    assert device["id"].startswith("nvidia-h100-80gb-hbm3_")
    assert device["id"].endswith(f"_torch-{versions['torch']}")
    assert plain["id"] != device["id"]
