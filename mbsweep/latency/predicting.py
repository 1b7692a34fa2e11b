"""One predicted configuration: measure some of a space's blocks and networks, predict the latency of all."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.base.cache import cache_dir
from mbsweep.base.child import AnswerError
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import temporary_folder
from mbsweep.base.progress import Progress
from mbsweep.latency.measuring import Measurement, begin, device_of, set_aside
from mbsweep.latency.predictor import (
    BlockModel,
    Prediction,
    choose_blocks,
    choose_networks,
    predict_space,
)
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import kept_weights
from mbsweep.profiler.subject import Subject
from mbsweep.space.fused import SpaceBlocks, space_blocks
from mbsweep.space.space import Space
from mbsweep.statistics.summary import NS_PER_MS, noisy_words
from mbsweep.storage.database import OLDEST, UnreadableError
from mbsweep.storage.folder import FILE_NAME
from mbsweep.storage.marks import Failure
from mbsweep.storage.store import Store


def predict(
    store: Store,
    config: LatencyConfig,
    space: Space,
    progress: Progress,
    noisy_only: bool | None = None,
) -> None:
    """Predict one configuration's latency for every variant, unless just that was done before.

    noisy_only: measure again what of its parts is noisy, or all of them; None: nothing.
    What is measured for it is kept in a cache of this device: another sweep measures only what is new to it.
    """
    _, before = store.predictors().get(config.id, (0, {}))
    if before.get("fingerprint") == fingerprint(config, space) and noisy_only is None:
        return
    told = foretell(store, config, space, progress, noisy_only)
    if told is None:
        return
    found = told.found
    rows = zip(space.ids(), found.ns.tolist(), found.low_ns.tolist(), found.high_ns.tolist(), strict=True)
    store.set_predictions(config.id, told.session, told.report, rows)


class Foretold(NamedTuple):
    """A prediction of a space, in which session its parts were measured, and how good it is."""

    found: Prediction
    session: int
    report: dict[str, Any]


def foretell(
    store: Store,
    config: LatencyConfig,
    space: Space,
    progress: Progress,
    noisy_only: bool | None = None,
) -> Foretold | None:
    """What `predict` finds, not kept yet; None, with a failure in the run, where it cannot be had."""
    blocks = space_blocks(space)
    failed: dict[str, AnswerError] = {}
    weights = kept_weights(store.sessions(), config.backend)
    with closing(Bench(config, failed.__setitem__, weights, progress.say)) as bench:
        begun = begin(store, config, bench, progress)
        if begun is None:
            return None
        session, _ = begun
        known_ns, remarks = measure_parts(config, bench, blocks, [], progress, noisy_only)
    for name, reason in failed.items():
        progress.say(f"{config.id}: {name} failed and is left out: {reason}")
    chosen = choose_blocks(blocks, config.max_blocks)
    block_ns = np.array([known_ns.get(blocks.block(int(place)).key, np.nan) for place in chosen])
    fitted, held_out = (
        _known(places, space, known_ns) for places in choose_networks(blocks, config.networks)
    )
    try:
        found = _predicted(blocks, chosen, block_ns, fitted, held_out)
    except ValueError as error:
        failure = Failure(f"cannot be predicted: {error}")
        store.add_failure("", config.id, failure)
        progress.say(f"{config.id}: {failure.words}")
        return None
    networks = len(fitted[0]) + len(held_out[0])
    report = _report(found, blocks, int(np.isfinite(block_ns).sum()), networks) | {
        "fingerprint": fingerprint(config, space)
    }
    store.set_remark(config.id, "parts", "; ".join(remarks))
    progress.say(f"{config.id}: {report['summary']}")
    return Foretold(found, session, report)


def fingerprint(config: LatencyConfig, space: Space) -> str:
    """Of what a prediction is: how its parts are measured, and the variants."""
    digest = hashlib.sha256(json.dumps(config.identity, sort_keys=True).encode())
    for id_ in space.ids():
        digest.update(id_.encode())
    return digest.hexdigest()


def measure_parts(
    config: LatencyConfig,
    bench: Bench,
    blocks: SpaceBlocks,
    also: list[Subject],
    progress: Progress,
    noisy_only: bool | None = None,
) -> tuple[dict[str, float], list[str]]:
    """Measure what a prediction needs and is not in this device's cache, in rounds over all of it.

    also: further networks to be measured in the same rounds.
    Returns name -> latency in ns, at the device's usual speed; what failed is missing. And what a reader of
    what is made of them must know.
    """
    keys = [blocks.block(int(place)) for place in choose_blocks(blocks, config.max_blocks)]
    parts = [Subject.of_block(block) for block in keys]
    networks = np.concatenate(choose_networks(blocks, config.networks))
    wholes = [Subject.of(blocks.space.variant(int(place)), is_checked=False) for place in networks]
    subjects = [*parts, *wholes, *also]
    device, found = device_of(config, bench)
    with _kept_blocks(blocks_folder(device["id"], config)) as cache:
        if noisy_only is not None:
            set_aside(cache, config, subjects, noisy_only, progress)
        measurement = Measurement(cache, config, subjects, progress)
        if measurement.pending():
            measurement.run(bench, cache.begin_session(device, found), device["id"])
        summaries, remarks = cache.summaries(), cache.remarks().get(config.id, [])
    wanted = {subject.name for subject in subjects}
    known = {name: summary for (_, name), (_, summary) in summaries.items() if name in wanted}
    if noise := noisy_words(list(known.values()), "parts"):
        remarks = [noise, *remarks]
    return {name: summary["latency_ms"] * NS_PER_MS for name, summary in known.items()}, remarks


def blocks_folder(device: str, config: LatencyConfig) -> Path:
    """Where the measurements of a device's blocks are kept: a run of its own, which may be deleted.

    Those of a run format that cannot be read lie elsewhere.
    """
    return cache_dir() / f"blocks-{OLDEST}" / device / config.id


@contextmanager
def _kept_blocks(folder: Path) -> Iterator[Store]:
    """What is known of a device's blocks: made anew where it is damaged, and for this run alone where it
    cannot be written, or another run of the same sort is about it.
    """
    with ExitStack() as stack:
        try:
            try:
                store = Store.write(folder)
            except UnreadableError:
                for name in (FILE_NAME, f"{FILE_NAME}-journal"):
                    (folder / name).unlink(missing_ok=True)
                store = Store.write(folder)
        except (MbsweepError, OSError):
            parent = Path(tempfile.gettempdir())
            store = Store.write(stack.enter_context(temporary_folder(parent, "mbsweep-blocks")))
        yield stack.enter_context(store)


def _known(
    places: NDArray[np.int64], space: Space, known_ns: dict[str, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Those of some networks that were measured, and their latencies."""
    ns = np.array([known_ns.get(space.variant(int(place)).id, np.nan) for place in places])
    return places[np.isfinite(ns)], ns[np.isfinite(ns)]


def _predicted(
    blocks: SpaceBlocks,
    chosen: NDArray[np.int64],
    block_ns: NDArray[np.float64],
    fitted: tuple[NDArray[np.int64], NDArray[np.float64]],
    held_out: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> Prediction:
    known = np.isfinite(block_ns)
    model = BlockModel.fit(blocks, chosen[known], block_ns[known])
    return predict_space(blocks, model.ns, *fitted, *held_out)


def _report(found: Prediction, blocks: SpaceBlocks, measured: int, networks: int) -> dict[str, Any]:
    errors = found.held_out
    held_out = len(errors.errors_pct)
    return {
        "summary": (
            f"predicted from {measured} of {len(blocks)} distinct blocks and {networks} networks; "
            f"mean absolute error {errors.mean_pct:.1f} %, at worst {errors.worst_pct:.1f} %, "
            f"over the {held_out} of them that were held out"
        ),
        "blocks": measured,
        "distinct_blocks": len(blocks),
        "networks": networks,
        "held_out": held_out,
        "mean_error_pct": errors.mean_pct,
        "worst_error_pct": errors.worst_pct,
    }
