"""Weight sharing: the weights of a layer as few different values, found by k-means."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STEPS = 300  # of k-means, at most: those of trained layers have settled before


class Shared(NamedTuple):
    """Weights that share values."""

    values: NDArray[np.float32]  # (clusters,), ascending
    which: NDArray[np.int64]  # (weights,): the cluster of each


def share(weights: NDArray[np.float32], bits: int) -> Shared:
    """Cluster weights around at most 2 ** bits values. Zeros are to be left out before.

    Lloyd's k-means from values that are spread evenly between the smallest and the largest weight: few large
    weights keep values of their own, which the paper found best (section 3.2). In one dimension a cluster is
    an interval of the sorted weights, so that a step costs as much as there are clusters. Where there are no
    more different weights than that, each stays as it is.

    weights: (weights,), finite.
    """
    ordered = np.sort(weights).astype(np.float64)
    is_new = np.diff(ordered, prepend=-np.inf) > 0
    if np.count_nonzero(is_new) <= 2**bits:
        distinct = ordered[is_new].astype(np.float32)
        return Shared(distinct, nearest(weights, distinct))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centres = np.linspace(ordered[0], ordered[-1], 2**bits)
    edges = _edges(ordered, centres)
    for _ in range(STEPS):
        counts = np.diff(edges)
        # A cluster without weights stays where it is, and is left out in the end.
        centres = np.where(counts, np.diff(sums[edges]) / np.maximum(counts, 1), centres)
        moved = _edges(ordered, centres)
        if np.array_equal(moved, edges):
            break
        edges = moved
    values = np.unique(centres[np.diff(edges) > 0].astype(np.float32))
    return Shared(values, nearest(weights, values))


def nearest(weights: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Which of some ascending values is the nearest to each weight."""
    wide = values.astype(np.float64)
    return np.searchsorted((wide[1:] + wide[:-1]) / 2, weights)


def _edges(ordered: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    """Where the cluster of each centre begins among the ordered weights, and where the last one ends."""
    between = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2, side="right")
    return np.concatenate([[0], between, [len(ordered)]])
