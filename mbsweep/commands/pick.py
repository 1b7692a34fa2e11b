"""`mbsweep pick`: what fits a budget and why, and what just misses it."""

from __future__ import annotations

from typing import Annotated

import typer

from mbsweep.commands import exits
from mbsweep.commands.options import Config, RunFolder

EXAMPLE = "mbsweep pick runs/width_res --max-latency-ms 5 --max-params 3e6"
Limit = Annotated[float | None, typer.Option(help="The most that a variant may have, such as 2e6.")]


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
    """Say which variants fit a budget best, why, and which just miss.

    Exit code 1 if nothing fits.
    """
    from mbsweep.commands._picks import print_picks
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
        raise typer.Exit(exits.NOTHING_FITS)
