"""What a page tells of a run's search: sentences, tables, and the figures of `search_figures`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mbsweep.base.suggest import command
from mbsweep.reporter.drawn import Drawn
from mbsweep.reporter.parts import Part
from mbsweep.table import search_words
from mbsweep.table.columns import COLUMNS, INTERVALS
from mbsweep.table.decide import TOP1
from mbsweep.table.panels import plain_number
from mbsweep.table.search import Axis, Confirmed, Search

MAX_ROWS = 1000  # of evaluations that are put into the page; the command prints all
MILLIONS = ("macs", "params")


@dataclass(frozen=True)
class Cell:
    """A cell of a table. key: by which it is sorted, the unknown last; of words these themselves."""

    text: str
    key: float | str = ""
    below: str = ""  # in small print
    variant: str = ""  # that a click opens
    is_number: bool = True


@dataclass(frozen=True)
class Line:
    """A row of the table of evaluations."""

    cells: list[Cell]
    is_front: bool


@dataclass(frozen=True)
class Step:
    """A step along an axis, with its bar: where on the ground, in percent of its width."""

    axis: Axis
    words: str
    zero: float
    low: float
    high: float
    middle: float
    costs: list[str]

    @property
    def kind(self) -> str:
        """Whether it helps, harms, or it is not sure."""
        return "open" if not self.axis.is_settled else "helps" if self.axis.points > 0 else "harms"


@dataclass(frozen=True)
class Section:
    """The search of one of a page's runs."""

    run: str
    sentences: list[str]
    drawn: list[Drawn]
    is_wide: bool  # whether its figures take the width of the page, each
    budgets: list[tuple[str, int, float]]
    variants: int
    account: str
    steps: list[Step]
    step_heads: list[str]  # of what they cost
    confirmed: list[str]
    was_confirmed: bool  # or there was nothing that could be
    confirmed_heads: list[str]
    confirmed_lines: list[Line]
    heads: list[str]
    lines: list[Line]
    total: int
    command: str


def searches(parts: Sequence[Part], drawn: Sequence[list[Drawn]]) -> list[Section]:
    """Those of a page's runs that search. drawn: the figures of each run's."""
    return [
        _section(part, part.search, figures)
        for part, figures in zip(parts, drawn, strict=True)
        if part.search is not None
    ]


def _section(part: Part, search: Search, figures: list[Drawn]) -> Section:
    said = [search_words.standing(search), search_words.nothing_yet(search), search_words.space(search)]
    said.append(search_words.hypervolume(search))
    confirmed = search.confirmed
    return Section(
        run=part.name,
        sentences=[sentence for sentence in said if sentence],
        drawn=figures,
        is_wide=len(search.costs) > 1,
        budgets=list(search_words.budgets(search)) if search.about["space"].get("budgets") else [],
        variants=int(search.about["space"]["variants"]),
        account=search_words.axes(search),
        steps=(steps := list(_steps(search))),
        step_heads=[_head(name) for name in search.costs] if any(step.costs for step in steps) else [],
        confirmed=search_words.confirmed(search),
        was_confirmed=bool(search.about.get("confirm")),
        confirmed_heads=list(_confirmed_heads(confirmed)),
        confirmed_lines=[
            _confirmed(one, search.names.get(one.variant, one.variant), confirmed) for one in confirmed
        ],
        heads=_heads(search),
        lines=[_evaluation(search, row) for _, row in search.rows.head(MAX_ROWS).iterrows()],
        total=len(search.rows),
        command=command("table", part.run.path, "--search"),
    )


