"""Accuracies as a run keeps them -> the columns of its table."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from mbsweep.accuracy.deploying.runtimes import Runtime, runtime_of
from mbsweep.profiler.config import LatencyConfig
from mbsweep.storage.database import explained
from mbsweep.storage.store import Store

_DROPS = ("drop_pct", "drop_low_pct", "drop_high_pct")
# columns of the accuracies' table -> those of the table
ACCURACY_COLUMNS = {
    name: f"top1_{name}"
    for name in ("low_pct", "high_pct", "sd_pct", "seeds", "epochs", "kind", "source", "reason", *_DROPS)
} | {"note": "top1_own_note", "shared_note": "top1_shared_note", "marks": "top1_marks"}


def sources(store: Store) -> list[str]:
    """The sweep's accuracy sources; none before the first run."""
    last = store.last_sweep()
    return last["accuracy_sources"] if last else []


def accuracies(store: Store) -> pd.DataFrame:
    """Of each variant and precision the accuracy of the first of the sweep's sources that knows it."""
    return _first_known(frame(store, "accuracies"), ["variant", "precision"], sources(store))


def _first_known(found: pd.DataFrame, of: list[str], order: list[str]) -> pd.DataFrame:
    """Accuracies as a run keeps them -> of each variant at something that of the first source to know it."""
    found = found.rename(columns=ACCURACY_COLUMNS)
    found = found[found["top1_source"].isin(order)]
    places = found["top1_source"].map({name: place for place, name in enumerate(order)})
    rank = found.assign(is_unknown=found["top1_pct"].isna(), place=places)
    rank = rank.sort_values(["is_unknown", "place"], kind="stable").drop_duplicates(of)
    own, shared = rank["top1_own_note"], rank["top1_shared_note"]
    rank["top1_note"] = shared + np.where((own != "") & (shared != ""), "; ", "") + own
    words = ["top1_seeds", "top1_reason", "top1_marks"]  # empty where there is nothing to say
    words += ["top1_note", "top1_own_note", "top1_shared_note"]
    rank[words] = rank[words].astype(object).replace("", None)
    return rank.drop(columns=["is_unknown", "place"])


_RUNTIME = list(Runtime._fields)


def deployed(store: Store) -> pd.DataFrame | None:
    """Of each variant in each configuration its accuracy in that runtime; None where none was tested."""
    names, rows = store.deployed_accuracies()
    if not rows:
        return None
    found = _first_known(pd.DataFrame(rows, columns=names), ["variant", *_RUNTIME], sources(store))
    with explained(store.folder, reading=True):
        settings = [json.loads(text) for text in frame(store, "configs")["settings"]]
    configs = map(LatencyConfig.model_validate, settings)
    runtimes = [(config.id, *runtime) for config in configs if (runtime := runtime_of(config))]
    return (
        pd.DataFrame(runtimes, columns=["config", *_RUNTIME]).merge(found, on=_RUNTIME).drop(columns=_RUNTIME)
    )


def as_deployed(table: pd.DataFrame, there: pd.DataFrame | None) -> pd.DataFrame:
    """A table whose accuracies are those of the runtimes, wherever networks were tested there."""
    if there is None:
        return table
    found = table[["config", "variant"]].merge(there, how="left", on=["config", "variant"])
    found.index = table.index
    is_there = found["top1_kind"].notna()
    for name in found.columns.difference(["config", "variant"]):
        before = table[name] if name in table else pd.Series(np.nan, index=table.index)
        table[name] = found[name].where(is_there, before)
    return table


def frame(store: Store, name: str) -> pd.DataFrame:
    """A table of the run's, with its own names."""
    columns, rows = store.rows(name)
    return pd.DataFrame(rows, columns=columns)
