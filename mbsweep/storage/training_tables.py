"""What a run keeps of trainings: each epoch, and what a trained network does on the test part."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.storage import old_words
from mbsweep.storage.database import Database, explained, make, now_utc

TRAINING_SCHEMA = """
-- the fields of Accuracy, in their order
CREATE TABLE accuracies (variant TEXT NOT NULL, precision TEXT NOT NULL, top1_pct REAL, top5_pct REAL,
                         kind TEXT NOT NULL, source TEXT NOT NULL, dataset TEXT NOT NULL, low_pct REAL,
                         high_pct REAL, sd_pct REAL, seeds TEXT NOT NULL, epochs REAL, note TEXT NOT NULL,
                         reason TEXT NOT NULL, shared_note TEXT NOT NULL, marks TEXT NOT NULL,
                         PRIMARY KEY (variant, source, precision)) WITHOUT ROWID;
-- in the order in which they ended. attempt: above 0 after a stall, from another beginning
CREATE TABLE epochs (id INTEGER PRIMARY KEY, source TEXT NOT NULL, variant TEXT NOT NULL,
                     seed INTEGER NOT NULL, attempt INTEGER NOT NULL, epoch INTEGER NOT NULL,
                     learning_rate REAL NOT NULL, train_loss REAL NOT NULL, train_top1_pct REAL NOT NULL,
                     validation_loss REAL NOT NULL, validation_top1_pct REAL NOT NULL, seconds REAL NOT NULL,
                     UNIQUE (source, variant, seed, attempt, epoch));
-- state: "done", "stalled", "stopped"; correct: a bit for each of so many images of the test part
CREATE TABLE trainings (source TEXT NOT NULL, variant TEXT NOT NULL, seed INTEGER NOT NULL,
                        attempt INTEGER NOT NULL, session INTEGER NOT NULL, threads INTEGER NOT NULL,
                        state TEXT NOT NULL, epochs INTEGER NOT NULL, top5_pct REAL, images INTEGER NOT NULL,
                        correct BLOB NOT NULL, ended_utc TEXT NOT NULL,
                        PRIMARY KEY (source, variant, seed)) WITHOUT ROWID;
-- report: how far a supernet can be trusted, JSON
CREATE TABLE supernets (source TEXT PRIMARY KEY, report TEXT NOT NULL) WITHOUT ROWID;
-- sizes: images of each part, JSON; notes: what is to be known of them, such as files left out, JSON
CREATE TABLE datasets (id TEXT PRIMARY KEY, sizes TEXT NOT NULL, notes TEXT NOT NULL) WITHOUT ROWID;
"""

# Not in the schema of new files: runs of before, and those that search nothing, go on without it.
# top1_pct: of a network that has no epochs of its own, such as a supernet's
_VALIDATION_SCHEMA = """
CREATE TABLE IF NOT EXISTS validations (source TEXT NOT NULL, variant TEXT NOT NULL, seed INTEGER NOT NULL,
                                        top1_pct REAL NOT NULL,
                                        PRIMARY KEY (source, variant, seed)) WITHOUT ROWID
"""


def hits_of(correct: bytes, images: int) -> NDArray[np.bool_]:
    """(images,): which are right, from the bits that are kept of that."""
    return np.unpackbits(np.frombuffer(correct, np.uint8), count=images).astype(bool)


class TrainingRow(NamedTuple):
    """One training that came to its end."""

    variant: str
    seed: int
    attempt: int
    session: int
    threads: int
    state: str
    epochs: int
    top5_pct: float | None  # None: unknown
    images: int
    correct: bytes

    @property
    def key(self) -> tuple[str, int, int]:
        """Variant, seed, attempt."""
        return self[:3]

    @property
    def top5(self) -> float:
        """Top-5 accuracy in percent; NaN where it is unknown."""
        return float("nan") if self.top5_pct is None else self.top5_pct

    @property
    def hits(self) -> NDArray[np.bool_]:
        """(images,): which images of the test part it got right; none where it was not tested."""
        return hits_of(self.correct, self.images)


class EpochRow(NamedTuple):
    """One epoch of a training."""

    variant: str
    seed: int
    attempt: int
    epoch: int
    learning_rate: float
    train_loss: float
    train_top1_pct: float
    validation_loss: float
    validation_top1_pct: float
    seconds: float

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Variant, seed, attempt, epoch."""
        return self[:4]


