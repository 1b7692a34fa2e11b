"""Samples -> the numbers of one row, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

NS_PER_MS = 1_000_000
RESAMPLES = 1000
CONFIDENCE_PCT = 95
NORMAL_95 = 1.96  # half the width of a normal distribution's 95 % interval, in standard deviations
NOISY_IQR_PCT = 10  # an interquartile range above this share of the median: too noisy to trust
LOW = 0.2  # of the visits, the calm ones: the headline is this quantile of their fastest calls
MIN_VISITS = 12  # of fewer visits, an interval says nothing
_GRID = 512  # places at which the distribution of the pooled samples is held while it is resampled

Visits = list[NDArray[np.int64]]  # the samples of each visit, in nanoseconds


def summarize(visits: Visits, drift: NDArray[np.float64], drift_error: float = 0) -> dict[str, float]:
    """Latency of one variant, its spread and its intervals, from the samples of its visits.

    drift: (visits,) how much slower than in its reference state the machine was at each visit.
    drift_error: what that leaves uncertain, the standard deviation of its logarithm.

    latency_ms, the headline, is the lower fifth over the visits of each visit's fastest call, drift divided
    out: a fifth of the visits were faster. Noise on a machine only ever adds time, so the fastest call of a
    visit is the one that was disturbed least. Of visits of 30 ms beside a busy neighbour, half may see no
    undisturbed call at all; the lower fifth is of one that did, and no single lucky visit decides. p50 and
    p90 are of all calls, drift divided out; mean, sd and interquartile range of all calls as they were timed.

    The intervals are 95 % percentile bootstraps (Efron and Tibshirani 1993, chapter 13). Whole visits are
    drawn, not single calls, because the calls of one visit share its weather. Each is widened by what the
    drift leaves uncertain; width_pct is the width of the headline's, in percent of it. NaN below MIN_VISITS
    visits.
    """
    pooled = np.concatenate(visits) / NS_PER_MS
    quartile1, median, quartile3 = np.percentile(pooled, [25, 50, 75])
    undrifted = [visit / slower for visit, slower in zip(visits, drift, strict=True)]
    p50, p90 = np.percentile(np.concatenate(undrifted) / NS_PER_MS, [50, 90])
    fastest = fastest_ms(visits, drift)
    found = {
        "latency_ms": headline(fastest),
        "latency_p50_ms": float(p50),
        "latency_p90_ms": float(p90),
        "latency_mean_ms": float(pooled.mean()),
        "latency_sd_ms": float(pooled.std(ddof=1)) if len(pooled) > 1 else float("nan"),
        "latency_iqr_pct": float(100 * (quartile3 - quartile1) / median),
        "latency_samples": len(pooled),
    }
    found["latency_low_ms"], found["latency_high_ms"] = headline_interval(fastest, drift_error)
    found["width_pct"] = width_pct(fastest, drift_error)
    for name, ends in pooled_intervals(undrifted).items():
        low, high = _widened(found[f"{name}_ms"], *ends, drift_error)
        found |= {f"{name}_low_ms": low, f"{name}_high_ms": high}
    return found


def is_noisy(row: Mapping[str, float], target_pct: float) -> bool:
    """Whether a row of `summarize` had better be measured again: noisy calls, or too wide an interval."""
    return row["latency_iqr_pct"] > NOISY_IQR_PCT or not row["width_pct"] <= target_pct


def noise_words(iqr_pct: float) -> str:
    """That the calls of one row are too noisy; empty where they are not."""
    return f"noisy: interquartile range {iqr_pct:.0f} % of the median" if iqr_pct > NOISY_IQR_PCT else ""


def noisy_words(rows: Sequence[Mapping[str, float]], what: str) -> str:
    """In how many of some rows of `summarize` the machine was too noisy; empty where in none."""
    noisy = sum(row["latency_iqr_pct"] > NOISY_IQR_PCT for row in rows)
    if not noisy:
        return ""
    return (
        f"noisy: the middle half of the timed calls is spread by more than {NOISY_IQR_PCT} % of the median "
        f"in {noisy} of {len(rows)} {what}"
    )


def narrow_words(rows: Sequence[Mapping[str, float]], target_pct: float) -> str:
    """How many intervals of some rows of `summarize` are as narrow as asked, and how wide the others are.

    settled_pct of a row: the target that its interval has met; NaN: none.
    """
    open_pct = [row["width_pct"] for row in rows if not row["settled_pct"] <= target_pct]
    said = [f"{len(rows) - len(open_pct)} of {len(rows)} intervals are as narrow as asked, {target_pct:g} %"]
    if known_pct := [pct for pct in open_pct if not math.isnan(pct)]:
        said.append(f"{len(known_pct)} wider, at most {max(known_pct):.1f} %")
    if unknown := len(open_pct) - len(known_pct):
        said.append(f"{unknown} unknown, of fewer than {MIN_VISITS} visits")
    return "; ".join(said)


def _widened(value: float, low: float, high: float, error: float) -> tuple[float, float]:
    """An interval with a further, independent error of the logarithm added in quadrature at either end."""
    # The ends are calls and the value may lie between calls: with few calls an end can be beyond the value.
    down = math.hypot(max(math.log(value / low), 0), NORMAL_95 * error)
    up = math.hypot(max(math.log(high / value), 0), NORMAL_95 * error)
    return value * math.exp(-down), value * math.exp(up)


def fastest_ms(visits: Visits, drift: NDArray[np.float64]) -> NDArray[np.float64]:
    """(visits,): the fastest call of each, drift divided out, in milliseconds."""
    return np.array([visit.min() for visit in visits]) / NS_PER_MS / drift


def headline(fastest: NDArray[np.float64]) -> float:
    """The headline of visits whose fastest calls took so long."""
    return float(np.quantile(fastest, LOW))


def headline_interval(fastest: NDArray[np.float64], drift_error: float) -> tuple[float, float]:
    """95 % interval of the headline; NaN below MIN_VISITS visits."""
    if len(fastest) < MIN_VISITS:
        return float("nan"), float("nan")
    return _widened(headline(fastest), *_ends(_resampled(fastest)), drift_error)


def width_pct(fastest: NDArray[np.float64], drift_error: float) -> float:
    """How wide the headline's interval is, in percent of it."""
    low, high = headline_interval(fastest, drift_error)
    return 100 * (high - low) / headline(fastest)


