"""The order of a run: sweep -> variants -> accuracies -> latencies -> store. Nothing else knows it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from mbsweep.accuracy.source import Opened
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded
from mbsweep.base.progress import Progress, Silent
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.latency.measuring import Measurement, begin, set_aside
from mbsweep.latency.predicting import predict
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import kept_weights
from mbsweep.profiler.subject import Subject
from mbsweep.space.counting import UNKNOWN, Found
from mbsweep.space.families.factory import code_allowed
from mbsweep.space.grid import Places
from mbsweep.space.space import Space
from mbsweep.storage.database import EmptyRunError
from mbsweep.storage.folder import holds_run
from mbsweep.storage.store import Store
from mbsweep.storage.variant_tables import COUNTS
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.here import check, check_machine, check_same_device
from mbsweep.sweep.possible import check_space
from mbsweep.sweep.sweep import Sweep
from mbsweep.sweep.training_data import look_at
from mbsweep.table.results import Run, open_run

AGAIN_NOISY = "noisy"


def run(
    sweep: Sweep,
    out: str | Path | None = None,
    retry: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
    again: str | None = None,
    allow_code: bool = False,
) -> Run:
    """Measure and train what the sweep asks for and the run at `out` does not have yet; return the run.

    sweep: from `load_sweep`.
    out: the run's folder; default runs/<name of the sweep file>.
    retry: try again what failed before.
    progress: told what goes on.
    jobs: networks that are trained at the same time; default one per GPU, else one per core.
    again: a latency configuration that is measured again, or AGAIN_NOISY: whatever latency is noisy, or less
        sure than asked. What was measured before is kept, and does not count any more.
    allow_code: whether networks of the user's own may be built, which runs the code of their factories.

    Latencies come first: nothing is timed while a network is trained. Every visit to a network, and every
    epoch of a training, is on the disk before the next begins. A variant that fails is recorded with its
    reason and the others go on. Raises MbsweepError for what the user can put right.
    """
    with code_allowed(allow_code):
        return _run(sweep, out, retry, progress or Silent(), jobs, again)


def _run(
    sweep: Sweep,
    out: str | Path | None,
    retry: bool,
    progress: Progress,
    jobs: int | None,
    again: str | None,
) -> Run:
    check(sweep)
    sweep, images = look_at(sweep)
    check_machine(sweep)
    if again is not None:
        _check_again(sweep, again)
    space = count_space(sweep, progress=progress)
    check_space(sweep, space)
    folder = default_out(sweep) if out is None else expanded(out)
    opened = sweep.accuracy.open(space, progress.say, images) if sweep.accuracy else None
    with Store.write(folder) as store:
        check_same_device(store, sweep, folder)
        _note_origin(store, sweep, out is not None)
        enter_sweep(store, sweep, space, opened, progress)
        if retry:
            store.forget_failures()
        _enter_found(store, space, progress)
        for config in sweep.latency:
            is_again = again in (config.id, AGAIN_NOISY)
            noisy_only = again == AGAIN_NOISY if is_again else None
            if config.kind == "measured":
                _measure(store, config, space, progress, noisy_only)
            else:
                predict(store, config, space, progress, noisy_only)
        if opened:
            opened.work(store, jobs, progress)
            if sweep.compress:
                opened.compress(sweep.compress, store, jobs, progress)
    return open_run(folder)


def _check_again(sweep: Sweep, again: str) -> None:
    """MbsweepError where there is no such latency configuration to measure again."""
    names = [AGAIN_NOISY, *(config.id for config in sweep.latency)]
    if again not in names:
        raise MbsweepError(
            f"--again is {shown(again)}; expected {' or '.join(names)}{did_you_mean(again, names)}"
        )


def default_out(sweep: Sweep) -> Path:
    """Where a sweep's run lies unless told otherwise.

    Raises MbsweepError where that is the run of another file of this name, which is still there: not where
    the file was edited, or moved with its run or without.
    """
    folder = Path("runs") / (sweep.name.strip(".") or "sweep")  # a file may be called "...yaml"
    if sweep.path is None or not holds_run(folder):
        return folder
    try:
        with Store.read(folder) as store:
            last, origin = store.last_sweep(), store.origin()
    except EmptyRunError:
        return folder
    other = None if origin is None else _origin(folder, origin)
    if (
        other is not None
        and last is not None
        and last["text"] != sweep.text
        and other.exists()
        and not other.samefile(sweep.path)
    ):
        own = folder.with_name(f"{sweep.path.resolve().parent.name}_{folder.name}")
        raise MbsweepError(
            f"{folder} is the run of {os.path.relpath(other)}, another sweep file; say "
            f"--out {shlex.quote(str(own))} for a run of its own, or --out {shlex.quote(str(folder))} to "
            "go on in that one"
        )
    return folder


def _origin(folder: Path, path: Path) -> Path:
    return Path(os.path.normpath(folder.resolve() / path))


def _note_origin(store: Store, sweep: Sweep, is_chosen: bool) -> None:
    """Keep from which file a run is, if it is not known, or that has gone, or the user chose the folder."""
    known = store.origin()
    if sweep.path is None or (known and not is_chosen and _origin(store.folder, known).exists()):
        return
    path = os.path.relpath(sweep.path.resolve(), store.folder.resolve())
    if known is None or str(known) != path:
        store.set_origin(path)


def enter_sweep(store: Store, sweep: Sweep, space: Space, opened: Opened | None, progress: Progress) -> None:
    """Make a sweep that of a run, with its variants, accuracies and configurations, and say what is new.

    opened: its accuracy source.
    """
    if opened:
        opened.keep(store)
    last = store.last_sweep()
    is_same = last is not None and last["text"] == sweep.text
    sources = [opened.name, *opened.others] if opened else []
    if is_same and last and last["accuracy_sources"] == sources and (opened is None or opened.is_lasting):
        return  # what is known is entered already
    precisions = dict.fromkeys(["fp32", *(config.precision for config in sweep.latency)])
    accuracies = _accuracy_rows(space, opened, precisions) if opened else ()
    configs = ((config.id, place, json.dumps(config.settings)) for place, config in enumerate(sweep.latency))
    about: dict[str, Any] = {"accuracy_sources": sources}
    about |= {"name": sweep.name, "title": sweep.title, "description": sweep.description, "text": sweep.text}
    added, left = store.set_sweep(about, _variant_rows(space), accuracies, configs)
    if last is not None and not is_same:
        kept = f"; {left} that it no longer names stay in the run" if left else ""
        now = (
            f"{sweep.name} has changed since the last run"
            if last["name"] == sweep.name
            else f"this run was of the sweep {last['name']} and is of {sweep.name} from now on"
        )
        progress.say(f"{now}: {added} variants are new{kept}")


def _accuracy_rows(space: Space, opened: Opened, precisions: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    for precision in precisions:
        for id_, accuracy in zip(space.ids(), opened.known(precision), strict=True):
            yield (id_, precision, *accuracy.row)


def _variant_rows(space: Space) -> Iterator[tuple[Any, ...]]:
    families = space.spread(lambda grid: np.array(grid.family.name, dtype=object)).tolist()
    counts = (_all_known(getattr(space, name)) for name in COUNTS)
    yield from zip(range(len(space)), space.ids(), families, space.fields(), *counts, strict=True)


def _enter_found(store: Store, space: Space, progress: Progress) -> None:
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


def _measure(
    store: Store, config: LatencyConfig, space: Space, progress: Progress, noisy_only: bool | None
) -> None:
    """Measure what one configuration still lacks.

    noisy_only: and measure again what is noisy, or all of it; None: nothing.
    """
    checked = store.checked()
    subjects = []
    for variant in space.variants():
        found = space.found.get(variant, Found())
        if not found.failure:
            subjects.append(Subject.of(variant, variant.id in checked, found.counts))
    if noisy_only is not None:
        set_aside(store, config, subjects, noisy_only, progress)
    measurement = Measurement(store, config, subjects, progress)
    if not measurement.pending():
        return
    with closing(Bench(config, measurement.failed, kept_weights(store.sessions(), config.backend))) as bench:
        begun = begin(store, config, bench, progress)
        if begun is not None:
            measurement.run(bench, *begun)
