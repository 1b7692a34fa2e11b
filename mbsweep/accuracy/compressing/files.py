"""A trained network -> the tensors of a compressed file -> the network that the file has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.formats.compressed.file import Compressed, read
from mbsweep.formats.compressed.tensors import Floats
from mbsweep.nets import build
from mbsweep.space.variant import Variant

ENDING = ".mbz"
_SHARES = ("running_mean", "running_var")


def tensors_of(net: nn.Module) -> dict[str, Floats]:
    """What a file has to hold of a network in evaluation mode, by the names of its parts.

    Of batch normalisation that is one scale and one shift for each channel: its statistics are in them.
    """
    found: dict[str, Floats] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            scale, shift = scale_and_shift(module)
            found |= {f"{name}.weight": _array(scale), f"{name}.bias": _array(shift)}
        else:
            own = module.named_parameters(name, recurse=False)
            found |= {key: _array(tensor) for key, tensor in own}
    return found


@torch.no_grad()
def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What batch normalisation does to a channel in evaluation mode."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None  # noqa: S101
    assert variance is not None  # noqa: S101
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def network_in(compressed: Compressed, where: str) -> nn.Module:
    """The network of a compressed file, for use. MbsweepError where its tensors are not those of it."""
    try:
        net = build(Variant(**compressed.about["variant"])).eval()
    except (KeyError, TypeError, MbsweepError) as error:
        raise MbsweepError(f"{where}: does not say which network it has: {one_line(error, 200)}") from None
    left = dict(compressed.tensors)
    state = net.state_dict()
    for name, tensor in state.items():
        if name.rpartition(".")[2] == "num_batches_tracked":
            continue
        if name.rpartition(".")[2] in _SHARES:  # filled in below
            continue
        found = left.pop(name, None)
        if found is None or found.shape != tuple(tensor.shape):
            raise MbsweepError(f"{where}: lacks {name}, or has it in another shape")
        state[name] = torch.from_numpy(found)
    if left:
        raise MbsweepError(f"{where}: has {next(iter(left))}, which its network has not")
    net.load_state_dict(state)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.zero_()
            module.running_var.fill_(1 - module.eps)  # type: ignore[union-attr]
    return net


def open_compressed(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a compressed file, and what the file says of it.

    MbsweepError where it cannot be read, is another kind of file, truncated or altered.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MbsweepError(f"{path}: cannot be read: {error.strerror or error}") from None
    found = read(content, str(path))
    return network_in(found, str(path)), found.about


def _array(tensor: Tensor) -> Floats:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)
