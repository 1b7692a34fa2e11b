"""Sweep -> run: its variants with what is known of them, before anything is measured or trained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from mbsweep.accuracy.source import Opened
from mbsweep.base.progress import Progress
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.counting import UNKNOWN
from mbsweep.space.grid import Places
from mbsweep.space.space import Space
from mbsweep.storage.store import Store
from mbsweep.storage.variant_tables import COUNTS
from mbsweep.sweep.sweep import Sweep

AccuracyRow = tuple[Any, ...]  # variant, precision, and the fields of Accuracy


def enter_sweep(
    store: Store,
    sweep: Sweep,
    space: Space,
    opened: Opened | None,
    progress: Progress,
    also: Sequence[LatencyConfig] = (),
    accuracies: Iterable[AccuracyRow] | None = None,
) -> None:
    """Make a sweep that of a run, with its variants, accuracies and configurations, and say what is new.

    opened: its accuracy source. also: latency configurations that the run has beside those of the file.
    accuracies: what is entered of them, in place of all that the source knows.
    """
    if opened:
        opened.keep(store)
    last = store.last_sweep()
    is_same = last is not None and last["text"] == sweep.text
    sources = [opened.name, *opened.others] if opened else []
    if is_same and last and last["accuracy_sources"] == sources and (opened is None or opened.is_lasting):
        return  # what is known is entered already
    if accuracies is None:
        accuracies = _accuracy_rows(space, opened, precisions(sweep)) if opened else ()
    several = [*sweep.latency, *also]
    configs = ((config.id, place, json.dumps(config.settings)) for place, config in enumerate(several))
    about: dict[str, Any] = {"accuracy_sources": sources}
    about |= {"name": sweep.name, "title": sweep.title, "description": sweep.description, "text": sweep.text}
    added, left = store.set_sweep(about, variant_rows(space), accuracies, configs)
    if last is not None and not is_same:
        kept = f"; {left} that it no longer names stay in the run" if left else ""
        now = (
            f"{sweep.name} has changed since the last run"
            if last["name"] == sweep.name
            else f"this run was of the sweep {last['name']} and is of {sweep.name} from now on"
        )
        progress.say(f"{now}: {added} variants are new{kept}")


def precisions(sweep: Sweep) -> list[str]:
    """Those at which a sweep asks for accuracies."""
    return list(dict.fromkeys(["fp32", *(config.precision for config in sweep.latency)]))


def _accuracy_rows(space: Space, opened: Opened, precisions: Iterable[str]) -> Iterator[AccuracyRow]:
    for precision in precisions:
        for id_, accuracy in zip(space.ids(), opened.known(precision), strict=True):
            yield (id_, precision, *accuracy.row)


def variant_rows(space: Space) -> Iterator[tuple[Any, ...]]:
    """The variants of a space, as a run keeps them."""
    families = space.spread(lambda grid: np.array(grid.family.name, dtype=object)).tolist()
    counts = (_all_known(getattr(space, name)) for name in COUNTS)
    yield from zip(range(len(space)), space.ids(), families, space.fields(), *counts, strict=True)


def enter_found(store: Store, space: Space, progress: Progress) -> None:
    """Enter what has been found out of networks that are code, and say which of them cannot be built."""
    rows = []
    for variant in space.code():
        found = space.found[variant]
        counts = [_known(getattr(found.counts, name)) for name in COUNTS]
        rows.append((variant.id, counts, found))
        if found.failure:
            progress.say(f"{variant.id}: {found.failure}")
    changed = set(store.set_found(rows)) if rows else set()
    if families := dict.fromkeys(variant.family for variant in space.code() if variant.id in changed):
        progress.say(
            f"{', '.join(families)}: the Python file has changed since networks were measured or trained; "
            "their figures stay as they are: choose another --out to begin anew"
        )


def _known(count: int) -> int | None:
    return None if count == UNKNOWN else count


def _all_known(counts: Places) -> list[int | None]:
    found: list[int] = counts.tolist()
    return [*found] if (counts != UNKNOWN).all() else list(map(_known, found))
