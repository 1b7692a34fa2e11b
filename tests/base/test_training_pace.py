"""How far trainings are: in epochs, in what they cost, and in time."""

import math

import pytest

from mbsweep.base.pace import Pace, Standing


def test_epochs_weigh_what_they_cost():
    """A small network's epoch takes a quarter of a large one's: four of eight epochs done are a fifth of it.
    What is left takes 4 x 8 s, since the small ones took twice as long as was expected.
    """
    pace = Pace({"small": 1.0, "large": 4.0}, jobs=1)
    for _ in range(4):
        pace.note("small", 2.0)
    assert pace.standing([("large", 4)]) == Standing(4, 8, pytest.approx(0.2), pytest.approx(32))


def test_a_part_of_an_epoch_counts():
    """Three quarters of the first of two epochs."""
    pace = Pace({"net": 10.0}, jobs=1)
    assert pace.standing([("net", 1.25)]) == Standing(0, 2, pytest.approx(0.375), pytest.approx(12.5))


def test_epochs_of_a_training_that_was_begun_anew_belong_to_all():
    """Three of six were for nothing and six are to come: nine in all, a third of them done."""
    pace = Pace({"net": 10.0}, jobs=1)
    for _ in range(3):
        pace.note("net", 10.0)
    assert pace.standing([("net", 6)]) == Standing(3, 9, pytest.approx(1 / 3), pytest.approx(60))


def test_processes_share_the_rest_but_not_the_longest():
    """Of two processes each does half of three trainings; one that is longer than its share stays whole."""
    pace = Pace({"small": 1.0, "large": 9.0}, jobs=2)
    assert pace.standing([("small", 4)] * 3).left_s == pytest.approx(6)
    assert pace.standing([("small", 4), ("large", 4)]).left_s == pytest.approx(36)


def test_what_took_its_time_is_known():
    """A network's own epochs say more than those of others."""
    pace = Pace({"small": 1.0, "large": 4.0}, jobs=1)
    pace.note("small", 1.0)
    pace.note("large", 6.0)
    assert pace.standing([("large", 2), ("small", 3)]).left_s == pytest.approx(15)


def test_nothing_left_is_all():
    """Also where nothing was ever to be done."""
    pace = Pace({"net": 10.0}, jobs=3)
    assert pace.standing([]) == Standing(0, 0, 1.0, 0.0)
    pace.note("net", 5.0)
    assert pace.standing([]) == Standing(1, 1, 1.0, 0.0)
    assert not math.isnan(pace.standing([("net", 0)]).share)
