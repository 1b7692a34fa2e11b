"""How far numbers can be relied on: said here alone, for `pick`, `front`, `compare`, `extract`, the page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from mbsweep.accuracy.value import UNRELIABLE
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.statistics.summary import noise_words, noisy_words
from mbsweep.storage.marks import Mark, marks_of

Remarks = Mapping[str, Sequence[str]]  # configuration -> what is to be known of all its latencies
MOST_KNOWN = 8  # values of a field that a supernet has trained, as they are told


def of_latencies(rows: pd.DataFrame, remarks: Sequence[str] = ()) -> list[str]:
    """What is to be known of all latencies of a panel, each in words; nothing where all is well.

    remarks: those of its configuration, as `Run.remarks` has them.
    """
    measured = rows[(rows["latency_kind"] == "measured") & rows["latency_ms"].notna()]
    records = cast("list[dict[str, float]]", measured[["latency_iqr_pct"]].to_dict("records"))
    is_known = rows["latency_ms"].notna().any()
    return [words for words in (noisy_words(records, "rows"), *remarks) if words and is_known]


def of_accuracies(rows: pd.DataFrame) -> list[str]:
    """The same of accuracies: a supernet's ranking that is none, predictions beyond their points."""
    known = rows[rows["top1_pct"].notna()].drop_duplicates("variant")
    unreliable = known.loc[has_mark(known, Mark.UNRELIABLE), "top1_shared_note"].unique()
    found = [f"accuracies of a supernet, {note}" for note in unreliable]
    if beyond := int(has_mark(known, Mark.EXTRAPOLATED).sum()):
        found.append(
            f"{beyond:,} of {len(known):,} accuracies are extrapolated: how wrong they are is unknown"
        )
    return found


def of_mixed(rows: pd.DataFrame) -> list[str]:
    """The same where accuracies of several sources are compared with one another."""
    sources = rows.loc[rows["top1_pct"].notna(), "top1_source"].unique()
    return [f"accuracies of several sources are compared: {', '.join(sources)}"] if len(sources) > 1 else []


def has_mark(rows: pd.DataFrame, mark: Mark) -> pd.Series[bool]:
    """Which accuracies have a mark."""
    marks = rows["top1_marks"]
    return marks.isin([kept for kept in marks.dropna().unique() if mark in marks_of(kept)])


def of_each(rows: pd.DataFrame) -> dict[str, list[str | None]]:
    """Column -> for each row what is to be known of that number alone; None where all is well."""
    latencies = zip(rows["latency_kind"], rows["latency_iqr_pct"], strict=True)
    notes = rows["top1_own_note"].where(rows["top1_pct"].notna() & (rows["top1_kind"] != "published"))
    return {
        "latency_ms": [
            (noise_words(iqr_pct) or None) if kind == "measured" else None for kind, iqr_pct in latencies
        ],
        # What is said of all predictions, or of a supernet, is said once.
        "top1_pct": [note if isinstance(note, str) else None for note in notes],
    }


def of_extracted(variant: Variant, trained: Sequence[str], networks: Sequence[Variant]) -> str:
    """What is to be known of a network that a supernet did not train; empty of one that it did.

    trained: the ids of those that it trained. networks: these; none where its file does not say more.
    """
    if variant.id in trained:
        return ""
    for name, value in variant.values.items():
        if words := _never(name, value, {net.values[name] for net in networks}):
            return words
    return f"{variant.id} was never trained: it is none of the supernet's {len(trained)} networks"


def of_member(variant: Variant, space: Space) -> str:
    """The same where the supernet's networks are a space that is not listed."""
    if space.place_of(variant) is not None:
        return ""
    for name, value in variant.values.items():
        of_grids = [grid.values[name] for grid in space.grids]
        if isinstance(value, tuple):
            for stage, one in enumerate(value):
                known = {each for of_grid in of_grids for each in np.unique(of_grid[stage]).tolist()}
                if words := _never(name, one, known, stage):
                    return words
        elif words := _never(name, value, {each for one in of_grids for each in np.unique(one).tolist()}):
            return words
    return f"{variant.id} was never trained: it is none of the supernet's {len(space):,} networks"


def _never(name: str, value: Any, values: Collection[Any], stage: int | None = None) -> str:
    """What is to be said where a value is none of those that were trained, as far as they are known."""
    known = sorted(values)
    if not known or value in known:
        return ""
    more = ", ..." if len(known) > MOST_KNOWN else ""
    said = ", ".join(map(_shown, known[:MOST_KNOWN])) + more
    where, there = ("", f"{name} {said}") if stage is None else (f" in stage {stage + 1}", f"{said} there")
    return f"{name} {_shown(value)}{where} was never trained: the supernet's networks have {there}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def of_supernet(report: Mapping[str, Any] | None) -> str:
    """What is to be known of a supernet's ranking, of its report in the run; empty where all is well."""
    if report is None:
        return f"its run is not beside it, so {UNRELIABLE} (tau unknown)"
    return "" if report["is_reliable"] else f"the supernet: {report['summary']}"
