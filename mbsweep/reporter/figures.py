"""DataFrame -> plotly figures. A new one is a function here and a line in FIGURES."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go

from mbsweep.reporter.drawing import LATENCY, MACS, PANEL, PARAMS, TOP1, Axis, grid, panel_title


def accuracy_latency(table: pd.DataFrame) -> go.Figure | None:
    """Top-1 accuracy against latency.

    One panel per runtime and device. A point is the headline latency, its bar reaches to the 90th percentile
    of the timed calls. The line is the Pareto front.
    """
    return _panels(table, LATENCY, TOP1, front_line=True)


def accuracy_macs(table: pd.DataFrame) -> go.Figure | None:
    """Top-1 accuracy against mult-adds.

    The axes of Figure 4 of arXiv:1704.04861. The line is the Pareto front.
    """
    return _single(table, MACS, TOP1, front_line=True)


def accuracy_params(table: pd.DataFrame) -> go.Figure | None:
    """Top-1 accuracy against parameters.

    The axes of Figure 5 of arXiv:1704.04861. Resolution changes no parameter, so its points stand above one
    another. The line is the Pareto front.
    """
    return _single(table, PARAMS, TOP1, front_line=True)


def latency_macs(table: pd.DataFrame) -> go.Figure | None:
    """Latency against mult-adds.

    One panel per runtime and device. The dotted line is what the largest network's latency would be in
    proportion to mult-adds: points above it take longer than their mult-adds say.
    """
    return _panels(table, MACS, LATENCY, proportional=True)


def params_macs(table: pd.DataFrame) -> go.Figure | None:
    """Parameters against mult-adds.

    No variant of this run has a known accuracy, so this is what the shapes alone tell.
    """
    return None if table["top1_pct"].notna().any() else _single(table, MACS, PARAMS)


def _single(table: pd.DataFrame, x: Axis, y: Axis, front_line: bool = False) -> go.Figure | None:
    """One panel with one point per variant, whatever its latencies."""
    rows = table.drop_duplicates("variant")
    drop = [name for name in rows.columns if name.startswith("latency") or name in PANEL]
    return grid([("", rows.drop(columns=drop))], x, y, front_line=front_line)


def _panels(
    table: pd.DataFrame, x: Axis, y: Axis, front_line: bool = False, proportional: bool = False
) -> go.Figure | None:
    """One panel per runtime and device that has a latency."""
    rows = table[table["latency_ms"].notna()]
    panels = [(panel_title(group), group) for _, group in rows.groupby(PANEL, dropna=False, sort=False)]
    return grid(panels, x, y, front_line=front_line, proportional=proportional)


# name -> a function from the table to a figure, or None where the table has nothing for it. Its docstring is
# what the page says about it: the first line the heading, the rest the caption.
FIGURES: dict[str, Callable[[pd.DataFrame], go.Figure | None]] = {
    "accuracy_latency": accuracy_latency,
    "accuracy_macs": accuracy_macs,
    "accuracy_params": accuracy_params,
    "latency_macs": latency_macs,
    "params_macs": params_macs,
}
