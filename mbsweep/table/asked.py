"""The rows of a run that a command asks for."""

from __future__ import annotations

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.table.results import Run


def where(run: Run, config: str | None) -> str:
    """The run and, if one is named, the configuration: the begin of an error."""
    return f"{run.path}, {config}" if config else str(run.path)


def of_config(run: Run, config: str | None, progress: Progress | None = None) -> pd.DataFrame:
    """A run's rows of a latency configuration; all, where none is named.

    Raises MbsweepError for a configuration that the run does not have, and for a run without any row.
    progress: told how far reading it is.
    """
    table = run.table(progress)
    if table.empty:
        raise MbsweepError(f"{run.path} has no variants")
    if config is None:
        return table
    known = [name for name in table["config"].unique() if isinstance(name, str)]
    if config not in known:
        has = f"it has {', '.join(known)}" if known else "it has none: its variants are only counted"
        hint = did_you_mean(config, known)
        raise MbsweepError(f"{run.path} has no latency configuration {shown(config)}; {has}{hint}")
    return table[table["config"] == config]
