"""`mbsweep classify`: what a network sees in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbsweep.commands import exits
from mbsweep.commands.options import AllowCode, AsJson, path
from mbsweep.space.families.factory import code_allowed

EXAMPLE = "mbsweep classify net.onnx picture.png"


def classify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", parser=path, help="A trained network: .safetensors; .onnx or .pte as exported."
        ),
    ],
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE...", parser=path, help="JPEG, PNG, WebP, BMP or GIF files."),
    ],
    as_json: AsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Print the three likeliest classes of pictures.

    A picture is read as those that the network learnt. Exit code 2 if one cannot be read.
    """
    from mbsweep.commands import _classifying  # loads torch

    with code_allowed(allow_code):
        are_all_read = _classifying.print_classes(file, pictures, as_json)
    if not are_all_read:
        raise typer.Exit(exits.BAD_INPUT)
