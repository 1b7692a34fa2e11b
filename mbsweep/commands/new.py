"""`mbsweep new`: a sweep file to begin with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import say_command
from mbsweep.base.suggest import command
from mbsweep.commands.options import path

EXAMPLE = "mbsweep new -o my.yaml"
_UNSAID = "asked on a terminal"


def new(
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=path, help="The sweep file, which must not be there yet.")
    ],
    family: Annotated[str | None, typer.Option(help="Family of networks.", show_default=_UNSAID)] = None,
    backend: Annotated[
        str | None, typer.Option(help="Runtimes, separated by commas.", show_default=_UNSAID)
    ] = None,
    accuracy: Annotated[
        str | None,
        typer.Option(help="published, digits, none, or a folder of images.", show_default=_UNSAID),
    ] = None,
) -> None:
    """Write a sweep file to begin with, from three questions.

    Each line that can be changed says how. What options say is not asked.
    """
    from mbsweep.commands import _new_sweep

    if os.path.lexists(output):
        raise MbsweepError(f"{output} is there already, and is not written over; choose another -o")
    questions = {  # what is not said: the question, its usual answer, and what checks it
        "family": (family, "Which family of networks?", "mobilenet_v1", _new_sweep.check_family),
        "backend": (backend, "Which runtimes, with commas?", "onnxruntime", _new_sweep.check_backends),
        "accuracy": (
            accuracy,
            "Accuracy: published, digits (trained), none, or a folder of your images?",
            "published",
            _new_sweep.check_accuracy,
        ),
    }
    missing = [f"--{name}" for name, (said, *_) in questions.items() if said is None]
    if missing and not can_ask():
        raise MbsweepError(f"no terminal to ask on; give {', '.join(missing)}, too: see `mbsweep new --help`")
    answers = {
        name: _asked(question, usual, check) if said is None else _checked(name, said, check)
        for name, (said, question, usual, check) in questions.items()
    }
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(_new_sweep.text(output, **answers))
    except OSError as error:
        raise MbsweepError(f"{output}: cannot be written: {error.strerror}; choose another -o") from None
    print(f"{output} is written; read it, change it, then:")
    say_command(command("plan", output))


def can_ask() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()


def _checked(name: str, said: str, check: Callable[[str], None]) -> str:
    try:
        check(said)
    except ValueError as error:
        raise MbsweepError(f"--{name} is {said!r}; {error}") from None
    return said


def _asked(question: str, usual: str, check: Callable[[str], None]) -> str:
    """The answer, asked for until it is one."""

    def answer(said: str) -> str:
        try:
            check(said)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        return said

    try:
        return str(typer.prompt(question, default=usual, value_proc=answer, err=True))
    except typer.Abort:  # Ctrl-C, or Ctrl-D
        raise KeyboardInterrupt from None
