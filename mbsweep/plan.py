"""What a run would do, before it is started. Loads no torch."""

from __future__ import annotations

import math
from pathlib import Path

from mbsweep.accuracy import SOURCES
from mbsweep.folder import check_free, holds_run
from mbsweep.pipeline import check, default_out
from mbsweep.space.counting import SpaceCounts, count_space
from mbsweep.space.sweep import LatencyConfig, Sweep
from mbsweep.store import EmptyRunError, Store

# Rough: an estimate before anything is measured, and the plan says that it is one.
_START_S = 5.0  # loading torch
_PREPARE_S = 0.2  # building, checking and exporting one network
_MACS_PER_S = 20e9
_VISIT_OVERHEAD = 1.15  # the untimed call of each visit, the commit


def plan(sweep: Sweep, out: Path | None = None) -> str:
    """A text that says how many variants a sweep has, what they cost, how long it takes and what is done.

    Raises MbsweepError for what `run` would refuse in the file, or in the run that it would go on with.
    """
    check(sweep)
    space = count_space(sweep)
    folder = out or default_out(sweep)
    check_free(folder)
    lines = [sweep.title or sweep.name]
    asked = sum(axes.size for axes in sweep.space) + len(sweep.variants)
    lines.append(f"  variants   {len(space):,}{_narrowed(sweep, len(space), asked)}")
    lines.append(f"  params     {space.params.min():,} to {space.params.max():,}")
    lines.append(f"  mult-adds  {space.macs.min():,} to {space.macs.max():,}")
    if sweep.accuracy:
        lines.append(_accuracy_line(sweep, space))
    done = _done(folder)
    seconds = 0.0
    for config in sweep.latency:
        visits = len(space) * config.rounds
        measured = _measured(space, config, done.get(config.id, {}))
        lines.append(
            f"  latency    {config.id}: {len(space):,} variants x {config.rounds} rounds "
            f"of {config.visit_ms:g} ms; {measured:,} of {visits:,} visits done"
        )
        seconds += _estimate_s(space, config) * (1 - measured / visits)
    if seconds:
        lines.append(f"  time       about {_duration(seconds + _START_S)} (estimated, not measured)")
    elif sweep.latency:
        lines.append("  time       nothing is left to measure")
    else:
        lines.append("  time       nothing is timed; counting takes seconds")
    lines.append(f"  run        {folder}{'' if holds_run(folder) else ' (new)'}")
    return "\n".join(lines)


def _narrowed(sweep: Sweep, kept: int, asked: int) -> str:
    reasons = [name for name in ("limits", "sample") if name in sweep.model_fields_set]
    return f" of {asked:,}, after {' and '.join(reasons)}" if reasons and kept != asked else ""


def _accuracy_line(sweep: Sweep, space: SpaceCounts) -> str:
    assert sweep.accuracy is not None  # noqa: S101
    found = SOURCES[sweep.accuracy.source](space.variants(), sweep.accuracy)
    known = sum(not math.isnan(accuracy.top1_pct) for accuracy in found)
    return (
        f"  accuracy   {sweep.accuracy.source}, {sweep.accuracy.table}: known for {known:,} of {len(space):,}"
    )


def _done(folder: Path) -> dict[str, dict[str, int]]:
    """config -> variant -> visits done; empty where there is no run yet."""
    if not holds_run(folder):
        return {}
    try:
        with Store.read(folder) as store:
            return store.visit_counts()
    except EmptyRunError:
        return {}


def _measured(space: SpaceCounts, config: LatencyConfig, done: dict[str, int]) -> int:
    return sum(min(done.get(id_, 0), config.rounds) for id_ in space.ids()) if done else 0


def _estimate_s(space: SpaceCounts, config: LatencyConfig) -> float:
    calls_s = space.macs * (config.batch / _MACS_PER_S)
    visits_s = calls_s.clip(min=config.visit_ms / 1000) * (config.rounds * _VISIT_OVERHEAD)
    return float(visits_s.sum()) + _PREPARE_S * len(space)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
