"""On which nodes of a cluster trainings are, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

_MOST = 8  # nodes that are named


def by_node(nodes: Iterable[str]) -> tuple[str, str] | None:
    """`node-a 2, node-b 1`, how many trainings each node has; and in short, and of many, how many nodes these
    are. None where all are of this machine.
    """
    counts = Counter(node.partition(".")[0] if node[:1].isalpha() else node for node in nodes if node)
    if not counts:
        return None
    short = f"{len(counts)} node{'s' if len(counts) > 1 else ''}"
    if len(counts) > _MOST:
        return short, short
    return ", ".join(f"{node} {count}" for node, count in sorted(counts.items())), short
