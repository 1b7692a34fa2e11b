"""The runs of a page, each with what it tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from mbsweep.accuracy.source import Source
from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress
from mbsweep.storage.marks import Failure
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.results import Run, combine
from mbsweep.table.search import Search


@dataclass(frozen=True)
class Part:
    """One of a page's runs."""

    run: Run
    name: str  # as in the table
    about: dict[str, Any]
    skipped: dict[str, Failure]  # configuration -> why this machine could not measure it
    settings: dict[str, dict[str, Any]]  # configuration -> its settings, as in a sweep file
    remarks: dict[str, list[str]]  # configuration -> what is to be known of all its latencies

    @property
    def path(self) -> str:
        """Its folder."""
        return str(self.run.path)

    @cached_property
    def search(self) -> Search | None:
        """What its search has found; None where its sweep searches nothing."""
        return self.run.search()

    @cached_property
    def accuracy(self) -> Source | None:
        """Where its sweep takes accuracies from; None also where another version wrote the sweep."""
        try:
            return parse_sweep(self.about["text"], self.name).accuracy
        except MbsweepError:
            return None

    @property
    def accuracy_settings(self) -> dict[str, Any] | None:
        """The same as a sweep file says it, without what is as usual, and without its budget."""
        return None if self.accuracy is None else self.accuracy.said()


def open_parts(runs: Sequence[Run], progress: Progress | None = None) -> tuple[list[Part], pd.DataFrame]:
    """The runs of a page, and the table of all. progress: told how far that is."""
    table = combine(runs, progress)
    names = list(table["run"].unique())
    if len(names) != len(runs):  # one has no rows
        names = [run.name for run in runs]
    parts = []
    for run, name in zip(runs, names, strict=True):
        known = set(table.loc[table["run"] == name, "config"])
        skipped = {config: why for config, why in run.skipped().items() if config in known}
        parts.append(Part(run, str(name), run.about(), skipped, run.settings(), run.remarks()))
    return parts, table
