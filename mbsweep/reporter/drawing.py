"""How a figure is drawn: panels, axes, lines, and what all figures have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mbsweep.reporter.style import COLOURS, Style, Trace
from mbsweep.statistics.pareto import front
from mbsweep.table.columns import COLUMNS, INTERVALS, SOURCE
from mbsweep.table.hover import BOLD_LINE, has_interval, hover, wrapped

MANY_PANELS = 6  # more stand three in a row, else two
LOG_ABOVE = 3  # a cost whose largest value is more than so many times its smallest has a log axis
IN_MILLIONS = ("macs", "params")
PANEL_HEIGHT = 290  # of a panel's axes
LONE_HEIGHT = 360  # the same where there is but one row of panels
LEGEND_HEIGHT = 50
AXIS_HEIGHT = 80  # below a panel, for its labels and title
TITLE_LINE = 18  # of a panel's title
# Labels are written out, for without a format plotly's label of 200 is a small "2", and are the 1, 2 and 5 of
# each decade. A range of less than a decade, or of more than three, is left to plotly: on a page and in a
# picture by ticks.js, which knows the range; without a script by what it is likely to be.
LOG_AXIS: dict[str, object] = {"type": "log", "tickformat": ",.6~r", "tickmode": "linear", "dtick": "D2"}
LOG_AXIS["nticks"] = 5  # of what is left to plotly: more crowd at the upper end
MINOR: dict[str, object] = {"ticks": "outside", "ticklen": 3}  # between the labels: where 7 is, from 5 to 10
LOG_AXIS["minor"] = MINOR | {"tickmode": "linear", "dtick": "D1"}
PADDED = 1.15  # range of a log axis over what the values span, about
FRONT = {"color": "#c0392b", "width": 1.5, "shape": "hv"}
PROPORTIONAL = {"color": "#888", "width": 1.5, "dash": "dot"}


@dataclass(frozen=True)
class Axis:
    """A column as an axis."""

    column: str
    log: bool = False
    scale: float = 1  # drawn value = column / scale
    unit: str = ""

    @classmethod
    def of(cls, column: str, rows: pd.DataFrame) -> Axis:
        """A column with the scale that suits its values in some rows, all of them known."""
        values = rows[column].astype(float)
        low, high = float(values.min()), float(values.max())
        log = COLUMNS[column].better == "lower" and 0 < low * LOG_ABOVE < high
        if column in IN_MILLIONS:
            return cls(column, log, scale=1e6, unit="millions")
        return cls(column, log, unit=COLUMNS[column].unit)

    @property
    def title(self) -> str:
        """Label and unit."""
        words = ", ".join(filter(None, (self.unit, "log scale" if self.log else "")))
        return f"{COLUMNS[self.column].label} ({words})" if words else COLUMNS[self.column].label

    def can_show(self, rows: pd.DataFrame) -> pd.Series[bool]:
        """Mask of the rows that have a place on it."""
        return rows[self.column] > 0 if self.log else rows[self.column].notna()


def grid(
    panels: list[tuple[str, pd.DataFrame]],
    x: Axis,
    y: Axis,
    front_line: bool = False,
    proportional: bool = False,
) -> go.Figure | None:
    """The panels, two or three in a row; None where no panel has a point to draw."""
    panels = [(title, rows[x.can_show(rows) & y.can_show(rows)]) for title, rows in panels]
    panels = [(title, rows) for title, rows in panels if len(rows)]
    if not panels:
        return None
    every = pd.concat([rows for _, rows in panels])
    runs = every["run"].nunique() if "run" in every else 1
    wanted = runs if runs in (2, 3) else 3 if len(panels) > MANY_PANELS else 2  # a row compares the runs
    columns = min(len(panels), wanted)
    lines = -(-len(panels) // columns)
    top = 20 + TITLE_LINE * max(title.count("<br>") + bool(title) for title, _ in panels)
    gap = AXIS_HEIGHT + top
    inner = lines * PANEL_HEIGHT + (lines - 1) * gap if lines > 1 else LONE_HEIGHT
    figure = make_subplots(
        rows=lines,
        cols=columns,
        subplot_titles=[title for title, _ in panels],
        vertical_spacing=gap / inner if lines > 1 else 0,
        horizontal_spacing=0.08 if columns < 3 else 0.07,
    )
    style = Style(every, (x.column, y.column))
    first_of: dict[str, str] = {}  # configuration -> number of its first panel's axes
    traces: list[Trace] = []
    axes: dict[str, dict[str, object]] = {}
    for place, (_, rows) in enumerate(panels):
        number = str(place + 1) if place else ""  # of its axes: they are counted row by row
        of_panel = list(_front_lines(rows, x, y)) if front_line else []
        of_panel += [_proportional_line(rows, x, y)] if proportional else []
        of_panel += _points(rows, x, y, style)
        traces += [trace | {"xaxis": f"x{number}", "yaxis": f"y{number}"} for trace in of_panel]
        across, up = axis_look(x, rows), axis_look(y, rows)
        if runs > 1 and isinstance(config := rows["config"].iloc[0], str):
            # The same range, so that a run which is slower also looks slower.
            first = first_of.setdefault(config, number)
            across, up = across | {"matches": f"x{first}"}, up | {"matches": f"y{first}"}
        axes |= {f"xaxis{number}": across, f"yaxis{number}": up}
    lines_drawn = {"Pareto front": FRONT} if front_line else {}
    lines_drawn |= {"proportional": PROPORTIONAL} if proportional else {}
    return finish(figure, traces, axes, style, top, inner, lines=lines_drawn)


def below_one_another(runs: Sequence[str]) -> tuple[go.Figure, int, int]:
    """A figure with a panel for each run, named where there are several.

    Also the pixels above the first panel, and those of all of them with what is between.
    """
    lines = len(runs)
    top = 20 + (TITLE_LINE if lines > 1 else 0)
    gap = AXIS_HEIGHT + top
    inner = lines * LONE_HEIGHT + (lines - 1) * gap
    figure = make_subplots(
        rows=lines,
        subplot_titles=[f"<b>{wrapped(run, 1, BOLD_LINE)}</b>" for run in runs] if lines > 1 else None,
        vertical_spacing=gap / inner if lines > 1 else 0,
    )
    return figure, top, inner


def finish(
    panels: go.Figure,
    traces: Sequence[Trace],
    axes: Mapping[str, Mapping[str, object]],
    style: Style,
    top: int,
    inner: int,
    below: int = AXIS_HEIGHT,
    lines: Mapping[str, dict[str, object]] | None = None,
) -> go.Figure:
    """A figure of empty panels with its traces, its axes, its legend and its measures, in pixels.

    All at once, for plotly takes long to check what it is given piece by piece.

    axes: name in the layout -> look. top: above the axes. inner: of all panels together. below: from the axes
    to the legend. lines: name -> look of the lines that the legend explains.
    """
    layout = panels.layout.to_plotly_json()
    for name, look in axes.items():
        layout[name] |= look
    for title in layout.get("annotations", []):
        title["font"] = {"size": 13}
    margin = below + LEGEND_HEIGHT
    bar = {"title": "Width", "thickness": 15, "lenmode": "pixels", "len": 300, "y": 1, "yanchor": "top"}
    layout |= {
        "template": "plotly_white",
        "height": top + inner + margin,
        "margin": {"l": 60, "r": 20, "t": top, "b": margin},
        "font": {"family": "system-ui, sans-serif", "size": 13},
        # A click would hide an entry, but none of its points.
        "legend": {
            "orientation": "h",
            "y": -below / inner,
            "yanchor": "top",
            "x": 0,
            "itemclick": False,
            "itemdoubleclick": False,
        },
        "coloraxis": {"colorscale": COLOURS, "colorbar": bar},
        "hoverlabel": {"align": "left", "font": {"size": 12}},
    }
    return go.Figure([*traces, *style.legend(), *_line_legend(lines or {})], layout)


def axis_look(axis: Axis, rows: pd.DataFrame) -> dict[str, object]:
    """How plotly draws an axis, of some rows."""
    look: dict[str, object] = {"title": {"text": axis.title, "font": {"size": 13}}, "ticks": "outside"}
    look["minor"] = MINOR
    if not axis.log:  # no cost is below zero, and where there is but one, neither is what surrounds it
        return look | ({"rangemode": "nonnegative"} if COLUMNS[axis.column].better == "lower" else {})
    values = rows[axis.column]
    decades = PADDED * np.log10(values.max() / values.min())
    return look | LOG_AXIS | ({} if 1 <= decades <= 3 else {"tickmode": "auto"})


def _line_legend(lines: Mapping[str, dict[str, object]]) -> list[Trace]:
    return [
        {"type": "scatter", "mode": "lines", "x": [None], "y": [None], "name": name, "line": line}
        for name, line in lines.items()
    ]


def _points(rows: pd.DataFrame, x: Axis, y: Axis, style: Style) -> list[Trace]:
    traces = []
    for group in style.groups(rows):
        data, template = hover(group, axes=(x.column, y.column), is_brief=style.webgl)
        trace: Trace = {
            "type": "scattergl" if style.webgl else "scatter",
            "x": group[x.column] / x.scale,
            "y": group[y.column] / y.scale,
            "mode": "markers",
            "marker": style.marker(group),
            "customdata": data,
            "hovertemplate": template,
            "showlegend": False,
        }
        for name, axis in (("error_x", x), ("error_y", y)):
            crowded = style.webgl and name == "error_y"  # bars of so many points are one grey band
            if not crowded and has_interval(group, axis.column):
                bar = {"thickness": 1, "width": 3 if len(rows) < 100 else 0, "color": "#888"}
                trace[name] = bar | _interval(group, axis.column)
        traces.append(trace)
    return traces


def _interval(rows: pd.DataFrame, column: str) -> dict[str, object]:
    """From a number to both ends of its 95 % interval; no bar where that is unknown."""
    low, high = INTERVALS[column]
    return {
        "type": "data",
        "symmetric": False,
        "array": (rows[high] - rows[column]).astype(float).clip(lower=0),
        "arrayminus": (rows[column] - rows[low]).astype(float).clip(lower=0),
    }


def _front_lines(rows: pd.DataFrame, x: Axis, y: Axis) -> Iterator[Trace]:
    """One staircase per accuracy source and data set: points of two are never joined."""
    for _, group in rows.groupby(SOURCE, dropna=False):
        best = group[front(group[x.column], group[y.column])].sort_values([x.column, y.column])
        yield {
            "type": "scatter",
            "x": best[x.column] / x.scale,
            "y": best[y.column] / y.scale,
            "mode": "lines",
            "line": FRONT,
            "hoverinfo": "skip",
            "showlegend": False,
        }


def _proportional_line(rows: pd.DataFrame, x: Axis, y: Axis) -> Trace:
    largest = rows.iloc[int(rows[x.column].to_numpy().argmax())]
    ends = np.array([rows[x.column].min(), largest[x.column]], dtype=float)
    return {
        "type": "scatter",
        "x": ends / x.scale,
        "y": ends * (largest[y.column] / largest[x.column]) / y.scale,
        "mode": "lines",
        "line": PROPORTIONAL,
        "hoverinfo": "skip",
        "showlegend": False,
    }
