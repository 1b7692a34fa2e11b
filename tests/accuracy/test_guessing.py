"""How a training that has learnt nothing is told from one that has learnt late, or a little."""

import math

import numpy as np
import pytest

from mbsweep.accuracy.guessing import Guessing, least_learnt_pct
from mbsweep.storage.training_tables import EpochRow

TEN = np.repeat(np.arange(10), 400)  # 4,000 images of ten classes


def curve(*epochs):
    """Epochs of given training loss and validation accuracy."""
    return [
        EpochRow("net", 0, 0, n, 0.1, loss, 0.0, 0.0, top1, 1.0) for n, (loss, top1) in enumerate(epochs, 1)
    ]


def test_the_loss_of_guessing_is_that_of_the_classes_frequencies():
    """Ten classes alike: log 10, less 16 / 2 n. Nine of ten images of one class: the entropy of that, without
    and with label smoothing.
    """
    assert Guessing.of(TEN, TEN, 0.1).loss == pytest.approx(math.log(10) - 0.002)
    uneven = np.repeat([0, 1], [900, 100])
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert Guessing.of(uneven, uneven, 0.0).loss == pytest.approx(entropy - 0.008)
    softened = -(0.86 * math.log(0.86) + 0.14 * math.log(0.14))  # 0.9 * 0.9 + 0.1 / 2
    assert Guessing.of(uneven, uneven, 0.1).loss == pytest.approx(softened - 0.008)


def test_no_guess_is_below_it():
    """Answers that have nothing to do with the images, near and far from the frequencies: of 1,500 epochs of
    200 images none is.
    """
    chance, labels = np.random.default_rng(0), np.repeat(np.arange(10), 20)
    least = Guessing.of(labels, labels, 0.0).loss
    for spread in (0.01, 0.1, 0.2, 0.5, 1.0):
        for _ in range(300):
            logits = chance.normal(0, spread, (len(labels), 10))
            loss = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]
            assert loss.mean() > least


def test_a_slow_start_is_no_stall():
    """As measured at 0.25-32 (sprites on photographs, 4,200 images): at chance for three of six epochs, while
    the rate was high; 18.7 % in the end.
    """
    guessing = Guessing(loss=2.3007, top1_pct=14.0)
    slow = curve((2.33, 10), (2.34, 11), (2.31, 13), (2.27, 15), (2.21, 19), (2.17, 20))
    assert [guessing.is_all(slow[:count]) for count in (2, 3, 4, 6)] == [True, True, False, False]
    assert guessing.epochs(slow) == 3


def test_what_one_of_both_parts_tells_is_learnt():
    """A loss below guessing though validation shows nothing yet, and the other way round."""
    guessing = Guessing(loss=2.3, top1_pct=14.0)
    assert not guessing.is_all(curve((2.4, 10), (2.29, 10)))
    assert not guessing.is_all(curve((2.4, 10), (2.31, 14)))
    assert guessing.is_all(curve((2.4, 10), (2.3, 13.9)))


@pytest.mark.parametrize(
    ("labels", "least"),
    [
        (np.repeat(np.arange(10), 90), 14.0),  # 10 % and 4 times sqrt(0.1 * 0.9 / 900) = 1 %
        (np.repeat(np.arange(3), 2), 200 / 3),  # of six images the noise is too wide: halfway from 33 to 100
    ],
)
def test_the_accuracy_of_guessing_has_a_margin_of_its_noise(labels, least):
    """Four standard errors, but no further than halfway to all right."""
    assert least_learnt_pct(labels) == pytest.approx(least)
