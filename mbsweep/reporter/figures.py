"""DataFrame -> plotly figures. A new one is a function here and a line in FIGURES."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go

from mbsweep.columns import PANEL
from mbsweep.reporter.drawing import LATENCY, MACS, PARAMS, TOP1, Axis, grid
from mbsweep.reporter.hover import panel_title


def accuracy_latency(table: pd.DataFrame) -> go.Figure | None:
    """Top-1 accuracy against latency.

    One panel per configuration and device. A point is the headline latency, hollow where it is predicted;
    its bar is the 95 % interval, where that is known. The line is the Pareto front.
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

    One panel per configuration and device; hollow points are predicted, bars are 95 % intervals. The dotted
    line is what the largest network's latency would be in proportion to mult-adds: points above it take
    longer than their mult-adds say.
    """
    return _panels(table, MACS, LATENCY, proportional=True)


def params_macs(table: pd.DataFrame) -> go.Figure | None:
    """Parameters against mult-adds.

    No variant of this run has a known accuracy, so this is what the shapes alone tell.
    """
    return None if table["top1_pct"].notna().any() else _single(table, MACS, PARAMS)


def _single(table: pd.DataFrame, x: Axis, y: Axis, front_line: bool = False) -> go.Figure | None:
    """One point per variant, whatever its latencies; a panel for each precision that has accuracies."""
    if y is not TOP1:
        return grid([("", _without_latency(table.drop_duplicates("variant").assign(precision=None)))], x, y)
    rows = table[table["top1_pct"].notna()].fillna({"precision": "fp32"})  # of what is only counted
    rows = _without_latency(rows.drop_duplicates(["variant", "precision", "top1_source", "top1_pct"]))
    groups = list(rows.groupby("precision", sort=False))
    panels = [(f"accuracy at {precision}" if len(groups) > 1 else "", group) for precision, group in groups]
    return grid(panels, x, y, front_line=front_line)


def _without_latency(rows: pd.DataFrame) -> pd.DataFrame:
    """What is true of the variants in any configuration of their precision."""
    drop = [name for name in rows.columns if name.startswith("latency") or name in PANEL]
    return rows.drop(columns=["file_bytes", *(name for name in drop if name != "precision")])


def _panels(
    table: pd.DataFrame, x: Axis, y: Axis, front_line: bool = False, proportional: bool = False
) -> go.Figure | None:
    """One panel per run, configuration and device that has a latency; a configuration's runs side by side."""
    rows = table[table["latency_ms"].notna()]
    several = rows["run"].nunique() > 1
    groups = [group for _, group in rows.groupby(PANEL, dropna=False, sort=False)]
    order = {config: place for place, config in enumerate(rows["config"].dropna().unique())}
    groups.sort(key=lambda group: order.get(group["config"].iloc[0], len(order)))  # the published ones last
    panels = [(panel_title(group, several), group) for group in groups]
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
