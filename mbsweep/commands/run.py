"""`mbsweep run`: measure a sweep and train its networks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mbsweep.base.errors import MbsweepError
from mbsweep.base.suggest import command
from mbsweep.commands import exits
from mbsweep.commands.options import AllowCode, Jobs, Out, Quiet, Ray, SweepFile
from mbsweep.storage.marks import Failure, FailureKind

if TYPE_CHECKING:
    from mbsweep.sweep.sweep import Sweep

EXAMPLE = "mbsweep run sweeps/width_res.yaml"
FAILURES_TOLD = 20


def run(
    sweep: SweepFile,
    out: Out = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    jobs: Jobs = None,
    ray: Ray = None,
    again: Annotated[
        str | None,
        typer.Option(
            metavar="CONFIG|noisy", help="Measure again a latency configuration, or all that is noisy."
        ),
    ] = None,
    allow_code: AllowCode = False,
    quiet: Quiet = False,
) -> None:
    """Measure a sweep and train its networks; go on where it stopped.

    Ends with the best networks that it found, how sure that is, and what to call next.
    """
    from mbsweep.sweep.sweep import load_sweep

    words = [*(("--out", out) if out else ()), *(("--ray", ray) if ray else ())]
    words += ["--allow-code"] if allow_code else []
    run_to_its_end(
        load_sweep(sweep),
        ["run", sweep, *words, "--retry"],
        quiet,
        out=out,
        retry=retry,
        jobs=jobs,
        ray=ray,
        again=again,
        allow_code=allow_code,
    )


def run_to_its_end(sweep: Sweep, retried_by: Sequence[Any], quiet: bool, **asked: Any) -> None:
    """Run a sweep, tell how it goes and what it found, and exit with another code where something failed.

    retried_by: the words of the command that tries that again. asked: of `pipeline.run`.
    """
    from mbsweep import pipeline
    from mbsweep.base.printing import say
    from mbsweep.base.progress import Silent
    from mbsweep.base.progress_bar import RichProgress
    from mbsweep.commands._ending import print_ending

    before = _amounts(sweep, asked["out"])
    with nullcontext(Silent()) if quiet else RichProgress() as progress:
        done = pipeline.run(sweep, progress=progress, **asked)
    folder, failures = done.path, done.failures()
    is_same = before == done.amounts() and not failures
    say(f"{folder}: {done.size()}{'; nothing was left to measure or train' if is_same else ''}")
    if not quiet:
        print_ending(done)
    if failures:
        _tell_failures(failures, command(*retried_by), folder)
        raise typer.Exit(exits.FAILURES)


def _amounts(sweep: Sweep, out: Path | None) -> tuple[int, ...] | None:
    """How much the run holds before; None where there is none, or none that can be read."""
    from mbsweep.pipeline import default_out
    from mbsweep.table.results import Run

    try:
        return Run(out or default_out(sweep)).amounts()
    except MbsweepError:  # which is told where the run begins
        return None


def _tell_failures(failures: dict[tuple[str, str], Failure], again: str, folder: Path) -> None:
    """Say on stderr what failed, why, and where trying again can help."""
    passing, lasting = (
        {key: failure for key, failure in failures.items() if failure.kind is kind}
        for kind in (FailureKind.PASSING, FailureKind.LASTING)
    )
    told = 0
    for found, what in ((passing, f"`{again}` tries them again"), (lasting, "they would fail again")):
        if found:
            print(f"{len(found)} failed; {what}:", file=sys.stderr)
        for (variant, config), failure in list(found.items())[: FAILURES_TOLD - told]:
            where = f" in {config}" if config else ""
            print(f"  {variant or 'every variant'}{where}: {failure.reason}", file=sys.stderr)
            told += 1
    if (more := len(failures) - told) > 0:
        print(f"  and {more} more: see the column `error` of `{command('table', folder)}`", file=sys.stderr)
