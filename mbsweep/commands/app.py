"""The commands. Each imports what it needs when it is called, so that `--help` starts at once."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mbsweep.base.cores import forget_settings
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded
from mbsweep.base.suggest import command
from mbsweep.commands.options import NETWORK, takes_network

EXIT_FAILURES = 1  # the run went to its end, but some variants failed; or all runs but some were reported
EXIT_NOTHING_FITS = 1  # as of grep
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
FAILURES_TOLD = 20


# What of a command that is interrupted is not lost.
KEPT = {
    "run": "; what was measured and trained is kept: run the same command again to go on",
    "train": "; the epochs that were finished are kept: run the same command again to go on",
}


class _Commands(TyperGroup):
    """Turns what the user can put right into one message and an exit code."""

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
                sys.exit(EXIT_FAILURES)
            print(f"error: stdout: cannot be written: {error.strerror or error}", file=sys.stderr)
            sys.exit(EXIT_BAD_INPUT)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        forget_settings()
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except MbsweepError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(EXIT_BAD_INPUT) from None
        except KeyboardInterrupt:
            print(f"\nstopped{KEPT.get(ctx.invoked_subcommand, '')}", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        return result


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
        sys.exit(EXIT_BAD_INPUT)
    errors = getattr(sys.stdout, "errors", None)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors=errors)


def path(text: str) -> Path:
    """A path as the user means it. Shells leave the `~` in `--out=~/runs` alone."""
    return expanded(text)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich would double the time of --help
    pretty_exceptions_enable=False,
    help="Design-space exploration of MobileNet networks: generate, count, measure, compare.",
)

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


def _version(wanted: bool) -> None:
    if wanted:
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


@app.command()
def plan(sweep: SweepFile, out: Out = None) -> None:
    """Say what a sweep would build and measure, how long it takes, and what is already done."""
    from mbsweep.base.printing import say
    from mbsweep.plan import plan as make_plan
    from mbsweep.sweep.sweep import load_sweep

    say(make_plan(load_sweep(sweep), out))


Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Networks trained at once.", show_default="one per GPU, else one per core"),
]


@app.command()
def run(
    sweep: SweepFile,
    out: Out = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    jobs: Jobs = None,
    again: Annotated[
        str | None,
        typer.Option(
            metavar="CONFIG|noisy", help="Measure again a latency configuration, or all that is noisy."
        ),
    ] = None,
) -> None:
    """Measure a sweep and train its networks; go on where an earlier run of it stopped."""
    from mbsweep import pipeline
    from mbsweep.base.progress_bar import RichProgress
    from mbsweep.sweep.sweep import load_sweep

    loaded = load_sweep(sweep)
    with RichProgress() as progress:
        done = pipeline.run(loaded, out, retry, progress, jobs, again)
    folder, counts, failures = done.path, done.size(), done.failures()
    print(f"{folder}: {counts}")
    print(f"next: {command('table', folder)}   or   {command('report', folder, '--html', 'reports/')}")
    if failures:
        again = command("run", sweep, *(("--out", out) if out else ()), "--retry")
        _tell_failures(failures, again, folder)
        raise typer.Exit(EXIT_FAILURES)


def _tell_failures(failures: dict[tuple[str, str], str], again: str, folder: Path) -> None:
    """Say on stderr what failed, why, and where trying again can help."""
    from mbsweep.storage.store import fails_again

    lasting = {key: reason for key, reason in failures.items() if fails_again(reason)}
    passing = {key: reason for key, reason in failures.items() if key not in lasting}
    told = 0
    for found, what in ((passing, f"`{again}` tries them again"), (lasting, "they would fail again")):
        if found:
            print(f"{len(found)} failed; {what}:", file=sys.stderr)
        for (variant, config), reason in list(found.items())[: FAILURES_TOLD - told]:
            print(f"  {variant or 'every variant'} in {config}: {reason}", file=sys.stderr)
            told += 1
    if (more := len(failures) - told) > 0:
        print(f"  and {more} more: see the column `error` of `{command('table', folder)}`", file=sys.stderr)


class Format(StrEnum):
    """File formats of a table."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


