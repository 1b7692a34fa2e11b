"""What pruned and shared weights are held to while a network learns on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mbsweep.formats.compressed.sharing import share
from mbsweep.nets import Network

# kind of layer -> what a scheme calls it
KINDS = {"conv": "conv", "conv_pw": "pointwise", "conv_dw": "depthwise", "fc": "fc"}
UPDATES = 8  # of what is pruned, in an epoch


class Weights(NamedTuple):
    """The kernel or matrix of a layer."""

    layer: str
    kind: str  # of KINDS' values
    name: str  # among the network's tensors
    values: nn.Parameter


def weights_of(net: Network) -> Iterator[Weights]:
    """Of every layer that has one."""
    for layer, child in zip(net.layers, net, strict=True):
        if layer.kind in KINDS:
            part = "linear" if layer.kind == "fc" else "conv"
            values = child.get_submodule(part).get_parameter("weight")
            yield Weights(layer.name, KINDS[layer.kind], f"{layer.child}.{part}.weight", values)


class Held(ABC):
    """Weights that do not move as they like."""

    @abstractmethod
    def begin(self, progress: float) -> None:
        """A step begins, at a share of all of them."""

    @abstractmethod
    def lead(self) -> None:
        """Gradients are there: let them lead to nothing that is not allowed."""

    @abstractmethod
    def hold(self) -> None:
        """The weights have moved: bring them back."""


class Pruned(Held):
    """The smallest weights of each layer become zero, more and more of them, and stay so.

    After a share t of the ramp s (1 - (1 - t)^3) of a layer's weights are zero, s in the end (Zhu and Gupta,
    arXiv:1710.01878, equation 1). ramp: the share of all steps in which it rises.
    """

    def __init__(self, sparsity: Sequence[tuple[nn.Parameter, float]], ramp: float, updates: int) -> None:
        self._sparsity, self._ramp, self._updates = sparsity, ramp, updates
        self._masks = [torch.zeros_like(weight, dtype=torch.bool) for weight, _ in sparsity]
        self._updated = -1

    def begin(self, progress: float) -> None:
        """Prune more where it is time."""
        risen = min(1.0, progress / self._ramp) if self._ramp else 1.0
        if (update := int(risen * self._updates)) == self._updated:
            return
        self._updated = update
        for mask, (weight, final) in zip(self._masks, self._sparsity, strict=True):
            share_ = final * (1 - (1 - risen) ** 3)
            mask.copy_(smallest(weight.detach(), round(share_ * weight.numel())))
        self.hold()

    def lead(self) -> None:
        """No gradient for what is zero."""
        for mask, (weight, _) in zip(self._masks, self._sparsity, strict=True):
            if weight.grad is not None:
                weight.grad.masked_fill_(mask, 0)

    @torch.no_grad()
    def hold(self) -> None:
        """Zero is zero."""
        for mask, (weight, _) in zip(self._masks, self._sparsity, strict=True):
            weight.masked_fill_(mask, 0)


def smallest(weight: Tensor, count: int) -> Tensor:
    """Where the so many smallest magnitudes are; of equal ones the first."""
    found = torch.zeros(weight.numel(), dtype=torch.bool, device=weight.device)
    found[weight.reshape(-1).abs().argsort(stable=True)[:count]] = True
    return found.reshape(weight.shape)


class Shared(Held):
    """Weights that are not zero share few values, which move as their gradients do together."""

    def __init__(self, bits: Sequence[tuple[nn.Parameter, int]]) -> None:
        self._layers = [_Layer.of(weight, count) for weight, count in bits]
        self.hold()

    def begin(self, progress: float) -> None:
        """Which weights share a value stays as it is."""

    def lead(self) -> None:
        """Each weight gets the sum of the gradients of all that share its value (section 3.3)."""
        for layer in self._layers:
            if layer.weight.grad is not None:
                sums = torch.bincount(layer.which, layer.weight.grad.reshape(-1), layer.clusters + 1)
                sums[-1] = 0
                layer.weight.grad.copy_(sums[layer.which].reshape(layer.weight.shape))

    @torch.no_grad()
    def hold(self) -> None:
        """Equal gradients moved them alike, but for roundings of a processor's last lanes."""
        for layer in self._layers:
            values = torch.cat([layer.weight.reshape(-1)[layer.first], layer.weight.new_zeros(1)])
            layer.weight.copy_(values[layer.which].reshape(layer.weight.shape))


class _Layer(NamedTuple):
    weight: nn.Parameter
    which: Tensor  # (weights,): which value each has; the one behind the last is zero, and stays so
    first: Tensor  # (clusters,): a weight that has it
    clusters: int

    @classmethod
    @torch.no_grad()
    def of(cls, weight: nn.Parameter, bits: int) -> _Layer:
        flat = weight.detach().cpu().reshape(-1).numpy()
        at = np.flatnonzero(flat)
        shared = share(flat[at], bits)
        which = np.full(flat.size, len(shared.values))
        which[at] = shared.which
        found = flat.copy()
        found[at] = shared.values[shared.which]
        weight.copy_(torch.from_numpy(found).reshape(weight.shape))
        first = at[np.unique(shared.which, return_index=True)[1]]
        places = (torch.from_numpy(which).to(weight.device), torch.from_numpy(first).to(weight.device))
        return cls(weight, *places, len(shared.values))


def sparsity_of(net: Network, by_kind: Mapping[str, float]) -> list[tuple[nn.Parameter, float]]:
    """The weights that are to be pruned, and how far."""
    return [(found.values, by_kind[found.kind]) for found in weights_of(net) if found.kind in by_kind]


def bits_of(net: Network, by_kind: Mapping[str, int]) -> list[tuple[nn.Parameter, int]]:
    """The weights that are to share values, and in how many bits a value is told."""
    return [(found.values, by_kind[found.kind]) for found in weights_of(net) if found.kind in by_kind]
