"""The order of a run: sweep -> variants -> checked networks -> latency -> store. Nothing else knows it."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mbsweep.accuracy import SOURCES
from mbsweep.accuracy.published import tables
from mbsweep.errors import MbsweepError
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.device import this_device, usable_cores, versions
from mbsweep.results import Run, open_run
from mbsweep.space.counting import SpaceCounts, count_space
from mbsweep.space.rules import did_you_mean
from mbsweep.space.sweep import LatencyConfig, Sweep
from mbsweep.space.variant import Variant
from mbsweep.store import Store

if TYPE_CHECKING:
    from mbsweep.profiler.timing import Call, Visit

MAX_MEASURED = 10_000  # networks of one configuration are held in memory together


class Progress(Protocol):
    """What a run tells while it goes on."""

    def say(self, message: str) -> None:
        """One line for the user."""

    def begin(self, task: str, total: int) -> None:
        """A part of the run with so many steps begins."""

    def advance(self, done: str) -> None:
        """One more step is done."""


class Silent:
    """Tells nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def begin(self, task: str, total: int) -> None:
        """Nothing."""

    def advance(self, done: str) -> None:
        """Nothing."""


def check(sweep: Sweep) -> None:
    """MbsweepError where the sweep asks for what this mbsweep does not have."""
    for place, config in enumerate(sweep.latency):
        _check_name(sweep, ("latency", place, "backend"), config.backend, BACKENDS)
        precisions = BACKENDS[config.backend].precisions
        _check_name(sweep, ("latency", place, "precision"), config.precision, precisions)
    if sweep.accuracy:
        _check_name(sweep, ("accuracy", "table"), sweep.accuracy.table, tables())


def _check_name(sweep: Sweep, keys: tuple[str | int, ...], given: str, allowed: Iterable[str]) -> None:
    names = list(allowed)
    if given not in names:
        raise sweep.problem(
            keys, f"is {given!r}; expected one of {', '.join(names)}{did_you_mean(given, names)}"
        )


def run(
    sweep: Sweep, out: str | Path | None = None, retry: bool = False, progress: Progress | None = None
) -> Run:
    """Measure what the sweep asks for and the run at `out` does not have yet; return the run.

    sweep: from `load_sweep`.
    out: the run's folder; default runs/<name of the sweep file>.
    retry: try again what failed before.
    progress: told what goes on.

    Every visit to a network is on the disk before the next begins. A variant that fails is recorded with its
    reason and the others go on. Raises MbsweepError for what the user can put right.
    """
    progress = progress or Silent()
    check(sweep)
    _check_machine(sweep)
    space = count_space(sweep)
    if sweep.latency and len(space) > MAX_MEASURED:
        raise sweep.problem(
            ("latency",),
            f"would measure {len(space)} variants; at most {MAX_MEASURED}: narrow it by limits or sample",
        )
    folder = default_out(sweep) if out is None else Path(out)
    with Store.write(folder) as store:
        _check_same_device(store, folder)
        enter_sweep(store, sweep, space, progress)
        if retry:
            store.forget_failures()
        if sweep.latency:
            _measure(store, sweep, space.variants(), progress)
    return open_run(folder)


def default_out(sweep: Sweep) -> Path:
    """Where a sweep's run lies unless told otherwise."""
    return Path("runs") / (sweep.name.strip(".") or "sweep")  # a file may be called "...yaml"


def _check_machine(sweep: Sweep) -> None:
    cores = usable_cores()
    for place, config in enumerate(sweep.latency):
        if config.threads > cores:
            raise sweep.problem(
                ("latency", place, "threads"), f"is {config.threads}; this machine has {cores} cores"
            )


# What makes two sessions comparable: samples of one variant must not mix machines or runtimes.
_SAME_DEVICE = ("processor", "cores", "machine")
_SAME_VERSIONS = ("torch", "onnxruntime")


def _check_same_device(store: Store, folder: Path) -> None:
    sessions = store.sessions()
    if not sessions:
        return
    then = sessions[-1]
    now: dict[str, dict[str, Any]] = {"device": this_device().as_dict(), "versions": dict(versions())}
    for part, names in (("device", _SAME_DEVICE), ("versions", _SAME_VERSIONS)):
        for name in names:
            if then[part].get(name) != now[part].get(name):
                raise MbsweepError(
                    f"{folder} was measured with {name} {then[part].get(name)!r}, and here it is "
                    f"{now[part].get(name)!r}; choose another --out, so that the two do not mix"
                )


