"""Accuracy: what one variant is worth, with all that a reader must know of the number."""

from __future__ import annotations

import math
from dataclasses import dataclass

NAN = math.nan
IMAGENET = "ImageNet, validation part"


@dataclass(frozen=True)
class Accuracy:
    """What one variant is worth on the test part of a data set. NaN with a reason where it is not known."""

    top1_pct: float
    top5_pct: float
    kind: str  # "published", "trained", "supernet" or "predicted"
    source: str  # a table of the literature; a data set and a recipe; what a model was fitted on
    dataset: str  # of trained ones with a hash of its content
    top1_low_pct: float = NAN  # 95 % interval: the noise of the test set and of the seeds
    top1_high_pct: float = NAN
    top1_sd_pct: float = NAN  # over the seeds
    seeds: str = ""  # "0, 1"
    epochs: float = NAN  # that it was trained for
    note: str = ""  # what a reader must know of a known accuracy
    reason: str = ""  # why it is not known
