"""What a search has found, in sentences that its page and the terminal share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.storage.search_tables import CHOSEN, FAILED
from mbsweep.table.columns import COLUMNS
from mbsweep.table.decide import TOP1
from mbsweep.table.panels import label, with_unit
from mbsweep.table.ratios import rank_agreement
from mbsweep.table.search import Axis, Confirmed, Search


def standing(search: Search) -> str:
    """How many were evaluated, how many of these failed, how many are on the front; what is to come."""
    failed, waiting = search.count(FAILED), search.count(CHOSEN)
    said = f"{search.settings['method']}: {search.ended:,} of {search.asked:,} evaluations"
    said += f", {failed:,} of which failed" if failed else ""
    said += f"; {len(search.front):,} on the front" if len(search.front) else ""
    said += f"; {waiting:,} chosen and not evaluated yet" if waiting else ""
    if search.is_open:
        said += "; run the sweep again to go on"
    return f"{said}."


def nothing_yet(search: Search) -> str:
    """Why there is no front; nothing where there is one."""
    if len(search.front) or not len(search.rows):
        return ""
    seen = search.rows["seen_pct"]
    if seen.notna().any():
        floor = search.settings["budgets"][TOP1]["min"]
        has = f"the best so far has {seen.max():.2f} %"
        return f"No variant that was evaluated has the {floor:g} % top-1 that is the least asked for; {has}."
    if search.ended:
        return "All that were evaluated have failed; the reasons stand in the table."
    return "Nothing is evaluated yet."


def budgets(search: Search) -> Iterator[tuple[str, int, float]]:
    """Each budget known beforehand, how many of the space fit it, and what share; then all together."""
    space = search.about["space"]
    every = max(int(space["variants"]), 1)
    asked = search.settings.get("budgets") or {}
    for name, count in (space.get("budgets") or {}).items():
        column, _, config = name.partition("@")
        ends = asked.get(name) or {}
        words = " and ".join(
            f"{which} {with_unit(column, float(ends[end]))}"
            for end, which, none in (("min", "at least", 0), ("max", "at most", math.inf))
            if ends.get(end) not in (None, none)
        )
        where = f" in {config}" if config else ""
        yield f"{label(column)}{where} {words}".rstrip(), int(count), 100 * count / every
    yield "all together", int(space["feasible"]), 100 * space["feasible"] / every


def space(search: Search) -> str:
    """How large the space is, and how much of it the budgets leave."""
    found = search.about["space"]
    every, able = int(found["variants"]), int(found["feasible"])
    if not (search.about["space"].get("budgets") or {}):
        return f"{every:,} variants; no budget leaves any out."
    return f"{able:,} of {every:,} variants ({_share(100 * able / max(every, 1))}) are within the budgets."


def _share(pct: float) -> str:
    return f"{pct:.3g} %"


def hypervolume(search: Search) -> str:
    """The last, with its reference point, and how it came about."""
    if math.isnan(search.hypervolume_pct):
        return "Hypervolume is unknown before the first evaluation."
    said = f"Hypervolume {search.hypervolume_pct:.1f} % of the box up to {search.about['reference']}"
    first = search.hypervolume_after(search.began_with)
    if 0 < search.began_with < search.ended and search.hypervolume_pct > 0:
        share = 100 * first / search.hypervolume_pct
        said += f"; {share:.1f} % of that after the {search.began_with} that it began with"
        said += f", 99 % after {search.reached(0.99)}"
    if search.reached_pct is not None:
        share, low, high = search.reached_pct
        said += f". As the surrogate has it, that is {share:.1f} % (95 %: {low:.1f} to {high:.1f} %) of what"
        said += " is to be had"
    return f"{said}."


def reference(names: Sequence[str], costs: Sequence[float], pct: float) -> str:
    """Up to where hypervolume counts. names: of the costs, as a sweep's objectives say them."""
    columns = [name.partition("@")[0] for name in names]
    said = [amount(column, float(f"{cost:.4g}")) for column, cost in zip(columns, costs, strict=True)]
    return f"{', '.join(said)} and {pct:.4g} % top-1"


def amount(column: str, value: float) -> str:
    """`0.99 ms`, `356,600,000 mult-adds`."""
    words = with_unit(column, value)
    return words if COLUMNS[column].unit else f"{words} {label(column)}"


def axes(search: Search) -> str:
    """What the surrogate says of the steps along the axes, in few words."""
    found = [axis for axis in search.axes if not math.isnan(axis.points)]
    if not found:
        return ""
    helps = [axis for axis in found if axis.low > 0]
    harms = [axis for axis in found if axis.high < 0]
    said = []
    if helps:
        said.append(f"Most is gained by {_step(helps[0])}")
        if len(helps) > 1:
            said[-1] += f", then by {_step(helps[1])}"
    if harms:
        said.append(f"{'Lost' if said else 'Most is lost'} by {_step(harms[0])}")
    unsure = len(found) - len(helps) - len(harms)
    if not said:
        return f"Of none of {unsure} steps is it sure that it helps or harms."
    counts = {f"{len(helps)} help for sure": helps, f"{len(harms)} harm": harms}
    told = [words for words, some in counts.items() if some]
    told += [f"of {unsure} it is open"] if unsure else []
    said.append(f"Of {len(found)} steps {', '.join(told)}")
    return ". ".join(said) + "."


def _step(axis: Axis) -> str:
    words = f"{axis.axis.replace('_', ' ')} from {axis.start} to {axis.end}"
    return f"{words}: {axis.points:+.2f} points (95 %: {axis.low:+.2f} to {axis.high:+.2f})"


def confirmed(search: Search) -> list[str]:
    """How far what it said was off: of latencies, then of accuracies; nothing where nothing was confirmed."""
    found = search.confirmed
    said = []
    latencies = [one for one in found if not math.isnan(one.latency_off_pct)]
    if latencies:
        said.append(_latencies(latencies))
    alone = {one.variant: one for one in found if not math.isnan(one.accuracy_off)}
    if alone:
        said.append(_accuracies(list(alone.values())))
    return said


def _latencies(found: list[Confirmed]) -> str:
    off = np.array([one.latency_off_pct for one in found])
    meets = [one.is_within for one in found if one.is_within is not None]
    said = f"Latency of {len(found)}, measured whole: {np.median(off):+.1f} % against what was said"
    said += f" in the median, {off[np.abs(off).argmax()]:+.1f} % at worst" if len(found) > 1 else ""
    return f"{said}; the intervals meet of {sum(meets)} of {len(meets)}." if meets else f"{said}."


def _accuracies(found: list[Confirmed]) -> str:
    seen, alone = zip(*((one.seen_pct, one.alone_pct[0]) for one in found), strict=True)
    off = np.subtract(alone, seen)
    said = (
        f"Accuracy of {len(found)}, trained alone: {np.median(off):+.2f} points against what the search saw"
    )
    if len(found) > 1:
        said += f" in the median, {off[np.abs(off).argmax()]:+.2f} at worst"
        tau, _ = rank_agreement(pd.Series(seen), pd.Series(alone))
        if not math.isnan(tau):
            said += (
                "; ranked the same"
                if math.isclose(tau, 1)
                else f"; of their order Kendall's tau is {tau:.2f}"
            )
    return f"{said}."


def objective(name: str) -> str:
    """A column of a table of evaluations, as its head."""
    column = COLUMNS[name]
    return f"{column.label} ({column.unit})" if column.unit else column.label


def kept(value: Any) -> str:
    """A reason or a why; nothing where there is none."""
    return value if isinstance(value, str) else ""
