"""What the machine can do at best, against plain NumPy on the same machine."""

import time

import numpy as np
import torch

from mbsweep.profiler.peak import bandwidth_bytes_per_s, peak_macs_per_s


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
    before = torch.get_num_threads()
    peak = peak_macs_per_s(1)
    torch.set_num_threads(1)
    matrix = torch.rand(768, 768)
    reached = 768**3 / best_s(lambda: torch.mm(matrix, matrix))
    torch.set_num_threads(before)
    assert reached / 2 < peak < 400e9


def test_the_bandwidth_is_that_of_the_memory():
    """Within a factor of four of NumPy's copy of 256 MiB: shared machines differ from second to second."""
    source = np.ones(2**28, dtype=np.uint8)
    target = np.zeros_like(source)
    reached = 2 * 2**28 / best_s(lambda: np.copyto(target, source))
    assert reached / 4 < bandwidth_bytes_per_s(1) < 4 * reached


def test_measuring_is_quick_and_leaves_the_threads_alone():
    """About half a second each, on the given number of threads."""
    before = torch.get_num_threads()
    start = time.process_time()
    peak_macs_per_s(1)
    bandwidth_bytes_per_s(1)
    assert time.process_time() - start < 5
    assert torch.get_num_threads() == before
