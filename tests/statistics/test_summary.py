"""Samples -> the numbers of a row, with their uncertainty."""

import math
import statistics

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep.statistics.summary import (
    MIN_VISITS,
    RESAMPLES,
    fastest_ms,
    headline_interval,
    is_noisy,
    narrow_words,
    resampled_headlines,
    summarize,
    width_pct,
)


def _visits(*visits_ms):
    return [np.array([round(sample * 1e6) for sample in visit], dtype=np.int64) for visit in visits_ms]


def _undrifted(visits):
    """The row of visits to a network, on a machine that was always its usual self."""
    return summarize(visits, np.ones(len(visits)))


def test_a_row_by_hand():
    """Three visits whose fastest calls take 1, 4 and 9 ms; seven calls that add up to 34 ms."""
    row = _undrifted(_visits([3, 1, 2], [5, 4], [9, 10]))
    assert row["latency_ms"] == pytest.approx(2.2)  # two intervals, 0.2 x 2 = 0.4: 1 + 0.4 x (4 - 1)
    assert row["latency_p50_ms"] == 4.0
    assert row["latency_p90_ms"] == pytest.approx(9.4)  # six intervals, 0.9 x 6 = 5.4: 9 + 0.4 x (10 - 9)
    assert row["latency_mean_ms"] == pytest.approx(34 / 7)
    assert row["latency_sd_ms"] == pytest.approx(math.sqrt((236 - 34**2 / 7) / 6))  # squares add up to 236
    assert row["latency_samples"] == 7


def test_a_fifth_of_the_visits_are_faster_than_the_headline():
    """Of eleven visits whose fastest calls take 1 to 11 ms it is 3 ms: two of the other ten are faster."""
    assert _undrifted(_visits(*[[ms, ms + 0.5] for ms in range(11, 0, -1)]))["latency_ms"] == 3.0


def test_one_sample_has_no_spread():
    """The standard deviation of a single call is unknown, not zero."""
    row = _undrifted(_visits([2.5]))
    assert math.isnan(row.pop("latency_sd_ms"))
    assert {name: value for name, value in row.items() if not math.isnan(value)} == {
        "latency_ms": 2.5,
        "latency_p50_ms": 2.5,
        "latency_p90_ms": 2.5,
        "latency_mean_ms": 2.5,
        "latency_iqr_pct": 0,
        "latency_samples": 1,
    }


def test_disturbed_calls_do_not_move_the_headline():
    """Slow calls in every visit, two thirds of the visits wholly slow and a lucky one: it stays."""
    calm = _visits(*[[2, 2, 2]] * 12)
    disturbed = _visits(*[[2, 40, 7]] * 3, *[[3, 3.1]] * 8, [1])
    assert _undrifted(disturbed)["latency_ms"] == _undrifted(calm)["latency_ms"] == 2.0


def test_the_middle_half_is_told_in_percent_of_the_median():
    """Calls of 1, 2, 3, 4 and 5 ms: the middle half lies between 2 and 4 ms, 2 of 3 ms."""
    assert _undrifted(_visits([1, 5, 3], [2, 4]))["latency_iqr_pct"] == pytest.approx(100 * 2 / 3)


VISITS = st.lists(st.lists(st.integers(1, 10**12), min_size=1, max_size=20), min_size=1, max_size=12)


@given(VISITS)
def test_numbers_are_those_of_the_standard_library(visits):
    """Median, 90th percentile, mean and deviation equal Python's statistics module on the same samples."""
    samples = [sample / 1e6 for visit in visits for sample in visit]
    row = _undrifted([np.array(visit, dtype=np.int64) for visit in visits])
    assert row["latency_samples"] == len(samples)
    fastest = [min(visit) / 1e6 for visit in visits]
    fifths = statistics.quantiles(fastest, n=5, method="inclusive") if len(fastest) > 1 else fastest
    assert row["latency_ms"] == pytest.approx(fifths[0])
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
    row = _undrifted([np.array(visit, dtype=np.int64) for visit in visits])
    samples = [sample / 1e6 for visit in visits for sample in visit]
    slack = 1e-9 * max(samples)
    assert min(samples) - slack <= row["latency_ms"] <= max(samples) + slack
    assert row["latency_p50_ms"] <= row["latency_p90_ms"] + slack


INTERVALS = ["latency", "latency_p50", "latency_p90"]


def lower_fifth(values, axis=None):
    """What the headline is of the visits' fastest calls."""
    return np.quantile(values, 0.2, axis=axis)


def noisy_visits(rng, count, calls=8, base_ms=5.0):
    """Visits on a machine whose speed differs by 3 % between visits; noise within a visit only adds time."""
    levels_ms = base_ms * np.exp(rng.normal(0, 0.03, count))
    return [
        np.round(1e6 * level * (1 + rng.exponential(0.02, calls))).astype(np.int64) for level in levels_ms
    ]


