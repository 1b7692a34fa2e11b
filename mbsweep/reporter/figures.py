"""DataFrame -> plotly figures. A new one is a function here and a line in FIGURES."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go

from mbsweep.reporter.bump import bump
from mbsweep.reporter.drawing import Axis, grid
from mbsweep.reporter.style import ACCURACIES
from mbsweep.table.columns import COLUMNS, PANEL, PER_CONFIGURATION, SOURCE
from mbsweep.table.hover import panel_title


def scatter(table: pd.DataFrame, x: str, y: str, proportional: bool = False) -> go.Figure | None:
    """One number of the table against another, by their columns; None where no row knows both.

    One panel per run, configuration and device where either differs by configuration, else one per precision
    that has accuracies. Where x is better lower and y is better higher, the line is the Pareto front.
    """
    if x not in table or y not in table:  # a field that none of its networks has
        return None
    rows = table[table[x].notna() & table[y].notna()]
    if {x, y} & set(PER_CONFIGURATION):
        several = table.loc[table["latency_ms"].notna(), "run"].nunique() > 1
        panels = [(panel_title(group, several), group) for group in _configurations(rows)]
    else:
        panels = _precisions(rows, [name for name in (x, y) if name in ACCURACIES])
    front_line = (COLUMNS[x].better, COLUMNS[y].better) == ("lower", "higher")
    return grid(panels, Axis.of(x, rows), Axis.of(y, rows), front_line, proportional)


def _configurations(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each run, configuration and device that has a latency; a configuration's runs in a row."""
    rows = rows[rows["latency_ms"].notna()]
    groups = [group for _, group in rows.groupby(PANEL, dropna=False, sort=False)]
    order = {config: place for place, config in enumerate(rows["config"].dropna().unique())}
    groups.sort(key=lambda group: order.get(group["config"].iloc[0], len(order)))  # the published ones last
    return groups


def _precisions(rows: pd.DataFrame, accuracies: list[str]) -> list[tuple[str, pd.DataFrame]]:
    """One row per variant, whatever its latencies; a panel for each precision that has accuracies.

    Below fp32 trained networks have one for each runtime, and so a panel; at fp32 runtimes agree but for an
    image here and there, and the first is drawn.
    """
    if not accuracies:
        return [("", _without_latency(rows.drop_duplicates("variant").assign(precision=None)))]
    rows = rows.fillna({"precision": "fp32"})  # of what is only counted
    is_of_runtime = rows["top1_drop_pct"].notna() & (rows["precision"] != "fp32")
    rows = rows.assign(
        at=rows["precision"].where(~is_of_runtime, rows["precision"] + " in " + rows["backend"])
    )
    of = accuracies if rows["top1_drop_pct"].isna().all() else []
    rows = rows.drop_duplicates(["variant", "at", *SOURCE, *of])
    groups = list(rows.groupby("at", sort=False))
    return [
        (f"accuracy at {at}" if len(groups) > 1 else "", _without_latency(group.drop(columns="at")))
        for at, group in groups
    ]


def _without_latency(rows: pd.DataFrame) -> pd.DataFrame:
    """What is true of the variants in any configuration of their precision."""
    return rows.drop(columns=["run", *(name for name in PER_CONFIGURATION if name != "precision")])


def accuracy_latency(table: pd.DataFrame) -> go.Figure | None:
    """Top-1 accuracy against latency.

    One panel per configuration and device. A point is the headline latency, hollow where it is predicted, or
    its accuracy is; its bars are the 95 % intervals of latency and accuracy, where these are known. The line
    is the Pareto front.
    """
    return scatter(table, "latency_ms", "top1_pct")


def accuracy_macs(table: pd.DataFrame) -> go.Figure | None:
    """Top-1 accuracy against mult-adds.

    The axes of Figure 4 of arXiv:1704.04861. Bars are the 95 % intervals of the accuracies, where these are
    known. The line is the Pareto front.
    """
    return scatter(table, "macs", "top1_pct")


def accuracy_params(table: pd.DataFrame) -> go.Figure | None:
    """Top-1 accuracy against parameters.

    The axes of Figure 5 of arXiv:1704.04861. Resolution changes no parameter, so its points stand above one
    another. Bars are the 95 % intervals of the accuracies, where these are known. The line is the Pareto
    front.
    """
    return scatter(table, "params", "top1_pct")


def latency_macs(table: pd.DataFrame) -> go.Figure | None:
    """Latency against mult-adds.

    One panel per configuration and device; hollow points are predicted, bars are 95 % intervals. The dotted
    line is what the largest network's latency would be in proportion to mult-adds: points above it take
    longer than their mult-adds say.
    """
    return scatter(table, "macs", "latency_ms", proportional=True)


def params_macs(table: pd.DataFrame) -> go.Figure | None:
    """Parameters against mult-adds.

    No variant of this run has a known accuracy, so this is what the shapes alone tell.
    """
    return None if table["top1_pct"].notna().any() else scatter(table, "macs", "params")


def ranks(table: pd.DataFrame) -> go.Figure | None:
    """Rank of each variant by latency in each configuration.

    1 is the fastest; equal latencies share a rank. A line is a variant: where two cross, the configurations
    disagree about which of the two is faster. Ranked are the variants whose latency is known in every
    configuration; a published device that lacks some is left out. Hollow markers are predicted latencies.
    """
    return bump(_configurations(table))


# name -> a function from the table to a figure, or None where the table has nothing for it. Its docstring is
# what the page says about it: the first line the heading, the rest the caption.
FIGURES: dict[str, Callable[[pd.DataFrame], go.Figure | None]] = {
    "accuracy_latency": accuracy_latency,
    "accuracy_macs": accuracy_macs,
    "accuracy_params": accuracy_params,
    "latency_macs": latency_macs,
    "ranks": ranks,
    "params_macs": params_macs,
}
