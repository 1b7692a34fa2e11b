"""Which way of holding int8 weights a runtime calculates right on this processor: a tiny network tells.

Its sums are the largest that there are, so an accumulator that is too small is sure to overflow. No list of
processors has to be right, and what the next version of a runtime does shows by itself.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import time
from collections.abc import Callable, Iterable, Mapping
from operator import truediv

import numpy as np
from numpy.typing import NDArray

from mbsweep.base.cache import cached
from mbsweep.base.errors import MbsweepError
from mbsweep.formats.exact import TOLERANCE, calculate, off_by
from mbsweep.formats.operations import Operation
from mbsweep.formats.quantization import RECIPE, WEIGHTS, Weights, written
from mbsweep.profiler.device import this_device

CHANNELS, SIZE = 128, 14
CALLS = 40  # of each file that is right, in turns
# What takes no more than so many times the fastest is as fast, and of those the best is taken: the same in
# each run, whatever else the machine does.
AS_FAST = 1.1

Call = Callable[[], NDArray[np.float32]]
Load = Callable[[bytes, NDArray[np.float32]], Call]  # a file and its image -> its call, with one thread

_chosen: dict[str, Weights] = {}  # by backend: a process runs on one processor


def choose(backend: str, load: Load, kept: str = "") -> Weights:
    """How a backend holds int8 weights here: of the ways that are right the fastest.

    kept: the name of the way that was chosen before, to which is kept while it is right; else that in the
    cache. Raises MbsweepError where none is right.
    """
    if backend not in _chosen:
        if not _right(load, [kept]):
            about = (this_device().processor, backend, importlib.metadata.version(backend), RECIPE)
            key = hashlib.sha256(repr(("int8 weights", *about)).encode()).hexdigest()
            kept = cached(key, "txt", lambda: _fastest(load).encode()).decode(errors="replace")
        if not _right(load, [kept]):  # from a processor that only has the same name
            kept = _fastest(load)
        _chosen[backend] = WEIGHTS[kept]
    return _chosen[backend]


def remark(backend: str, name: str) -> str:
    """What a reader of an int8 latency must know of how the weights were held."""
    held = f"int8 with {name} ({WEIGHTS[name].words})"
    return f"{held}, the fastest that {backend} calculates right on this processor"


def best(times_ns: Mapping[str, float]) -> str:
    """The first of WEIGHTS that is as fast as the fastest."""
    fastest_ns = min(times_ns.values())
    return next(name for name in WEIGHTS if times_ns.get(name, np.inf) <= AS_FAST * fastest_ns)


def _fastest(load: Load) -> str:
    calls = _right(load, WEIGHTS)
    if not calls:
        raise MbsweepError("the runtime calculates no kind of int8 weights right on this processor")
    times_ns = dict.fromkeys(calls, np.inf)
    for _ in range(CALLS):
        for name, call in calls.items():
            start = time.perf_counter_ns()
            call()
            times_ns[name] = min(times_ns[name], time.perf_counter_ns() - start)
    return best(times_ns)


def _right(load: Load, names: Iterable[str]) -> dict[str, Call]:
    """The calls of the tiny network with weights of these names, as far as they are right."""
    calls = {}
    for name in names:
        if weights := WEIGHTS.get(name):
            model, image = largest_sums(weights)
            call = load(model, image)
            if off_by(call(), calculate(model, image, truediv).logits) <= TOLERANCE:
                calls[name] = call
    return calls


def largest_sums(weights: Weights) -> tuple[bytes, NDArray[np.float32]]:
    """A 1x1 convolution and a linear layer, whose inputs are all 255 and whose weights all +- the top."""
    image = np.full((1, CHANNELS, SIZE, SIZE), 255, np.float32)
    signs = np.where(np.arange(CHANNELS) % 2, -1, 1).astype(np.float32)
    ones, none = np.ones((CHANNELS, CHANNELS), np.float32), np.zeros(CHANNELS, np.float32)
    shape = {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "group": 1}
    found = [
        Operation("conv", "Conv", (0,), ones[:, :, None, None], none, shape, "relu"),
        Operation("pool", "GlobalAveragePool", (1,)),
        Operation("flatten", "Flatten", (2,), attributes={"axis": 1}),
        Operation("linear", "Gemm", (3,), ones * signs[:, None], none, {"transB": 1}),
    ]
    top = 255 * CHANNELS
    ranges = np.array([[0, 0, 0, 0, 0], [255, top, top, top, top]], np.float64)
    return written(found, ranges, image.shape, weights), image
