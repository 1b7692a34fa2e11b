"""What a run keeps of a search: what it looks for, each choice and its outcome, costs of a whole space."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.storage.database import Database, UnreadableError, explained, make, now_utc
from mbsweep.storage.search_about import checked

# Not in the schema of new files: runs of before, and runs that search nothing, go on without them.
# searches: one row; about: JSON. search_costs: of every variant of the space, in its order, little-endian
# doubles, compressed. The fields of EvaluationRow, in their order.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS searches (id INTEGER PRIMARY KEY CHECK (id = 1), about TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS search_costs (config TEXT PRIMARY KEY, fingerprint TEXT NOT NULL,
                                         ns BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evaluations (number INTEGER PRIMARY KEY, batch INTEGER NOT NULL,
                                        variant TEXT NOT NULL UNIQUE, why TEXT NOT NULL, predicted_pct REAL,
                                        low_pct REAL, high_pct REAL, gain REAL, value_pct REAL,
                                        state TEXT NOT NULL, reason TEXT NOT NULL, hypervolume REAL,
                                        place INTEGER NOT NULL,
                                        chosen_utc TEXT NOT NULL, ended_utc TEXT)
"""
CHOSEN, DONE, FAILED = "chosen", "done", "failed"


class EvaluationRow(NamedTuple):
    """One variant that a search has chosen, and what came of it. None: unknown.

    number: 0, 1, ... in the order of the choices. batch: those of one batch were chosen together, before any
    of them was evaluated. why: in words. predicted_pct, low_pct, high_pct: the top-1 that was expected of it.
    gain: hypervolume that was expected of it, as a share of the reference box. value_pct: the top-1 that the
    search saw, on the validation part where there is one. state: CHOSEN, DONE or FAILED.
    reason: of a failure. hypervolume: after it, as a share of the reference box. place: in the space.
    """

    number: int
    batch: int
    variant: str
    why: str
    predicted_pct: float | None = None
    low_pct: float | None = None
    high_pct: float | None = None
    gain: float | None = None
    value_pct: float | None = None
    state: str = CHOSEN
    reason: str = ""
    hypervolume: float | None = None
    place: int = -1


class SearchTables(Database):
    """The part of a run's file that is about a search."""

    def search(self) -> dict[str, Any] | None:
        """What is searched, and how far it is; None where the run searches nothing."""
        rows = self._query("SELECT about FROM searches") if self._has("searches") else []
        if not rows:
            return None
        with explained(self.folder, reading=True):
            return checked(json.loads(rows[0][0]))

    def set_search(self, about: Mapping[str, Any]) -> None:
        """Keep that, in place of what was kept of it before."""
        with self._transaction() as sql:
            make(sql, _SCHEMA)
            sql.execute("INSERT OR REPLACE INTO searches VALUES (1, ?)", [json.dumps(about)])

    def evaluations(self) -> list[EvaluationRow]:
        """Every choice, in order."""
        if not self._has("evaluations"):
            return []
        names = ", ".join(EvaluationRow._fields)
        rows = self._query(f"SELECT {names} FROM evaluations ORDER BY number")  # noqa: S608
        with explained(self.folder, reading=True):
            return [_checked(EvaluationRow(*row)) for row in rows]

    def add_evaluations(self, rows: Iterable[EvaluationRow]) -> None:
        """Keep choices, all or none of them: they are on the disk before any is evaluated."""
        with self._transaction() as sql:
            make(sql, _SCHEMA)
            marks = ", ".join("?" * (len(EvaluationRow._fields) + 2))
            sql.executemany(
                f"INSERT INTO evaluations VALUES ({marks})",  # noqa: S608
                [(*row, now_utc(), None) for row in rows],
            )

    def end_evaluations(self, rows: Iterable[EvaluationRow]) -> None:
        """Keep what came of choices, all or none of them."""
        with self._transaction() as sql:
            sql.executemany(
                "UPDATE evaluations SET value_pct = ?, state = ?, reason = ?, hypervolume = ?, ended_utc = ? "
                "WHERE number = ?",
                [
                    (row.value_pct, row.state, row.reason, row.hypervolume, now_utc(), row.number)
                    for row in rows
                ],
            )

    def search_costs(self, config: str, fingerprint: str) -> NDArray[np.float64] | None:
        """(variants,): the latency of a whole space in ns, as it was kept under this fingerprint."""
        if not self._has("search_costs"):
            return None
        asked = [config, fingerprint]
        rows = self._query("SELECT ns FROM search_costs WHERE config = ? AND fingerprint = ?", asked)
        if not rows:
            return None
        try:
            return np.frombuffer(zlib.decompress(rows[0][0]), "<f8")
        except (zlib.error, ValueError):
            raise UnreadableError(
                f"{self.folder}: the costs of its search are damaged; choose another --out"
            ) from None

    def set_search_costs(self, config: str, fingerprint: str, ns: NDArray[np.float64]) -> None:
        """Keep the latency of a whole space."""
        with self._transaction() as sql:
            make(sql, _SCHEMA)
            blob = zlib.compress(np.ascontiguousarray(ns, "<f8").tobytes(), 1)
            sql.execute("INSERT OR REPLACE INTO search_costs VALUES (?, ?, ?)", (config, fingerprint, blob))


def _checked(row: EvaluationRow) -> EvaluationRow:
    """A choice. ValueError where it is not what this program writes."""
    numbers = (row.predicted_pct, row.low_pct, row.high_pct, row.gain, row.value_pct, row.hypervolume)
    if not (
        all(isinstance(one, int) for one in (row.batch, row.place))
        and all(isinstance(one, str) for one in (row.variant, row.why, row.reason))
        and all(one is None or isinstance(one, int | float) for one in numbers)
        and row.state in (CHOSEN, DONE, FAILED)
        and (row.value_pct is not None) == (row.state == DONE)
        and 0 <= (row.value_pct or 0) <= 100
    ):
        raise ValueError(f"evaluation {row.number + 1} of its search is not as it was written")
    return row