@pytest.mark.parametrize("count", [1, MIN_VISITS - 1])
def test_few_visits_have_no_interval(count):
    """Below twelve visits the ends and the width are unknown, rather than too narrow."""
    row = _undrifted(noisy_visits(np.random.default_rng(0), count))
    assert MIN_VISITS == 12
    for name in INTERVALS:
        assert math.isnan(row[f"{name}_low_ms"])
        assert math.isnan(row[f"{name}_high_ms"])
        assert row[f"{name}_ms"] > 0
    assert math.isnan(row["width_pct"])


@pytest.mark.parametrize("count", [12, 17, 40])
def test_the_headlines_interval_is_scipys(count):
    """scipy.stats.bootstrap of the lower fifth of the fastest calls, by percentiles, 20,000 resamples.

    Two bootstraps of 1000 and 20,000 resamples differ by chance: by less than a fifth of the width here.
    """
    visits = noisy_visits(np.random.default_rng(count), count)
    fastest = np.array([visit.min() / 1e6 for visit in visits])
    oracle = scipy.stats.bootstrap(
        (fastest,), lower_fifth, n_resamples=20_000, confidence_level=0.95, method="percentile", rng=1
    ).confidence_interval
    row = _undrifted(visits)
    slack = (oracle.high - oracle.low) / 5
    assert row["latency_low_ms"] == pytest.approx(oracle.low, abs=slack)
    assert row["latency_high_ms"] == pytest.approx(oracle.high, abs=slack)
    assert row["width_pct"] == pytest.approx(
        100 * (row["latency_high_ms"] - row["latency_low_ms"]) / lower_fifth(fastest)
    )


@pytest.mark.parametrize("count", [12, 17, 40])
def test_the_headlines_interval_is_that_of_the_draws(count):
    """The 2.5th and 97.5th percentile of the lower fifths that the resamples have, one by one."""
    visits = noisy_visits(np.random.default_rng(count), count)
    fastest = [int(visit.min()) for visit in visits]
    fifths = [
        statistics.quantiles((fastest[place] for place in draw), n=5, method="inclusive")[0]
        for draw in the_same_draws(count)
    ]
    low, high = np.percentile(fifths, [2.5, 97.5]) / 1e6
    row = _undrifted(visits)
    assert (row["latency_low_ms"], row["latency_high_ms"]) == pytest.approx((low, high), rel=1e-12)


def by_brute_force(visits, draws):
    """95 % intervals of p50 and p90 in nanoseconds: each draw's visits are put together and sorted."""
    found = {"latency_p50": [], "latency_p90": []}
    for draw in draws:
        pooled = np.sort(np.concatenate([visits[place] for place in draw]))
        for name, percent in (("latency_p50", 50), ("latency_p90", 90)):
            # The smallest call that at least so many percent of the calls do not exceed.
            found[name].append(pooled[-(-percent * len(pooled) // 100) - 1])
    return {name: np.percentile(values, [2.5, 97.5]) for name, values in found.items()}


def the_same_draws(count):
    """The visits that the resamples have, which are the same in every run of mbsweep."""
    return np.random.default_rng(0).integers(count, size=(RESAMPLES, count))


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(1, 10**9), min_size=1, max_size=30), min_size=MIN_VISITS, max_size=15))
def test_intervals_of_p50_and_p90_are_those_of_brute_force(visits):
    """Whole visits are drawn, of any lengths, with ties: up to 450 calls to the last bit."""
    visits = [np.array(visit, dtype=np.int64) for visit in visits]
    row = _undrifted(visits)
    for name, ends in by_brute_force(visits, the_same_draws(len(visits))).items():
        assert [row[f"{name}_low_ms"], row[f"{name}_high_ms"]] == pytest.approx(ends / 1e6, rel=1e-12)


def test_intervals_of_many_calls_are_those_of_brute_force():
    """8000 calls are held at 512 places: an end is at most one place, 1/511 of the calls, too high."""
    visits = noisy_visits(np.random.default_rng(3), 20, calls=400)
    ranks = np.sort(np.concatenate(visits))
    row = _undrifted(visits)
    for name, ends in by_brute_force(visits, the_same_draws(len(visits))).items():
        got = [round(row[f"{name}_{end}_ms"] * 1e6) for end in ("low", "high")]
        beyond = np.searchsorted(ranks, got) - np.searchsorted(ranks, ends)
        assert (beyond >= -1).all()
        assert (beyond <= len(ranks) / 511 + 1).all()


