"""A supernet in a run: train it once, test every variant from it, say how far it can be trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.settings import SupernetAccuracy
from mbsweep.accuracy.training.cost import image_s
from mbsweep.accuracy.training.devices import training_device
from mbsweep.accuracy.training.trainings import Trainings, reraise_if_users, weights_folder
from mbsweep.accuracy.training.worker import TrainingWorker
from mbsweep.accuracy.value import NAN, UNRELIABLE, Accuracy
from mbsweep.base.child import AnswerError
from mbsweep.base.cores import usable_cores
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.pace import Pace
from mbsweep.base.progress import Progress
from mbsweep.space.counting import count
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant, largest_of
from mbsweep.storage.folder import FILE_NAME
from mbsweep.storage.marks import Failure, Mark, marked
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import EpochRow, TrainingRow


def run_supernet(
    store: Store,
    config: SupernetAccuracy,
    dataset: Dataset,
    variants: Sequence[Variant],
    jobs: int | None,
    progress: Progress,
) -> None:
    """Do what is left of it. Each epoch, and each variant's test, is on the disk before the next begins.

    Raises MbsweepError for what the user can put right.
    """
    config = config.complete(dataset.sizes["train"])
    source = config.name_on(dataset.id, [variant.id for variant in variants])
    if failure := store.failures().get(("", source)):
        _enter(store, config, source, dataset, variants, {}, failure.words)
        return
    tested = {row.variant for row in store.trainings(source)}
    missing = [variant for variant in variants if variant.id not in tested]
    if missing:
        try:
            _train(store, config, source, dataset, variants, missing, progress)
        except AnswerError as error:
            reraise_if_users(error)
            reason = one_line(error, 500)
            store.add_failure("", source, Failure.of(error.kind, reason))
            progress.say(f"the supernet failed: {reason}")
            _enter(store, config, source, dataset, variants, {}, reason)
            return
        _enter(store, config, source, dataset, variants, {})
    chosen = spread_evenly(variants, config.alone.count)
    alone: dict[str, float] = {}
    if chosen:
        trainings = Trainings(store, config.alone_as_trained, dataset, Space.of(chosen), jobs, progress)
        trainings.run()
        alone = trainings.known()
    summary = _enter(store, config, source, dataset, variants, alone)
    progress.say(f"supernet: {summary}")


def spread_evenly(variants: Sequence[Variant], number: int) -> list[Variant]:
    """So many of the variants, from the smallest to the largest, evenly by their rank in mult-adds."""
    ordered = sorted(variants, key=lambda variant: count(variant).macs)
    places = np.linspace(0, len(ordered) - 1, min(number, len(ordered))).round().astype(int)
    return [ordered[place] for place in dict.fromkeys(places.tolist())]


def _train(
    store: Store,
    config: SupernetAccuracy,
    source: str,
    dataset: Dataset,
    variants: Sequence[Variant],
    missing: Sequence[Variant],
    progress: Progress,
) -> None:
    """Train the supernet and test the variants. Raises AnswerError where that cannot be done."""
    largest, threads = largest_of(variants), usable_cores()
    session = store.begin_session(*training_device(["cpu"]))
    checkpoint = supernet_file(store.folder, config, dataset, source)
    progress.begin(f"train a supernet on {dataset.id}", config.recipe.epochs)
    before = {row.epoch: row.seconds for row in store.epochs(source)}
    pace = _pace(config, dataset, variants, largest)
    for seconds in before.values():
        pace.note(largest.id, seconds)

    def tell(share: float) -> None:
        progress.reach(pace.standing([(largest.id, config.recipe.epochs - len(before) - share)]))

    worker = TrainingWorker(threads, "cpu")
    try:
        worker.begin_supernet(config, variants, dataset, checkpoint)
        worker.answer()
        epochs = 0
        while True:
            worker.epoch()
            if (row := worker.answer_meanwhile(tell)) is None:
                break
            epochs = row["epoch"]
            if epochs not in before:
                store.add_epoch(source, EpochRow(largest.id, config.seed, 0, **row))
                pace.note(largest.id, row["seconds"])
                before[epochs] = row["seconds"]
            tell(0)
        progress.begin("test variants of the supernet", len(missing))
        for variant in missing:
            worker.measure(variant)
            found = worker.answer()
            store.add_training(
                source,
                TrainingRow(
                    variant.id,
                    config.seed,
                    0,
                    session,
                    threads,
                    "done",
                    epochs,
                    found["top5_pct"],
                    found["images"],
                    bytes.fromhex(found["correct"]),
                ),
            )
            progress.advance(variant.id)
    finally:
        worker.close()


def supernet_file(run: Path, config: SupernetAccuracy, dataset: Dataset, source: str) -> Path:
    """Where a run keeps the supernet of a source. config: complete."""
    return weights_folder(run, config.recipe, dataset) / file_name(source)


def file_name(source: str) -> str:
    """Of a supernet, by the name of its accuracies: what other networks or settings learn is not for it."""
    return f"supernet_{hashlib.sha256(source.encode()).hexdigest()[:6]}.safetensors"


def report_of(path: Path) -> dict[str, Any] | None:
    """What `trust` said of the supernet in a file; None where the file does not lie in its run's folder."""
    for folder in path.resolve().parents[:3]:
        if (folder / FILE_NAME).is_file():
            with suppress(MbsweepError), Store.read(folder) as store:
                reports = {file_name(source): report for source, report in store.supernets().items()}
                return reports.get(path.name)
    return None


