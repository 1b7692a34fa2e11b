"""`mbsweep train`: one network, trained and saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mbsweep.base.printing import say
from mbsweep.commands.options import DATASET_HELP, OWN, Network, NetworkFile, path, takes_network
from mbsweep.space.fields import Field

EXAMPLE = "mbsweep train --width 0.25 --epochs 1 -o net.safetensors"


def _is_told_by_images(name: str, field: Field) -> str:
    return "the data set says how many classes there are" if name == "num_classes" else ""


@takes_network("that of --start, else {}", refusal=_is_told_by_images, resolution=64)
def train(
    network: Network,
    output: NetworkFile,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help=DATASET_HELP, show_default=f"digits; with --start, {OWN}"),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Epochs.")] = 12,
    batch: Annotated[int | None, typer.Option(help="Images per step; default 64, of few images 32.")] = None,
    optimizer: Annotated[str, typer.Option(help="sgd or adamw.")] = "sgd",
    learning_rate: Annotated[
        float | None, typer.Option(help="The highest of the schedule; default: follows batch and optimizer.")
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror half of the images.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 0,
    start: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            help="Fine-tune: weights to begin with (.safetensors, or a folder with them, of mbsweep, Hugging "
            "Face or timm), or a supernet that has the network.",
        ),
    ] = None,
    freeze_epochs: Annotated[
        int, typer.Option(help="With --start: epochs in which the classifier alone learns.")
    ] = 0,
    body_rate: Annotated[
        float, typer.Option(help="With --start: learning rate of the rest, as a share of the classifier's.")
    ] = 1.0,
) -> None:
    """Train one network, and save it with all that its use needs."""
    from mbsweep.commands._training import train_network  # loads torch

    settings: dict[str, Any] = {"epochs": epochs, "optimizer": optimizer, "flip": flip}
    settings |= {"freeze_epochs": freeze_epochs, "body_rate": body_rate}
    open_ = {"batch": batch, "learning_rate": learning_rate}
    settings |= {name: value for name, value in open_.items() if value is not None}
    for line in train_network(network, dataset, settings, seed, start, output):
        say(line)
