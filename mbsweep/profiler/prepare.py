"""From a variant to a call that can be timed, checked on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from mbsweep.nets import build
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.crosscheck import crosscheck
from mbsweep.profiler.device import available_memory_bytes
from mbsweep.profiler.timing import Call
from mbsweep.space.counting import Counts, count
from mbsweep.space.sweep import LatencyConfig
from mbsweep.space.variant import Variant

# A network's logits in a runtime and in eager PyTorch may differ by this much of the largest logit.
OUTPUT_TOLERANCE = 1e-3


@contextmanager
def process_for_timing() -> Iterator[None]:
    """Flush denormals, which untrained networks can breed and which slow a CPU; leave torch as it was.

    Threads that a runtime starts from now on inherit the flushing.
    """
    threads = torch.get_num_threads()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def network(variant: Variant, batch: int, is_checked: bool) -> nn.Module:
    """The built network, in eval mode; its counts are confirmed unless they were before.

    Raises CountMismatchError where they are not the closed form's, MemoryError where it would not fit.
    """
    counts = count(variant)
    _check_memory(counts, batch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build(variant).eval()
    if not is_checked:
        crosscheck(variant, counts, net)
    return net


def _check_memory(counts: Counts, batch: int) -> None:
    # A network is held up to three times while it is exported.
    needed = 3 * counts.weight_bytes + 2 * batch * counts.peak_activation_bytes
    available = available_memory_bytes()
    if needed > available:
        raise MemoryError(f"needs about {needed / 2**30:.1f} GiB; {available / 2**30:.1f} GiB are free")


def prepare(net: nn.Module, resolution: int, config: LatencyConfig) -> Call:
    """A call to time in the configuration's runtime.

    Raises ValueError where its output is not what eager PyTorch gives for the same images.
    """
    image = np.random.default_rng(0).standard_normal(
        (config.batch, 3, resolution, resolution), dtype=np.float32
    )
    with torch.inference_mode():
        expected = net(torch.from_numpy(image)).numpy()
    if not np.isfinite(expected).all():
        raise ValueError("the network's output is not finite")
    call = BACKENDS[config.backend].prepare(net, image, config)
    difference = float(np.abs(np.asarray(call()) - expected).max() / np.abs(expected).max())
    if not difference <= OUTPUT_TOLERANCE:
        raise ValueError(
            f"output differs from eager PyTorch by {difference:.2g} of the largest logit; "
            f"at most {OUTPUT_TOLERANCE:g} is allowed"
        )
    return call
