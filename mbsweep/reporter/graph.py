"""A network's layers as a picture: shapes, branches and residuals as edges, cost by colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from mbsweep.reporter.layout import GAP, NODE_HEIGHT, NODE_WIDTH, Placed, Point, columns_of, placed
from mbsweep.space.architecture import Architecture
from mbsweep.space.block import Block
from mbsweep.space.layers import Layer, kind_name

COSTS = {"macs": "mult-adds", "params": "parameters"}
LIGHT, STRONG = (240, 244, 248), (24, 92, 160)  # of no cost, and of the greatest
PAD = 14  # of a block's frame, around its layers
TITLE = 20  # above them
HEAD = 92  # of the picture, above the network
FONT = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True)
class _Group:
    """Blocks that follow one another and are all the same; one of them is drawn."""

    names: list[str]
    block: Block

    @property
    def times(self) -> int:
        return len(self.names)

    @property
    def title(self) -> str:
        name = self.names[0] or "head"
        return name if self.times == 1 else f"{name} to {self.names[-1]}, x {self.times}"


def graph_svg(title: str, net: Architecture, cost: str = "macs") -> str:
    """A network as an SVG file that needs nothing else.

    cost: a key of COSTS; the colour of a layer is its share of the network's. Blocks that follow one another
    and are the same are drawn once, and it is said how many they are.
    """
    groups = _groups(net)
    pictures = [placed(group.block.layers) for group in groups]
    sizes = [(p.width + 2 * PAD, p.height + 2 * PAD + TITLE) for p in pictures]
    places, (width, height) = columns_of(sizes)
    total = getattr(net, cost)
    most = max(getattr(layer, cost) for group in groups for layer in group.block.layers)
    body: list[str] = []
    ends: Point | None = None
    for group, picture, (x, y, gutter), size in zip(groups, pictures, places, sizes, strict=True):
        top = (x + size[0] / 2, y + HEAD)
        body += _frame(group, x, y + HEAD, size, total, cost)
        at = (x + PAD, y + HEAD + PAD + TITLE)
        body += _edges(picture, at)
        for layer, spot in zip(group.block.layers, picture.spots, strict=True):
            body += _node(layer, group, at[0] + spot[0], at[1] + spot[1], (total, most, cost))
        if ends is not None:
            body.append(_between(ends, top, gutter))
        ends = top[0], y + HEAD + size[1]
    head = _head(title, net, cost, most / total if total else 0)
    width = max(width, 640)
    tip = f"tip-{cost}"  # on a page the picture of the other cost lends nothing: it is not displayed
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height + HEAD:.0f}' "
        f"width='{width:.0f}' height='{height + HEAD:.0f}' {FONT} font-size='11' role='img' "
        f"marker-end='url(#{tip})'>"
        f"<title>{escape(title)}</title>"
        f"<defs><marker id='{tip}' viewBox='0 0 6 6' refX='6' refY='3' markerWidth='6' markerHeight='6' "
        "orient='auto' marker-end='none'><path d='M0 0L6 3L0 6Z' fill='#5b6775'/></marker></defs>"
        f"<rect width='100%' height='100%' fill='#fff'/>{''.join([*head, *body])}</svg>\n"
    )


def graph_page(title: str, net: Architecture) -> str:
    """The same as a page that opens offline; on it, the reader chooses the cost."""
    choices, rules, pictures = [], [], []
    for number, (cost, words) in enumerate(COSTS.items()):
        checked = "" if number else " checked"
        choices.append(
            f"<input type='radio' name='cost' id='by-{cost}'{checked}><label for='by-{cost}'>{words}</label>"
        )
        rules.append(f"#by-{cost}:checked ~ .{cost}")
        pictures.append(f"<div class='picture {cost}'>{graph_svg(title, net, cost)}</div>")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='generator' content='mbsweep'>"
        "<meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)} - mbsweep</title>"
        "<style>body { font: 15px system-ui, sans-serif; margin: 1rem; }"
        ".picture { display: none; overflow: auto; } label { margin-right: 1rem; } "
        f"{', '.join(rules)} {{ display: block; }}</style></head>"
        f"<body><span>Colour: </span>{''.join(choices)}{''.join(pictures)}</body></html>\n"
    )


def _groups(net: Architecture) -> list[_Group]:
    found = []
    for _, group in groupby(net.blocks(), key=lambda one: (one[1][0], one[1][1] > 0)):
        blocks = list(group)
        found.append(_Group([name for name, _, _ in blocks], blocks[0][2]))
    return found


def _head(title: str, net: Architecture, cost: str, most: float) -> Iterator[str]:
    channels, high, wide = net.stages[0].first.in_shape
    image = f"an image of {high} x {wide} x {channels}"
    words = f"{net.params:,} parameters, {net.macs:,} mult-adds for {image}"
    yield f"<text x='{PAD}' y='24' font-size='16' font-weight='700' fill='#1d2733'>{escape(title)}</text>"
    yield f"<text x='{PAD}' y='43' font-size='12' fill='#5b6775'>{words}</text>"
    stops = f"<stop offset='0' stop-color='{_colour(0)}'/><stop offset='1' stop-color='{_colour(1)}'/>"
    yield f"<defs><linearGradient id='scale-{cost}'>{stops}</linearGradient></defs>"
    yield f"<rect x='{PAD}' y='54' width='180' height='10' fill='url(#scale-{cost})' stroke='#c4ccd4'/>"
    yield f"<text x='{PAD}' y='78' fill='#5b6775'>0 %</text>"
    yield f"<text x='{PAD + 180}' y='78' text-anchor='end' fill='#5b6775'>{100 * most:.1f} %</text>"
    said = f"of the network's {COSTS[cost]} in a layer; below its name stands what it gives"
    yield f"<text x='{PAD + 192}' y='63' fill='#5b6775'>{said}</text>"


def _frame(
    group: _Group, x: float, y: float, size: tuple[float, float], total: int, cost: str
) -> Iterator[str]:
    dash = " stroke-dasharray='5 3'" if group.times > 1 else ""
    yield (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{size[0]:.1f}' height='{size[1]:.1f}' rx='6' fill='none' "
        f"stroke='#a3afbc'{dash}/>"
    )
    share = _percent(group.times * getattr(group.block, cost), total)
    left, right = x + PAD, x + size[0] - PAD
    title = escape(group.title)
    yield f"<text x='{left:.1f}' y='{y + 17:.1f}' font-weight='700' fill='#1d2733'>{title}</text>"
    yield f"<text x='{right:.1f}' y='{y + 17:.1f}' text-anchor='end' fill='#5b6775'>{share}</text>"


def _node(layer: Layer, group: _Group, x: float, y: float, scale: tuple[int, int, str]) -> Iterator[str]:
    total, most, cost = scale
    own = getattr(layer, cost)
    strength = own / most if most else 0
    ink = "#fff" if strength > 0.55 else "#1d2733"
    kind = kind_name(layer) + (f" / s{layer.stride}" if layer.stride > 1 else "")
    gives = f"{layer.out_size} x {layer.out_size} x {layer.out_channels}"
    takes = f"{layer.in_size} x {layer.in_size} x {layer.in_channels}"
    name = ".".join(filter(None, (group.names[0], layer.name)))
    then = f", then {layer.activation}" if layer.activation else ""
    hint = f"{name}: {kind}{then}; {takes} -> {gives}; {layer.params:,} parameters, {layer.macs:,} mult-adds"
    words = f"<tspan font-weight='700'>{escape(layer.name)}</tspan> {kind}" if layer.name else kind
    yield f"<g><title>{escape(hint)}</title><rect x='{x:.1f}' y='{y:.1f}' width='{NODE_WIDTH}' "
    yield f"height='{NODE_HEIGHT}' rx='3' fill='{_colour(strength)}' stroke='#5b6775'/>"
    yield f"<text x='{x + 7:.1f}' y='{y + 14:.1f}' fill='{ink}'>{words}</text>"
    yield f"<text x='{x + 7:.1f}' y='{y + 28:.1f}' fill='{ink}'>{gives}</text>"
    if own:
        right, share = x + NODE_WIDTH - 7, _percent(own, total)
        yield f"<text x='{right:.1f}' y='{y + 28:.1f}' text-anchor='end' fill='{ink}'>{share}</text>"
    yield "</g>"


def _edges(picture: Placed, at: Point) -> Iterator[str]:
    for points in picture.edges:
        yield _line([(x + at[0], y + at[1]) for x, y in points])


def _between(start: Point, end: Point, gutter: float | None) -> str:
    """From a block to the next, which stands below it, or right of a gutter at the top of the next column."""
    if gutter is None:
        return _line([start, end])
    low, high = start[1] + GAP / 2, end[1] - GAP / 2
    return _line([start, (start[0], low), (gutter, low), (gutter, high), (end[0], high), end])


def _line(points: Sequence[Point]) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f"<path d='M{path}' fill='none' stroke='#5b6775'/>"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _colour(strength: float) -> str:
    parts = (round(a + (b - a) * strength) for a, b in zip(LIGHT, STRONG, strict=True))
    return f"rgb({', '.join(map(str, parts))})"
