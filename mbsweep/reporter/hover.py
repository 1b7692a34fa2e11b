"""Words in a figure: panel titles, and what hovering over a point tells."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
import pandas as pd

from mbsweep.results import COLUMNS

LINE = 54  # characters: what fits above a panel on a telephone


def plain(words: str) -> str:
    """Words as plotly shows them: neither its markup nor its %{templates} are read in them."""
    for sign, code in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("%", "&#37;")):
        words = words.replace(sign, code)
    return words


def wrapped(words: str, lines: int) -> str:
    """Words over at most so many lines."""
    return "<br>".join(plain(line) for line in wrap(words, LINE, max_lines=lines, placeholder=" ..."))


# column -> how a number is written when a point is hovered over
_HOVER = {
    "width": "",
    "resolution": "",
    "depth": "",
    "params": ":,",
    "macs": ":,",
    "weight_bytes": ":,",
    "peak_activation_bytes": ":,",
    "latency_ms": ":.4~g",
    "latency_p50_ms": ":.4~g",
    "latency_p90_ms": ":.4~g",
    "latency_mean_ms": ":.4~g",
    "latency_sd_ms": ":.2~g",
    "latency_samples": ":,",
    "top1_pct": ":.2~f",
    "top5_pct": ":.2~f",
}


def hover(rows: pd.DataFrame) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.object_]], str]:
    """What hovering needs: a row of data per point, and the template that names each with unit and source."""
    columns = [name for name in _HOVER if name in rows and rows[name].notna().any()]
    lines = ["<b>%{customdata[0]}</b>"]
    for place, name in enumerate(columns, start=1):
        unit = f" {COLUMNS[name].unit}" if COLUMNS[name].unit else ""
        lines.append(
            f"{COLUMNS[name].label}: %{{customdata[{place}]{_HOVER[name]}}}{unit}{_source(rows, name)}"
        )
    if "latency_ms" in columns:
        lines.append(wrapped(f"Device: {rows.iloc[0]['device']}", lines=9))
    data = rows[["variant", *columns]].astype(object).to_numpy()
    return data, "<br>".join(lines) + "<extra></extra>"


def _source(rows: pd.DataFrame, column: str) -> str:
    """Where a number comes from, for the numbers that have more than one possible origin."""
    first = rows.iloc[0]
    if column in ("params", "macs", "weight_bytes", "peak_activation_bytes"):
        return " (exact)"
    if column == "latency_ms":
        return plain(f" ({first['latency_kind']}, {first['backend']})")
    if column == "top1_pct":
        known = rows[rows["top1_pct"].notna()].iloc[0]
        return plain(f" ({known['top1_kind']}, {known['top1_source']})")
    return ""
