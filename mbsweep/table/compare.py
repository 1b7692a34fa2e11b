"""Two runs side by side: which latencies differ beyond their intervals, and are variants ranked alike?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray

from mbsweep.base.errors import MbsweepError
from mbsweep.table import trust
from mbsweep.table.trust import Remarks

# What names one device, runtime and setting: the latencies of a group can be ranked.
GROUP = ["run", "config", "backend", "precision", "mode", "batch", "threads", "device", "latency_kind"]


@dataclass(frozen=True)
class Ratio:
    """Latency of a variant in one run over that in another, with its 95 % interval. NaN: unknown."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Whether the latencies differ beyond their intervals."""
        if math.isnan(self.low):
            return "interval unknown"
        return "slower" if self.low > 1 else "faster" if self.high < 1 else "not settled"


def ratio(first: pd.Series[float], second: pd.Series[float]) -> Ratio:
    """Second over first, of two rows of a table.

    The logarithms of the two headlines are taken as independent and normal, with the spread that their
    intervals show; so the logarithm of the ratio is normal, too.
    """
    value = second["latency_ms"] / first["latency_ms"]
    spread = math.hypot(
        *(math.log(row["latency_high_ms"] / row["latency_low_ms"]) / 2 for row in (first, second))
    )
    return Ratio(value, value * math.exp(-spread), value * math.exp(spread))


def rank_agreement(first: pd.Series[float], second: pd.Series[float]) -> tuple[float, int]:
    """Kendall's tau-b of two series over the variants that both know, and how many those are. NaN below 2."""
    both = pd.concat([first, second], axis=1, join="inner").dropna()
    if len(both) < 2:
        return math.nan, len(both)
    return float(scipy.stats.kendalltau(both.iloc[:, 0], both.iloc[:, 1]).statistic), len(both)


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
    """Two of them, and the ratio of each variant that both know: B over A."""

    a: Side
    b: Side
    ratios: Mapping[str, Ratio]
    tau: float  # how alike they rank these, see `rank_agreement`

    @property
    def differing(self) -> int:
        """How many differ beyond their intervals."""
        return sum(found.verdict in ("slower", "faster") for found in self.ratios.values())


def pairs(
    first: pd.DataFrame, second: pd.DataFrame, remarks: tuple[Remarks, Remarks] = ({}, {})
) -> list[Pair]:
    """Two runs' tables, configuration by configuration.

    Raises MbsweepError where the runs have no configuration in common, and not one each.
    """
    found = []
    for both in _pairs(first, second):
        a, b = (
            Side(
                str(rows["run"].iloc[0]),
                config := str(rows["config"].iloc[0]),
                str(rows["device_id"].iloc[0]),
                trust.of_latencies(rows, of.get(config, ())),
                rows.set_index("variant"),
            )
            for rows, of in zip(both, remarks, strict=True)
        )
        common = [variant for variant in a.rows.index if variant in b.rows.index]
        ratios = {variant: ratio(a.rows.loc[variant], b.rows.loc[variant]) for variant in common}
        found.append(Pair(a, b, ratios, rank_agreement(a.rows["latency_ms"], b.rows["latency_ms"])[0]))
    return found


def _pairs(first: pd.DataFrame, second: pd.DataFrame) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    tables = [table[table["latency_ms"].notna()] for table in (first, second)]
    known = [list(dict.fromkeys(table["config"])) for table in tables]
    common = [config for config in known[0] if config in known[1]]
    if common:
        return [(tables[0][tables[0]["config"] == c], tables[1][tables[1]["config"] == c]) for c in common]
    if len(known[0]) == len(known[1]) == 1:
        return [(tables[0], tables[1])]
    names = [", ".join(configs) or "nothing" for configs in known]
    raise MbsweepError(
        f"the runs have no latency configuration in common: {first['run'].iloc[0]} has {names[0]}; "
        f"{second['run'].iloc[0]} has {names[1]}"
    )


def _words(row: pd.Series[float]) -> list[object]:
    words = [row["run"]] if isinstance(row["run"], str) else [row["device"]]
    return [*words, row["config"] if isinstance(row["config"], str) else row["backend"], row["latency_kind"]]
