"""A run -> one table. Units and directions of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.errors import MbsweepError
from mbsweep.folder import FILE_NAME
from mbsweep.pareto import front
from mbsweep.store import EmptyRunError, Store
from mbsweep.summary import summarize


@dataclass(frozen=True)
class Column:
    """What a column of the table means."""

    label: str
    unit: str = ""
    better: str = ""  # "lower", "higher", or neither


COLUMNS: dict[str, Column] = {
    "variant": Column("Variant"),
    "family": Column("Family"),
    "block": Column("Block"),
    "width": Column("Width multiplier"),
    "resolution": Column("Resolution", "px"),
    "depth": Column("Depth", "blocks"),
    "stage_channels": Column("Stage channels at width 1"),
    "num_classes": Column("Classes"),
    "divisor": Column("Channel divisor"),
    "params": Column("Parameters", "", "lower"),
    "macs": Column("Mult-adds", "", "lower"),
    "weight_bytes": Column("Weights at fp32", "bytes", "lower"),
    "peak_activation_bytes": Column("Peak activations at fp32", "bytes", "lower"),
    "latency_ms": Column("Latency", "ms", "lower"),
    "latency_p50_ms": Column("Latency p50", "ms", "lower"),
    "latency_p90_ms": Column("Latency p90", "ms", "lower"),
    "latency_mean_ms": Column("Latency mean", "ms", "lower"),
    "latency_sd_ms": Column("Latency sd", "ms", "lower"),
    "latency_samples": Column("Timed calls"),
    "latency_kind": Column("Latency kind"),
    "backend": Column("Backend"),
    "precision": Column("Precision"),
    "threads": Column("Threads"),
    "batch": Column("Batch", "images"),
    "device": Column("Device"),
    "top1_pct": Column("Top-1 accuracy", "%", "higher"),
    "top5_pct": Column("Top-5 accuracy", "%", "higher"),
    "top1_kind": Column("Accuracy kind"),
    "top1_source": Column("Accuracy source"),
    "top1_reason": Column("Why accuracy is unknown"),
    "on_front": Column("On the Pareto front"),
    "error": Column("Error"),
}

# Rows with the same values here lie on one pair of axes: only among them is a front drawn.
COMPARABLE = [
    "backend",
    "precision",
    "threads",
    "batch",
    "device",
    "latency_kind",
    "top1_kind",
    "top1_source",
]


@dataclass(frozen=True)
class Run:
    """One folder of results."""

    path: Path

    def table(self) -> pd.DataFrame:
        """One row per variant and latency configuration; columns as in COLUMNS. NaN means unknown."""
        with Store.read(self.path) as store:
            return _tabulate(store)

    def about(self) -> dict[str, Any]:
        """The sweep (name, title, description, text, accuracy_source) and the sessions that measured."""
        with Store.read(self.path) as store:
            return (store.last_sweep() or {}) | {"sessions": store.sessions()}

    def size(self) -> str:
        """How much the run holds, in words."""
        with Store.read(self.path) as store:
            variants, configs, visits = store.size()
        return f"{variants:,} variants, {configs} latency configurations, {visits:,} visits"

    def failures(self) -> dict[tuple[str, str], str]:
        """(variant, configuration) -> why it failed; the configuration is "" where all are concerned."""
        with Store.read(self.path) as store:
            return store.failures()


def open_run(path: str | Path) -> Run:
    """The run in a folder. Raises MbsweepError where there is none, or it cannot be read."""
    with Store.read(Path(path)) as store:
        if store.last_sweep() is None:
            raise EmptyRunError(Path(path))
        return Run(Path(path))


def find_runs(folder: Path) -> tuple[list[Run], list[Path]]:
    """The runs in a folder, by name, and the folders of those that were stopped before they began.

    Raises MbsweepError where there is no run, or one cannot be read.
    """
    runs, empty = [], []
    for file in sorted(folder.glob(f"*/{FILE_NAME}")):
        try:
            runs.append(open_run(file.parent))
        except EmptyRunError:
            empty.append(file.parent)
    if not runs:
        raise MbsweepError(
            f"no run under {folder}/; make one with `mbsweep run SWEEP`, or name a run's folder"
        )
    return runs, empty


def fronts(table: pd.DataFrame) -> pd.Series[bool]:
    """Mask of the rows on the front of top-1 against latency, each among the rows it can be compared with.

    Where no row has a latency, the cost is mult-adds.
    """
    cost = "latency_ms" if table["latency_ms"].notna().any() else "macs"
    mask = pd.Series(False, index=table.index)
    for _, rows in table.groupby(COMPARABLE, dropna=False):
        mask[rows.index] = front(rows[cost], rows["top1_pct"])
    return mask


def _tabulate(store: Store) -> pd.DataFrame:
    variants = _frame(store, "variants").rename(columns={"id": "variant"})
    latencies = _latencies(store)
    configs = _frame(store, "configs").rename(columns={"id": "config"})
    # A configuration that the sweep no longer names stays in the table as far as it was measured.
    configs = configs[configs["position"].notna() | configs["config"].isin(latencies["config"])]
    if configs.empty:
        table = variants.assign(config="", rounds=0)
    else:
        table = configs.merge(variants, how="cross", suffixes=("", "_of_variant"))
    table = table.merge(latencies, how="left", on=["config", "variant"])
    source = (store.last_sweep() or {}).get("accuracy_source")
    accuracies = _frame(store, "accuracies").rename(
        columns={"source": "top1_source", "kind": "top1_kind", "reason": "top1_reason"}
    )
    table = table.merge(accuracies[accuracies["top1_source"] == source], how="left", on="variant")
    table["is_asked"] = table.filter(like="position").notna().all(axis=1)
    table["error"] = _errors(table, store.failures())
    table = table.reindex(columns=list(COLUMNS))
    table["on_front"] = fronts(table)
    return table


def _frame(store: Store, name: str) -> pd.DataFrame:
    columns, rows = store.rows(name)
    return pd.DataFrame(rows, columns=columns)


def _latencies(store: Store) -> pd.DataFrame:
    """One row per configuration and variant that has samples."""
    sessions = store.sessions()
    device = sessions[-1]["device"]["description"] if sessions else None
    rows = []
    for (config, variant), group in groupby(store.visits(), key=lambda visit: visit[:2]):
        visits = [np.frombuffer(samples, dtype="<i8") for _, _, samples in group]
        found = summarize(visits) | {"visits": len(visits)}
        rows.append(
            {"config": config, "variant": variant, "latency_kind": "measured", "device": device} | found
        )
    names = ["config", "variant", "visits", "latency_kind", "device"]
    names += [name for name in COLUMNS if name.startswith("latency_") and name != "latency_kind"]
    return pd.DataFrame(rows, columns=names)


def _errors(table: pd.DataFrame, failures: dict[tuple[str, str], str]) -> list[str | None]:
    """Why a row has no latency, or less than was asked for; None where nothing is wrong."""
    errors: list[str | None] = []
    for variant, config, rounds, visits, is_asked in zip(
        table["variant"],
        table["config"],
        table["rounds"],
        table["visits"].fillna(0),
        table["is_asked"],
        strict=True,
    ):
        reason = failures.get((variant, config)) or failures.get((variant, ""))
        if reason is None and visits < rounds and not is_asked:
            reason = f"measured in {visits:.0f} of {rounds} rounds; the sweep no longer asks for the rest"
        elif reason is None and visits < rounds:
            reason = f"measured in {visits:.0f} of {rounds} rounds; run the sweep again to go on"
        errors.append(reason)
    return errors
