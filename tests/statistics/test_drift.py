"""The machine's drift, told by yardsticks; and the speed at which headlines are told."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep.base.files import keep, read_kept
from mbsweep.statistics.drift import STATE_CHANGED, WINDOW, Calibration, Drift, calibrate
from mbsweep.statistics.summary import LOW, MIN_VISITS, summarize

SMALL, LARGE = (1000, 10_000), (100_000, 1_000_000)  # parameters, mult-adds
BETWEEN = (10_000, 100_000)  # in the middle of the two, on both logarithmic axes
SIZES = {"small": SMALL, "large": LARGE}


def in_rounds(values, session=1, start=0):
    """(session, round) -> value, in rounds from `start` on."""
    return {(session, number): value for number, value in enumerate(values, start)}


def one_yardstick(values, reference=None):
    """The drift that a single yardstick tells, at each of its visits."""
    visited = in_rounds(values)
    drift = Drift({"only": visited}, {"only": SMALL}, None if reference is None else {"only": reference})
    return drift.at(SMALL, list(visited))


# -- one yardstick --------------------------------------------------------------------------------------


def test_drift_by_hand():
    """Yardsticks of 10 ms in twelve rounds and 12 ms in twenty: what the last twenty rounds were like is told
    by their lower fifth, at place 3.8 of twenty from 0, which is 10 ms as long as five are.

    That is so until round 26. In round 27 it lies between 10 and 12, at 11.6; then it is 12.
    """
    assert (WINDOW, LOW, MIN_VISITS) == (20, 0.2, 12)
    found = one_yardstick([10] * 12 + [12] * 20)
    assert found == pytest.approx([1] * 27 + [1.16] + [1.2] * 4)


def test_the_first_rounds_have_what_all_of_them_say():
    """Of 10, 20, 30, 40: place 0.6 of them, 16; of two visits place 0.2; of twelve place 2.2."""
    assert one_yardstick([10, 20, 30, 40], reference=10) == pytest.approx([1.6] * 4)
    assert one_yardstick([10, 20], reference=10) == pytest.approx([1.2] * 2)
    assert one_yardstick([7], reference=7) == pytest.approx([1])
    assert one_yardstick([10] * 3 + [20] * 9 + [20] * 20, reference=10)[:12] == pytest.approx([1.2] * 12)


@given(st.lists(st.integers(1, 10**9), min_size=13, max_size=40))
def test_later_rounds_do_not_change_the_drift_of_those_before(values):
    """What was told of a visit stays so, from the twelfth round on: a network that was done stays done."""
    reference = 1000
    whole = one_yardstick(values, reference)
    for end in range(12, len(values)):
        assert one_yardstick(values[:end], reference).tolist() == whole[:end].tolist()


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("took", [0.3, 30])
def test_one_disturbed_visit_is_no_drift(place, took):
    """A steady machine's drift is 1 at each visit, also where any one took ten times as long, or as short."""
    values = [3] * 8
    values[place] = took
    assert one_yardstick(values).tolist() == [1] * 8


def test_against_a_reference_drift_is_what_it_is():
    """A machine that was twice as slow as its reference in every visit is not called calm."""
    assert one_yardstick([20, 20, 20], reference=10) == pytest.approx([2, 2, 2])
    assert one_yardstick([5, 5, 5], reference=10) == pytest.approx([0.5] * 3)


def test_without_yardsticks_there_is_no_drift():
    """Nothing is known, so nothing is divided out, at any visit, for any network."""
    for drift in (Drift({}, {}), Drift({"small": {}, "large": {}}, SIZES, {"small": 5.0})):
        assert drift.at(BETWEEN, [(1, 0), (7, 3)]).tolist() == [1, 1]
        assert drift.at(BETWEEN, []).tolist() == []
        assert drift.error(BETWEEN) == 0
        assert drift.overall.tolist() == []
        assert drift.calm_ns == {}


# -- several yardsticks ---------------------------------------------------------------------------------


