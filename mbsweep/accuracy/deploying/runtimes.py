"""In which runtimes a run's networks are tested, and what int8 files are made with. Loads no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePath
from typing import NamedTuple

from mbsweep.accuracy.settings import Quantization
from mbsweep.profiler.config import LatencyConfig


class Runtime(NamedTuple):
    """What decides a network's answers beside its weights."""

    backend: str
    precision: str
    device: str

    @property
    def words(self) -> str:
        """`onnxruntime int8`."""
        on = "" if self.device == "cpu" else f" on {self.device}"
        return f"{self.backend} {self.precision}{on}"

    @property
    def config(self) -> LatencyConfig:
        """For one image at a time on one thread."""
        return LatencyConfig.model_validate(self._asdict())


# Networks are trained, and tested at once, in eager PyTorch.
TRAINED_IN = Runtime("torch", "fp32", "cpu")


def runtime_of(config: LatencyConfig) -> Runtime | None:
    """Where networks are tested for a latency configuration; None where they were, when they were trained.

    Batch, threads and memory format change no answer but for rounding; a training step gives none.
    """
    found = Runtime(config.backend, config.precision, config.device)
    return None if config.mode != "forward" or found == TRAINED_IN else found


def runtimes_of(configs: Iterable[LatencyConfig]) -> list[Runtime]:
    """Those of some latency configurations, each once."""
    return list(dict.fromkeys(filter(None, map(runtime_of, configs))))


def made_with(runtime: Runtime, quantization: Quantization) -> str:
    """What a network's file is made with besides its weights, as a run keeps it; empty where nothing is."""
    return quantization.key if runtime.precision == "int8" else ""


def kept_name(stem: str, content: bytes, ending: str) -> str:
    """The name under which a run keeps a file that it has tested.

    It tells the content: no other file, of another calibration or altered, has its place.
    """
    return f"{stem}_{_digest(content)}{ending}"


def is_kept(name: str, content: bytes) -> bool:
    """Whether that is what was kept under a name."""
    return PurePath(name).stem.endswith(f"_{_digest(content)}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
