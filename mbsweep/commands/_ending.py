"""What `mbsweep run` ends with: the fronts in short, how sure they are, and what to call next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mbsweep.base.printing import say, say_command
from mbsweep.base.suggest import command
from mbsweep.commands._fronts import Front, Panel, front_table, fronts_of
from mbsweep.commands._search import print_search
from mbsweep.table.decide import LATENCY, TOP1
from mbsweep.table.kinds import kinds_words
from mbsweep.table.names import Names
from mbsweep.table.panels import print_cautions
from mbsweep.table.results import Run

MOST_SHOWN, MOST_IN_ALL = 10, 24  # rows of one front, and of all
MOST_OPEN = 5  # networks that are named whose place is not settled
MORE = 20  # evaluations to go on with a search
SETTLED_PCT = (5, 95)  # with less, or more, a place on the front or off it is


def print_ending(run: Run) -> None:
    """Print the best of a run, in few lines: nothing else need be called to see what it found."""
    pick: list[str] = []  # behind the run, in a `pick` to try
    search = None
    if not run.is_large:
        table = run.table()
        search = run.search(table)
        cost = LATENCY if table[LATENCY].notna().any() else "macs"
        panels = [panel for panel in fronts_of(table, run.remarks(), cost, TOP1) if panel.fronts]
        if panels:
            panels = _best_first(panels) if cost == LATENCY else panels
            if search is not None:  # the others have but what was confirmed
                panels.sort(key=lambda panel: panel.facts.get("config") != search.config)
            pick = _pick(panels, cost)
        if search is not None:
            print_search(search)
        elif panels:
            _print_panels(run, panels, cost, Names(table))
        elif cost == LATENCY:
            is_known = table[TOP1].notna().any()
            what = "latency and top-1 accuracy are both" if is_known else "top-1 accuracy is"
            say(f"no front: {what} known of no variant")
            pick = ["--minimize", LATENCY]
    if words := kinds_words(run.trained_on()):
        say(f"\n{words}")
    say("\nnext:")
    more = [["table", "--compressed"]] if run.is_compressed else []
    if search is not None:
        more.append(["table", "--search", *(["--front"] if len(search.front) else [])])
        if search.is_open or search.left:
            more.append(["search", "--more", f"{0 if search.is_open else min(MORE, search.left)}"])
    for line in (["open"], ["pick", *pick], ["table"], *more):
        if line != ["pick"]:
            say_command(command(line[0], run.path, *line[1:]))


def _print_panels(run: Run, panels: Sequence[Panel], cost: str, names: Names) -> None:
    shown = 0
    for number, panel in enumerate(panels):
        rows = min(len(_front(panel).best), MOST_SHOWN)
        if number and shown + rows > MOST_IN_ALL:
            say(f"\nfronts of {', '.join(str(panel.facts['config']) for panel in panels[number:])}:")
            say_command(command("front", run.path))
            return
        _print_panel(panel, cost, names)
        shown += rows


def _front(panel: Panel) -> Front:
    """That of the source which has most on it."""
    return max(panel.fronts, key=lambda front: len(front.best))


def _print_panel(panel: Panel, cost: str, names: Names) -> None:
    """A front, and how sure its places are."""
    front = _front(panel)
    where = panel.facts.get("config") or panel.words
    say(f"\n{where}; top-1 accuracy: {front.kind}, {front.source}", "bold")
    print_cautions(panel.cautions)
    places = np.unique(np.linspace(0, len(front.best) - 1, MOST_SHOWN).round().astype(int))
    best = front.best.iloc[places]
    front_table(best, cost, TOP1, names).print()
    if more := len(front.best) - len(best):
        say(f"  and {more} more between these")
    if others := [other.source for other in panel.fronts if other is not front]:
        say(f"  not joined with it, and not shown: accuracies of {', '.join(others)}")
    if cost == LATENCY:
        say(f"  {_how_sure(front.best, names)}")


def _how_sure(best: pd.DataFrame, names: Names) -> str:
    """How wide the intervals of a front's latencies are, and which places on it are not settled."""
    widths_pct = 100 * (best["latency_high_ms"] - best["latency_low_ms"]) / best[LATENCY]
    if widths_pct.isna().all():
        return "how sure is unknown: too few visits for an interval"
    said = f"95 % intervals {widths_pct.median():.1f} % wide in the median, at most {widths_pct.max():.1f} %"
    if best["front_pct"].isna().any():
        return f"{said}; how sure the places on the front are is unknown"
    low, high = SETTLED_PCT
    rows = best[best["front_pct"].between(low, high)]
    if rows.empty:
        return f"{said}; every place on the front is settled"
    named = [f"{names.of(row)} ({row['front_pct']:.0f} %)" for _, row in rows.head(MOST_OPEN).iterrows()]
    more = f" and {len(rows) - MOST_OPEN} more" if len(rows) > MOST_OPEN else ""
    return f"{said}; on the front or not is open of {', '.join(named)}{more}"


def _best_first(panels: Sequence[Panel]) -> list[Panel]:
    """By the time that an image takes, over the networks that all of them have: the fastest first."""
    times = [
        (panel.rows[LATENCY] / panel.rows["batch"]).set_axis(panel.rows["variant"]).groupby(level=0).first()
        for panel in panels
    ]
    both = pd.concat(times, axis=1, join="inner")
    if both.empty:
        return list(panels)
    mean = np.log(both.to_numpy(float)).mean(axis=0)
    return [panels[place] for place in np.argsort(mean, kind="stable")]


def _budget(costs: Sequence[float]) -> str:
    """A number in the middle of a front's costs, as round as can be where something is to fit."""
    least, middle = min(costs), math.sqrt(min(costs) * max(costs))
    rounded = (f"{middle:.{digits}g}" for digits in range(1, 17))
    return next((f"{float(found):.15g}" for found in rounded if float(found) >= least), repr(max(costs)))


def _pick(panels: Sequence[Panel], cost: str) -> list[str]:
    """The words of a `pick` that finds something in the best of some panels."""
    config = ["--config", str(panels[0].facts["config"])] if len(panels) > 1 and cost == LATENCY else []
    budget = _budget(_front(panels[0]).best[cost].tolist())
    return [*config, f"--max-{cost.replace('_', '-')}", budget]
