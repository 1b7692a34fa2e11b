"""The order of a run: sweep -> variants -> accuracies -> latencies -> store. Nothing else knows it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from mbsweep.accuracy.cluster.pool import RayPool
from mbsweep.accuracy.training.pool import Pool
from mbsweep.accuracy.training.processes import LocalPool
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded
from mbsweep.base.progress import Progress, Silent
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.latency.measured import measure
from mbsweep.latency.predicting import predict
from mbsweep.searching import search
from mbsweep.space.families.factory import code_allowed
from mbsweep.storage.database import EmptyRunError
from mbsweep.storage.folder import holds_run
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.entering import enter_found, enter_sweep
from mbsweep.sweep.here import check, check_machine, check_same_device
from mbsweep.sweep.possible import check_space
from mbsweep.sweep.searched import check_same_search
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
    more: int = 0,
    ray: str | None = None,
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
    more: evaluations of a search beyond those that were asked for before.
    ray: a Ray cluster, which trains in place of processes of this machine: `local`, one that is started here
        for this run; `auto`, the one that runs here; HOST:PORT or ray://HOST:PORT, another.

    Latencies come first: nothing is timed while a network is trained. Every visit to a network, and every
    epoch of a training, is on the disk before the next begins. A variant that fails is recorded with its
    reason and the others go on. Raises MbsweepError for what the user can put right.
    """
    progress = progress or Silent()
    if ray is not None and not sweep.trains:
        progress.say("--ray: the sweep trains nothing, so there is nothing for a cluster to do")
    with code_allowed(allow_code), LocalPool(jobs) if ray is None else RayPool(ray, jobs) as pool:
        return _run(sweep, out, retry, progress, pool, again, more)


def _run(
    sweep: Sweep,
    out: str | Path | None,
    retry: bool,
    progress: Progress,
    pool: Pool,
    again: str | None,
    more: int,
) -> Run:
    check(sweep)
    sweep, images = look_at(sweep)
    check_machine(sweep)
    if sweep.trains:
        pool.check(None if sweep.latency else progress)
    if again is not None:
        _check_again(sweep, again)
    space = count_space(sweep, progress=progress)
    check_space(sweep, space)
    folder = default_out(sweep) if out is None else expanded(out)
    opened = sweep.accuracy.open(space, progress.say, images) if sweep.accuracy else None
    with Store.write(folder) as store:
        check_same_device(store, sweep, folder)
        check_same_search(store, sweep, space, opened)
        _note_origin(store, sweep, out is not None)
        if sweep.search and opened:
            search(store, sweep, sweep.search, space, opened, pool, progress, more, retry)
            return open_run(folder)
        enter_sweep(store, sweep, space, opened, progress)
        if retry:
            store.forget_failures()
        enter_found(store, space, progress)
        for config in sweep.latency:
            is_again = again in (config.id, AGAIN_NOISY)
            noisy_only = again == AGAIN_NOISY if is_again else None
            if config.kind == "measured":
                measure(store, config, space, progress, noisy_only)
            else:
                predict(store, config, space, progress, noisy_only)
        if opened:
            opened.work(store, pool, progress)
            if sweep.compress:
                opened.compress(sweep.compress, store, pool, progress)
    return open_run(folder)


def _check_again(sweep: Sweep, again: str) -> None:
    """MbsweepError where there is no such latency configuration to measure again."""
    if sweep.search:
        raise MbsweepError("--again: a search goes on with the latencies it began with; choose another --out")
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
