"""`mbsweep front`: the Pareto front of any cost and value, and its hypervolume."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import Table, say
from mbsweep.base.rules import choice, number_of, shown
from mbsweep.statistics import pareto
from mbsweep.table import trust
from mbsweep.table.columns import COLUMNS, EXACT, INTERVALS, SOURCE
from mbsweep.table.decide import checked
from mbsweep.table.panels import (
    COUNTED,
    heading,
    interval,
    label,
    of_config,
    panels,
    plain_number,
    print_cautions,
    where,
)
from mbsweep.table.results import Run


def print_fronts(
    run: Run, cost: str, value: str, config: str | None, reference: tuple[float, float] | None
) -> None:
    """Print the front of each panel and accuracy source, or of one configuration; the hypervolume below.

    reference: the largest cost and the smallest value that count; None: those of the rows that know both.
    Raises MbsweepError for a column that cannot be a cost or a value, a configuration that the run does not
    have, and where no variant knows both.
    """
    for option, name, better in (("--cost", cost, "lower"), ("--value", value, "higher")):
        checked(option, name, choice(key for key, column in COLUMNS.items() if column.better == better))
    table = of_config(run, config)
    is_known = table[[cost, value]].notna().all(axis=1)
    if not is_known.any():
        missing = [name for name in (cost, value) if table[name].isna().all()]
        what = f"{missing[0]} is known" if missing else f"both {cost} and {value} are known"
        hint = "; --cost macs needs no latency" if cost in missing else ""
        raise MbsweepError(f"{where(run, config)}: {what} of no variant{hint}")
    remarks = run.remarks()
    for number, (title, every) in enumerate(_groups(table, cost)):
        if number:
            say()
        say(title)
        rows = every[is_known[every.index]]
        if cost not in EXACT:
            print_cautions(trust.of_latencies(rows, remarks.get(every["config"].iloc[0], ())))
        if value.startswith("top"):
            print_cautions(trust.of_accuracies(rows))
        if rows.empty:
            say(f"  both {label(cost)} and {label(value)} are known of no variant")
        for (kind, source, dataset), group in rows.groupby(SOURCE, dropna=False, sort=False):
            several = rows.loc[rows["top1_source"] == source, "dataset"].nunique() > 1
            say(f"{label(value)}: {kind}, {source}{f', on {dataset}' if several else ''}")
            _print_front(group, cost, value, reference)


def parse_reference(text: str) -> tuple[float, float]:
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


def _groups(table: pd.DataFrame, cost: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """What a front is drawn among, with its heading."""
    if cost not in EXACT:
        yield from ((heading(rows), rows) for rows in panels(table))
        return
    # A size is the same in every configuration, an accuracy in every one of its precision.
    for precision, rows in table.groupby("precision", dropna=False, sort=False):
        words = f"{precision}, the same in every latency configuration"
        yield words if isinstance(precision, str) else COUNTED, rows.drop_duplicates(["variant", *SOURCE])


def _print_front(rows: pd.DataFrame, cost: str, value: str, reference: tuple[float, float] | None) -> None:
    best = rows[pareto.front(rows[cost], rows[value])].sort_values(cost, kind="stable")
    with_interval = [
        name
        for name in (cost, value)
        if name == "latency_ms" or (name in INTERVALS and rows[INTERVALS[name][0]].notna().any())
    ]
    titles = ["variant"]
    for name in (cost, value):
        titles += [_title(name), "95 %"] if name in with_interval else [_title(name)]
    # The probability is about the front of the report, not about one of other columns.
    has_pct = "front_pct" in rows and (cost, value) == ("latency_ms", "top1_pct")
    table = Table([*titles, *(["on front (%)"] if has_pct else [])])
    for _, row in best.iterrows():
        cells = [row["variant"]]
        for name in (cost, value):
            cells += [plain_number(row[name]), *([interval(row, name)] if name in with_interval else [])]
        if has_pct:
            cells.append("unknown" if pd.isna(row["front_pct"]) else f"{row['front_pct']:.1f}")
        table.add(*cells)
    table.print()
    largest, smallest = reference or (float(rows[cost].max()), float(rows[value].min()))
    area = plain_number(pareto.hypervolume(rows[cost], rows[value], (largest, smallest)))
    units = [COLUMNS[name].unit or label(name) for name in (cost, value)]
    at = f"{plain_number(largest, digits=6)} {units[0]}, {plain_number(smallest, digits=6)} {units[1]}"
    why = "" if reference else f" (the largest {label(cost)} and the smallest {label(value)} here)"
    say(f"hypervolume {area} ({' x '.join(units)}), reference point {at}{why}")


def _title(name: str) -> str:
    unit = COLUMNS[name].unit
    return f"{label(name)} ({unit})" if unit else label(name)
