"""Runs for the tests of the page's interactive parts: one with everything, and those that lack something."""

import numpy as np
from reporter_runs import WIDTH_RES, hostile_run, made_up_ms, write_run

from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep

ROUNDS = 12
# Twenty networks, four of them without a published accuracy, and one that is unusual in every way.
RICH = f"""\
title: Everything
space:
  width: [1.0, 0.75, 0.7, 0.5, 0.25]
  resolution: [224, 192, 160, 128]
variants:
  - width: 0.6
    resolution: 96
    depth: 2
    stage_channels: [48, 96, 192, 384, 768]
    num_classes: 10
    divisor: 4
latency:
  - {{backend: onnxruntime, rounds: {ROUNDS}}}
  - {{backend: torch, mode: forward_backward, batch: 16, cpus: [0, 1], rounds: {ROUNDS}}}
  - {{backend: onnxruntime, kind: predicted}}
accuracy: {{source: published, table: tf-slim-2018-08-02}}
"""
UNUSUAL = "mobilenet_v1_w0.6_r96_d2"  # the begin of its id
THOUSANDS = """\
space: {width: {from: 0.1, to: 2.0, step: 0.005}, resolution: {from: 96, to: 320, step: 1}}
sample: {count: 2500}
"""
HOSTILE_FOLDER = "<img src=x onerror=alert(1)>"
FAILED = "mobilenet_v1_w1.0_r224_d5"  # in torch only


def jittery_ms(config, variant):
    """Latencies that do not follow mult-adds alone, and some that are close to each other."""
    rank = (round(variant.width * 100) * 7 + variant.resolution * 13) % 11
    return made_up_ms(config, variant) * (0.85 + 0.03 * rank)


def rich_run(folder, **kwargs):
    """Three configurations with wide intervals, a failure in one of them."""

    def latency_ms(config, variant):
        return None if config.backend == "torch" and variant.id == FAILED else jittery_ms(config, variant)

    failures = {(FAILED, "torch-fp32-b16-t1-forward_backward-cpu0-cpu1"): "RuntimeError: out of paper"}
    return write_run(
        folder, RICH, latency_ms, rounds=lambda _: ROUNDS, failures=failures, spread=0.06, **kwargs
    )


def written(text=WIDTH_RES, **kwargs):
    """What writes a run of a sweep into a folder."""
    return lambda folder: write_run(folder, text, **kwargs)


def no_latency(config, variant):
    """Never measured."""


GRID = [(width, resolution) for width in (1.0, 0.75, 0.5, 0.25) for resolution in (224, 192, 160, 128)]
ALL_FAIL = {(f"mobilenet_v1_w{w}_r{r}_d5", ""): "RuntimeError: out of paper" for w, r in GRID}
UNPUBLISHED = WIDTH_RES.replace("[1.0, 0.75, 0.5, 0.25]", "[0.9, 0.6, 0.3]")  # no accuracy, no Pixel 3
ONE = WIDTH_RES.replace("[1.0, 0.75, 0.5, 0.25]", "0.9").replace("[224, 192, 160, 128]", "200")


def only(backend, rounds):
    """The paper's grid in one configuration of that backend."""
    head, tail = WIDTH_RES[: WIDTH_RES.index("latency:")], WIDTH_RES[WIDTH_RES.index("accuracy:") :]
    return f"{head}latency: [{{backend: {backend}, rounds: {rounds}}}]\n{tail}"


def nan_heavy(folder):
    """Of 16 networks, four have an accuracy, five a latency, one both; intervals are unknown."""
    text = WIDTH_RES.replace("[1.0, 0.75, 0.5, 0.25]", "[0.9, 0.75, 0.6, 0.3]")

    def latency_ms(config, variant):
        is_known = variant.resolution == 224 or (variant.width, variant.resolution) == (0.9, 192)
        return made_up_ms(config, variant) if is_known else None

    return write_run(folder, text, latency_ms, rounds=lambda _: 1)


def two_devices(folder):
    """One configuration, half of it measured on one machine and half on another; one variant was never."""
    text = only("torch", rounds=3)
    here, there = (1.0, 0.75), (0.5, 0.25)
    write_run(folder, text, lambda config, v: made_up_ms(config, v) if v.width in here else None)
    sweep = parse_sweep(text, "made_up.yaml")
    (config,) = sweep.latency
    with Store.write(folder) as store:
        session = store.begin_session({"description": "Another device", "id": "another"}, {"torch": "2.13.0"})
        for variant in count_space(sweep).variants():
            if variant.width in there and variant.resolution != 224:
                calls = np.full(5, round(2e6 * made_up_ms(config, variant)), dtype="<i8").tobytes()
                for number in range(3):
                    store.add_visit(config.id, variant.id, number, session, calls)
    return folder


# Page -> its runs: what makes each in a folder.
EDGE = {
    "one_variant": {"one": written(ONE)},
    "all_failed": {"failed": written(latency_ms=no_latency, failures=ALL_FAIL)},
    "all_skipped": {
        "skipped": written(
            latency_ms=no_latency,
            failures={
                ("", f"{backend}-fp32-b1-t1"): Failure("no paper", FailureKind.SKIPPED)
                for backend in ("onnxruntime", "torch")
            },
        )
    },
    "no_accuracy": {"plain": written(UNPUBLISHED[: UNPUBLISHED.index("accuracy:")])},
    "counted": {"counted": written(UNPUBLISHED[: UNPUBLISHED.index("latency:")])},
    "counted_accurate": {
        "counted": written(
            WIDTH_RES[: WIDTH_RES.index("latency:")] + "accuracy: {source: published, table: tflite-hosted}\n"
        )
    },
    "disjoint": {"theirs": written(UNPUBLISHED, device="Their device"), "ours": written(device="Our device")},
    "predicted": {
        "predicted": written(WIDTH_RES.replace("rounds: 3", "kind: predicted").replace("torch", "openvino"))
    },
    "nan_heavy": {"nan": nan_heavy},
}
MADE = {
    "rich": {"rich": rich_run},
    "two_devices": {"moved": two_devices},
    "thousands": {"thousands": written(THOUSANDS)},
    "hostile": {HOSTILE_FOLDER: hostile_run, "plain": written()},
    **EDGE,
}
