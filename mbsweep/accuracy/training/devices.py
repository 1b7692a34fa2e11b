"""Where networks are trained: how many processes, on which devices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from mbsweep.base.cores import usable_cores
from mbsweep.profiler.device import device_id, instructions, this_device, versions


def share_out(jobs: int | None, trainings: int) -> tuple[int, list[str]]:
    """How many processes there are, and on which devices: one per GPU, else one per core."""
    devices = [f"cuda:{place}" for place in range(torch.cuda.device_count())] or ["cpu"]
    usual = len(devices) if devices != ["cpu"] else usable_cores()
    return max(1, min(jobs or usual, trainings)), devices


def training_device(devices: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The device that networks are trained on, its id included, and the versions."""
    device: dict[str, Any] = this_device().as_dict() | {"instructions": instructions()}
    found = versions()
    if list(devices) != ["cpu"]:
        device["gpu"] = torch.cuda.get_device_name(0)
        device["description"] = f"{device['gpu']} in {device['description']}"
    return device | {"id": device_id(device, "torch", found["torch"])}, found
