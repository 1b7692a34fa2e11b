"""Runs with made-up samples for the tests of the report: real files, no network is built or timed."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mbsweep.accuracy.guessing import Guessing
from mbsweep.accuracy.published import latency_rows
from mbsweep.accuracy.settings import TrainedAccuracy
from mbsweep.accuracy.training.outcomes import Outcomes
from mbsweep.base.progress import Silent
from mbsweep.commands._published import printed_sizes
from mbsweep.profiler.config import LatencyConfig
from mbsweep.reporter.page import write_report
from mbsweep.space.counting import count
from mbsweep.space.variant import Variant
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import EpochRow, TrainingRow
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.entering import enter_sweep
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.results import open_run

DEVICE = "Made-up device, 2 cores"
ROUNDS = 3
NS_PER_MS = 1_000_000

# The paper's grid, two configurations, accuracies of one published table.
WIDTH_RES = f"""\
title: Width x resolution
description: The paper's 4 x 4 grid.
space:
  width: [1.0, 0.75, 0.5, 0.25]
  resolution: [224, 192, 160, 128]
latency:
  - {{backend: onnxruntime, rounds: {ROUNDS}}}
  - {{backend: torch, rounds: {ROUNDS}}}
accuracy: {{source: published, table: tf-slim-2018-08-02}}
"""

# As sweeps/backends.yaml: eight configurations, of which one is skipped by `many_run` and one predicted.
MANY = (
    WIDTH_RES[: WIDTH_RES.index("latency:")].replace("Width x resolution", "Backends")
    + """\
latency:
  - {backend: onnxruntime, rounds: 12}
  - {backend: onnxruntime, precision: int8, rounds: 12}
  - {backend: onnxruntime, kind: predicted}
  - {backend: openvino, precision: bf16, threads: 2, rounds: 12}
  - {backend: executorch, precision: int8, rounds: 12}
  - {backend: torch, memory_format: channels_last, rounds: 12}
  - {backend: torch, mode: forward_backward, batch: 16, cpus: [0, 1], rounds: 12}
  - {backend: torch_compile, memory_format: channels_last, mode: forward_backward, threads: 2, rounds: 12}
accuracy: {source: published, table: tflite-hosted}
"""
)
SKIPPED = Failure("executorch is not installed", FailureKind.SKIPPED)
PREDICTOR = "median error 2.1 % on 8 networks that it had not seen, 95 % of the errors below 6.0 %"

Latency = Callable[[LatencyConfig, Variant], float | None]


def made_up_ms(config: LatencyConfig, variant: Variant) -> float:
    """A latency that grows with mult-adds, and has a floor in eager PyTorch."""
    floor, per_gmac = {"onnxruntime": (0.1, 18.0), "torch": (3.0, 40.0)}.get(config.backend, (0.2, 15.0))
    return floor + per_gmac * count(variant).macs / 1e9 * config.batch


def write_run(
    folder: Path,
    text: str = WIDTH_RES,
    latency_ms: Latency = made_up_ms,
    rounds: Callable[[Variant], int] = lambda _: ROUNDS,
    failures: Mapping[tuple[str, str], str | Failure] | None = None,
    device: str = DEVICE,
    name: str = "made_up.yaml",
    spread: float = 0,
    upper: Callable[[LatencyConfig, Variant], float] = lambda config, variant: 1.03,
) -> Path:
    """Write a run as `mbsweep run` would; return its folder.

    latency_ms: the fastest call of every visit, which makes it the headline; None: never visited.
    rounds: how many visits a variant has had.
    failures: (variant, configuration or "") -> reason; variant "": the configuration was skipped.
    spread: the fastest call of a visit is by so much above, at or below the headline; of six visits one is
        below and one is at it, which makes it the lower fifth.
    upper: the upper quartile of the calls of every visit, over their fastest; 1.15 is noisy.

    What is predicted has the latency as it would be measured, and an interval from 5 % below to 10 % above.
    """
    sweep = parse_sweep(text, name)
    space = count_space(sweep)
    opened = sweep.accuracy.open(space, print) if sweep.accuracy else None
    with Store.write(folder) as store:
        store._connection.execute("PRAGMA synchronous = OFF")  # nobody mourns these runs
        enter_sweep(store, sweep, space, opened, Silent())
        for (variant_id, config_id), why in (failures or {}).items():
            store.add_failure(variant_id, config_id, why if isinstance(why, Failure) else Failure(why))
        if not sweep.latency:
            return folder
        about = {"description": device, "processor": device, "cores": 2, "machine": "x86_64"}
        about["id"] = f"{device.lower().replace(' ', '-')[:20]}_2c"
        for config in sweep.latency:
            session = store.begin_session(about, {"python": "3.11.2", "torch": "2.13.0"})
            known = {variant.id: latency_ms(config, variant) for variant in space.variants()}
            if config.kind == "predicted":
                rows = [(id_, *(np.array([1, 0.95, 1.1]) * ms * NS_PER_MS)) for id_, ms in known.items()]
                store.set_predictions(config.id, session, {"summary": PREDICTOR}, rows)
                continue
            for variant in space.variants():
                if (headline := known[variant.id]) is None:
                    continue
                for number in range(rounds(variant)):
                    fastest = headline * (1 + spread * (0, 1, -1, 1, 1, 1)[number % 6])
                    calls = fastest * np.array([1, 1.01, 1.02, upper(config, variant), 1.2]) * NS_PER_MS
                    blob = calls.round().astype("<i8").tobytes()
                    store.add_visit(config.id, variant.id, number, session, blob)
    return folder


def many_run(folder: Path, **kwargs) -> Path:
    """A run of `MANY`: int8 is noisy at width 1, ExecuTorch is skipped, a configuration is predicted."""
    skipped = "executorch-int8-b1-t1"
    return write_run(
        folder,
        MANY,
        latency_ms=lambda config, variant: None if config.id == skipped else made_up_ms(config, variant),
        rounds=lambda variant: 12,
        failures={("", skipped): SKIPPED},
        spread=0.005,
        upper=lambda config, variant: 1.15 if config.precision == "int8" and variant.width == 1 else 1.03,
        **kwargs,
    )


# Four networks, trained with two seeds each on a data set too small to learn from.
TRAINED = """\
title: Trained
space: {width: [1.0, 0.5], resolution: [48, 32], num_classes: 10}
latency: [{backend: onnxruntime, rounds: 12}]
accuracy:
  source: trained
  dataset: {name: digits, train: 100, validation: 100, test: 100}
  recipe: {epochs: 4, weight_decay: 1.0e-7, flip: true}
  seeds: [0, 1]
  budget: {minutes: 5}
