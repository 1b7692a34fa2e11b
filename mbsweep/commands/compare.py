"""`mbsweep compare`: two runs, latency by latency."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbsweep.commands.options import AsJson, path

EXAMPLE = "mbsweep compare runs/width_res runs/backends"


def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", parser=path, help="A run folder.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", parser=path, help="Another.")],
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print the ratios alone, not how alike devices rank.")
    ] = False,
) -> None:
    """Say which latencies of two runs differ beyond their intervals.

    And how alike the two devices rank the variants.
    """
    import pandas as pd

    from mbsweep.accuracy.published import latency_rows
    from mbsweep.commands import _comparing
    from mbsweep.table.compare import pairs
    from mbsweep.table.names import Names
    from mbsweep.table.results import combine, open_run, published_latencies

    runs = open_run(run_a), open_run(run_b)
    both = combine(runs)
    first, second = (both[both["run"] == run] for run in dict.fromkeys(both["run"]))
    remarks = runs[0].remarks(), runs[1].remarks()
    found, names = pairs(first, second, remarks), Names(both)
    every = pd.concat([first, second, published_latencies(both, latency_rows)], ignore_index=True)
    if as_json:
        print(_comparing.as_json(found, every, names))
    else:
        _comparing.print_comparison(found, every, names, is_brief=quiet)