def test_other_draws_give_nearly_the_same_intervals():
    """1000 resamples are enough: 5000 others move no end by more than a fifth of the interval's width."""
    visits = noisy_visits(np.random.default_rng(4), 20)
    row = _undrifted(visits)
    others = np.random.default_rng(99).integers(len(visits), size=(5000, len(visits)))
    for name, (low, high) in by_brute_force(visits, others).items():
        slack = (high - low) / 1e6 / 5
        assert row[f"{name}_low_ms"] == pytest.approx(low / 1e6, abs=slack)
        assert row[f"{name}_high_ms"] == pytest.approx(high / 1e6, abs=slack)


def test_intervals_hold_the_true_value_as_often_as_they_say():
    """200 runs of 20 visits: the true lower fifth of the visits' fastest calls, and p50, lie within >= 88 %.

    95 % are meant; by chance 200 such runs stay above 88 % in all but one of 10,000 cases. The truth is that
    of 100,000 visits. p90 is told well from 40 visits on; from 12, its interval is too narrow, as percentile
    bootstraps of few clusters are: above 70 %, and no more is claimed.
    """
    rng = np.random.default_rng(5)
    many = noisy_visits(rng, 100_000)
    calls_ms = np.concatenate(many) / 1e6
    truth = dict(
        zip(INTERVALS, [lower_fifth(fastest_ms(many, 1.0)), *np.quantile(calls_ms, [0.5, 0.9])], strict=True)
    )
    for count, least in ((12, [88, 88, 70]), (20, [88, 88, 80]), (40, [88, 88, 88])):
        rows = [_undrifted(noisy_visits(rng, count)) for _ in range(200)]
        for (name, value), least_pct in zip(truth.items(), least, strict=True):
            held = [row[f"{name}_low_ms"] <= value <= row[f"{name}_high_ms"] for row in rows]
            assert 100 * np.mean(held) >= least_pct, (name, count)


ENOUGH_VISITS = st.lists(
    st.lists(st.integers(1_000, 10**9), min_size=1, max_size=8), min_size=MIN_VISITS, max_size=14
).map(lambda visits: [np.array(visit, dtype=np.int64) for visit in visits])
NUMBERS_MS = [
    *(f"{name}{end}_ms" for name in INTERVALS for end in ("", "_low", "_high")),
    "latency_mean_ms",
    "latency_sd_ms",
]


@settings(max_examples=50)
@given(ENOUGH_VISITS)
def test_an_interval_is_in_order_and_within_what_was_measured(visits):
    """From not above to, neither outside the samples; the width is that of the headline's, in percent."""
    row = _undrifted(visits)
    pooled_ms = np.concatenate(visits) / 1e6
    for name in INTERVALS:
        low, high = row[f"{name}_low_ms"], row[f"{name}_high_ms"]
        assert low <= high
        assert pooled_ms.min() * (1 - 1e-9) <= low
        assert high <= pooled_ms.max() * (1 + 1e-9)
    assert row["latency_high_ms"] <= max(visit.min() for visit in visits) / 1e6 * (1 + 1e-9)
    assert row["width_pct"] >= 0


@settings(max_examples=50)
@given(ENOUGH_VISITS, st.integers(2, 1000))
def test_a_machine_that_is_slower_all_the_time_scales_every_number(visits, factor):
    """Every call `factor` times as long: so is every time; shares in percent stay as they were."""
    row, slower = _undrifted(visits), _undrifted([visit * factor for visit in visits])
    for name in NUMBERS_MS:
        assert slower[name] == pytest.approx(factor * row[name], rel=1e-9, abs=1e-6 * factor), name
    for name in ("latency_iqr_pct", "width_pct"):
        assert slower[name] == pytest.approx(row[name], rel=1e-6, abs=1e-6), name


@settings(max_examples=50)
@given(ENOUGH_VISITS, st.randoms(use_true_random=False))
def test_the_order_of_visits_does_not_matter(visits, random):
    """The same visits in another order give the same numbers; intervals, which draw by place, not exactly."""
    shuffled = random.sample(visits, len(visits))
    row, other = _undrifted(visits), _undrifted(shuffled)
    for name in ("latency_ms", "latency_p50_ms", "latency_p90_ms", "latency_mean_ms", "latency_iqr_pct"):
        assert other[name] == pytest.approx(row[name], rel=1e-12), name
    assert other["latency_sd_ms"] == pytest.approx(row["latency_sd_ms"], rel=1e-9, abs=1e-9)


def test_the_order_of_visits_hardly_moves_an_interval():
    """Forty visits shuffled: no end moves by more than a fifth of the interval's width."""
    rng = np.random.default_rng(6)
    visits = noisy_visits(rng, 40)
    row, other = _undrifted(visits), _undrifted([visits[place] for place in rng.permutation(40)])
    for name in INTERVALS:
        width = row[f"{name}_high_ms"] - row[f"{name}_low_ms"]
        for end in ("low", "high"):
            assert other[f"{name}_{end}_ms"] == pytest.approx(row[f"{name}_{end}_ms"], abs=width / 5)


