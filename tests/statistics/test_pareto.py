"""Pareto fronts against their definition."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbsweep import pareto_front
from mbsweep.statistics.pareto import each_front, front, hypervolume

NAN, INF = float("nan"), float("inf")


def _by_definition(costs, values):
    """O(n^2): no other point is as good on both axes and better on one."""

    def beats(a, b):
        return (
            costs[a] <= costs[b] and values[a] >= values[b] and (costs[a] < costs[b] or values[a] > values[b])
        )

    places = range(len(costs))
    known = [not (np.isnan(costs[i]) or np.isnan(values[i])) for i in places]
    return [known[i] and not any(known[j] and beats(j, i) for j in places) for i in places]


NUMBERS = (
    st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, NAN, INF, -INF]) | st.integers(-4, 4).map(float) | st.floats()
)


PAIR = st.tuples(st.integers(0, 4), st.integers(0, 4))


@settings(max_examples=400)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=25))
@example([(INF, -INF), (INF, -INF)])
@example([(-INF, -INF), (-INF, INF), (1.0, INF)])
@example([(1.0, -INF), (2.0, -INF)])
@example([(NAN, 9.0), (1.0, 1.0), (0.0, NAN)])
@example([(-0.0, 1.0), (0.0, 1.0)])
def test_the_front_is_its_definition(points):
    """The fast front equals the quadratic one, with ties, NaN and infinities."""
    costs, values = [cost for cost, _ in points], [value for _, value in points]
    assert front(costs, values).tolist() == _by_definition(costs, values)


@settings(max_examples=50)
@given(st.integers(0, 8).flatmap(lambda n: st.lists(st.lists(PAIR, min_size=n, max_size=n), min_size=1)))
def test_many_fronts_at_once_are_each_its_own(sets):
    """Sets of as many points each: of every set the front that it has alone."""
    points = np.array(sets, dtype=float).reshape(len(sets), len(sets[0]), 2)
    found = each_front(points[..., 0], points[..., 1])
    assert found.tolist() == [_by_definition(*of_one.T) for of_one in points]


def test_a_front_by_hand():
    """Of five networks, those beaten on both axes, or on one at a tie on the other, are off."""
    cost = [10, 20, 20, 30, 25]
    value = [50, 60, 55, 60, 70]
    assert front(cost, value).tolist() == [True, True, False, False, True]


def test_the_papers_front():
    """No network of the paper's Tables 6 and 7 beats another; the shallow one of Table 5 is beaten."""
    mult_adds_m = [569, 418, 290, 186, 325, 149, 41]  # arXiv:1704.04861
    top1_pct = [70.6, 69.1, 67.2, 64.4, 68.4, 63.7, 50.6]
    assert front(mult_adds_m, top1_pct).all()
    assert not front([*mult_adds_m, 307], [*top1_pct, 65.3])[-1]  # the shallow network of Table 5


def test_ties_stay_together():
    """Equal points are all on the front, or all off."""
    assert front([1, 1, 2, 2, 2], [5, 5, 6, 6, 5]).tolist() == [True, True, True, True, False]


def test_unknown_points_are_never_on_the_front():
    """A point with NaN on either axis is off, and takes no other point down."""
    assert front([NAN, 1.0, 0.5, 2.0], [99.0, 50.0, NAN, 60.0]).tolist() == [False, True, False, True]
    assert front([NAN, NAN], [1.0, NAN]).tolist() == [False, False]


def test_no_points_have_no_front():
    """An empty table gives an empty mask."""
    assert front([], []).tolist() == []
    assert pareto_front(pd.DataFrame({"a": [], "b": []}), cost="a", value="b").tolist() == []


def test_a_single_known_point_is_the_front():
    """Even where it is as bad as can be."""
    assert front([INF], [-INF]).tolist() == [True]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20), st.randoms())
def test_order_does_not_matter(points, shuffler):
    """A point is on the front or not, wherever it stands in the table."""
    order = list(range(len(points)))
    shuffler.shuffle(order)
    costs, values = np.array(points).T
    assert (front(costs[order], values[order]) == front(costs, values)[order]).all()


