"""What `mbsweep pick` prints: a small table for each panel, and what is to be known of what it names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mbsweep.accuracy.value import source_words
from mbsweep.base.printing import Table, say, say_command
from mbsweep.base.suggest import command
from mbsweep.commands._picks import Answer, unknown_words
from mbsweep.space.families import family_of
from mbsweep.space.variant import Variant
from mbsweep.table import trust
from mbsweep.table.columns import INTERVALS
from mbsweep.table.decide import Budget, Decision
from mbsweep.table.hand_over import export_command
from mbsweep.table.odds import SAFE_PCT
from mbsweep.table.panels import interval, label, plain_number, print_heading, title, with_unit

Named = tuple[str, int]  # what stands before a row, and its place in the panel


def print_picks(run: Path, found: Sequence[Answer], budget: Budget, count: int) -> None:
    """Print the best `count` variants of each panel of a run, and what else is near."""
    for number, answer in enumerate(found):
        if number:
            say()
        print_heading(answer.rows, answer.cautions)
        _print_answer(answer, budget, count)
    _print_chosen(run, found)


def _print_answer(answer: Answer, budget: Budget, count: int) -> None:
    rows, decision = answer.rows, answer.decision
    if decision.unknown == len(rows):
        say(f"  nothing can be judged: {unknown_words(rows, budget)}")
    elif not decision.fitting:
        say("  nothing fits")
    parts = [(words, named) for words, named in _parts(answer, count) if named]
    places = list(dict.fromkeys(place for _, named in parts for _, place in named))
    if places:
        columns = _Columns(answer, budget, places)
        table = Table(columns.titles, left=(0, 1))
        for words, named in parts:
            if words:
                table.add_words(words)
            for mark, place in named:
                table.add(mark, *columns.cells(place), style="green" if mark == "1" and not words else "")
        table.print()
        for line in _notes(answer, budget, places):
            say(f"  {line}")
    say(f"  {_counts(len(rows), decision)}")


def _parts(answer: Answer, count: int) -> Iterator[tuple[str, list[Named]]]:
    """What is named, with the words above it."""
    decision, safe = answer.decision, answer.safe
    ranks = {place: str(rank) for rank, place in enumerate(decision.fitting, start=1)}
    yield "", [(ranks[place], place) for place in decision.fitting[:count]]
    if safe is not None and safe != decision.fitting[0]:
        yield f"to be safe, the best that fits with {SAFE_PCT} %:", [(ranks[safe], safe)]
    if decision.nearest is not None:
        yield "nearest:", [("-", decision.nearest)]
    missed = [("-", place) for place in decision.missed if place != decision.nearest]
    better = "better, and " if decision.fitting else ""
    yield f"just missed ({better}at most 10 % over):", missed[:count]
    if not missed and decision.step is not None:
        yield "a step more:", [("-", decision.step)]


class _Columns:
    """The columns of a panel's table: those numbers that a budget is about, and how sure they are."""

    def __init__(self, answer: Answer, budget: Budget, places: Sequence[int]) -> None:
        self._answer, self._budget = answer, budget
        shown = answer.rows.iloc[list(places)]
        latency = ["latency_ms"] if shown["latency_ms"].notna().any() else []  # told without a limit, too
        self._names = list(dict.fromkeys([budget.goal, *latency, *budget.needed]))
        self._with_interval = {
            name
            for name in self._names
            if name == "latency_ms" or (name in INTERVALS and shown[INTERVALS[name][0]].notna().any())
        }
        self._has_budget = bool(budget.limits) or budget.min_top1_pct is not None
        chances = answer.chances
        self._chances = {
            words: pct
            for words, pct in (("fits", chances.fits_pct), ("best", chances.best_pct))
            if any(0 < pct[place] < 100 for place in places)
        }

    @property
    def titles(self) -> list[str]:
        """Of all of them."""
        found = ["", "network"]
        for name in self._names:
            found += [title(name), "95 %"] if name in self._with_interval else [title(name)]
        if self._has_budget:
            of_one = [with_unit(*limit, digits=10) for limit in self._budget.limits.items()]
            found.append(f"of {of_one[0] if len(of_one) == 1 else 'budget'}")
        return [*found, *self._chances]

    def cells(self, place: int) -> list[str]:
        """Of a row, but for what stands before it."""
        row = self._answer.rows.iloc[place]
        found = [self._answer.names.of(row)]
        for name in self._names:
            found.append("unknown" if pd.isna(row[name]) else plain_number(row[name]))
            if name in self._with_interval:
                found.append(interval(row, name))
        if self._has_budget:
            found.append(self._share(row))
        return found + [_percent(pct[place]) for pct in self._chances.values()]

    def _share(self, row: pd.Series[Any]) -> str:
        """`97.8 %` of the limit that is nearest, `+8.2 %` beyond one, `-1.2 points` below the floor."""
        limits, floor = self._budget.limits, self._budget.min_top1_pct
        over_pct = max(self._budget.over_pct(row).values(), default=None)
        if over_pct is not None:
            return f"+{over_pct:,.1f} %" if over_pct >= 0.05 else "+<0.1 %"
        if floor is not None and row["top1_pct"] < floor:
            return f"{row['top1_pct'] - floor:.1f} points"
        shares_pct = [100 * row[name] / limit for name, limit in limits.items()]
        return f"{max(shares_pct):.1f} %" if shares_pct else ""


