"""`mbsweep bench`: one network as training codes time it, mean and standard deviation over steps in a row."""

from __future__ import annotations

from typing import Annotated

import typer

from mbsweep.commands.options import Backend, Network, Precision, takes_network

EXAMPLE = "mbsweep bench --width 0.25 --resolution 128 --batch 16"


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
    """Time a network as training codes do, in seconds per batch.

    Mean and standard deviation over the steps.
    """
    from mbsweep.base.printing import say
    from mbsweep.commands._steps import time_steps
    from mbsweep.space.variant import Variant

    for line in time_steps(Variant(**network), backend, precision, batch, threads, steps, burn_in):
        say(line)
