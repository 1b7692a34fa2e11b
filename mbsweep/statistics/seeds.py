"""Trainings of one network with several seeds -> its accuracy, with an interval for what chance decides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray

from mbsweep.statistics.summary import CONFIDENCE_PCT, NORMAL_95

Hits = Sequence[NDArray[np.bool_]]  # for each seed (images,): which images of the test part were right


class SeedNoise(NamedTuple):
    """How much accuracy differs from seed to seed over the networks of a sweep, on the scale of `angle`."""

    variance: float  # the usual one; NaN: no network was trained with two seeds
    freedom: float  # how alike the networks are, as so many degrees of freedom; infinite: all the same
    total: int  # degrees of freedom of all networks together


class OwnNoise(NamedTuple):
    """What one network with several seeds tells of their noise."""

    freedom: int  # seeds but one
    variance: float  # see `own_variance`
    hidden: float  # the variance that two seeds may have which have the same number of images right

    @classmethod
    def of(cls, hits: Hits) -> OwnNoise:
        """From two seeds, or more."""
        return cls(len(hits) - 1, own_variance(hits), _resolution(hits))


NO_SEED_NOISE = SeedNoise(variance=0.0, freedom=math.inf, total=1)  # an interval of the images' choice alone


@dataclass(frozen=True)
class Spread:
    """A mean over seeds and its uncertainty, in percent of the images."""

    mean_pct: float
    sd_pct: float  # over the seeds; NaN for one
    low_pct: float  # 95 % interval; NaN where the noise of the seeds is unknown
    high_pct: float


def angle(share: float, images: int) -> float:
    """A share of so many images on the scale on which its noise does not depend on it.

    The arcsine of its square root (Anscombe, Biometrika 35, 1948), which also keeps intervals within 0 and 1.
    """
    return float(np.arcsin(np.sqrt((share * images + 0.375) / (images + 0.75))))


def share_of(angle_: float) -> float:
    """The share at an angle, cut off at 0 and 1."""
    return float(np.sin(np.clip(angle_, 0, np.pi / 2)) ** 2)


def seed_noise(networks: Mapping[str, Hits]) -> SeedNoise:
    """The noise of the seeds, learnt from all networks that were trained with two or more."""
    return pooled_noise([OwnNoise.of(hits) for hits in networks.values() if len(hits) > 1])


def pooled_noise(several: Sequence[OwnNoise]) -> SeedNoise:
    """The noise of the seeds, from that of each network with several.

    One network has two or three seeds, too few to tell its noise, and not all networks have the same: one
    that starts late is at the mercy of its seed. So the variances of the networks are taken to be drawn from
    a scaled inverse chi-squared distribution, whose two numbers are fitted by the moments of their logarithms
    (Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004, section 6.2).
    """
    if not several:
        return SeedNoise(float("nan"), 0, 0)
    freedom, variances, hidden = map(np.array, zip(*several, strict=True))
    pooled = SeedNoise(float((freedom * variances).sum() / freedom.sum()), np.inf, int(freedom.sum()))
    if len(several) == 1:
        return pooled
    # The logarithm of such a variance, made free of the bias and the noise that few seeds give it.
    logs = np.log(np.maximum(variances, hidden))
    logs += np.log(freedom / 2) - scipy.special.digamma(freedom / 2)
    excess = float(logs.var(ddof=1) - scipy.special.polygamma(1, freedom / 2).mean())
    if excess <= 0:  # they differ by no more than few seeds make them differ
        return pooled
    prior = 2 * scipy.optimize.brentq(lambda half: scipy.special.polygamma(1, half) - excess, 1e-6, 1e9)
    usual = float(np.exp(logs.mean() + scipy.special.digamma(prior / 2) - np.log(prior / 2)))
    return SeedNoise(usual, prior, pooled.total)


def own_variance(hits: Hits) -> float:
    """The variance over a network's seeds, on the scale of `angle`."""
    return float(np.var([angle(of_seed.mean(), len(of_seed)) for of_seed in hits], ddof=1))


def _resolution(hits: Hits) -> float:
    """The variance that is hidden where two seeds have the same number of images right."""
    images, share = len(hits[0]), float(np.mean(hits))
    near = (share * images + 0.375) / (images + 0.75)
    return 1 / (48 * images**2 * near * (1 - near))


def spread(hits: Hits, noise: SeedNoise) -> Spread:
    """Mean and 95 % interval of the accuracy that this recipe gives on images like those of the test part.

    Two independent errors are added in quadrature: which images happen to be in the test part, from the
    variance over images of the share of seeds that got each right; and which seeds happened to be drawn, by
    Student's t. The variance of the seeds is that of this network's own, drawn towards what is usual in the
    sweep, the more so the more alike its networks are (Smyth's moderated variance).
    """
    shares = np.array([of_seed.mean() for of_seed in hits])
    images, mean = len(hits[0]), float(shares.mean())
    sd_pct = 100 * float(shares.std(ddof=1)) if len(hits) > 1 else float("nan")
    middle = angle(mean, images)
    per_image = np.mean(hits, axis=0)
    # On the scale of angles the variance of a share p is divided by 4 p (1 - p).
    near = (mean * images + 0.375) / (images + 0.75)
    # As in `angle`, 3/8 of an image more is right and 3/8 wrong: that all of a few are right proves little.
    squares = ((per_image - near) ** 2).sum() + 0.375 * (near**2 + (1 - near) ** 2)
    of_images = float(squares) / (images + 0.75) / images / (4 * near * (1 - near))
    half = np.hypot(_seed_error(hits, noise), NORMAL_95 * np.sqrt(of_images))
    if np.isnan(half):
        return Spread(100 * mean, sd_pct, float("nan"), float("nan"))
    ends = (share_of(middle - half), share_of(middle + half))
    return Spread(100 * mean, sd_pct, 100 * min(ends[0], mean), 100 * max(ends[1], mean))


def _seed_error(hits: Hits, noise: SeedNoise) -> float:
    """Half the width of the 95 % interval of the mean over the seeds, on the scale of `angle`."""
    if not noise.total:
        return float("nan")
    own_freedom = len(hits) - 1
    variance = noise.variance
    if own_freedom and np.isfinite(noise.freedom):
        weights = (noise.freedom, own_freedom)
        variance = float(np.average([variance, own_variance(hits)], weights=weights))
    freedom = min(noise.freedom + own_freedom, noise.total)
    quantile = scipy.special.stdtrit(freedom, 0.5 + CONFIDENCE_PCT / 200)
    return float(quantile * np.sqrt(variance / len(hits)))
