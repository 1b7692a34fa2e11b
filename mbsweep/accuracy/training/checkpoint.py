"""A network's file: weights as safetensors, with what one must know to use them. Nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.settings import Recipe
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.files import write_file
from mbsweep.space.variant import Variant

WEIGHT, BEST, OPTIMIZER, SPLIT = "weight/", "best/", "optimizer/", "split/"


@dataclass(frozen=True)
class Origin:
    """The images that a network was trained on, tested on, and chosen by."""

    settings: dict[str, Any] = field(default_factory=dict)  # of the data set, as in a sweep file
    reading: dict[str, str] = field(default_factory=dict)  # how its images are read, in words
    split: dict[str, NDArray[np.int64]] = field(default_factory=dict, repr=False)  # part -> contents

    @classmethod
    def of(cls, dataset: Dataset) -> Origin:
        """Of a network that learns a data set."""
        split = {part: np.unique(dataset.contents(part)) for part in PARTS}
        return cls(dataset.settings, dataset.reading, split)

    def and_before(self, other: Origin) -> Origin:
        """Of a network that has learnt something else before: those images are no test of it either."""
        seen = [self.split["train"], *(other.split.get(part, _NONE) for part in ("train", "validation"))]
        return replace(self, split=self.split | {"train": np.unique(np.concatenate(seen))})


_NONE = np.zeros(0, np.int64)


@dataclass
class Checkpoint:
    """A training between two epochs."""

    about: dict[str, Any]  # what it is a training of: a checkpoint of another one is not gone on with
    curve: list[dict[str, Any]]  # the epochs so far
    tensors: dict[str, Tensor] = field(repr=False)
    origin: Origin = field(default_factory=Origin)

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MbsweepError(f"{path}: cannot be written: {error.strerror or error}") from None
    write_file(path, checkpoint_bytes(state))


def checkpoint_bytes(state: Checkpoint, more: Mapping[str, str] | None = None) -> bytes:
    """A checkpoint's file. more: what else its metadata say, which `open_checkpoint` does not read."""
    from safetensors.torch import save

    images = {"settings": state.origin.settings, "reading": state.origin.reading}
    head = {"mbsweep": json.dumps({"about": state.about, "curve": state.curve, "images": images})}
    tensors = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    tensors |= {SPLIT + part: torch.from_numpy(values) for part, values in state.origin.split.items()}
    return save(tensors, {**head, **(more or {})})


def resumed(path: Path, about: dict[str, Any], origin: Origin = Origin()) -> Checkpoint:
    """The checkpoint in a file; the beginning where there is none, it is damaged, or of another training."""
    try:
        found = open_checkpoint(path)
    except MbsweepError:
        found = Checkpoint({}, [], {})
    if not found.curve or differing(found.about, about):
        return Checkpoint(about, [], {}, origin)
    return replace(found, origin=origin)  # the same images may lie in another folder today


def differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In what a training that a file tells of is another one than now; empty where it is the same.

    A field of the network, or of the recipe, that the file does not have was at its default then; what else
    is told only since, nothing of then depends on.
    """
    before, today = ({name: _completed(name, value) for name, value in told.items()} for told in (then, now))
    return [name for name in before if name not in today or before[name] != today[name]]


def _completed(name: str, value: Any) -> Any:
    """What a file says, with what it does not: as that is by default."""
    if name == "recipe":
        whole = Recipe().settings | value
        start = whole.get("start")  # where its weights lie does not matter
        return whole | ({"start": start.get("sha256")} if isinstance(start, dict) else {})
    if name == "begun_from" and isinstance(value, dict):
        return value.get("sha256")
    if name == "variant":
        with suppress(MbsweepError, TypeError):
            return Variant(**value).as_dict()
    return value


def open_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file. MbsweepError where it cannot be read, or is no checkpoint of mbsweep."""
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise MbsweepError(f"{path}: is a folder; name the file of a network")
    try:
        with safe_open(path, "pt") as file:
            head = json.loads((file.metadata() or {})["mbsweep"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        about, curve = head["about"], head["curve"]
        split = {part: tensors.pop(SPLIT + part).numpy() for part in PARTS if SPLIT + part in tensors}
        images = head.get("images", {"settings": {}, "reading": {}})  # not in files of before
        origin = Origin(images["settings"], images["reading"], split if len(split) == len(PARTS) else {})
        return Checkpoint(about, curve, tensors, origin)
    except FileNotFoundError:
        raise MbsweepError(f"{path}: there is no such file") from None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = one_line(error, 200)
        raise MbsweepError(f"{path}: is damaged, or no network of mbsweep: {reason}") from None
