"""`mbsweep evaluate`: the network of a file, tested."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mbsweep.commands.options import AllowCode, AsJson, TrainedOn, path
from mbsweep.space.families.factory import code_allowed

EXAMPLE = "mbsweep evaluate net.safetensors"


class PartName(StrEnum):
    """Parts of a data set."""

    train = "train"
    validation = "validation"
    test = "test"


def evaluate(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            parser=path,
            help="A trained network: .safetensors; .onnx or .pte as exported; .mbz.",
        ),
    ],
    dataset: TrainedOn = None,
    part: Annotated[PartName, typer.Option(help="Part of the data set.")] = PartName.test,
    as_json: AsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Say how accurate the network of a file is, class by class.

    An .onnx or .pte file runs in its own runtime, image by image.
    """
    from mbsweep.commands import _evaluating  # loads torch

    with code_allowed(allow_code):
        done = _evaluating.evaluate_network(file, dataset, part.value)
    if as_json:
        print(_evaluating.as_json(done))
    else:
        _evaluating.print_evaluated(done)