def test_a_frame_keeps_its_index():
    """The mask fits the rows that it was made from, whatever they are called, and can select them."""
    frame = pd.DataFrame({"macs": [3, 1, 2], "top1_pct": [70.0, None, 60.0]}, index=["c", "a", "b"])
    mask = pareto_front(frame, cost="macs", value="top1_pct")
    assert mask.dtype == bool
    assert mask.name == "on_front"
    assert mask.to_dict() == {"c": True, "a": False, "b": True}
    assert frame[mask].index.tolist() == ["c", "b"]


def test_a_frame_is_not_changed():
    """Asking for the front adds and reorders nothing."""
    frame = pd.DataFrame({"macs": [3, 1, 2], "top1_pct": [70.0, 50.0, 60.0]})
    before = frame.copy()
    pareto_front(frame, cost="macs", value="top1_pct")
    pd.testing.assert_frame_equal(frame, before)


def test_missing_values_of_every_kind_are_unknown():
    """None in a column of objects and NA in a nullable column are NaN."""
    for top1_pct in (pd.Series([70.0, None], dtype=object), pd.Series([70.0, pd.NA], dtype="Float64")):
        frame = pd.DataFrame({"macs": [2, 1], "top1_pct": top1_pct})
        assert pareto_front(frame, cost="macs", value="top1_pct").tolist() == [True, False]


def test_a_column_that_is_missing_is_named():
    """A misspelt column is a KeyError with its name."""
    with pytest.raises(KeyError, match="flops"):
        pareto_front(pd.DataFrame({"macs": [1], "top1_pct": [1.0]}), cost="flops", value="top1_pct")


SMALL = st.integers(-2, 7).map(float)


@given(st.lists(st.tuples(SMALL | st.just(NAN), SMALL | st.just(NAN)), max_size=12), SMALL, SMALL)
@example([(1.0, 3.0), (1.0, 3.0), (2.0, 5.0)], 4.0, 1.0)
def test_the_hypervolume_is_the_squares_that_some_point_dominates(points, largest, smallest):
    """Counted one by one on a grid, with ties, NaN, and points beyond the reference on either axis."""
    squares = sum(
        any(cost <= left and value >= bottom + 1 for cost, value in points)
        for left in range(-2, 7)
        if left < largest
        for bottom in range(-2, 7)
        if bottom >= smallest
    )
    costs, values = [cost for cost, _ in points], [value for _, value in points]
    assert hypervolume(costs, values, (largest, smallest)) == squares


def test_a_hypervolume_by_hand():
    """Up to 10 ms and 40 %: 8 x 10 of the first, 5 x 20 that the second adds; the third is beaten."""
    assert hypervolume([2, 5, 6], [50, 70, 60], (10, 40)) == 8 * 10 + 5 * 20
    assert hypervolume([2, 5, 6], [50, 70, 60], (4, 40)) == 2 * 10  # 5 ms is beyond
    assert hypervolume([2, 5, 6], [50, 70, 60], (10, 60)) == 5 * 10  # 50 % is beyond


@pytest.mark.parametrize(
    ("cost", "value", "reference", "area"),
    [
        ([], [], (10, 40), 0),
        ([10, 3], [50, 40], (10, 40), 0),  # on the edge
        ([NAN, 2], [50, NAN], (10, 40), 0),
        ([-INF, -INF], [50, 50], (10, 40), INF),
        ([2, 2], [INF, INF], (10, 40), INF),
        ([2], [50], (INF, 40), INF),
        ([2], [50], (NAN, 40), NAN),
        ([2], [50], (10, NAN), NAN),
    ],
)
def test_hypervolumes_at_the_edges(cost, value, reference, area):
    """Nothing dominates nothing, what has no end has no end, and an unknown reference leaves it unknown."""
    assert hypervolume(cost, value, reference) == pytest.approx(area, nan_ok=True)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=12))
def test_only_the_front_has_a_hypervolume(points):
    """What the front beats adds nothing, and no front is worth more than the whole box."""
    costs, values = np.array(points).T
    area = hypervolume(costs, values, (100, 0))
    mask = front(costs, values)
    assert hypervolume(costs[mask], values[mask], (100, 0)) == area
    assert 0 <= area <= 100 * 100 * (1 + 1e-12)
