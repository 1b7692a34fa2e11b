"""`mbsweep pick`: what fits a budget and why, and what just misses it."""

from __future__ import annotations

from typing import Annotated

import typer

from mbsweep.commands import exits
from mbsweep.commands.options import AsJson, Config, RunFolder

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
    maximize: Annotated[
        str | None, typer.Option(help="The best has most of: top1_pct (default), top5_pct.")
    ] = None,
    minimize: Annotated[
        str | None, typer.Option(help="Or least of: latency_ms, macs, params, weight_bytes ...")
    ] = None,
    count: Annotated[int, typer.Option(help="How many variants to name.")] = 3,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print the id of the best alone.")] = False,
) -> None:
    """Say which variants fit a budget best, why, and which just miss.

    Exit code 1 if nothing fits.
    """
    from mbsweep.base.errors import MbsweepError
    from mbsweep.base.rules import choice, integer
    from mbsweep.commands import _pick_tables, _picks
    from mbsweep.commands._reading import reading
    from mbsweep.table.decide import ACCURACIES, COSTS, TOP1, Budget, checked
    from mbsweep.table.results import open_run

    limits = {
        "latency_ms": max_latency_ms,
        "macs": max_macs,
        "params": max_params,
        "weight_bytes": max_weight_bytes,
        "peak_activation_bytes": max_peak_activation_bytes,
    }
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if maximize is not None and minimize is not None:
        raise MbsweepError("--maximize and --minimize are both given; say one of them, the other as a limit")
    if maximize is not None:
        checked("--maximize", maximize, choice(ACCURACIES))
    if minimize is not None:
        checked("--minimize", minimize, choice(COSTS))
    budget = Budget(given, min_top1, maximize or minimize or TOP1)
    checked("--count", count, integer(1, 1_000_000, 3))
    opened = open_run(run)
    with reading([opened], quiet) as progress:
        found = _picks.answers(opened, budget, config, progress)
    if as_json:
        print(_picks.as_json(found, budget, count))
    elif quiet:
        for words in _picks.ids(found):
            print(words)
    else:
        _pick_tables.print_picks(run, found, budget, count)
    if not any(answer.decision.fitting for answer in found):
        raise typer.Exit(exits.NOTHING_FITS)
