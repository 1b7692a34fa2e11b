"""Six runtimes: does preparing take less time than measuring? With an empty cache, and with a full one."""

import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

from mbsweep.pipeline import run
from mbsweep.sweep.sweep import load_sweep

# Of each session: when it began, and when the first and the last of its visits had been made.
TIMES = """\
SELECT started_utc, min(ended_utc), max(ended_utc), max(config) FROM sessions
JOIN (SELECT session, ended_utc, config FROM visits
      UNION ALL SELECT session, ended_utc, config FROM yardsticks)
ON session = sessions.id GROUP BY sessions.id
"""


def main() -> None:
    """Print both times of every configuration, and their sums, for two runs that share a cache."""
    sweep = load_sweep("sweeps/backends.yaml")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MBSWEEP_CACHE"] = f"{folder}/cache"
        for cache in ("empty", "full"):
            run(sweep, f"{folder}/{cache}")
            report(Path(folder) / cache, cache)


def report(folder: Path, cache: str) -> None:
    """Print the times of one run."""
    with closing(sqlite3.connect(folder / "run.sqlite")) as connection:
        rows = connection.execute(TIMES).fetchall()
    prepared_s, measured_s = 0.0, 0.0
    for *moments, config in rows:
        begun, first, last = (datetime.fromisoformat(moment).timestamp() for moment in moments)
        print(f"  {config:28s} prepared in {first - begun:5.1f} s, measured in {last - first:5.1f} s")
        prepared_s, measured_s = prepared_s + first - begun, measured_s + last - first
    print(
        f"{cache} cache: preparing takes {prepared_s:.0f} s, measuring {measured_s:.0f} s: "
        f"{prepared_s / measured_s:.2f} times as long (less than 1)"
    )


if __name__ == "__main__":
    main()
