"""k-means of weights: no worse than scikit-learn's, and as good as can be where that can be found out."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from mbsweep.formats.compressed.sharing import share

WEIGHTS = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40)


def inertia(weights, shared):
    return float(((weights.astype(np.float64) - shared.values[shared.which]) ** 2).sum())


def best_inertia(weights, clusters):
    """Of every way to cut the sorted weights into so many intervals."""
    ordered, most = np.sort(weights.astype(np.float64)), np.inf
    for cuts in combinations(range(1, len(ordered)), clusters - 1):
        parts = np.split(ordered, cuts)
        most = min(most, sum(((part - part.mean()) ** 2).sum() for part in parts))
    return most


@pytest.mark.parametrize("bits", [2, 5])
def test_it_is_no_worse_than_another_k_means_from_the_same_beginning(bits):
    """scikit-learn's, from values that are spread evenly between the least and the most.

    Of weights among which no value is without any: scikit-learn would give it some that are far away.
    """
    weights = np.random.default_rng(0).triangular(-1, 0.3, 1, size=3000).astype(np.float32)
    begin = np.linspace(weights.min(), weights.max(), 2**bits).reshape(-1, 1)
    other = KMeans(2**bits, init=begin, n_init=1, tol=0, max_iter=300, algorithm="lloyd")
    other.fit(weights.astype(np.float64).reshape(-1, 1))
    shared = share(weights, bits)
    assert len(shared.values) == 2**bits
    assert inertia(weights, shared) <= 1.0001 * other.inertia_


@pytest.mark.parametrize("seed", range(5))
def test_it_is_near_the_best_of_few_weights(seed):
    """Never below what all clusterings of 11 weights in 4 have at least; at most three times that."""
    weights = np.random.default_rng(seed).normal(size=11).astype(np.float32)
    best = best_inertia(weights, 4)
    assert best * 0.9999 <= inertia(weights, share(weights, 2)) <= 3 * best


@given(WEIGHTS, st.integers(1, 4))
def test_each_weight_has_the_nearest_value(weights, bits):
    """Of at most 2 ** bits, ascending, each of them used, none beyond the weights."""
    weights = np.array(weights, np.float32)
    values, which = share(weights, bits)
    assert len(values) <= 2**bits
    assert (np.diff(values) > 0).all()
    assert set(which.tolist()) == set(range(len(values)))
    apart = abs(weights[:, None].astype(np.float64) - values)
    assert (apart[np.arange(len(weights)), which] <= apart.min(1) * (1 + 1e-6) + 1e-30).all()
    assert weights.min() <= values.min()
    assert values.max() <= weights.max()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=8))
def test_no_more_values_than_clusters_stay_as_they_are(weights):
    """To the last bit, however near they are; of no weights there are no values."""
    weights = np.array(weights, np.float32)
    values, which = share(weights, 3)
    assert (values[which] == weights).all()


def test_large_weights_keep_values_of_their_own():
    """What the linear beginning is for: 10,000 small weights do not draw all values to themselves."""
    weights = np.concatenate([np.random.default_rng(0).normal(0, 0.01, 10_000), [0.9, -0.8]])
    values, which = share(weights.astype(np.float32), 4)
    assert values[which[-2:]] == pytest.approx([0.9, -0.8])
