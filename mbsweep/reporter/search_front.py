"""The figure of a search's front, with what was expected of it and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mbsweep.reporter.drawing import FRONT, LONE_HEIGHT, Axis, axis_look, finish
from mbsweep.reporter.search_looks import BAND, DASHED, HOVER, Looks, few, line, named
from mbsweep.reporter.style import COLOURS, Trace
from mbsweep.table.columns import COLUMNS
from mbsweep.table.decide import TOP1
from mbsweep.table.hover import wrapped
from mbsweep.table.search import Confirmed, Search
from mbsweep.table.search_words import amount

ALONE = {"symbol": "star", "color": "#c2641c"}
EXPECTED = {"color": "#888", "width": 4}
NEAR = 1.5  # a budget that is further from all that was evaluated has no line: the axis would reach to it
FEW = 10  # evaluations that are numbered one by one


def search_front(search: Search) -> go.Figure | None:
    """The front so far.

    What the search saw of each variant that it evaluated, its colour the order in which that was. Of one cost
    the line is the front among them; a grey bar at a point of it is what had been expected of that, with
    95 %. Stars are variants that were measured whole and trained alone. What is pointed at says when and why
    it was chosen.
    """
    known = search.rows[search.rows["seen_pct"].notna()]
    known = known[few(known["on_front"])]
    costs = [name for name in search.costs if known[name].notna().any()]
    if known.empty or not costs:
        return None
    style = Looks(known)
    figure = make_subplots(rows=1, cols=len(costs), horizontal_spacing=0.1)
    traces: list[Trace] = []
    axes: dict[str, dict[str, object]] = {}
    for place, cost in enumerate(costs):
        number = str(place + 1) if place else ""
        axis = Axis.of(cost, known)
        at = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        traces += [trace | at for trace in _panel(search, known, axis, is_first=place == 0)]
        axes[f"xaxis{number}"] = axis_look(axis, known)
        axes[f"yaxis{number}"] = named(f"{COLUMNS[TOP1].label} that the search saw (%)")
    style.entries = list(_legend(search))
    found = finish(figure, traces, axes, style, 20, LONE_HEIGHT)
    bar = found.layout.coloraxis.colorbar
    bar.title.text, bar.tickformat = "Evaluation", "d"
    if known["evaluation"].max() <= FEW:
        bar.dtick = 1  # else plotly has halves
    found.layout.legend.traceorder = "normal"
    found.layout.shapes = [
        {"type": "line", "xref": f"x{place + 1 if place else ''}", "yref": "y domain", "y0": 0, "y1": 1}
        | dict.fromkeys(("x0", "x1"), most / Axis.of(cost, known).scale)
        | {"line": DASHED}
        for place, cost in enumerate(costs)
        if (most := _most(search, cost)) <= NEAR * known[cost].max()
    ]
    return found


def _most(search: Search, cost: str) -> float:
    """The budget of a cost; infinity without one."""
    for name, budget in (search.settings.get("budgets") or {}).items():
        if name.partition("@")[0] == cost and budget.get("max") is not None:
            return float(budget["max"])
    return math.inf


def _panel(search: Search, known: pd.DataFrame, axis: Axis, is_first: bool) -> Iterator[Trace]:
    if is_first:
        yield from _band(search, axis)
    front = search.front
    xs: list[float | None] = []
    ys: list[float | None] = []
    for _, row in front[front["predicted_low_pct"].notna()].iterrows():
        xs += [row[axis.column] / axis.scale] * 2 + [None]
        ys += [row["predicted_low_pct"], row["predicted_high_pct"], None]
    yield line(xs, ys, EXPECTED | {"color": "rgba(128, 128, 128, 0.45)"})
    if len(search.costs) == 1:
        yield line(list(front[axis.column] / axis.scale), list(front["seen_pct"]), FRONT)
    is_front = known["on_front"]
    yield {
        "type": "scatter",
        "mode": "markers",
        "x": known[axis.column] / axis.scale,
        "y": known["seen_pct"],
        "marker": {
            "color": known["evaluation"],
            "coloraxis": "coloraxis",
            "opacity": 1,
            "size": is_front.map({True: 11, False: 8}),
            "line": {"width": is_front.map({True: 2, False: 0.5}), "color": _edges(is_front)},
        },
        "customdata": [_told(search, row) for _, row in known.iterrows()],
        "hovertemplate": HOVER,
        "showlegend": False,
    }
    if axis.column == "latency_ms":
        yield from _alone(search)


def _edges(is_front: pd.Series[bool]) -> pd.Series[str]:
    return is_front.map({True: str(FRONT["color"]), False: "white"})


def _band(search: Search, axis: Axis) -> Iterator[Trace]:
    """The best that is expected of the whole space at most at each cost."""
    rows = search.about.get("expected") or []
    if not rows:
        return
    xs = [row["cost"] / axis.scale for row in rows]
    nothing = {"color": "rgba(0, 0, 0, 0)", "shape": "hv"}
    yield line(xs, [row["low"] for row in rows], nothing)
    yield line(xs, [row["high"] for row in rows], nothing) | {"fill": "tonexty", "fillcolor": BAND}
    yield line(xs, [row["best"] for row in rows], DASHED | {"shape": "hv"})


def _whole(search: Search) -> list[Confirmed]:
    """Those that were measured and trained alone."""
    return [one for one in search.confirmed if not math.isnan(one.measured_ms[0] + one.alone_pct[0])]


def _alone(search: Search) -> Iterator[Trace]:
    """What was measured and trained alone, and from where on the front it comes."""
    if not (found := _whole(search)):
        return
    xs = [x for one in found for x in (one.said_ms[0], one.measured_ms[0], None)]
    ys = [y for one in found for y in (one.seen_pct, one.alone_pct[0], None)]
    yield line(xs, ys, {"color": ALONE["color"], "width": 1})
    yield {
        "type": "scatter",
        "mode": "markers",
        "x": [one.measured_ms[0] for one in found],
        "y": [one.alone_pct[0] for one in found],
        "error_x": _bars([one.measured_ms for one in found]),
        "error_y": _bars([one.alone_pct for one in found]),
        "marker": ALONE | {"size": 12, "line": {"width": 0.5, "color": "white"}},
        "customdata": [
            (
                one.variant,
                f"measured {one.measured_ms[0]:.4g} ms, said {one.said_ms[0]:.4g} ms<br>"
                f"trained alone {one.alone_pct[0]:.2f} &#37;, seen {one.seen_pct:.2f} &#37;",
            )
            for one in found
        ],
        "hovertemplate": HOVER,
        "showlegend": False,
    }


def _bars(values: list[tuple[float, float, float]]) -> dict[str, object]:
    ends = {
        "array": [max(high - middle, 0) for middle, _, high in values],
        "arrayminus": [max(middle - low, 0) for middle, low, _ in values],
    }
    return ends | {"type": "data", "symmetric": False, "thickness": 1, "width": 3, "color": ALONE["color"]}


def _told(search: Search, row: pd.Series[Any]) -> tuple[str, str]:
    lines = [f"evaluation {row['evaluation']}, batch {row['batch']}"]
    lines += [wrapped(row["why"], 4)] if row["why"] else []
    if not math.isnan(row["predicted_pct"]):
        ends = f"{row['predicted_low_pct']:.2f} to {row['predicted_high_pct']:.2f}"
        lines.append(f"expected {row['predicted_pct']:.2f} &#37; (95 &#37;: {ends})")
    tested = row[TOP1]
    lines.append(
        f"seen {row['seen_pct']:.2f} &#37;" + ("" if pd.isna(tested) else f", tested {tested:.2f} &#37;")
    )
    lines.append(", ".join(amount(name, row[name]) for name in search.costs))
    return row["variant"], "<br>".join(lines)


def _legend(search: Search) -> Iterator[Trace]:
    def marker(name: str, look: Mapping[str, object]) -> Trace:
        return {"mode": "markers", "name": name, "marker": {"size": 10, **look}}

    def stroke(name: str, look: dict[str, object]) -> Trace:
        return {"mode": "lines", "name": name, "line": look}

    yield marker("evaluated", {"color": COLOURS[14]})
    if len(search.front):
        edge = {"width": 2, "color": FRONT["color"]}
        yield marker("on the front", {"color": "rgba(0, 0, 0, 0)", "line": edge})
    if search.front["predicted_low_pct"].notna().any():
        yield stroke("expected of it before (95 %)", EXPECTED | {"color": "rgba(128, 128, 128, 0.45)"})
    if search.about.get("expected"):
        yield stroke("best expected of the whole space (95 %)", DASHED)
    if _whole(search):
        yield marker("measured whole, trained alone", ALONE)
