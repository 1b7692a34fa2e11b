"""A space of a million variants whose accuracy is known everywhere: a function made from a supernet's tests.

The logit of top-1 is linear in the logarithms of mult-adds, widths, depths and kernels and their squares,
fitted by least squares. What that leaves of the tests is a sample of a Gaussian process, of the size, length
and noise that are the likeliest, which passes through the tests as closely as their noise lets it (Wilson et
al., 2020, "Efficiently sampling functions from Gaussian process posteriors"): the bumps. Its seed is 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from mbsweep import count_space, load_sweep
from mbsweep.search.axes import axes_of
from mbsweep.space.space import Space
from mbsweep.statistics.pareto import front_of_rows
from mbsweep.statistics.terraces import hypervolume_of_rows

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

SWEEP = "sweeps/search_digits.yaml"
TESTS = Path(__file__).parent / "data/search_tests.csv"
IMAGES = {"validation_top1_pct": 1000, "test_top1_pct": 4000}  # of each part; an accuracy is that of both
FEATURES = 500
LENGTHS = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)  # of an axis, which goes from 0 to 1
NOISES = (0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)  # variance of the noise as a share of that of the bumps
# A small processor: a time for each layer, for each mult-add, and for each byte of weights.
MS_PER_LAYER, MACS_PER_MS, BYTES_PER_MS = 0.1, 250_000, 400_000
LATEST_MS, LARGEST_BYTES = 20.0, 1_000_000  # the budgets
BEYOND = 0.1
CHUNK = 2_000


@dataclass(frozen=True, eq=False)
class Frozen:
    """The space with what is known of it. about: how the function came out, in words."""

    space: Space
    top1_pct: Floats
    latency_ms: Floats
    about: str

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Within the budgets."""
        return np.logical_and(self.latency_ms <= LATEST_MS, self.space.weight_bytes <= LARGEST_BYTES)


@dataclass(frozen=True, eq=False)
class Truth:
    """The true front of some costs, in its own scale: from its ideal to its nadir, and a tenth beyond."""

    costs: Floats  # scaled, of all variants
    values: Floats
    front: Places
    whole: float  # its hypervolume

    @classmethod
    def of(cls, costs: Floats, top1_pct: Floats, feasible: NDArray[np.bool_]) -> Truth:
        """Exactly, over all feasible variants."""
        places = np.flatnonzero(feasible)
        front = places[front_of_rows(costs[places], top1_pct[places])]
        low, high = costs[front].min(axis=0), costs[front].max(axis=0)
        worst, best = top1_pct[front].min(), top1_pct[front].max()
        scaled, values = (costs - low) / (high - low), (top1_pct - worst) / (best - worst)
        reference = np.full(costs.shape[1], 1 + BEYOND), -BEYOND
        return cls(scaled, values, front, hypervolume_of_rows(scaled[front], values[front], reference))

    def share(self, places: Places) -> float:
        """Of the true front's hypervolume, what some feasible places dominate."""
        reference = np.full(self.costs.shape[1], 1 + BEYOND), -BEYOND
        return hypervolume_of_rows(self.costs[places], self.values[places], reference) / self.whole


def frozen(bumps: float = 1.0, tests: Path = TESTS, seed: int = 0) -> Frozen:
    """The space, its accuracies and its latencies. bumps: how many times as high as found."""
    space = count_space(load_sweep(SWEEP))
    rows = pd.read_csv(tests)
    at = rows["place"].to_numpy()
    if (space.macs[at] != rows["macs"].to_numpy()).any():
        raise SystemExit(f"{tests} is not of the space of {SWEEP}")
    pct = sum(rows[name].to_numpy() * count for name, count in IMAGES.items()) / sum(IMAGES.values())
    logits = np.log(pct / (100 - pct))
    linear, coordinates = _numbers(space)
    weights = np.linalg.lstsq(linear[at], logits, rcond=None)[0]
    left = logits - linear[at] @ weights
    size, length, noise = _likeliest(linear[at], coordinates[at], left)
    of_wave = size * np.sqrt(2 / FEATURES)
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((coordinates.shape[1], FEATURES), dtype=np.float32) / np.float32(length)
    phases = rng.uniform(0, 2 * np.pi, FEATURES).astype(np.float32)

    def waves(places: Places | slice) -> NDArray[np.float32]:  # of a million: double takes four times as long
        turns = coordinates[places].astype(np.float32) @ directions + phases
        found: NDArray[np.float32] = np.cos(turns, out=turns)
        return found

    tested = waves(at).astype(float)
    free = of_wave * rng.standard_normal(FEATURES)
    gap = left - tested @ free - noise * rng.standard_normal(len(left))
    covariance = of_wave**2 * tested @ tested.T + noise**2 * np.eye(len(left))
    drawn = free + of_wave**2 * tested.T @ np.linalg.solve(covariance, gap)
    high = np.concatenate([waves(part) @ drawn.astype(np.float32) for part in _parts(len(space))]).astype(
        float
    )
    layers = 2 + 2 * sum(axis_values(space, "stage_depths"))
    latency_ms = MS_PER_LAYER * layers + space.macs / MACS_PER_MS + space.weight_bytes / BYTES_PER_MS
    high *= bumps
    about = (
        f"{len(space):,} variants, from {len(rows)} tests: logits of a standard deviation of "
        f"{logits.std():.3f}, {left.std():.3f} about the smooth part; bumps of {size:.3f}, {length:g} axes "
        f"long, noise {noise:.3f}; over the space the bumps have a standard deviation of {high.std():.3f}"
    )
    return Frozen(space, 100 / (1 + np.exp(-linear @ weights - high)), latency_ms, about)


def axis_values(space: Space, field: str) -> list[Floats]:
    """Of each stage the values of a field, (variants,)."""
    return [np.array(axis.values, float)[axis.codes] for axis in axes_of(space) if axis.field == field]


def _numbers(space: Space) -> tuple[Floats, Floats]:
    """Of each variant the terms of the smooth part, and its coordinates: each axis from 0 to 1."""
    columns = [np.ones(len(space)), np.log(space.macs)]
    coordinates = []
    for axis in axes_of(space):
        logs = np.log(np.array(axis.values, float))
        along = (logs - logs[0]) / (logs[-1] - logs[0])
        coordinates.append(along[axis.codes])
        columns.append(coordinates[-1])
        if len(logs) > 2:
            columns.append(coordinates[-1] ** 2)
    return np.stack(columns, axis=1), np.stack(coordinates, axis=1)


def _likeliest(linear: Floats, coordinates: Floats, left: Floats) -> tuple[float, float, float]:
    """Size, length and noise of the bumps, by restricted likelihood: the smooth part has taken its share."""
    free = scipy.linalg.null_space(linear.T).T
    values = free @ left
    squared = scipy.spatial.distance.cdist(coordinates, coordinates, "sqeuclidean")
    best = (-np.inf, 0.0, 0.0, 0.0)
    for length, share in product(LENGTHS, NOISES):
        correlations = free @ np.exp(-0.5 * squared / length**2) @ free.T + share * np.eye(len(values))
        factor = np.linalg.cholesky(correlations)
        solved = scipy.linalg.solve_triangular(factor, values, lower=True)
        variance = float(solved @ solved) / len(values)
        likelihood = -0.5 * len(values) * np.log(variance) - np.log(np.diag(factor)).sum()
        best = max(best, (float(likelihood), np.sqrt(variance), length, np.sqrt(share * variance)))
    return best[1:]


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, CHUNK):
        yield slice(start, start + CHUNK)
