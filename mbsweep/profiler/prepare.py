"""From layers to a call that can be timed, checked on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mbsweep.formats import exact
from mbsweep.nets import Network, assemble
from mbsweep.nets.factories import checked, made
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.backends.torch_eager import reference
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.crosscheck import crosscheck
from mbsweep.profiler.device import available_memory_bytes, needed_bytes
from mbsweep.profiler.prepared import Prepared
from mbsweep.space.block import Block
from mbsweep.space.counting import BYTES_PER_FP32, count
from mbsweep.space.families import architecture
from mbsweep.space.layers import Layer
from mbsweep.space.variant import Variant

# A network's output in a runtime and in eager PyTorch at fp32 may differ by this much of the largest output.
# fp32: other orders of summation. bf16: 8 bits of mantissa. What is rounded to integers is held to its own
# rounding (`Prepared.rounded`), and only that to fp32: rounding adds up through 28 layers of random weights,
# but the output of a wrong graph has nothing to do with the expected one.
OUTPUT_TOLERANCE = {"fp32": 1e-3, "bf16": 0.08, "int8": 0.4}
# In a training step batch normalisation divides by the deviation of few rounded values.
STEP_TOLERANCE = {"fp32": 1e-3, "bf16": 0.5}
# Of two or three values per channel the deviation may be next to nothing: two orders of summation then differ
# by up to 4.5 times what eager PyTorch's own rounding makes of the logits, which float64 tells.
STEP_ROUNDINGS = 10


def network(variant: Variant) -> nn.Module:
    """The built network of a variant, in eval mode, its counts confirmed.

    Raises CountMismatchError where they are not the closed form's, MemoryError where it would not fit; of
    code, FactoryError where it gives no network, MbsweepError where it may not be run.
    """
    if variant.is_code:
        return build_code(variant)
    net = build(architecture(variant).layers, batch=1)
    crosscheck(variant, count(variant), net)
    return net


def build(layers: Sequence[Layer], batch: int) -> Network:
    """Layers as a network in eval mode, always of the same weights. MemoryError where it would not fit."""
    weight_bytes = BYTES_PER_FP32 * sum(layer.params for layer in layers)
    activation_bytes = int(BYTES_PER_FP32 * Block(tuple(layers)).peak)
    needed = needed_bytes(weight_bytes, activation_bytes, batch)
    available = available_memory_bytes()
    if needed > available:
        raise MemoryError(f"needs about {needed / 2**30:.1f} GiB; {available / 2**30:.1f} GiB are free")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return assemble(layers).eval()


def build_code(variant: Variant) -> nn.Module:
    """The network that code makes, in eval mode, always of the same weights where torch's seed decides them.

    Raises FactoryError where it gives none, MbsweepError where it may not be run.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = made(variant).eval()
        checked(variant, net)
        return net


def prepare(net: nn.Module, shape: tuple[int, int, int], config: LatencyConfig) -> Prepared:
    """A network ready to be timed on images of `shape` (channels, height, width), its output checked.

    Raises ValueError where the output is not what eager PyTorch gives for the same images; at int8, not what
    the network gives with its weights and activations rounded to integers.
    """
    image = np.random.default_rng(0).standard_normal((config.batch, *shape), dtype=np.float32)
    expected = reference(net, image, config.mode)
    if not np.isfinite(expected).all():
        raise ValueError("the network's output is not finite")
    prepared = BACKENDS[config.backend].prepare(net, image, config)
    given = _array(prepared.call())
    if prepared.rounded is not None:
        _check_output(given, prepared.rounded, prepared.rounded_within, "its own rounding to integers")
        given = prepared.rounded
    if config.mode == "forward_backward":
        rounding = exact.off_by(expected, reference(net, image.astype(np.float64), config.mode))
        tolerance = max(STEP_TOLERANCE[config.precision], STEP_ROUNDINGS * rounding)
    else:
        tolerance = OUTPUT_TOLERANCE[config.precision]
    _check_output(given, expected, tolerance, "eager PyTorch")
    return prepared


def _array(output: object) -> NDArray[np.float32]:
    return output.float().cpu().numpy() if isinstance(output, torch.Tensor) else np.asarray(output)


def _check_output(
    given: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float, whose: str
) -> None:
    if given.shape != expected.shape:
        raise ValueError(f"output has the shape {given.shape}; {whose} gives {expected.shape}")
    difference = exact.off_by(given, expected)
    if not difference <= tolerance:
        raise ValueError(
            f"output differs from {whose} by {difference:.2g} of the largest logit; "
            f"at most {tolerance:g} is allowed"
        )
