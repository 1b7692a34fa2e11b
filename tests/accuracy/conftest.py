"""What tests that train in their own process share."""

import pytest


@pytest.fixture
def as_in_a_worker():
    """One thread, and the same numbers from the same seed; put back afterwards."""
    import torch

    from mbsweep.accuracy.training.loop import use_threads

    threads = torch.get_num_threads()
    use_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("default")
    torch.set_flush_denormal(False)
