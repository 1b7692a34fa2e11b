"""`mbsweep extract`: one network of a supernet, as a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbsweep.base.printing import say
from mbsweep.commands.options import Network, NetworkFile, TrainedOn, path, takes_network
from mbsweep.space.fields import Field

EXAMPLE = "mbsweep extract supernet.safetensors -o net.safetensors"


def _is_shared(name: str, field: Field) -> str:
    return "" if field.elastic else "all networks of a supernet have the same"


@takes_network("the largest", refusal=_is_shared)
def extract(
    network: Network,
    supernet: Annotated[
        Path,
        typer.Argument(metavar="FILE", parser=path, help="A supernet's file, under weights/ of its run."),
    ],
    output: NetworkFile,
    dataset: TrainedOn = None,
) -> None:
    """Write one network of a supernet to a file of its own.

    It is an ordinary network then.
    """
    from mbsweep.commands._training import extract_network  # loads torch

    say(extract_network(supernet, network, dataset, output))
