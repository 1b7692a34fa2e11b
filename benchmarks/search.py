"""How many evaluations each search method takes, on a space of a million whose true front is known.

`python -m benchmarks.search` runs all methods, most with 20 seeds, which takes hours, and prints the table.
`python -m benchmarks.search FOLDER` keeps each search there, goes on after an end, and prints what there is.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.frozen import LARGEST_BYTES, LATEST_MS, Frozen, Places, Truth, frozen
from mbsweep.base.files import write_file
from mbsweep.search.exact_costs import ExactCosts
from mbsweep.search.method import Method
from mbsweep.search.problem import Evaluation, Problem
from mbsweep.search.samplers import Gp, Nsga2, Tpe
from mbsweep.search.simple import Random

COSTS = ("latency_ms", "params")
START = 8
SHARES = (0.9, 0.95, 0.99)
LIMITS_MS = (5, 10, 20)
REGRET_AT = 50


class Unhelped(Nsga2):
    """NSGA-II as one runs it without mbsweep: that a variant is beyond a budget costs an evaluation."""

    def is_allowed(self, place: int) -> bool:
        """Whatever it is."""
        return True


class Row(NamedTuple):
    """A line of the table. at_once: evaluations of a batch. most: after so many it ends."""

    name: str
    method: type[Method]
    at_once: int
    most: int
    seeds: int


ROWS = (
    Row("exact_costs", ExactCosts, 1, 250, 20),
    Row("random", Random, 100, 20_000, 20),
    Row("nsga2", Nsga2, 1, 1500, 20),
    Row("nsga2, budgets unknown", Unhelped, 1, 1500, 20),
    Row("tpe", Tpe, 1, 150, 20),
    Row("gp", Gp, 1, 80, 5),
    Row("exact_costs, batches of 4", ExactCosts, 4, 252, 5),
)


def main() -> None:
    """Run what is missing, and print the table."""
    known = frozen()
    print(known.about, flush=True)
    feasible = known.feasible
    print(
        f"budgets: {LATEST_MS:g} ms and {LARGEST_BYTES / 1e6:g} MB of weights, which {feasible.sum():,} keep",
        flush=True,
    )
    if len(sys.argv) > 1:
        _print(known, Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        _print(known, Path(folder))


def _print(known: Frozen, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for count in (1, 2):
        costs = np.stack([known.latency_ms, known.space.params.astype(float)], axis=1)[:, :count]
        problem = Problem(known.space, costs, COSTS[:count], known.feasible)
        truth = Truth.of(costs, known.top1_pct, known.feasible)
        print(f"\ntop1_pct, {', '.join(COSTS[:count])}: {len(truth.front)} on the true front\n")
        print(f"| method | {' | '.join(_HEADS)} |\n|--|{'--|' * len(_HEADS)}", flush=True)
        for row in ROWS:
            searches = list(_searches(row, problem, truth, known.top1_pct, folder))
            print(f"| {row.name} | {' | '.join(_cells(row, searches, truth, known))} |", flush=True)


class Search(NamedTuple):
    """One that was run: the places in the order of their evaluation, and the seconds of choosing them."""

    places: list[int]
    choosing_s: float


def _searches(
    row: Row, problem: Problem, truth: Truth, top1_pct: np.ndarray, folder: Path
) -> Iterator[Search]:
    for seed in range(row.seeds):
        path = folder / f"{row.name.replace(' ', '_')}-{len(problem.names)}-{seed}.json"
        if not path.exists():
            search = _run(row, seed, problem, truth, top1_pct)
            write_file(path, json.dumps(search._asdict()).encode())
        yield Search(**json.loads(path.read_text(encoding="utf-8")))


def _run(row: Row, seed: int, problem: Problem, truth: Truth, top1_pct: np.ndarray) -> Search:
    """Until 99 % are reached, and the regret can be told."""
    method = row.method(problem, seed, START)
    history: list[Evaluation] = []
    choosing_s, batch = 0.0, 0
    while len(history) < row.most:
        start = time.process_time()
        chosen = method.next(history, min(row.at_once, row.most - len(history)))
        choosing_s += time.process_time() - start
        history += [Evaluation(batch, one.place, float(top1_pct[one.place])) for one in chosen]
        batch += 1
        places = [one.place for one in history]
        if not chosen or (len(history) >= REGRET_AT and _share(truth, problem, places) >= SHARES[-1]):
            break
    return Search([one.place for one in history], choosing_s)


def _share(truth: Truth, problem: Problem, places: list[int]) -> float:
    at = np.array(places, np.int64)
    return truth.share(at[problem.feasible[at]])


_HEADS = (
    *(f"N{100 * share:.0f}" for share in SHARES),
    "seeds at 99 %",
    *(f"regret {limit} ms" for limit in LIMITS_MS),
    "infeasible",
    "choosing",
)


def _cells(row: Row, searches: list[Search], truth: Truth, known: Frozen) -> Iterator[str]:
    """Of each head its cell: evaluations are the median of the seeds and the most."""
    feasible = known.feasible
    reached: dict[float, list[float]] = {share: [] for share in SHARES}
    for search in searches:
        at = np.array(search.places)
        for share in SHARES:

            def is_reached(count: int, share: float = share, at: Places = at) -> bool:
                return truth.share(at[:count][feasible[at[:count]]]) >= share

            count = bisect_left(range(len(at) + 1), True, key=is_reached)
            reached[share].append(count if count <= len(at) else np.inf)
    for counts in reached.values():
        yield " to ".join(
            f"{count:.0f}" if np.isfinite(count) else f">{row.most}"
            for count in (np.median(counts), max(counts))
        )
    yield f"{np.isfinite(reached[SHARES[-1]]).sum()} of {len(searches)}"
    for limit in LIMITS_MS:
        fits = feasible & (known.latency_ms <= limit)
        best = known.top1_pct[fits].max()
        firsts = [np.array(search.places[:REGRET_AT]) for search in searches]
        regrets = [best - known.top1_pct[first[fits[first]]].max(initial=0) for first in firsts]
        yield f"{np.mean(regrets):.2f}"
    yield f"{np.mean([(~feasible[search.places]).sum() for search in searches]):.1f}"
    yield f"{np.mean([search.choosing_s / len(search.places) for search in searches]):.2f} s"


if __name__ == "__main__":
    main()