def _steps(search: Search) -> Iterator[Step]:
    known = [axis for axis in search.axes if not math.isnan(axis.points + axis.low + axis.high)]
    ends = [0.0, *(axis.low for axis in known), *(axis.high for axis in known)]
    low, high = min(ends), max(ends)
    width = high - low or 1.0

    def at(value: float) -> float:
        return round(100 * (value - low) / width, 2)

    for axis in known:
        of_costs = zip(search.costs, axis.costs, strict=False)
        costs = [f"{value / (1e6 if name in MILLIONS else 1):+.3g}" for name, value in of_costs]
        words = axis.axis.replace("_", " ")
        yield Step(axis, words, at(0), at(axis.low), at(axis.high), at(axis.points), costs)


def _heads(search: Search) -> list[str]:
    costs = [_head(name) for name in search.costs]
    seen = ["Seen (%)", "Tested (%)", "Hypervolume (%)", "State"]
    return ["No.", "Batch", "Network", "Why", "Expected (%)", *costs, *seen]


def _head(name: str) -> str:
    return f"{COLUMNS[name].label} (million)" if name in MILLIONS else search_words.objective(name)


def _evaluation(search: Search, row: pd.Series[Any]) -> Line:
    def number(form: str | None, *names: str, scale: float = 1, unknown: str = "unknown") -> Cell:
        return _number([row[name] / scale for name in names], form, unknown)

    name = search.names[row["variant"]]
    cells = [number("{:.0f}", "evaluation"), number("{:.0f}", "batch")]
    cells.append(Cell(name, name, variant=row["variant"], is_number=False))
    cells.append(Cell(row["why"], row["why"], is_number=False))
    cells.append(number("{:.2f}", "predicted_pct", "predicted_low_pct", "predicted_high_pct", unknown=""))
    for cost in search.costs:
        scale = 1e6 if cost in MILLIONS else 1
        cells.append(number(None, cost, *INTERVALS.get(cost, ()), scale=scale))
    cells += [number("{:.2f}", "seen_pct"), number("{:.2f}", TOP1, *INTERVALS[TOP1])]
    cells.append(number("{:.2f}", "hypervolume_pct"))
    cells.append(Cell(row["state"], row["state"], search_words.kept(row["reason"]), is_number=False))
    return Line(cells, bool(row["on_front"]))


def _number(values: Sequence[float], form: str | None = None, unknown: str = "unknown") -> Cell:
    """A number, and the ends of its interval below. form: of all of them; None: to four digits."""
    number, *ends = values
    if math.isnan(number):
        return Cell(unknown)
    write = plain_number if form is None else form.format
    below = " to ".join(map(write, ends)) if ends and not any(map(math.isnan, ends)) else ""
    return Cell(write(number), float(number), below)


def _confirmed_heads(found: Sequence[Confirmed]) -> Iterator[str]:
    yield "Network"
    if _has_several(found):
        yield "Latency configuration"
    if _is_measured(found):
        yield from ("Said (ms)", "Measured (ms)", "Off (%)")
    yield from ("Seen (%)", "Tested (%)")
    if _is_trained(found):
        yield from ("Trained alone (%)", "Off (points)")


def _has_several(found: Sequence[Confirmed]) -> bool:
    return len({one.config for one in found}) > 1


def _is_measured(found: Sequence[Confirmed]) -> bool:
    return any(not math.isnan(one.measured_ms[0]) for one in found)


def _is_trained(found: Sequence[Confirmed]) -> bool:
    return any(not math.isnan(one.alone_pct[0]) for one in found)


def _confirmed(one: Confirmed, name: str, every: Sequence[Confirmed]) -> Line:
    cells = [Cell(name, name, variant=one.variant, is_number=False)]
    if _has_several(every):
        cells.append(Cell(one.config, one.config, is_number=False))
    if _is_measured(every):
        cells += [_number(one.said_ms), _number(one.measured_ms), _number([one.latency_off_pct], "{:+.1f}")]
    cells += [_number([value], "{:.2f}") for value in (one.seen_pct, one.tested_pct)]
    if _is_trained(every):
        cells += [_number(one.alone_pct, "{:.2f}"), _number([one.accuracy_off], "{:+.2f}")]
    return Line(cells, is_front=False)
