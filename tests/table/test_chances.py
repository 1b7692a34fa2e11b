"""The probability of being on the front, against closed forms and against its definition."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import made_run

from mbsweep import open_run
from mbsweep.statistics.drift import Drift
from mbsweep.statistics.pareto import front
from mbsweep.table.chances import _is_beaten, front_chances
from mbsweep.table.columns import COMPARABLE
from mbsweep.table.draws import Accuracies, Latencies

NAN = float("nan")
SIGMA = 0.02  # of the logarithm of every latency below


def table_of(latencies_ms, top1_pct, kind="predicted", sigma=SIGMA):
    """Rows of one configuration, whose intervals are those of a log-normal latency."""
    latencies = np.array(latencies_ms, dtype=float)
    table = pd.DataFrame(dict.fromkeys(COMPARABLE, "same"), index=range(len(latencies)))
    table["variant"] = [f"v{place}" for place in range(len(latencies))]
    table["latency_kind"] = kind
    table["latency_ms"], table["top1_pct"] = latencies, np.array(top1_pct, dtype=float)
    table["latency_low_ms"] = latencies * math.exp(-1.96 * sigma)
    table["latency_high_ms"] = latencies * math.exp(1.96 * sigma)
    table["top1_low_pct"] = table["top1_high_pct"] = NAN
    table["on_front"] = False
    return table


def no_visits(config, variant):
    raise AssertionError("nothing was measured")


@pytest.mark.parametrize("ratio", [0.97, 0.99, 1.0, 1.01, 1.03])
def test_two_close_networks_are_told_by_the_normal_distribution(ratio):
    """The less accurate of two is on the front where it is the faster; the difference of two logarithms is
    normal, with sqrt(2) times their standard deviation. The more accurate always is.
    """
    chances = front_chances(table_of([5.0, 5.0 * ratio], [60, 50]), no_visits)
    faster = 0.5 * (1 + math.erf(-math.log(ratio) / (math.sqrt(2) * SIGMA) / math.sqrt(2)))
    assert chances[0] == 100
    assert chances[1] == pytest.approx(100 * faster, abs=4)  # 1000 resamples: sd 1.6 points at most


def test_a_front_of_noise_looks_like_one():
    """Eight equal latencies, accuracies rising: the k-th best is on the front where it is faster than all
    that are better, with a probability of 1 in k.
    """
    chances = front_chances(table_of([5.0] * 8, range(8)), no_visits)
    assert chances.tolist() == pytest.approx([100 / k for k in range(8, 0, -1)], abs=4)


def test_what_is_far_apart_is_certain():
    """Four networks on the front, and one beaten by 50 %."""
    chances = front_chances(table_of([1, 2, 3, 4, 3], [40, 50, 60, 70, 50]), no_visits)
    assert chances.tolist() == [100, 100, 100, 100, 0]


def test_measured_latencies_are_drawn_from_their_visits():
    """One latency of two lies in two places, half of the visits each; the other between them."""
    draws = {"v0": np.repeat([4.9, 5.1], 500), "v1": np.full(1000, 5.0)}
    asked = []

    def resample(config, variant):
        asked.append((config, variant))
        return draws[variant]

    chances = front_chances(table_of([5.0, 5.0], [60, 50], kind="measured"), resample)
    assert chances.tolist() == pytest.approx([100, 50], abs=0.1)
    assert asked == [("same", "v0"), ("same", "v1")]


def test_the_unknown_stays_unknown():
    """No accuracy or no latency: NaN for that row. A latency without an interval: NaN for all beside it."""
    table = table_of([1, 2, 3, NAN], [40, 50, NAN, 60])
    assert front_chances(table, no_visits).tolist() == pytest.approx([100, 100, NAN, NAN], nan_ok=True)
    table.loc[0, ["latency_low_ms", "latency_high_ms"]] = NAN
    assert front_chances(table, no_visits).isna().all()


def test_other_configurations_do_not_matter():
    """A faster and better network in another runtime takes no place from these."""
    table = table_of([1, 2, 0.5, 0.6], [40, 50, 90, 80])
    table.loc[2:, "config"] = "other"
    assert front_chances(table, no_visits).tolist() == [100, 100, 100, 0]


def test_counts_are_certain():
    """Nothing was timed: whether a variant is on the front of exact mult-adds is no question of chance."""
    table = table_of([NAN] * 3, [40, 50, NAN])
    table["on_front"] = [True, False, False]
    assert front_chances(table, no_visits).tolist() == pytest.approx([100, 0, NAN], nan_ok=True)


def with_accuracies_known_to(table, half, rows=slice(None)):
    """Intervals from `half` below to `half` above on the scale of arcsin(sqrt(p))."""
    middle = np.arcsin(np.sqrt(table["top1_pct"] / 100))
    for name, sign in (("top1_low_pct", -1), ("top1_high_pct", 1)):
        table.loc[rows, name] = 100 * np.sin(np.clip(middle + sign * half, 0, np.pi / 2)) ** 2
    return table


@pytest.mark.parametrize("apart", [0.0, 0.01, 0.02, 0.05])
def test_two_close_accuracies_are_told_by_the_normal_distribution(apart):
    """The slower of two that are far apart in latency is on the front where it is the better; the difference
    of two angles is normal, with sqrt(2) times their standard deviation. The faster always is.
    """
    sigma = 0.02
    angles = np.arcsin(np.sqrt(0.7)) + np.array([0, apart])
    table = with_accuracies_known_to(table_of([1, 2], 100 * np.sin(angles) ** 2), 1.96 * sigma)
    better = 0.5 * (1 + math.erf(apart / (math.sqrt(2) * sigma) / math.sqrt(2)))
    assert front_chances(table, no_visits).tolist() == [100, pytest.approx(100 * better, abs=4)]


def test_equal_accuracies_of_noise_share_the_front():
    """Eight latencies far apart, accuracies alike: the k-th fastest is on the front where it is better than
    all that are faster, with a probability of 1 in k.
    """
    table = with_accuracies_known_to(table_of(2.0 ** np.arange(8), [80] * 8), 0.05)
    chances = front_chances(table, no_visits)
    assert chances.tolist() == pytest.approx([100 / k for k in range(1, 9)], abs=4)


def test_an_accuracy_without_interval_stays():
    """Beside one that is drawn: the slower of two equals is better in half of the resamples."""
    table = with_accuracies_known_to(table_of([1, 2], [60, 60]), 0.05, rows=[1])
    assert front_chances(table, no_visits).tolist() == [100, pytest.approx(50, abs=4)]
    table = table_of([1, 2], [60, 60])
    assert front_chances(table, no_visits).tolist() == [100, 0]


def test_accuracies_are_drawn_against_mult_adds_too():
    """Nothing was timed: mult-adds are exact, accuracies are not."""
    table = with_accuracies_known_to(table_of([NAN] * 3, [60, 60, 60]), 0.05)
    table["macs"] = [10, 30, 20]
    chances = front_chances(table, no_visits)
    assert chances.tolist() == pytest.approx([100, 100 / 3, 50], abs=4)


def test_nothing_is_above_100_percent():
    """An interval that ends at 100 %: no resample leaves the scale, and the best stays the best."""
    table = with_accuracies_known_to(table_of([1, 2], [99.5, 100]), 0.2)
    chances = front_chances(table, no_visits)
    assert chances[0] == 100
    assert 50 < chances[1] < 100


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(1, 9), st.floats(1, 99), st.floats(0, 0.2)), min_size=1, max_size=12))
def test_what_is_left_out_as_beaten_is_never_on_the_front(points):
    """In resamples of all points, those that would be left out are beaten, too."""
    latencies, top1_pct, halves = (np.array(numbers) for numbers in zip(*points, strict=True))
    table = table_of(latencies, top1_pct, sigma=0.01)
    for place, half in enumerate(halves):
        with_accuracies_known_to(table, half, rows=[place])
    cost, value = Latencies(table, no_visits), Accuracies(table)
    beaten = _is_beaten(cost.least, cost.most, value.least, value.most)
    places = np.arange(len(table))
    cost.keep(places)
    value.keep(places)
    for costs, values in zip(cost.draws(range(50)), value.draws(range(50)), strict=True):
        assert not (front(costs, values) & beaten).any()


POINT = st.tuples(st.integers(1, 9), st.integers(0, 4), st.integers(0, 5), st.integers(0, 3))


@settings(max_examples=300)
@given(st.lists(POINT, min_size=1, max_size=12))
def test_beaten_for_certain_is_its_definition(points):
    """Whose least cost is above the most of another whose least value is at least their most."""
    least = np.array([point[0] for point in points], dtype=float)
    most = least + [point[1] for point in points]
    worst = np.array([point[2] for point in points], dtype=float)
    best = worst + [point[3] for point in points]
    places = range(len(points))
    expected = [any(most[q] < least[p] and worst[q] >= best[p] for q in places) for p in places]
    assert _is_beaten(least, most, worst, best).tolist() == expected


SWEEP = """\
space: {width: [1.0, 0.75], resolution: [224, 128]}
latency: [{backend: torch, rounds: 12}]
accuracy: {source: published, table: tf-slim-2018-08-02}
"""


def test_a_runs_table_has_them(tmp_path):
    """Two networks whose visits overlap share the doubt; two that are apart do not. With three visits only,
    nothing is known of it.
    """
    # In the sweep's order: 1.0-224 (70.9 %), 1.0-128 (65.2 %), 0.75-224 (68.4 %), 0.75-128 (62.1 %).
    spread = [0.94 + 0.01 * place for place in range(12)]
    visits = {
        "torch-fp32-b1-t1": [[[9 * s] for s in spread], [[4]] * 12, [[9 * s] for s in spread], [[2]] * 12]
    }
    chances = open_run(made_run(tmp_path / "run", SWEEP, visits)).table()["front_pct"]
    assert chances[[0, 1, 3]].tolist() == [100, 100, 100]
    assert 20 < chances[2] < 70
    few = {"torch-fp32-b1-t1": [[[9], [9], [9]], [[4]] * 12, [[8]] * 12, [[2]] * 12]}
    assert open_run(made_run(tmp_path / "few", SWEEP, few)).table()["front_pct"].isna().all()


def test_an_uncertain_drift_is_in_what_a_measured_latency_might_have_been(tmp_path, monkeypatch):
    """Visits that are all alike, at a drift known to 5 %: so is each latency, and the front is in doubt."""
    visits = {"torch-fp32-b1-t1": [[[9]] * 12, [[4]] * 12, [[8.8]] * 12, [[2]] * 12]}
    folder = made_run(tmp_path / "run", SWEEP, visits)
    assert open_run(folder).table()["front_pct"].tolist() == [100] * 4
    monkeypatch.setattr(Drift, "error", lambda self, size: 0.05)
    chances = open_run(folder).table()["front_pct"]
    assert chances[[0, 1, 3]].tolist() == [100, 100, 100]
    # Both logarithms are normal: faster with the probability of ln(9 / 8.8) / (sqrt(2) x 0.05) deviations.
    assert chances[2] == pytest.approx(100 * 0.6247, abs=4)