class TrainingTables(Database):
    """The part of a run's store that trainings write."""

    def set_accuracies(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Keep accuracies: variant, precision and the fields of Accuracy. Others of the same source stay."""
        with self._transaction() as sql:
            insert_accuracies(sql, rows)

    def figures(self, source: str) -> dict[str, tuple[float, str]]:
        """Variant -> top-1 in percent at fp32, NaN where it is unknown, and why it is."""
        asked = "SELECT variant, top1_pct, reason FROM accuracies WHERE source = ? AND precision = 'fp32'"
        rows = self._query(asked, [source])
        return {variant: (float("nan") if top1 is None else top1, reason) for variant, top1, reason in rows}

    def set_dataset(self, id_: str, sizes: Mapping[str, int], notes: Sequence[str]) -> None:
        """Keep how many images each part of a data set has, and what is to be known of them."""
        with self._transaction() as sql:
            row = (id_, json.dumps(sizes), json.dumps(notes))
            sql.execute("INSERT OR REPLACE INTO datasets VALUES (?, ?, ?)", row)

    def datasets(self) -> dict[str, tuple[dict[str, int], list[str]]]:
        """Data set -> images of each part, and what is to be known of them."""
        rows = self._query("SELECT id, sizes, notes FROM datasets")
        with explained(self.folder, reading=True):
            return {id_: (json.loads(sizes), json.loads(notes)) for id_, sizes, notes in rows}

    def add_epoch(self, source: str, row: EpochRow) -> None:
        """Keep what an epoch gave; a second time it changes nothing."""
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO epochs (source, variant, seed, attempt, epoch, learning_rate, train_loss, "
                "train_top1_pct, validation_loss, validation_top1_pct, seconds) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (source, *row),
            )

    def epochs(self, source: str) -> list[EpochRow]:
        """Every epoch of a source, in the order in which they ended."""
        sql = f"SELECT {', '.join(EpochRow._fields)} FROM epochs WHERE source = ? ORDER BY id"  # noqa: S608
        with explained(self.folder, reading=True):
            return list(map(EpochRow._make, self._connection.execute(sql, [source])))

    def add_training(self, source: str, row: TrainingRow) -> None:
        """Keep the outcome of a training."""
        with self._transaction() as sql:
            values = (source, *row, now_utc())
            sql.execute(
                "INSERT OR REPLACE INTO trainings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values
            )

    def trainings(self, source: str) -> list[TrainingRow]:
        """Every training of a source that came to its end."""
        names = ", ".join(TrainingRow._fields)
        rows = self._query(
            f"SELECT {names} FROM trainings WHERE source = ? ORDER BY variant, seed",  # noqa: S608
            [source],
        )
        return [TrainingRow(*row) for row in rows]

    def trained_in(self) -> dict[int, int]:
        """Session -> how many trainings, or tests of a supernet's networks, ended in it."""
        return dict(self._query("SELECT session, count(*) FROM trainings GROUP BY session"))

    def add_validation(self, source: str, variant: str, seed: int, top1_pct: float) -> None:
        """Keep what a network that has no epochs of its own does on the validation part."""
        with self._transaction() as sql:
            make(sql, _VALIDATION_SCHEMA)
            sql.execute(
                "INSERT OR REPLACE INTO validations VALUES (?, ?, ?, ?)", (source, variant, seed, top1_pct)
            )

    def validations(self, source: str) -> dict[tuple[str, int], float]:
        """Variant and seed -> top-1 accuracy on the validation part in percent, of such networks."""
        if not self._has("validations"):
            return {}
        rows = self._query("SELECT variant, seed, top1_pct FROM validations WHERE source = ?", [source])
        return {(variant, seed): top1_pct for variant, seed, top1_pct in rows}

    def set_supernet(self, source: str, report: Mapping[str, Any]) -> None:
        """Keep how far a supernet can be trusted."""
        with self._transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO supernets VALUES (?, ?)", (source, json.dumps(report)))

    def supernets(self) -> dict[str, dict[str, Any]]:
        """Source -> the report of each supernet that has come to its end."""
        rows = self._query("SELECT source, report FROM supernets")
        with explained(self.folder, reading=True):
            return {source: old_words.report(json.loads(report)) for source, report in rows}


def insert_accuracies(sql: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Within a transaction: see `TrainingTables.set_accuracies`."""
    sql.executemany(
        "INSERT OR REPLACE INTO accuracies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
    )
