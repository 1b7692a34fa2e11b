"""What `mbsweep compare` says of any two latencies of a page, for its script."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mbsweep.table.ratios import HEADLINE, Comparison, compared

Verdicts = list[list[dict[str, str] | None]]


def verdicts(groups: Sequence[pd.DataFrame]) -> Verdicts:
    """[B][A] -> B against A in words; None of a group with itself, and where one has no latencies.

    groups: rows that have one configuration and device in common; those without a latency do not count.
    """
    known = [
        rows.loc[rows["latency_ms"].notna(), ["variant", *HEADLINE]].set_index("variant") for rows in groups
    ]
    found: Verdicts = [[None] * len(known) for _ in known]
    for b, second in enumerate(known):
        for a, first in enumerate(known[:b]):
            if len(first) and len(second):
                there = compared(first, second)
                found[b][a], found[a][b] = _told(there), _told(there.turned_round())
    return found


def _told(found: Comparison) -> dict[str, str]:
    if found.ratios.empty:
        return {"words": found.words}
    return {
        "words": found.words,
        "times": found.median_words,
        "differing": found.differing_words,
        "tau": found.tau_words,
    }
