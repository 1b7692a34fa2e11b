"""`mbsweep front`: the Pareto front of any cost and value, and its hypervolume."""

from __future__ import annotations

from typing import Annotated

import typer

from mbsweep.commands.options import AsJson, Config, RunFolder

EXAMPLE = "mbsweep front runs/width_res --cost macs"


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
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print the networks of the fronts alone.")
    ] = False,
) -> None:
    """Print the Pareto front of a cost and a value; its hypervolume."""
    from mbsweep.commands import _fronts
    from mbsweep.commands._reading import reading
    from mbsweep.table.results import open_run

    point = None if reference is None else _fronts.parse_reference(reference)
    opened = open_run(run)
    with reading([opened], quiet) as progress:
        found = _fronts.fronts(opened, cost, value, config, point, progress)
    if as_json:
        print(_fronts.as_json(found))
    else:
        _fronts.print_fronts(found, is_brief=quiet)