def _percent(pct: float) -> str:
    """What is open is neither 0 nor 100 %."""
    if math.isnan(pct):
        return "unknown"
    return f"{min(max(pct, 1), 99) if 0 < pct < 100 else pct:.0f} %"


def _notes(answer: Answer, budget: Budget, places: Sequence[int]) -> Iterator[str]:
    """Where accuracies are from, and what is to be known of single numbers that were named."""
    rows = answer.rows.iloc[list(places)]
    called = [answer.names.of(row) for _, row in rows.iterrows()]
    accuracies = [name for name in ("top1_pct", "top5_pct") if name in budget.needed]
    if accuracies:
        sources: dict[str, list[str]] = {}
        for name, (_, row) in zip(called, rows.iterrows(), strict=True):
            if pd.notna(row[accuracies[0]]):
                sources.setdefault(source_words(row["top1_kind"], row["top1_source"]), []).append(name)
        for source, of in sources.items():
            which = f" of {', '.join(of)}" if len(sources) > 1 else ""
            yield f"{label(accuracies[0])}{which}: {source}"
    shown = {"latency_ms", *budget.needed}
    for column, words in trust.of_each(rows).items():
        if column in shown:
            yield from (
                f"{name}: {label(column)} {said}" for name, said in zip(called, words, strict=True) if said
            )


def _print_chosen(run: Path, found: Sequence[Answer]) -> None:
    """The full id of each network that was named first in a panel, and how a command takes it."""
    firsts = [(answer, next(iter(answer.decision.fitting), answer.decision.nearest)) for answer in found]
    chosen = {
        answer.rows["variant"].iloc[place]: (answer, answer.rows.iloc[place])
        for answer, place in firsts
        if place is not None
    }
    if chosen:
        say()
    exports: dict[str, dict[str, None]] = {}  # variant -> the commands that write its files, each once
    for answer, place in firsts:
        if place is not None and (line := export_command(run, answer.rows.iloc[place])):
            exports.setdefault(answer.rows["variant"].iloc[place], {})[line] = None
    for variant, (answer, row) in chosen.items():
        say(f"{answer.names.of(row)} is {variant}")
        if not family_of(row["family"]).is_code:  # whose arguments are not all in the table
            network = Variant.of_row({str(name): value for name, value in row.items()})
            say_command(command("show", *network.words))
        for line in exports.get(variant, ()):
            say_command(line)


def _counts(total: int, decision: Decision) -> str:
    said = f"{len(decision.fitting):,} of {total:,} fit, {decision.beyond:,} do not"
    if decision.unknown:
        said += f"; of {decision.unknown:,} a needed number is unknown"
    if decision.failed:
        said += f", {decision.failed:,} of these with an error"
    return said
