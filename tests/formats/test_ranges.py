"""At what ends int8 activations are cut off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mbsweep.formats.ranges import BINS, METHODS, Histogram, entropy, min_max, percentile

VALUES = st.floats(-1e6, 1e6, width=32)


def seen(*batches):
    """A histogram of them."""
    histogram = Histogram()
    for batch in batches:
        histogram.add(np.asarray(batch, np.float32))
    return histogram


@given(st.lists(arrays(np.float32, st.integers(1, 40), elements=VALUES), min_size=1, max_size=5))
def test_a_histogram_that_has_grown_is_one_of_all_values_at_once(batches):
    """Nothing is lost, whatever the order; every value is in its own bin, or at the edge of one."""
    histogram, every = seen(*batches), np.concatenate(batches)
    assert histogram.counts.sum() == len(every)
    assert (histogram.low, histogram.high) == (min(0, every.min()), max(0, every.max()))
    edges = np.linspace(-histogram.half, histogram.half, BINS + 1)
    below = np.concatenate([[0], np.cumsum(histogram.counts)])
    width = edges[1] - edges[0]
    for place in range(0, BINS + 1, 512):
        near = (every < edges[place] - 1e-4 * width).sum(), (every <= edges[place] + 1e-4 * width).sum()
        assert near[0] <= below[place] <= near[1]


@given(arrays(np.float32, st.integers(1, 40), elements=VALUES), st.sampled_from(sorted(METHODS)))
def test_every_range_holds_zero_and_is_within_the_values(values, method):
    """Zero pads the images, and has to be exact."""
    histogram = seen(values)
    low, high = METHODS[method](histogram)
    assert histogram.low <= low <= 0 <= high <= histogram.high


def test_min_max_cuts_nothing_off():
    """Also of values that came late, and of one sign."""
    assert min_max(seen([0.5, 2], [-3])) == (-3, 2)
    assert min_max(seen([0.5, 2])) == (0, 2)


def test_percentile_is_that_of_numpy():
    """0.01 % of the values are left out, half of them at each end; of a ReLU's all at its one."""
    values = np.random.default_rng(0).standard_normal(400_000).astype(np.float32)
    low, high = percentile(seen(values))
    bin_width = 2 * 8 / BINS  # they lie within 8
    assert (low, high) == pytest.approx(np.percentile(values, [0.005, 99.995]), abs=2 * bin_width)
    assert percentile(seen(values.clip(0)))[1] == pytest.approx(
        np.percentile(values.clip(0), 99.99), abs=0.01
    )


def test_entropy_leaves_rare_values_out_and_keeps_frequent_ones():
    """One of 100,000 values is 20 times the others': no range is that wide for its sake. Where values fill
    their range evenly, none is cut off."""
    chance = np.random.default_rng(0)
    values = np.abs(chance.standard_normal(100_000)).astype(np.float32)
    _, high = entropy(seen([*values, 80]))
    assert 2 < high < 20
    _, whole = entropy(seen(chance.uniform(0, 1, 100_000)))
    assert whole > 0.9


def test_zeros_do_not_narrow_a_range():
    """ReLU makes every other value 0, which any range has exactly."""
    values = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    assert entropy(seen(values.clip(0))) == entropy(seen(values[values > 0]))


def test_values_that_are_not_finite_are_refused():
    """They have no range."""
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="activations are not finite"):
            seen([1, value])
