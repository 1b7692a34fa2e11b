"""`mbsweep front`: the Pareto front of any cost and value, and its hypervolume."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import Table, say
from mbsweep.base.progress import Progress
from mbsweep.base.rules import choice, number_of, shown
from mbsweep.statistics import pareto
from mbsweep.table import trust
from mbsweep.table.asked import of_config, where
from mbsweep.table.columns import COLUMNS, EXACT, INTERVALS, SOURCE
from mbsweep.table.decide import LATENCY, TOP1, checked
from mbsweep.table.names import Names
from mbsweep.table.panels import (
    COUNTED,
    as_number,
    heading,
    interval,
    label,
    panel_facts,
    panels,
    plain_number,
    print_cautions,
    title,
)
from mbsweep.table.results import Run
from mbsweep.table.trust import Remarks

Point = tuple[float, float]  # a cost and a value


class Front(NamedTuple):
    """The best rows of one panel and accuracy source."""

    kind: str
    source: str
    dataset: str  # empty where the panel's accuracies of this source have but one
    best: pd.DataFrame  # by rising cost
    reference: Point
    hypervolume: float


class Panel(NamedTuple):
    """Rows among which fronts are drawn."""

    words: str
    facts: dict[str, Any]
    rows: pd.DataFrame  # that know both numbers
    cautions: list[str]
    fronts: list[Front]


class Fronts(NamedTuple):
    """All that `mbsweep front` tells of a run. reference: where the user wants the hypervolumes to end."""

    cost: str
    value: str
    reference: Point | None
    panels: list[Panel]
    names: Names


def fronts(
    run: Run,
    cost: str,
    value: str,
    config: str | None,
    reference: Point | None,
    progress: Progress | None = None,
) -> Fronts:
    """The front of each panel and accuracy source, or of one configuration.

    reference: the largest cost and the smallest value that count; None: those of the rows that know both.
    progress: told how far reading the run is.
    Raises MbsweepError for a column that cannot be a cost or a value, a configuration that the run does not
    have, and where no variant knows both.
    """
    for option, name, better in (("--cost", cost, "lower"), ("--value", value, "higher")):
        checked(option, name, choice(key for key, column in COLUMNS.items() if column.better == better))
    table = of_config(run, config, progress)
    is_known = table[[cost, value]].notna().all(axis=1)
    if not is_known.any():
        missing = [name for name in (cost, value) if table[name].isna().all()]
        what = f"{missing[0]} is known" if missing else f"both {cost} and {value} are known"
        hint = "; --cost macs needs no latency" if cost in missing else ""
        raise MbsweepError(f"{where(run, config)}: {what} of no variant{hint}")
    found = fronts_of(table, run.remarks(), cost, value, reference)
    return Fronts(cost, value, reference, found, Names(table))


def fronts_of(
    table: pd.DataFrame, remarks: Remarks, cost: str, value: str, reference: Point | None = None
) -> list[Panel]:
    """The same of a table, whatever is known of it."""
    is_known = table[[cost, value]].notna().all(axis=1)
    found = []
    for words, facts, every in _groups(table, cost):
        rows = every[is_known[every.index]]
        cautions = []
        if cost not in EXACT:
            cautions += trust.of_latencies(rows, remarks.get(every["config"].iloc[0], ()))
        if value.startswith("top"):
            cautions += trust.of_accuracies(rows)
        found.append(Panel(words, facts, rows, cautions, list(_fronts(rows, cost, value, reference))))
    return found


def _fronts(rows: pd.DataFrame, cost: str, value: str, reference: Point | None) -> Iterator[Front]:
    """Of each accuracy source of a panel."""
    for (kind, source, dataset), group in rows.groupby(SOURCE, dropna=False, sort=False):
        several = rows.loc[rows["top1_source"] == source, "dataset"].nunique() > 1
        best = group[pareto.front(group[cost], group[value])].sort_values(cost, kind="stable")
        at = reference or (float(group[cost].max()), float(group[value].min()))
        area = pareto.hypervolume(group[cost], group[value], at)
        yield Front(str(kind), str(source), str(dataset) if several else "", best, at, area)


def _groups(table: pd.DataFrame, cost: str) -> Iterator[tuple[str, dict[str, Any], pd.DataFrame]]:
    """What a front is drawn among, with its heading, and the same for programs."""
    if cost not in EXACT:
        yield from ((heading(rows), panel_facts(rows), rows) for rows in panels(table))
        return
    # A size is the same in every configuration, an accuracy in every one of its precision.
    for precision, rows in table.groupby("precision", dropna=False, sort=False):
        is_known = isinstance(precision, str)
        words = f"{precision}, the same in every latency configuration" if is_known else COUNTED
        facts = {"precision": precision if is_known else None}
        yield words, facts, rows.drop_duplicates(["variant", *SOURCE])


def parse_reference(text: str) -> Point:
    """`16,41.5` -> (16.0, 41.5). Raises MbsweepError where these are not two finite numbers."""
    try:
        cost, value = (float(number_of(one.strip())) for one in text.split(","))
        if math.isfinite(cost) and math.isfinite(value):
            return cost, value
    except ValueError:
        pass
    raise MbsweepError(
        f"--reference is {shown(text)}; expected COST,VALUE, two finite numbers, such as 16,41.5"
    )


def print_fronts(found: Fronts, is_brief: bool = False) -> None:
    """Print each front, with its hypervolume.

    is_brief: without that, and without what else is to be known.
    """
    value = label(found.value)
    for number, panel in enumerate(found.panels):
        if number:
            say()
        say(panel.words, "bold")
        if not is_brief:
            print_cautions(panel.cautions)
        if not panel.fronts:
            say(f"  both {label(found.cost)} and {value} are known of no variant")
        for front in panel.fronts:
            say(f"{value}: {front.kind}, {front.source}{front.dataset and f', on {front.dataset}'}")
            front_table(front.best, found.cost, found.value, found.names).print()
            if not is_brief:
                _print_hypervolume(front, found)
    if first := next((front for panel in found.panels for front in panel.fronts), None):
        row = first.best.iloc[0]
        say(f"\n{found.names.of(row)} is {row['variant']}")


def front_table(best: pd.DataFrame, cost: str, value: str, names: Names) -> Table:
    """Rows of a front, in short."""
    with_interval = [
        name
        for name in (cost, value)
        if name == LATENCY or (name in INTERVALS and best[INTERVALS[name][0]].notna().any())
    ]
    titles = ["network"]
    for name in (cost, value):
        titles += [title(name), "95 %"] if name in with_interval else [title(name)]
    # The probability is about the front of the report, not about one of other columns.
    has_pct = "front_pct" in best and (cost, value) == (LATENCY, TOP1)
    table = Table([*titles, *(["on front %"] if has_pct else [])])
    for _, row in best.iterrows():
        cells = [names.of(row)]
        for name in (cost, value):
            cells += [plain_number(row[name]), *([interval(row, name)] if name in with_interval else [])]
        if has_pct:
            cells.append("unknown" if pd.isna(row["front_pct"]) else f"{row['front_pct']:.1f}")
        table.add(*cells)
    return table


def _print_hypervolume(front: Front, found: Fronts) -> None:
    cost, value = label(found.cost), label(found.value)
    units = [COLUMNS[name].unit or label(name) for name in (found.cost, found.value)]
    largest, smallest = (plain_number(one, digits=6) for one in front.reference)
    at = f"{largest} {units[0]}, {smallest} {units[1]}"
    why = "" if found.reference else f" (the largest {cost} and the smallest {value} here)"
    say(f"hypervolume {plain_number(front.hypervolume)} ({' x '.join(units)}), reference point {at}{why}")


def as_json(found: Fronts) -> str:
    """The same for programs: a list of fronts; what is unknown is null."""
    told = [_told(panel, front, found) for panel in found.panels for front in panel.fronts]
    return json.dumps(told, indent=1)


def _told(panel: Panel, front: Front, found: Fronts) -> dict[str, Any]:
    columns = [found.cost, found.value]
    numbers = [*columns, *(end for name in columns for end in INTERVALS.get(name, ()))]
    numbers += ["front_pct"] if columns == [LATENCY, TOP1] and "front_pct" in front.best else []
    return {
        **panel.facts,
        "cost": found.cost,
        "value": found.value,
        "top1_kind": front.kind,
        "top1_source": front.source,
        "front": [
            {"variant": row["variant"], "name": found.names.of(row)}
            | {name: as_number(row[name]) for name in numbers}
            for _, row in front.best.iterrows()
        ],
        "hypervolume": front.hypervolume,
        "reference": list(front.reference),
        "cautions": panel.cautions,
    }
