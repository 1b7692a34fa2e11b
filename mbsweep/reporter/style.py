"""How points look: colour by width, marker by resolution, or by family where there are several."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from plotly.colors import make_colorscale, sample_colorscale

from mbsweep.space.families import FAMILIES
from mbsweep.table.columns import NUMBERS

# Each has a contrast of 3 : 1 or more (WCAG 2.2, 1.4.11) against white pages and dark ones, which no scale
# from dark to light has. They are alike in lightness: what they tell stands beside the points, too.
_ANCHORS = ["#8452c6", "#3f74d1", "#12849c", "#3a8a3a", "#a27318", "#c2641c", "#cc5240"]
COLOURS = sample_colorscale([*make_colorscale(_ANCHORS)], [place / 28 for place in range(29)])
SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star", "hexagon"]
SYMBOLS += ["cross", "x", "triangle-left", "triangle-right", "hourglass", "bowtie", "star-diamond"]
NO_WIDTH = "#999"  # of networks without one
MAX_LEGEND = 8  # more widths get a colour bar, more resolutions one marker; families have all symbols
WEBGL_ABOVE = 2000  # SVG markers grow slow
Trace = dict[str, Any]  # as `go.Figure` takes them: each is checked once, when all are there
ACCURACIES = {name for name in NUMBERS if name.startswith(("top1_", "top5_"))}


def apart(count: int) -> list[str]:
    """So many colours, as far apart as can be."""
    last = len(COLOURS) - 1
    return [COLOURS[math.floor(place * last / max(count - 1, 1) + 0.5)] for place in range(count)]


def widths_of(rows: pd.DataFrame) -> pd.Series[float]:
    """The widths of networks; NaN where they have none."""
    return rows.get("width", pd.Series(np.nan, index=rows.index)).astype(float)


def family_symbols(names: Collection[str]) -> dict[str, str]:
    """Family -> its marker, the same in every figure of every page; in the order of FAMILIES."""
    every = dict.fromkeys([*FAMILIES, *names])
    return {name: symbol for name, symbol in zip(every, cycle(SYMBOLS), strict=False) if name in names}


class Style:
    """Colour by width and marker by resolution, the same in all panels of a figure.

    Where networks are of several families, the marker tells these.
    """

    def __init__(self, rows: pd.DataFrame, columns: Sequence[str] = ()) -> None:
        """columns: those that are drawn."""
        self.shows_accuracy = bool(ACCURACIES.intersection(columns))
        widths = widths_of(rows)
        self.widths = sorted(widths.dropna().unique())
        self.lacks_width = bool(widths.isna().any())
        self.resolutions = sorted(rows["resolution"].unique())
        self.webgl = len(rows) > WEBGL_ABOVE
        self.has_predicted = self._are_predicted(rows).any()
        self.colour_of: dict[float, str] = {}
        if len(self.widths) <= MAX_LEGEND:
            self.colour_of = dict(zip(self.widths, apart(len(self.widths)), strict=True))
        families = family_symbols(rows["family"].unique() if "family" in rows else [])
        self.by = "family" if len(families) > 1 else "resolution"  # what the marker tells
        few = len(self.resolutions) <= MAX_LEGEND
        of_resolutions = dict(zip(self.resolutions, SYMBOLS, strict=False)) if few else {}
        self.symbol_of = families if len(families) > 1 else of_resolutions

    def symbol(self, row: Any) -> str:
        """The marker of a row."""
        return str(self.symbol_of.get(row[self.by], "circle"))

    def marker(self, rows: pd.DataFrame) -> dict[str, object]:
        """The markers of some rows."""
        symbols = [self.symbol_of.get(kind, "circle") for kind in rows[self.by]]
        look: dict[str, object] = {"size": 6 if self.webgl else 10, "line": {"width": 0.5, "color": "white"}}
        hollow = self._are_predicted(rows)
        if hollow.any():
            symbols = [f"{s}-open" if is_open else s for s, is_open in zip(symbols, hollow, strict=True)]
            width = 1 if self.webgl else 1.5
            # Of several runs, one may have predicted accuracies, the other published ones.
            mixed = {"width": np.where(hollow, width, 0.5), "color": "white"}
            look["line"] = {"width": width} if hollow.all() else mixed
        look["symbol"] = symbols if len(set(symbols)) > 1 else symbols[0]
        widths = widths_of(rows)
        if self.colour_of or widths.isna().all():
            look["color"] = self.colour_of.get(widths.iloc[0], NO_WIDTH)
        else:
            look |= {"color": widths.to_numpy(), "coloraxis": "coloraxis"}
        return look

    def _are_predicted(self, rows: pd.DataFrame) -> pd.Series[bool]:
        """Mask of the rows with a predicted number among those that the figure shows."""
        nothing = pd.Series(index=rows.index, dtype=object)
        hollow = rows.get("latency_kind", nothing) == "predicted"  # not there where no latency is shown
        return hollow | (rows["top1_kind"] == "predicted") if self.shows_accuracy else hollow

    def groups(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        """The rows that one trace can draw: those of one width, or all where colours are continuous.

        And of one family: others have other fields to tell. Those without a width are by themselves.
        """
        widths = widths_of(rows)
        keys: list[Any] = [widths if self.colour_of else widths.isna()]
        keys += ["family"] if self.by == "family" else []
        return [group for _, group in rows.groupby(keys, dropna=False)]

    def legend(self) -> list[Trace]:
        """Entries without points: colours for the widths, grey markers for the families or resolutions."""
        entries = [(f"width {w:g}", c, "circle") for w, c in self.colour_of.items()]
        entries += [("no width", NO_WIDTH, "circle")] if self.lacks_width else []
        unit = " px" if self.by == "resolution" else ""
        entries += [(f"{kind}{unit}", "#777", symbol) for kind, symbol in self.symbol_of.items()]
        if not self.symbol_of:
            ends = f"{self.resolutions[0]} to {self.resolutions[-1]} px"
            entries.append((f"{len(self.resolutions)} resolutions, {ends}: one marker", "#777", "circle"))
        if self.has_predicted:
            entries.append(("hollow: predicted", "#777", "circle-open"))
        return [
            {
                "type": "scatter",
                "x": [None],
                "y": [None],
                "mode": "markers",
                "name": name,
                "marker": {"color": colour, "symbol": symbol, "size": 10},
                "hoverinfo": "skip",
            }
            for name, colour, symbol in entries
        ]
