"""What a network reaches that knows nothing but how frequent the classes are: how a stall is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SIGMAS = 4  # from guessing: what is nearer has learnt nothing


class Reached(Protocol):
    """What an epoch gave."""

    @property
    def train_loss(self) -> float:
        """Mean over the epoch, nats."""

    @property
    def validation_top1_pct(self) -> float:
        """After it."""


@dataclass(frozen=True)
class Guessing:
    """Where learning begins."""

    loss: float  # nats; a training loss below it was not guessed
    top1_pct: float  # nor a validation accuracy from here on

    @classmethod
    def of(
        cls, training: NDArray[np.int64], validation: NDArray[np.int64], label_smoothing: float
    ) -> Guessing:
        """From the labels of both parts, (images,)."""
        shares = np.bincount(training) / len(training)
        softened = (1 - label_smoothing) * shares + label_smoothing / len(shares)
        entropy = -float((softened * np.log(softened.clip(1e-12))).sum())
        # Answers that have nothing to do with the images, some excess E above the entropy, have a mean loss
        # over n images with a standard error of sqrt(2 E / n): at no E is it further below than this.
        return cls(entropy - SIGMAS**2 / (2 * len(training)), least_learnt_pct(validation))

    def is_all(self, curve: Sequence[Reached]) -> bool:
        """Whether no epoch of a training was better."""
        return self.epochs(curve) == len(curve)

    def epochs(self, curve: Sequence[Reached]) -> int:
        """Epochs before the first that was better."""
        learnt = (row.train_loss < self.loss or row.validation_top1_pct >= self.top1_pct for row in curve)
        return next((place for place, has_learnt in enumerate(learnt) if has_learnt), len(curve))


def least_learnt_pct(labels: NDArray[np.int64]) -> float:
    """Validation accuracy in percent below which a network has learnt nothing.

    SIGMAS standard errors above always saying the most frequent class; halfway from there to 100 % where that
    is less, for of few images the noise is so wide that a perfect network were within it.
    """
    chance_pct = 100 * float(np.bincount(labels).max()) / len(labels)
    noise_pct = math.sqrt(chance_pct * (100 - chance_pct) / len(labels))
    return min(chance_pct + SIGMAS * noise_pct, (chance_pct + 100) / 2)