@app.command()
def table(
    runs: RunFolders,
    format: Annotated[
        Format | None, typer.Option(help="File format.", show_default="by the ending of -o, else csv")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", parser=path, help="Write to a file, not to stdout.")
    ] = None,
) -> None:
    """Print a run, or several below one another: one row per variant and latency configuration."""
    from mbsweep.commands.table import write_table
    from mbsweep.table.results import combine, open_run

    suffix = output.suffix[1:] if output else ""
    if not format and suffix and suffix not in Format.__members__:
        allowed = ", ".join(Format.__members__)
        raise MbsweepError(f"{output}: the ending {suffix!r} is none of {allowed}; say which with --format")
    chosen = format or (Format(suffix) if suffix else Format.csv)
    opened = [open_run(run) for run in runs]
    if output and any(run.is_in(output) for run in opened):
        raise MbsweepError(f"{output} is the run that is read; name another file with -o")
    write_table(combine(opened), chosen.value, output)


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", parser=path, help="A run folder.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", parser=path, help="Another.")],
) -> None:
    """Say which latencies differ beyond their intervals, and how alike two devices rank the variants."""
    from mbsweep.accuracy.published import latency_rows
    from mbsweep.table.compare import print_comparison
    from mbsweep.table.results import combine, open_run, published_latencies

    runs = open_run(run_a), open_run(run_b)
    both = combine(runs)
    first, second = (both[both["run"] == run] for run in dict.fromkeys(both["run"]))
    remarks = runs[0].remarks(), runs[1].remarks()
    print_comparison(first, second, published_latencies(both, latency_rows), remarks)


Config = Annotated[
    str | None, typer.Option(help="One latency configuration.", show_default="every one of the run")
]
Limit = Annotated[float | None, typer.Option(help="The most that a variant may have, such as 2e6.")]


@app.command()
def pick(
    run: RunFolder,
    config: Config = None,
    max_latency_ms: Limit = None,
    max_macs: Limit = None,
    max_params: Limit = None,
    max_weight_bytes: Limit = None,
    max_peak_activation_bytes: Limit = None,
    min_top1: Annotated[float | None, typer.Option(help="The least top-1 accuracy in percent.")] = None,
    maximize: Annotated[str, typer.Option(help="An accuracy; or macs or params.")] = "top1_pct",
    count: Annotated[int, typer.Option(help="How many variants to name.")] = 3,
) -> None:
    """Say which variants fit a budget best, why, and which just miss it. Exit code 1 if nothing fits."""
    from mbsweep.commands.pick import print_picks
    from mbsweep.table.decide import Budget
    from mbsweep.table.results import open_run

    limits = {
        "latency_ms": max_latency_ms,
        "macs": max_macs,
        "params": max_params,
        "weight_bytes": max_weight_bytes,
        "peak_activation_bytes": max_peak_activation_bytes,
    }
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not print_picks(open_run(run), Budget(given, min_top1, maximize), config, count):
        raise typer.Exit(EXIT_NOTHING_FITS)


@app.command()
def front(
    run: RunFolder,
    cost: Annotated[str, typer.Option(help="A column of which less is better.")] = "latency_ms",
    value: Annotated[str, typer.Option(help="A column of which more is better.")] = "top1_pct",
    config: Config = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="COST,VALUE",
            help="Where the hypervolume ends.",
            show_default="the largest cost and the smallest value",
        ),
    ] = None,
) -> None:
    """Print the Pareto front of a cost and a value, and its hypervolume."""
    from mbsweep.commands.front import parse_reference, print_fronts
    from mbsweep.table.results import open_run

    point = None if reference is None else parse_reference(reference)
    print_fronts(open_run(run), cost, value, config, point)


Network = dict[str, Any]  # fields of Variant
Backend = Annotated[str, typer.Option(help="Runtime, as in sweep files.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16 or int8, where the runtime has it.")]
Threads = Annotated[int, typer.Option(help="Threads of one call.")]


@app.command()
@takes_network()
def show(
    network: Network,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure each layer: time, GMAC/s, share of the peak.")
    ] = False,
    backend: Backend = "onnxruntime",
    precision: Precision = "fp32",
    threads: Threads = 1,
) -> None:
    """Print a network's layers as in the paper's Table 1, and its resources per layer type as in Table 2."""
    from mbsweep.commands.show import print_network
    from mbsweep.space.variant import Variant

    variant = Variant(**network)
    if latency:
        from mbsweep.commands.show_latency import print_layer_times
        from mbsweep.profiler.backends import asked

        print_layer_times(variant, asked(backend=backend, precision=precision, threads=threads))
    else:
        print_network(variant)


@app.command()
@takes_network()
def export(
    network: Network,
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=path, help="The file: .onnx, or .pte for ExecuTorch.")
    ],
    precision: Annotated[str, typer.Option(help="fp32 or int8.")] = "fp32",
) -> None:
    """Write one network, with random weights, as a file to be measured on another device."""
    from mbsweep.base.printing import say
    from mbsweep.commands.export import export_network
    from mbsweep.space.variant import Variant

    say(export_network(Variant(**network), precision, output))


