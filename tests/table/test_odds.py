"""How likely variants fit a budget, and are the best within it: against shares that are known beforehand."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep.table.decide import Budget, decide
from mbsweep.table.odds import odds

NAN = math.nan


def row(latency_ms, top1_pct=70.0, spread=0.0, kind="predicted", low_pct=NAN, high_pct=NAN, macs=5):
    """One row. spread: by so much of it, as a factor, the ends of its latency's interval lie away."""
    return {
        "config": "c",
        "variant": f"{latency_ms} {top1_pct} {kind}",
        "latency_ms": latency_ms,
        "latency_low_ms": latency_ms / (1 + spread),
        "latency_high_ms": latency_ms * (1 + spread),
        "latency_kind": kind,
        "top1_pct": top1_pct,
        "top1_low_pct": low_pct,
        "top1_high_pct": high_pct,
        **{"macs": macs, "params": 5, "top5_pct": NAN, "error": None},
    }


def chances(rows, budget, resample=None):
    found = odds(pd.DataFrame(rows), budget, resample)
    return found.fits_pct.tolist(), found.best_pct.tolist()


@pytest.mark.parametrize(
    ("limit_ms", "fits_pct"),
    # Of 5 ms, from 4 to 6.25: half are below it, 97.5 % below the upper end, 2.5 % below the lower, and
    # nothing is drawn farther than two half-widths away.
    [(5, 50), (6.25, 97.5), (4, 2.5), (8, 100), (3.1, 0), (5 * 1.25**0.5, 83.64)],
)
def test_a_predicted_latency_fits_with_what_its_interval_says(limit_ms, fits_pct):
    """The last by a table of the normal distribution: 0.98 standard deviations."""
    fits, best = chances([row(5, spread=0.25)], Budget({"latency_ms": limit_ms}))
    assert fits == [pytest.approx(fits_pct, abs=0.01)]
    assert best == fits


def test_a_measured_latency_fits_with_the_share_of_its_resamples():
    """860 of 1,000 headlines that might have been are at most 5 ms; else the best is 0.5-224, which fits for
    sure.
    """
    headlines = np.concatenate([np.full(860, 4.9), np.full(140, 5.1)])
    rows = [row(4.89, 65.3, 0.05, "measured"), row(3, 63.3, 0.05, "measured")]
    drawn = {rows[0]["variant"]: headlines, rows[1]["variant"]: np.full(1000, 3.0)}
    fits, best = chances(rows, Budget({"latency_ms": 5}), lambda _, variant: drawn[variant])
    assert fits == [86, 100]
    assert best == pytest.approx([86, 14])


def test_an_accuracy_with_an_interval_reaches_a_floor_with_what_that_says():
    """65 % from 64 to 66: at least 65 with a half, at least 64 with 97.5 %; one without interval is exact."""
    trained = {"low_pct": 64.0, "high_pct": 66.0}
    for floor, fits_pct in ((65, 50), (64, 97.5), (66, 2.5), (60, 100), (70, 0)):
        fits, _ = chances([row(5, 65, **trained), row(5, 65)], Budget({}, floor, "latency_ms"))
        assert fits == [pytest.approx(fits_pct, abs=0.1), 100 if floor <= 65 else 0]


def test_the_fastest_of_what_is_good_enough():
    """4 ms and 5 ms, both from a fifth less to a quarter more: the first is faster in 92 % of draws, which is
    a difference of ln 1.25 with a deviation of sqrt(2) ln 1.25 / 1.96: 1.386 standard deviations. 3 ms of 60
    % is not good enough.
    """
    rows = [row(5, 70, 0.25), row(4, 66, 0.25), row(3, 60, 0.25)]
    fits, best = chances(rows, Budget({}, 65, "latency_ms"))
    assert fits == [100, 100, 0]
    assert best == [pytest.approx(8.3, abs=3), pytest.approx(91.7, abs=3), 0]


def test_sizes_are_exact():
    """Nothing is uncertain of mult-adds, nor of published accuracies."""
    rows = [row(5, 70, 0.25, macs=9), row(5, 68, 0.25, macs=5)]
    assert chances(rows, Budget({"macs": 6})) == ([0, 100], [0, 100])
    assert chances(rows, Budget({}, goal="macs")) == ([100, 100], [0, 100])


def test_what_has_no_interval_has_no_chance():
    """A published latency: whether it fits is not known, and beside it no other is known to be the best."""
    rows = [row(5, 70, 0.25), row(5, 71) | {"latency_low_ms": NAN, "latency_high_ms": NAN}]
    (first, second), best = chances(rows, Budget({"latency_ms": 8}))
    assert first == 100
    assert math.isnan(second)
    assert all(math.isnan(one) for one in best)
    assert all(math.isnan(one) for one in chances([row(5, NAN, 0.25)], Budget({"latency_ms": 8}))[0])


def test_what_is_asked_of_sizes_fits_whatever_latencies_are_known():
    """Of the fastest within so many mult-adds only which one it is is open."""
    rows = [row(5, macs=5), row(4, macs=9)]
    rows = [one | {"latency_low_ms": NAN, "latency_high_ms": NAN} for one in rows]
    fits, best = chances(rows, Budget({"macs": 6}, goal="latency_ms"))
    assert fits == [100, 0]
    assert all(math.isnan(one) for one in best)


def test_at_a_tie_the_best_is_who_is_ranked_first():
    """Of equal accuracy within a limit of mult-adds the faster one, though no latency is asked for."""
    rows = [row(5, 70, 0.25), row(4, 70, 0.25)]
    budget = Budget({"macs": 6})
    assert decide(pd.DataFrame(rows), budget).fitting == (1, 0)
    assert chances(rows, budget) == ([100, 100], [0, 100])


FEW = st.sampled_from([3.0, 4.0, 4.5, 5.0, 6.0])
ROWS = st.lists(
    st.builds(row, FEW, st.sampled_from([50.0, 60.0, 70.0]), st.sampled_from([0.02, 0.3])),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60)
@given(ROWS)
def test_the_best_is_who_fits_where_no_better_does(rows):
    """With accuracies that are exact and differ: the product of its own chance to fit and of the others' not
    to.
    """
    rows = [
        one | {"top1_pct": one["top1_pct"] + place / 100, "variant": str(place)}
        for place, one in enumerate(rows)
    ]
    budget = Budget({"latency_ms": 4.6})
    fits, best = chances(rows, budget)
    for (mine, one), chance in zip(enumerate(rows), best, strict=True):
        others = [other for other, it in enumerate(rows) if it["top1_pct"] > one["top1_pct"]]
        expected = fits[mine] * math.prod(1 - fits[other] / 100 for other in others)
        assert chance == pytest.approx(expected, abs=0.01)


def test_who_is_ranked_first_is_likely_to_fit():
    """What fits fits with at least a half, what does not with at most a half: whatever the intervals."""
    rows = [
        row(ms, 70 + place, spread) for place, (ms, spread) in enumerate(product((3, 4, 5, 6), (0.01, 0.5)))
    ]
    budget = Budget({"latency_ms": 4.9})
    fits, _ = chances(rows, budget)
    fitting = set(decide(pd.DataFrame(rows), budget).fitting)
    assert fitting == {place for place, chance in enumerate(fits) if chance >= 50}
