"""`mbsweep pick`: what fits a budget and why, and what just misses it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mbsweep.accuracy.value import source_words
from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import say
from mbsweep.base.rules import integer
from mbsweep.table import trust
from mbsweep.table.columns import EXACT
from mbsweep.table.decide import Budget, Decision, checked, decide
from mbsweep.table.panels import heading, interval, label, of_config, panels, print_cautions, where, with_unit
from mbsweep.table.results import Run


def print_picks(run: Run, budget: Budget, config: str | None, count: int) -> bool:
    """Print the best `count` variants of each panel, or of one configuration; whether any fits.

    Raises MbsweepError for a configuration that the run does not have, and for a number that is needed and
    known of no variant.
    """
    checked("--count", count, integer(1, 1_000_000, 3))
    table = of_config(run, config)
    _check_known(table, budget, where(run, config))
    any_fits, remarks = False, run.remarks()
    for number, rows in enumerate(panels(table)):
        decision = decide(rows, budget)
        any_fits |= bool(decision.fitting)
        if number:
            say()
        say(heading(rows))
        print_cautions(trust.of_latencies(rows, remarks.get(rows["config"].iloc[0], ())))
        if any(name in budget.needed for name in ("top1_pct", "top5_pct")):
            print_cautions([*_mixed(rows), *trust.of_accuracies(rows)])
        _print_decision(rows, budget, decision, count)
    return any_fits


def _mixed(rows: pd.DataFrame) -> list[str]:
    """A warning where accuracies of several sources are compared."""
    sources = rows.loc[rows["top1_pct"].notna(), "top1_source"].unique()
    return [f"accuracies of several sources are compared: {', '.join(sources)}"] if len(sources) > 1 else []


def _check_known(table: pd.DataFrame, budget: Budget, place: str) -> None:
    for name in budget.needed:
        if table[name].notna().any():
            continue
        if name == "latency_ms":
            raise MbsweepError(
                f"{place} has no latency that --max-latency-ms could limit; leave it out, or limit --max-macs"
            )
        advice = "--maximize macs picks the largest that fits"
        if name != budget.maximize:
            advice = "leave --min-top1 out"
        raise MbsweepError(f"{place}: {name} is known of no variant{_why(table, name)}; {advice}")


def _print_decision(rows: pd.DataFrame, budget: Budget, decision: Decision, count: int) -> None:
    for rank, place in enumerate(decision.fitting[:count], start=1):
        _print_row(f"{rank:>3}. ", rows.iloc[place], budget)
    missed = decision.missed
    if decision.unknown == len(rows):
        say(f"  nothing can be judged: {_unknown(rows, budget)}")
    elif not decision.fitting:
        say("  nothing fits")
    if decision.nearest is not None:
        say("  nearest:")
        _print_row("  -  ", rows.iloc[decision.nearest], budget)
        missed = tuple(place for place in missed if place != decision.nearest)
    if missed:
        better = "better, and " if decision.fitting else ""
        say(f"  just missed ({better}at most 10 % over):")
        for place in missed[:count]:
            _print_row("  -  ", rows.iloc[place], budget)
    say(f"  {_counts(len(rows), decision)}")


def _unknown(rows: pd.DataFrame, budget: Budget) -> str:
    """`top-1 accuracy is known of no variant (REASON)`, of the first number that is needed and unknown."""
    for name in budget.needed:
        if rows[name].notna().any():
            continue
        return f"{label(name)} is known of no variant{_why(rows, name)}"
    return f"{' and '.join(map(label, budget.needed))} are known together of no variant"


def _why(rows: pd.DataFrame, name: str) -> str:
    """` (REASON)` where a number is unknown in all rows for one reason; else nothing."""
    reasons = rows["top1_reason" if name.startswith("top") else "error"].unique()
    return f" ({reasons[0]})" if len(reasons) == 1 and isinstance(reasons[0], str) else ""


def _print_row(mark: str, row: pd.Series[Any], budget: Budget) -> None:
    latency = ["latency_ms"] if pd.notna(row["latency_ms"]) else []  # told without a limit, too
    names = dict.fromkeys([budget.maximize, *latency, *budget.needed])
    cautions = {name: words[0] for name, words in trust.of_each(row.to_frame().T).items() if words[0]}
    say(f"{mark}{row['variant']}")
    say(f"     {'; '.join(_reason(name, row, budget, cautions.get(name, '')) for name in names)}")


def _reason(name: str, row: pd.Series[Any], budget: Budget, caution: str) -> str:
    """`latency 1.49 ms (95 % interval 1.48 to 1.5 ms), 74.4 % of 2 ms`: a number and what it means."""
    said = f"{label(name)} {with_unit(name, row[name])} ({_origin(name, row)}{caution and f', {caution}'})"
    limit = budget.limits.get(name)
    if limit is not None:
        over_pct = budget.over_pct(row).get(name)
        most = with_unit(name, limit, digits=10)
        if over_pct is None:
            said += f", {100 * row[name] / limit:.1f} % of {most}"
        else:
            said += f", exceeds {most} by {f'{over_pct:,.1f}' if over_pct >= 0.05 else 'less than 0.1'} %"
        if name == "latency_ms":
            said += _doubt(row, limit)
    if name == "top1_pct" and budget.min_top1_pct is not None:
        least = with_unit(name, budget.min_top1_pct, digits=10)
        said += f", {'below' if row[name] < budget.min_top1_pct else 'at least'} {least}"
    return said


def _origin(name: str, row: pd.Series[Any]) -> str:
    if name in EXACT:
        return "exact"
    if name == "latency_ms":
        ends = interval(row)
        return f"{row['latency_kind']}, 95 % interval {ends}{' ms' if ends[0].isdigit() else ''}"
    known = name == "top1_pct" and pd.notna(row["top1_low_pct"])
    sure = f", 95 % interval {interval(row, name)} %" if known else ""
    return f"{source_words(row['top1_kind'], row['top1_source'])}{sure}"


def _doubt(row: pd.Series[Any], limit: float) -> str:
    """Whether the interval reaches over the limit, or below it, while the latency itself does not."""
    is_over = row["latency_ms"] > limit
    if not (row["latency_low_ms"] <= limit if is_over else row["latency_high_ms"] > limit):
        return ""
    way = {"measured": "measurement", "predicted": "prediction"}.get(row["latency_kind"], "source")
    return f", not settled by the {way}: the interval reaches {'within' if is_over else 'beyond'}"


def _counts(total: int, decision: Decision) -> str:
    said = f"{len(decision.fitting):,} of {total:,} fit, {decision.beyond:,} do not"
    if decision.unknown:
        said += f"; of {decision.unknown:,} a needed number is unknown"
    if decision.failed:
        said += f", {decision.failed:,} of these with an error"
    return said
