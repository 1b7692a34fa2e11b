"""`mbsweep export`: a network as a file for another device."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import say
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.base.suggest import path_word
from mbsweep.commands.options import Network, path, takes_network
from mbsweep.space.counting import count
from mbsweep.space.families import architecture
from mbsweep.space.families.factory import without_layers
from mbsweep.space.variant import Variant

EXAMPLE = "mbsweep export --width 0.5 --resolution 160 -o net.onnx"


@takes_network()
def export(
    network: Network,
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=path, help="The file: .onnx, or .pte for ExecuTorch.")
    ],
    precision: Annotated[str, typer.Option(help="fp32 or int8.")] = "fp32",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="tensorboard: -o is a log directory for TensorBoard, and gets the network's graph.",
            show_default="by the file's ending",
        ),
    ] = None,
) -> None:
    """Write a network, with random weights, as a file for a device.

    Or, with --format tensorboard, its graph for TensorBoard.
    """
    if form is not None:
        say(export_graph(Variant(**network), form, precision, output))
        return
    from mbsweep.commands._exporting import export_network  # loads torch

    say(export_network(Variant(**network), precision, output))


def export_graph(variant: Variant, form: str, precision: str, folder: Path) -> str:
    """Write a network's graph into a log directory; return in a line what was written, and what opens it.

    Raises MbsweepError for another format, for a precision (a graph has no weights), and as `write_log`.
    """
    from mbsweep.formats.tensorboard import write_log

    if form != "tensorboard":
        raise MbsweepError(
            f"--format is {shown(form)}; expected tensorboard{did_you_mean(form, ['tensorboard'])}; "
            "for a file, its ending says it: -o net.onnx"
        )
    if precision != "fp32":
        raise MbsweepError("a graph for TensorBoard has no weights, and so no --precision; leave it out")
    if variant.is_code:
        raise without_layers("--format tensorboard", variant.family)
    net, counts = architecture(variant), count(variant)
    path = write_log(folder, variant.id, net)
    opens = shlex.join(["tensorboard", "--logdir", path_word(folder)])
    return (
        f"{path}: {len(net.layers)} layers of {variant.id}, {counts.params:,} parameters, "
        f"{counts.macs:,} mult-adds; open it with: {opens}"
    )
