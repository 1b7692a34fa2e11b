"""Two runs side by side: which latencies differ beyond their intervals, and are variants ranked alike?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import Table, say
from mbsweep.table import trust

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


Remarks = Mapping[str, Sequence[str]]  # configuration -> what is to be known of all its latencies


def print_comparison(
    first: pd.DataFrame,
    second: pd.DataFrame,
    published: pd.DataFrame,
    remarks: tuple[Remarks, Remarks] = ({}, {}),
) -> None:
    """Print the comparison of two runs' tables, and of their ranking with the published devices'.

    Raises MbsweepError where the runs have no configuration in common, and not one each.
    """
    pairs = _pairs(first, second)
    for one, other in pairs:
        cautions = [
            trust.of_latencies(rows, of.get(rows["config"].iloc[0], ()))
            for of, rows in zip(remarks, (one, other), strict=True)
        ]
        _print_pair(one, other, cautions)
    _print_agreement(pd.concat([first, second, published], ignore_index=True))


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


def _print_pair(first: pd.DataFrame, second: pd.DataFrame, cautions: Sequence[Sequence[str]]) -> None:
    one, other = first.set_index("variant"), second.set_index("variant")
    both = [variant for variant in one.index if variant in other.index]
    names = [f"{table['run'].iloc[0]}: {table['config'].iloc[0]}" for table in (first, second)]
    devices = [str(table["device_id"].iloc[0]) for table in (first, second)]
    say(f"A = {names[0]} on {devices[0]}\nB = {names[1]} on {devices[1]}")
    for which, words in zip("AB", cautions, strict=True):
        if words:
            say(f"of {which}: {'; '.join(words)}")
    if not both:
        say("they have no variant in common\n")
        return
    table = Table(("variant", "A ms", "95 %", "B ms", "95 %", "B / A", "95 %", "B is"), left=(0, 7))
    ratios = {variant: ratio(one.loc[variant], other.loc[variant]) for variant in both}
    for variant, found in ratios.items():
        table.add(
            variant,
            *_latency(one.loc[variant]),
            *_latency(other.loc[variant]),
            f"{found.value:.3f}",
            _interval(found.low, found.high, ".3f"),
            found.verdict,
        )
    table.print()
    values = np.array([found.value for found in ratios.values()])
    differ = sum(found.verdict in ("slower", "faster") for found in ratios.values())
    tau, count = rank_agreement(one["latency_ms"], other["latency_ms"])
    say(
        f"{differ} of {len(both)} differ beyond their intervals; median B / A {np.median(values):.3f}, "
        f"{values.min():.3f} to {values.max():.3f}; Kendall's tau {tau:.3f} over {count} variants\n"
    )


def _latency(row: pd.Series[float]) -> tuple[str, str]:
    return f"{row['latency_ms']:.4g}", _interval(row["latency_low_ms"], row["latency_high_ms"], ".4g")


def _interval(low: float, high: float, digits: str) -> str:
    return "unknown" if math.isnan(low) else f"{low:{digits}} to {high:{digits}}"


def _print_agreement(table: pd.DataFrame) -> None:
    names, taus = agreement(table)
    numbers = [str(number) for number in range(1, len(names) + 1)]
    printed = Table(["how alike they rank the variants (Kendall's tau)", *numbers])
    for place, name in enumerate(names):
        known = [f"{tau:.3f}" for tau in taus[place, : place + 1]]
        printed.add(f"{place + 1}  {name}", *known, *[""] * (len(names) - len(known)))
    printed.print()


def _words(row: pd.Series[float]) -> list[object]:
    words = [row["run"]] if isinstance(row["run"], str) else [row["device"]]
    return [*words, row["config"] if isinstance(row["config"], str) else row["backend"], row["latency_kind"]]
