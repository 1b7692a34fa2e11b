"""Figures and table -> one self-contained HTML page per run, and an index of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.files import write_file
from mbsweep.base.progress import Progress, Silent
from mbsweep.base.suggest import command
from mbsweep.reporter import facts, index, thinning
from mbsweep.reporter.accuracies import OTHERS, accuracy_doubts, how_obtained
from mbsweep.reporter.drawn import NAMES, for_script, of_searches, stills
from mbsweep.reporter.parts import Part, open_parts
from mbsweep.reporter.payload import payload
from mbsweep.reporter.plotly_js import plotly_js
from mbsweep.reporter.search import searches
from mbsweep.statistics.summary import MIN_VISITS
from mbsweep.table.compare import agreement
from mbsweep.table.published import PublishedRows, published_latencies
from mbsweep.table.results import Run

MAX_NAME_BYTES = 200  # of a page's name; file systems allow 255, ending included

PublishedSizes = Callable[[Collection[str]], list[dict[str, Any]]]
Draw = Callable[[Sequence[Part], pd.DataFrame], dict[str, bytes]]
Print = Callable[[Path], bytes]


def write_report(
    pages: Sequence[Sequence[Run]],
    folder: Path,
    published: PublishedRows,
    sizes: PublishedSizes,
    draw: Draw | None = None,
    to_pdf: Print | None = None,
    on_fault: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a page for each group of runs and index.html into a folder; return the paths of all that was
    written: the index, then the pages, then their pictures. The index lists all pages that are in the folder.

    pages: the runs of each page; their rows stand side by side.
    published: gives published latencies of variants, as rows of the table; they appear as further devices.
    sizes: gives the sizes printed for some variants' ids, as `commands._published.printed_sizes` does.
    draw: gives the pictures of a page, by their names, from its runs and their table.
    to_pdf: gives the PDF of a page that is written.
    on_fault: told, in a line, of a page whose runs cannot be shown; without it that is raised at once.
    progress: told how far that is.
    Raises MbsweepError where the folder cannot be written, or the only page.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MbsweepError(f"{folder}: cannot be written: {reason}; choose another --html folder") from None
    names = _file_names(pages)
    _check_free(folder, names, draw is not None, to_pdf is not None)
    written, pictures, told = [], [], progress or Silent()
    for runs, name in zip(pages, names, strict=True):
        try:
            parts, table = open_parts(runs, told)
            page = render(parts, table, published, sizes, told)
        except Exception as error:  # a file that is damaged can say anything
            if on_fault is None:
                raise
            if len(pages) == 1:
                raise MbsweepError(_fault(runs, error)) from error
            on_fault(_fault(runs, error))
            continue
        write_file(folder / name, _bytes(page))
        told.advance("page")
        if to_pdf:
            pictures.append((folder / name).with_suffix(".pdf"))
            write_file(pictures[-1], to_pdf(folder / name))
        for figure, content in (draw(parts, table) if draw else {}).items():
            pictures.append(folder / f"{name.removesuffix('.html')}.{figure}.png")
            write_file(pictures[-1], content)
        written.append(folder / name)
    overview = _environment().get_template("index.html")
    listed = list(index.entries(folder))
    write_file(folder / index.NAME, _bytes(overview.render(entries=listed, generated=_now(), **_program())))
    return [folder / index.NAME, *written, *pictures]


def _check_free(folder: Path, names: Sequence[str], with_pictures: bool, with_pdf: bool) -> None:
    """MbsweepError where a file would be written over that mbsweep has not written.

    A picture is taken for ours where the page is that it belongs to.
    """
    for name in (index.NAME, *names):
        page = folder / name
        taken = [page] if os.path.isfile(page) and not index.is_ours(page) else []
        stem = name.removesuffix(".html")
        if with_pictures and not os.path.isfile(page):
            taken = [folder / f"{stem}.{figure}.png" for figure in NAMES]
        if with_pdf and not os.path.isfile(page):
            taken.append(folder / f"{stem}.pdf")
        for path in taken:
            if os.path.isfile(path):
                raise MbsweepError(
                    f"{path} was not written by mbsweep, and would be written over; move it, or choose "
                    "another --html folder"
                )


def _fault(runs: Sequence[Run], error: Exception) -> str:
    """What is wrong with a page's runs, in a line that names them."""
    if isinstance(error, MbsweepError):
        return str(error)
    named = ", ".join(str(run.path) for run in runs)
    words = one_line(f"{type(error).__name__}: {error}", 200)
    return f"{named}: cannot be shown, for its file is damaged, or mbsweep is at fault: {words}"


