"""One SQLite file per run. Nothing else in mbsweep knows SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from mbsweep.errors import MbsweepError
from mbsweep.folder import FILE_NAME, check_free, holds_run, lock

FORMAT = 1  # raised when an older mbsweep could not read what a newer one writes
APPLICATION_ID = 0x6D627377  # "mbsw": tells our files from other SQLite files

_SCHEMA = """
CREATE TABLE sweeps (id INTEGER PRIMARY KEY, used_utc TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,
                     description TEXT NOT NULL, text TEXT NOT NULL, accuracy_source TEXT);
CREATE TABLE sessions (id INTEGER PRIMARY KEY, started_utc TEXT NOT NULL, device TEXT NOT NULL,
                       versions TEXT NOT NULL);
-- position: place in the sweep file's order; NULL where a later file no longer names the variant
-- checked: 1 once the built network had the counts of the closed form
CREATE TABLE variants (id TEXT PRIMARY KEY, position INTEGER, family TEXT NOT NULL, block TEXT NOT NULL,
                       stage_channels TEXT NOT NULL, num_classes INTEGER NOT NULL, divisor INTEGER NOT NULL,
                       width REAL NOT NULL, resolution INTEGER NOT NULL, depth INTEGER NOT NULL,
                       params INTEGER NOT NULL, macs INTEGER NOT NULL, weight_bytes INTEGER NOT NULL,
                       peak_activation_bytes INTEGER NOT NULL, checked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE accuracies (variant TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, top1_pct REAL,
                         top5_pct REAL, reason TEXT NOT NULL, PRIMARY KEY (variant, source)) WITHOUT ROWID;
CREATE TABLE configs (id TEXT PRIMARY KEY, position INTEGER, backend TEXT NOT NULL, precision TEXT NOT NULL,
                      batch INTEGER NOT NULL, threads INTEGER NOT NULL, rounds INTEGER NOT NULL);
-- samples: the duration of every timed call in nanoseconds, little-endian 64-bit
CREATE TABLE visits (config TEXT NOT NULL, variant TEXT NOT NULL, round INTEGER NOT NULL,
                     session INTEGER NOT NULL, ended_utc TEXT NOT NULL, samples BLOB NOT NULL,
                     PRIMARY KEY (config, variant, round));
-- config: '' where the variant failed before any configuration
CREATE TABLE failures (variant TEXT NOT NULL, config TEXT NOT NULL, reason TEXT NOT NULL,
                       at_utc TEXT NOT NULL, PRIMARY KEY (variant, config));
"""


class EmptyRunError(MbsweepError):
    """The run was stopped before it began: there is nothing to read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is a run that was stopped before it began; run its sweep again")


class Store:
    """An open run. Use `Store.write` or `Store.read`, as a context manager."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: IO[str] | None) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = lock

    @classmethod
    def write(cls, folder: Path) -> Self:
        """Open a run for its one writer; make it where there is none.

        Raises MbsweepError where another process writes it, where the folder holds something else, where the
        file is damaged or of a newer format, and where the folder cannot be written.
        """
        check_free(folder)
        lock_file = lock(folder)
        try:
            with _explained(folder):
                store = cls(folder, _connect(folder), lock_file)
                store._prepare()
            return store
        except BaseException:
            lock_file.close()
            raise

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open a run for reading.

        Raises MbsweepError where there is none, or it cannot be read; EmptyRunError where it holds nothing.
        """
        if not holds_run(folder):
            raise MbsweepError(
                f"{folder} is not an mbsweep run (it has no {FILE_NAME}); `mbsweep run SWEEP` makes one"
            )
        with _explained(folder, reading=True):
            # Not mode=ro: a writer killed within a commit leaves a journal that must be rolled back.
            # Where the file may not be written, SQLite opens it for reading.
            store = cls(folder, _connect(folder, "rw"), None)
            try:
                store._connection.execute("PRAGMA query_only = ON")
                if not store._has_tables():
                    raise EmptyRunError(folder)
                store._check_format()
            except BaseException:
                store._connection.close()
                raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    def _prepare(self) -> None:
        # A commit is on the disk when it returns, also if the power fails.
        self._connection.execute("PRAGMA synchronous = FULL")
        if not self._has_tables():
            script = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
            self._connection.executescript(f"BEGIN; {_SCHEMA} {script} COMMIT;")
        self._check_format()
        if (fault := self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(fault)

    def _has_tables(self) -> bool:
        return bool(self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def _check_format(self) -> None:
        if self._connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise MbsweepError(f"{self.folder / FILE_NAME} was not written by mbsweep; choose another folder")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            raise MbsweepError(
                f"{self.folder} was written by a newer mbsweep (run format {version}, this one reads "
                f"{FORMAT}); upgrade mbsweep, or choose another folder"
            )

    def _query(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        with _explained(self.folder, reading=True):
            return self._connection.execute(sql, tuple(values)).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _explained(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    # What the sweep asks for

    def last_sweep(self) -> dict[str, Any] | None:
        """The sweep file of the last run into this folder; None before the first."""
        rows = self._query(
            "SELECT name, title, description, text, accuracy_source FROM sweeps ORDER BY id DESC LIMIT 1"
        )
        names = ("name", "title", "description", "text", "accuracy_source")
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def set_sweep(
        self,
        sweep: Mapping[str, str],
        variants: Iterable[tuple[Any, ...]],
        accuracies: Iterable[tuple[Any, ...]],
        configs: Iterable[tuple[Any, ...]],
    ) -> tuple[int, int]:
        """Make this the run's sweep, in one transaction. Returns how many variants are new, how many left.

        Nothing that was measured is touched: what the new file does not name stays in the run.
        """
        with self._transaction() as sql:
            before = sql.execute("SELECT count(*) FROM variants").fetchone()[0]
            sql.execute("UPDATE variants SET position = NULL")
            sql.execute("UPDATE configs SET position = NULL")
            sql.executemany(
                "INSERT INTO variants (position, id, family, block, stage_channels, num_classes, divisor, "
                "width, resolution, depth, params, macs, weight_bytes, peak_activation_bytes) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET position = excluded.position",
                variants,
            )
            sql.executemany("INSERT OR REPLACE INTO accuracies VALUES (?, ?, ?, ?, ?, ?)", accuracies)
            sql.executemany("INSERT OR REPLACE INTO configs VALUES (?, ?, ?, ?, ?, ?, ?)", configs)
            sql.execute(
                "INSERT INTO sweeps (used_utc, name, title, description, text, accuracy_source) "
                "VALUES (:used_utc, :name, :title, :description, :text, :accuracy_source)",
                {"used_utc": _now(), "accuracy_source": None, **sweep},
            )
            after = sql.execute("SELECT count(*) FROM variants").fetchone()[0]
            left = sql.execute("SELECT count(*) FROM variants WHERE position IS NULL").fetchone()[0]
        return after - before, left

    # What was measured

    def begin_session(self, device: dict[str, Any], versions: dict[str, str]) -> int:
        """Note on what machine and with which packages the following is measured."""
        with self._transaction() as sql:
            cursor = sql.execute(
                "INSERT INTO sessions (started_utc, device, versions) VALUES (?, ?, ?)",
                (_now(), json.dumps(device), json.dumps(versions)),
            )
        return int(cursor.lastrowid or 0)

    def sessions(self) -> list[dict[str, Any]]:
        """Every session that measured something: id, started_utc, device, versions."""
        rows = self._query(
            "SELECT id, started_utc, device, versions FROM sessions "
            "WHERE id IN (SELECT session FROM visits) ORDER BY id"
        )
        with _explained(self.folder, reading=True):
            return [
                {
                    "id": row[0],
                    "started_utc": row[1],
                    "device": json.loads(row[2]),
                    "versions": json.loads(row[3]),
                }
                for row in rows
            ]

    def add_visit(self, config: str, variant: str, round_: int, session: int, samples: bytes) -> None:
        """Keep the samples of one visit. They are on the disk when this returns."""
        with self._transaction() as sql:
            row = (config, variant, round_, session, _now(), samples)
            sql.execute("INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?)", row)

    def visited(self, config: str) -> set[tuple[int, str]]:
        """The (round, variant) visits of a configuration that are done."""
        return {
            (row[0], row[1])
            for row in self._query("SELECT round, variant FROM visits WHERE config = ?", [config])
        }

    def visit_counts(self) -> dict[str, dict[str, int]]:
        """config -> variant -> visits done."""
        counts: dict[str, dict[str, int]] = {}
        for config, variant, visits in self._query(
            "SELECT config, variant, count(*) FROM visits GROUP BY 1, 2"
        ):
            counts.setdefault(config, {})[variant] = visits
        return counts

    def size(self) -> tuple[int, int, int]:
        """How many variants, latency configurations, and visits the run has."""
        variants, configs, visits = (
            self._query(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608  (not from outside)
            for table in ("variants", "configs", "visits")
        )
        return variants, configs, visits

    def visits(self) -> Iterator[tuple[str, str, bytes]]:
        """(config, variant, samples) of every visit, in the order of configuration, variant and round."""
        with _explained(self.folder, reading=True):
            for config, variant, samples in self._connection.execute(
                "SELECT config, variant, samples FROM visits ORDER BY config, variant, round"
            ):
                if not samples or len(samples) % 8:
                    raise sqlite3.DatabaseError(f"the samples of {variant} in {config} are cut short")
                yield config, variant, samples

    def add_failure(self, variant: str, config: str, reason: str) -> None:
        """Note that a variant failed, in one configuration or (config '') before any."""
        with self._transaction() as sql:
            sql.execute(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", (variant, config, reason, _now())
            )

    def failures(self) -> dict[tuple[str, str], str]:
        """(variant, config) -> reason."""
        return {
            (row[0], row[1]): row[2] for row in self._query("SELECT variant, config, reason FROM failures")
        }

    def forget_failures(self) -> None:
        """Let what failed be tried again."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM failures")

    def checked(self) -> set[str]:
        """Variants whose built network had the counts of the closed form."""
        return {row[0] for row in self._query("SELECT id FROM variants WHERE checked")}

    def set_checked(self, variant: str) -> None:
        """Note that a variant's counts were confirmed."""
        with self._transaction() as sql:
            sql.execute("UPDATE variants SET checked = 1 WHERE id = ?", [variant])

    def rows(self, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names and rows of `variants`, `configs` or `accuracies`; in the sweep's order."""
        order = {
            "variants": "position IS NULL, position, rowid",
            "configs": "position IS NULL, position, id",
            "accuracies": "variant",
        }[table]
        with _explained(self.folder, reading=True):
            cursor = self._connection.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608
            return [column[0] for column in cursor.description], cursor.fetchall()


def _connect(folder: Path, mode: str = "rwc") -> sqlite3.Connection:
    uri = f"{(folder / FILE_NAME).resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def _explained(folder: Path, reading: bool = False) -> Iterator[None]:
    """SQLite's errors in words that say what to do; when reading also text that is not UTF-8, or not JSON."""
    faults = (sqlite3.Error, ValueError) if reading else (sqlite3.Error,)
    try:
        yield
    except faults as error:
        text = " ".join(str(error).split())
        if "full" in text or "disk I/O" in text:
            advice = "free some space and run the same command again; what was measured is kept"
        elif "readonly" in text or "unable to open" in text:
            advice = "the folder must be writable; choose another --out"
        elif "locked" in text:
            advice = "another program holds it; close that and try again"
        else:
            advice = (
                "the file is damaged; restore it from a copy, or choose another --out. It was left as it is"
            )
        raise MbsweepError(f"{folder / FILE_NAME}: {text}; {advice}") from None
