"""What runs of formats 6 and 7 said in words alone, as runs say it since. Nothing else reads such words.

That is the `kind` of failures, and `shared_note` and `marks` of accuracies.

They are those that were written then: how mbsweep says it today changes nothing here.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mbsweep.storage.marks import Failure, FailureKind, Mark, marked

_SKIPPED = "skipped: "
_LASTING = re.compile(
    r"(seed \d+: )?(ValueError|TypeError|NotImplementedError|CountMismatchError): |.*, also when begun anew"
)
_EXTRAPOLATED = "; extrapolated: "  # what followed was about its variant alone
_UNRELIABLE = "its ranking is not to be relied on"
_MARKS = {
    _UNRELIABLE: Mark.UNRELIABLE,
    _EXTRAPOLATED: Mark.EXTRAPOLATED,
    "stalled at chance": Mark.STALLED,
    "started late": Mark.LATE,
    "has learnt next to nothing": Mark.WEAK,
    "was stopped by halving": Mark.STOPPED,
    "was begun anew": Mark.BEGUN_ANEW,
}


def failure(reason: str) -> Failure:
    """The failure that a reason told."""
    if reason.startswith(_SKIPPED):
        return Failure(reason.removeprefix(_SKIPPED), FailureKind.SKIPPED)
    return Failure(reason, FailureKind.LASTING if _LASTING.match(reason) else FailureKind.PASSING)


def notes(kind: str, note: str, reason: str) -> tuple[str, str, str]:
    """Of an accuracy what is said of it alone, what of all that were had in the same way, and its marks."""
    marks = marked(mark for words, mark in _MARKS.items() if words in note or words in reason)
    if kind == "supernet":
        return "", note, marks
    if kind == "predicted":
        shared, found, own = note.partition(_EXTRAPOLATED)
        return f"extrapolated: {own}" if found else "", shared, marks
    return note, "", marks


def accuracies(names: list[str], rows: Iterable[tuple[Any, ...]]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names and rows of the table of accuracies, as it is since."""
    kind, note, reason = (names.index(name) for name in ("kind", "note", "reason"))
    found = []
    for row in rows:
        own, *more = notes(row[kind], row[note], row[reason])
        found.append((*row[:note], own, *row[note + 1 :], *more))
    return [*names, "shared_note", "marks"], found


def report(kept: Mapping[str, Any]) -> dict[str, Any]:
    """A supernet's report: whether its ranking can be relied on stood in its summary alone."""
    return {"is_reliable": _UNRELIABLE not in kept["summary"], **kept}


def update(sql: sqlite3.Connection) -> None:
    """Within a transaction: bring the tables of a run of before to those of today."""
    sql.execute("ALTER TABLE failures ADD COLUMN kind TEXT NOT NULL DEFAULT ''")
    sql.executemany("UPDATE failures SET reason = ?, kind = ? WHERE rowid = ?", list(_failures(sql)))
    for name in ("shared_note", "marks"):
        sql.execute(f"ALTER TABLE accuracies ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")
    sql.executemany(
        "UPDATE accuracies SET note = ?, shared_note = ?, marks = ? "
        "WHERE variant = ? AND source = ? AND precision = ?",
        list(_notes(sql)),
    )


def _failures(sql: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    for place, reason in sql.execute("SELECT rowid, reason FROM failures"):
        yield *failure(reason), place


def _notes(sql: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    found = sql.execute("SELECT kind, note, reason, variant, source, precision FROM accuracies")
    for kind, note, reason, *key in found:
        if (told := notes(kind, note, reason)) != (note, "", ""):
            yield *told, *key
