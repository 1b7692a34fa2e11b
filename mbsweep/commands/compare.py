"""`mbsweep compare`: two runs, latency by latency."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbsweep.commands.options import AsJson, path

EXAMPLE = "mbsweep compare runs/width_res runs/backends"


def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", parser=path, help="A run folder.")],
    run_b: Annotated[
        Path | None,
        typer.Argument(metavar="RUN_B", parser=path, help="Another; without it A's own configurations."),
    ] = None,
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print the ratios alone, not how alike devices rank.")
    ] = False,
) -> None:
    """Say which latencies of two runs differ beyond their intervals.

    And how alike the two devices rank the variants. Of one run: each further configuration against its first.
    """
    import pandas as pd

    from mbsweep.accuracy.published import latency_rows
    from mbsweep.commands import _comparing
    from mbsweep.commands._reading import reading
    from mbsweep.table.compare import pairs, pairs_within
    from mbsweep.table.names import Names
    from mbsweep.table.published import published_latencies
    from mbsweep.table.results import combine, open_run

    runs = [open_run(folder) for folder in (run_a, run_b) if folder is not None]
    with reading(runs, quiet) as progress:
        table, remarks = combine(runs, progress), [run.remarks() for run in runs]
    if len(runs) == 1:
        found = pairs_within(table, remarks[0])
    else:
        first, second = (table[table["run"] == run] for run in dict.fromkeys(table["run"]))
        found = pairs(first, second, (remarks[0], remarks[1]))
    every = pd.concat([table, published_latencies(table, latency_rows)], ignore_index=True)
    names = Names(table)
    if as_json:
        print(_comparing.as_json(found, every, names))
    else:
        _comparing.print_comparison(found, every, names, is_brief=quiet)
