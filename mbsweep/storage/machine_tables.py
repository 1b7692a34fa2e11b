"""What a run keeps of the machine: its yardsticks, the speed that they tell, and remarks for the reader."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import numpy as np

from mbsweep.statistics.drift import Drift, Key, Size
from mbsweep.storage.database import Database, explained, now_utc

MACHINE_SCHEMA = """
-- the networks that are visited in every round of every session, to tell the machine's drift
CREATE TABLE yardsticks (config TEXT NOT NULL, yardstick TEXT NOT NULL, round INTEGER NOT NULL,
                         session INTEGER NOT NULL, ended_utc TEXT NOT NULL, samples BLOB NOT NULL,
                         PRIMARY KEY (config, yardstick, round, session));
-- reference_ns: the yardstick's latency at the speed at which headlines are told; NULL until it is known
CREATE TABLE calibrations (config TEXT NOT NULL, yardstick TEXT NOT NULL, params INTEGER NOT NULL,
                           macs INTEGER NOT NULL, reference_ns REAL,
                           PRIMARY KEY (config, yardstick)) WITHOUT ROWID;
-- remark: what a reader of all latencies of a configuration must know, such as of the machine's state
CREATE TABLE remarks (config TEXT NOT NULL, topic TEXT NOT NULL, remark TEXT NOT NULL,
                      PRIMARY KEY (config, topic)) WITHOUT ROWID;
"""


class MachineTables(Database):
    """The part of a run's file that is about the machine."""

    def add_yardstick(self, config: str, name: str, round_: int, session: int, samples: bytes) -> None:
        """Keep the samples of one visit to a yardstick network."""
        with self._transaction() as sql:
            row = (config, name, round_, session, now_utc(), samples)
            sql.execute("INSERT OR REPLACE INTO yardsticks VALUES (?, ?, ?, ?, ?, ?)", row)

    def yardsticks(self) -> Iterator[tuple[str, str, int, int, bytes]]:
        """(config, yardstick, round, session, samples) of each yardstick's visits, in the order of time."""
        with explained(self.folder, reading=True):
            for row in self._connection.execute(
                "SELECT config, yardstick, round, session, samples FROM yardsticks ORDER BY 1, 2, 4, 3"
            ):
                check_whole(row[4], f"{row[1]} in {row[0]}")
                yield row

    def drifts(self) -> dict[str, Drift]:
        """config -> how the machine drifted while it was measured."""
        sizes: dict[str, dict[str, Size]] = {}
        reference: dict[str, dict[str, float]] = {}
        for config, name, params, macs, reference_ns in self._query("SELECT * FROM calibrations"):
            sizes.setdefault(config, {})[name] = params, macs
            if reference_ns is not None:
                reference.setdefault(config, {})[name] = reference_ns
        fastest: dict[str, dict[str, dict[Key, float]]] = {config: {} for config in sizes}
        for config, name, round_, session, samples in self.yardsticks():
            fastest[config].setdefault(name, {})[session, round_] = min(np.frombuffer(samples, "<i8"))
        return {config: Drift(fastest[config], sizes[config], reference.get(config)) for config in sizes}

    def set_calibration(self, config: str, rows: Iterable[tuple[str, int, int, float | None]]) -> None:
        """Keep (yardstick, parameters, mult-adds, reference latency in ns or None) of a configuration."""
        with self._transaction() as sql:
            sql.executemany(
                "INSERT OR REPLACE INTO calibrations VALUES (?, ?, ?, ?, ?)", ((config, *row) for row in rows)
            )

    def calibration(self, config: str) -> dict[str, float | None]:
        """Yardsticks of a configuration -> their reference latency in ns; None while it is not known."""
        sql = "SELECT yardstick, reference_ns FROM calibrations WHERE config = ?"
        return {row[0]: row[1] for row in self._query(sql, [config])}

    def set_remark(self, config: str, topic: str, remark: str) -> None:
        """Keep what a reader of a configuration's latencies must know of a topic; empty: nothing any more."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM remarks WHERE config = ? AND topic = ?", (config, topic))
            if remark:
                sql.execute("INSERT INTO remarks VALUES (?, ?, ?)", (config, topic, remark))

    def remarks(self) -> dict[str, list[str]]:
        """config -> what a reader of all its latencies must know; of the machine's drift, too."""
        found: dict[str, list[str]] = {}
        for config, remark in self._query("SELECT config, remark FROM remarks ORDER BY config, topic"):
            found.setdefault(config, []).append(remark)
        for config, drift in self.drifts().items():
            if drift.remark:
                found.setdefault(config, []).append(drift.remark)
        return found


def check_whole(samples: bytes, whose: str) -> None:
    """sqlite3.DatabaseError where kept samples are cut short."""
    if not samples or len(samples) % 8:
        raise sqlite3.DatabaseError(f"the samples of {whose} are cut short")