def title(parts: Sequence[Part]) -> str:
    """The title of the sweep; of several runs their names, for they may be of the same sweep."""
    if len(parts) > 1:
        return " + ".join(part.name for part in parts)
    return str(parts[0].about["title"] or parts[0].about["name"])


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")  # a folder's name need not be UTF-8


def _file_names(pages: Sequence[Sequence[Run]]) -> list[str]:
    """One name per page, from its runs' folders; never `index.html`, never twice the same."""
    taken = {"index"}
    names = []
    for runs in pages:
        folders = "+".join(run.path.resolve().name or "run" for run in runs)
        stem = name = os.fsdecode(os.fsencode(folders)[:MAX_NAME_BYTES])
        number = 2
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        names.append(f"{name}.html")
    return names


def render(
    parts: Sequence[Part],
    table: pd.DataFrame,
    published: PublishedRows,
    sizes: PublishedSizes,
    progress: Progress,
) -> str:
    """A page. table: of all its runs."""
    progress.begin(f"write the page of {title(parts)}", 4)
    shown = with_published(table, published)
    drawn = thinning.thinned(shown)
    progress.advance("rows")
    figures, searched = stills(parts, drawn), of_searches(parts)
    progress.advance("figures")
    data = for_script(payload(parts, shown, drawn))
    progress.advance("data")
    errors, incomplete = facts.errors(parts, table)
    gaps = facts.gaps(parts, table, set(shown["latency_kind"].dropna()))
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title(parts),
            parts=parts,
            summary=(summary := facts.facts(parts, table)),
            about=_about(dict(summary)),
            entry=index.entry(title(parts), parts, summary),
            figures=figures,
            searches=searches(parts, searched),
            gaps=[gap for gap in gaps if OTHERS not in gap],
            long_gaps=[gap.split(OTHERS, 1) for gap in gaps if OTHERS in gap],
            doubts=[*facts.doubts(parts, table), *accuracy_doubts(parts, table)],
            skips=facts.skips(parts),
            commands=_commands([part.run.path for part in parts]),
            predictions=facts.predictions(parts, table),
            thinned="" if len(drawn) == len(shown) else f"{len(drawn):,} of {len(shown):,}",
            errors=errors,
            incomplete=incomplete,
            obtained=how_obtained(parts, table),
            is_timed=bool(table["latency_kind"].isin(["measured", "predicted"]).any()),
            sessions=[session for part in parts for session in facts.sessions(part)],
            has_rows=len(drawn) > 0,
            payload=data,
            agreement=_agreement(shown),
            sizes=sizes(set(shown["variant"].to_numpy(object))),
            min_visits=MIN_VISITS,
            plotly=Markup(plotly_js()),  # noqa: S704  (plotly's own file, made to be put into a page)
            generated=_now(),
            **_program(),
        )
    )


def _about(said: Mapping[str, str]) -> str:
    """The facts that stand beside the title: `16 networks, AMD EPYC, 2 cores, ...; accuracy ...`."""
    device = said["Latency measured on"]
    timed = [] if device == "nothing" else [device]
    many = f"{said['Variants']} network{'' if said['Variants'] == '1' else 's'}"
    accuracy = "no accuracy" if said["Accuracy"].endswith("no source") else f"accuracy {said['Accuracy']}"
    return " \N{MIDDLE DOT} ".join([many, *timed, accuracy])


def _commands(folders: Sequence[Path]) -> dict[str, Any]:
    """What a reader may call for more than the page has."""
    return {"table": command("table", *folders), "picks": [command("pick", folder) for folder in folders]}


def with_published(table: pd.DataFrame, published: PublishedRows) -> pd.DataFrame:
    """The table and, below it, the published latencies of its variants. Their fronts are drawn, too."""
    if table["variant"].nunique() > thinning.MAX_ROWS:
        return table
    rows = published_latencies(table, published)
    if rows.empty:
        return table
    return pd.concat([table.astype(object), rows.astype(object)], ignore_index=True).infer_objects()


def _agreement(table: pd.DataFrame) -> dict[str, Any] | None:
    """How alike the latencies of the page rank its variants; None where there are not two of them."""
    names, taus = agreement(table)
    known = [[None if math.isnan(tau) else tau for tau in row] for row in taus.tolist()]
    return {"names": names, "taus": known} if len(names) > 1 else None


@cache
def _environment() -> jinja2.Environment:  # once: it compiles its templates
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
