"""A search as tables: what was evaluated when and why, and how far its word was off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.statistics.pareto import front_of_rows
from mbsweep.storage.search_tables import CHOSEN, DONE, FAILED, EvaluationRow
from mbsweep.storage.store import Store
from mbsweep.table.columns import FIELDS, INTERVALS, OF_STAGES
from mbsweep.table.decide import TOP1
from mbsweep.table.names import Names

NOT_YET = "not evaluated yet; run the sweep again to go on"
NOT_CHOSEN = "not evaluated by the search"
_NUMBERS = ("predicted_pct", "low_pct", "high_pct", "gain", "value_pct", "hypervolume")
# What of a choice stands before its costs and its accuracy; what stands behind them, before its fields.
_CHOICE = (
    *("evaluation", "batch", "variant", "why"),
    *("predicted_pct", "predicted_low_pct", "predicted_high_pct", "gain_pct"),
)
_SEEN = ("seen_pct", "on_front", "hypervolume_pct", "state", "reason")


@dataclass(frozen=True)
class Axis:
    """What a step along an axis of the space buys, in points of top-1, with its 95 % interval.

    costs: what it takes more, of each cost of the search; none where that is not known.
    """

    axis: str
    start: str
    end: str
    points: float
    low: float
    high: float
    costs: tuple[float, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether it is sure that it helps, or that it harms."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Confirmed:
    """A variant of the front, measured whole and trained alone. What is unknown is NaN."""

    variant: str
    config: str  # "": no latency was measured
    said_ms: tuple[float, float, float]  # as the search had it, with its 95 % interval
    measured_ms: tuple[float, float, float]
    seen_pct: float  # by the search, on the validation part
    tested_pct: float  # the same weights, on the test part
    alone_pct: tuple[float, float, float]  # trained alone, on the test part, with its 95 % interval

    @property
    def is_known(self) -> bool:
        """Whether it was measured, or trained alone."""
        return not (math.isnan(self.measured_ms[0]) and math.isnan(self.alone_pct[0]))

    @property
    def latency_off_pct(self) -> float:
        """By how much the measured latency is above what was said."""
        return 100 * (self.measured_ms[0] / self.said_ms[0] - 1)

    @property
    def is_within(self) -> bool | None:
        """Whether the intervals of what was said and of what was measured meet; None: unknown."""
        ends = (*self.said_ms[1:], *self.measured_ms[1:])
        if any(map(math.isnan, ends)):
            return None
        return self.said_ms[1] <= self.measured_ms[2] and self.measured_ms[1] <= self.said_ms[2]

    @property
    def accuracy_off(self) -> float:
        """By how many points the network is better, trained alone, than what the search saw of it."""
        return self.alone_pct[0] - self.seen_pct


@dataclass(frozen=True, eq=False)
class Search:
    """What a run's search has found so far.

    about: as a run keeps it. rows: one per choice, in their order; see `tabulate_search`. costs: the columns
    of what it made small. names: what evaluated variants are called in the run in short.
    config: that of the latency which it made small, or the first.
    """

    about: Mapping[str, Any]
    rows: pd.DataFrame
    costs: tuple[str, ...]
    names: Mapping[str, str]
    config: str | None

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the sweep's `search`."""
        found: Mapping[str, Any] = self.about["settings"]
        return found

    @property
    def asked(self) -> int:
        """How many evaluations it may make."""
        return int(self.about.get("asked") or self.settings["evaluations"])

    def count(self, state: str) -> int:
        """How many of its choices are CHOSEN, DONE or FAILED."""
        return int((self.rows["state"] == state).sum())

    @property
    def ended(self) -> int:
        """How many choices were evaluated, whatever came of it."""
        return self.count(DONE) + self.count(FAILED)

    @property
    def is_open(self) -> bool:
        """Whether it was stopped before its end: there is more to evaluate, or to confirm."""
        waits = self.count(CHOSEN) > 0 or len(self.rows) < min(self.asked, len(self.rows) + self.left)
        return waits or (self.settings.get("confirm", 0) > 0 and "confirm" not in self.about)

    @property
    def left(self) -> int:
        """How many variants within the budgets it has not chosen."""
        return max(0, int(self.about["space"]["feasible"]) - len(self.rows))

    @property
    def began_with(self) -> int:
        """How many of its choices were made before it knew anything."""
        start = self.settings.get("start", 0)
        return min(start if isinstance(start, int) else len(start), len(self.rows))

    @property
    def front(self) -> pd.DataFrame:
        """The rows that no other beats, by rising cost."""
        return self.rows[self.rows["on_front"]].sort_values(list(self.costs), kind="stable")

    @property
    def hypervolume_pct(self) -> float:
        """The last that is known, of the box up to the reference point; NaN before the first evaluation."""
        known = self.rows["hypervolume_pct"].dropna()
        return float(known.iloc[-1]) if len(known) else math.nan

    def hypervolume_after(self, count: int) -> float:
        """The same after so many choices."""
        known = self.rows["hypervolume_pct"].head(count).dropna()
        return float(known.iloc[-1]) if len(known) else math.nan

    def reached(self, share: float) -> int | None:
        """After how many evaluations it had such a share of the hypervolume that it has now."""
        enough = np.flatnonzero(self.rows["hypervolume_pct"] >= share * self.hypervolume_pct)
        return int(enough[0]) + 1 if len(enough) else None

    @property
    def axes(self) -> list[Axis]:
        """What each step buys, the largest first."""
        found = []
        for row in self.about.get("account") or ():
            points, low, high = (_number(row[name]) for name in ("points", "low", "high"))
            costs = tuple(map(_number, row.get("costs") or ()))
            found.append(Axis(row["axis"], f"{row['from']}", f"{row['to']}", points, low, high, costs))
        return sorted(found, key=lambda axis: -abs(axis.points))

    @property
    def reached_pct(self) -> tuple[float, float, float] | None:
        """How much of the hypervolume that is to be had it has found, as the surrogate has it, with 95 %."""
        found = self.about.get("reached")
        return _three([100 * one for one in found]) if found else None

    @property
    def confirmed(self) -> list[Confirmed]:
        """What was measured and trained alone; one for each latency configuration of a variant."""
        found = []
        for row in self.about.get("confirm") or ():
            seen, tested, *alone = map(_number, row.get("top1") or [None] * 5)
            told = row.get("latency") or {"": [None] * 6}
            for config, numbers in told.items():
                said, measured = _three(numbers[:3]), _three(numbers[3:])
                one = Confirmed(row["variant"], config, said, measured, seen, tested, _three(alone))
                found += [one] if one.is_known else []
        return found


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _three(values: Sequence[Any]) -> tuple[float, float, float]:
    first, low, high = map(_number, values)
    return first, low, high


