"""A training that begins from weights that exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training.checkpoint import Origin, open_checkpoint
from mbsweep.base.errors import MbsweepError
from mbsweep.nets import build
from mbsweep.space.variant import Variant


def beginning(
    variant: Variant, recipe: Recipe, seed: int, classes: Sequence[str]
) -> tuple[nn.Module, dict[str, Any], Origin | None]:
    """The network with the weights that its recipe says; which they are; what it has learnt, if it says so.

    Of what is random at a beginning there is left a classifier that is to tell other classes apart.
    MbsweepError where they do not fit, or are others than when the run began.
    """
    start = recipe.start
    assert start is not None  # noqa: S101
    torch.manual_seed(seed)
    net = build(variant, recipe.dropout)
    found = start.mapped(variant, classes)
    state = net.state_dict()
    for name, value in found.values().items():
        state[name].copy_(torch.from_numpy(value))
    file, told = found.file, found.file.sha256()
    if start.path and start.sha256 not in ("", told):
        raise MbsweepError(f"{file.path}: has changed since the run began")
    before = open_checkpoint(file.file).origin if file.about else None
    return net, {"begun_from": {"file": file.file.name, "sha256": told}}, before
