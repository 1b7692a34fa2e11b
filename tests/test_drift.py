"""The machine's drift, told by yardsticks; and the speed at which headlines are told."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep.drift import STATE_CHANGED, Calibration, Drift, calibrate
from mbsweep.summary import summarize

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
    """Yardsticks of 10, 10, 12, 10, 12, 12, 12 ms: a median of three puts the odd ones in their place.

    Smooth: 10, 10, 10, 12, 12, 12, 12; the calm tenth is at 10, so the machine became 1.2 times slower.
    """
    assert one_yardstick([10, 10, 12, 10, 12, 12, 12]) == pytest.approx([1, 1, 1, 1.2, 1.2, 1.2, 1.2])


def test_the_ends_have_their_neighbours_median():
    """The first of 10, 20, 30, 40 and the last; of two visits both have the middle; one is what it is."""
    assert one_yardstick([10, 20, 30, 40], reference=10) == pytest.approx([2, 2, 3, 3])
    assert one_yardstick([10, 20], reference=10) == pytest.approx([1.5, 1.5])
    assert one_yardstick([7], reference=7) == pytest.approx([1])


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("took", [0.3, 30])
def test_one_disturbed_visit_is_no_drift(place, took):
    """A steady machine's drift is 1 at each visit, also where any one took ten times as long, or as short."""
    values = [3] * 8
    values[place] = took
    assert one_yardstick(values).tolist() == [1] * 8


def test_two_slow_visits_in_a_row_are_drift():
    """Nothing that lasts is smoothed away."""
    assert one_yardstick([3] * 9 + [6, 6] + [3] * 9) == pytest.approx([1] * 9 + [2, 2] + [1] * 9)


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
    drifting = Drift({"small": in_rounds([10] * 6), "large": in_rounds([200] * 3 + [288] * 3)}, SIZES)
    assert drifting.overall == pytest.approx([1] * 3 + [1.2] * 3)


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


def test_a_yardstick_that_missed_a_round_is_interpolated():
    """Stopped between two yardsticks: what one lacks lies between its own neighbours, at an end it holds."""
    large = {key: ns for key, ns in in_rounds([200, 200, 200, 0, 288, 288, 0]).items() if ns}
    drift = Drift({"small": in_rounds([10] * 7), "large": large}, SIZES, {"small": 10, "large": 200})
    # The geometric mean of 1 and of 1, 1, 1, 1.22, 1.44, 1.44, 1.44.
    expected = np.sqrt([1, 1, 1, 1.22, 1.44, 1.44, 1.44])
    assert drift.at(BETWEEN, list(in_rounds([0] * 7))) == pytest.approx(expected)


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
        starts = [min(max(at - 1, 0), max(len(values) - 3, 0)) for at in range(len(values))]
        smooth = np.array([np.median(values[start : start + 3]) for start in starts])
        each.append(smooth / np.quantile(smooth, 0.1))
    found = drift.at(size, keys)
    assert (found >= np.min(each, axis=0) * (1 - 1e-9)).all()
    assert (found <= np.max(each, axis=0) * (1 + 1e-9)).all()


# -- what it leaves uncertain ---------------------------------------------------------------------------


def test_a_single_yardstick_says_nothing_of_its_error():
    """There is none to compare it with."""
    assert Drift({"only": in_rounds([10, 20, 10])}, {"only": SMALL}).error(LARGE) == 0


def test_the_error_by_hand():
    """Two yardsticks at a squared distance of 2 ln(100)^2 = 42.415, of which one drifts, by 1.1.

    Each is told from the other, and off by ln 1.1: per squared distance that is ln(1.1)^2 / 42.415. A network
    between them is at a quarter of that squared distance from either, so off by half of ln 1.1.
    """
    visited = {"small": in_rounds([10] * 5), "large": in_rounds([220] * 5)}
    drift = Drift(visited, SIZES, {"small": 10, "large": 200})
    assert drift.error(BETWEEN) == pytest.approx(math.log(1.1) / 2)
    # At the small one's place: a share of the weights of 1 / 721,000 for the other, at 42.415.
    far = 1 / (42.415 + 0.05) ** 2
    assert drift.error(SMALL) == pytest.approx(math.log(1.1) * math.sqrt(far / (400 + far)), rel=1e-3)


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
    """20 % slower from visit 22 of 40 on: headline and interval are those of the calm machine.

    Without the yardsticks the headline would be off and the interval 20 % wide.
    """
    fastest = 5 * np.exp(np.random.default_rng(8).normal(0, 0.01, 40))
    levels = a_machine_that_slows_down(21, 19)
    calm, raw = (
        summarize([np.array([round(1e6 * value)]) for value in values], np.ones(40))
        for values in (fastest, fastest * levels)
    )
    row = drifted_row(fastest, levels, range(40))
    for name in ("latency_ms", "latency_low_ms", "latency_high_ms", "width_pct"):
        assert row[name] == pytest.approx(calm[name], rel=1e-4), name  # samples are whole nanoseconds
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
    assert json.loads(path.read_text()) == CALM
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
    assert json.loads(kept.read_text()) == slower_by(0.8)
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
    assert json.loads(path.read_text()) == CALM


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
    "of other yardsticks": b'{"tiny": 10.0, "large": 200.0}',
    "of fewer yardsticks": b'{"small": 10.0}',
    "of more yardsticks": b'{"small": 10.0, "large": 200.0, "huge": 3000.0}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_file_that_is_no_calibration_is_made_anew(content, path):
    """Cut short, foreign or of another version's yardsticks: as if there were none; few visits leave it."""
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert calibrate(path, CALM, is_enough=False) == Calibration(CALM)
    assert path.read_bytes() == content
    assert calibrate(path, CALM, is_enough=True) == Calibration(CALM)
    assert json.loads(path.read_text()) == CALM


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
