"""What a file loses against its network: a paired difference, which is surer than two accuracies."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbsweep.statistics.drops import DropNoise, drop_noise, paired_drop

NONE = DropNoise(math.nan, 0)


def pair(both, before, after, neither):
    """Of so many images each: both networks right, only that before, only that after, neither."""
    kinds = [(True, True)] * both + [(True, False)] * before + [(False, True)] * after
    found = np.array(kinds + [(False, False)] * neither, bool)
    return found[:, 0], found[:, 1]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Agresti and Min 2005, half an image added to each cell: 1.959964 sqrt(8 + 2 + 1 - 6^2 / 102) / 102
        ((80, 8, 2, 10), (6.0, 6.0 - 6.26995, 6.0 + 6.26995)),
        # 1.959964 sqrt(1) / 4002: no image changed sides, which does not prove that none ever would
        ((3900, 0, 0, 100), (0.0, -0.048975, 0.048975)),
        # A rise is a negative drop.
        ((80, 2, 8, 10), (-6.0, -6.0 - 6.26995, -6.0 + 6.26995)),
    ],
)
def test_the_interval_counts_only_images_that_changed_sides(counts, expected):
    """Whatever both get right, or both wrong, says nothing of the difference."""
    assert paired_drop([pair(*counts)], NONE) == pytest.approx(expected, abs=1e-4)


def test_the_noise_of_the_seeds_is_pooled_over_networks():
    """Drops of 2 and 4 points, and of 1 and 1: squares of 1, 1, 0 and 0, over two degrees of freedom."""
    a = [pair(90, 2, 0, 8), pair(90, 4, 0, 6)]
    b = [pair(90, 1, 0, 9), pair(90, 1, 0, 9)]
    assert drop_noise({"a": a, "b": b, "alone": a[:1]}) == pytest.approx((0.0002 / 2, 2))
    assert drop_noise({"alone": a[:1]}).freedom == 0


def test_the_noise_of_the_seeds_widens_the_interval():
    """Student's t of two degrees of freedom, 4.3027, and of the images, in quadrature."""
    pairs = [pair(90, 2, 0, 8), pair(90, 4, 0, 6)]
    drop = paired_drop(pairs, DropNoise(0.0001, 2))
    # Images 91 and 92 are lost by both seeds, 93 and 94 by one: 1 + 1 + 1/4 + 1/4.
    of_images = 1.959964 * math.sqrt(2 * 1 + 2 * 0.25 + 1 - 3**2 / 102) / 102
    of_seeds = 4.302653 * math.sqrt(0.0001 / 2)
    assert drop.mean_pct == pytest.approx(3)
    assert drop.high_pct - 3 == pytest.approx(100 * math.hypot(of_images, of_seeds), rel=1e-4)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_the_difference_of_the_accuracies_lies_within(kinds):
    """And exchanging before and after turns the sign of all three."""
    before, after = np.array(kinds, bool).T
    drop, rise = paired_drop([(before, after)], NONE), paired_drop([(after, before)], NONE)
    assert drop.mean_pct == pytest.approx(100 * (before.mean() - after.mean()))
    assert drop.low_pct < drop.mean_pct < drop.high_pct
    assert (rise.mean_pct, rise.low_pct, rise.high_pct) == pytest.approx(
        (-drop.mean_pct, -drop.high_pct, -drop.low_pct)
    )


def test_the_interval_holds_what_it_says():
    """Of 2,000 test parts, 95 % (give or take) have the true drop, 2 points, within their interval."""
    chance = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        kinds = chance.choice(4, 400, p=[0.9, 0.03, 0.01, 0.06])
        drop = paired_drop([(kinds <= 1, (kinds == 0) | (kinds == 2))], NONE)
        held += drop.low_pct <= 2 <= drop.high_pct
    assert 0.94 < held / 2000 < 0.98
