"""Samples -> the numbers of one row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NS_PER_MS = 1_000_000


def summarize(visits: list[NDArray[np.int64]]) -> dict[str, float]:
    """Headline and spread of one variant's latency, from the samples of its visits in nanoseconds.

    latency_ms, the headline, is the median over the visits of each visit's fastest call. Noise on a machine
    only ever adds time, so the fastest call of a visit is the one that was disturbed least; the median over
    the visits keeps a single lucky or unlucky visit from deciding. p50, p90, mean and sd are of all calls.
    """
    samples = np.concatenate(visits) / NS_PER_MS
    p50, p90 = np.percentile(samples, [50, 90])
    return {
        "latency_ms": float(np.median([visit.min() for visit in visits])) / NS_PER_MS,
        "latency_p50_ms": float(p50),
        "latency_p90_ms": float(p90),
        "latency_mean_ms": float(samples.mean()),
        "latency_sd_ms": float(samples.std(ddof=1)) if len(samples) > 1 else float("nan"),
        "latency_samples": len(samples),
    }
