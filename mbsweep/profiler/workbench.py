"""The networks of one latency configuration, ready to be timed in this process."""

from __future__ import annotations

import os

import torch

from mbsweep.profiler import timing
from mbsweep.profiler.crosscheck import crosscheck
from mbsweep.profiler.prepare import build, prepare
from mbsweep.profiler.prepared import Prepared
from mbsweep.profiler.subject import Subject
from mbsweep.space.counting import count
from mbsweep.space.latency import LatencyConfig

# More processor time than the threads can have used, allowing for the coarseness of a short warm-up.
_BUSY_TOLERANCE = 0.25


def set_torch_up(threads: int) -> None:
    """As it is whenever something is timed: so many threads, and denormals flushed.

    Untrained networks can breed denormals, which slow a CPU. Threads started from now on inherit this.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)


class Workbench:
    """Holds one configuration's networks. Takes over this process: threads, cores and denormals are its."""

    def __init__(self, config: LatencyConfig) -> None:
        self._config = config
        self._prepared: dict[str, Prepared] = {}
        self._yardsticks: set[str] = set()
        if config.cpus:
            os.sched_setaffinity(0, config.cpus)
        set_torch_up(config.threads)
        on_gpu, has_gpu = config.device == "cuda", torch.cuda.is_available()
        #: Why this machine cannot run the configuration; empty where it can.
        self.unavailable = "no CUDA device on this machine" if on_gpu and not has_gpu else ""
        #: What the device is beyond this machine: the name of its GPU.
        self.hardware = {"gpu": torch.cuda.get_device_name()} if on_gpu and has_gpu else {}

    def prepare(self, subject: Subject) -> int:
        """Build, check, prepare and warm up a network. Returns the size on disk of the runtime's file.

        Raises whatever goes wrong; RuntimeError where the runtime uses more threads than it was told to.
        """
        config = self._config
        net = build(subject.layers, config.batch)
        if subject.variant is not None:
            crosscheck(subject.variant, count(subject.variant), net)
        prepared = prepare(net, subject.shape, config)
        # Where variants make many slow steps, few of a yardstick tell the drift.
        warm = timing.warm_up(prepared.call, 1 if subject.is_yardstick else config.warmup_calls)
        if config.device == "cpu" and warm.busy_cores > config.threads + _BUSY_TOLERANCE:
            raise RuntimeError(
                f"{config.backend} kept {warm.busy_cores:.1f} cores busy, with threads: {config.threads}"
            )
        self._prepared[subject.name] = prepared
        if subject.is_yardstick:
            self._yardsticks.add(subject.name)
        return prepared.file_bytes

    def visit(self, name: str) -> list[int]:
        """Time a prepared network for one visit: durations in nanoseconds."""
        calls = None if name in self._yardsticks else self._config.visit_calls
        return timing.visit(self._prepared[name], self._config.visit_ms, calls)

    def close(self) -> None:
        """Let the networks go."""
        self._prepared.clear()
