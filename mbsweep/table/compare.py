"""Configurations of a run or of two side by side: what differs, and are variants ranked alike?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.base.errors import MbsweepError
from mbsweep.table import trust
from mbsweep.table.ratios import Comparison, Ratio, compared, rank_agreement
from mbsweep.table.trust import Remarks

# What names one device, runtime and setting: the latencies of a group can be ranked.
GROUP = ["run", "config", "backend", "precision", "mode", "batch", "threads", "device", "latency_kind"]


def agreement(table: pd.DataFrame) -> tuple[list[str], NDArray[np.float64]]:
    """How alike any two configurations of a table, of all its runs and devices, rank the variants.

    Their names, in the table's order, and a symmetric matrix of Kendall's tau-b over the variants that both
    know; NaN below two of them, and where all are equal.
    """
    rows = table[table["latency_ms"].notna()]
    groups = [group for _, group in rows.groupby(GROUP, dropna=False, sort=False)]
    latencies = [group.set_index("variant")["latency_ms"] for group in groups]
    taus = np.full((len(groups), len(groups)), math.nan)
    for row, first in enumerate(latencies):
        for column, second in enumerate(latencies[: row + 1]):
            taus[row, column] = taus[column, row] = rank_agreement(first, second)[0]
    return [", ".join(map(str, _words(group.iloc[0]))) for group in groups], taus


@dataclass(frozen=True)
class Side:
    """One configuration of one run. rows: those whose latency is known, by variant."""

    run: str
    config: str
    device_id: str
    cautions: Sequence[str]
    rows: pd.DataFrame

    def latency_ms(self, variant: str) -> float:
        """Of a variant."""
        return float(cast("float", self.rows.loc[variant, "latency_ms"]))


@dataclass(frozen=True)
class Pair:
    """Two of them, and how the second is to the first."""

    a: Side
    b: Side
    found: Comparison

    @property
    def ratios(self) -> dict[str, Ratio]:
        """Of each variant that both know: B over A."""
        return {str(variant): Ratio(*numbers) for variant, *numbers in self.found.ratios.itertuples()}


def pairs(
    first: pd.DataFrame, second: pd.DataFrame, remarks: tuple[Remarks, Remarks] = ({}, {})
) -> list[Pair]:
    """Two runs' tables, configuration by configuration.

    Raises MbsweepError where the runs have no configuration in common, and not one each.
    """
    known, others = _by_config(first), _by_config(second)
    both = [(rows, others[config]) for config, rows in known.items() if config in others]
    if not both and len(known) == len(others) == 1:
        both = list(zip(known.values(), others.values(), strict=True))
    if not both:
        has = [
            f"{table['run'].iloc[0]} has {', '.join(configs) or 'nothing'}"
            for table, configs in ((first, known), (second, others))
        ]
        raise MbsweepError(f"the runs have no latency configuration in common: {'; '.join(has)}")
    return [_pair(_side(a, remarks[0]), _side(b, remarks[1])) for a, b in both]


def pairs_within(table: pd.DataFrame, remarks: Remarks | None = None) -> list[Pair]:
    """Of one run's table, each further configuration against the first.

    Raises MbsweepError where it has no two of them.
    """
    known = _by_config(table)
    if len(known) < 2:
        raise MbsweepError(
            f"{table['run'].iloc[0]} has latencies of {', '.join(known) or 'no configuration'}, so there is "
            "nothing to compare within it; name another run behind it"
        )
    first, *others = (_side(rows, remarks or {}) for rows in known.values())
    return [_pair(first, other) for other in others]


def _by_config(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Configuration -> its rows whose latency is known."""
    rows = table[table["latency_ms"].notna()]
    return {str(config): group for config, group in rows.groupby("config", sort=False)}


def _side(rows: pd.DataFrame, remarks: Remarks) -> Side:
    first = rows.iloc[0]
    cautions = trust.of_latencies(rows, remarks.get(config := str(first["config"]), ()))
    return Side(str(first["run"]), config, str(first["device_id"]), cautions, rows.set_index("variant"))


def _pair(a: Side, b: Side) -> Pair:
    return Pair(a, b, compared(a.rows, b.rows))


def _words(row: pd.Series[Any]) -> list[object]:
    words = [row["run"]] if isinstance(row["run"], str) else [row["device"]]
    return [*words, row["config"] if isinstance(row["config"], str) else row["backend"], row["latency_kind"]]
