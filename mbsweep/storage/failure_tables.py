"""What a run keeps of what failed in it, or was skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbsweep.storage import old_words
from mbsweep.storage.database import Database, explained, names_of, now_utc
from mbsweep.storage.marks import Failure, FailureKind

FAILURE_SCHEMA = """
-- variant: '' where the whole configuration failed or was skipped. kind: see FailureKind
CREATE TABLE failures (variant TEXT NOT NULL, config TEXT NOT NULL, reason TEXT NOT NULL,
                       at_utc TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (variant, config));
"""


class FailureTables(Database):
    """The part of a run's file that is about failures."""

    def add_failure(self, variant: str, config: str, failure: Failure) -> None:
        """Note that a variant failed in a configuration; variant "": all of them, or that it was skipped."""
        with self._transaction() as sql:
            row = (variant, config, failure.reason, now_utc(), failure.kind)
            sql.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?)", row)

    def failures(self) -> dict[tuple[str, str], Failure]:
        """(variant, config) -> why; (`""`, config) where the whole configuration failed or was skipped."""
        with explained(self.folder, reading=True):
            found = self._connection.execute("SELECT * FROM failures")
            rows = [dict(zip(names_of(found), row, strict=True)) for row in found]
            return {(row["variant"], row["config"]): _failure(row) for row in rows}

    def forget_failures(self) -> None:
        """Let what failed be tried again."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM failures")

    def forget_skip(self, config: str) -> None:
        """The configuration is not skipped any more."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM failures WHERE variant = '' AND config = ?", [config])


def _failure(row: Mapping[str, Any]) -> Failure:
    # A row of before has no kind. Asked is the row, for a writer may bring the file up to date at any moment.
    return (
        Failure(row["reason"], FailureKind(row["kind"]))
        if "kind" in row
        else old_words.failure(row["reason"])
    )
