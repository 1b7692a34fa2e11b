"""`mbsweep compare`: two runs, latency by latency."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbsweep.commands.options import path

EXAMPLE = "mbsweep compare runs/width_res runs/backends"


def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", parser=path, help="A run folder.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", parser=path, help="Another.")],
) -> None:
    """Say which latencies of two runs differ beyond their intervals.

    And how alike the two devices rank the variants.
    """
    from mbsweep.accuracy.published import latency_rows
    from mbsweep.table.compare import print_comparison
    from mbsweep.table.results import combine, open_run, published_latencies

    runs = open_run(run_a), open_run(run_b)
    both = combine(runs)
    first, second = (both[both["run"] == run] for run in dict.fromkeys(both["run"]))
    remarks = runs[0].remarks(), runs[1].remarks()
    print_comparison(first, second, published_latencies(both, latency_rows), remarks)
