"""Bytes against accuracy: the compressed networks of a run, and those that others have published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mbsweep.accuracy.published import compression_figures
from mbsweep.reporter.bump import colour_of
from mbsweep.reporter.drawing import LOG_AXIS, LONE_HEIGHT, below_one_another, finish
from mbsweep.reporter.style import SYMBOLS, Style, Trace, apart

# step -> its marker
STEPS = {
    "trained": "circle",
    "pruned": "triangle-down",
    "shared": "square",
    "coded": "diamond",
    "int8": "x",
}
HOVER = (
    "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]:,.0f} bytes, "
    "%{customdata[3]:.1f} times smaller<br>Top-1: %{y:.2f} &#37;%{customdata[4]}<extra></extra>"
)
PUBLISHED_HOVER = "%{text}<br>%{x} MB, top-1 %{y} &#37;<extra></extra>"


class _ByStep(Style):
    """Colour by width, marker by step."""

    steps: set[str]

    def legend(self) -> list[Trace]:
        """Colours for the widths, grey markers for the steps."""
        entries = [(f"width {width:g}", colour, "circle") for width, colour in self.colour_of.items()]
        entries += [(step, "#777", symbol) for step, symbol in STEPS.items() if step in self.steps]
        return [_entry(*entry) for entry in entries]


class _ByMethod(Style):
    """Colour and marker by what was done."""

    looks: dict[str, tuple[str, str]]

    def legend(self) -> list[Trace]:
        """An entry for each."""
        return [_entry(method, *look) for method, look in self.looks.items()]


def _entry(name: str, colour: str, symbol: str) -> Trace:
    marker = {"color": colour, "symbol": symbol, "size": 10}
    nothing = {"x": [None], "y": [None], "mode": "markers", "hoverinfo": "skip"}
    return {"type": "scatter", "name": name, "marker": marker, **nothing}


def bytes_accuracy(rows: pd.DataFrame) -> go.Figure | None:
    """Bytes against accuracy.

    Each network as it was trained, 4 bytes for each parameter, and after each step of compression, with the
    bytes of the file that was tested; lines join a step to those that go on from it. int8 is the file of its
    runtime. Bars are 95 % intervals of the accuracy. Where a wide network that was compressed lies above a
    narrow one that was not, it is better to compress than to shrink. What was pruned has learnt on for some
    epochs: a network that had too few gains by that alone.
    """
    rows = rows[rows["top1_pct"].notna()]
    if rows.empty:
        return None
    panels = [(str(run), of_run) for run, of_run in rows.groupby("run", sort=False)]
    figure, top, inner = below_one_another([run for run, _ in panels])
    style = _ByStep(rows)
    style.steps = set(rows["step"])
    traces: list[Trace] = []
    axes: dict[str, dict[str, object]] = {}
    for place, (_, of_run) in enumerate(panels):
        number = str(place + 1) if place else ""
        at = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        for _, network in of_run.groupby("variant", sort=False):
            traces += [trace | at for trace in _network(network, style)]
        axes[f"xaxis{number}"] = _named("Bytes (log scale)") | LOG_AXIS
        axes[f"yaxis{number}"] = _named("Top-1 accuracy (%)")
    return finish(figure, traces, axes, style, top, inner)


def _named(title: str) -> dict[str, object]:
    return {"title": {"text": title, "font": {"size": 13}}, "ticks": "outside"}


def _network(rows: pd.DataFrame, style: Style) -> list[Trace]:
    """Its line, from each step to those that go on from it, and its points."""
    colour = colour_of(rows, style)
    known = {row["scheme"]: row for _, row in rows.iterrows()}
    xs: list[float | None] = []
    ys: list[float | None] = []
    for _, row in rows.iterrows():
        before = known.get(row["goes_on_from"])
        if before is not None:
            xs += [before["bytes"], row["bytes"], None]
            ys += [before["top1_pct"], row["top1_pct"], None]
    line = {"color": colour, "width": 1.5}
    nothing = {"hoverinfo": "skip", "showlegend": False}
    found: list[Trace] = [{"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": line, **nothing}]
    bar = {"type": "data", "symmetric": False, "thickness": 1, "width": 3, "color": "#888"}
    error = bar | {
        "array": (rows["top1_high_pct"] - rows["top1_pct"]).clip(lower=0),
        "arrayminus": (rows["top1_pct"] - rows["top1_low_pct"]).clip(lower=0),
    }
    look = {"color": colour, "size": 10, "line": {"width": 0.5, "color": "white"}}
    found.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": rows["bytes"],
            "y": rows["top1_pct"],
            "error_y": error,
            "marker": look | {"symbol": [STEPS[step] for step in rows["step"]]},
            "customdata": [_told(row) for _, row in rows.iterrows()],
            "hovertemplate": HOVER,
            "showlegend": False,
        }
    )
    return found


def _told(row: pd.Series[Any]) -> tuple[Any, ...]:
    drop, low, high = (row[f"top1_drop{end}_pct"] for end in ("", "_low", "_high"))
    words = "" if pd.isna(drop) else f"<br>Drop: {drop:.2f} points ({low:.2f} to {high:.2f})"
    return row["variant"], row["scheme"], row["bytes"], row["ratio"], words


def published_bytes(rows: pd.DataFrame) -> go.Figure | None:
    """Bytes against accuracy as others have published it.

    ImageNet networks of papers and model zoos, each with its source: other images and other networks than
    those of the run.
    """
    if rows["top1_pct"].isna().all():
        return None
    published = pd.DataFrame(compression_figures())
    published = published[published["dataset"] == "ImageNet"]
    methods = list(published["method"].unique())
    style = _ByMethod(rows)
    style.looks = {
        method: (colour, SYMBOLS[place])
        for place, (method, colour) in enumerate(zip(methods, apart(len(methods)), strict=True))
    }
    traces: list[Trace] = []
    for method, some in published.groupby("method", sort=False):
        colour, symbol = style.looks[str(method)]
        words = [
            "<br>".join(
                (
                    f"<b>{' '.join(filter(None, (row['model'], row['width'])))}</b>",
                    ", ".join(filter(None, (row["method"], row["setting"]))),
                    row["source"],
                )
            )
            for _, row in some.iterrows()
        ]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": some["size_mb"],
                "y": some["top1_pct"],
                "marker": {"color": colour, "symbol": symbol, "size": 10},
                "text": words,  # no `customdata`: it names variants of the run, which a click would choose
                "hovertemplate": PUBLISHED_HOVER,
                "showlegend": False,
            }
        )
    axes = {"xaxis": _named("Size (MB, log scale)") | LOG_AXIS, "yaxis": _named("Top-1 accuracy (%)")}
    return finish(make_subplots(rows=1), traces, axes, style, 20, LONE_HEIGHT)


# As FIGURES, of the table of compressed networks.
OF_COMPRESSED: dict[str, Callable[[pd.DataFrame], go.Figure | None]] = {
    "bytes_accuracy": bytes_accuracy,
    "published_bytes": published_bytes,
}
