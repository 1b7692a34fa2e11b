"""What a run would do, before it is started. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mbsweep.base.progress import Progress
from mbsweep.latency.yardsticks import MOST, choose, yardstick
from mbsweep.pipeline import default_out
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import available_memory_bytes, needed_bytes
from mbsweep.space.space import Space
from mbsweep.storage.database import EmptyRunError
from mbsweep.storage.folder import check_free, holds_run
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.here import check, check_same_device, machine_lacks
from mbsweep.sweep.possible import check_space
from mbsweep.sweep.sweep import Sweep
from mbsweep.sweep.training_data import look_at

# Rough: an estimate before anything is measured, and the plan says that it is one.
_START_S = 5.0  # loading torch
_PREPARE_S = 0.2  # building, checking and exporting one network
_MACS_PER_S = 20e9
_PREPARE_PART_S = 0.06  # one block
_VISIT_S = 0.003  # of each visit, beside its calls: the exchange with the process that times, the commit

Finished = tuple[str, int, float]  # variant, visits, the target in percent that they reach


def plan(
    sweep: Sweep, out: Path | None = None, allow_code: bool = False, progress: Progress | None = None
) -> str:
    """A text that says how many variants a sweep has, what they cost, how long it takes and what is done.

    allow_code: whether code of the user's own may be run, to count the networks that it makes. progress: told
    how far that is.

    Raises MbsweepError for what `run` would refuse in the file, or in the run that it would go on with.
    """
    check(sweep)
    sweep, images = look_at(sweep)
    space = count_space(sweep, allow_code, progress)
    check_space(sweep, space)
    folder = out or default_out(sweep)
    check_free(folder)
    lines = [sweep.title or sweep.name]
    asked = sum(axes.size for axes in sweep.space) + len(sweep.variants)
    lines.append(f"  variants   {len(space):,}{_narrowed(sweep, len(space), asked)}")
    lines += _counts(space)
    accuracy = None
    if sweep.accuracy:
        precisions = list(dict.fromkeys(config.precision for config in sweep.latency)) or ["fp32"]
        accuracy = sweep.accuracy.estimate(space, precisions, folder, images)
        lines.append(f"  accuracy   {accuracy.words}")
        lines += [f"  {'' if place else 'images':10} {line}" for place, line in enumerate(accuracy.images)]
    finished = _done(sweep, folder)
    seconds = 0.0
    lacks = list(machine_lacks(sweep))
    for place, config in enumerate(sweep.latency):
        done = _finished(finished, config, space)
        about, total_s = (_measuring if config.kind == "measured" else _predicting)(space, config)
        lines.append(f"  latency    {config.id}: {about}; {done:,} of {len(space):,} done")
        lines += [f"             {lack}" for at, lack in lacks if at == place]
        lines += [f"             {large}" for large in _too_large(space, config)]
        seconds += total_s * (1 - done / len(space))
    training_s = accuracy.left_s if accuracy else 0.0
    if seconds or training_s:
        total = _duration(seconds + training_s + _START_S)
        lines.append(f"  time       at most about {total} (estimated, not measured)")
    elif accuracy and accuracy.trains:
        lines.append(f"  time       nothing is left to {'measure or ' if sweep.latency else ''}train")
    elif sweep.latency:
        lines.append("  time       nothing is left to measure")
    else:
        lines.append("  time       nothing is timed; counting takes seconds")
    lines.append(f"  run        {folder}{'' if holds_run(folder) else ' (new)'}")
    return "\n".join(lines)


def _counts(space: Space) -> Iterator[str]:
    """From the least to the most of the counts that are known; and why others are not."""
    for title, name in (("params", "params"), ("mult-adds", "macs")):
        known = space.known(name)
        yield f"  {title:10} " + (f"{known.min():,} to {known.max():,}" if len(known) else "unknown")
    for variant in space.code():
        if words := space.found[variant].failure or space.found[variant].note:
            yield f"             {variant.id}: {words}"


def _narrowed(sweep: Sweep, kept: int, asked: int) -> str:
    reasons = [name for name in ("limits", "sample") if name in sweep.model_fields_set]
    return f" of {asked:,}, after {' and '.join(reasons)}" if reasons and kept != asked else ""


def _done(sweep: Sweep, folder: Path) -> dict[str, list[Finished]]:
    """config -> what is known of each of its variants; empty where there is no run yet."""
    if not holds_run(folder):
        return {}
    found: dict[str, list[Finished]] = {}
    try:
        with Store.read(folder) as store:
            check_same_device(store, sweep, folder)
            summaries = store.summaries()
            for config, visits in store.visit_counts().items():
                for variant, count in visits.items():
                    of, summary = summaries.get((config, variant), (0, {}))
                    reached_pct = _reached_pct(summary) if of == count else math.nan
                    found.setdefault(config, []).append((variant, count, reached_pct))
            for config, variant in store.predicted():
                found.setdefault(config, []).append((variant, 0, 0.0))
    except EmptyRunError:
        return {}
    return found


def _reached_pct(summary: Mapping[str, float]) -> float:
    """What target a measured latency reaches; NaN where its interval is unknown."""
    return min(summary["width_pct"], summary.get("settled_pct", math.nan))


def _finished(done: dict[str, list[Finished]], config: LatencyConfig, space: Space) -> int:
    """Variants of the space that need nothing more in a configuration."""
    known = done.get(config.id, [])
    ids = set(space.ids()) if known else set()
    return len(
        {
            variant
            for variant, visits, reached_pct in known
            if variant in ids and (visits >= config.rounds or reached_pct <= config.target_pct)
        }
    )


def _too_large(space: Space, config: LatencyConfig) -> Iterator[str]:
    """That networks which are to be measured do not fit into memory: `run` records that they failed."""
    needed = needed_bytes(space.weight_bytes, space.peak_activation_bytes, config.batch)
    available = available_memory_bytes()
    if config.kind == "measured" and (count := int((needed > available).sum())):
        yield (
            f"{count:,} of {len(space):,} do not fit into memory now: needed are up to "
            f"{needed.max() / 2**30:,.1f} GiB, free are {available / 2**30:,.1f} GiB"
        )


def _measuring(space: Space, config: LatencyConfig) -> tuple[str, float]:
    """What measuring a configuration means in words, and the most seconds that it takes."""
    macs = np.maximum(space.macs, 0)
    names = choose(zip(np.maximum(space.params, 0), macs, strict=True), config.threads)
    macs = np.array([*macs, *(yardstick(name).size[1] for name in names)])
    calls_s = macs * (config.batch / _MACS_PER_S)
    visits_s = calls_s.clip(min=config.visit_ms / 1000)
    if config.visit_calls:
        amount = f"{config.visit_calls} calls"
        visits_s[: len(space)] = calls_s[: len(space)] * config.visit_calls
    else:
        amount = f"{config.visit_ms:g} ms"
    about = (
        f"{len(space):,} variants x at most {config.rounds} rounds of {amount}, "
        f"until the 95 % interval is {config.target_pct:g} % wide"
    )
    about += f"; {len(names)} yardsticks in each round"
    round_s = float((visits_s + calls_s + _VISIT_S).sum())  # with the untimed call of each visit
    return about, round_s * config.rounds + _PREPARE_S * len(macs)


def _predicting(space: Space, config: LatencyConfig) -> tuple[str, float]:
    """The same for a predicted configuration."""
    measured = f"{config.max_blocks} blocks and {config.networks} networks"
    about = f"{len(space):,} variants predicted from at most {measured}"
    visits = (config.max_blocks + config.networks + MOST) * config.rounds
    preparing_s = _PREPARE_S * (config.networks + MOST) + _PREPARE_PART_S * config.max_blocks
    return about, visits * (config.visit_ms / 1000 + _VISIT_S) + preparing_s


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
