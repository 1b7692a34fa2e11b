"""What the machine can do at best: amounts that are counted here, over a clock that moves when it is told."""

import numpy as np
import pytest
import torch

from mbsweep.profiler import peak
from mbsweep.profiler.peak import bandwidth_bytes_per_s, peak_macs_per_s


class Clock:
    """Stands still but for what calls are said to take."""

    now_s = 0.0

    def perf_counter(self):
        """The time."""
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(peak, "time", clock := Clock())
    return clock


@pytest.mark.parametrize(("product_gmacs", "convolution_gmacs", "best"), [(50, 80, 80), (90, 30, 90)])
def test_the_peak_is_that_of_the_best_of_matrix_products_and_a_convolution(
    product_gmacs, convolution_gmacs, best, clock, monkeypatch
):
    """In multiply-adds per second of the shapes that are given to PyTorch: each call takes what these take at
    such a rate, and every third one five times as long, as on a machine that does other work.
    """
    calls = []

    def spend(macs, gmacs):
        calls.append(macs)
        clock.now_s += macs / (gmacs * 1e9) * (5 if len(calls) % 3 == 0 else 1)

    def mm(left, right, out):
        spend(left.shape[0] * left.shape[1] * right.shape[1], product_gmacs)

    def conv2d(image, kernel, padding):
        height, width = (size + 2 * padding - kernel.shape[2] + 1 for size in image.shape[2:])
        spend(kernel.numel() * height * width, convolution_gmacs)

    monkeypatch.setattr(torch, "mm", mm)
    monkeypatch.setattr(peak, "conv2d", conv2d)
    assert peak_macs_per_s() == pytest.approx(best * 1e9)
    assert 0.5 <= clock.now_s < 1  # the budget, and the turns that it ends in
    assert len(set(calls)) == 3


def test_the_bandwidth_counts_what_is_read_and_what_is_written(clock, monkeypatch):
    """A copy of 128 MiB in 10 ms, but 50 the first time: 26.8 GB/s."""
    copies = []

    def copy_(self, source):
        copies.append(source.numel() * source.element_size())
        clock.now_s += 0.05 if len(copies) == 1 else 0.01

    monkeypatch.setattr(torch.Tensor, "copy_", copy_)
    assert bandwidth_bytes_per_s() == pytest.approx(2 * 128 * 2**20 / 0.01)
    assert np.unique(copies).tolist() == [128 * 2**20]


def test_on_the_real_clock_both_are_something():
    """Nothing here is faster than an exaflop, or slower than a hand."""
    assert 1e6 < peak_macs_per_s() < 1e18
