"""Arguments and options that several commands have, declared once; a network's fields among them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded
from mbsweep.base.rules import did_you_mean, number_of, shown
from mbsweep.space.families import FAMILIES, family_of
from mbsweep.space.families.factory import code_allowed
from mbsweep.space.fields import Field
from mbsweep.space.variant import USUAL
from mbsweep.storage.folder import holds_run


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
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Networks trained at once.", show_default="one per GPU, else one per core"),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="local|auto|HOST:PORT",
        help="Train on a Ray cluster: one for this run on this machine, the one that runs here, or another.",
        show_default="processes of this machine",
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Tell no progress, and no more than counts.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs; what is unknown is null.")]
Backend = Annotated[str, typer.Option(help="Runtime, as in sweep files.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16 or int8, where the runtime has it.")]
DATASET_HELP = "digits, a folder of images, a sweep file that trains, or NAME:PATH such as cifar10:FILE."
OWN = "what the network was trained on"
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code", help="Import and run the Python code of networks such as python:my.module:factory."
    ),
]
TrainedOn = Annotated[str | None, typer.Option("--dataset", help=DATASET_HELP, show_default=OWN)]
Network = dict[str, Any]  # "family", and fields of it
Refusal = Callable[[str, Field], str]

NETWORK_ARGUMENT = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NETWORK",
        help="A family, then FIELD=VALUE: `mobilenet_v1 width=0.5`; or by the options below.",
        show_default=False,
    ),
]

NETWORK_OR_RUN = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN VARIANT | NETWORK",
        help="A run and one of its networks, as trained; or a family, then FIELD=VALUE, with random weights.",
        show_default=False,
    ),
]


def is_run(words: list[str]) -> bool:
    """Whether words mean a run, and no network: the first is a folder, or can be nothing else.

    MbsweepError where it is a family and a run's folder as well.
    """
    if not words:
        return False
    first, place = words[0], path(words[0])
    is_family = first in FAMILIES or first.startswith("python:")
    if holds_run(place):
        if is_family:
            raise MbsweepError(
                f"{shown(first)} is a family, and here a run's folder, too; say ./{first} for the run, or "
                f"--family {first} for the family"
            )
        return True
    if is_family or "=" in first:
        return False
    return place.exists() or "/" in first or (len(words) > 1 and "=" not in words[1])


def takes_network(
    otherwise: str = "",
    refusal: Refusal = lambda name, field: "",
    or_run: bool = False,
    **defaults: object,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the ways to say a network; its parameter `network` gets a dictionary of what was said.

    They are words (the family, and FIELD=VALUE for any field of it), and an option for each field of
    MobileNet v1.
    otherwise: what the help says of a field's default, with {} for that of the family. refusal: why a field
    cannot be said, of whatever family; empty where it can. or_run: the words may be a run's folder and what
    is meant of it; then `network` gets nothing, and the parameter `run` these words. defaults: those that
    differ from the family's.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        options = FAMILIES[USUAL].keys

        @wraps(command)
        def called(**given: Any) -> None:
            context: typer.Context = given.pop("context")
            said = {name: given.pop(name) for name in ("family", *options)}
            by_hand = {
                name: value
                for name, value in said.items()
                if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
            }
            words = given.pop("words") or []
            if or_run:
                given["run"] = words if is_run(words) else []
                if given["run"]:
                    if by_hand:
                        option = f"--{next(iter(by_hand)).replace('_', '-')}"
                        raise MbsweepError(
                            f"{shown(words[0])} is a run, whose networks are what they are; leave {option} "
                            "out"
                        )
                    words = []
            network = _said(words, by_hand)
            fields = family_of(network.get("family", USUAL)).keys
            for name in (name for name in network if name != "family"):
                if why := refusal(name, fields[name]):
                    raise MbsweepError(f"{name} cannot be said here: {why}; leave it out")
            network = network if otherwise else {**defaults, **network}
            with code_allowed(given.pop("allow_code")):
                command(network=network, **given)

        own = inspect.signature(command, eval_str=True)
        words = inspect.Parameter(
            "words",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=NETWORK_OR_RUN if or_run else NETWORK_ARGUMENT,
        )
        allow = inspect.Parameter(
            "allow_code", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AllowCode
        )
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        added = [
            _option("family", "Family of networks.", USUAL, otherwise, {}),
            *(
                _of_field(
                    name, field, defaults.get(name, field.default), otherwise, bool(refusal(name, field))
                )
                for name, field in options.items()
            ),
        ]
        parameters = [
            given.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in own.parameters.items()
            if not (or_run and name == "run")
            for given in (added if name == "network" else [parameter])
        ] + [words, allow, context]
        called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {given.name: given.annotation for given in parameters} | {"return": None}
        return called

    return decorate


def _of_field(name: str, field: Field, default: Any, otherwise: str, is_refused: bool) -> inspect.Parameter:
    metavar = {"metavar": ",".join("ABCDEFGH"[: field.stages])} if field.stages else {}
    return _option(name, field.words, default, otherwise, metavar | {"hidden": is_refused})


def _option(name: str, words: str, default: Any, otherwise: str, more: dict[str, Any]) -> inspect.Parameter:
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    kind: Any = type(default)
    if otherwise:
        kind, more, default = kind | None, {**more, "show_default": otherwise.format(default)}, None
    annotation: Any = Annotated[kind, typer.Option(help=words, **more)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _said(words: list[str], options: dict[str, Any]) -> dict[str, Any]:
    """What was said of a network: in words, and by options. MbsweepError where that is no network."""
    said = dict(options)
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not equals or not name:
            if place or "family" in options or not name:
                raise MbsweepError(f"{shown(word)}: expected FIELD=VALUE, such as width=0.5")
            name, value = "family", word
        if name in said and name in options:
            raise MbsweepError(f"{name} is said twice: by {word} and by --{name.replace('_', '-')}")
        if name in said:
            raise MbsweepError(f"{name} is said twice")
        said[name] = value
    family = said.get("family", USUAL)
    try:
        fields = family_of(family).keys
    except ValueError as error:
        raise MbsweepError(f"family is {shown(family)}; {error}") from None
    found = {"family": family} if "family" in said else {}
    for name, value in said.items():
        if name == "family":
            continue
        if name not in fields:
            hint = did_you_mean(name, fields)
            raise MbsweepError(f"{name} is no field of {family}, which has {', '.join(fields)}{hint}")
        found[name] = _value(fields[name], value) if isinstance(value, str) else value
    return found


def _value(field: Field, text: str) -> Any:
    """The value that a text means, if it means any: else it is refused by the network, in its words."""
    if field.stages:
        inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        return tuple(_number(one.strip()) for one in inner.split(","))
    if field.default is None:  # an argument of code of the user's own
        return _argument(text)
    if isinstance(field.default, bool):
        return {"true": True, "false": False}.get(text, text)
    return text if isinstance(field.default, str) else _number(text)


def _argument(text: str) -> Any:
    """As in a sweep: a number, true, false, `[1, 2]`; else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(text: str) -> Any:
    """The number; what is none as a sweep writes it stays a text, which the field refuses."""
    try:
        return number_of(text)
    except ValueError:
        return text
