"""Figures and table -> one self-contained HTML page per run, and an index of them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from inspect import cleandoc
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from mbsweep.errors import MbsweepError
from mbsweep.export import write_file
from mbsweep.reporter.drawing import PANEL
from mbsweep.reporter.figures import FIGURES
from mbsweep.results import COLUMNS, Run, fronts
from mbsweep.space.variant import Variant

MAX_ROWS = 20_000  # more would make the page too heavy to open
MAX_REASONS = 200
MAX_NAME_BYTES = 200  # of a page's name; file systems allow 255, ending included
PublishedRows = Callable[[Sequence[Variant]], list[dict[str, Any]]]

# What the page's table leaves out: it is the same for most runs, and `mbsweep table` has it.
_NOT_SHOWN = {"family", "stage_channels", "num_classes", "divisor", "top1_reason"}
# What it shows first, so that a row is understood without scrolling; the others follow in COLUMNS' order.
_SHOWN_FIRST = [
    *("variant", "width", "resolution", "depth"),
    *("backend", "latency_ms", "latency_p90_ms", "top1_pct", "macs", "params", "device", "latency_kind"),
]


def write_report(runs: Sequence[Run], folder: Path, published: PublishedRows) -> list[Path]:
    """Write a page per run and index.html into a folder; return their paths, the index first.

    published: gives published latencies of variants, as rows of the table; they appear as further devices.
    Raises MbsweepError where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MbsweepError(f"{folder}: cannot be written: {reason}; choose another --html folder") from None
    entries: list[dict[str, Any]] = []
    for run, name in zip(runs, _file_names(runs), strict=True):
        about = run.about()
        page = folder / name
        table = run.table()
        write_file(page, _bytes(render(run, about, with_published(table, published))))
        link = quote(os.fsencode(name))
        entries.append({"link": link, "file": name, "run": str(run.path), "about": about})
        entries[-1]["summary"] = _summary(table, about)
    index = _environment().get_template("index.html").render(entries=entries, generated=_now(), **_program())
    write_file(folder / "index.html", _bytes(index))
    return [folder / "index.html", *(folder / entry["file"] for entry in entries)]


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")  # a folder's name need not be UTF-8


def _file_names(runs: Sequence[Run]) -> list[str]:
    """One name per run, from its folder; never `index.html`, never twice the same."""
    taken = {"index"}
    names = []
    for run in runs:
        stem = name = os.fsdecode(os.fsencode(run.path.resolve().name or "run")[:MAX_NAME_BYTES])
        number = 2
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        names.append(f"{name}.html")
    return names


def with_published(table: pd.DataFrame, published: PublishedRows) -> pd.DataFrame:
    """The table with a row for each published latency of its variants. Their fronts are drawn, too."""
    variants = table.drop_duplicates("variant")
    if not len(variants) or len(variants) > MAX_ROWS:
        return table
    records = cast("list[dict[str, Any]]", variants.to_dict("records"))
    rows = pd.DataFrame(published([_variant(record) for record in records]))
    if rows.empty:
        return table
    latency = [
        name for name in table.columns if name.startswith("latency") or name in PANEL or name == "error"
    ]
    rows = rows.merge(variants.drop(columns=latency), on="variant").reindex(columns=table.columns)
    # Their fronts are their own: the run's rows are compared with none of them.
    rows["on_front"] = fronts(rows)
    return pd.concat([table.astype(object), rows.astype(object)], ignore_index=True).infer_objects()


def _variant(row: dict[str, Any]) -> Variant:
    stages = tuple(json.loads(row["stage_channels"]))
    names = ("family", "width", "resolution", "depth", "block", "num_classes", "divisor")
    return Variant(stage_channels=stages, **{str(name): row[name] for name in names})


def render(run: Run, about: dict[str, Any], table: pd.DataFrame) -> str:
    """The page of one run."""
    drawn = _thinned(table)
    return (
        _environment()
        .get_template("page.html")
        .render(
            run=str(run.path),
            about=about,
            summary=_summary(table, about),
            figures=_figures(drawn),
            gaps=_gaps(table, about),
            thinned="" if len(drawn) == len(table) else f"{len(drawn):,} of {len(table):,}",
            ranges=_ranges(table),
            errors=_errors(table),
            incomplete=int(table["error"].notna().sum()),
            table=_for_script(_table_data(drawn)),
            plotly=Markup(get_plotlyjs()),  # noqa: S704  (plotly's own file, made to be put into a page)
            generated=_now(),
            **_program(),
        )
    )


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    """At most MAX_ROWS rows, by chance, every row on a front and (if they are not too many) every failure."""
    if len(table) <= MAX_ROWS:
        return table
    keep = table["on_front"] | table["error"].notna()
    if keep.sum() > MAX_ROWS:
        keep = table["on_front"]
    rest = table[~keep].sample(max(0, MAX_ROWS - int(keep.sum())), random_state=0)
    return pd.concat([table[keep], rest]).sort_index()


