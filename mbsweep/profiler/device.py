"""What machine this is, in words and numbers that are stored with every measurement."""

import importlib.metadata
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Device:
    """One machine. `cores` are those that this process may use."""

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


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def available_memory_bytes() -> int:
    """Memory that can be had without swapping."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def versions() -> dict[str, str]:
    """Versions of everything that a measured number depends on."""
    packages = ("mbsweep", "torch", "onnxruntime", "onnx", "numpy", "fvcore")
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in packages
    }


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
