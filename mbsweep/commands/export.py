"""`mbsweep export`: a network as a file for another device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbsweep.base.printing import say
from mbsweep.commands.options import Network, path, takes_network
from mbsweep.space.variant import Variant

EXAMPLE = "mbsweep export --width 0.5 --resolution 160 -o net.onnx"


@takes_network()
def export(
    network: Network,
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=path, help="The file: .onnx, or .pte for ExecuTorch.")
    ],
    precision: Annotated[str, typer.Option(help="fp32 or int8.")] = "fp32",
) -> None:
    """Write a network, with random weights, as a file for a device."""
    from mbsweep.commands._exporting import export_network  # loads torch

    say(export_network(Variant(**network), precision, output))