def resampled_headlines(fastest: NDArray[np.float64], drift_error: float) -> NDArray[np.float64]:
    """(RESAMPLES,): what the headline might have been, from visits drawn anew and the error of the drift.

    fastest: (visits,) as of `fastest_ms`, in milliseconds.
    """
    errors = np.random.default_rng(1).normal(0, drift_error, RESAMPLES)
    return _resampled(fastest) * np.exp(errors)


def _resampled(fastest: NDArray[np.float64]) -> NDArray[np.float64]:
    headlines: NDArray[np.float64] = np.quantile(fastest[_draws(len(fastest))], LOW, axis=1)
    return headlines


def pooled_intervals(visits: Sequence[NDArray[np.float64]]) -> dict[str, tuple[float, float]]:
    """95 % intervals of median and 90th percentile of all calls, in ns; NaN below MIN_VISITS visits."""
    names = {"latency_p50": 0.5, "latency_p90": 0.9}
    if len(visits) < MIN_VISITS:
        return dict.fromkeys(names, (float("nan"), float("nan")))
    pooled = np.concatenate(visits)
    places = np.unique(np.quantile(pooled, np.linspace(0, 1, _GRID), method="higher"))
    up_to = np.array([np.searchsorted(np.sort(visit), places, side="right") for visit in visits])
    weights = _weights(len(visits))
    share = weights @ up_to / (weights @ [[len(visit)] for visit in visits])  # (resamples, places)
    return {
        name: _ends(places[(share >= level - 1e-9).argmax(axis=1)] / NS_PER_MS)
        for name, level in names.items()
    }


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    tail = (100 - CONFIDENCE_PCT) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


@cache
def _draws(count: int) -> NDArray[np.int64]:
    """(RESAMPLES, count): which visits each resample has. Always the same, so that a table is, too."""
    return np.random.default_rng(0).integers(count, size=(RESAMPLES, count))


@cache
def _weights(count: int) -> NDArray[np.float64]:
    """(RESAMPLES, count): how often each resample has each visit."""
    draws = _draws(count)
    weights = np.zeros(draws.shape)
    np.add.at(weights, (np.arange(RESAMPLES)[:, None], draws), 1)
    return weights
