"""A smooth function through noisy values: a Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]

CHUNK = 100_000  # points predicted at a time, for memory's sake
# Candidates: over what distance the function bends (points are logarithms: 1 is a factor of e), and the
# variance of the noise as a share of the function's.
LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
NOISES = (1e-4, 1e-3, 1e-2, 1e-1)
LEAST_VARIANCE = 1e-12
SURPRISE = 2.0  # standard deviations off the others: from there on a value counts as noisier
ROBUST_STEPS = 3


@dataclass(frozen=True)
class Smooth:
    """A Gaussian process with a constant mean; its length and noise are the likeliest of the candidates.

    A value that the others do not foretell has more noise: a measurement can be disturbed.
    """

    points: Floats
    length: float
    noise: float
    mean: float
    weights: Floats
    variance: float
    factored: Floats  # the correlations' lower Cholesky factor
    likelihood: float
    loo_errors: Floats  # at each point, without its value
    loo_deviations: Floats

    @classmethod
    def fit(cls, points: Floats, values: Floats) -> Smooth:
        """Through values at points of shape (values, dimensions)."""
        noisier = np.ones(len(values))
        # The matrices are small. On a core that does other work, too, threads wait for each other far longer
        # than one takes alone.
        with threadpool_limits(1, "blas"):
            fits = (cls._fit(points, values, *setting, noisier) for setting in product(LENGTHS, NOISES))
            best = max(fits, key=lambda fit: fit.likelihood)
            for _ in range(ROBUST_STEPS):
                surprise = np.abs(best.loo_errors / best.loo_deviations)
                noisier = noisier * np.maximum(surprise / SURPRISE, 1) ** 2
                best = cls._fit(points, values, best.length, best.noise, noisier)
        return best

    @classmethod
    def _fit(cls, points: Floats, values: Floats, length: float, noise: float, noisier: Floats) -> Smooth:
        correlations = _correlations(points, points, length) + noise * np.diag(noisier)
        factored = np.linalg.cholesky(correlations).astype(np.float64)
        inverse = scipy.linalg.cho_solve((factored, True), np.eye(len(points)))
        mean = float((inverse @ values).sum() / inverse.sum())
        weights = inverse @ (values - mean)
        variance = max(float((values - mean) @ weights) / len(values), LEAST_VARIANCE)
        likelihood = float(-0.5 * len(values) * np.log(variance) - np.log(np.diag(factored)).sum())
        # Rasmussen and Williams, Gaussian Processes for Machine Learning, equation 5.12
        loo_errors, loo_deviations = weights / np.diag(inverse), np.sqrt(variance / np.diag(inverse))
        return cls(
            points, length, noise, mean, weights, variance, factored, likelihood, loo_errors, loo_deviations
        )

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """At each point the value, and the standard deviation of a noisy value around it."""
        values, deviations = np.empty(len(points)), np.empty(len(points))
        for start in range(0, len(points), CHUNK):
            part = slice(start, start + CHUNK)
            near = _correlations(self.points, points[part], self.length)
            values[part] = self.mean + self.weights @ near
            explained = (scipy.linalg.solve_triangular(self.factored, near, lower=True) ** 2).sum(axis=0)
            deviations[part] = np.sqrt(self.variance * (np.maximum(1 - explained, 0) + self.noise))
        return values, deviations


def _correlations(a: Floats, b: Floats, length: float) -> Floats:
    correlations: Floats = np.exp(-0.5 * scipy.spatial.distance.cdist(a, b, "sqeuclidean") / length**2)
    return correlations
