"""Figures and table -> one self-contained HTML page per run, and an index of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from inspect import cleandoc
from pathlib import Path
from typing import Any, cast

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
PublishedRows = Callable[[Sequence[Variant]], list[dict[str, Any]]]

# What the page's table leaves out: it is the same for most runs, and `mbsweep table` has it.
_NOT_SHOWN = {"family", "stage_channels", "num_classes", "divisor", "top1_reason"}


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
        write_file(page, render(run, about, with_published(table, published)).encode())
        entries.append(
            {"file": name, "run": str(run.path), "about": about, "summary": _summary(table, about)}
        )
    index = _environment().get_template("index.html").render(entries=entries, generated=_now(), **_program())
    write_file(folder / "index.html", index.encode())
    return [folder / "index.html", *(folder / entry["file"] for entry in entries)]


def _file_names(runs: Sequence[Run]) -> list[str]:
    """One name per run, from its folder; never `index.html`, never twice the same."""
    taken = {"index"}
    names = []
    for run in runs:
        stem = name = run.path.resolve().name or "run"
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
    both = pd.concat([table.astype(object), rows.astype(object)], ignore_index=True).infer_objects()
    both["on_front"] = fronts(both)
    return both


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
            thinned="" if len(drawn) == len(table) else f"{len(drawn):,} of {len(table):,}",
            ranges=_ranges(table),
            errors=_errors(table),
            table=_for_script(_table_data(drawn)),
            plotly=Markup(get_plotlyjs()),  # noqa: S704  (plotly's own file, made to be put into a page)
            generated=_now(),
            **_program(),
        )
    )


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    """At most MAX_ROWS rows, by chance, every row on a front and every failure among them."""
    if len(table) <= MAX_ROWS:
        return table
    keep = table["on_front"] | table["error"].notna()
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
    columns = [name for name in COLUMNS if name not in _NOT_SHOWN and table[name].notna().any()]
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
        ("Mult-adds", f"{variants['macs'].min() / 1e6:,.1f} to {variants['macs'].max() / 1e6:,.1f} million"),
        (
            "Parameters",
            f"{variants['params'].min() / 1e6:,.2f} to {variants['params'].max() / 1e6:,.2f} million",
        ),
    ]
    if about["accuracy_source"]:
        facts.append(
            ("Accuracy", f"{about['accuracy_source']}, known for {known:,} of {len(variants):,} variants")
        )
    else:
        facts.append(("Accuracy", "the sweep names no source"))
    measured = sorted(set(table.loc[table["latency_kind"] == "measured", "device"]))
    facts.append(("Latency measured on", ", ".join(measured) or "nothing"))
    return facts


def _ranges(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Per runtime and device: the fastest and slowest variant, and how that compares with their mult-adds."""
    rows = table[table["latency_ms"].notna()]
    found = []
    for _, group in rows.groupby(PANEL, dropna=False, sort=False):
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
    return table.loc[table["error"].notna(), ["variant", "backend", "error"]].head(200).to_dict("records")  # type: ignore[return-value]


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
