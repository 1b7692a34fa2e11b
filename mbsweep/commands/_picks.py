"""`mbsweep pick`: what a budget makes of each panel of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress
from mbsweep.table import trust
from mbsweep.table.asked import of_config, where
from mbsweep.table.decide import ACCURACIES, LATENCY, TOP1, Budget, Decision, decide
from mbsweep.table.names import Names
from mbsweep.table.odds import SAFE_PCT, Odds, odds
from mbsweep.table.panels import as_number, label, panel_facts, panels
from mbsweep.table.results import Run


class Answer(NamedTuple):
    """What a budget makes of one panel."""

    rows: pd.DataFrame
    cautions: list[str]
    decision: Decision
    chances: Odds
    names: Names

    @property
    def safe(self) -> int | None:
        """The best that fits with SAFE_PCT."""
        fitting = self.decision.fitting
        return next((place for place in fitting if self.chances.fits_pct[place] >= SAFE_PCT), None)


def answers(run: Run, budget: Budget, config: str | None, progress: Progress | None = None) -> list[Answer]:
    """Of each panel of a run, or of those of one configuration.

    Raises MbsweepError for a configuration that the run does not have, and for a number that is needed and
    known of no variant. progress: told how far reading it is.
    """
    table = of_config(run, config, progress)
    _check_known(table, budget, where(run, config))
    found, remarks, names = [], run.remarks(), Names(table)
    with run.resampling() as resample:
        for rows in panels(table):
            cautions = trust.of_latencies(rows, remarks.get(rows["config"].iloc[0], ()))
            if any(name in budget.needed for name in ACCURACIES):
                cautions = [*cautions, *trust.of_mixed(rows), *trust.of_accuracies(rows)]
            chances = odds(rows, budget, resample)
            found.append(Answer(rows, cautions, decide(rows, budget), chances, names))
    return found


def ids(found: Sequence[Answer]) -> list[str]:
    """The best network's id; of several panels, of each where anything fits, behind its configuration."""
    fitting = [(answer, answer.decision.fitting[0]) for answer in found if answer.decision.fitting]
    best = [(answer.rows["config"].iloc[0], answer.rows["variant"].iloc[place]) for answer, place in fitting]
    return [variant if len(found) == 1 else f"{config} {variant}" for config, variant in best]


def as_json(found: Sequence[Answer], budget: Budget, count: int) -> str:
    """All that is printed, for programs: a list of panels; what is unknown is null."""
    return json.dumps([_told(answer, budget, count) for answer in found], indent=1)


def _told(answer: Answer, budget: Budget, count: int) -> dict[str, Any]:
    rows, decision, chances = answer.rows, answer.decision, answer.chances
    names = dict.fromkeys([budget.goal, "latency_ms", "latency_low_ms", "latency_high_ms", *budget.needed])

    def variant(place: int | None) -> dict[str, Any] | None:
        if place is None:
            return None
        row = rows.iloc[place]
        numbers = {name: row[name] for name in names}
        numbers |= {"fits_pct": chances.fits_pct[place], "best_pct": chances.best_pct[place]}
        known = {name: as_number(value) for name, value in numbers.items()}
        return {"variant": row["variant"], "name": answer.names.of(row), **known}

    return {
        **panel_facts(rows),
        "limits": dict(budget.limits),
        "min_top1_pct": budget.min_top1_pct,
        "goal": budget.goal,
        "fitting": [variant(place) for place in decision.fitting[:count]],
        "safe": variant(answer.safe),
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


def _check_known(table: pd.DataFrame, budget: Budget, place: str) -> None:
    for name in budget.needed:
        if table[name].notna().any():
            continue
        if name == LATENCY:
            raise MbsweepError(
                f"{place} has no latency that --max-latency-ms could limit, or --minimize compare; "
                "leave it out, or say macs in its place"
            )
        option = "--min-top1" if name == TOP1 else f"--max-{name.replace('_', '-')}"
        known = (cost for cost in (LATENCY, "macs") if cost != name and table[cost].notna().any())
        others = " or ".join(known)
        advice = f"--minimize {others} picks without it" if name == budget.goal else f"leave {option} out"
        raise MbsweepError(f"{place}: {name} is known of no variant{_why(table, name)}; {advice}")


def unknown_words(rows: pd.DataFrame, budget: Budget) -> str:
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
