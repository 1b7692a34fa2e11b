"""`mbsweep plan`: what a run would do, before it is started."""

from __future__ import annotations

from mbsweep.commands.options import AllowCode, AsJson, Out, Ray, SweepFile

EXAMPLE = "mbsweep plan sweeps/width_res.yaml"


def plan(
    sweep: SweepFile,
    out: Out = None,
    ray: Ray = None,
    allow_code: AllowCode = False,
    as_json: AsJson = False,
) -> None:
    """Say what a run would build and measure, how long, what is done.

    Nothing is started: what no machine could do is refused, what this one lacks is told.
    """
    from mbsweep.base.progress_bar import RichProgress
    from mbsweep.commands import _planning
    from mbsweep.plan import plan as make_plan
    from mbsweep.sweep.sweep import load_sweep

    loaded = load_sweep(sweep)
    with RichProgress() as progress:
        made = make_plan(loaded, out, allow_code, progress, ray)
    if as_json:
        print(_planning.as_json(made))
    else:
        _planning.print_plan(made)
