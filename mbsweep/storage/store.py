"""What a run keeps: one SQLite file. Nothing else in mbsweep knows its tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mbsweep.space.variant import Variant
from mbsweep.storage import old_words
from mbsweep.storage.compression_tables import CompressionTables
from mbsweep.storage.database import FORMAT, explained, names_of, now_utc
from mbsweep.storage.deployed_tables import DeployedTables
from mbsweep.storage.failure_tables import FAILURE_SCHEMA, FailureTables
from mbsweep.storage.machine_tables import MACHINE_SCHEMA, MachineTables, check_whole
from mbsweep.storage.marks import marks_of
from mbsweep.storage.search_tables import SearchTables
from mbsweep.storage.sweep_tables import SWEEP_SCHEMA, SweepTables, insert_sweep
from mbsweep.storage.training_tables import TRAINING_SCHEMA, TrainingTables, insert_accuracies
from mbsweep.storage.variant_tables import (
    FIELDS_SINCE,
    VARIANT_SCHEMA,
    VariantTables,
    append_variants,
    insert_variants,
    update_variants,
)

_SCHEMA = """
CREATE TABLE sessions (id INTEGER PRIMARY KEY, started_utc TEXT NOT NULL, device TEXT NOT NULL,
                       versions TEXT NOT NULL);
-- settings: the whole latency configuration, JSON
CREATE TABLE configs (id TEXT PRIMARY KEY, position INTEGER, settings TEXT NOT NULL);
-- samples: the duration of every timed call in nanoseconds, little-endian 64-bit
CREATE TABLE visits (config TEXT NOT NULL, variant TEXT NOT NULL, round INTEGER NOT NULL,
                     session INTEGER NOT NULL, ended_utc TEXT NOT NULL, samples BLOB NOT NULL,
                     PRIMARY KEY (config, variant, round));
-- visits, and yardsticks' visits, that were measured again: they are kept, and enter no number
CREATE TABLE old_visits (config TEXT NOT NULL, name TEXT NOT NULL, round INTEGER NOT NULL,
                         session INTEGER NOT NULL, ended_utc TEXT NOT NULL, samples BLOB NOT NULL,
                         set_aside_utc TEXT NOT NULL);
CREATE TABLE files (config TEXT NOT NULL, variant TEXT NOT NULL, file_bytes INTEGER NOT NULL,
                    PRIMARY KEY (config, variant)) WITHOUT ROWID;
-- summary: statistics of the first so many visits, JSON; derived, kept because intervals take time
CREATE TABLE summaries (config TEXT NOT NULL, variant TEXT NOT NULL, visits INTEGER NOT NULL,
                        summary TEXT NOT NULL, PRIMARY KEY (config, variant)) WITHOUT ROWID;
CREATE TABLE predictions (config TEXT NOT NULL, variant TEXT NOT NULL, latency_ns REAL NOT NULL,
                          low_ns REAL NOT NULL, high_ns REAL NOT NULL,
                          PRIMARY KEY (config, variant)) WITHOUT ROWID;
