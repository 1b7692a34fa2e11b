"""A run as a notebook shows it: its rows and the front of each configuration, as HTML that loads nothing."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.table.names import Names
from mbsweep.table.panels import COUNTED, interval, label, panels, plain_number, title, with_unit

MOST_ROWS = 20  # of the table
MOST_PLOTS = 4  # configurations that are drawn
MOST_POINTS = 500  # off the front, in a plot
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 420, 260, 72, 40, 26, 60  # of a plot and its margins, in px
_BLUE = "#2f7fd6"  # to be seen on white and on black


def as_html(table: pd.DataFrame, name: str) -> str:
    """A run's table in short, and plots of top-1 against latency; against mult-adds where none is known."""
    names = Names(table)
    cost = "latency_ms" if table["latency_ms"].notna().any() else "macs"
    known = [rows[rows[[cost, "top1_pct"]].notna().all(axis=1)] for rows in panels(table)]
    plots = "".join(
        _plot(_thinned(rows), cost, names) for rows in [rows for rows in known if len(rows)][:MOST_PLOTS]
    )
    return f"<h4>{escape(name)}</h4>{_rows(table, names)}<div>{plots}</div>"


def large_as_html(size: str, name: str) -> str:
    """How much a run holds whose table would be large, in words, and how to get it."""
    return f"<h4>{escape(name)}</h4><p>{escape(size)}; the table: <code>run.table()</code></p>"


def _thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """Those on the front and, of very many others, some by chance."""
    best = rows[rows["on_front"].astype(bool)]
    others = rows.drop(best.index)
    few = others if len(others) <= MOST_POINTS else others.sample(MOST_POINTS, random_state=0)
    return pd.concat([best, few]).sort_index()


def _rows(table: pd.DataFrame, names: Names) -> str:
    """The table: rows on a front first, by configuration."""
    first = table.sort_values("on_front", ascending=False, kind="stable").head(MOST_ROWS).sort_index()
    shown = pd.DataFrame({"network": [names.of(row) for _, row in first.iterrows()]})
    shown["configuration"] = [config if isinstance(config, str) else COUNTED for config in first["config"]]
    for column in ("latency_ms", "top1_pct", "macs", "params"):
        shown[title(column)] = ["unknown" if pd.isna(one) else plain_number(one) for one in first[column]]
        if column == "latency_ms":
            shown["95 %"] = [interval(row) for _, row in first.iterrows()]
    shown["on the front"] = np.where(first["on_front"], "yes", "no")
    more = len(table) - len(first)
    words = f"<p>and {more:,} more rows: <code>run.table()</code></p>" if more else ""
    return str(shown.to_html(index=False, border=0)) + words


def _plot(rows: pd.DataFrame, cost: str, names: Names) -> str:
    """Top-1 accuracy against a cost on a log axis: points, the front as a line, names on it."""
    x = _scale(np.log(rows[cost].to_numpy(float)), _LEFT, _WIDTH - _RIGHT)
    y = _scale(rows["top1_pct"].to_numpy(float), _HEIGHT - _BOTTOM, _TOP)
    is_best = rows["on_front"].to_numpy(bool)
    order = np.flatnonzero(is_best)[np.argsort(x[is_best])]
    line = " ".join(f"{x[place]:.1f},{y[place]:.1f}" for place in order)
    dots = "".join(
        f'<circle cx="{x[place]:.1f}" cy="{y[place]:.1f}" r="4" stroke="{_BLUE}" '
        f'fill="{_BLUE if is_best[place] else "none"}">'
        f"<title>{escape(_about(row, cost, names))}</title></circle>"
        for place, (_, row) in enumerate(rows.iterrows())
    )
    labels = "".join(
        f'<text x="{x[place] + 6:.1f}" y="{y[place] - 6:.1f}">{escape(names.of(rows.iloc[place]))}</text>'
        for place in order[[0, -1] if len(order) > 1 else [0][: len(order)]]
    )
    config = rows["config"].iloc[0]
    words = escape(config if isinstance(config, str) else COUNTED)
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{title("top1_pct")} of {words}" '
        'font-family="sans-serif" font-size="11" fill="currentColor">'
        f'<text x="{_LEFT}" y="14" font-weight="bold">{words}</text>'
        f'<polyline points="{line}" fill="none" stroke="{_BLUE}"/>{dots}{labels}{_axes(rows, cost)}</svg>'
    )


def _about(row: pd.Series[Any], cost: str, names: Names) -> str:
    """What a point tells where the pointer rests on it."""
    numbers = (f"{label(name)} {with_unit(name, row[name])}" for name in ("top1_pct", cost))
    return f"{names.of(row)}: {', '.join(numbers)}"


def _axes(rows: pd.DataFrame, cost: str) -> str:
    """The axes, with the least and the most on each."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    path = f"M{_LEFT - 8} {_TOP}V{bottom + 8}H{right}"
    frame = f'<path d="{path}" fill="none" stroke="currentColor" opacity="0.5"/>'
    low, high = (plain_number(end) for end in (rows[cost].min(), rows[cost].max()))
    worst, best = (plain_number(end) for end in (rows["top1_pct"].min(), rows["top1_pct"].max()))
    texts = [
        (_LEFT, bottom + 22, "start", low),
        (right, bottom + 22, "end", high),
        ((_LEFT + right) / 2, bottom + 34, "middle", f"{title(cost)}, log"),
        (_LEFT - 12, bottom + 4, "end", worst),
        (_LEFT - 12, _TOP + 4, "end", best),
        (_LEFT - 12, (bottom + _TOP) / 2, "end", title("top1_pct")),
    ]
    return frame + "".join(
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'
        for x, y, anchor, words in texts
    )


def _scale(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Values between two places on an axis; all in the middle where they are one."""
    span = float(np.ptp(values))
    if math.isclose(span, 0):
        return np.full(len(values), (low + high) / 2)
    return np.asarray(low + (values - values.min()) / span * (high - low))
