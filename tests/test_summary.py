"""Samples -> the numbers of a row."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbsweep.summary import summarize


def _visits(*visits_ms):
    return [np.array([round(sample * 1e6) for sample in visit], dtype=np.int64) for visit in visits_ms]


def test_a_row_by_hand():
    """Three visits whose fastest calls take 1, 4 and 9 ms; seven calls that add up to 34 ms."""
    row = summarize(_visits([3, 1, 2], [5, 4], [9, 10]))
    assert row["latency_ms"] == 4.0
    assert row["latency_p50_ms"] == 4.0
    assert row["latency_p90_ms"] == pytest.approx(9.4)  # six intervals, 0.9 x 6 = 5.4: 9 + 0.4 x (10 - 9)
    assert row["latency_mean_ms"] == pytest.approx(34 / 7)
    assert row["latency_sd_ms"] == pytest.approx(math.sqrt((236 - 34**2 / 7) / 6))  # squares add up to 236
    assert row["latency_samples"] == 7


def test_an_even_number_of_visits_takes_the_middle():
    """The median of 1, 2, 5 and 9 ms is 3.5 ms."""
    assert summarize(_visits([1], [9], [5, 6], [2, 8]))["latency_ms"] == 3.5


def test_one_sample_has_no_spread():
    """The standard deviation of a single call is unknown, not zero."""
    row = summarize(_visits([2.5]))
    assert math.isnan(row.pop("latency_sd_ms"))
    assert row == {
        "latency_ms": 2.5,
        "latency_p50_ms": 2.5,
        "latency_p90_ms": 2.5,
        "latency_mean_ms": 2.5,
        "latency_samples": 1,
    }


def test_disturbed_calls_do_not_move_the_headline():
    """Slow calls in every visit, a wholly slow visit and a lucky one leave the median of the fastest."""
    calm = _visits(*[[2, 2, 2]] * 9)
    disturbed = _visits(*[[2, 40, 7]] * 7, [90, 95], [1])
    assert summarize(disturbed)["latency_ms"] == summarize(calm)["latency_ms"] == 2.0


VISITS = st.lists(st.lists(st.integers(1, 10**12), min_size=1, max_size=20), min_size=1, max_size=12)


@given(VISITS)
def test_numbers_are_those_of_the_standard_library(visits):
    """Median, 90th percentile, mean and deviation equal Python's statistics module on the same samples."""
    samples = [sample / 1e6 for visit in visits for sample in visit]
    row = summarize([np.array(visit, dtype=np.int64) for visit in visits])
    assert row["latency_samples"] == len(samples)
    assert row["latency_ms"] == pytest.approx(statistics.median(min(visit) for visit in visits) / 1e6)
    assert row["latency_p50_ms"] == pytest.approx(statistics.median(samples))
    assert row["latency_mean_ms"] == pytest.approx(statistics.fmean(samples))
    if len(samples) > 1:
        assert row["latency_p90_ms"] == pytest.approx(
            statistics.quantiles(samples, n=10, method="inclusive")[-1]
        )
        assert row["latency_sd_ms"] == pytest.approx(statistics.stdev(samples), rel=1e-9, abs=1e-6)


@given(VISITS)
def test_the_headline_is_within_the_samples(visits):
    """No number is outside what was measured, and the percentiles are in order."""
    row = summarize([np.array(visit, dtype=np.int64) for visit in visits])
    samples = [sample / 1e6 for visit in visits for sample in visit]
    slack = 1e-9 * max(samples)
    assert min(samples) - slack <= row["latency_ms"] <= max(samples) + slack
    assert row["latency_p50_ms"] <= row["latency_p90_ms"] + slack
