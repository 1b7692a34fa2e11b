"""`mbsweep run`: measure a sweep and train its networks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mbsweep.base.suggest import command
from mbsweep.commands import exits
from mbsweep.commands.options import AllowCode, Out, SweepFile
from mbsweep.storage.marks import Failure, FailureKind

EXAMPLE = "mbsweep run sweeps/width_res.yaml"
FAILURES_TOLD = 20


def run(
    sweep: SweepFile,
    out: Out = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Networks trained at once.", show_default="one per GPU, else one per core"),
    ] = None,
    again: Annotated[
        str | None,
        typer.Option(
            metavar="CONFIG|noisy", help="Measure again a latency configuration, or all that is noisy."
        ),
    ] = None,
    allow_code: AllowCode = False,
) -> None:
    """Measure a sweep and train its networks; go on where it stopped."""
    from mbsweep import pipeline
    from mbsweep.base.progress_bar import RichProgress
    from mbsweep.sweep.sweep import load_sweep

    loaded = load_sweep(sweep)
    with RichProgress() as progress:
        done = pipeline.run(loaded, out, retry, progress, jobs, again, allow_code)
    folder, counts, failures = done.path, done.size(), done.failures()
    print(f"{folder}: {counts}")
    print(f"next: {command('table', folder)}   or   {command('report', folder, '--html', 'reports/')}")
    if failures:
        words = [*(("--out", out) if out else ()), *(["--allow-code"] if allow_code else []), "--retry"]
        again = command("run", sweep, *words)
        _tell_failures(failures, again, folder)
        raise typer.Exit(exits.FAILURES)


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
