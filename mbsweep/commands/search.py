"""`mbsweep search`: go on with the search of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from mbsweep.base.errors import MbsweepError
from mbsweep.commands.options import Jobs, Quiet, Ray, RunFolder

EXAMPLE = "mbsweep search runs/search_published --more 3"


def search(
    run: RunFolder,
    more: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Evaluations beyond those that were asked for.")
    ],
    jobs: Jobs = None,
    ray: Ray = None,
    quiet: Quiet = False,
) -> None:
    """Go on with the search of a run, for more evaluations.

    What is chosen follows from all that was evaluated before. With --more 0 one that was stopped is finished.
    """
    from mbsweep.commands.run import run_to_its_end
    from mbsweep.sweep.sweep import kept_sweep

    sweep = kept_sweep(run)
    if sweep.search is None:
        raise MbsweepError(
            f"{run} is the run of a sweep that searches nothing: add `search:` to it, and run it"
        )
    retried_by = [
        "run",
        sweep.path or f"{sweep.name}.yaml",
        "--out",
        run,
        *(("--ray", ray) if ray else ()),
        "--retry",
    ]
    run_to_its_end(sweep, retried_by, quiet, out=run, jobs=jobs, more=more, ray=ray)
