"""Where the layers of a picture of a network stand: a block's in rows and lanes, blocks in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mbsweep.space.layers import Layer

Point = tuple[float, float]

NODE_WIDTH, NODE_HEIGHT = 190, 36
GAP = 26  # between two rows, and two blocks
LANE_GAP = 14
BOW = 16  # how far to the side an edge goes around the layers between its ends
ASPECT = 1.5  # width over height that a picture comes close to
MAX_COLUMNS = 12


@dataclass(frozen=True)
class Placed:
    """The layers of a block in a picture, in pixels from its upper left corner."""

    spots: list[Point]  # of each layer, its upper left corner
    edges: list[list[Point]]
    width: float
    height: float


def placed(layers: Sequence[Layer]) -> Placed:
    """A block: a layer stands below all that it reads, branches side by side.

    An edge that would cross a layer goes around all lanes, on the right.
    """
    rows, lanes = _rows(layers), _lanes(layers)
    width = NODE_WIDTH * (wide := max(lanes) + 1) + LANE_GAP * (wide - 1)

    def is_alone(place: int) -> bool:
        """Whether it has its row for itself: no other layer, and no edge past it but of the block's input."""
        past = [
            rows[at + back]
            for at, layer in enumerate(layers)
            if rows[at] > rows[place]
            for back in layer.reads
            if at + back >= 0
        ]
        return rows.count(rows[place]) == 1 and all(row >= rows[place] for row in past)

    def middle(place: int) -> float:
        if place < 0 or is_alone(place):
            return width / 2
        return lanes[place] * (NODE_WIDTH + LANE_GAP) + NODE_WIDTH / 2

    def top(place: int) -> float:
        return GAP + (rows[place] - 1) * (NODE_HEIGHT + GAP)

    edges, bows = [], 0
    for place, layer in enumerate(layers):
        for back in layer.reads:
            source = place + back
            start = (middle(source), top(source) + NODE_HEIGHT if source >= 0 else -GAP / 2)
            end = (middle(place), top(place))
            first = rows[source] + 1 if source >= 0 else 1
            crossed = [
                other
                for other in range(len(layers))
                if first <= rows[other] < rows[place] and abs(middle(other) - start[0]) < NODE_WIDTH / 2
            ]
            if crossed:
                bows += 1
                side, out, into, aim = width + BOW * bows, start[1] + 6, end[1] - 8, end[0] + 20
                edges.append([start, (start[0], out), (side, out), (side, into), (aim, into), (aim, end[1])])
            elif start[0] == end[0]:
                edges.append([start, end])
            else:  # down beside the layers between, then across
                edges.append([start, (start[0], end[1] - GAP + 6), (end[0], end[1] - 10), end])
    spots = [(middle(place) - NODE_WIDTH / 2, top(place)) for place in range(len(layers))]
    height = max(top(place) for place in range(len(layers))) + NODE_HEIGHT
    return Placed(spots, edges, width + BOW * bows, height)


def _rows(layers: Sequence[Layer]) -> list[int]:
    rows: list[int] = []
    for place, layer in enumerate(layers):
        rows.append(1 + max(rows[place + back] if place + back >= 0 else 0 for back in layer.reads))
    return rows


def _lanes(layers: Sequence[Layer]) -> list[int]:
    """A layer goes on in the lane of what it reads, if no other has; else it begins a new one."""
    lanes: list[int] = []
    goes_on: set[int] = set()  # those in whose lane there is another layer already
    for place, layer in enumerate(layers):
        source = max(place + back for back in layer.reads)
        if source not in goes_on:
            lanes.append(lanes[source] if source >= 0 else 0)
            goes_on.add(source)
        else:
            lanes.append(max(lanes) + 1)
    return lanes


def columns_of(sizes: Sequence[Point]) -> tuple[list[tuple[float, float, float | None]], Point]:
    """Of blocks of some widths and heights: x, y, and of the first of another column, where there is place
    for a line on its left; and the size of all. So many columns that the picture comes closest to ASPECT.
    """
    found = [_stacked(sizes, columns) for columns in range(1, MAX_COLUMNS + 1)]
    return min(found, key=lambda one: abs(one[1][0] / one[1][1] - ASPECT))


def _stacked(sizes: Sequence[Point], columns: int) -> tuple[list[tuple[float, float, float | None]], Point]:
    most = sum(height + GAP for _, height in sizes) / columns
    groups: list[list[Point]] = [[]]
    for size in sizes:
        if groups[-1] and sum(height + GAP for _, height in [*groups[-1], size]) > most + size[1] / 2:
            groups.append([])
        groups[-1].append(size)
    places: list[tuple[float, float, float | None]] = []
    left, lowest = float(GAP), 0.0
    for number, group in enumerate(groups):
        wide, y = max(width for width, _ in group), float(GAP)
        for place, (width, height) in enumerate(group):
            gutter = left - GAP if number and not place else None
            places.append((left + (wide - width) / 2, y, gutter))
            y += height + GAP
        left, lowest = left + wide + 2 * GAP, max(lowest, y)
    return places, (left - GAP, lowest + GAP)