def test_a_network_between_two_yardsticks_by_hand():
    """The large one drifts by 1.21, the small one not at all: midway it is their geometric mean, 1.1.

    At a quarter of the way the distances are 1 to 3: with d^2 = 2 (ln 100 / 4)^2 = 2.6509, the weights are
    1 / (2.6509 + 0.05)^2 = 0.13709 and 1 / (9 x 2.6509 + 0.05)^2 = 0.0017496.
    """
    visited = {"small": in_rounds([10] * 5), "large": in_rounds([242] * 5)}
    drift = Drift(visited, SIZES, {"small": 10, "large": 200})
    keys = [(1, 2)]
    assert drift.at(BETWEEN, keys) == pytest.approx([1.1])
    quarter = (10**3.5, 10**4.5)
    assert drift.at(quarter, keys) == pytest.approx([1.21 ** (0.0017496 / (0.13709 + 0.0017496))], rel=1e-5)


def test_a_yardsticks_own_network_has_its_drift():
    """At a distance of 0 its weight is 1 / 0.05^2 = 400, that of the other, 100 times as large, 1 / 1803."""
    visited = {"small": in_rounds([10] * 5), "large": in_rounds([400] * 5)}
    drift = Drift(visited, SIZES, {"small": 10, "large": 200})
    far = 1 / (2 * math.log(100) ** 2 + 0.05) ** 2
    assert drift.at(SMALL, [(1, 0)]) == pytest.approx([2 ** (far / (400 + far))], rel=1e-12)
    assert drift.at(LARGE, [(1, 0)]) == pytest.approx([2 ** (400 / (400 + far))], rel=1e-12)


def test_each_yardstick_is_smoothed_and_calmed_by_itself():
    """Disturbed in different visits, neither tells a drift; the overall one is their geometric mean."""
    visited = {
        "small": in_rounds([10, 90, 10, 10, 10, 10]),
        "large": in_rounds([200, 200, 200, 900, 200, 200]),
    }
    steady = Drift(visited, SIZES)
    assert steady.calm_ns == {"large": 200, "small": 10}
    assert steady.overall == pytest.approx([1] * 6)
    assert steady.at(BETWEEN, list(visited["small"])) == pytest.approx([1] * 6)
    drifting = Drift({"small": in_rounds([10] * 45), "large": in_rounds([200] * 15 + [288] * 30)}, SIZES)
    assert drifting.overall[[0, 14, 29]] == pytest.approx([1] * 3)
    assert drifting.overall[31:] == pytest.approx([1.2] * 14)


def test_only_yardsticks_with_a_reference_are_told_by_it():
    """One that the calibration lacks is relative to its own calm state; one without a visit is left out."""
    visited = {"small": in_rounds([20] * 5), "large": in_rounds([200] * 5)}
    sizes = SIZES | {"third": BETWEEN}
    drift = Drift(visited, sizes, {"small": 10, "third": 1})
    assert drift.at(BETWEEN, [(1, 1)]) == pytest.approx([math.sqrt(2)])


def test_rounds_without_yardsticks_have_the_neighbours_drift():
    """A round that was interrupted before its yardsticks' turn: the nearest of the same session, even where
    the next session's was as near in rounds."""
    fastest = in_rounds([10] * 4) | in_rounds([20] * 4, session=2, start=5)
    drift = Drift({"only": fastest}, {"only": SMALL}, {"only": 10})
    assert drift.at(SMALL, [(1, 3), (1, 4), (1, 5), (2, 5), (2, 4)]) == pytest.approx([1, 1, 1, 2, 2])
    assert drift.at(SMALL, [(3, 9), (0, 0)]) == pytest.approx([2, 1])  # whole sessions without one


def test_a_yardstick_that_missed_a_round_says_what_it_said_before():
    """Stopped between two yardsticks: round 20 has the small one alone, and the large one's last word."""
    large = in_rounds([200] * 20)
    drift = Drift({"small": in_rounds([10] * 21), "large": large}, SIZES, {"small": 10, "large": 100})
    assert drift.at(BETWEEN, [(1, 19), (1, 20)]) == pytest.approx([math.sqrt(2)] * 2)