"""
EPOCHS = 4
# Begin of a variant's id -> for each seed, the share of the test part that was right, or how it ended.
OUTCOMES: dict[str, tuple[float | str | None, ...]] = {
    "w1.0_r48": (0.9, 0.94),
    "w1.0_r32": (0.8, 0.84),
    "w0.5_r48": (0.7, "stalled"),
    "w0.5_r32": ("stalled", None),
}


def trained_run(
    folder: Path,
    text: str = TRAINED,
    outcomes: Mapping[str, tuple[float | str | None, ...]] = OUTCOMES,
    rounds: int = 12,
    notes: Sequence[str] = (),
) -> Path:
    """A run that was trained: each seed done (a share), "stalled", "stopped", or not yet begun (None).

    What stalled had two attempts before. What is done has 35, 50, 65 and 80 % on the validation part.
    """
    write_run(folder, text, rounds=lambda _: rounds, spread=0.005)
    sweep = parse_sweep(text, "made_up.yaml")
    assert isinstance(sweep.accuracy, TrainedAccuracy)
    with Store.write(folder) as store:
        source = (store.last_sweep() or {})["accuracy_sources"][0]
        names, rows = store.rows("accuracies")
        dataset = dict(zip(names, rows[0], strict=True))["dataset"]
        store.set_dataset(dataset, dict.fromkeys(("train", "validation", "test"), 100), notes)
        session = store.begin_session({"description": DEVICE, "id": "trainer"}, {"torch": "2.13.0"})
        variants = count_space(sweep).variants()
        for variant in variants:
            for seed, outcome in enumerate(outcomes.get(variant.id.split("_", 2)[2][: len("w1.0_r48")], ())):
                if outcome is None:
                    continue
                state = outcome if isinstance(outcome, str) else "done"
                last = 2 if state == "stalled" else 0
                for attempt in range(last + 1):
                    for epoch in range(1, EPOCHS + 1):
                        top1_pct = 10.0 if state == "stalled" else 20 + 15.0 * epoch
                        row = EpochRow(
                            variant.id, seed, attempt, epoch, 0.1, 1.5, top1_pct, 1.6, top1_pct, 1.0
                        )
                        store.add_epoch(source, row)
                hits = np.zeros(100 if state == "done" else 0, dtype=bool)
                hits[: round(100 * outcome) if isinstance(outcome, float) else 0] = True
                blob = np.packbits(hits).tobytes()
                ended = (state, EPOCHS, 99.0 if state == "done" else None, len(hits), blob)
                store.add_training(source, TrainingRow(variant.id, seed, last, session, 1, *ended))
        guessing, trainings = Guessing(loss=2.3, top1_pct=14.0), store.trainings(source)
        ended = Outcomes(sweep.accuracy, source, dataset, guessing, trainings, store.epochs(source))
        known = ended.accuracies(variants, {})
        store.set_accuracies(
            (variant.id, "fp32", *accuracy.row) for variant, accuracy in zip(variants, known, strict=True)
        )
    return folder


def report(folder: Path, *runs: Path) -> list[Path]:
    """The pages of some runs, as `mbsweep report` without names writes them: the index first."""
    return write_report([[open_run(run)] for run in runs], folder, latency_rows, printed_sizes)


def merged(folder: Path, *runs: Path) -> Path:
    """The one page of some runs, as `mbsweep report RUN_A RUN_B` writes it."""
    return write_report([[open_run(run) for run in runs]], folder, latency_rows, printed_sizes)[1]


# One of each way to break out of text into markup, script, plotly's markup or plotly's templates.
HOSTILE = (
    "<script>alert(1)</script></script><!--<img src=x onerror=alert(2)>\"'&lt;b&gt;%{x} "
    "\N{GRINNING FACE} \u05d0\u05d1\u05d2"
)


def hostile_run(folder: Path) -> Path:
    """A run whose title, description, comment, device and reason for a failure are all `HOSTILE`."""
    quoted = json.dumps(HOSTILE, ensure_ascii=False)
    text = WIDTH_RES.replace("Width x resolution", quoted).replace("The paper's 4 x 4 grid.", quoted)
    reasons = {("mobilenet_v1_w1.0_r224_d5", "torch-fp32-b1-t1"): HOSTILE}
    return write_run(folder, f"{text}# {HOSTILE}\n", failures=reasons, device=HOSTILE)