@dataclass(frozen=True)
class _Drawn:
    name: str
    title: str
    caption: str
    data: Markup
    height: int


def _figures(table: pd.DataFrame) -> list[_Drawn]:
    drawn = []
    for name, make in FIGURES.items():
        figure = make(table)
        if figure is not None:
            title, _, caption = cleandoc(make.__doc__ or "").partition("\n")
            data = _for_script(figure.to_json())
            drawn.append(_Drawn(name, title.rstrip("."), caption.strip(), data, figure.layout.height))
    return drawn


def _for_script(data: str) -> Markup:
    """JSON for a <script> element: no text in it can end the element or open a comment."""
    return Markup(data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def _table_data(table: pd.DataFrame) -> str:
    order = [*_SHOWN_FIRST, *(name for name in COLUMNS if name not in _SHOWN_FIRST)]
    columns = [name for name in order if name not in _NOT_SHOWN and table[name].notna().any()]
    heads = [{"name": name, "label": COLUMNS[name].label, "unit": COLUMNS[name].unit} for name in columns]
    rows = [[_plain(value) for value in row] for row in table[columns].astype(object).itertuples(index=False)]
    return json.dumps({"columns": heads, "rows": rows}, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """A value for JSON, floats to seven digits; None where it is unknown."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool) else (None if pd.isna(value) else value.item())


def _summary(table: pd.DataFrame, about: dict[str, Any]) -> list[tuple[str, str]]:
    """The facts at the head of a page: label and text."""
    variants = table.drop_duplicates("variant")
    known = int(variants["top1_pct"].notna().sum())
    facts = [
        ("Variants", f"{len(variants):,}"),
        ("Mult-adds", _span(variants["macs"], 1)),
        ("Parameters", _span(variants["params"], 2)),
    ]
    if about["accuracy_source"]:
        facts.append(
            ("Accuracy", f"{about['accuracy_source']}, known for {known:,} of {len(variants):,} variants")
        )
    else:
        facts.append(("Accuracy", "the sweep names no source"))
    measured = sorted(set(table.loc[table["latency_kind"] == "measured", "device"]))
    facts.append(("Latency measured on", ", ".join(measured) or "nothing"))
    if incomplete := int(table["error"].notna().sum()):
        facts.append(("Failed or not finished", f"{incomplete:,} row{'s' if incomplete > 1 else ''}"))
    return facts


def _span(values: pd.Series[float], digits: int) -> str:
    """`0.47 to 4.23 million`; one number where all are the same."""
    if values.empty:
        return "none"
    ends = dict.fromkeys(f"{value / 1e6:,.{digits}f}" for value in (values.min(), values.max()))
    return f"{' to '.join(ends)} million"


def _gaps(table: pd.DataFrame, about: dict[str, Any]) -> list[str]:
    """What the figures cannot show, in words."""
    variants = table.drop_duplicates("variant")
    if variants.empty:
        return ["This run has no variants, so there is nothing to draw."]
    gaps = []
    known, source = int(variants["top1_pct"].notna().sum()), about["accuracy_source"]
    if not source:
        gaps.append("The sweep names no accuracy source, so no figure shows accuracy.")
    elif not known:
        gaps.append(f"{source} has no figure for any of these networks, so no figure shows accuracy.")
    elif known < len(variants):
        gaps.append(
            f"{source} gives the accuracy of {known:,} of {len(variants):,} variants; the other "
            f"{len(variants) - known:,} are missing in the figures of accuracy."
        )
    if not (table["latency_kind"] == "measured").any():
        published = "; the latencies shown are published ones" if table["latency_ms"].notna().any() else ""
        gaps.append(f"No latency was measured{published}.")
    return gaps


def _ranges(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Per runtime and device: the fastest and slowest variant, and how that compares with their mult-adds."""
    rows = table[table["latency_ms"] > 0]
    found = []
    for _, group in rows.groupby(PANEL, dropna=False, sort=False):
        if len(group) < 2:
            continue
        latency = group["latency_ms"].to_numpy()
        fast, slow = group.iloc[int(latency.argmin())], group.iloc[int(latency.argmax())]
        found.append(
            {
                "setting": fast,
                "threads": None if pd.isna(fast["threads"]) else int(fast["threads"]),
                "fast": fast,
                "slow": slow,
                "ratio": slow["latency_ms"] / fast["latency_ms"],
                "macs_ratio": slow["macs"] / fast["macs"],
            }
        )
    return found


def _errors(table: pd.DataFrame) -> list[dict[str, Any]]:
    failed = table.loc[table["error"].notna(), ["variant", "backend", "error"]].head(MAX_REASONS)
    return cast("list[dict[str, Any]]", failed.to_dict("records"))


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("mbsweep.reporter"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _program() -> dict[str, str]:
    return {"version": version("mbsweep")}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
