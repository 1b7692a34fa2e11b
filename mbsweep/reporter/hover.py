"""Words in a figure: panel titles, and what hovering over a point tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.columns import COLUMNS

LINE = 54  # characters at 11 px: what fits above a panel on a telephone, or with three panels in a row
SETTING_LINE = 50  # characters at 13 px, the same
BOLD_LINE = 40

# latency kind -> the words before a device
ORIGIN = {"measured": "measured on", "published": "published for", "predicted": "predicted for"}


def plain(words: str) -> str:
    """Words as plotly shows them: neither its markup nor its %{templates} are read in them."""
    for sign, code in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("%", "&#37;")):
        words = words.replace(sign, code)
    return words


def wrapped(words: str, lines: int, line: int = LINE) -> str:
    """Words over at most so many lines."""
    return "<br>".join(plain(part) for part in wrap(words, line, max_lines=lines, placeholder=" ..."))


def setting(row: pd.Series[Any]) -> str:
    """`onnxruntime, fp32, batch 1, 1 thread`, and what else tells its configuration from others."""
    words = [row["backend"], row["precision"], f"batch {row['batch']:.0f}"]
    if not pd.isna(row["threads"]):
        words.append(f"{row['threads']:.0f} thread{'s' if row['threads'] > 1 else ''}")
    for name, usual in (("mode", "forward"), ("memory_format", "contiguous")):
        if isinstance(row[name], str) and row[name] != usual:
            words.append(row[name])
    if isinstance(row["config"], str):
        words += re.findall(r"-(cuda|cpu\d+)(?![^-])", row["config"])  # only the configuration's id has them
    return ", ".join(words)


def panel_title(rows: pd.DataFrame, with_run: bool) -> str:
    """The setting and, below it, `measured on` the device; above it the run, where the page has several."""
    first = rows.iloc[0]
    below = wrapped(f"{ORIGIN[first['latency_kind']]} {first['device']}", lines=2)
    lines = [
        wrapped(setting(first), lines=2, line=SETTING_LINE),
        f'<span style="font-size: 11px">{below}</span>',
    ]
    if with_run and isinstance(first["run"], str):
        lines.insert(0, f"<b>{wrapped(first['run'], lines=2, line=BOLD_LINE)}</b>")
    return "<br>".join(lines)


# column -> how a number is written when a point is hovered over
_HOVER = {
    "width": "",
    "resolution": "",
    "depth": "",
    "params": ":,",
    "macs": ":,",
    "weight_bytes": ":,",
    "peak_activation_bytes": ":,",
    "file_bytes": ":,",
    "precision": "",
    "latency_ms": ":.4~g",
    "latency_p50_ms": ":.4~g",
    "latency_p90_ms": ":.4~g",
    "latency_mean_ms": ":.4~g",
    "latency_sd_ms": ":.2~g",
    "latency_samples": ":,",
    "top1_pct": ":.2~f",
    "top5_pct": ":.2~f",
}


def hover(
    rows: pd.DataFrame, axes: Sequence[str] = (), is_brief: bool = False
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.object_]], str]:
    """What hovering needs: a row of data per point, and the template that names each with unit and source.

    axes: the columns that are drawn, which are named in any case.
    is_brief: only these are, since the data of very many points make a page heavy.
    """
    formats = ({} if is_brief else _HOVER) | {name: _HOVER.get(name, ":,.4~g") for name in axes}
    columns = [name for name in formats if name in rows and rows[name].notna().any()]
    data = rows[["variant", *columns]].astype(object)
    lines = ["<b>%{customdata[0]}</b>"]
    for place, name in enumerate(columns, start=1):
        unit = f" {COLUMNS[name].unit}" if COLUMNS[name].unit else ""
        lines.append(
            f"{COLUMNS[name].label}: %{{customdata[{place}]{formats[name]}}}{unit}{_source(rows, name)}"
        )
        if name == "latency_ms" and rows["latency_low_ms"].notna().any():
            data["interval"] = _intervals(rows)
            lines.append(f"95 % interval: %{{customdata[{data.shape[1] - 1}]}}")
    if "latency_ms" in columns:
        lines.append(wrapped(f"Device: {rows.iloc[0]['device']}", lines=9))
    template = "<br>".join(lines)
    if "latency_note" in rows and (notes := _notes(rows)):
        data["note"] = notes
        template += f"%{{customdata[{data.shape[1] - 1}]}}"
    return data.to_numpy(), template + "<extra></extra>"


def _intervals(rows: pd.DataFrame) -> list[str]:
    ends = zip(rows["latency_low_ms"], rows["latency_high_ms"], strict=True)
    return ["unknown" if pd.isna(low) else f"{low:.4g} to {high:.4g} ms" for low, high in ends]


def _notes(rows: pd.DataFrame) -> list[str]:
    """A line or more for each point that has a note. What is said of all predictions is said on the page."""
    if rows["latency_kind"].iloc[0] != "measured" or not rows["latency_note"].notna().any():
        return []
    notes = rows["latency_note"]
    return ["" if pd.isna(note) else f"<br>{wrapped(f'Note: {note}', lines=4)}" for note in notes]


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
