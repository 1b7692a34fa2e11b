"""What a run keeps of trained networks as runtimes have them: of each file what it does on the test part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.storage.database import Database, explained, make, names_of, now_utc
from mbsweep.storage.training_tables import hits_of

# Not in the schema of new files: runs of before, and runs that test none, go on without them.
# made: what the file was made with besides its weights, such as the calibration; another asks for another
# test. file: its name in the run's folder; '' where none is kept. correct: as in `trainings`.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS deployed (source TEXT NOT NULL, variant TEXT NOT NULL, seed INTEGER NOT NULL,
                                     backend TEXT NOT NULL, precision TEXT NOT NULL, device TEXT NOT NULL,
                                     made TEXT NOT NULL, session INTEGER NOT NULL, file TEXT NOT NULL,
                                     file_bytes INTEGER, top5_pct REAL, images INTEGER NOT NULL,
                                     correct BLOB NOT NULL, ended_utc TEXT NOT NULL,
                                     PRIMARY KEY (source, variant, seed, backend, precision, device));
-- the fields of Accuracy, in their order, and the drop against the network as it was trained
CREATE TABLE IF NOT EXISTS deployed_accuracies (
    variant TEXT NOT NULL, backend TEXT NOT NULL, precision TEXT NOT NULL, device TEXT NOT NULL,
    top1_pct REAL, top5_pct REAL, kind TEXT NOT NULL, source TEXT NOT NULL, dataset TEXT NOT NULL,
    low_pct REAL, high_pct REAL, sd_pct REAL, seeds TEXT NOT NULL, epochs REAL, note TEXT NOT NULL,
    reason TEXT NOT NULL, shared_note TEXT NOT NULL, marks TEXT NOT NULL, drop_pct REAL, drop_low_pct REAL,
    drop_high_pct REAL, PRIMARY KEY (variant, source, backend, precision, device));
"""


class DeployedRow(NamedTuple):
    """One trained network as a runtime has it, tested."""

    variant: str
    seed: int
    backend: str
    precision: str
    device: str
    made: str
    session: int
    file: str
    file_bytes: int | None
    top5_pct: float | None  # None: unknown
    images: int
    correct: bytes

    @property
    def runtime(self) -> tuple[str, str, str]:
        """Backend, precision, device."""
        return self.backend, self.precision, self.device

    @property
    def top5(self) -> float:
        """Top-5 accuracy in percent; NaN where it is unknown."""
        return float("nan") if self.top5_pct is None else self.top5_pct

    @property
    def hits(self) -> NDArray[np.bool_]:
        """(images,): which images of the test part it got right."""
        return hits_of(self.correct, self.images)


class DeployedTables(Database):
    """The part of a run's file that is about trained networks in runtimes."""

    def add_deployed(self, source: str, row: DeployedRow) -> None:
        """Keep how a network does in a runtime, in place of what was known of it there."""
        with self._transaction() as sql:
            make(sql, _SCHEMA)
            marks = ", ".join("?" * (len(row) + 2))
            sql.execute(
                f"INSERT OR REPLACE INTO deployed VALUES ({marks})",  # noqa: S608
                (source, *row, now_utc()),
            )

    def deployed(self, source: str) -> list[DeployedRow]:
        """All that were tested of a source."""
        if not self._has("deployed"):
            return []
        names = ", ".join(DeployedRow._fields)
        order = "ORDER BY variant, seed, backend, precision, device"
        rows = self._query(f"SELECT {names} FROM deployed WHERE source = ? {order}", [source])  # noqa: S608
        return [DeployedRow(*row) for row in rows]

    def deployed_count(self) -> int:
        """How many tests there are, of networks of any source."""
        return int(self._query("SELECT count(*) FROM deployed")[0][0]) if self._has("deployed") else 0

    def set_deployed_accuracies(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Keep (variant, backend, precision, device, the fields of Accuracy, drop and its interval)."""
        with self._transaction() as sql:
            make(sql, _SCHEMA)
            marks = ", ".join("?" * 21)
            sql.executemany(f"INSERT OR REPLACE INTO deployed_accuracies VALUES ({marks})", rows)  # noqa: S608

    def deployed_accuracies(self) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names and rows of all that is known of them; none where nothing was tested."""
        if not self._has("deployed_accuracies"):
            return [], []
        with explained(self.folder, reading=True):
            cursor = self._connection.execute("SELECT * FROM deployed_accuracies ORDER BY variant")
            return names_of(cursor), cursor.fetchall()
