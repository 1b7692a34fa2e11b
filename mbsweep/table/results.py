"""Runs, opened for reading: their tables, fronts, and the published latencies beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import as_text, expanded
from mbsweep.base.progress import Progress, Silent
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.statistics.pareto import front
from mbsweep.statistics.summary import NS_PER_MS
from mbsweep.storage.database import EmptyRunError
from mbsweep.storage.folder import FILE_NAME, holds_run
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store
from mbsweep.table.chances import front_chances
from mbsweep.table.columns import COMPARABLE, NUMBERS, in_order
from mbsweep.table.compressed import int8_bytes, tabulate_compressed, tabulate_layers, with_int8
from mbsweep.table.draws import Resample
from mbsweep.table.kinds import trained_on
from mbsweep.table.search import Search, tabulate_search
from mbsweep.table.tabulate import STEPS, Undrifted, tabulate, tabulate_curves

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_UNASKED = 100_000  # rows of a table that nobody has asked for: to make a larger one takes long


@dataclass(frozen=True)
class Run:
    """One folder of results."""

    path: Path

    def table(self, progress: Progress | None = None) -> pd.DataFrame:
        """One row per variant and latency configuration; columns as in COLUMNS, and INNER. NaN: unknown.

        progress: told how far that is.
        """
        told = progress or Silent()
        told.begin(f"read {self.name}", STEPS + 1)
        with Store.read(self.path) as store:
            table = tabulate(store, told)
            table["run"] = self.name
            table["on_front"] = fronts(table)
            table["front_pct"] = front_chances(table, Undrifted(store).resample)
        told.advance("fronts")
        return table

    @contextmanager
    def resampling(self) -> Iterator[Resample]:
        """What draws the measured headlines of the run anew, from their visits."""
        with Store.read(self.path) as store:
            yield Undrifted(store).resample

    @property
    def name(self) -> str:
        """The folder's name, as text."""
        return as_text(self.path.resolve().name)

    def figure(self, value: str, cost: str, config: str | None = None) -> go.Figure:
        """Two columns of numbers against each other as the report draws them: the cost along, the value up.

        config: the latency configuration to draw alone. The published latencies of other devices, which are
        on a report's page, too, are not part of a run. Raises MbsweepError for a column that is not of
        numbers, for a configuration that the run has not, and where no row knows both numbers.
        """
        from mbsweep.reporter.figures import scatter

        for name, column in (("value", value), ("cost", cost)):
            if column not in NUMBERS:
                hint = did_you_mean(column, NUMBERS)
                raise MbsweepError(f"{name} is {shown(column)}; expected one of {', '.join(NUMBERS)}{hint}")
        table = self.table()
        if config is not None:
            configs = list(table["config"].dropna().unique())
            if config not in configs:
                names = f"{', '.join(configs) or 'no latency configuration'}{did_you_mean(config, configs)}"
                raise MbsweepError(f"config is {shown(config)}; {self.path} has {names}")
            table = table[table["config"] == config]
        figure = scatter(table, x=cost, y=value)
        if figure is None:
            raise MbsweepError(f"{self.path}: no row knows both {value} and {cost}")
        return figure

    def _repr_html_(self) -> str:
        """What a notebook shows: the table in short and the fronts; of a large run how much it holds."""
        from mbsweep.table.notebook import as_html, large_as_html

        return large_as_html(self.size(), self.name) if self.is_large else as_html(self.table(), self.name)

    def about(self) -> dict[str, Any]:
        """The sweep (name, title, description, text, accuracy_sources), the sessions that measured or
        trained, and the data sets: id -> (images of each part, what is to be known of them).
        """
        with Store.read(self.path) as store:
            sweep = store.last_sweep()
            return {**(sweep or {}), "sessions": store.sessions(), "datasets": store.datasets()}

    def trained_on(self) -> dict[str, int]:
        """Kind of processor or GPU -> how many trainings, or tests of a supernet's networks, ended on one."""
        with Store.read(self.path) as store:
            return trained_on(store)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Latency configuration -> all its settings, as in a sweep file."""
        with Store.read(self.path) as store:
            names, rows = store.rows("configs")
        found = (dict(zip(names, row, strict=True)) for row in rows)
        return {row["id"]: json.loads(row["settings"]) for row in found}

    def remarks(self) -> dict[str, list[str]]:
        """Latency configuration -> what a reader of all its latencies must know, of the machine's state."""
        with Store.read(self.path) as store:
            return store.remarks()

    def spreads(self, wanted: Set[tuple[str, str]]) -> dict[tuple[str, str], list[tuple[float, ...]]]:
        """(configuration, variant) -> the fastest, median and slowest call of each visit in ms, as timed."""
        found: dict[tuple[str, str], list[tuple[float, ...]]] = {key: [] for key in wanted}
        with Store.read(self.path) as store:
            for visit in store.visits():
                if (key := (visit.config, visit.variant)) in found:
                    calls = np.frombuffer(visit.samples, dtype="<i8") / NS_PER_MS
                    found[key].append((calls.min(), float(np.median(calls)), calls.max()))
        return found

    def curves(self) -> pd.DataFrame:
        """One row per epoch of the trainings behind the run's accuracies; none where nothing was trained.

        variant, width, resolution, seed, attempt (above 0 after a stall, from another beginning), epoch,
        train_top1_pct, validation_top1_pct, train_loss, validation_loss, and state, how the attempt ended:
        "done", "stalled", "stopped" (by halving), "begun anew", or "" where it has not come to its end.
        """
        with Store.read(self.path) as store:
            return tabulate_curves(store)

    def compressed(self) -> pd.DataFrame:
        """One row per variant and step of compression, and its int8 files; see `table.compressed`."""
        with Store.read(self.path) as store:
            found, file_bytes = tabulate_compressed(store), int8_bytes(store)
        if file_bytes and len(found):
            found = with_int8(found, self.table(), file_bytes)
        return found.assign(run=self.name)

    @property
    def is_compressed(self) -> bool:
        """Whether its sweep compresses what it trains."""
        with Store.read(self.path) as store:
            return any(step.position is not None for step in store.compression_steps())

    def compressed_layers(self) -> pd.DataFrame:
        """One row per layer of each compressed network; see `table.compressed`."""
        with Store.read(self.path) as store:
            return tabulate_layers(store).assign(run=self.name)

    def search(self, table: pd.DataFrame | None = None) -> Search | None:
        """What its search has found so far; None where its sweep searches nothing. See `table.search`.

        table: the run's, where it is made already.
        """
        with Store.read(self.path) as store:
            about, evaluations = store.search(), store.evaluations()
        if about is None:
            return None
        return tabulate_search(about, evaluations, self.table() if table is None else table)

    def is_in(self, file: Path) -> bool:
        """Whether a file is that in which the run is kept."""
        return os.path.exists(file) and file.samefile(self.path / FILE_NAME)

    def amounts(self) -> tuple[int, int, int, int]:
        """How many variants, latency configurations, visits, and networks trained or tested it holds."""
        with Store.read(self.path) as store:
            return store.size()

    def size(self) -> str:
        """The same in words."""
        variants, configs, visits, trainings = self.amounts()
        trained = f", {trainings:,} networks trained or tested" if trainings else ""
        return f"{variants:,} variants, {configs} latency configurations, {visits:,} visits{trained}"

    @property
    def is_large(self) -> bool:
        """Whether its table is so large that it is made only where it is asked for."""
        variants, configs, *_ = self.amounts()
        return variants * max(configs, 1) > MOST_UNASKED

    def failures(self) -> dict[tuple[str, str], Failure]:
        """(variant, configuration) -> why it failed; the variant is "" where all are concerned."""
        with Store.read(self.path) as store:
            found = store.failures()
        return {key: why for key, why in found.items() if why.kind is not FailureKind.SKIPPED}

    def skipped(self) -> dict[str, Failure]:
        """Configuration -> what this machine lacks for it."""
        with Store.read(self.path) as store:
            found = store.failures()
        return {config: why for (_, config), why in found.items() if why.kind is FailureKind.SKIPPED}


