"""What machine this is, in words and numbers that are stored with every measurement."""

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mbsweep.base.cores import usable_cores

Amount = TypeVar("Amount", int, NDArray[np.int64])


@dataclass(frozen=True)
class Device:
    """One machine. `cores`: how many this process may use."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    machine: str

    def __str__(self) -> str:
        """`AMD EPYC, 2 cores, 23 GiB, Linux x86_64`."""
        memory = f"{self.memory_bytes / 2**30:.0f} GiB"
        return f"{self.processor}, {self.cores} cores, {memory}, {self.system} {self.machine}"

    def as_dict(self) -> dict[str, str | int]:
        """The fields and the description."""
        return asdict(self) | {"description": str(self)}


def this_device() -> Device:
    """The machine that this runs on."""
    return Device(
        processor=_processor(),
        cores=usable_cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=platform.system(),
        machine=platform.machine(),
    )


def weights_of(backend: str) -> str:
    """What a device calls the way in which a runtime's int8 weights are held on it."""
    return f"{backend} int8"


def kept_weights(sessions: Iterable[Mapping[str, Any]], backend: str) -> str:
    """How the int8 weights of a runtime were held in a run's sessions; empty where none says so."""
    name = weights_of(backend)
    held = [session["device"][name] for session in sessions if name in session["device"]]
    return held[-1] if held else ""


def device_id(device: Mapping[str, Any], runtime: str, version: str) -> str:
    """Processor, cores, memory, runtime and its version, in one word: `amd-epyc_2c_24g_onnxruntime-1.32.0`.

    The same wherever and whenever it is made. device: as `Device.as_dict` gives it, with "gpu" where one is
    used. Memory is rounded to whole GiB: kernels of one machine report it a little differently.
    """
    processor = _slug(str(device.get("gpu") or device["processor"]))
    memory = round(int(device["memory_bytes"]) / 2**30)
    return f"{processor}_{device['cores']}c_{memory}g_{_slug(runtime)}-{_slug(version)}"


def _slug(text: str) -> str:
    text = re.sub(r"\((r|tm)\)", "", text.lower())
    return re.sub(r"[^a-z0-9.+]+", "-", text).strip("-") or "unknown"


def available_memory_bytes() -> int:
    """Memory that can be had without swapping."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def needed_bytes(weight_bytes: Amount, activation_bytes: Amount, batch: int) -> Amount:
    """Memory that a network takes, roughly: it is held up to three times while it is exported.

    activation_bytes: of one image, where most are alive. Also of arrays.
    """
    return 3 * weight_bytes + 2 * batch * activation_bytes


# Of x86 processors: they decide how PyTorch adds up, and so the last digits. A cloud may have processors with
# other ones under the same name.
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")

# Everything that a measured number may depend on; those that are not installed are left out.
_PACKAGES = ("mbsweep", "torch", "onnxruntime", "openvino", "executorch", "onnx", "numpy", "fvcore")


def is_gpu_lost() -> bool:
    """Whether this process can do nothing more on its GPU, as after an illegal access; False without one."""
    torch = sys.modules.get("torch")  # without PyTorch, no GPU
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a measured number depends on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def instructions() -> list[str]:
    """Those of INSTRUCTIONS that the processor has."""
    flags = next((line.partition(":")[2] for line in _lines("/proc/cpuinfo") if line.startswith("flags")), "")
    return [name for name in INSTRUCTIONS if name in flags.split()]


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith(("model name", "Model")) and ":" in line:
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