def test_the_same_samples_give_the_same_intervals():
    """Nothing is left to chance: a table is the same whenever it is made."""
    visits = noisy_visits(np.random.default_rng(7), 25)
    assert _undrifted(visits) == _undrifted([visit.copy() for visit in visits])


def test_mean_and_spread_are_as_they_were_timed():
    """Drift is divided out of the headline, p50 and p90, and their intervals; the rest is of the calls."""
    visits = noisy_visits(np.random.default_rng(9), 20)
    row, drifted = _undrifted(visits), summarize(visits, np.full(20, 2.0))
    halved = {f"{name}{end}_ms" for name in INTERVALS for end in ("", "_low", "_high")}
    for name, value in row.items():
        assert drifted[name] == pytest.approx(value / 2 if name in halved else value), name


def test_what_the_drift_leaves_uncertain_widens_each_interval():
    """At either end 1.96 standard deviations, in quadrature with the bootstrap; no other number moves."""
    visits = noisy_visits(np.random.default_rng(11), 20)
    sure, unsure = _undrifted(visits), summarize(visits, np.ones(20), drift_error=0.01)
    for name in INTERVALS:
        value = sure[f"{name}_ms"]
        down, up = np.log(value / sure[f"{name}_low_ms"]), np.log(sure[f"{name}_high_ms"] / value)
        assert unsure[f"{name}_low_ms"] == pytest.approx(value / np.exp(np.sqrt(down**2 + 0.0196**2)))
        assert unsure[f"{name}_high_ms"] == pytest.approx(value * np.exp(np.sqrt(up**2 + 0.0196**2)))
    ends = {f"{name}_{end}_ms" for name in INTERVALS for end in ("low", "high")} | {"width_pct"}
    wide = 100 * (unsure["latency_high_ms"] - unsure["latency_low_ms"]) / unsure["latency_ms"]
    assert unsure["width_pct"] == pytest.approx(wide)
    assert wide > sure["width_pct"]
    assert {name: unsure[name] for name in unsure if name not in ends} == pytest.approx(
        {name: sure[name] for name in sure if name not in ends}
    )


def test_resampled_headlines_have_what_the_drift_leaves_uncertain():
    """Of visits that are all alike nothing is left but that: 1,000 headlines whose logarithms have its
    standard deviation, to 7 % (three of its own), around the headline; without it all are the headline.
    """
    fastest = np.full(20, 2.0)
    assert (resampled_headlines(fastest, 0) == 2).all()
    logs = np.log(resampled_headlines(fastest, 0.01) / 2)
    assert logs.std() == pytest.approx(0.01, rel=0.07)
    assert abs(logs.mean()) < 3 * 0.01 / math.sqrt(RESAMPLES)


def test_without_enough_visits_an_uncertain_drift_gives_no_interval():
    """Unknown stays unknown."""
    row = summarize(_visits([5, 6], [5, 7]), np.ones(2), drift_error=0.01)
    assert np.isnan([row["latency_low_ms"], row["latency_p90_high_ms"]]).all()


def test_what_settles_a_network_is_the_interval_that_is_shown():
    """`width_pct`, by which a run decides that a network is done, is that of the row's own interval."""
    visits = noisy_visits(np.random.default_rng(10), 20)
    levels = np.linspace(0.9, 1.1, 20)
    row = summarize(visits, levels, drift_error=0.02)
    fastest = fastest_ms(visits, levels)
    assert headline_interval(fastest, 0.02) == (row["latency_low_ms"], row["latency_high_ms"])
    assert width_pct(fastest, 0.02) == row["width_pct"]


def test_what_had_better_be_measured_again():
    """Calls whose middle half is spread by more than 10 %; an interval wider than asked, or unknown."""
    calm = {"latency_iqr_pct": 9.9, "width_pct": 2.0}
    assert not is_noisy(calm, 2)
    assert is_noisy(calm, 1.9)
    assert is_noisy(calm | {"latency_iqr_pct": 10.1}, 2)
    assert is_noisy(calm | {"width_pct": math.nan}, 2)


def test_how_many_intervals_are_narrow_by_hand():
    """Two that have met 2 %, one of them with an interval that is wider by now; two wider; one unknown."""
    rows = [
        {"width_pct": 1.5, "settled_pct": 2},
        {"width_pct": 2.5, "settled_pct": 1},
        {"width_pct": 2.25, "settled_pct": math.nan},
        {"width_pct": 7.06, "settled_pct": 5},
        {"width_pct": math.nan, "settled_pct": math.nan},
    ]
    assert narrow_words(rows, 2) == (
        "2 of 5 intervals are as narrow as asked, 2 %; 2 wider, at most 7.1 %; "
        "1 unknown, of fewer than 12 visits"
    )
    assert narrow_words(rows[:2], 2.5) == "2 of 2 intervals are as narrow as asked, 2.5 %"
