"""Successive halving: which trainings end early, judged by their lead over cheaper networks."""

import random

import pytest

from mbsweep.accuracy.settings import Halving
from mbsweep.accuracy.training.halving import Rungs
from mbsweep.storage.training_tables import EpochRow

MACS = {"small": 1, "middle": 2, "twin": 2, "large": 3, "huge": 9}


def epoch(variant, number, validation, seed=0, attempt=0):
    return EpochRow(variant, seed, attempt, number, 0.1, 1.0, 50.0, 1.0, validation, 2.0)


class ByTheBook:
    """The rule in plain words. A training's lead: its validation accuracy, less the best that a network which
    costs no more had after as many epochs. After min, min * factor, min * factor^2, ... epochs a training
    goes on if its lead is among the best 1 / factor of those that have come so far, at least one.
    """

    def __init__(self, min_epochs, factor):
        self.min_epochs, self.factor = min_epochs, factor
        self.best, self.leads = {}, {}

    def is_weak(self, row):
        """As `Rungs.is_weak`."""
        cheaper = [
            value
            for (variant, number), value in self.best.items()
            if number == row.epoch and variant != row.variant and MACS[variant] <= MACS[row.variant]
        ]
        key = (row.variant, row.epoch)
        self.best[key] = max(self.best.get(key, 0), row.validation_top1_pct)
        rung = self.min_epochs
        while rung < row.epoch:
            rung *= self.factor
        if rung != row.epoch:
            return False
        leads = self.leads.setdefault(rung, [])
        lead = row.validation_top1_pct - max(cheaper, default=0)
        leads.append(lead)
        going_on = max(1, len(leads) // self.factor)
        return lead < sorted(leads, reverse=True)[going_on - 1]


def made_sweep(seed, epochs=9):
    """Epochs of trainings of several networks and seeds, as two processes might give them in turn."""
    chance = random.Random(seed)
    left = [(variant, number) for variant in MACS for number in range(3)]
    chance.shuffle(left)
    active = [[*left.pop(), 0] for _ in range(2)]
    while active:
        training = chance.choice(active)
        training[2] += 1
        variant, number, reached = training
        is_over = yield epoch(variant, reached, chance.uniform(10, 90), number)
        if is_over or reached == epochs:
            active.remove(training)
            if left:
                active.append([*left.pop(), 0])


def driven(rungs, seed):
    """[(epoch, verdict)] of a made sweep in which what is weak is ended."""
    sweep, found, verdict = made_sweep(seed), [], None
    while True:
        try:
            row = sweep.send(verdict)
        except StopIteration:
            return found
        verdict = rungs.is_weak(row)
        found.append((row, verdict))


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("min_epochs", [1, 2])
def test_verdicts_are_those_of_the_rule(min_epochs, factor):
    """On 20 made sweeps of 15 trainings, every epoch."""
    verdicts = []
    for seed in range(20):
        found = driven(Rungs(Halving(min_epochs=min_epochs, factor=factor), MACS), seed)
        book = ByTheBook(min_epochs, factor)
        assert [book.is_weak(row) for row, _ in found] == [verdict for _, verdict in found]
        verdicts += [verdict for _, verdict in found]
    assert 100 < sum(verdicts) < len(verdicts)  # both kinds


def test_the_cheapest_network_is_not_judged_against_costlier_ones():
    """30 % of the smallest network stays, though all others have 80 and more: nothing as cheap is better."""
    rungs = Rungs(Halving(min_epochs=1, factor=2), MACS)
    assert not rungs.is_weak(epoch("small", 1, 30))
    assert not rungs.is_weak(epoch("large", 1, 80))  # leads by 50, and was the second of two
    rungs = Rungs(Halving(min_epochs=1, factor=2), MACS)
    for variant, value in (("huge", 9), ("large", 8), ("middle", 7)):
        rungs.is_weak(epoch(variant, 1, value))
    assert not rungs.is_weak(epoch("small", 1, 30))


def test_a_network_of_equal_cost_is_a_rival():
    """The lead over a twin counts: 41 leads 40 by 1, and the smallest has led by 30."""
    rungs = Rungs(Halving(min_epochs=1, factor=3), MACS)
    assert not rungs.is_weak(epoch("small", 1, 30))
    assert rungs.is_weak(epoch("middle", 1, 40))
    assert rungs.is_weak(epoch("twin", 1, 41))


def test_before_the_first_rung_nothing_is_weak():
    """However bad."""
    rungs = Rungs(Halving(min_epochs=3, factor=2), MACS)
    assert not any(rungs.is_weak(epoch("small", number, 90)) for number in (1, 2, 3))
    assert not any(rungs.is_weak(epoch("large", number, 1)) for number in (1, 2))
    assert rungs.is_weak(epoch("large", 3, 1))


def test_a_replay_gives_the_same_verdicts():
    """A run that goes on reads its epochs again, in their order, and goes on as if it had not stopped."""
    halving = Halving(min_epochs=1, factor=2)
    found = driven(Rungs(halving, MACS), 7)
    for stop in range(0, len(found), 5):
        rungs = Rungs(halving, MACS)
        assert [(row, rungs.is_weak(row)) for row, _ in found[:stop]] == found[:stop]
        assert [(row, rungs.is_weak(row)) for row, _ in found[stop:]] == found[stop:]


def test_seeds_and_attempts_are_trainings_of_their_own():
    """A network does not compete with itself: a second seed of the smallest leads by all it has."""
    rungs = Rungs(Halving(min_epochs=1, factor=2), MACS)
    assert not rungs.is_weak(epoch("small", 1, 60))
    assert not rungs.is_weak(epoch("small", 1, 61, seed=1))
    assert rungs.is_weak(epoch("small", 1, 10, seed=2))
    assert not rungs.is_weak(epoch("small", 1, 90, seed=2, attempt=1))
