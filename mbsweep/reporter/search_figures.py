"""Figures of a search: the front so far, and how its hypervolume has grown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mbsweep.reporter.drawing import LONE_HEIGHT, finish
from mbsweep.reporter.search_front import search_front
from mbsweep.reporter.search_looks import BAND, DASHED, HOVER, Looks, few, line, named
from mbsweep.reporter.style import COLOURS
from mbsweep.storage.search_tables import FAILED
from mbsweep.table.hover import wrapped
from mbsweep.table.search import Search

LINE = {"color": COLOURS[6], "width": 2, "shape": "hv"}
MADE = {"color": COLOURS[6], "size": 7}
BROKEN = {"color": "#c0392b", "size": 10, "symbol": "x"}
MAX_BANDS = 100  # batches that are told apart by the ground


def search_hypervolume(search: Search) -> go.Figure | None:
    """Hypervolume against evaluations.

    How much of the box between the least costs, 100 % top-1 and the reference point the front dominates,
    after each evaluation. Where several were chosen at once, the ground changes from batch to batch. Crosses
    failed.
    """
    rows = search.rows[search.rows["hypervolume_pct"].notna()]
    if not (rows["hypervolume_pct"] > 0).any():
        return None
    rows = rows[few(rows["hypervolume_pct"].diff() != 0)]
    figure = make_subplots(rows=1)
    style = Looks(rows)
    failed = rows["state"] == FAILED
    first = search.hypervolume_after(search.began_with)
    ends = [1, int(search.rows["evaluation"].max())]
    traces = [line(list(rows["evaluation"]), list(rows["hypervolume_pct"]), LINE)]
    if 0 < search.began_with < len(search.rows):
        traces.append(line(ends, [first, first], DASHED))
    traces += [
        {
            "type": "scatter",
            "mode": "markers",
            "x": some["evaluation"],
            "y": some["hypervolume_pct"],
            "marker": look,
            "customdata": [_after(search, row) for _, row in some.iterrows()],
            "hovertemplate": HOVER,
            "showlegend": False,
        }
        for some, look in ((rows[~failed], MADE), (rows[failed], BROKEN))
        if len(some)
    ]
    style.entries = [{"mode": "lines+markers", "name": "after each evaluation", "line": LINE, "marker": MADE}]
    if failed.any():
        style.entries.append({"mode": "markers", "name": "failed", "marker": BROKEN})
    if 0 < search.began_with < len(search.rows):
        name = f"after the {search.began_with} that it began with"
        style.entries.append({"mode": "lines", "name": name, "line": DASHED})
    across = named("Evaluations") | {"tickformat": "d", "range": [0.4, ends[1] + 0.6], "zeroline": False}
    up = named("Hypervolume (% of the box)")
    found: go.Figure = finish(figure, traces, {"xaxis": across, "yaxis": up}, style, 20, LONE_HEIGHT)
    found.layout.shapes = list(_grounds(search.rows))
    return found


def _after(search: Search, row: pd.Series[Any]) -> tuple[str, str]:
    lines = [f"evaluation {row['evaluation']}, batch {row['batch']}"]
    lines.append(f"hypervolume after it: {row['hypervolume_pct']:.2f} &#37; of the box")
    if row["state"] == FAILED:
        lines.append(wrapped(f"failed: {row['reason']}", 4))
    else:
        lines.append(f"seen {row['seen_pct']:.2f} &#37;")
    return row["variant"], "<br>".join(lines)


def _grounds(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The ground of every other batch."""
    batches = rows.groupby("batch")["evaluation"].agg(["min", "max"])
    if len(batches) < 2 or len(batches) > MAX_BANDS or len(batches) == len(rows):
        return
    for first, last in batches.iloc[1::2].itertuples(index=False):
        ends = {"x0": first - 0.5, "x1": last + 0.5, "yref": "y domain", "y0": 0, "y1": 1, "xref": "x"}
        yield {"type": "rect", "layer": "below", "line": {"width": 0}, "fillcolor": BAND, **ends}


# As FIGURES, of a search.
OF_SEARCH: dict[str, Callable[[Search], go.Figure | None]] = {
    "search_front": search_front,
    "search_hypervolume": search_hypervolume,
}