def open_run(path: str | Path) -> Run:
    """The run in a folder. Raises MbsweepError where there is none, or it cannot be read."""
    folder = expanded(path)
    with Store.read(folder) as store:
        if store.last_sweep() is None:
            raise EmptyRunError(folder)
        return Run(folder)


def find_runs(folder: Path) -> tuple[list[Run], list[Path], list[str]]:
    """The runs in a folder, by name; the folders of those that were stopped before they began; and a line for
    each that is old, damaged or otherwise not to be read.

    Raises MbsweepError where there is no run that can be read.
    """
    runs, empty, faults = [], [], []
    for path in _entries(folder):
        try:
            if holds_run(path):
                runs.append(open_run(path))
        except EmptyRunError:
            empty.append(path)
        except MbsweepError as error:
            faults.append(str(error))
    if not runs:
        raise MbsweepError(
            f"no run under {folder}/{f' can be read: {faults[0]}' if faults else ''}; make one with "
            "`mbsweep run SWEEP`, or name a run's folder"
        )
    return runs, empty, faults


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise MbsweepError(f"{folder}: cannot be read: {error.strerror}; name a run's folder") from None


def combine(runs: Sequence[Run], progress: Progress | None = None) -> pd.DataFrame:
    """The tables of several runs as one, below one another; fronts stay those of each run.

    A run is called after its folder; where several folders have the same name, by its path. Raises
    MbsweepError where a run is named twice. progress: told how far that is.
    """
    places = [run.path.resolve() for run in runs]
    for number, run in enumerate(runs):
        if places[number] in places[:number]:
            raise MbsweepError(f"{run.path} is named twice; name each run once")
    names = [run.name for run in runs]
    tables = [run.table(progress) for run in runs]
    for run, table in zip(runs, tables, strict=True):
        if names.count(run.name) > 1:
            table["run"] = as_text(str(run.path))
    return (
        tables[0]
        if len(tables) == 1
        else _in_order(
            pd.concat([table.astype(object) for table in tables], ignore_index=True).infer_objects()
        )
    )


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    return table[in_order(table.columns)]


def fronts(table: pd.DataFrame) -> pd.Series[bool]:
    """Mask of the rows on the front of top-1 against latency, each among the rows it can be compared with.

    Where no row has a latency, the cost is mult-adds.
    """
    cost = "latency_ms" if table["latency_ms"].notna().any() else "macs"
    mask = pd.Series(False, index=table.index)
    for _, rows in table[table["top1_pct"].notna()].groupby(COMPARABLE, dropna=False):
        mask[rows.index] = front(rows[cost], rows["top1_pct"])
    return mask
