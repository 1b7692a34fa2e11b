"""What is said of a cluster's nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mbsweep.accuracy.cluster.looking import Node

MOST_TOLD = 6  # of nodes one by one; more are told kind by kind
_GPU = "has no GPU, which other nodes have"


def node_lines(nodes: Sequence[Node]) -> Iterator[str]:
    """A line for each node that trains, or for each kind where there are many; then who does not, and why."""
    why_not = {place: node.why_not for place, node in enumerate(nodes)}
    if any(node.gpus and not node.why_not for node in nodes):
        why_not = {place: why or _GPU * (not nodes[place].gpus) for place, why in why_not.items()}
    used = [node for place, node in enumerate(nodes) if not why_not[place]]
    if len(used) > MOST_TOLD:
        for (size, processor), count in Counter((_size(node), node.processor) for node in used).most_common():
            yield f"{count:,} node{'s' if count > 1 else ''} of {size}: {processor}"
    else:
        for node in used:
            yield f"{node.name}, {_size(node)}: {node.processor}"
    for why, count in Counter(filter(None, why_not.values())).most_common():
        first = next(node.name for place, node in enumerate(nodes) if why_not[place] == why)
        more = f" and {count - 1:,} other{'s' if count > 2 else ''}, each of which" if count > 1 else ""
        yield f"not used: {first}{more} {why}"


def _size(node: Node) -> str:
    """`64 CPUs`, and the GPUs where there are any."""
    cpus = f"{node.cpus} CPU{'' if node.cpus == 1 else 's'}"
    return f"{node.gpus} GPU{'' if node.gpus == 1 else 's'} and {cpus}" if node.gpus else cpus