def test_a_session_is_told_by_the_yardsticks_that_it_has():
    """The second one has a larger yardstick, too; what is told of the first does not change by that."""
    first = in_rounds([20] * 13)
    second = in_rounds([30] * 13, session=2)
    alone = Drift({"small": first}, SIZES, {"small": 10})
    both = Drift(
        {"small": first | second, "large": in_rounds([270] * 13, session=2)},
        SIZES,
        {"small": 10, "large": 90},
    )
    assert both.at(BETWEEN, [(1, 0), (1, 12)]) == pytest.approx([2, 2])
    assert both.at(BETWEEN, [(2, 0), (2, 12)]) == pytest.approx([3, 3])
    assert alone.at(LARGE, list(first)).tolist() == both.at(LARGE, list(first)).tolist()
    assert both.error(LARGE) == pytest.approx(0, abs=1e-12)  # where both were, they agree


def test_networks_smaller_than_any_have_a_drift():
    """A part of a network, as a pooling layer, may have neither weights nor mult-adds."""
    drift = Drift({"small": in_rounds([10] * 3), "large": in_rounds([20] * 3)}, SIZES, {"large": 10})
    (found,) = drift.at((0, 0), [(1, 0)])
    assert 1 < found < 2


NS = st.integers(1, 10**9)
YARDSTICKS = st.lists(st.tuples(NS, NS, NS), min_size=1, max_size=25)  # visits to each of three
THREE = {"a": SMALL, "b": LARGE, "c": (3_000, 5_000_000)}
ANY_SIZE = st.tuples(st.integers(0, 10**8), st.integers(0, 10**10))


def told_by(rounds, factors=(1, 1, 1), reference=None):
    """The drift that some rounds of visits to three yardsticks tell, each taking `factor` times as long."""
    visited = {
        name: in_rounds([factor * row[place] for row in rounds])
        for place, (name, factor) in enumerate(zip(THREE, factors, strict=True))
    }
    return Drift(visited, THREE, reference), list(in_rounds(rounds))


@given(YARDSTICKS, ANY_SIZE, st.tuples(*[st.integers(2, 100)] * 3))
def test_drift_is_relative_to_the_machines_calm_self(rounds, size, factors):
    """Without a reference, a yardstick that takes longer throughout changes nothing."""
    drift, keys = told_by(rounds)
    slower, _ = told_by(rounds, factors)
    np.testing.assert_allclose(slower.at(size, keys), drift.at(size, keys), rtol=1e-9)
    assert slower.error(size) == pytest.approx(drift.error(size), rel=1e-6, abs=1e-6)
    for name, factor in zip(THREE, factors, strict=True):
        assert slower.calm_ns[name] == pytest.approx(factor * drift.calm_ns[name])


@given(YARDSTICKS, ANY_SIZE, st.integers(2, 100))
def test_a_slower_machine_drifts_by_so_much_more(rounds, size, factor):
    """With a reference: where all yardsticks take `factor` times as long, any network drifts by it, too."""
    reference = {"a": 5e3, "b": 6e4, "c": 7e5}
    drift, keys = told_by(rounds, reference=reference)
    slower, _ = told_by(rounds, [factor] * 3, reference)
    np.testing.assert_allclose(slower.at(size, keys), factor * drift.at(size, keys), rtol=1e-9)
    np.testing.assert_allclose(slower.overall, factor * drift.overall, rtol=1e-9)


@given(YARDSTICKS, ANY_SIZE)
def test_drift_lies_between_the_yardsticks(rounds, size):
    """No network drifts more than the yardstick that drifts most, nor less than the one that does least."""
    drift, keys = told_by(rounds)
    each = []
    for place in range(3):
        values = [row[place] for row in rounds]
        of_late = [values[max(0, at - 19) : max(at + 1, 12)] for at in range(len(values))]
        levels = np.array([np.quantile(some, 0.2) for some in of_late])
        each.append(levels / np.quantile(levels, 0.2))
    found = drift.at(size, keys)
    assert (found >= np.min(each, axis=0) * (1 - 1e-9)).all()
    assert (found <= np.max(each, axis=0) * (1 + 1e-9)).all()


# -- what it leaves uncertain ---------------------------------------------------------------------------


def test_a_single_yardstick_says_nothing_of_its_error():
    """There is none to compare it with."""
    assert Drift({"only": in_rounds([10, 20, 10])}, {"only": SMALL}).error(LARGE) == 0


