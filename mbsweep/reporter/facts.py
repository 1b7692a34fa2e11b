"""What a page says in words: facts, gaps, warnings, and how it was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import pandas as pd

from mbsweep.reporter.accuracies import accuracy_fact, accuracy_gaps
from mbsweep.reporter.parts import Part
from mbsweep.statistics.summary import NOISY_IQR_PCT
from mbsweep.storage.marks import Mark
from mbsweep.table.trust import has_mark

MAX_REASONS = 200


def facts(parts: Sequence[Part], table: pd.DataFrame) -> list[tuple[str, str]]:
    """The facts at the head of a page: label and text. table: without published latencies."""
    variants = table.drop_duplicates("variant")
    said = [
        ("Variants", f"{len(variants):,}"),
        ("Mult-adds", _span(variants["macs"], 1)),
        ("Parameters", _span(variants["params"], 2)),
        ("Accuracy", accuracy_fact(parts, table)),
        ("Latency measured on", (measured := _devices(table, "measured")) or "nothing"),
    ]
    if (devices := _devices(table, "predicted")) and devices != measured:
        said.append(("Latency predicted for", devices))
    if configs := _configurations(parts, table):
        said.append(("Latency configurations", configs))
    for label, name in (("Precision", "precision"), ("Mode", "mode")):
        if len(values := list(table[name].dropna().unique())) > 1:
            said.append((label, ", ".join(values)))
    if incomplete := len(_incomplete(parts, table)):
        said.append(("Failed or not finished", f"{incomplete:,} row{'s' if incomplete > 1 else ''}"))
    return said


def _span(values: pd.Series[float], digits: int) -> str:
    """`0.47 to 4.23 million`, `0.0028 to 0.21 million`; one number where all are the same."""
    if values.empty:
        return "none"
    millions = (values.min() / 1e6, values.max() / 1e6)
    ends = dict.fromkeys(f"{end:,.{digits}f}" if end >= 0.1 else f"{end:.2g}" for end in millions)
    return f"{' to '.join(ends)} million"


def _configurations(parts: Sequence[Part], table: pd.DataFrame) -> str:
    """`6 measured, 1 predicted, 1 skipped`; nothing where all are of one kind."""
    kinds = table.drop_duplicates(["config", "latency_kind"])["latency_kind"].value_counts().to_dict()
    kinds["skipped"] = len({config for part in parts for config in part.skipped})
    said = [f"{kinds[kind]} {kind}" for kind in ("measured", "predicted", "skipped") if kinds.get(kind)]
    return ", ".join(said) if len(said) > 1 else ""


def _devices(table: pd.DataFrame, kind: str) -> str:
    return "; ".join(sorted(set(table.loc[table["latency_kind"] == kind, "device"])))


def gaps(parts: Sequence[Part], table: pd.DataFrame, kinds: set[str]) -> list[str]:
    """What the figures cannot show, in words. kinds: of the latencies that they show."""
    if table.empty:
        return ["This run has no variants, so there is nothing to draw."]
    asked = [(part.about["accuracy_sources"], table[table["run"] == part.name]) for part in parts]
    said = [accuracy_gaps(*of_one) for of_one in asked]
    if all(sentences == said[0] for sentences in said):
        found = said[0]
    else:
        of_each = zip(parts, (accuracy_gaps(*of_one, "its ") for of_one in asked), strict=True)
        found = [f"{part.name}: {sentence}" for part, sentences in of_each for sentence in sentences]
    if "measured" not in kinds:
        shown = " and ".join(kind for kind in ("predicted", "published") if kind in kinds)
        found.append(f"No latency was measured{f'; the latencies shown are {shown} ones' if shown else ''}.")
    return found


def doubts(parts: Sequence[Part], table: pd.DataFrame) -> list[str]:
    """For each measured configuration: how many rows are noisy, how many have no narrow interval, and what is
    to be known of all of them.
    """
    rows = table[table["latency_kind"] == "measured"]
    found = []
    remarks = {(part.name, config): words for part in parts for config, words in part.remarks.items()}
    for (run, config), group in rows.groupby(["run", "config"], sort=False):
        done, has_interval = group["error"].isna(), group["latency_low_ms"].notna()
        spent = group["is_budget_spent"].eq(True)
        counts = {
            f"noisy (interquartile range above {NOISY_IQR_PCT} % of the median)": (
                group["latency_iqr_pct"] > NOISY_IQR_PCT
            ),
            "wider than asked when the budget was spent": done & has_interval & spent,
            "without an interval, of too few visits": done & ~has_interval,
        }
        said = [
            f"{mask.sum():,} of {len(group):,} rows {what}" for what, mask in counts.items() if mask.any()
        ]
        said += remarks.get((str(run), str(config)), [])
        if said:
            found.append(f"{_configuration(parts, str(run), str(config))}: {'; '.join(said)}.")
    return found


def skips(parts: Sequence[Part]) -> list[str]:
    """The configurations that could not be measured, with the reason."""
    return [
        f"{_configuration(parts, part.name, config)}: {why.words}"
        for part in parts
        for config, why in part.skipped.items()
    ]


def predictions(parts: Sequence[Part], table: pd.DataFrame) -> list[str]:
    """How good the predictions are: those of each configuration's latencies, then those of accuracies."""
    rows = table[table["latency_kind"] == "predicted"].drop_duplicates(["run", "config"])
    found = [
        f"{_configuration(parts, run, config)}: {note}"
        for run, config, note in rows[["run", "config", "latency_note"]].itertuples(index=False)
        if isinstance(note, str)
    ]
    rows = table[(table["top1_kind"] == "predicted") & table["top1_pct"].notna()]
    rows = rows.drop_duplicates(["run", "variant"])
    rows = rows.assign(is_beyond=has_mark(rows, Mark.EXTRAPOLATED))
    for (run, source, model), group in rows.groupby(["run", "top1_source", "top1_shared_note"], sort=False):
        words = f"accuracy {source}: {model}"
        if beyond := int(group["is_beyond"].sum()):
            words += (
                f"; {beyond:,} of {len(group):,} variants lie beyond the points, where the error is unknown"
            )
        found.append(words if len(parts) == 1 else f"{run}, {words}")
    return found


