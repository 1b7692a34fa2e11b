"""Trainings of one network with several seeds -> its accuracy, with an interval for what chance decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from mbsweep.summary import CONFIDENCE_PCT, NORMAL_95

Hits = Sequence[NDArray[np.bool_]]  # for each seed (images,): which images of the test part were right


class SeedNoise(NamedTuple):
    """How much accuracy differs from seed to seed, on the scale of `angle`."""

    variance: float  # NaN: no network was trained with two seeds
    freedom: int  # degrees of freedom of that estimate


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
    """The noise of the seeds, pooled over all networks that were trained with two or more.

    One network has two or three seeds, too few to tell; all of a sweep together are enough.
    """
    deviations, freedom = 0.0, 0
    for hits in networks.values():
        if len(hits) > 1:
            angles = np.array([angle(of_seed.mean(), len(of_seed)) for of_seed in hits])
            deviations += float(((angles - angles.mean()) ** 2).sum())
            freedom += len(hits) - 1
    return SeedNoise(deviations / freedom if freedom else float("nan"), freedom)


def spread(hits: Hits, noise: SeedNoise) -> Spread:
    """Mean and 95 % interval of the accuracy that this recipe gives on images like those of the test part.

    Two independent errors are added in quadrature: which images happen to be in the test part, from the
    variance over images of the share of seeds that got each right; and which seeds happened to be drawn, from
    `noise`, by Student's t. Where this network's own seeds differ more than that, as those of a network that
    starts late do, theirs counts.
    """
    shares = np.array([of_seed.mean() for of_seed in hits])
    images, mean = len(hits[0]), float(shares.mean())
    sd_pct = 100 * float(shares.std(ddof=1)) if len(hits) > 1 else float("nan")
    middle = angle(mean, images)
    per_image = np.mean(hits, axis=0)
    # On the scale of angles the variance of a share p is divided by 4 p (1 - p).
    near = (mean * images + 0.375) / (images + 0.75)
    of_images = max(float(per_image.var()), near * (1 - near) / images) / images / (4 * near * (1 - near))
    quantile = student.ppf(0.5 + CONFIDENCE_PCT / 200, noise.freedom) if noise.freedom else float("nan")
    own = float(np.var([angle(share, images) for share in shares], ddof=1)) if len(hits) > 1 else 0.0
    of_seeds = max(noise.variance, own) / len(hits)
    half = np.hypot(quantile * np.sqrt(of_seeds), NORMAL_95 * np.sqrt(of_images))
    if np.isnan(half):
        return Spread(100 * mean, sd_pct, float("nan"), float("nan"))
    ends = (share_of(middle - half), share_of(middle + half))
    return Spread(100 * mean, sd_pct, 100 * min(ends[0], mean), 100 * max(ends[1], mean))