-- report: how good a configuration's predictions are, JSON
CREATE TABLE predictors (config TEXT PRIMARY KEY, session INTEGER NOT NULL, report TEXT NOT NULL);
"""


class VisitRow(NamedTuple):
    """One visit as it is kept."""

    config: str
    variant: str
    round: int
    session: int
    samples: bytes


class Store(
    SweepTables,
    VariantTables,
    TrainingTables,
    DeployedTables,
    CompressionTables,
    SearchTables,
    MachineTables,
    FailureTables,
):
    """An open run. Use `Store.write` or `Store.read`, as a context manager."""

    schema = SWEEP_SCHEMA + _SCHEMA + FAILURE_SCHEMA + VARIANT_SCHEMA + MACHINE_SCHEMA + TRAINING_SCHEMA

    def _update(self) -> None:
        with self._transaction() as sql:
            if self._check_format() < FIELDS_SINCE:
                update_variants(sql)
            old_words.update(sql)
            sql.execute(f"PRAGMA user_version = {FORMAT}")

    # What the sweep asks for

    def set_sweep(
        self,
        sweep: Mapping[str, Any],
        variants: Iterable[tuple[Any, ...]],
        accuracies: Iterable[tuple[Any, ...]],
        configs: Iterable[tuple[Any, ...]],
    ) -> tuple[int, int]:
        """Make this the run's sweep, in one transaction. Returns how many variants are new, how many left.

        sweep: as `last_sweep` gives it.
        Nothing that was measured is touched: what the new file does not name stays in the run.
        """
        with self._transaction() as sql:
            sql.execute("UPDATE configs SET position = NULL")
            found = insert_variants(sql, variants)
            insert_accuracies(sql, accuracies)
            sql.executemany("INSERT OR REPLACE INTO configs VALUES (?, ?, ?)", configs)
            insert_sweep(sql, sweep)
        return found

    def add_variants(
        self, variants: Iterable[tuple[Any, ...]], accuracies: Iterable[tuple[Any, ...]]
    ) -> None:
        """Let some variants be of the run's sweep, too, behind the others; rows as those of `set_sweep`."""
        with self._transaction() as sql:
            append_variants(sql, variants)
            insert_accuracies(sql, accuracies)

    # What was measured

    def begin_session(self, device: dict[str, Any], versions: dict[str, str]) -> int:
        """Note on what machine and with which packages the following is measured."""
        with self._transaction() as sql:
            cursor = sql.execute(
                "INSERT INTO sessions (started_utc, device, versions) VALUES (?, ?, ?)",
                (now_utc(), json.dumps(device), json.dumps(versions)),
            )
        return int(cursor.lastrowid or 0)

    def sessions(self) -> list[dict[str, Any]]:
        """Every session that measured, trained or tested: id, started_utc, device, versions, and is_timed:
        whether a latency is of it.
        """
        lazily = [table for table in ("deployed", "compressed") if self._has(table)]
        timed = "SELECT session FROM visits UNION SELECT session FROM predictors"
        used = " UNION ".join([timed, *(f"SELECT session FROM {table}" for table in ("trainings", *lazily))])  # noqa: S608
        rows = self._query(
            f"WITH timed AS ({timed}) SELECT id, started_utc, device, versions, id IN timed FROM sessions "  # noqa: S608
            f"WHERE id IN ({used}) ORDER BY id"
        )
        names = ("id", "started_utc", "device", "versions", "is_timed")
        with explained(self.folder, reading=True):
            return [
                dict(zip(names, (*row[:2], *map(json.loads, row[2:4]), bool(row[4])), strict=True))
                for row in rows
            ]

    def add_visit(self, config: str, variant: str, round_: int, session: int, samples: bytes) -> None:
        """Keep the samples of one visit. They are on the disk when this returns."""
        with self._transaction() as sql:
            row = (config, variant, round_, session, now_utc(), samples)
            sql.execute("INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?)", row)

    def set_aside(self, config: str, variants: Iterable[str]) -> None:
        """Let the visits to some variants enter no number any more.

        Nor those to the yardsticks of sessions of which no other visit is left.
        """
        gone = "config = :config AND session NOT IN (SELECT session FROM visits WHERE config = :config)"
        with self._transaction() as sql:
            for table, name, condition, rows in (
                ("visits", "variant", "config = :config AND variant = :variant", variants),
                ("yardsticks", "yardstick", gone, [None]),
            ):
                for variant in rows:
                    values = {"config": config, "variant": variant, "now": now_utc()}
                    sql.execute(
                        f"INSERT INTO old_visits SELECT config, {name}, round, session, ended_utc, samples, "  # noqa: S608
                        f":now FROM {table} WHERE {condition}",
                        values,
                    )
                    sql.execute(f"DELETE FROM {table} WHERE {condition}", values)  # noqa: S608
            sql.execute(
                "DELETE FROM summaries WHERE config = :config "
                "AND variant NOT IN (SELECT variant FROM visits WHERE config = :config)",
                {"config": config},
            )

    def visit_counts(self) -> dict[str, dict[str, int]]:
        """config -> variant -> visits done."""
        counts: dict[str, dict[str, int]] = {}
        for config, variant, visits in self._query(
            "SELECT config, variant, count(*) FROM visits GROUP BY 1, 2"
        ):
            counts.setdefault(config, {})[variant] = visits
        return counts

    def size(self) -> tuple[int, int, int, int]:
        """How many variants, latency configurations, visits, and networks trained or tested the run has."""
        variants, configs, visits, trainings = (
            self._query(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608  (not from outside)
            for table in ("variants", "configs", "visits", "trainings")
        )
        return variants, configs, visits, trainings + self.deployed_count() + self.compressed_count()

    def visits(self, config: str | None = None, variant: str | None = None) -> Iterator[VisitRow]:
        """Every visit (of one configuration, of one variant), by configuration, variant and round."""
        asked = {"config": config, "variant": variant}
        values = [name for name in asked.values() if name is not None]
        conditions = [f"{column} = ?" for column, name in asked.items() if name is not None]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"SELECT config, variant, round, session, samples FROM visits {where} ORDER BY 1, 2, 3"  # noqa: S608
        with explained(self.folder, reading=True):
            for row in self._connection.execute(sql, values):
                check_whole(row[4], f"{row[1]} in {row[0]}")
                yield VisitRow(*row)

    def trained(self) -> list[tuple[Variant, float, str]]:
        """The variants with an accuracy that was trained at fp32; its top-1 in percent and data set.

        Of one source: the last that a sweep of this run named. In the sweep's order.
        """
        networks = {row[0]: row for row in self.variants()}
        with explained(self.folder, reading=True):
            cursor = self._connection.execute(
                "WITH known AS (SELECT variant, source, top1_pct, dataset FROM accuracies "
                "WHERE kind = 'trained' AND precision = 'fp32' AND top1_pct IS NOT NULL) "
                "SELECT variant, top1_pct, dataset FROM known "
                "WHERE source = (SELECT accuracy_source FROM sweeps WHERE accuracy_source IN "
                "(SELECT source FROM known) ORDER BY id DESC LIMIT 1)"
            )
            known = {row[0]: row[1:] for row in cursor}
        found = ((networks[id_], *known[id_]) for id_ in networks if id_ in known)
        return [(Variant(row[2], **json.loads(row[3])), top1, data) for row, top1, data in found]

    def set_file_bytes(self, config: str, variant: str, file_bytes: int) -> None:
        """Note the size on disk of what the runtime loads."""
        with self._transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (config, variant, file_bytes))

    def set_summaries(self, config: str, rows: Iterable[tuple[str, int, dict[str, Any]]]) -> None:
        """Keep the statistics of (variant, visits, summary) rows."""
        with self._transaction() as sql:
            sql.executemany(
                "INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?)",
                ((config, variant, visits, json.dumps(summary)) for variant, visits, summary in rows),
            )

    def summaries(self) -> dict[tuple[str, str], tuple[int, dict[str, Any]]]:
        """(config, variant) -> (visits that it is of, summary)."""
        rows = self._query("SELECT config, variant, visits, summary FROM summaries")
        with explained(self.folder, reading=True):
            return {(row[0], row[1]): (row[2], json.loads(row[3])) for row in rows}

    def set_predictions(
        self,
        config: str,
        session: int,
        report: dict[str, Any],
        rows: Iterable[tuple[str, float, float, float]],
    ) -> None:
        """Replace a configuration's predictions (variant, latency_ns, low_ns, high_ns) and their report."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM predictions WHERE config = ?", [config])
            sql.execute(
                "INSERT OR REPLACE INTO predictors VALUES (?, ?, ?)", (config, session, json.dumps(report))
            )
            sql.executemany(
                "INSERT INTO predictions VALUES (?, ?, ?, ?, ?)", ((config, *row) for row in rows)
            )

    def add_predictions(self, config: str, rows: Iterable[tuple[str, float, float, float]]) -> None:
        """Keep predictions beside those that there are."""
        with self._transaction() as sql:
            sql.executemany(
                "INSERT OR REPLACE INTO predictions VALUES (?, ?, ?, ?, ?)", ((config, *row) for row in rows)
            )

    def predicted(self) -> list[tuple[str, str]]:
        """The (config, variant) that have a prediction."""
        return [(row[0], row[1]) for row in self._query("SELECT config, variant FROM predictions")]

    def predictors(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """config -> (session, report) of every predicted configuration."""
        rows = self._query("SELECT config, session, report FROM predictors")
        with explained(self.folder, reading=True):
            return {row[0]: (row[1], json.loads(row[2])) for row in rows}

    def rows(self, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names and rows of a table; configurations in the sweep's order."""
        order = {
            "configs": "position IS NULL, position, id",
            "accuracies": "variant",
            "files": "variant",
            "predictions": "variant",
        }[table]
        with explained(self.folder, reading=True):
            cursor = self._connection.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608
            names, rows = names_of(cursor), cursor.fetchall()
            if table != "accuracies":
                return names, rows
            if "marks" not in names:  # a writer may bring the file up to date at any moment
                return old_words.accuracies(names, rows)
            for kept in {row[names.index("marks")] for row in rows}:
                marks_of(kept)  # raises where it is damaged
        return names, rows
