"""Words in a figure: panel titles, and what hovering over a point tells."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.accuracy.value import source_words
from mbsweep.table.columns import COLUMNS, EXACT, INTERVALS, SOURCE

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
    return ", ".join(setting_words(row))


def setting_words(row: pd.Series[Any]) -> list[str]:
    """The same word by word."""
    words = [row["backend"], row["precision"], f"batch {row['batch']:.0f}"]
    if not pd.isna(row["threads"]):
        words.append(f"{row['threads']:.0f} thread{'s' if row['threads'] > 1 else ''}")
    for name, usual in (("mode", "forward"), ("memory_format", "contiguous")):
        if isinstance(row[name], str) and row[name] != usual:
            words.append(row[name])
    if isinstance(row["runs_on"], str):
        words.append(row["runs_on"])
    return words


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
    is_known = rows[[name for name in formats if name in rows]].notna().any()
    columns = [str(name) for name, known in is_known.items() if known]
    sources = _count_sources(rows) if "top1_pct" in columns else 0
    data: list[Any] = [rows[name].to_numpy(object) for name in ("variant", *columns)]
    lines = ["<b>%{customdata[0]}</b>"]
    for place, name in enumerate(columns, start=1):
        unit = f" {COLUMNS[name].unit}" if COLUMNS[name].unit else ""
        number = f"%{{customdata[{place}]{formats[name]}}}{unit}"
        lines.append(f"{COLUMNS[name].label}: {number}{_source(rows, name, sources)}")
        more: list[tuple[str, list[str]]] = []
        if name == "top1_pct" and sources > 1:  # of several runs
            more.append(("Source: ", [wrapped(words, lines=4) for words in _sources(rows)]))
        if has_interval(rows, name):
            more.append(("95 % interval: ", _intervals(rows, name)))
        if name == "top1_pct" and not is_brief and "top1_seeds" in rows and rows["top1_seeds"].notna().any():
            more.append(("Seeds: ", _seeds(rows)))
        for begin, texts in more:
            data.append(texts)
            lines.append(f"{begin}%{{customdata[{len(data) - 1}]}}")
    if "latency_ms" in columns:
        lines.append(wrapped(f"Device: {rows['device'].iloc[0]}", lines=9))
    template = "<br>".join(lines)
    for notes in (_latency_notes(rows), _accuracy_notes(rows, columns)):
        if any(notes):
            data.append(notes)
            template += f"%{{customdata[{len(data) - 1}]}}"
    table = np.empty((len(rows), len(data)), dtype=object)
    for place, column in enumerate(data):
        table[:, place] = column
    return table, template + "<extra></extra>"


def has_interval(rows: pd.DataFrame, column: str) -> bool:
    """Whether the 95 % interval of a column is known in any of some rows."""
    low, _ = INTERVALS.get(column, ("", ""))
    return low in rows and bool(rows[low].notna().to_numpy().any())


def _intervals(rows: pd.DataFrame, column: str) -> list[str]:
    ends = zip(*(rows[name] for name in INTERVALS[column]), strict=True)
    form, unit = ("{:.4g}", "ms") if column == "latency_ms" else ("{:.1f}", plain("%"))
    return [
        "unknown" if pd.isna(low) else f"{form.format(low)} to {form.format(high)} {unit}"
        for low, high in ends
    ]


def _seeds(rows: pd.DataFrame) -> list[str]:
    """`0, 1; standard deviation 0.34 %`; one seed has none."""
    pairs = zip(rows["top1_seeds"], rows["top1_sd_pct"], strict=True)
    told = [
        "none" if pd.isna(seeds) else seeds if pd.isna(sd) else f"{seeds}; standard deviation {sd:.2f} %"
        for seeds, sd in pairs
    ]
    return [plain(words) for words in told]


def _latency_notes(rows: pd.DataFrame) -> list[str]:
    """What is said of all predictions is said on the page."""
    if "latency_note" not in rows or rows["latency_kind"].iloc[0] != "measured":
        return []
    return _notes(rows["latency_note"])


def _accuracy_notes(rows: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The same."""
    if "top1_note" not in rows or "top1_pct" not in columns:
        return []
    return _notes(rows["top1_note"].where(rows["top1_kind"] == "trained"))


def _notes(notes: pd.Series[Any]) -> list[str]:
    """A line or more for each point that has a note."""
    return [f"<br>{wrapped(f'Note: {note}', lines=6)}" if isinstance(note, str) else "" for note in notes]


def _count_sources(rows: pd.DataFrame) -> int:
    is_known = rows["top1_pct"].notna().to_numpy()
    found = set(zip(*(rows[name].to_numpy(object)[is_known] for name in SOURCE), strict=True))
    # One NaN does not equal another.
    return len({tuple(words if isinstance(words, str) else None for words in source) for source in found})


def _sources(rows: pd.DataFrame) -> list[str]:
    """Each row's source, and its data set where the source does not name it and there are several."""
    several = rows["dataset"].nunique() > 1
    return [
        source_words(kind, source) + (f", on {dataset}" if several and dataset not in source else "")
        if isinstance(source, str)
        else "unknown"
        for kind, source, dataset in rows[SOURCE].itertuples(index=False)
    ]


def _source(rows: pd.DataFrame, column: str, sources: int) -> str:
    """Where a number comes from, for the numbers that have more than one possible origin.

    sources: how many the accuracies have.
    """
    if column in EXACT:
        return " (exact)"
    if column == "latency_ms":
        return plain(f" ({rows['latency_kind'].iloc[0]}, {rows['backend'].iloc[0]})")
    if column == "top1_pct" and sources == 1:
        known = int(rows["top1_pct"].notna().to_numpy().argmax())
        kind, source = (rows[name].iloc[known] for name in ("top1_kind", "top1_source"))
        words = source_words(kind, source)
        return f"<br>{wrapped(words, lines=3)}" if len(words) > LINE - 20 else plain(f" ({words})")
    return ""