def test_the_error_by_hand():
    """Two yardsticks, of which one drifts, by 1.1: each is told from the other, and off by ln 1.1; so is any
    network, as near to them or as far as it may be.
    """
    visited = {"small": in_rounds([10] * 5), "large": in_rounds([220] * 5)}
    drift = Drift(visited, SIZES, {"small": 10, "large": 200})
    for size in (SMALL, BETWEEN, LARGE, (1, 1), (10**9, 10**12)):
        assert drift.error(size) == pytest.approx(math.log(1.1))


def test_the_error_of_a_network_is_that_of_the_yardsticks_near_it():
    """Two pairs far from each other: the small ones agree, the large ones are 1.3 apart."""
    sizes = {"a": (1e3, 1e4), "b": (2e3, 2e4), "c": (1e8, 1e9), "d": (2e8, 2e9)}
    visited = {name: in_rounds([10] * 5) for name in sizes}
    drift = Drift(visited, sizes, {"a": 10, "b": 10, "c": 10, "d": 13})
    assert drift.error((1500, 15_000)) < 0.01
    assert drift.error((15e7, 15e8)) == pytest.approx(math.log(1.3), rel=0.01)


@given(YARDSTICKS, ANY_SIZE)
def test_the_error_is_never_more_than_the_yardsticks_own(rounds, size):
    """However far a network is from all yardsticks: at most the largest difference between two of them."""
    drift, keys = told_by(rounds, reference={"a": 5e3, "b": 6e4, "c": 7e5})
    levels = np.log([drift.at(of, keys) for of in THREE.values()])
    assert (
        drift.error(size) <= np.ptp(levels, axis=0).max() * 1.3 + 1e-9
    )  # each is told with the others' help


def test_yardsticks_that_agree_leave_nothing_uncertain():
    """All drift alike: whatever the drift is, it is that of every network."""
    levels = np.array([1, 1, 1, 1.3, 1.3, 1.3])
    visited = {name: in_rounds((base * levels).tolist()) for name, base in (("a", 10), ("b", 70), ("c", 900))}
    assert Drift(visited, THREE, {"a": 10, "b": 70, "c": 900}).error(BETWEEN) == pytest.approx(0, abs=1e-12)


# -- headlines on a machine that drifts -----------------------------------------------------------------


def a_machine_that_slows_down(calm, slow, slower_by=1.2):
    """How long everything takes at each of calm + slow visits, against a calm machine."""
    return np.array([1.0] * calm + [slower_by] * slow)


def drifted_row(fastest, levels, places):
    """The row of a network that was visited in some rounds, on a machine that drifts by `levels`."""
    visited = {name: in_rounds((ns * levels).tolist()) for name, ns in (("small", 4e6), ("large", 9e7))}
    visits = [np.array([round(1e6 * fastest[place] * levels[place])]) for place in places]
    return summarize(visits, Drift(visited, SIZES).at(BETWEEN, [(1, place) for place in places]))


def test_a_machine_that_slows_down_leaves_the_headline_as_it_was():
    """20 % slower from visit 9 of 40 on: headline and interval are nearly those of the calm machine.

    Without the yardsticks the headline would be off by more, and the interval 20 % wide.
    """
    fastest = 5 * np.exp(np.random.default_rng(8).normal(0, 0.01, 40))
    levels = a_machine_that_slows_down(8, 32)
    calm, raw = (
        summarize([np.array([round(1e6 * value)]) for value in values], np.ones(40))
        for values in (fastest, fastest * levels)
    )
    row = drifted_row(fastest, levels, range(40))
    assert row["latency_ms"] == pytest.approx(calm["latency_ms"], rel=0.005)
    assert raw["width_pct"] > 15 > 2 > row["width_pct"]
    assert raw["latency_ms"] > 1.01 * calm["latency_ms"]


