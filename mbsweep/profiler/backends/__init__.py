"""The runtimes in which latency is measured. Importing this loads none of them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from pydantic import ValidationError

from mbsweep.base.cores import usable_cores, usable_words
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.profiler.backends.executorch import ExecuTorch
from mbsweep.profiler.backends.onnx_runtime import OnnxRuntime
from mbsweep.profiler.backends.openvino import OpenVino
from mbsweep.profiler.backends.torch_compile import TorchCompile
from mbsweep.profiler.backends.torch_eager import TorchEager
from mbsweep.profiler.config import LatencyConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from mbsweep.formats.quantization import Weights
    from mbsweep.profiler.calibration import Calibration
    from mbsweep.profiler.deployed import Classify, Deployed
    from mbsweep.profiler.prepared import Prepared


class Backend(Protocol):
    """One runtime. Imports it only in its methods."""

    packages: ClassVar[
        tuple[str, ...]
    ]  # distributions that it needs; the version of the first is the runtime's
    install: ClassVar[str]  # what pip is told, for a shell
    # Field of LatencyConfig -> what the runtime has of it; of a field that is not here, only the default.
    options: ClassVar[dict[str, tuple[str, ...]]]

    def prepare(self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> Prepared:
        """The network, ready to be run on `image` (batch, channels, height, width).

        It runs in `config.threads` threads. The module is in eval mode. Each configuration has a process of
        its own, so settings of the whole process may be made here. Denormals are flushed in the calling
        thread; threads that the runtime keeps must flush them, too.
        """


@runtime_checkable
class ChoosesWeights(Protocol):
    """A backend whose int8 weights are held in a way that its runtime gets right on this processor."""

    def int8_weights(self, kept: str = "") -> Weights:
        """The way; that of the name `kept` while it is right. Raises MbsweepError where none is."""


@runtime_checkable
class TellsLayers(Protocol):
    """A backend that knows where a call's time goes."""

    def layer_times(
        self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig, calls: int
    ) -> dict[str, list[int]]:
        """Layer -> nanoseconds in each of `calls` calls, or their mean. Names: the module's, or own ones."""


@runtime_checkable
class Deploys(Protocol):
    """A backend in which the accuracy of a trained network can be had."""

    def deployed(
        self, module: nn.Module, size: int, config: LatencyConfig, calibration: Calibration | None
    ) -> Deployed:
        """The network as it is deployed, for one image of `size` pixels at a time.

        calibration: at int8, what ranges are taken from.
        """


@runtime_checkable
class OpensFiles(Protocol):
    """A backend that loads a network from a file of one ending."""

    def opened(self, content: bytes, config: LatencyConfig) -> Classify:
        """A file, to be given one image after another."""


BACKENDS: dict[str, Backend] = {
    "torch": TorchEager(),
    "torch_compile": TorchCompile(),
    "onnxruntime": OnnxRuntime(),
    "openvino": OpenVino(),
    "executorch": ExecuTorch(),
}


def check_installed(backend: str) -> None:
    """MbsweepError with the command that installs it, where a backend's runtime is missing."""
    for package in BACKENDS[backend].packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise MbsweepError(
                f"latency backend {backend!r} needs {package}, which is not installed; "
                f"run: pip install {BACKENDS[backend].install}"
            ) from None


def keeps_files(config: LatencyConfig) -> bool:
    """Whether preparing takes long, and its result is kept in the cache."""
    return getattr(BACKENDS[config.backend], "keeps_files", False) or config.precision == "int8"


def unavailable(config: LatencyConfig) -> str:
    """Why this machine cannot run a configuration of a runtime that can; empty where it can."""
    if config.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            return "no CUDA device on this machine"
    lacks = getattr(BACKENDS[config.backend], "lacks", None)
    return str(lacks(config)) if lacks else ""


def lacking(config: LatencyConfig) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(field, what the configuration asks for, what the backend has instead) of all that it lacks."""
    options = BACKENDS[config.backend].options
    for name in ("precision", "mode", "device", "memory_format"):
        has = options.get(name, (LatencyConfig.model_fields[name].default,))
        if getattr(config, name) not in has:
            yield name, getattr(config, name), has


def asked(**settings: object) -> LatencyConfig:
    """A configuration asked for on the command line, that this machine can measure.

    Raises MbsweepError where a setting is not allowed, or the backend is unknown, not installed or lacks it.
    """
    try:
        config = LatencyConfig.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        cause = first.get("ctx", {}).get("error") or first["msg"]
        raise MbsweepError(f"{first['loc'][0]} is {shown(first['input'])}; {cause}") from None
    if config.backend not in BACKENDS:
        names = ", ".join(BACKENDS)
        raise MbsweepError(
            f"backend is {config.backend!r}; expected one of {names}{did_you_mean(config.backend, BACKENDS)}"
        )
    for name, given, has in lacking(config):
        raise MbsweepError(f"{name} is {given!r}; {config.backend} has {' and '.join(has)}")
    if config.threads > usable_cores():
        raise MbsweepError(f"threads is {config.threads}; {usable_words()}")
    check_installed(config.backend)
    if reason := unavailable(config):
        raise MbsweepError(f"{config.backend} at {config.precision}: {reason}")
    return config
