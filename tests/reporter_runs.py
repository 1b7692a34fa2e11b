"""Runs with made-up samples for the tests of the report: real files, no network is built or timed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mbsweep.accuracy.published import latency_rows
from mbsweep.pipeline import Silent, enter_sweep
from mbsweep.reporter.page import write_report
from mbsweep.results import open_run
from mbsweep.space.counting import count, count_space
from mbsweep.space.sweep import LatencyConfig, parse_sweep
from mbsweep.space.variant import Variant
from mbsweep.store import Store

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

Latency = Callable[[LatencyConfig, Variant], float | None]


def made_up_ms(config: LatencyConfig, variant: Variant) -> float:
    """A latency that grows with mult-adds, and has a floor in eager PyTorch."""
    floor, per_gmac = {"onnxruntime": (0.1, 18.0), "torch": (3.0, 40.0)}[config.backend]
    return floor + per_gmac * count(variant).macs / 1e9


def write_run(
    folder: Path,
    text: str = WIDTH_RES,
    latency_ms: Latency = made_up_ms,
    rounds: Callable[[Variant], int] = lambda _: ROUNDS,
    failures: Mapping[tuple[str, str], str] | None = None,
    device: str = DEVICE,
    name: str = "made_up.yaml",
) -> Path:
    """Write a run as `mbsweep run` would; return its folder.

    latency_ms: the fastest call of every visit, which makes it the headline; None: never visited.
    rounds: how many visits a variant has had.
    failures: (variant, configuration or "") -> reason.
    """
    sweep = parse_sweep(text, name)
    space = count_space(sweep)
    with Store.write(folder) as store:
        store._connection.execute("PRAGMA synchronous = OFF")  # nobody mourns these runs
        enter_sweep(store, sweep, space, Silent())
        for (variant_id, config_id), reason in (failures or {}).items():
            store.add_failure(variant_id, config_id, reason)
        if not sweep.latency:
            return folder
        about = {"description": device, "processor": device, "cores": 2, "machine": "x86_64"}
        session = store.begin_session(about, {"python": "3.11.2", "torch": "2.13.0"})
        for config in sweep.latency:
            for variant in space.variants():
                fastest = latency_ms(config, variant)
                if fastest is None:
                    continue
                samples = np.array([fastest, fastest * 1.02, fastest * 1.2]) * NS_PER_MS
                for number in range(rounds(variant)):
                    blob = samples.round().astype("<i8").tobytes()
                    store.add_visit(config.id, variant.id, number, session, blob)
    return folder


def report(folder: Path, *runs: Path) -> list[Path]:
    """The pages of some runs, as `mbsweep report` writes them: the index first."""
    return write_report([open_run(run) for run in runs], folder, latency_rows)


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