def enter_sweep(store: Store, sweep: Sweep, space: SpaceCounts, progress: Progress) -> None:
    """Make a sweep that of a run, with its variants, accuracies and configurations, and say what is new."""
    last = store.last_sweep()
    if last is not None and last["text"] == sweep.text:
        return
    accuracies: Iterator[tuple[Any, ...]] = iter(())
    if sweep.accuracy:
        variants = space.variants()
        found = SOURCES[sweep.accuracy.source](variants, sweep.accuracy)
        accuracies = (
            (variant.id, a.source, a.kind, a.top1_pct, a.top5_pct, a.reason)
            for variant, a in zip(variants, found, strict=True)
        )
    configs = (
        (config.id, place, config.backend, config.precision, config.batch, config.threads, config.rounds)
        for place, config in enumerate(sweep.latency)
    )
    about = {"name": sweep.name, "title": sweep.title, "description": sweep.description, "text": sweep.text}
    about |= {"accuracy_source": sweep.accuracy.table} if sweep.accuracy else {}
    added, left = store.set_sweep(about, _variant_rows(space), accuracies, configs)
    if last is not None:
        kept = f"; {left} that it no longer names stay in the run" if left else ""
        progress.say(f"{sweep.name} has changed since the last run: {added} variants are new{kept}")


def _variant_rows(space: SpaceCounts) -> Iterator[tuple[Any, ...]]:
    bodies = [(family, block, json.dumps(stages), *rest) for family, block, stages, *rest in space.bodies]
    names = ("width", "resolution", "depth", "params", "macs", "weight_bytes", "peak_activation_bytes")
    numbers = zip(*(getattr(space, name).tolist() for name in names), strict=True)
    for position, (id_, body, row) in enumerate(zip(space.ids(), space.body.tolist(), numbers, strict=True)):
        yield (position, id_, *bodies[body], *row)


def _measure(store: Store, sweep: Sweep, variants: list[Variant], progress: Progress) -> None:
    failures = store.failures()
    failed_before = {variant for variant, _ in failures if (variant, "") in failures}
    todo: list[tuple[LatencyConfig, list[tuple[int, str]]]] = []
    for config in sweep.latency:
        done = store.visited(config.id)
        skip = failed_before | {variant for variant, config_id in failures if config_id == config.id}
        pending = [
            (number, variant.id)
            for number in range(config.rounds)
            for variant in variants
            if (number, variant.id) not in done and variant.id not in skip
        ]
        if pending:
            todo.append((config, pending))
    if not todo:
        return
    with _interrupts_wait():
        from mbsweep.profiler.prepare import process_for_timing

    session = store.begin_session(this_device().as_dict(), versions())
    with process_for_timing():
        for config, pending in todo:
            names = {name for _, name in pending}
            wanted = [variant for variant in variants if variant.id in names]
            _measure_config(store, session, config, wanted, pending, progress)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back to the end: native libraries abort the process where it hits their loading."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread only
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt


def _measure_config(
    store: Store,
    session: int,
    config: LatencyConfig,
    variants: list[Variant],
    pending: list[tuple[int, str]],
    progress: Progress,
) -> None:
    """Prepare every variant that has visits pending in one configuration, then visit them in rounds."""
    from mbsweep.profiler import timing
    from mbsweep.profiler.prepare import network, prepare

    failed_before = {variant for variant, config_id in store.failures() if config_id in ("", config.id)}
    calls: dict[str, Call] = {}
    progress.begin(f"{config.id}: prepare", len(variants))
    checked = store.checked()
    for variant in variants:
        if variant.id not in failed_before:
            where = ""  # a network that cannot be built fails in every configuration
            try:
                net = network(variant, config.batch, is_checked=variant.id in checked)
                store.set_checked(variant.id)
                where = config.id
                calls[variant.id] = prepare(net, variant.resolution, config)
            except Exception as error:
                _record(store, variant.id, where, error, progress)
        progress.advance(variant.id)
    for call in calls.values():
        timing.warm_up(call)
    pending = [(number, variant) for number, variant in pending if variant in calls]
    progress.begin(f"{config.id}: measure", len(pending))

    def failed(variant: str, error: Exception) -> None:
        _record(store, variant, config.id, error, progress)

    for visit in timing.interleaved(calls, pending, config.visit_ms, config.id, failed):
        _keep(store, config, session, visit)
        progress.advance(visit.variant)


def _keep(store: Store, config: LatencyConfig, session: int, visit: Visit) -> None:
    import numpy as np

    samples = np.array(visit.samples_ns, dtype="<i8").tobytes()
    store.add_visit(config.id, visit.variant, visit.round, session, samples)


def _record(store: Store, variant: str, config: str, error: Exception, progress: Progress) -> None:
    if isinstance(error, MbsweepError):  # the store cannot be written: that concerns the run, not the variant
        raise error
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    reason = reason.encode("utf-8", "backslashreplace").decode()  # a file name in it may be no text
    store.add_failure(variant, config, reason)
    progress.say(f"{variant} failed{f' in {config}' if config else ''}: {reason}")
