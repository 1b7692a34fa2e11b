"""On which nodes of a cluster trainings are, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

_MOST = 20  # characters: beside the bar, on a terminal of 80 columns


def places_words(places: Iterable[str]) -> str:
    """`node-a 2, node-b 1`: how many trainings each node has; of many nodes only how many these are. Empty
    where all are of this machine.
    """
    counts = Counter(place.partition(".")[0] if place[:1].isalpha() else place for place in places if place)
    words = ", ".join(f"{place} {count}" for place, count in sorted(counts.items()))
    return words if len(words) <= _MOST else f"{len(counts)} node{'s' if len(counts) > 1 else ''}"
