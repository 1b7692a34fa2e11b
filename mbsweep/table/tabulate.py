"""A run's store -> its table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.base.progress import Progress
from mbsweep.statistics.drift import Drift
from mbsweep.statistics.summary import (
    NS_PER_MS,
    Visits,
    fastest_ms,
    noise_words,
    resampled_headlines,
    summarize,
)
from mbsweep.storage.database import explained
from mbsweep.storage.marks import Failure
from mbsweep.storage.store import Store, VisitRow
from mbsweep.storage.training_tables import EpochRow, TrainingRow
from mbsweep.storage.variant_tables import NAMES
from mbsweep.table.accuracies import ACCURACY_COLUMNS, accuracies, as_deployed, deployed, frame, sources
from mbsweep.table.columns import COLUMNS, in_order
from mbsweep.table.networks import networks
from mbsweep.table.search import of_search

STEPS = 4  # of which `tabulate` tells


def tabulate(store: Store, progress: Progress) -> pd.DataFrame:
    """One row per variant and latency configuration, in the sweep's order; without run and fronts."""
    variants = networks(store)
    progress.advance("variants")
    latencies = _latencies(store)
    progress.advance("latencies")
    configs = _configs(store)
    # A configuration that the sweep no longer names stays in the table as far as it was measured.
    configs = configs[configs["position"].notna() | configs["config"].isin(latencies["config"])]
    if configs.empty:
        table = variants.assign(config=None, rounds=0, precision="fp32")
    else:
        table = configs.merge(variants, how="cross", suffixes=("", "_of_variant"))
    table = table.merge(latencies, how="left", on=["config", "variant"])
    table = table.merge(frame(store, "files"), how="left", on=["config", "variant"])
    known = accuracies(store)
    progress.advance("accuracies")
    table = table.merge(known, how="left", on=["variant", "precision"])
    table = of_search(as_deployed(table, deployed(store)), store)
    table["is_asked"] = table.filter(like="position").notna().all(axis=1)
    table["error"] = _errors(table, store.failures())
    if configs.empty:
        table["precision"] = None
    table = table.reindex(columns=in_order(table.columns))
    accuracies_pct = [name for name in ACCURACY_COLUMNS.values() if name.endswith("_pct")]
    numbers = ["top1_pct", "top5_pct", *accuracies_pct, "top1_epochs"]
    table = table.astype(dict.fromkeys(numbers, float))  # also where none is known
    progress.advance("rows")
    return table


# Fields of a latency configuration that the table needs.
_SETTINGS = [
    "backend",
    "precision",
    "mode",
    "threads",
    "batch",
    "memory_format",
    "device",
    "cpus",
    "kind",
    "rounds",
    "target_pct",
]


def _configs(store: Store) -> pd.DataFrame:
    configs = frame(store, "configs").rename(columns={"id": "config"})
    with explained(store.folder, reading=True):
        settings = pd.DataFrame([json.loads(text) for text in configs["settings"]], columns=_SETTINGS)
    settings["runs_on"] = [
        _runs_on(*of_one) for of_one in zip(settings.pop("device"), settings.pop("cpus"), strict=True)
    ]
    return pd.concat([configs.drop(columns="settings"), settings], axis=1)


def _runs_on(device: str, cpus: Sequence[int]) -> str | None:
    """`cuda`, `cpu0, cpu1`: what is not any core of the CPU."""
    return ", ".join([*([device] if device != "cpu" else []), *(f"cpu{core}" for core in cpus)]) or None


def _latencies(store: Store) -> pd.DataFrame:
    """One row per configuration and variant that has a latency."""
    devices = {session["id"]: session["device"] for session in store.sessions()}
    rows = [*_measured(store), *_predicted(store)]
    for row in rows:
        device = devices.get(row["session"], {})
        row |= {"device": device.get("description"), "device_id": device.get("id")}
    names = ["config", "variant", "device", "device_id", "width_pct", "settled_pct", "is_budget_spent"]
    names += [name for name in COLUMNS if name.startswith("latency_")]
    return pd.DataFrame(rows, columns=names)


CURVE = (
    *("variant", "family", "width", "resolution", "seed", "attempt", "epoch"),
    *("train_top1_pct", "validation_top1_pct", "train_loss", "validation_loss", "state"),
)


def tabulate_curves(store: Store) -> pd.DataFrame:
    """One row per epoch of the trainings of the sweep's accuracy source, columns as in CURVE."""
    source = next(iter(sources(store)), "")
    rows = pd.DataFrame(store.epochs(source), columns=EpochRow._fields)
    variants = networks(store).reindex(columns=["variant", "family", "width", "resolution"])
    ended = pd.DataFrame(store.trainings(source), columns=TrainingRow._fields)[["variant", "seed", "state"]]
    # Without those of networks that are no variants: what is not asked for any more, and a supernet's largest
    # where limits leave it out.
    rows = rows.merge(variants, on="variant").merge(ended, how="left", on=["variant", "seed"])
    last = rows.groupby(["variant", "seed"])["attempt"].transform("max")
    rows["state"] = rows["state"].astype(object).fillna("").where(rows["attempt"] == last, "begun anew")
    return rows.reindex(columns=list(CURVE))


