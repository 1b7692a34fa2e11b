"""How far a supernet can be trusted: its accuracies against those of networks that were trained alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second

from mbsweep.accuracy.value import NAN, UNRELIABLE


def trust(
    supernet: Mapping[str, float],
    alone: Mapping[str, Mapping[int, float]],
    min_tau: float,
    stalled: Collection[str] = (),
) -> dict[str, Any]:
    """How far a supernet's accuracies agree with those of variants that were trained alone, in percent.

    Kendall's tau, the pairs that are ranked otherwise and how far apart they are alone at most, and how much
    more the supernet's accuracies are than those alone: the least, the most, the mean. Where networks were
    trained with several seeds, also how far these agree with each other: no supernet is asked to do better.
    alone: variant -> seed -> accuracy, of trainings that came to their end.
    stalled: those that have learnt nothing alone. They are told, and not compared: that is no misjudgement of
    what they are worth, but of how they learn.
    """
    lost = [f"{supernet[variant]:.1f}" for variant in sorted(stalled) if variant in supernet]
    each = "s of the supernet's" if len(lost) > 1 else " of the supernet's"
    told = f"; {len(lost)} network{each} stalled alone (there {', '.join(lost)} %)" if lost else ""
    both = [variant for variant in alone if variant in supernet]
    if not both:
        words = f"not compared with networks that were trained alone{told}; {UNRELIABLE} (tau unknown)"
        return {"networks": 0, "stalled": len(lost), "is_reliable": False, "summary": words}
    mean = {variant: sum(alone[variant].values()) / len(alone[variant]) for variant in both}
    gaps = np.array([supernet[variant] - mean[variant] for variant in both])
    pairs = [(mean[a] - mean[b], supernet[a] - supernet[b]) for a, b in combinations(both, 2)]
    exchanged = [abs(apart) for apart, other in pairs if apart * other < 0]
    tau, ranked = NAN, "unknown"
    if pairs:
        tau = _tau([supernet[variant] for variant in both], list(mean.values()))
    if not np.isnan(tau):
        apart = f", alone at most {max(exchanged):.2f} points apart" if exchanged else ""
        seeds_tau = _seeds_tau([alone[variant] for variant in both])
        agree = "" if np.isnan(seeds_tau) else f"; the seeds alone agree at {seeds_tau:.2f}"
        ranked = f"{tau:.2f} ({len(exchanged)} of {len(pairs)} pairs exchanged{apart}{agree})"
    networks = f"{len(both)} network{'s that were' if len(both) > 1 else ' that was'} trained alone"
    span = f"{gaps.min():+.1f} to {gaps.max():+.1f} points from theirs, {gaps.mean():+.1f} on average"
    off = span if len(both) > 1 else f"{gaps[0]:+.1f} points from its own"
    words = f"against {networks}: Kendall's tau {ranked}, accuracies {off}{told}"
    if not tau >= min_tau:
        why = "unknown" if np.isnan(tau) else f"below {min_tau:g}"
        words += f"; {UNRELIABLE} (tau {why})"
    return {
        "networks": len(both),
        "stalled": len(lost),
        "tau": None if np.isnan(tau) else tau,
        "gaps_pct": [float(gaps.min()), float(gaps.max())],
        "mean_gap_pct": float(gaps.mean()),
        "is_reliable": bool(tau >= min_tau),
        "summary": words,
    }


def _tau(some: Sequence[float], others: Sequence[float]) -> float:
    return float(scipy.stats.kendalltau(some, others).statistic)


def _seeds_tau(networks: Sequence[Mapping[int, float]]) -> float:
    """The mean over pairs of seeds of how alike they rank the networks that both have; NaN where none do."""
    found = []
    for one, other in combinations(sorted({seed for network in networks for seed in network}), 2):
        both = [(network[one], network[other]) for network in networks if {one, other} <= network.keys()]
        found += [_tau(*zip(*both, strict=True))] if len(both) > 1 else []
    return float(np.mean(found)) if found else NAN
