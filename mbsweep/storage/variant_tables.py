"""What a run keeps of its variants."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from mbsweep.base.errors import MbsweepError
from mbsweep.space.counting import Counts, Found
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage import variant_columns
from mbsweep.storage.database import Database, explained, names_of, now_utc
from mbsweep.storage.marks import FailureKind
from mbsweep.storage.variant_columns import Gathered, VariantColumns

COUNTS = Counts.__slots__

# position: place in the sweep file's order; NULL where a later file no longer names the variant
# fields: those of its family, JSON
# counts: NULL where unknown
# checked: 1 once the built network had the counts of the closed form
VARIANT_SCHEMA = f"""
CREATE TABLE variants (id TEXT PRIMARY KEY, position INTEGER, family TEXT NOT NULL, fields TEXT NOT NULL,
                       {", ".join(f"{name} INTEGER" for name in COUNTS)},
                       checked INTEGER NOT NULL DEFAULT 0);
"""
NAMES = ("id", "position", "family", "fields", *COUNTS, "checked")

# Format 6 had a column for each field of its one family, and no counts at int8.
FIELDS_SINCE = 7
_FIELDS_OF_6 = (
    *("width", "resolution", "depth", "block", "stage_channels", "num_classes", "divisor", "stem_stride"),
)
_AT_ONCE = 5_000  # rows that are read together

_COUNTS_SINCE_7 = ("weight_bytes_int8", "peak_activation_bytes_int8")


class VariantTables(Database):
    """The part of a run's file that is about its variants."""

    def variants(self) -> list[tuple[Any, ...]]:
        """Rows of NAMES, in the sweep's order; what it no longer names is last."""
        order = "ORDER BY position IS NULL, position, rowid"
        with explained(self.folder, reading=True):
            return _as_today(self._connection.execute(f"SELECT * FROM variants {order}"))  # noqa: S608

    def variant_columns(self) -> VariantColumns:
        """The same by columns."""
        total = self._query("SELECT count(*) FROM variants")[0][0]
        with explained(self.folder, reading=True):
            columns = variant_columns.kept(self._connection)
            if columns is None or len(columns.ids) != total:
                columns = _by_columns(self._parts())
        return columns

    def _parts(self) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of NAMES, whatever the file's format."""
        if "fields" in names_of(self._connection.execute("SELECT * FROM variants LIMIT 0")):
            yield from _entered(self._connection)
        else:
            yield self.variants()

    def set_found(self, rows: Iterable[tuple[str, Sequence[Any], Found]]) -> list[str]:
        """Keep what running their code has told of variants: (id, counts, all that was found).

        Counts are in the order of COUNTS, None where unknown. Returns those whose code is in another file
        now than when the run got figures of them. Raises MbsweepError where the code gives another network
        than that of which the run has figures.
        """
        changed = []
        told = ", ".join(f"{name} = ?" for name in COUNTS)
        with self._transaction() as sql:
            variant_columns.forget(sql)
            # Not in the schema of new files: few runs have any.
            sql.execute("CREATE TABLE IF NOT EXISTS count_notes (variant TEXT PRIMARY KEY, note TEXT)")
            sql.execute("CREATE TABLE IF NOT EXISTS code (variant TEXT PRIMARY KEY, hash TEXT)")
            for id_, counts, found in rows:
                sql.execute("DELETE FROM count_notes WHERE variant = ?", [id_])
                sql.execute("DELETE FROM failures WHERE variant = ? AND config = ''", [id_])
                if found.failure:
                    row = (
                        id_,
                        found.failure,
                        now_utc(),
                        FailureKind.PASSING,
                    )  # the code may be another tomorrow
                    sql.execute("INSERT INTO failures VALUES (?, '', ?, ?, ?)", row)
                    continue
                before = sql.execute("SELECT params, macs FROM variants WHERE id = ?", [id_]).fetchone()
                has_figures = _has_figures(sql, id_)
                if before[0] is not None and before != tuple(counts[:2]) and has_figures:
                    raise MbsweepError(
                        f"{self.folder}: the code of {id_} gives another network than the one that was "
                        "measured or trained; choose another --out, so that the two do not mix"
                    )
                sql.execute(f"UPDATE variants SET {told} WHERE id = ?", [*counts, id_])  # noqa: S608
                if found.note:
                    sql.execute("INSERT INTO count_notes VALUES (?, ?)", [id_, found.note])
                then = sql.execute("SELECT hash FROM code WHERE variant = ?", [id_]).fetchone()
                if then and has_figures:
                    changed += [id_] if then[0] != found.code else []
                else:
                    sql.execute("INSERT OR REPLACE INTO code VALUES (?, ?)", [id_, found.code])
        return changed

    def count_notes(self) -> dict[str, str]:
        """Variant -> what a reader of its counts must know."""
        if not self._query("SELECT 1 FROM sqlite_master WHERE name = 'count_notes'"):
            return {}
        return dict(self._query("SELECT variant, note FROM count_notes"))

    def checked(self) -> set[str]:
        """Variants whose built network had the counts of the closed form."""
        return {row[0] for row in self._query("SELECT id FROM variants WHERE checked")}

    def set_checked(self, variant: str) -> None:
        """Note that a variant's counts were confirmed."""
        with self._transaction() as sql:
            sql.execute("UPDATE variants SET checked = 1 WHERE id = ?", [variant])


