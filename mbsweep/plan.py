"""What a run would do, before it is started. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mbsweep.accuracy.cluster.looking import Node
from mbsweep.accuracy.cluster.pool import RayPool
from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.accuracy.source import Sought
from mbsweep.base.progress import Progress, Silent
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
from mbsweep.sweep.search_plan import SearchPlan, plan_search
from mbsweep.sweep.searched import check_same_search, whole_configs
from mbsweep.sweep.sweep import Sweep
from mbsweep.sweep.training_data import look_at

# Rough: an estimate before anything is measured, and the plan says that it is one.
_START_S = 5.0  # loading torch
_PREPARE_S = 0.2  # building, checking and exporting one network
_MACS_PER_S = 20e9
_PREPARE_PART_S = 0.06  # one block
_VISIT_S = 0.003  # of each visit, beside its calls: the exchange with the process that times, the commit

Finished = tuple[str, int, float]  # variant, visits, the target in percent that they reach


@dataclass(frozen=True)
class ConfigPlan:
    """What is to be done for one latency configuration."""

    config: LatencyConfig
    variants: int  # that have a latency in the end
    done: int  # of these, those that need nothing more
    yardsticks: int  # networks that are timed in each round beside the variants
    left_s: float  # at most, estimated
    notes: Sequence[str]  # what this machine lacks for it

    @property
    def visit(self) -> str:
        """How long a network is timed in a round."""
        calls = self.config.visit_calls
        return f"{calls} calls" if calls else f"{self.config.visit_ms:g} ms"


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    title: str
    variants: int
    narrowed: str  # `of 16, after limits`; empty where nothing is left out
    params: tuple[int, int] | None  # the least and the most; None: unknown
    macs: tuple[int, int] | None
    uncounted: Sequence[str]  # which networks could not be counted, or not quite, and why
    accuracy: str  # where it is from; empty: none is asked for
    images: Sequence[str]  # what is known of those that are trained on
    compression: str  # what is to be done to trained networks; empty: nothing
    search: Sequence[str]  # what is looked for, and how far that is; empty: nothing
    latency: Sequence[ConfigPlan]
    trains: bool
    nodes: Sequence[Node]  # of the cluster that is to train, where one is asked for,
    seats: int | None  # and how many networks it trains at once
    left_s: float  # in all, at most, estimated; 0: nothing is left to do
    folder: Path
    is_new: bool

    @property
    def time(self) -> str:
        """How long it takes, in words."""
        if self.left_s:
            return f"at most about {duration(self.left_s)} (estimated, not measured)"
        if self.trains:
            return f"nothing is left to {'measure or ' if self.latency else ''}train"
        return "nothing is left to measure" if self.latency else "nothing is timed; counting takes seconds"


def plan(
    sweep: Sweep,
    out: Path | None = None,
    allow_code: bool = False,
    progress: Progress | None = None,
    ray: str | None = None,
) -> Plan:
    """How many variants a sweep has, what they cost, how long it takes and what is done.

    allow_code: whether code of the user's own may be run, to count the networks that it makes. progress: told
    how far that is. ray: a cluster, as `run` has it; it is looked at, and nothing is left running there.

    Raises MbsweepError for what `run` would refuse in the file, in the run that it would go on with or there.
    """
    check(sweep)
    sweep, images = look_at(sweep)
    space = count_space(sweep, allow_code, progress)
    check_space(sweep, space)
    folder = out or default_out(sweep)
    check_free(folder)
    _check_searched(sweep, space, folder, images)
    nodes, seats = _cluster(ray) if ray is not None and sweep.trains else ((), None)
    accuracy = searched = None
    if sweep.accuracy and sweep.search:
        searched = plan_search(sweep, sweep.search, space, folder)
        sought = Sought(searched.chosen, searched.confirm)
        accuracy = sweep.accuracy.estimate(space, sweep.latency, folder, images, sought, seats)
    elif sweep.accuracy:
        accuracy = sweep.accuracy.estimate(space, sweep.latency, folder, images, seats=seats)
    compression = None
    if sweep.accuracy and sweep.compress:
        compression = sweep.accuracy.estimate_compression(sweep.compress, space, folder, images)
    finished, lacks = _done(sweep, folder), list(machine_lacks(sweep))
    latency = []
    for place, config in enumerate(sweep.latency):
        is_known = searched is not None and config.id in searched.known
        done = len(space) if is_known else _finished(finished, config, space)
        yardsticks, total_s = (_measuring if config.kind == "measured" else _predicting)(space, config)
        notes = [*(str(lack) for at, lack in lacks if at == place), *_too_large(space, config)]
        left_s = total_s * (1 - done / len(space))
        latency.append(ConfigPlan(config, len(space), done, yardsticks, left_s, notes))
    if searched:
        latency += _confirming(sweep, searched, space)
    left_s = sum(of_one.left_s for of_one in latency) + (accuracy.left_s if accuracy else 0)
    left_s += compression.left_s if compression else 0
    found = (space.found[variant] for variant in space.code())
    asked = sum(axes.size for axes in sweep.space) + len(sweep.variants)
    return Plan(
        title=sweep.title or sweep.name,
        variants=len(space),
        narrowed=_narrowed(sweep, len(space), asked),
        params=_ends(space, "params"),
        macs=_ends(space, "macs"),
        uncounted=[
            f"{variant.id}: {words}"
            for variant, one in zip(space.code(), found, strict=True)
            if (words := one.failure or one.note)
        ],
        accuracy=accuracy.words if accuracy else "",
        images=accuracy.images if accuracy else (),
        compression=compression.words if compression else "",
        search=searched.lines if searched else (),
        latency=latency,
        trains=bool(accuracy and accuracy.trains),
        nodes=nodes,
        seats=seats,
        left_s=left_s + _START_S if left_s else 0,
        folder=folder,
        is_new=not holds_run(folder),
    )


def _cluster(address: str) -> tuple[Sequence[Node], int]:
    """The nodes of a cluster, and how many networks they train at once. MbsweepError where none can."""
    pool = RayPool(address)
    with pool:
        pool.check()
        return pool.look(), pool.at_once()


def _check_searched(sweep: Sweep, space: Space, folder: Path, images: ImageSource | None) -> None:
    """MbsweepError where the run is that of a search, and the sweep has none or another."""
    if not holds_run(folder):
        return
    with suppress(EmptyRunError), Store.read(folder) as store:
        if store.search() is not None:
            of_search = sweep.accuracy if sweep.search else None
            opened = of_search.open(space, Silent().say, images) if of_search else None
            check_same_search(store, sweep, space, opened)


def _ends(space: Space, name: str) -> tuple[int, int] | None:
    """The least and the most of a count, of the variants of which it is known."""
    known = space.known(name)
    return (int(known.min()), int(known.max())) if len(known) else None


def _narrowed(sweep: Sweep, kept: int, asked: int) -> str:
    reasons = [name for name in ("limits", "sample") if name in sweep.model_fields_set]
    return f"of {asked:,}, after {' and '.join(reasons)}" if reasons and kept != asked else ""


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


def _measuring(space: Space, config: LatencyConfig) -> tuple[int, float]:
    """How many yardsticks measuring a configuration takes, and at most how many seconds."""
    macs = np.maximum(space.macs, 0)
    names = choose(zip(np.maximum(space.params, 0), macs, strict=True), config.threads)
    macs = np.array([*macs, *(yardstick(name).size[1] for name in names)])
    calls_s = macs * (config.batch / _MACS_PER_S)
    visits_s = calls_s.clip(min=config.visit_ms / 1000)
    if config.visit_calls:
        visits_s[: len(space)] = calls_s[: len(space)] * config.visit_calls
    round_s = float((visits_s + calls_s + _VISIT_S).sum())  # with the untimed call of each visit
    return len(names), round_s * config.rounds + _PREPARE_S * len(macs)


def _confirming(sweep: Sweep, searched: SearchPlan, space: Space) -> Iterator[ConfigPlan]:
    """Configurations in which a search measures some of its front whole: as others that it may choose."""
    count = searched.confirm
    for config in whole_configs(sweep).values() if count else ():
        others = space.select(searched.chosen[:count])
        yardsticks, total_s = _measuring(others, config)
        done, notes = count if searched.is_confirmed else 0, ["of the front, once it is found"]
        yield ConfigPlan(config, count, done, yardsticks, 0 if done else total_s, notes)


def _predicting(space: Space, config: LatencyConfig) -> tuple[int, float]:
    """The same for a predicted configuration."""
    visits = (config.max_blocks + config.networks + MOST) * config.rounds
    preparing_s = _PREPARE_S * (config.networks + MOST) + _PREPARE_PART_S * config.max_blocks
    return MOST, visits * (config.visit_ms / 1000 + _VISIT_S) + preparing_s


def duration(seconds: float) -> str:
    """`87 s`, `5 min`, `5.1 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
