"""What pruned weights do to latency: MobileNet 1.0-224 with 80 % and 95 % of its weights zero against itself.

In each runtime, in a process of its own, the three are timed in turn, round after round; a ratio is that of
the fastest calls of a round, its interval that of the mean over the rounds (Student's t, of the logarithms).
Pruned are the smallest weights of each layer, depthwise kernels left alone, as `compress` does it.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import scipy
import torch

from mbsweep.accuracy.compressing.holding import smallest, sparsity_of
from mbsweep.nets import Network
from mbsweep.profiler.backends import BACKENDS, check_installed
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepare import network, prepare
from mbsweep.profiler.timing import visit, warm_up
from mbsweep.space.variant import Variant

VARIANT = Variant(width=1.0, resolution=224)
SPARSITIES = (0.0, 0.8, 0.95)
ROUNDS, VISIT_MS = 30, 60
ASKED = [
    (backend, precision)
    for backend in BACKENDS
    for precision in ("fp32", "int8")
    if precision in BACKENDS[backend].options.get("precision", ("fp32",))
]


def main() -> None:
    """Print the ratios of each runtime; of one alone, where it is named on the command line."""
    if len(sys.argv) == 3:
        _measure(*sys.argv[1:])
        return
    for asked in ASKED:
        check_installed(asked[0])
        subprocess.run([sys.executable, "-m", "benchmarks.pruned_latency", *asked], check=True)


def _pruned(sparsity: float) -> Network:
    net = network(VARIANT)
    assert isinstance(net, Network)  # noqa: S101
    kinds = dict.fromkeys(("conv", "pointwise", "fc"), sparsity)
    with torch.no_grad():
        for weight, share in sparsity_of(net, kinds):
            weight.masked_fill_(smallest(weight, round(share * weight.numel())), 0)
    return net


def _measure(backend: str, precision: str) -> None:
    config = LatencyConfig.model_validate({"backend": backend, "precision": precision})
    size = VARIANT.resolution
    ready = [prepare(_pruned(sparsity), (3, size, size), config) for sparsity in SPARSITIES]
    for prepared in ready:
        warm_up(prepared.call, 3)
    found = np.array([[min(visit(prepared, VISIT_MS)) for prepared in ready] for _ in range(ROUNDS)]) / 1e6
    words = [f"dense {np.median(found[:, 0]):.2f} ms"]
    for place, sparsity in enumerate(SPARSITIES[1:], start=1):
        logs = np.log(found[:, place] / found[:, 0])
        half = scipy.special.stdtrit(ROUNDS - 1, 0.975) * logs.std(ddof=1) / np.sqrt(ROUNDS)
        low, middle, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
        words.append(f"{sparsity:.0%} pruned {middle:.3f} times that ({low:.3f} to {high:.3f})")
    print(f"{backend} {precision}: {', '.join(words)}", flush=True)


if __name__ == "__main__":
    main()
