"""Fronts and hypervolumes of one cost or two, against their definition, and each square counted by itself."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbsweep.statistics.pareto import front_of_rows
from mbsweep.statistics.terraces import hypervolume_of_rows, terraces

NAN, INF = float("nan"), float("inf")
SMALL = st.sampled_from([*map(float, range(5)), NAN])
POINTS = st.integers(1, 2).flatmap(
    lambda costs: st.tuples(st.just(costs), st.lists(st.tuples(*[SMALL] * (costs + 1)), max_size=14))
)


def _arrays(points):
    dimensions, rows = points
    table = np.array(rows, dtype=float).reshape(-1, dimensions + 1)
    return table[:, :dimensions], table[:, dimensions]


@settings(max_examples=300)
@given(POINTS)
@example((2, [(1.0, 1.0, 3.0), (1.0, 1.0, 3.0), (1.0, 2.0, 3.0)]))
@example((2, [(0.0, 0.0, 1.0), (-0.0, 0.0, 1.0)]))
def test_the_front_is_its_definition(points):
    """No other point is as good on all axes and better on one; ties stay, NaN is never on it."""
    costs, values = _arrays(points)
    rows = np.column_stack([costs, -values])
    expected = [
        not np.isnan(row).any() and not any((other <= row).all() and (other < row).any() for other in rows)
        for row in rows
    ]
    assert front_of_rows(costs, values).tolist() == expected


@settings(max_examples=300)
@given(POINTS, st.integers(1, 6), st.integers(1, 6), st.integers(-1, 3))
@example((2, [(0.0, 3.0, 4.0), (3.0, 0.0, 4.0), (1.0, 1.0, 2.0), (0.0, 0.0, 1.0)]), 4, 4, 0)
def test_the_hypervolume_is_the_cubes_that_some_point_dominates(points, first, second, smallest):
    """Counted one by one, with ties, NaN, and points beyond the reference on any axis."""
    costs, values = _arrays(points)
    largest = np.array([first, second][: costs.shape[1]], dtype=float)
    cells = np.stack(np.meshgrid(*[np.arange(one) for one in largest], indexing="ij"), -1)
    cubes = 0
    for cell in cells.reshape(-1, costs.shape[1]):
        heights = values[(costs <= cell).all(axis=1)]
        cubes += max([0.0, *(heights[~np.isnan(heights)] - smallest)])
    assert hypervolume_of_rows(costs, values, (largest, smallest)) == cubes


@settings(max_examples=200)
@given(POINTS)
def test_terraces_cover_the_plane_once(points):
    """Each place of the plane lies on one terrace, whose value is the best that can be had there."""
    costs, values = _arrays(points)
    largest = np.array([3.0, 5.0][: costs.shape[1]])
    low, high, value = terraces(costs, values, largest)
    for place in np.ndindex(*([6] * costs.shape[1])):
        middle = np.array(place) - 0.5
        on = ((low < middle) & (middle < high)).all(axis=1)
        had = values[(costs <= middle).all(axis=1) & ~np.isnan(values)]
        expected = [had.max() if len(had) else -INF] if (middle < largest).all() else []
        assert value[on].tolist() == expected


def test_hypervolumes_by_hand():
    """Two networks of 2 and 5 ms; with their parameters, the second stands alone beyond 1 M."""
    assert hypervolume_of_rows(np.array([[2.0], [5]]), np.array([50.0, 70]), (np.array([10.0]), 40)) == 180
    costs = np.array([[2.0, 3], [5, 1]])
    box = (np.array([10.0, 4]), 40.0)
    # (10 - 2) (4 - 3) 10 + (10 - 5) (4 - 1) 30 - (10 - 5) (4 - 3) 10
    assert hypervolume_of_rows(costs, np.array([50.0, 70]), box) == 80 + 450 - 50
    assert hypervolume_of_rows(np.zeros((0, 2)), np.zeros(0), box) == 0
    assert hypervolume_of_rows(np.array([[2.0, NAN]]), np.array([50.0]), box) == 0


@pytest.mark.parametrize("dimensions", [1, 2])
def test_a_front_has_few_terraces(dimensions):
    """At most two for each of its points, and two more: it stays quick for fronts of thousands."""
    rng = np.random.default_rng(0)
    costs = rng.random((3000, dimensions))
    values = costs.sum(axis=1) if dimensions == 2 else costs[:, 0]  # all on the front
    assert front_of_rows(costs, values).sum() == 3000
    assert len(terraces(costs, values, np.ones(dimensions)).value) <= 2 * 3000 + 2
