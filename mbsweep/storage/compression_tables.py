"""What a run keeps of compressed networks: of each step its file, what it answers, its table of layers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.storage.database import Database, explained, make, now_utc
from mbsweep.storage.training_tables import hits_of

# Not in the schema of new files: runs of before, and runs that compress nothing, go on without them.
# file: its name in the run's folder. correct: as in `trainings`. layers: rows of a table, JSON.
# position: among the steps of the run's sweep; NULL where it no longer names it.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS compressed (source TEXT NOT NULL, step TEXT NOT NULL, variant TEXT NOT NULL,
                                       seed INTEGER NOT NULL, session INTEGER NOT NULL, file TEXT NOT NULL,
                                       file_bytes INTEGER NOT NULL, seconds REAL NOT NULL, top5_pct REAL,
                                       images INTEGER NOT NULL, correct BLOB NOT NULL, layers TEXT NOT NULL,
                                       ended_utc TEXT NOT NULL,
                                       PRIMARY KEY (source, step, variant, seed)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS compression_steps (step TEXT PRIMARY KEY, position INTEGER, kind TEXT NOT NULL,
                                              before TEXT NOT NULL, words TEXT NOT NULL) WITHOUT ROWID
"""


class CompressedRow(NamedTuple):
    """One step, done to one trained network."""

    step: str
    variant: str
    seed: int
    session: int
    file: str
    file_bytes: int
    seconds: float
    top5_pct: float | None  # None: unknown
    images: int
    correct: bytes
    layers: str

    @property
    def key(self) -> tuple[str, str, int]:
        """Step, variant, seed."""
        return self[:3]

    @property
    def hits(self) -> NDArray[np.bool_]:
        """(images,): which images of the test part it got right."""
        return hits_of(self.correct, self.images)


class StepRow(NamedTuple):
    """A step that a sweep names, or has named."""

    step: str
    position: int | None
    kind: str
    before: str
    words: str


class CompressionTables(Database):
    """The part of a run's file that is about compressed networks."""

    def set_compression_steps(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """Make these the steps of the run's sweep: (step, kind, before, words), in order."""
        with self._transaction() as sql:
            make(sql, _SCHEMA)
            sql.execute("UPDATE compression_steps SET position = NULL")
            sql.executemany(
                "INSERT OR REPLACE INTO compression_steps VALUES (?, ?, ?, ?, ?)",
                ((step, place, *rest) for place, (step, *rest) in enumerate(rows)),
            )

    def compression_steps(self) -> list[StepRow]:
        """Those of the run's sweep in its order, then what earlier ones have named."""
        if not self._has("compressed"):
            return []
        rows = self._query("SELECT * FROM compression_steps ORDER BY position IS NULL, position, step")
        return [StepRow(*row) for row in rows]

    def add_compressed(self, source: str, row: CompressedRow) -> None:
        """Keep a step that was done."""
        with self._transaction() as sql:
            make(sql, _SCHEMA)
            marks = ", ".join("?" * (len(row) + 2))
            values = (source, *row, now_utc())
            sql.execute(f"INSERT OR REPLACE INTO compressed VALUES ({marks})", values)  # noqa: S608

    def compressed(self, source: str) -> list[CompressedRow]:
        """Every step that was done to networks of a source."""
        if not self._has("compressed"):
            return []
        names = ", ".join(CompressedRow._fields)
        rows = self._query(
            f"SELECT {names} FROM compressed WHERE source = ? ORDER BY step, variant, seed",  # noqa: S608
            [source],
        )
        return [CompressedRow(*row) for row in rows]

    def compressed_count(self) -> int:
        """How many steps were done, to networks of any source."""
        return int(self._query("SELECT count(*) FROM compressed")[0][0]) if self._has("compressed") else 0

    def layers_of(self, row: CompressedRow) -> list[list[Any]]:
        """The table of layers of a step."""
        with explained(self.folder, reading=True):
            found: list[list[Any]] = json.loads(row.layers)
            return found