def tabulate_search(
    about: Mapping[str, Any], evaluations: Sequence[EvaluationRow], table: pd.DataFrame
) -> Search:
    """What a search has found. table: the run's.

    rows has evaluation and batch, from 1; variant; why it was chosen; the top-1 that was expected of it, with
    its 95 % interval, and the hypervolume; its costs; top1_pct, on the test part; seen_pct, what the search
    saw, on the validation part where there is one; on_front, among what the search saw; the hypervolume after
    it, in percent of the box up to the reference point; state and reason; the fields of its network.
    """
    costs, config = _objectives(about, table)
    names = list(EvaluationRow._fields)
    rows = pd.DataFrame([list(row) for row in evaluations], columns=names)
    rows = rows.astype(dict.fromkeys(_NUMBERS, float))
    rows["evaluation"], rows["batch"] = rows["number"] + 1, rows["batch"] + 1
    rows = rows.rename(columns={"low_pct": "predicted_low_pct", "high_pct": "predicted_high_pct"})
    rows = rows.rename(columns={"value_pct": "seen_pct"})
    rows["gain_pct"], rows["hypervolume_pct"] = 100 * rows["gain"], 100 * rows["hypervolume"]
    waiting = rows["state"] == CHOSEN
    rows["reason"] = rows["reason"].astype(object).mask(waiting, NOT_YET).replace("", None)
    numbers = [*(end for name in (*costs, TOP1) for end in (name, *INTERVALS.get(name, ())))]
    fields = [name for name in ("family", *FIELDS, *OF_STAGES) if name in table]
    known = table if config is None else table[table["config"] == config]
    known = known.drop_duplicates("variant")[["variant", *fields, *dict.fromkeys(numbers)]]
    rows = rows.merge(known, how="left", on="variant")
    rows["on_front"] = _front(rows, costs, _least(about))
    evaluated = table[table["variant"].isin(rows["variant"])]
    names_of = Names(table)(evaluated) if len(evaluated) else {}
    ids = dict(zip(rows["variant"], rows["variant"], strict=True))
    return Search(about, rows[[*_CHOICE, *numbers, *_SEEN, *fields]], costs, ids | names_of, config)


def _least(about: Mapping[str, Any]) -> float:
    """The least accuracy that its budgets allow."""
    budget = (about["settings"].get("budgets") or {}).get(TOP1) or {}
    return float(budget.get("min") or -math.inf)


def of_search(table: pd.DataFrame, store: Store) -> pd.DataFrame:
    """A run's table, if it is of a search: what is not evaluated says why its accuracy is unknown.

    And in the configurations that confirm some networks, by measuring them whole, the others have no rows.
    """
    about = store.search()
    if about is None:
        return table
    failed = pd.MultiIndex.from_tuples(store.failures(), names=["variant", "config"])
    tried = table["latency_ms"].notna() | pd.MultiIndex.from_frame(table[["variant", "config"]]).isin(failed)
    table = table[tried | ~table["config"].isin(about.get("whole", []))].reset_index(drop=True)
    reasons = {row.variant: NOT_YET if row.state == CHOSEN else row.reason for row in store.evaluations()}
    told = table["variant"].map(lambda variant: reasons.get(variant, NOT_CHOSEN)).astype(object)
    is_unknown = table["top1_pct"].isna() & (told != "")
    table["top1_reason"] = table["top1_reason"].astype(object).mask(is_unknown, told)
    return table


def _objectives(about: Mapping[str, Any], table: pd.DataFrame) -> tuple[tuple[str, ...], str | None]:
    """The costs, and the configuration whose latency is one of these, or is the first."""
    costs, configs = [], list(table["config"].dropna().unique())
    config = configs[0] if configs else None
    for objective in about["settings"]["objectives"]:
        name, _, of_config = str(objective).partition("@")
        config = of_config or config
        costs += [name] if name != TOP1 else []
    return tuple(costs), config


def _front(rows: pd.DataFrame, costs: Sequence[str], least_pct: float) -> NDArray[np.bool_]:
    """Mask of what no other evaluated variant beats in what the search saw."""
    admitted = rows["seen_pct"].where(rows["seen_pct"] >= least_pct)
    return front_of_rows(rows[list(costs)].to_numpy(float), admitted.to_numpy(float))
