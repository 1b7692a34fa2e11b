"""What a run keeps of the sweep files that it was of."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from mbsweep.storage.database import Database, explained, now_utc

SWEEP_SCHEMA = """
-- accuracy_source: its name; of several a list of them, JSON
CREATE TABLE sweeps (id INTEGER PRIMARY KEY, used_utc TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,
                     description TEXT NOT NULL, text TEXT NOT NULL, accuracy_source TEXT);
"""


class UsedSweep(TypedDict):
    """A sweep file, as a run keeps it.

    accuracy_sources: their names, the one that counts first is first; of most sweeps there is one, of some
    none.
    """

    name: str
    title: str
    description: str
    text: str
    accuracy_sources: list[str]


class SweepTables(Database):
    """The part of a run's file that is about sweep files."""

    def last_sweep(self) -> UsedSweep | None:
        """The sweep file of the last run into this folder; None before the first."""
        rows = self._query(
            "SELECT name, title, description, text, accuracy_source FROM sweeps ORDER BY id DESC LIMIT 1"
        )
        if not rows:
            return None
        name, title, description, text, sources = rows[0]
        with explained(self.folder, reading=True):
            return UsedSweep(
                name=name, title=title, description=description, text=text, accuracy_sources=_names(sources)
            )

    def origin(self) -> Path | None:
        """The sweep's file, as a path from the run's folder; None where it is not known."""
        if not self._query("SELECT 1 FROM sqlite_master WHERE name = 'origin'"):
            return None
        rows = self._query("SELECT path FROM origin")
        return Path(os.fsdecode(rows[0][0])) if rows else None

    def set_origin(self, path: str) -> None:
        """Note the sweep's file, as a path from the run's folder."""
        with self._transaction() as sql:
            # Not in the schema of new files: runs of before go on without it.
            sql.execute("CREATE TABLE IF NOT EXISTS origin (path BLOB NOT NULL)")
            sql.execute("DELETE FROM origin")
            sql.execute("INSERT INTO origin VALUES (?)", [os.fsencode(path)])


def insert_sweep(sql: sqlite3.Connection, sweep: Mapping[str, Any]) -> None:
    """Within a transaction: note a sweep file, as `SweepTables.last_sweep` gives it."""
    source = _one_text(sweep.get("accuracy_sources", ()))
    sql.execute(
        "INSERT INTO sweeps (used_utc, name, title, description, text, accuracy_source) "
        "VALUES (:used_utc, :name, :title, :description, :text, :accuracy_source)",
        {**sweep, "used_utc": now_utc(), "accuracy_source": source},
    )


def _one_text(names: Sequence[str]) -> str | None:
    """Names of accuracy sources as they are kept: one as it is, so that it is that of `accuracies`."""
    is_plain = len(names) == 1 and not names[0].startswith("[")
    return names[0] if is_plain else json.dumps(names) if names else None


def _names(kept: str | None) -> list[str]:
    if kept is None:
        return []
    return list(json.loads(kept)) if kept.startswith("[") else [kept]
