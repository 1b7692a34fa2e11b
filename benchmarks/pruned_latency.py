"""What pruned weights do to latency: MobileNet 1.0-224 with 80 % and 95 % of its weights zero against itself.

In each runtime, in a process of its own, the three are timed in turn, round after round. A ratio is that of
the lower fifths of the rounds' fastest calls; its 95 % interval is from the same rounds, drawn anew.
Pruned are the smallest weights of each layer, depthwise kernels left alone, as `compress` does it.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch
from torch import nn

from mbsweep.accuracy.compressing.holding import smallest, sparsity_of
from mbsweep.nets import Network
from mbsweep.profiler.backends import BACKENDS, check_installed
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepare import network
from mbsweep.profiler.timing import visit, warm_up
from mbsweep.space.variant import Variant

VARIANT = Variant(width=1.0, resolution=224)
SPARSITIES = (0.0, 0.8, 0.95)
ROUNDS, VISIT_MS = 40, 60
RESAMPLES, FIFTH = 2000, 0.2
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
        # Statistics as after a training: else next to nothing of an image comes through so few weights.
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        torch.manual_seed(0)
        net.train()(torch.randn(8, 3, VARIANT.resolution, VARIANT.resolution))
    return net.eval()


def _measure(backend: str, precision: str) -> None:
    config = LatencyConfig.model_validate({"backend": backend, "precision": precision})
    size = VARIANT.resolution
    image = np.random.default_rng(0).standard_normal((1, 3, size, size), np.float32)
    # Without the check of outputs that a run makes: what is asked here is the time alone.
    ready = [BACKENDS[backend].prepare(_pruned(sparsity), image, config) for sparsity in SPARSITIES]
    for prepared in ready:
        warm_up(prepared.call, 3)
    found = np.array([[min(visit(prepared, VISIT_MS)) for prepared in ready] for _ in range(ROUNDS)]) / 1e6
    drawn = np.random.default_rng(0).integers(ROUNDS, size=(RESAMPLES, ROUNDS))
    headlines = np.quantile(found, FIFTH, axis=0)
    resampled = np.quantile(found[drawn], FIFTH, axis=1)
    words = [f"dense {headlines[0]:.2f} ms"]
    for place, sparsity in enumerate(SPARSITIES[1:], start=1):
        low, high = np.percentile(resampled[:, place] / resampled[:, 0], [2.5, 97.5])
        ratio = headlines[place] / headlines[0]
        words.append(f"{sparsity:.0%} pruned {ratio:.3f} times that ({low:.3f} to {high:.3f})")
    print(f"{backend} {precision}: {', '.join(words)}", flush=True)


if __name__ == "__main__":
    main()
