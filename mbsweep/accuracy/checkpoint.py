"""A network's file: weights as safetensors, with what one must know to use them. Nothing is unpickled."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbsweep.errors import MbsweepError
from mbsweep.export import write_file

WEIGHT, BEST, OPTIMIZER = "weight/", "best/", "optimizer/"


@dataclass
class Checkpoint:
    """A training between two epochs."""

    about: dict[str, Any]  # what it is a training of: a checkpoint of another one is not gone on with
    curve: list[dict[str, Any]]  # the epochs so far
    tensors: dict[str, Tensor] = field(repr=False)

    def restore(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Bring network and optimizer to where the training was; nothing where it has not begun."""
        if not self.curve:
            return
        load_weights(net, self.tensors, WEIGHT)
        for place, weight in enumerate(_weights(optimizer)):
            prefix = f"{OPTIMIZER}{place}/"
            for name, tensor in self.tensors.items():
                if name.startswith(prefix):
                    same = (
                        torch.empty_like(weight) if tensor.shape == weight.shape else torch.empty_like(tensor)
                    )
                    optimizer.state[weight][name[len(prefix) :]] = same.copy_(tensor)

    def add(self, row: dict[str, Any], net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Note an epoch, and the state after it."""
        best = max((epoch["validation_top1_pct"] for epoch in self.curve), default=-1.0)
        kept = {name: tensor for name, tensor in self.tensors.items() if name.startswith(BEST)}
        state = {name: tensor.detach().cpu().clone() for name, tensor in net.state_dict().items()}
        if row["validation_top1_pct"] >= best:
            kept = {BEST + name: tensor for name, tensor in state.items()}
        self.tensors = kept | {WEIGHT + name: tensor.clone() for name, tensor in state.items()}
        for place, weight in enumerate(_weights(optimizer)):
            for name, tensor in optimizer.state[weight].items():
                if isinstance(tensor, Tensor):
                    self.tensors[f"{OPTIMIZER}{place}/{name}"] = tensor.detach().cpu().clone()
        self.curve = [*self.curve, row]


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def load_weights(net: nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    """Copy the tensors of a prefix into a network of the same shapes."""
    net.load_state_dict(
        {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    )


def write_checkpoint(path: Path, state: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all. MbsweepError where that is not possible."""
    from safetensors.torch import save

    head = {"mbsweep": json.dumps({"about": state.about, "curve": state.curve})}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MbsweepError(f"{path}: cannot be written: {error.strerror or error}") from None
    write_file(path, save({name: tensor.contiguous() for name, tensor in state.tensors.items()}, head))


def resumed(path: Path, about: dict[str, Any]) -> Checkpoint:
    """The checkpoint in a file; the beginning where there is none, it is damaged, or of another training."""
    try:
        found = open_checkpoint(path)
    except MbsweepError:
        found = Checkpoint({}, [], {})
    return found if found.about == about else Checkpoint(about, [], {})


def open_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file. MbsweepError where it cannot be read, or is no checkpoint of mbsweep."""
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise MbsweepError(f"{path}: is a folder; name the file of a network")
    try:
        with safe_open(path, "pt") as file:
            head = json.loads((file.metadata() or {})["mbsweep"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        return Checkpoint(head["about"], head["curve"], tensors)
    except FileNotFoundError:
        raise MbsweepError(f"{path}: there is no such file") from None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MbsweepError(f"{path}: is damaged, or no network of mbsweep: {reason}") from None
