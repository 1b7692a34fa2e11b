"""The networks of one latency configuration, ready to be timed in this process."""

from __future__ import annotations

import os

import torch

from mbsweep.base.errors import MbsweepError
from mbsweep.profiler import timing
from mbsweep.profiler.backends import BACKENDS, ChoosesWeights, unavailable
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.crosscheck import crosscheck
from mbsweep.profiler.device import weights_of
from mbsweep.profiler.prepare import build, build_code, prepare
from mbsweep.profiler.prepared import Prepared
from mbsweep.profiler.subject import Subject
from mbsweep.profiler.threads import Work
from mbsweep.space.counting import count
from mbsweep.space.variant import Variant

# More than the threads can have used, allowing for the coarseness of a short warm-up, and for a thread that
# had a little to do beside them.
_BUSY_TOLERANCE = 0.25
_THREADS_TOLERANCE = 1.5
# One thread is never more than 1; of several that wait for one another beside busy neighbours, OpenVINO had
# down to 1.5 at work where each core had twice its work. Fewer are one, and what was asked for does not act.
_SEVERAL_THREADS = 1.1
# From here on a network has work for every thread: a yardstick has more. A small one may leave some idle.
_WORK_FOR_ALL_MACS = count(Variant(width=1.0, resolution=160)).macs


def set_torch_up(threads: int) -> None:
    """As it is whenever something is timed: so many threads, and denormals flushed.

    Untrained networks can breed denormals, which slow a CPU. Threads started from now on inherit this.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)


class Workbench:
    """Holds one configuration's networks. Takes over this process: threads, cores and denormals are its."""

    def __init__(self, config: LatencyConfig, weights: str = "") -> None:
        """weights: how those of an int8 network were held before, to which is kept; empty: not at all yet."""
        self._config = config
        self._prepared: dict[str, Prepared] = {}
        self._yardsticks: set[str] = set()
        if config.cpus:
            os.sched_setaffinity(0, config.cpus)
        set_torch_up(config.threads)
        #: Why this machine cannot run the configuration; empty where it can.
        self.unavailable = unavailable(config)
        #: What the device is beyond this machine: the name of its GPU, how int8 weights are held on it.
        on_gpu = config.device == "cuda" and not self.unavailable
        self.hardware = {"gpu": torch.cuda.get_device_name()} if on_gpu else {}
        backend = BACKENDS[config.backend]
        if config.precision == "int8" and isinstance(backend, ChoosesWeights):
            try:
                self.hardware[weights_of(config.backend)] = backend.int8_weights(weights).name
            except MbsweepError as error:
                self.unavailable = str(error)

    def prepare(self, subject: Subject) -> int:
        """Build, check, prepare and warm up a network. Returns the size on disk of the runtime's file.

        Raises whatever goes wrong; RuntimeError where the runtime uses more or fewer threads than it was told
        to, or keeps them on fewer cores.
        """
        config = self._config
        if subject.code is not None:
            net = build_code(subject.code)
        else:
            net = build(subject.layers, config.batch)
            if subject.variant is not None:
                crosscheck(subject.variant, count(subject.variant), net)
        prepared = prepare(net, subject.shape, config)
        # Where variants make many slow steps, few of a yardstick tell the drift.
        warm = timing.warm_up(prepared.call, 1 if subject.is_yardstick else config.warmup_calls)
        if config.device == "cpu":
            macs = config.batch * subject.size[1]
            check_threads(config, warm.work, has_work_for_all=macs >= _WORK_FOR_ALL_MACS)
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


def check_threads(config: LatencyConfig, work: Work, has_work_for_all: bool) -> None:
    """RuntimeError where not as many threads were at work as the configuration says, each with a core.

    has_work_for_all: whether one thread at work where several were asked for is a fault, too. Of many, how
    many wait for one another is the runtime's own affair, and part of its latency.
    """
    told = f"with threads: {config.threads}"
    is_too_few = has_work_for_all and config.threads > 1 and work.threads < _SEVERAL_THREADS
    is_too_many = work.threads > config.threads * _THREADS_TOLERANCE
    if (is_too_many and work.ran > config.threads + _BUSY_TOLERANCE) or is_too_few:
        raise RuntimeError(f"{config.backend} had {work.threads:.1f} threads at work, {told}")
    if work.busy_cores > config.threads + _BUSY_TOLERANCE:
        raise RuntimeError(f"{config.backend} kept {work.busy_cores:.1f} cores busy, {told}")
    if work.cores < config.threads and work.threads > work.cores + _BUSY_TOLERANCE:
        shared = f"{work.cores} core{'' if work.cores == 1 else 's'}"
        raise RuntimeError(f"{config.backend} kept {work.threads:.1f} threads on {shared}, {told}")
