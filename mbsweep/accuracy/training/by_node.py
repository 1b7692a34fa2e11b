"""On which nodes of a cluster trainings are, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

_MOST = 20  # characters: beside the bar, on a terminal of 80 columns


def by_node(nodes: Iterable[str]) -> str:
    """`node-a 2, node-b 1`: how many trainings each node has; of many nodes only how many these are. Empty
    where all are of this machine.
    """
    counts = Counter(node.partition(".")[0] if node[:1].isalpha() else node for node in nodes if node)
    words = ", ".join(f"{node} {count}" for node, count in sorted(counts.items()))
    return words if len(words) <= _MOST else f"{len(counts)} node{'s' if len(counts) > 1 else ''}"
