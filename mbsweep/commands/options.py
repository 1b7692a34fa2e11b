"""The options that name a network, declared once: every command that takes a network has them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Annotated, Any

import typer

from mbsweep.space.variant import Variant

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
