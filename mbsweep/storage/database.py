"""A run's SQLite file: opened, locked, of the right format, its errors in words. Knows no table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.storage.folder import FILE_NAME, check_free, holds_run, lock

FORMAT = 8  # raised when an mbsweep could not read what another writes
OLDEST = 6  # that is read, too, and brought up to date by who writes
APPLICATION_ID = 0x6D627377  # "mbsw": tells our files from other SQLite files


class EmptyRunError(MbsweepError):
    """The run was stopped before it began: there is nothing to read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is a run that was stopped before it began; run its sweep again")


class UnreadableError(MbsweepError):
    """The file is damaged, or of another format."""


class Database:
    """An open file. Use `write` or `read`, as a context manager."""

    schema: str  # the tables of a new file

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
            with explained(folder):
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
        with explained(folder, reading=True):
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
            self._connection.executescript(f"BEGIN; {self.schema} {script} COMMIT;")
        if self._check_format() < FORMAT:
            self._update()
        if (fault := self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(fault)

    def _update(self) -> None:
        """Bring a file of an older format up to date, in one transaction."""

    def _has_tables(self) -> bool:
        return bool(self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def _check_format(self) -> int:
        """Its format. Raises UnreadableError where that is none that this mbsweep reads."""
        if self._connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise MbsweepError(f"{self.folder / FILE_NAME} was not written by mbsweep; choose another folder")
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if not OLDEST <= version <= FORMAT:
            whose, advice = (
                ("a newer", "upgrade mbsweep") if version > FORMAT else ("an older", "measure it anew")
            )
            raise UnreadableError(
                f"{self.folder} was written by {whose} mbsweep (run format {version}, this one reads "
                f"{OLDEST} to {FORMAT}); {advice}, or choose another folder"
            )
        return version

    def _has(self, table: str) -> bool:
        """Whether there is such a table: some are made when they are first written to."""
        return bool(self._query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [table]))

    def _query(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        with explained(self.folder, reading=True):
            return self._connection.execute(sql, tuple(values)).fetchall()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Bring what is written within to the disk at once, at the end: that takes as long for a hundred rows
        as for one. What was written before an error is kept, too.
        """
        with explained(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    self._commit()

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except BaseException:
            self._undo("ROLLBACK")
            raise

    def _undo(self, *statements: str) -> None:
        with suppress(sqlite3.Error):  # a full disk has rolled back already
            for statement in statements:
                self._connection.execute(statement)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with explained(self.folder):
            if self._connection.in_transaction:  # of what is written together
                with self._part():
                    yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._undo("ROLLBACK")
                raise
            self._commit()

    @contextmanager
    def _part(self) -> Iterator[None]:
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._undo("ROLLBACK TO part", "RELEASE part")
            raise
        self._connection.execute("RELEASE part")


def _connect(folder: Path, mode: str = "rwc") -> sqlite3.Connection:
    uri = f"{(folder / FILE_NAME).resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None)


@contextmanager
def explained(folder: Path, reading: bool = False) -> Iterator[None]:
    """SQLite's errors in words that say what to do; when reading also text that is not UTF-8, or not JSON."""
    faults = (sqlite3.Error, ValueError) if reading else (sqlite3.Error,)
    try:
        yield
    except faults as error:
        text = one_line(error)
        if "full" in text or "disk I/O" in text:
            advice = "free some space and run the same command again; what was measured is kept"
        elif "readonly" in text or "unable to open" in text:
            advice = "the folder must be writable; choose another --out"
        elif "locked" in text:
            advice = "another program holds it; close that and try again"
        else:
            raise UnreadableError(
                f"{folder / FILE_NAME}: {text}; the file is damaged; restore it from a copy, or name "
                "another folder. It was left as it is"
            ) from None
        raise MbsweepError(f"{folder / FILE_NAME}: {text}; {advice}") from None


def names_of(found: sqlite3.Cursor) -> list[str]:
    """The columns that rows have."""
    return [column[0] for column in found.description]


def make(sql: sqlite3.Connection, tables: str) -> None:
    """Make tables within a transaction, which `executescript` would end. tables: as in a schema."""
    for statement in tables.split(";"):
        sql.execute(statement)


def now_utc() -> str:
    """The time, as it is kept with what is measured."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
