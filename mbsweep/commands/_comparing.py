"""What `mbsweep compare` prints: configurations, latency by latency; how alike devices rank the variants."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import pandas as pd

from mbsweep.base import printing
from mbsweep.base.errors import one_line
from mbsweep.base.printing import BETWEEN, Table, say
from mbsweep.table.compare import Pair, Side, agreement
from mbsweep.table.names import Names
from mbsweep.table.panels import as_number

_STYLES = {"slower": "red", "faster": "green"}


def print_comparison(pairs: Sequence[Pair], every: pd.DataFrame, names: Names, is_brief: bool) -> None:
    """Print each pair, and how alike all devices rank the variants.

    every: the rows of all runs and of published devices. is_brief: the pairs alone.
    """
    for number, pair in enumerate(pairs):
        if number:
            say()
        _print_pair(pair, names, is_brief)
    if not is_brief:
        say()
        _print_agreement(every)


def _print_pair(pair: Pair, names: Names, is_brief: bool) -> None:
    sides = {"A": pair.a, "B": pair.b}
    for which, side in sides.items():
        say(f"{which} = {one_line(side.run)}: {side.config} on {side.device_id}", "bold")
    for which, side in sides.items():
        if side.cautions and not is_brief:
            say(f"of {which}: {'; '.join(side.cautions)}", "yellow")
    if not pair.ratios:
        say("they have no variant in common")
        return
    table = Table(("network", "A ms", "B ms", "B / A", "95 %", "B is"), left=(0, 5))
    short = names(pair.a.rows.reset_index())
    for variant, found in pair.ratios.items():
        latencies = [f"{side.latency_ms(variant):.4g}" for side in (pair.a, pair.b)]
        ends = "unknown" if math.isnan(found.low) else f"{found.low:.3f} to {found.high:.3f}"
        table.add(
            short[variant],
            *latencies,
            f"{found.value:.3f}",
            ends,
            found.verdict,
            style=_STYLES.get(found.verdict, ""),
        )
    table.print()
    say(f"B is {pair.found.words}")


def _print_agreement(every: pd.DataFrame) -> None:
    names, taus = agreement(every)
    say("how alike they rank the variants (Kendall's tau)", "bold")
    numbers = [str(number) for number in range(1, len(names) + 1)]
    for number, name in zip(numbers, names, strict=True):
        say(f"{number:>3}  {name}")
    cells = [[_tau(tau) for tau in row] for row in taus.tolist()]
    for begin, end in _blocks(cells, numbers):
        matrix = Table(["", *numbers[begin:end]])
        for place in range(begin, len(names)):
            known = cells[place][begin : min(place + 1, end)]
            matrix.add(f"{numbers[place]:>3}", *known, *[""] * (end - begin - len(known)))
        matrix.print()


def _blocks(cells: Sequence[Sequence[str]], numbers: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The columns of a matrix that fit beside one another, from the first up to another."""
    columns, count = printing.terminal_columns(), len(numbers)
    width = len(BETWEEN) + max(map(len, chain(numbers, *cells)), default=0)
    step = count if columns is None else max(1, (columns - 3) // width)
    for begin in range(0, count, max(1, step)):
        yield begin, min(begin + step, count)


def _tau(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.3f}"


def as_json(pairs: Sequence[Pair], every: pd.DataFrame, names: Names) -> str:
    """The same for programs: `pairs`, and `agreement`; what is unknown is null."""
    devices, taus = agreement(every)
    known = [[as_number(tau) for tau in row] for row in taus.tolist()]
    told = {"pairs": [_told(pair, names) for pair in pairs], "agreement": {"devices": devices, "taus": known}}
    return json.dumps(told, indent=1)


def _told(pair: Pair, names: Names) -> dict[str, Any]:
    short = names(pair.a.rows.reset_index())
    variants = [
        {
            "variant": variant,
            "name": short[variant],
            "a": _latency(pair.a, variant),
            "b": _latency(pair.b, variant),
            "ratio": found.value,
            "ratio_low": as_number(found.low),
            "ratio_high": as_number(found.high),
            "b_is": found.verdict,
        }
        for variant, found in pair.ratios.items()
    ]
    return {
        "a": _side(pair.a),
        "b": _side(pair.b),
        "variants": variants,
        "differing": pair.found.differing,
        "turned": pair.found.turned,
        "tau": as_number(pair.found.tau),
        "words": pair.found.words,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "run": side.run,
        "config": side.config,
        "device_id": side.device_id,
        "cautions": list(side.cautions),
    }


def _latency(side: Side, variant: str) -> dict[str, Any]:
    row = side.rows.loc[variant]
    return {name: as_number(row[name]) for name in ("latency_ms", "latency_low_ms", "latency_high_ms")}