@pytest.mark.parametrize("calm", [6, 20, 34])
def test_the_headline_is_that_of_the_calm_machine(calm):
    """Whether it was 20 % slower for most of the visits or for few of them."""
    row = drifted_row(np.full(40, 5.0), a_machine_that_slows_down(calm, 40 - calm), range(40))
    assert row["latency_ms"] == pytest.approx(5)
    assert row["width_pct"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("calm", [8, 20, 33])
def test_networks_visited_before_and_after_a_change_can_be_compared(calm):
    """Two networks of 5 ms each, one settled early and one measured later: their headlines are the same."""
    levels = a_machine_that_slows_down(calm, 40 - calm)
    early = drifted_row(np.full(40, 5.0), levels, range(15))
    late = drifted_row(np.full(40, 5.0), levels, range(25, 40))
    assert early["latency_ms"] == pytest.approx(late["latency_ms"], rel=1e-6)


# -- the reference speed --------------------------------------------------------------------------------

CALM = {"small": 10.0, "large": 200.0}


def slower_by(factor):
    return {name: factor * ns for name, ns in CALM.items()}


@pytest.fixture
def path(tmp_path):
    """Where a device's calibration lies, in folders that do not exist yet."""
    return tmp_path / "yardsticks" / "device" / "config.json"


@pytest.fixture
def kept(path):
    """The file of a device that was calibrated before."""
    assert calibrate(path, CALM, is_enough=True) == Calibration(CALM)
    return path


def test_the_first_run_is_the_reference(path):
    """It is kept, as JSON, with nothing else beside it, and nothing is to say."""
    assert calibrate(path, CALM, is_enough=True) == Calibration(CALM)
    assert json.loads(read_kept(path)) == CALM
    assert list(path.parent.iterdir()) == [path]


def test_too_few_visits_are_no_reference(path):
    """The run is told at its own speed, and the next one is not bound to it."""
    assert calibrate(path, CALM, is_enough=False) == Calibration(CALM)
    assert not path.parent.exists()


@pytest.mark.parametrize("is_enough", [True, False])
@pytest.mark.parametrize("factor", [0.875, 0.99, 1, 1.1, 1.145])
def test_nearly_the_same_speed_is_the_reference_speed(factor, is_enough, kept):
    """Within 15 % either way, a run of any length is told at the reference speed, which stays as it is."""
    assert STATE_CHANGED == 1.15
    before = kept.read_bytes()
    assert calibrate(kept, slower_by(factor), is_enough) == Calibration(CALM)
    assert kept.read_bytes() == before


@pytest.mark.parametrize("is_enough", [True, False])
def test_a_slower_machine_is_told_as_it_is(is_enough, kept):
    """20 % slower is another state: its own speed, a word on it and on what to do; the reference stays."""
    before = kept.read_bytes()
    assert calibrate(kept, slower_by(1.2), is_enough) == Calibration(
        slower_by(1.2),
        "the machine was 20% slower than when its yardsticks were calibrated: latencies are those of then",
        f"if it stays so, delete {kept}",
    )
    assert kept.read_bytes() == before
    kept.unlink()
    assert calibrate(kept, slower_by(1.2), is_enough=True) == Calibration(slower_by(1.2))


def test_a_faster_machine_is_calibrated_anew(kept):
    """25 % faster: the reference was that of a disturbed machine. Told once; then it is the reference."""
    assert calibrate(kept, slower_by(0.8), is_enough=True) == Calibration(
        slower_by(0.8),
        "the machine was 25% faster than when its yardsticks were calibrated, which were calibrated anew",
    )
    assert json.loads(read_kept(kept)) == slower_by(0.8)
    assert calibrate(kept, slower_by(0.82), is_enough=True) == Calibration(slower_by(0.8))


def test_few_visits_of_a_faster_machine_change_nothing(kept):
    """A few lucky visits are no reason to calibrate a device anew."""
    before = kept.read_bytes()
    assert calibrate(kept, slower_by(0.8), is_enough=False) == Calibration(CALM)
    assert kept.read_bytes() == before


def test_it_is_the_yardsticks_mean_that_tells_the_state(kept):
    """One 30 % slower, the other 20 % faster: 2 % slower in the geometric mean, the same state."""
    assert calibrate(kept, {"small": 13.0, "large": 160.0}, is_enough=True) == Calibration(CALM)


def test_without_yardsticks_there_is_nothing_to_calibrate(path):
    """All four failed: no reference, no word, no file, whether or not there was a reference before."""
    assert calibrate(path, {}, is_enough=False) == Calibration({})
    assert calibrate(path, {}, is_enough=True) == Calibration({})
    assert not path.exists()
    calibrate(path, CALM, is_enough=True)
    assert calibrate(path, {}, is_enough=False) == Calibration({})
    assert json.loads(read_kept(path)) == CALM


DAMAGED = {
    "empty": b"",
    "cut short": b'{"small": 10.0, "la',
    "not UTF-8": b"\xff\xfe\x00",
    "a list": b"[1, 2]",
    "a number": b"7",
    "text for a number": b'{"small": 10.0, "large": "fast"}',
    "null for a number": b'{"small": 10.0, "large": null}',
    "zero": b'{"small": 10.0, "large": 0}',
    "negative": b'{"small": 10.0, "large": -200}',
    "not a number": b'{"small": 10.0, "large": NaN}',
    "infinite": b'{"small": 10.0, "large": Infinity}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_file_that_is_no_calibration_is_made_anew(content, path):
    """Cut short or foreign: as if there were none; few visits leave it."""
    assert keep(path, content) == ""
    assert calibrate(path, CALM, is_enough=False) == Calibration(CALM)
    assert read_kept(path) == content
    assert calibrate(path, CALM, is_enough=True) == Calibration(CALM)
    assert json.loads(read_kept(path)) == CALM


def test_a_digit_that_has_changed_is_no_calibration(kept):
    """It would make every latency of the device wrong: the checksum does not fit, and it is made anew."""
    content = kept.read_bytes()
    assert content.count(b"200.0") == 1
    kept.write_bytes(content.replace(b"200.0", b"210.0"))
    assert calibrate(kept, slower_by(1.05), is_enough=True) == Calibration(slower_by(1.05))


def test_a_new_yardstick_is_entered_at_the_known_speed(kept):
    """10 % slower than it was calibrated, with a third yardstick of 3.3 ms: at the known speed it takes 3."""
    found = calibrate(kept, slower_by(1.1) | {"tiny": 3.3}, is_enough=True)
    assert found == Calibration(CALM | {"tiny": pytest.approx(3)})
    assert json.loads(read_kept(kept)) == CALM | {"tiny": pytest.approx(3)}
    # a sweep of other sizes has others again: those of before stay in the file
    assert calibrate(kept, {"tiny": 3.15, "huge": 4200.0}, is_enough=True).reference_ns == pytest.approx(
        {"tiny": 3, "huge": 4000}
    )
    assert json.loads(read_kept(kept)) == pytest.approx(CALM | {"tiny": 3, "huge": 4000})


def test_a_short_run_enters_no_new_yardstick(kept):
    """It is told at the known speed, with the new one at what it seems to take there."""
    before = kept.read_bytes()
    assert calibrate(kept, CALM | {"tiny": 3.0}, is_enough=False).reference_ns == CALM | {"tiny": 3.0}
    assert kept.read_bytes() == before


def test_wholly_other_yardsticks_are_added(kept):
    """Nothing tells their speed against that of the known ones: they have their own."""
    assert calibrate(kept, {"tiny": 3.0, "huge": 4e3}, is_enough=True) == Calibration(
        {"tiny": 3.0, "huge": 4e3}
    )
    assert json.loads(read_kept(kept)) == CALM | {"tiny": 3.0, "huge": 4e3}


def test_a_calibration_that_cannot_be_kept_is_no_error(tmp_path):
    """A file stands where a folder should: the run goes on at its own speed, and says why."""
    (tmp_path / "yardsticks").write_text("mine", encoding="utf-8")
    found = calibrate(tmp_path / "yardsticks" / "config.json", CALM, is_enough=True)
    assert (found.reference_ns, found.remark) == (CALM, "")
    assert found.advice.startswith("the calibration of the yardsticks cannot be kept: ")
    assert str(tmp_path / "yardsticks") in found.advice
    assert (tmp_path / "yardsticks").read_text(encoding="utf-8") == "mine"


@settings(max_examples=50)
@given(factors=st.lists(st.floats(0.5, 2), min_size=1, max_size=8))
def test_headlines_stay_within_15_percent_of_the_machine(factors, tmp_path_factory):
    """Whatever the machine does from run to run, what it is told by is never farther than 15 % from it."""
    path = tmp_path_factory.mktemp("device") / "config.json"
    for factor in factors:
        found = calibrate(path, slower_by(factor), is_enough=True).reference_ns
        assert 1 / 1.15 * (1 - 1e-9) <= slower_by(factor)["small"] / found["small"] <= 1.15 * (1 + 1e-9)
        assert found["large"] / found["small"] == pytest.approx(20)