def _configuration(parts: Sequence[Part], run: str, config: str) -> str:
    return config if len(parts) == 1 else f"{run}, {config}"


def errors(parts: Sequence[Part], table: pd.DataFrame) -> tuple[list[dict[str, Any]], int]:
    """The first rows without a latency, or with less than was asked for, and why; and how many there are.

    Those of skipped configurations are not among them.
    """
    rows = _incomplete(parts, table)
    first = rows[["run", "variant", "config", "error"]].head(MAX_REASONS)
    return cast("list[dict[str, Any]]", first.to_dict("records")), len(rows)


def _incomplete(parts: Sequence[Part], table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["error"].notna()]
    for part in parts:
        rows = rows[~((rows["run"] == part.name) & rows["config"].isin(part.skipped))]
    return rows


def sessions(part: Part) -> list[dict[str, Any]]:
    """How often a run was measured on each device with each set of versions, the first time and the last.

    is_timed: whether any latency is of it, and not trainings alone.
    """
    found: dict[str, dict[str, Any]] = {}
    for session in part.about["sessions"]:
        device, versions = session["device"], session["versions"]
        words = ", ".join(filter(None, [device.get("gpu"), device["description"]]))
        row = {"run": part.name, "device": words, "versions": versions, "first": session["started_utc"]}
        new = row | {"count": 0, "is_timed": False}
        row = found.setdefault(json.dumps([words, versions], sort_keys=True), new)
        row |= {"count": row["count"] + 1, "last": session["started_utc"]}
        row["is_timed"] |= session["is_timed"]
    return list(found.values())