@app.command()
@takes_network()
def bench(
    network: Network,
    batch: Annotated[int, typer.Option(help="Images per step.")] = 16,
    backend: Backend = "torch",
    precision: Precision = "fp32",
    threads: Annotated[
        int | None, typer.Option(help="Threads of one call.", show_default="all cores")
    ] = None,
    steps: Annotated[int, typer.Option(help="Timed steps.")] = 100,
    burn_in: Annotated[int, typer.Option(help="Untimed steps before them.")] = 10,
) -> None:
    """Time one network as training codes do: mean and standard deviation over the steps, in sec/batch."""
    from mbsweep.base.printing import say
    from mbsweep.commands.bench import time_steps
    from mbsweep.space.variant import Variant

    for line in time_steps(Variant(**network), backend, precision, batch, threads, steps, burn_in):
        say(line)


DATASET_HELP = "digits, a folder of images, a sweep file that trains, or NAME:PATH such as cifar10:FILE."
OWN = "what the network was trained on"
TrainedOn = Annotated[str | None, typer.Option("--dataset", help=DATASET_HELP, show_default=OWN)]


@app.command()
@takes_network([name for name in NETWORK if name != "num_classes"], "that of --start, else {}", resolution=64)
def train(
    network: Network,
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=path, help="The network's file: .safetensors.")
    ],
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
        typer.Option(parser=path, help="Fine-tune: the file of this network, or of a supernet that has it."),
    ] = None,
) -> None:
    """Train one network and save it with all that one needs to use it."""
    from mbsweep.base.printing import say
    from mbsweep.commands.train import train_network

    settings: dict[str, Any] = {"epochs": epochs, "optimizer": optimizer, "flip": flip}
    open_ = {"batch": batch, "learning_rate": learning_rate}
    settings |= {name: value for name, value in open_.items() if value is not None}
    for line in train_network(network, dataset, settings, seed, start, output):
        say(line)


@app.command()
@takes_network(["width", "resolution", "depth"], "the largest")
def extract(
    network: Network,
    supernet: Annotated[
        Path,
        typer.Argument(metavar="FILE", parser=path, help="A supernet's file, under weights/ of its run."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=path, help="The network's file: .safetensors.")
    ],
    dataset: TrainedOn = None,
) -> None:
    """Write one network of a supernet to a file of its own, as an ordinary network."""
    from mbsweep.base.printing import say
    from mbsweep.commands.train import extract_network

    say(extract_network(supernet, network, dataset, output))


class PartName(StrEnum):
    """Parts of a data set."""

    train = "train"
    validation = "validation"
    test = "test"


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", parser=path, help="A saved network.")],
    dataset: TrainedOn = None,
    part: Annotated[PartName, typer.Option(help="Part of the data set.")] = PartName.test,
) -> None:
    """Say how accurate a saved network is on a data set."""
    from mbsweep.base.printing import say
    from mbsweep.commands.train import evaluate_network

    say(evaluate_network(checkpoint, dataset, part.value))


@app.command()
def reproduce() -> None:
    """Print the paper's Tables 4 to 7 and the model zoo's beside exact counts; mark what does not follow."""
    from mbsweep.commands.reproduce import print_tables

    print_tables()


@app.command()
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", parser=path, help="Run folders; default every run under runs/."),
    ] = None,
    html: Annotated[Path, typer.Option(parser=path, help="Folder for the pages.")] = Path("reports"),
    png: Annotated[
        bool, typer.Option("--png", help="Draw each figure as a picture beside its page, too.")
    ] = False,
) -> None:
    """Write one page for the runs that are named, side by side; or for each run, and an index."""
    from functools import partial

    from mbsweep.accuracy.published import latency_rows
    from mbsweep.commands.reproduce import printed_sizes
    from mbsweep.reporter.page import write_report
    from mbsweep.reporter.pictures import canvas, draw_pictures
    from mbsweep.table.results import find_runs, open_run

    opened, empty, faults = ([open_run(path) for path in runs], [], []) if runs else find_runs(Path("runs"))
    for folder in empty:
        print(f"{folder} was stopped before it began and is left out", file=sys.stderr)
    pages = [opened] if runs else [[run] for run in opened]
    with canvas() if png else contextlib.nullcontext() as tab:  # before any page: there may be no browser
        draw = partial(draw_pictures, tab, published=latency_rows) if tab else None
        written = write_report(pages, html, latency_rows, printed_sizes, draw, faults.append)
    for path in written:
        print(path)
    if faults:
        for fault in faults:
            print(f"left out: {fault}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILURES)
