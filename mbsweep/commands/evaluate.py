"""`mbsweep evaluate`: a saved network, tested."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mbsweep.base.printing import say
from mbsweep.commands.options import AllowCode, TrainedOn, path
from mbsweep.space.families.factory import code_allowed

EXAMPLE = "mbsweep evaluate net.safetensors"


class PartName(StrEnum):
    """Parts of a data set."""

    train = "train"
    validation = "validation"
    test = "test"


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", parser=path, help="A saved network.")],
    dataset: TrainedOn = None,
    part: Annotated[PartName, typer.Option(help="Part of the data set.")] = PartName.test,
    allow_code: AllowCode = False,
) -> None:
    """Say how accurate a saved network is on a data set."""
    from mbsweep.commands._training import evaluate_network  # loads torch

    with code_allowed(allow_code):
        say(evaluate_network(checkpoint, dataset, part.value))
