"""How far numbers can be relied on: said here alone, for `pick`, `front`, `compare`, `extract`, the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

from mbsweep.accuracy.value import EXTRAPOLATED, UNRELIABLE
from mbsweep.space.variant import Variant
from mbsweep.statistics.summary import noise_words, noisy_words

# The fields in which networks of a supernet differ, and where an id has them.
_FIELDS = {"width": r"_w([\d.]+)", "resolution": r"_r(\d+)", "depth": r"_d(\d+)"}


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
    of_supernet = known.loc[known["top1_kind"] == "supernet", "top1_note"].dropna().unique()
    found = [f"accuracies of a supernet, {note}" for note in of_supernet if UNRELIABLE in note]
    if beyond := int(is_extrapolated(known).sum()):
        found.append(
            f"{beyond:,} of {len(known):,} accuracies are extrapolated: how wrong they are is unknown"
        )
    return found


def is_extrapolated(rows: pd.DataFrame) -> pd.Series[bool]:
    """Which accuracies are predicted beyond the points of their model: there they have no interval."""
    is_known = (rows["top1_kind"] == "predicted") & rows["top1_pct"].notna()
    return is_known & rows["top1_low_pct"].isna()


def of_each(rows: pd.DataFrame) -> dict[str, list[str | None]]:
    """Column -> for each row what is to be known of that number alone; None where all is well."""
    latencies = zip(rows["latency_kind"], rows["latency_iqr_pct"], strict=True)
    accuracies = zip(rows["top1_kind"], rows["top1_note"], is_extrapolated(rows), strict=True)
    return {
        "latency_ms": [
            (noise_words(iqr_pct) or None) if kind == "measured" else None for kind, iqr_pct in latencies
        ],
        "top1_pct": [_of_accuracy(*of_one) for of_one in accuracies],
    }


def _of_accuracy(kind: Any, note: Any, is_extrapolated: bool) -> str | None:
    """What is said of all predictions, or of a supernet, is said once."""
    if not isinstance(note, str):
        return None
    if is_extrapolated:
        return "".join(note.partition(EXTRAPOLATED)[1:]).removeprefix("; ") or note
    return note if kind == "trained" else None


def of_extracted(variant: Variant, trained: Sequence[str]) -> str:
    """What is to be known of a network that a supernet did not train; empty of one that it did.

    trained: the ids of those that it trained.
    """
    if variant.id in trained:
        return ""
    for name, pattern in _FIELDS.items():
        known = sorted({float(found[1]) for id_ in trained if (found := re.search(pattern, id_))})
        if known and (value := getattr(variant, name)) not in known:
            said = ", ".join(f"{one:g}" for one in known)
            return f"{name} {value:g} was never trained: the supernet's networks have {name} {said}"
    return f"{variant.id} was never trained: it is none of the supernet's {len(trained)} networks"


def of_supernet(report: Mapping[str, Any] | None) -> str:
    """What is to be known of a supernet's ranking, of its report in the run; empty where all is well."""
    if report is None:
        return f"its run is not beside it, so {UNRELIABLE} (tau unknown)"
    is_reliable = report.get("is_reliable", UNRELIABLE not in report["summary"])  # not said before
    return "" if is_reliable else f"the supernet: {report['summary']}"
