"""What the machine can do at best, against plain NumPy on the same machine."""

import time

import numpy as np
import pytest
import torch

from mbsweep.profiler.peak import bandwidth_bytes_per_s, peak_macs_per_s


@pytest.fixture(autouse=True)
def on_one_thread():
    """PyTorch as it is while a layer is timed; afterwards as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def best_s(call):
    """Seconds of the quickest of ten calls."""
    durations = []
    for _ in range(10):
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return min(durations)


def test_the_peak_is_a_peak():
    """Not less than half of what torch's own product of 768 x 768 matrices reaches, and not beyond any core.

    Two units of 16 products each at 6 GHz would be 192 GMAC/s. Half: another program may take the core.
    """
    peak = peak_macs_per_s()
    matrix = torch.rand(768, 768)
    reached = 768**3 / best_s(lambda: torch.mm(matrix, matrix))
    assert reached / 2 < peak < 400e9


def test_the_bandwidth_is_that_of_the_memory():
    """Within a factor of four of NumPy's copy of 256 MiB: shared machines differ from second to second."""
    source = np.ones(2**28, dtype=np.uint8)
    target = np.zeros_like(source)
    reached = 2 * 2**28 / best_s(lambda: np.copyto(target, source))
    assert reached / 4 < bandwidth_bytes_per_s() < 4 * reached
