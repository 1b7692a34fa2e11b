"""Predicted latencies of 50 random networks of each family against measured ones of the same run; a large
space.

`python -m benchmarks.prediction mobilenet_v2` for one of the families.
"""

import os
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from mbsweep.base.progress import Silent
from mbsweep.base.progress_bar import RichProgress
from mbsweep.latency.predicting import measure_parts
from mbsweep.latency.predictor import BlockModel, choose_blocks, choose_networks, predict_space
from mbsweep.pipeline import run
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.subject import Subject
from mbsweep.space.fused import space_blocks
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep

UNSEEN = 50
PREDICTED = "latency: [{backend: onnxruntime, kind: predicted}]"
SPACES = {
    "mobilenet_v1": Path("sweeps/predicted.yaml").read_text(encoding="utf-8"),
    "mobilenet_v1 by stages": f"""\
space:
  - stage_widths: {{each: [1.0, 0.5]}}
    kernels: [[3, 3, 3, 3, 3], [3, 5, 3, 5, 3]]
    resolution: [128, 192]
  - stage_depths: [[1, 1, 2, 3, 1], [1, 3, 3, 6, 2]]
    width: [0.5, 0.75]
    resolution: [128, 192]
{PREDICTED}
""",
    "mobilenet_v2": f"""\
space:
  family: mobilenet_v2
  width: [0.35, 0.5, 0.75, 1.0]
  resolution: {{from: 96, to: 224, step: 32}}
  expansion: [3, 4, 6]
  kernel: [3, 5]
{PREDICTED}
""",
    "mobilenet_v3": f"""\
space:
  family: [mobilenet_v3_large, mobilenet_v3_small]
  width: [0.35, 0.5, 0.75, 1.0, 1.25]
  resolution: {{from: 96, to: 224, step: 16}}
  minimalistic: [false, true]
{PREDICTED}
""",
    "mobilenet_v4": f"""\
space:
  family: [mobilenet_v4_conv_small, mobilenet_v4_conv_medium]
  width: [0.35, 0.5, 0.75, 1.0, 1.25]
  resolution: {{from: 96, to: 224, step: 16}}
{PREDICTED}
""",
}
LARGE = """\
space:
  width: {from: 0.25, to: 1.24, step: 0.01}
  resolution: {from: 96, to: 294, step: 2}
  depth: {from: 0, to: 9, step: 1}
latency: [{backend: onnxruntime, kind: predicted}]
"""


def main() -> None:
    """Print the errors of unseen networks, and the time of a large space."""
    names = sys.argv[1:] or list(SPACES)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["MBSWEEP_CACHE"] = f"{folder}/cache"
            print_errors(name, Path(folder))
    print_time()


def print_errors(name: str, folder: Path) -> None:
    """Measure the parts of the prediction and the unseen networks in the same rounds; then predict."""
    sweep = parse_sweep(SPACES[name], f"{name}.yaml")
    (config,) = sweep.latency
    space = count_space(sweep)
    blocks = space_blocks(space)
    known = np.concatenate(choose_networks(blocks, config.networks))
    others = np.setdiff1d(np.arange(len(space)), known)
    drawn = np.random.default_rng(1).choice(others, UNSEEN, replace=False)
    unseen = [space.variant(int(place)) for place in drawn]
    start = time.perf_counter()
    with (
        closing(Bench(config, lambda name, reason: sys.exit(f"{name}: {reason}"))) as bench,
        RichProgress() as bar,
    ):
        truth, _ = measure_parts(config, bench, blocks, [Subject.of(variant) for variant in unseen], bar)
    count = len(choose_blocks(blocks, config.max_blocks))
    took_s = time.perf_counter() - start
    print(f"{name}: measured {count} of {len(blocks)} blocks in {took_s:.0f} s (at most 400)")
    table = run(sweep, folder / "run", progress=Silent()).table().set_index("variant")
    predicted = table.loc[[variant.id for variant in unseen], "latency_ms"].to_numpy()
    measured = np.array([truth[variant.id] for variant in unseen]) / 1e6
    errors = predicted / measured - 1
    low, high = (table.loc[[v.id for v in unseen], f"latency_{end}_ms"].to_numpy() for end in ("low", "high"))
    print(
        f"{name}: {UNSEEN} unseen networks: {(abs(errors) <= 0.10).mean():.0%} within 10 % (at least 98 %), "
        f"mean absolute error {abs(errors).mean():.1%} (at most 4 %), worst {abs(errors).max():.1%}; "
        f"{((low <= measured) & (measured <= high)).mean():.0%} within their 95 % intervals"
    )
    print(f"it says of itself: {table['latency_note'].iloc[0]}")


def print_time() -> None:
    """Predict a large space from made-up block latencies: only the time matters."""
    sweep = parse_sweep(LARGE, "large.yaml")
    space = count_space(sweep)
    start = time.perf_counter()
    blocks = space_blocks(space)
    chosen = choose_blocks(blocks, 400)
    fitted, held_out = choose_networks(blocks, 24)
    ns = blocks.macs / 20.0 + 1e4
    model = BlockModel.fit(blocks, chosen, ns[chosen])
    sums = blocks.total(ns.astype(np.float64))
    predict_space(blocks, model.ns, fitted, sums[fitted], held_out, sums[held_out])
    print(f"{len(space):,} variants predicted in {time.perf_counter() - start:.1f} s (at most 10)")


if __name__ == "__main__":
    main()
