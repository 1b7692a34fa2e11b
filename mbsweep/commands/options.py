"""Arguments and options that several commands have, declared once; a network's fields among them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from mbsweep.base.files import expanded
from mbsweep.space.variant import Variant


def path(text: str) -> Path:
    """A path as the user means it. Shells leave the `~` in `--out=~/runs` alone."""
    return expanded(text)


SweepFile = Annotated[
    Path,
    typer.Argument(metavar="SWEEP", parser=path, help="A sweep file, such as sweeps/width_res.yaml."),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", parser=path, help="A run folder, such as runs/width_res.")
]
RunFolders = Annotated[
    list[Path], typer.Argument(metavar="RUN...", parser=path, help="Run folders, such as runs/width_res.")
]
Out = Annotated[
    Path | None, typer.Option(parser=path, help="The run's folder.", show_default="runs/NAME_OF_SWEEP")
]
NetworkFile = Annotated[
    Path, typer.Option("-o", "--output", parser=path, help="The network's file: .safetensors.")
]
Config = Annotated[
    str | None, typer.Option(help="One latency configuration.", show_default="every one of the run")
]
Backend = Annotated[str, typer.Option(help="Runtime, as in sweep files.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16 or int8, where the runtime has it.")]
DATASET_HELP = "digits, a folder of images, a sweep file that trains, or NAME:PATH such as cifar10:FILE."
OWN = "what the network was trained on"
TrainedOn = Annotated[str | None, typer.Option("--dataset", help=DATASET_HELP, show_default=OWN)]
Network = dict[str, Any]  # fields of Variant

# Field of Variant -> what the option says of it, and more that typer is told.
NETWORK: dict[str, tuple[str, dict[str, Any]]] = {
    "family": ("Family of networks.", {}),
    "width": ("Width multiplier.", {}),
    "resolution": ("Height and width of the image in pixels.", {}),
    "depth": ("How often the 14x14, 512-channel block is repeated.", {}),
    "block": ("separable or standard.", {}),
    "stage_channels": ("Channels of the five stages at width 1.", {"metavar": "A,B,C,D,E"}),
    "num_classes": ("Outputs of the classifier.", {}),
    "divisor": ("Channels are rounded to multiples of it; 1 is the paper's rounding.", {}),
    "stem_stride": ("Stride of the first layer; 1 for small images.", {}),
}


def takes_network(
    names: Collection[str] = tuple(NETWORK), otherwise: str = "", **defaults: object
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command an option for fields of Variant; its parameter `network` gets a dictionary of them.

    otherwise: fields that are not given are left out of it, and the help says so of their default, with {}
    for Variant's. defaults: those that differ from Variant's.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(**given: Any) -> None:
            network = {name: given.pop(name) for name in names}
            if network.get("stage_channels") is not None:
                network["stage_channels"] = _stages(network["stage_channels"])
            command(network={name: value for name, value in network.items() if value is not None}, **given)

        own = inspect.signature(command, eval_str=True)
        options = [_option(name, defaults.get(name, getattr(Variant(), name)), otherwise) for name in names]
        parameters = [
            given.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in own.parameters.items()
            for given in (options if name == "network" else [parameter])
        ]
        called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {given.name: given.annotation for given in parameters} | {"return": None}
        return called

    return decorate


def _option(name: str, default: Any, otherwise: str) -> inspect.Parameter:
    words, more = NETWORK[name]
    if name == "stage_channels":
        default = ",".join(map(str, default))
    kind: Any = type(default)
    if otherwise:
        kind, more, default = kind | None, {**more, "show_default": otherwise.format(default)}, None
    annotation: Any = Annotated[kind, typer.Option(help=words, **more)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _stages(text: str) -> tuple[Any, ...]:
    try:
        return tuple(int(channels) for channels in text.split(","))
    except ValueError:
        return (text,)  # refused by Variant, in its words
