"""The built network and fvcore against the closed form."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from mbsweep.space.counting import Counts
from mbsweep.space.variant import Variant


class CountMismatchError(Exception):
    """The closed form and the built network disagree: a bug in mbsweep, never a matter of taste."""


# fvcore's names of what is a multiply-add here. Its total() also counts batch normalisation and pooling.
_COUNTED = ("conv", "linear", "addmm")


def measured_counts(net: nn.Module, resolution: int) -> tuple[int, int]:
    """(parameters, mult-adds) of a built network for one image: from its tensors, and by fvcore's trace."""
    params = sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)
    with warnings.catch_warnings(), torch.no_grad(), _in_eval_mode(net):
        warnings.simplefilter("ignore")  # fvcore calls parts of torch.jit that torch has deprecated
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(net, torch.zeros(1, 3, resolution, resolution))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        by_operator = analysis.by_operator()
    return params, sum(int(by_operator.get(name, 0)) for name in _COUNTED)


@contextmanager
def _in_eval_mode(net: nn.Module) -> Iterator[None]:
    """A trace in training mode would change the running statistics."""
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, was_training in modes.items():
            module.training = was_training


def crosscheck(variant: Variant, counts: Counts, net: nn.Module) -> None:
    """CountMismatchError unless the network that was built has exactly the counts of the closed form."""
    params, macs = measured_counts(net, variant.resolution)
    if (params, macs) != (counts.params, counts.macs):
        raise CountMismatchError(
            f"{variant.id}: closed form gives {counts.params} params and {counts.macs} mult-adds, "
            f"the built network {params} and fvcore {macs}"
        )
