"""The commands, wired: each is loaded when it is called, so that `--help` starts at once."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from mbsweep.base.cores import forget_settings
from mbsweep.base.errors import MbsweepError, printable
from mbsweep.base.rules import number_of
from mbsweep.commands import exits

# By what one wants to do: command -> the first line of the function of that name, in the module of that name;
# EXAMPLE ends its help.
EXPLORE = {
    "new": "Write a sweep file to begin with, from three questions.",
    "plan": "Say what a run would build and measure, how long, what is done.",
    "show": "Print a network's layers and what each kind of them costs.",
    "reproduce": "Print published tables beside exact counts; mark what differs.",
}
MEASURE = {
    "run": "Measure a sweep and train its networks; go on where it stopped.",
    "search": "Go on with the search of a run, for more evaluations.",
    "bench": "Time a network as training codes do, in seconds per batch.",
}
DECIDE = {
    "pick": "Say which variants fit a budget best, why, and which just miss.",
    "front": "Print the Pareto front of a cost and a value; its hypervolume.",
    "compare": "Say which latencies of two runs differ beyond their intervals.",
    "table": "Print runs: one row per variant and latency configuration.",
    "report": "Write a page for each run, or one for those that are named.",
    "open": "Write a run's page and open it in the browser.",
}
TRAIN = {
    "train": "Train one network, and save it with all that its use needs.",
    "extract": "Write one network of a supernet to a file of its own.",
    "evaluate": "Say how accurate the network of a file is, class by class.",
}
SHIP = {
    "export": "Write a network as a file for a device: trained, or random.",
    "classify": "Print the three likeliest classes of pictures.",
}
GROUPS = {"Explore": EXPLORE, "Measure": MEASURE, "Decide": DECIDE, "Train": TRAIN, "Ship": SHIP}
COMMANDS = {name: words for group in GROUPS.values() for name, words in group.items()}
# What of a command that is interrupted is not lost.
KEPT = {
    "run": "; what was measured and trained is kept: run the same command again to go on",
    "search": "; what was evaluated is kept: run its sweep again to go on",
    "train": "; the epochs that were finished are kept: run the same command again to go on",
}


class _Commands(TyperGroup):
    """Loads commands by name, and turns what the user can put right into one message and an exit code."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.commands.update({name: TyperCommand(name, help=words) for name, words in COMMANDS.items()})
        self._lists = False  # whether commands are only named
        self._called = ""  # the command that is loaded, or runs

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command, loaded where it is to be called; None where there is none of this name."""
        if cmd_name not in COMMANDS or self._lists:
            return super().get_command(ctx, cmd_name)
        self._called = cmd_name
        return loaded(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands in the help, by what one wants to do."""
        longest = max(map(len, COMMANDS))
        for group, commands in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(f"{name:<{longest}}", words) for name, words in commands.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What a word may be: names of commands, and options."""
        self._lists = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._lists = False

    def main(self, *args: Any, **named: Any) -> Any:
        """Run the program, with standard streams that take any text, or refuse at once."""
        try:
            with _streams():
                return super().main(*args, **named)
        except OSError as error:  # of stdout: whatever else reads or writes says so in an MbsweepError
            if error.filename is not None:
                raise
            with contextlib.suppress(OSError, ValueError):  # what is left must not fail again at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):  # `mbsweep table RUN | head`
                sys.exit(exits.FAILURES)
            print(f"error: stdout: cannot be written: {error.strerror or error}", file=sys.stderr)
            sys.exit(exits.BAD_INPUT)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        forget_settings()
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except MbsweepError as error:
            print(f"error: {printable(error)}", file=sys.stderr)
            raise typer.Exit(exits.BAD_INPUT) from None
        except KeyboardInterrupt:
            print(f"\nstopped{KEPT.get(self._called, '')}", file=sys.stderr)
            raise typer.Exit(exits.INTERRUPTED) from None
        return result


def loaded(name: str) -> Any:
    """A command by its name, from its module."""
    module = importlib.import_module(f"mbsweep.commands.{name}")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    alone.command(name, epilog=f"Example: {module.EXAMPLE}")(getattr(module, name))
    command: Any = get_command(alone)
    annotations = inspect.signature(getattr(module, name), eval_str=True).parameters
    for parameter in command.params:
        if _is_number(annotations[parameter.name].annotation):
            parameter.process_value = _as_written(parameter)
    return command


_NO_NUMBERS = ("nan", "inf", "-inf")  # an option refuses them in its own words


def _is_number(annotation: Any) -> bool:
    """Whether a parameter is an int or a float, or may be None instead."""
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return bool({int, float} & {kind, *get_args(kind)})


def _as_written(parameter: Any) -> Any:
    """How a parameter's value is read, but a number as it is written in a sweep file: `1_0` is none."""
    read = parameter.process_value

    def process(context: Any, value: Any) -> Any:
        if isinstance(value, str) and value not in _NO_NUMBERS:
            try:
                number_of(value)
            except ValueError as error:
                raise typer.BadParameter(str(error), context, parameter) from None
        return read(context, value)

    return process


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Letters that a terminal or a file cannot hold are spelt out; a stream that is closed is opened again.

    What is opened next would get its number, and what is meant for the user would be written into a run.
    """
    closed = []
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this
            closed.append(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (as long as the process)
    if sys.stdout is None or 1 in closed:
        print("error: stdout is closed; direct it to /dev/null where nobody is to read it", file=sys.stderr)
        sys.exit(exits.BAD_INPUT)
    errors = getattr(sys.stdout, "errors", None)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors=errors)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # rich would double the time of --help
    pretty_exceptions_enable=False,
    help="Design-space exploration of MobileNet networks: generate, count, measure, compare.",
)


def _version(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from mbsweep import __version__

        print(f"mbsweep {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Design-space exploration of MobileNet networks: generate, count, measure, compare."""
