"""What the figures of a search share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.reporter.style import Style, Trace

DASHED = {"color": "#888", "width": 1.5, "dash": "dot"}
BAND = "rgba(128, 128, 128, 0.18)"
HOVER = "<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>"
MAX_POINTS = 1000  # evaluations that are drawn, and what must not be left out


class Looks(Style):
    """Looks that are not those of widths and resolutions."""

    entries: list[Trace]

    def legend(self) -> list[Trace]:
        """Those that the figure has."""
        nothing = {"type": "scatter", "x": [None], "y": [None], "hoverinfo": "skip"}
        return [nothing | entry for entry in self.entries]


def few(kept: pd.Series[bool]) -> pd.Series[bool]:
    """Mask of what is drawn: all, or of very many those that are to be kept and some others, evenly."""
    some = np.zeros(len(kept), dtype=bool)
    some[np.linspace(0, len(kept) - 1, min(len(kept), MAX_POINTS)).round().astype(int)] = True
    return kept | some


def named(title: str) -> dict[str, object]:
    """An axis with a title."""
    return {"title": {"text": title, "font": {"size": 13}}, "ticks": "outside"}


def line(xs: list[Any], ys: list[Any], look: Mapping[str, object]) -> Trace:
    """One that nothing is said of. None among xs and ys: where it is interrupted."""
    nothing = {"hoverinfo": "skip", "showlegend": False}
    return {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": look, **nothing}
