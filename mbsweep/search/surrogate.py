"""A surrogate of accuracy: what is known of all variants from those that were evaluated, with intervals.

The logit of top-1 is linear in `Terms.linear`, with weights that are not believed to be large before they
have to be (ridge), and what that leaves is smooth in `Terms.coordinates`: together a Gaussian process. How
large the weights of each kind are, how large and how smooth the rest is, and the noise, are the likeliest
values given the evaluations and what is usual of such networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mbsweep.search.terms import KINDS, Terms

Floats = NDArray[np.float64]

CHUNK = 20_000  # places predicted at a time, for memory's sake
IN_CACHE = 400_000  # numbers at a time that a processor's caches hold: three times as fast
EDGE_PCT = 0.25  # so much beyond 0 and 100 %, where a logit has no end
LEVEL_SD = 3.0  # of the logit of an accuracy of which nothing is known
# What is usual: weights of each of KINDS, the rest, its lengths in coordinates, the noise. All but the
# lengths are shares of the standard deviation of the logits that were evaluated: where all networks are good,
# it is small. The rest is rather large and long: mostly it is how one axis changes what another is worth.
USUAL = np.array([0.35, 0.2, 0.35, 0.2, 0.7, 4.0, 0.07])
SPREAD = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.7, 1.0])  # standard deviations of their logarithms
LEAST_SD = 0.05  # of the logits
STEPS = 40
LEAST_NOISE = 1e-4
# A degree for each four values: by trying, so that intervals of 95 % hold about 95 % of what is unseen.
FREEDOM, LEAST_FREEDOM = 0.25, 2.0


class Settings(NamedTuple):
    """What the likelihood decides.

    weights: standard deviation of a weight of each of KINDS. rest: that of what is not linear. lengths: of
    each field, over how much of an axis the rest changes. noise: of a single value.
    """

    weights: Floats
    rest: float
    lengths: Floats
    noise: float

    @classmethod
    def of(cls, logs: Floats) -> Settings:
        """From their logarithms, in this order."""
        values, kinds = np.exp(logs), len(KINDS)
        return cls(values[:kinds], float(values[kinds]), values[kinds + 1 : -1], float(values[-1]))


def logit(pct: Floats) -> Floats:
    """Of percents; finite from 0 to 100."""
    found: Floats = np.log((pct + EDGE_PCT) / (100 + EDGE_PCT - pct))
    return found


def percent(logits: Floats) -> Floats:
    """Back again."""
    found: Floats = np.clip((50 + EDGE_PCT) * (1 + np.tanh(logits / 2)) - EDGE_PCT, 0, 100)
    return found


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Fitted on the logits of some places."""

    terms: Terms
    logits: Floats
    settings: Settings
    level: float  # in the middle
    factor: Floats  # lower Cholesky factor of the covariance of the evaluated
    weights: Floats  # of the covariances with each evaluated

    @classmethod
    def fit(cls, terms: Terms, top1_pct: Floats) -> Surrogate:
        """On evaluated places. terms: theirs."""
        logits = logit(top1_pct)
        level = float(np.median(logits)) if len(logits) else 0.0
        with threadpool_limits(1, "blas"):  # the matrices are small
            return cls._with(terms, logits, _likeliest(terms, logits - level), level)

    @classmethod
    def _with(cls, terms: Terms, logits: Floats, settings: Settings, level: float) -> Surrogate:
        covariance = _covariance(terms, terms, settings) + settings.noise**2 * np.eye(len(terms))
        factor = np.linalg.cholesky(covariance).astype(np.float64)
        weights = scipy.linalg.cho_solve((factor, True), logits - level)
        return cls(terms, logits, settings, level, factor, weights)

    def but_with(self, terms: Terms, logits: Floats) -> Surrogate:
        """The same where more logits are known."""
        both = self.terms.and_then(terms), np.append(self.logits, logits)
        return self._with(*both, self.settings, self.level)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of what it says: the settings come from the same few values."""
        return max(len(self.logits) * FREEDOM, LEAST_FREEDOM)

    @property
    def reach(self) -> float:
        """Standard deviations from the middle to the ends of a 95 % interval."""
        return float(scipy.special.stdtrit(self.freedom, 0.975))

    def means(self, terms: Terms) -> Floats:
        """The expected logit of each place; quick enough for millions."""
        found = np.empty(len(terms))
        squares = np.square(self.settings.weights[terms.kinds])
        linear = squares * (self.terms.linear.T @ self.weights)
        level = self.level + LEVEL_SD**2 * self.weights.sum()
        smooth = (self.settings.rest**2 * self.weights).astype(np.float32)
        chunk = 1 + IN_CACHE // max(len(self.terms), 1)
        with threadpool_limits(1, "blas"):
            for start in range(0, len(terms), chunk):
                part = terms[start : start + chunk]
                near = _matern(_squared(part, self.terms, self.settings, np.float32))
                found[start : start + chunk] = level + part.linear @ linear + near @ smooth
        return found

    def predict(self, terms: Terms) -> tuple[Floats, Floats]:
        """The expected logit of each place, and its standard deviation without the noise of a value."""
        means, deviations = np.empty(len(terms)), np.empty(len(terms))
        for start in range(0, len(terms), CHUNK):
            part = slice(start, start + CHUNK)
            near = _covariance(terms[part], self.terms, self.settings)
            means[part] = self.level + near @ self.weights
            explained = np.square(scipy.linalg.solve_triangular(self.factor, near.T, lower=True)).sum(axis=0)
            deviations[part] = np.sqrt(np.maximum(_variances(terms[part], self.settings) - explained, 0))
        return means, deviations

    def jointly(self, terms: Terms) -> tuple[Floats, Floats]:
        """The expected logits of some places, and the covariance between them."""
        near = _covariance(terms, self.terms, self.settings)
        half = scipy.linalg.solve_triangular(self.factor, near.T, lower=True)
        return self.level + near @ self.weights, _covariance(terms, terms, self.settings) - half.T @ half


def _squared(a: Terms, b: Terms, settings: Settings, kind: type[Any]) -> NDArray[Any]:
    """(a, b): squares of the distances of two places, in lengths over which the rest changes."""
    per_column = (1 / settings.lengths[a.fields]).astype(kind)
    left, right = a.coordinates * per_column, b.coordinates * per_column
    squared: NDArray[Any] = left @ (-2 * right.T)
    squared += np.square(left).sum(axis=1)[:, None]
    squared += np.square(right).sum(axis=1)
    np.maximum(squared, 0, out=squared)
    return squared


def _matern(squared: NDArray[Any]) -> NDArray[Any]:
    """Correlations of a function with two derivatives: Rasmussen and Williams, equation 4.17. In place."""
    squared *= 5
    far = np.sqrt(squared)
    squared /= 3
    squared += far
    squared += 1
    squared *= np.exp(np.negative(far, out=far), out=far)
    return squared


def _covariance(a: Terms, b: Terms, settings: Settings) -> Floats:
    """(a, b): of the logits of two places, without noise."""
    smooth = _matern(_squared(a, b, settings, np.float64)) * settings.rest**2
    per_column = settings.weights[a.kinds]
    found: Floats = (a.linear * per_column) @ (b.linear * per_column).T + smooth + LEVEL_SD**2
    return found


def _variances(terms: Terms, settings: Settings) -> Floats:
    """Of the logit of each place, before anything is known."""
    linear: Floats = np.square(terms.linear * settings.weights[terms.kinds]).sum(axis=1)
    return linear + settings.rest**2 + LEVEL_SD**2


def _likeliest(terms: Terms, logits: Floats) -> Settings:
    """The settings of the largest likelihood times what is usual of them."""
    kinds, fields, count = len(KINDS), int(terms.fields.max(initial=-1)) + 1, len(logits)
    per_setting = np.r_[np.arange(kinds + 1), np.full(fields, kinds + 1), kinds + 2]
    deviation = max(float(logits.std()), LEAST_SD) if count else 1.0
    usual = np.log(USUAL[per_setting] * np.where(per_setting == kinds + 1, 1, deviation))
    spread = SPREAD[per_setting]
    if not count:
        return Settings.of(usual)
    linear = [terms.linear[:, terms.kinds == kind].astype(float) for kind in range(kinds)]
    grams = [columns @ columns.T for columns in linear]
    apart = [
        scipy.spatial.distance.cdist(*[terms.coordinates[:, terms.fields == field]] * 2, "sqeuclidean")
        for field in range(fields)
    ]

    def unlikely(logs: Floats) -> tuple[float, Floats]:
        """Minus the logarithm, and its gradient: Rasmussen and Williams, equations 5.8 and 5.9."""
        settings = Settings.of(logs)
        squared = sum(
            (one / length**2 for one, length in zip(apart, settings.lengths, strict=True)),
            np.zeros_like(grams[0]),
        )
        far = np.sqrt(5 * squared)
        decay = np.exp(-far)
        smooth = settings.rest**2 * (1 + far + far**2 / 3) * decay
        bent = settings.rest**2 * 5 / 3 * (1 + far) * decay
        parts = [weight**2 * gram for weight, gram in zip(settings.weights, grams, strict=True)]
        noise = settings.noise**2 + LEAST_NOISE**2
        factor = np.linalg.cholesky(sum(parts, smooth + LEVEL_SD**2) + noise * np.eye(count))
        inverse = scipy.linalg.cho_solve((factor, True), np.eye(count))
        weights = inverse @ logits
        slopes = inverse - np.outer(weights, weights)
        changes = [2 * part for part in parts] + [2 * smooth]
        changes += [bent * one / length**2 for one, length in zip(apart, settings.lengths, strict=True)]
        gradient = [0.5 * np.vdot(slopes, change) for change in changes]
        gradient.append(settings.noise**2 * np.trace(slopes))
        off = (logs - usual) / spread
        value = 0.5 * logits @ weights + np.log(np.diag(factor)).sum() + 0.5 * off @ off
        return float(value), np.array(gradient) + off / spread

    found = scipy.optimize.minimize(
        unlikely,
        usual,
        jac=True,
        method="L-BFGS-B",
        bounds=[(mean - 6, mean + 6) for mean in usual],
        options={"maxiter": STEPS},
    )
    return Settings.of(found.x)
