"""A bump chart: how the variants are ranked in each configuration, a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from mbsweep.reporter.drawing import LONE_HEIGHT, finish
from mbsweep.reporter.style import COLOURS, NO_WIDTH, Style, Trace, widths_of
from mbsweep.table.hover import ORIGIN, setting, setting_words, wrapped

MAX_LINES = 40  # more cannot be told apart
RANK_HEIGHT = 22  # of one rank, in pixels
HEAD_LINE = 17  # of the names above the ranks
# What a configuration's name need not say.
USUAL = ("fp32", "batch 1", "1 thread")
HEAD_WIDTH, HEAD_LINES = 17, 5  # of a configuration's name: characters of a line, lines
HOVER = (
    "<b>%{customdata[0]}</b><br>Rank: %{customdata[3]}<br>Latency: %{customdata[4]:.4~g} ms"
    "<br>%{customdata[5]}<extra></extra>"
)


def bump(configurations: Sequence[pd.DataFrame]) -> go.Figure | None:
    """Variants' ranks by latency in each configuration, 1, the fastest, on top; None where they tell nothing.

    configurations: the rows of each, all with a latency. Only variants known in every one are ranked, and
    published ones that know fewer than the runs do are left out. There must be two of either, and no more
    variants than lines can be told apart.
    """
    configurations = _as_complete(configurations)
    if len(configurations) < 2:
        return None
    latencies = pd.concat([rows.set_index("variant")["latency_ms"] for rows in configurations], axis=1)
    latencies = latencies.dropna()
    if not 2 <= len(latencies) <= MAX_LINES:
        return None
    ranks = latencies.astype(float).rank(method="min").astype(int)
    every = pd.concat([rows[rows["variant"].isin(ranks.index)] for rows in configurations])
    of_variant = dict(iter(every.groupby("variant", sort=False)))
    style = Style(every)
    origins = [_origin(rows.iloc[0]) for rows in configurations]
    traces = [_line(of_variant[name], ranks.loc[name].tolist(), origins, style) for name in ranks.index]
    several = every["run"].nunique() > 1
    names = [short_name(rows.iloc[0], several) for rows in configurations]
    across = {
        "title": {"text": ""},  # the names say what they are
        "side": "top",
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "tickfont": {"size": 11},
        "autotickangles": [0, -90],
        "automargin": True,
        "zeroline": False,
        "range": [-0.5, len(names) - 0.5],
    }
    some = range(1, len(ranks) + 1) if len(ranks) <= 10 else [1, *range(5, len(ranks) + 1, 5)]
    up = {
        "title": {"text": "Rank by latency (1 is the fastest)", "font": {"size": 13}},
        "tickvals": list(some),
        "range": [len(ranks) + 0.5, 0.5],
        "zeroline": False,
    }
    top = 20 + HEAD_LINE * max(name.count("<br>") + 1 for name in names)
    inner = max(LONE_HEIGHT, RANK_HEIGHT * len(ranks))
    panel = make_subplots()  # its axes have domains, which the page's script looks at
    return finish(panel, traces, {"xaxis": across, "yaxis": up}, style, top, inner, below=20)


def _as_complete(configurations: Sequence[pd.DataFrame]) -> Sequence[pd.DataFrame]:
    """Without published ones that lack variants which the others have: one would hide the rest of a run."""
    known = [set(rows["variant"]) for rows in configurations if rows["latency_kind"].iloc[0] != "published"]
    common = set.intersection(*known) if known else set()
    return [
        rows
        for rows in configurations
        if rows["latency_kind"].iloc[0] != "published" or common <= set(rows["variant"])
    ]


def short_name(row: pd.Series[Any], with_run: bool) -> str:
    """A configuration in few words over short lines, from one of its rows: what is usual is left out."""
    words = [part for part in setting_words(row) if part not in USUAL]
    if with_run and isinstance(row["run"], str):
        words.insert(0, row["run"])
    if row["latency_kind"] == "predicted":
        words.append("predicted")
    elif row["latency_kind"] == "published":
        words.append(row["device"].partition(",")[0])
    unbroken = [word.replace(" ", "\N{NO-BREAK SPACE}") if len(word) < HEAD_WIDTH else word for word in words]
    return wrapped(", ".join(unbroken), lines=HEAD_LINES, line=HEAD_WIDTH)


def _line(rows: pd.DataFrame, ranks: list[int], origins: list[str], style: Style) -> Trace:
    """One variant: its rows, and its rank and the words for the configuration of each."""
    first = rows.iloc[0]
    predicted = (rows["latency_kind"] == "predicted").to_numpy()
    symbol = style.symbol(first)
    widths = rows["width"] if "width" in rows else [None] * len(rows)
    told = (rows["variant"], widths, rows["resolution"], ranks, rows["latency_ms"], origins)
    marker = style.marker(rows) | {
        "symbol": [f"{symbol}-open" if is_open else symbol for is_open in predicted],
        "line": {"width": np.where(predicted, 1.5, 0.5), "color": "white"},
    }
    return {
        "type": "scatter",
        "x": list(range(len(ranks))),
        "y": ranks,
        "mode": "lines+markers",
        "line": {"color": colour_of(rows, style), "width": 2},
        "marker": marker,
        "customdata": list(zip(*told, strict=True)),
        "hovertemplate": HOVER,
        "showlegend": False,
    }


def _origin(row: pd.Series[Any]) -> str:
    device = wrapped(f"{ORIGIN[row['latency_kind']]} {row['device']}", lines=9)
    return f"{wrapped(setting(row), lines=3)}<br>{device}"


def colour_of(rows: pd.DataFrame, style: Style) -> str:
    """That of the width; where there are too many widths for a legend, that of the colour bar."""
    width = float(widths_of(rows).iloc[0])
    if np.isnan(width):
        return NO_WIDTH
    if width in style.colour_of:
        return style.colour_of[width]
    low, high = style.widths[0], style.widths[-1]
    return str(sample_colorscale(COLOURS, [(width - low) / (high - low)])[0])
