"""What a page says about accuracies: where they come from, which are missing, how they were obtained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import pandas as pd

from mbsweep.reporter.parts import Part
from mbsweep.storage.marks import Mark, marks_of
from mbsweep.table.kinds import kinds_words

OTHERS = "; of the others: "  # before the reasons why something is unknown
MOST_REASONS = 4  # that are told in one sentence; the details of a variant have its own
# What is marked of a training -> what it is called where these are counted.
SHORT = {
    Mark.STALLED: "stalled at chance",
    Mark.LATE: "started late",
    Mark.WEAK: "has learnt next to nothing",
    Mark.STOPPED: "stopped by halving",
    Mark.BEGUN_ANEW: "stalled or diverged, and was begun anew",
}


def accuracy_fact(parts: Sequence[Part], table: pd.DataFrame) -> str:
    """Each source, and for how many variants it knows the accuracy at each precision."""
    said = []
    for sources in dict.fromkeys(tuple(part.about["accuracy_sources"]) for part in parts):
        if not sources:
            continue
        asking = {part.name for part in parts if tuple(part.about["accuracy_sources"]) == sources}
        rows = table[table["run"].isin(asking)]
        known = ",".join(f"{at} for {count:,} of {total:,} variants" for at, count, total, _ in _known(rows))
        said.append(f"{' or '.join(sources)}{', ' if _is_table(rows) else ': '}known{known}")
    return "; ".join(said) or ("the sweeps name" if len(parts) > 1 else "the sweep names") + " no source"


def accuracy_gaps(sources: Sequence[str], rows: pd.DataFrame, whose: str = "") -> list[str]:
    """What the figures of accuracy lack, of the rows of one run, and the names of its sources.

    whose: "its ", where figures may show the accuracy of another run.
    """
    source = " or ".join(sources)
    if not source:
        return [f"The sweep names no accuracy source, so no figure shows {whose}accuracy."]
    found = []
    for at, known, total, variants in _known(rows):
        if known == total:
            continue
        if not _is_table(rows):
            found.append(_missing(source, whose, f"accuracy{at}", known, total, variants))
        elif not known:
            found.append(
                f"{source} has no figure for any of these networks{at}, so no figure shows "
                f"{whose}accuracy{at}."
            )
        else:
            left = "one is" if total - known == 1 else f"{total - known:,} are"
            found.append(
                f"{source} gives the accuracy{at} of {known:,} of {total:,} variants; the other "
                f"{left} missing in the figures of accuracy{at}."
            )
    return found


def _is_table(rows: pd.DataFrame) -> bool:
    """Whether accuracies come from a table of the literature, which has a figure for a network or has not."""
    return bool((rows["top1_kind"].dropna() == "published").all())


def _known(rows: pd.DataFrame) -> Iterator[tuple[str, int, int, pd.DataFrame]]:
    """For each precision: ` at int8` (nothing for fp32), variants of known accuracy, all, and their rows."""
    for precision, group in rows.fillna({"precision": "fp32"}).groupby("precision", sort=False):
        at = "" if precision == "fp32" else f" at {precision}"
        variants = group.drop_duplicates("variant")
        yield at, int(variants["top1_pct"].notna().sum()), len(variants), variants


def _missing(source: str, whose: str, what: str, known: int, total: int, variants: pd.DataFrame) -> str:
    """`Trained on ...: accuracy known of 7 of 9 variants; of the others: 1 stalled at chance; ...`"""
    unknown = variants[variants["top1_pct"].isna()]
    given, advice = _advice(unknown["top1_reason"])
    reasons = Counter(map(_short, given, unknown["top1_marks"]))
    said = [f"{count:,} {reason}" for reason, count in reasons.most_common(MOST_REASONS)]
    if rest := reasons.total() - sum(count for _, count in reasons.most_common(MOST_REASONS)):
        said.append(f"{rest:,} for other reasons")
    said += [advice] if advice else []
    begin = f"{source[0].upper()}{source[1:]}: {what} known of"
    if not known:
        only = f" ({next(iter(reasons))})" if len(reasons) == 1 else f": {'; '.join(said)}"
        return f"{begin} no variant{only}, so no figure shows {whose}{what}."
    return f"{begin} {known:,} of {total:,} variants{OTHERS}{'; '.join(said)}."


def _advice(reasons: Iterable[Any]) -> tuple[list[Any], str]:
    """Reasons without what stands behind the last semicolon of each of them, and that, said once."""
    given = list(reasons)
    ends = {
        reason.rpartition("; ")[2] if isinstance(reason, str) and "; " in reason else None for reason in given
    }
    if len(set(given)) < 2 or len(ends) != 1 or None in ends:
        return given, ""
    (advice,) = ends
    return [reason.rpartition("; ")[0] for reason in given], str(advice)


def _short(reason: Any, marks: Any, who: str = "") -> str:
    """A reason, or a note, in few words. marks: what it is about. who: comes before them."""
    if not isinstance(reason, str):
        return "unknown"
    kinds = [f"{who}{SHORT[mark]}" for mark in marks_of(marks) if mark in SHORT]
    return " or ".join(kinds) if kinds else reason.replace("; ", ", ")


def accuracy_doubts(parts: Sequence[Part], table: pd.DataFrame) -> list[str]:
    """What is noted about accuracies that were trained: how many variants each remark is about."""
    rows = table[table["top1_kind"].isin(["trained", "supernet"]) & table["top1_note"].notna()]
    rows = rows[rows["top1_pct"].notna()].drop_duplicates(["run", "variant"])
    found = []
    for run, group in rows.groupby("run", sort=False):
        whose = "" if len(parts) == 1 else f"{run}, "
        notes = Counter(map(partial(_short, who="a seed "), group["top1_note"], group["top1_marks"]))
        said = [f"{count:,} variant{'s' if count > 1 else ''}: {note}" for note, count in notes.most_common()]
        rest = [f"{len(said) - MOST_REASONS:,} more remarks"] if len(said) > MOST_REASONS else []
        found.append(f"{whose}accuracy of {'; of '.join([*said[:MOST_REASONS], *rest])}.")
    return found


def how_obtained(parts: Sequence[Part], table: pd.DataFrame) -> list[dict[str, Any]]:
    """For each run that trained: its name, and in sentences on what, how, and what its intervals cover."""
    found = []
    for part in parts:
        rows = table[table["run"] == part.name]
        datasets = rows["dataset"].dropna().unique()
        if part.accuracy is None or not len(datasets):
            continue
        # Of a run whose sweep has changed, what the sweep says now is what the table shows.
        sizes, remarks = part.about["datasets"].get(dataset := str(datasets[0]), ({}, []))
        has_interval = bool(rows["top1_low_pct"].notna().any())
        tested = rows[rows["top1_drop_pct"].notna()]
        runtimes = list(dict.fromkeys(tested["precision"] + " in " + tested["backend"]))
        if account := part.accuracy.account(dataset, sizes, remarks, has_interval, runtimes):
            kinds = kinds_words(part.run.trained_on())
            sentences = [*account.sentences, *([kinds] if kinds else [])]
            found.append({"run": part.name, "sentences": sentences, "recipe": account.recipe})
    return found
