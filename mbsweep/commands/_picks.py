"""`mbsweep pick`: what fits a budget and why, and what just misses it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from mbsweep.accuracy.value import source_words
from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import say
from mbsweep.table import trust
from mbsweep.table.columns import EXACT
from mbsweep.table.decide import ACCURACIES, Budget, Decision, decide
from mbsweep.table.odds import SAFE_PCT, Odds, odds
from mbsweep.table.panels import heading, interval, label, of_config, panels, print_cautions, where, with_unit
from mbsweep.table.results import Run


class Answer(NamedTuple):
    """What a budget makes of one panel."""

    rows: pd.DataFrame
    cautions: list[str]
    decision: Decision
    chances: Odds


def answers(run: Run, budget: Budget, config: str | None) -> list[Answer]:
    """Of each panel of a run, or of those of one configuration.

    Raises MbsweepError for a configuration that the run does not have, and for a number that is needed and
    known of no variant.
    """
    table = of_config(run, config)
    _check_known(table, budget, where(run, config))
    found, remarks = [], run.remarks()
    with run.resampling() as resample:
        for rows in panels(table):
            cautions = trust.of_latencies(rows, remarks.get(rows["config"].iloc[0], ()))
            if any(name in budget.needed for name in ACCURACIES):
                cautions = [*cautions, *_mixed(rows), *trust.of_accuracies(rows)]
            found.append(Answer(rows, cautions, decide(rows, budget), odds(rows, budget, resample)))
    return found


def print_picks(found: Sequence[Answer], budget: Budget, count: int) -> None:
    """Print the best `count` variants of each panel, and what else is near."""
    for number, answer in enumerate(found):
        if number:
            say()
        say(heading(answer.rows))
        print_cautions(answer.cautions)
        _print_decision(answer.rows, budget, answer.decision, answer.chances, count)


def as_json(found: Sequence[Answer], budget: Budget, count: int) -> str:
    """The same for programs: a list of panels; what is unknown is null."""
    return json.dumps([_told(answer, budget, count) for answer in found], indent=1)


def _told(answer: Answer, budget: Budget, count: int) -> dict[str, Any]:
    rows, decision, chances = answer.rows, answer.decision, answer.chances
    names = dict.fromkeys([budget.goal, "latency_ms", "latency_low_ms", "latency_high_ms", *budget.needed])

    def variant(place: int | None) -> dict[str, Any] | None:
        if place is None:
            return None
        numbers = {name: rows[name].iloc[place] for name in names}
        numbers |= {"fits_pct": chances.fits_pct[place], "best_pct": chances.best_pct[place]}
        known = {name: float(value) if pd.notna(value) else None for name, value in numbers.items()}
        return {"variant": rows["variant"].iloc[place], **known}

    shared = {name: _shared(rows, name) for name in ("config", "device", "latency_kind")}
    return {
        **shared,
        "limits": dict(budget.limits),
        "min_top1_pct": budget.min_top1_pct,
        "goal": budget.goal,
        "fitting": [variant(place) for place in decision.fitting[:count]],
        "safe": variant(_safe(decision, chances)),
        "missed": [variant(place) for place in decision.missed[:count]],
        "step": variant(decision.step),
        "nearest": variant(decision.nearest),
        "counts": {
            "fitting": len(decision.fitting),
            "beyond": decision.beyond,
            "unknown": decision.unknown,
            "failed": decision.failed,
        },
        "cautions": answer.cautions,
    }


def _shared(rows: pd.DataFrame, name: str) -> str | None:
    known = rows.loc[rows["latency_ms"].notna(), name] if name != "config" else rows[name]
    return known.iloc[0] if len(known) and isinstance(known.iloc[0], str) else None


def _safe(decision: Decision, chances: Odds) -> int | None:
    """The best that fits with SAFE_PCT."""
    return next((place for place in decision.fitting if chances.fits_pct[place] >= SAFE_PCT), None)


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
                f"{place} has no latency that --max-latency-ms could limit, or --minimize compare; "
                "leave it out, or say macs in its place"
            )
        advice = (
            "--minimize latency_ms or macs picks without it"
            if name == budget.goal
            else "leave --min-top1 out"
        )
        raise MbsweepError(f"{place}: {name} is known of no variant{_why(table, name)}; {advice}")


def _print_decision(
    rows: pd.DataFrame, budget: Budget, decision: Decision, chances: Odds, count: int
) -> None:
    for rank, place in enumerate(decision.fitting[:count], start=1):
        _print_row(f"{rank:>3}. ", rows.iloc[place], budget, _chance(chances, place))
    safe = _safe(decision, chances)
    if safe is not None and safe != decision.fitting[0]:
        say(f"  to be safe, the best that fits with {SAFE_PCT} %:")
        _print_row("  -  ", rows.iloc[safe], budget, _chance(chances, safe))
    missed = decision.missed
    if decision.unknown == len(rows):
        say(f"  nothing can be judged: {_unknown(rows, budget)}")
    elif not decision.fitting:
        say("  nothing fits")
    if decision.nearest is not None:
        say("  nearest:")
        _print_row("  -  ", rows.iloc[decision.nearest], budget, _chance(chances, decision.nearest))
        missed = tuple(place for place in missed if place != decision.nearest)
    if missed:
        better = "better, and " if decision.fitting else ""
        say(f"  just missed ({better}at most 10 % over):")
        for place in missed[:count]:
            _print_row("  -  ", rows.iloc[place], budget, _chance(chances, place))
    elif decision.step is not None:
        say("  a step more:")
        _print_row("  -  ", rows.iloc[decision.step], budget, "")
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


def _chance(chances: Odds, place: int) -> str:
    """`; fits with 86 %, is the best with 80 %`: where measurements or predictions leave it open."""
    # What is open is neither 0 nor 100 %.
    fits, best = (
        f"{min(max(pct, 1), 99):.0f} %" for pct in (chances.fits_pct[place], chances.best_pct[place])
    )
    said = [f"fits with {fits}"] if 0 < chances.fits_pct[place] < 100 else []
    said += [f"is the best with {best}"] if 0 < chances.best_pct[place] < 100 and best != fits else []
    return f"; {', '.join(said)}" if said else ""


def _print_row(mark: str, row: pd.Series[Any], budget: Budget, chance: str) -> None:
    """chance: what is said behind the numbers."""
    latency = ["latency_ms"] if pd.notna(row["latency_ms"]) else []  # told without a limit, too
    names = dict.fromkeys([budget.goal, *latency, *budget.needed])
    cautions = {name: words[0] for name, words in trust.of_each(row.to_frame().T).items() if words[0]}
    say(f"{mark}{row['variant']}")
    say(f"     {'; '.join(_reason(name, row, budget, cautions.get(name, '')) for name in names)}{chance}")


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


def _counts(total: int, decision: Decision) -> str:
    said = f"{len(decision.fitting):,} of {total:,} fit, {decision.beyond:,} do not"
    if decision.unknown:
        said += f"; of {decision.unknown:,} a needed number is unknown"
    if decision.failed:
        said += f", {decision.failed:,} of these with an error"
    return said