def update_variants(sql: sqlite3.Connection) -> None:
    """Within a transaction: bring the table of format 6 to that of today."""
    rows = _as_today(sql.execute("SELECT * FROM variants ORDER BY rowid"))
    sql.execute("DROP TABLE variants")
    sql.execute(VARIANT_SCHEMA)
    sql.executemany(f"INSERT INTO variants VALUES ({', '.join('?' for _ in NAMES)})", rows)  # noqa: S608


def insert_variants(sql: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> tuple[int, int]:
    """Make some variants, (position, id, family, fields, *COUNTS), those of the sweep.

    Returns how many are new, and how many of before it does not name.
    """
    before = sql.execute("SELECT count(*) FROM variants").fetchone()[0]
    variant_columns.forget(sql)
    sql.execute("UPDATE variants SET position = NULL")
    names = ("position", "id", "family", "fields", *COUNTS)
    gathered = Gathered(names)
    sql.executemany(
        f"INSERT INTO variants ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)}) "  # noqa: S608
        "ON CONFLICT (id) DO UPDATE SET position = excluded.position",
        rows if before else gathered.passing(rows),
    )
    after = sql.execute("SELECT count(*) FROM variants").fetchone()[0]
    left = sql.execute("SELECT count(*) FROM variants WHERE position IS NULL").fetchone()[0]
    if not before:
        variant_columns.keep(sql, gathered.columns())
    elif not left and after >= variant_columns.LEAST:
        variant_columns.keep(sql, _by_columns(_entered(sql)))
    return after - before, left


def append_variants(sql: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Within a transaction: let variants, (anything, id, family, fields, *COUNTS), follow those of the sweep.

    One that is the sweep's already stays where it is.
    """
    variant_columns.forget(sql)
    following = sql.execute("SELECT coalesce(max(position), -1) + 1 FROM variants").fetchone()[0]
    names = ("position", "id", "family", "fields", *COUNTS)
    sql.executemany(
        f"INSERT INTO variants ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)}) "  # noqa: S608
        "ON CONFLICT (id) DO UPDATE SET position = coalesce(position, excluded.position)",
        [(following + place, *row[1:]) for place, row in enumerate(rows)],
    )


def _entered(sql: sqlite3.Connection) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of NAMES, some at a time, in the order in which they were entered."""
    cursor = sql.execute(f"SELECT {', '.join(NAMES)} FROM variants ORDER BY rowid")  # noqa: S608
    while rows := cursor.fetchmany(_AT_ONCE):
        yield rows


def _by_columns(parts: Iterable[Sequence[tuple[Any, ...]]]) -> VariantColumns:
    """Rows of NAMES by columns, in the sweep's order."""
    gathered = Gathered(NAMES)
    for rows in parts:
        gathered.add(rows)
    return gathered.columns().in_order()


def _has_figures(sql: sqlite3.Connection, variant: str) -> bool:
    """Whether a variant was measured or trained."""
    found = "SELECT 1 FROM visits WHERE variant = :it UNION SELECT 1 FROM trainings WHERE variant = :it"
    return sql.execute(found, {"it": variant}).fetchone() is not None


def _as_today(found: sqlite3.Cursor) -> list[tuple[Any, ...]]:
    """Rows of NAMES, of the whole table.

    Which format they have is told by their columns: a writer may bring the file up to date at any moment.
    """
    names = names_of(found)
    if "fields" in names:
        return list(map(itemgetter(*map(names.index, NAMES)), found))
    kept, variants = [], []
    for row in (dict(zip(names, values, strict=True)) for values in found):
        fields = {name: row[name] for name in _FIELDS_OF_6}
        fields["stage_channels"] = json.loads(fields["stage_channels"])
        kept.append(row | {"fields": json.dumps(fields)})
        variants.append(Variant(row["family"], **fields))
    counts = Space.of(variants)
    sizes = [getattr(counts, name).tolist() for name in _COUNTS_SINCE_7]
    int8 = {
        id_: dict(zip(_COUNTS_SINCE_7, of_one, strict=True))
        for id_, *of_one in zip(counts.ids(), *sizes, strict=True)
    }
    none = dict.fromkeys(_COUNTS_SINCE_7)
    return [tuple((row | int8.get(row["id"], none))[name] for name in NAMES) for row in kept]
