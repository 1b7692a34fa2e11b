"""What this machine can do at best with PyTorch's threads: multiply-adds and bytes per second, measured."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.nn.functional import conv2d

BUDGET_S = 0.5  # each measurement takes about so long,
TURN_S = 0.02  # in turns of about so long
MATRIX_SIZES = (512, 1024)
CONV_CHANNELS, CONV_SIZE = 256, 16
COPY_BYTES = 2**27  # 128 MiB, and as much again for the copy: far more than a core's share of the caches


def peak_macs_per_s() -> float:
    """Multiply-adds per second of the best of several dense fp32 workloads.

    Matrix products, which PyTorch gives to MKL, and a 3x3 convolution, which it gives to oneDNN: on AMD's
    processors with AVX-512, MKL reaches half of what oneDNN does.
    """
    with torch.inference_mode():
        works = [_matrix_product(size) for size in MATRIX_SIZES] + [_convolution()]
        best_s = _best_s([call for _, call in works])
    return max(macs / seconds for (macs, _), seconds in zip(works, best_s, strict=True))


def bandwidth_bytes_per_s() -> float:
    """Bytes per second, read and written, of the best of several large copies in memory."""
    source = torch.ones(COPY_BYTES // 4)
    target = torch.zeros_like(source)
    (best_s,) = _best_s([lambda: target.copy_(source)])
    return 2 * COPY_BYTES / best_s


Work = tuple[int, Callable[[], object]]  # multiply-adds, and what makes them


def _matrix_product(size: int) -> Work:
    left, right, product = torch.rand(size, size), torch.rand(size, size), torch.empty(size, size)
    return size**3, lambda: torch.mm(left, right, out=product)


def _convolution() -> Work:
    image = torch.rand(1, CONV_CHANNELS, CONV_SIZE, CONV_SIZE).to(memory_format=torch.channels_last)
    kernel = torch.rand(CONV_CHANNELS, CONV_CHANNELS, 3, 3).to(memory_format=torch.channels_last)
    return (3 * CONV_CHANNELS * CONV_SIZE) ** 2, lambda: conv2d(image, kernel, padding=1)


def _best_s(calls: list[Callable[[], object]]) -> list[float]:
    """Seconds of each call's quickest turn.

    In turns, so that what else the machine does hits all of them. A turn has at least two calls: the first
    brings the data into the caches.
    """
    best_s = [float("inf")] * len(calls)
    end = time.perf_counter() + BUDGET_S
    while time.perf_counter() < end:
        for place, call in enumerate(calls):
            for duration_s in _turn(call):
                best_s[place] = min(best_s[place], duration_s)
    return best_s


def _turn(call: Callable[[], object]) -> list[float]:
    durations_s: list[float] = []
    while len(durations_s) < 2 or sum(durations_s) < TURN_S:
        start = time.perf_counter()
        call()
        durations_s.append(time.perf_counter() - start)
    return durations_s