class Undrifted:
    """Visits of a run, each beside the machine's drift at that moment."""

    def __init__(self, store: Store) -> None:
        self._drifts, self._store = store.drifts(), store

    @cached_property
    def _sizes(self) -> dict[str, tuple[int, int]]:
        """Variant -> its size as `Subject.size` has it: what is not known of code is 0.

        They are read when the first visit is looked at: of a million variants without any it takes seconds.
        """
        places = [NAMES.index(name) for name in ("id", "params", "macs")]
        return {row[places[0]]: (row[places[1]] or 0, row[places[2]] or 0) for row in self._store.variants()}

    def of(self, visits: Sequence[VisitRow]) -> tuple[Visits, NDArray[np.float64], float]:
        """The samples of a variant's visits in a configuration, the drift at each, and the drift's error."""
        drift, size = self._drifts.get(visits[0].config, Drift({}, {})), self._sizes[visits[0].variant]
        samples = [np.frombuffer(visit.samples, dtype="<i8") for visit in visits]
        at = drift.at(size, [(visit.session, visit.round) for visit in visits])
        return samples, at, drift.error(size)

    def resample(self, config: str, variant: str) -> NDArray[np.float64]:
        """(RESAMPLES,): what the headline of a variant in a configuration might have been, in ms."""
        samples, drift, error = self.of(list(self._store.visits(config, variant)))
        return resampled_headlines(fastest_ms(samples, drift), error)


def _measured(store: Store) -> Iterator[dict[str, Any]]:
    undrifted, configs = Undrifted(store), _configs(store)
    asked = dict(
        zip(configs["config"], zip(configs["rounds"], configs["target_pct"], strict=True), strict=True)
    )
    kept, remarks = store.summaries(), store.remarks()
    for (config, variant), group in groupby(store.visits(), key=lambda visit: visit[:2]):
        visits = list(group)
        count, found = kept.get((config, variant), (0, {}))
        if count != len(visits):  # the run was stopped, or goes on right now
            found = summarize(*undrifted.of(visits))
        row = {
            "config": config,
            "variant": variant,
            "latency_kind": "measured",
            "session": visits[-1].session,
        }
        rounds, target_pct = asked[config]
        row |= found | _about(found, len(visits), rounds, target_pct, remarks.get(config, ()))
        yield row


def _about(
    found: Mapping[str, float], visits: int, rounds: int, target_pct: float, remarks: Sequence[str]
) -> dict[str, Any]:
    """Columns that tell how sure a measured latency is.

    is_budget_spent: all rounds are done, and its interval is wider than asked. latency_note: what a reader
    must know; None where it is as it should be.
    remarks: what holds for all latencies of its configuration.
    """
    notes = []
    is_settled = found.get("settled_pct", math.nan) <= target_pct
    is_wide = not found["width_pct"] <= target_pct
    is_budget_spent = is_wide and not is_settled and visits >= rounds
    if is_wide and (is_settled or is_budget_spent):
        wide = "unknown" if math.isnan(found["width_pct"]) else f"{found['width_pct']:.1f} % wide"
        why = "the budget was spent" if is_budget_spent else "later rounds made the drift less sure"
        notes.append(f"95 % interval {wide}, {target_pct:g} % asked: {why}")
    if noise := noise_words(found["latency_iqr_pct"]):
        notes.append(noise)
    words = "; ".join([*notes, *remarks]) or None
    return {"latency_visits": visits, "is_budget_spent": is_budget_spent, "latency_note": words}


def _predicted(store: Store) -> Iterator[dict[str, Any]]:
    predictors, remarks = store.predictors(), store.remarks()
    for row in store.rows("predictions")[1]:
        config, variant, latency_ns, low_ns, high_ns = row
        session, report = predictors[config]
        yield {
            "config": config,
            "variant": variant,
            "session": session,
            "latency_kind": "predicted",
            "latency_ms": latency_ns / NS_PER_MS,
            "latency_low_ms": low_ns / NS_PER_MS,
            "latency_high_ms": high_ns / NS_PER_MS,
            "latency_note": "; ".join([report["summary"], *remarks.get(config, ())]),
        }


def _errors(table: pd.DataFrame, failures: dict[tuple[str, str], Failure]) -> list[str | None]:
    """Why a row has no latency, or less than was asked for; None where nothing is wrong."""
    if "kind" not in table:
        of_all = {variant: failure.words for (variant, config), failure in failures.items() if not config}
        return [of_all.get(variant) for variant in table["variant"]] if of_all else [None] * len(table)
    names = ["variant", "config", "kind", "rounds", "target_pct", "is_asked"]
    names += ["latency_ms", "latency_visits", "width_pct", "settled_pct"]
    return [_error(failures, *row) for row in table[names].itertuples(index=False)]


def _error(
    failures: dict[tuple[str, str], Failure],
    variant: str,
    config: str,
    kind: str,
    rounds: int,
    target_pct: float,
    is_asked: bool,
    latency_ms: float,
    latency_visits: float,
    width_pct: float,
    settled_pct: float,
) -> str | None:
    if failure := failures.get((variant, "")) or failures.get((variant, config)):
        return failure.words
    if math.isnan(latency_ms) and (of_all := failures.get(("", config))):
        return of_all.words
    if kind == "predicted":
        return "not predicted yet; run the sweep again to go on" if math.isnan(latency_ms) else None
    visits = 0 if math.isnan(latency_visits) else latency_visits
    if visits >= rounds or min(width_pct, settled_pct) <= target_pct:
        return None
    so_far = f"measured in {visits:.0f} of {rounds} rounds"
    if not is_asked:
        return f"{so_far}; the sweep no longer asks for the rest"
    return f"{so_far}; run the sweep again to go on"