def _pace(config: SupernetAccuracy, dataset: Dataset, variants: Sequence[Variant], largest: Variant) -> Pace:
    """What an epoch of it takes, until one is known."""
    image = np.array([image_s(count(variant).macs) for variant in variants])
    step_s = config.step_cost(image, np.array([variant.resolution for variant in variants]))
    step_s = max(step_s / usable_cores(), float(image.max()))  # networks side by side, each on one core
    return Pace({largest.id: dataset.sizes["train"] * step_s}, 1)


def trust(supernet: dict[str, float], alone: dict[str, float], min_tau: float) -> dict[str, Any]:
    """How far a supernet's accuracies agree with those of variants that were trained alone, in percent.

    Kendall's tau, the pairs that are ranked otherwise and how far apart they are alone at most, and how much
    more the supernet's accuracies are than those alone: the least, the most, the mean.
    """
    both = [variant for variant in alone if variant in supernet]
    if not both:
        words = f"not compared with networks that were trained alone; {UNRELIABLE} (tau unknown)"
        return {"networks": 0, "is_reliable": False, "summary": words}
    gaps = np.array([supernet[variant] - alone[variant] for variant in both])
    pairs = [(alone[a] - alone[b], supernet[a] - supernet[b]) for a, b in combinations(both, 2)]
    exchanged = [abs(apart) for apart, other in pairs if apart * other < 0]
    tau, ranked = NAN, "unknown"
    if pairs:
        tau = float(scipy.stats.kendalltau([supernet[v] for v in both], [alone[v] for v in both]).statistic)
    if not np.isnan(tau):
        apart = f", alone at most {max(exchanged):.2f} points apart" if exchanged else ""
        ranked = f"{tau:.2f} ({len(exchanged)} of {len(pairs)} pairs exchanged{apart})"
    networks = f"{len(both)} network{'s that were' if len(both) > 1 else ' that was'} trained alone"
    span = f"{gaps.min():+.1f} to {gaps.max():+.1f} points from theirs, {gaps.mean():+.1f} on average"
    off = span if len(both) > 1 else f"{gaps[0]:+.1f} points from its own"
    words = f"against {networks}: Kendall's tau {ranked}, accuracies {off}"
    if not tau >= min_tau:
        why = "unknown" if np.isnan(tau) else f"below {min_tau:g}"
        words += f"; {UNRELIABLE} (tau {why})"
    return {
        "networks": len(both),
        "tau": None if np.isnan(tau) else tau,
        "gaps_pct": [float(gaps.min()), float(gaps.max())],
        "mean_gap_pct": float(gaps.mean()),
        "is_reliable": bool(tau >= min_tau),
        "summary": words,
    }


def _enter(
    store: Store,
    config: SupernetAccuracy,
    source: str,
    dataset: Dataset,
    variants: Sequence[Variant],
    alone: dict[str, float],
    failure: str = "",
) -> str:
    """Enter the accuracies, each with how far it can be trusted; return that in words.

    failure: why some are missing.
    """
    rows = {row.variant: row for row in store.trainings(source)}
    values = {variant: 100 * float(row.hits.mean()) for variant, row in rows.items()}
    report = trust(values, alone, config.min_tau)
    store.set_supernet(source, report)
    if failure:
        missing = Accuracy(NAN, NAN, "supernet", source, dataset.id, reason=f"the supernet failed: {failure}")
        store.set_accuracies(
            (variant.id, "fp32", *missing.row) for variant in variants if variant.id not in rows
        )
    known = Accuracy(NAN, NAN, "supernet", source, dataset.id, seeds=str(config.seed))
    known = replace(known, shared_note=report["summary"])
    if not report["is_reliable"]:
        known = replace(known, marks=marked([Mark.UNRELIABLE]))
    found = {
        row.variant: replace(known, top1_pct=values[row.variant], top5_pct=row.top5, epochs=row.epochs)
        for row in rows.values()
    }
    store.set_accuracies(
        (variant.id, "fp32", *found[variant.id].row) for variant in variants if variant.id in found
    )
    return str(report["summary"])
