"""A search of 20 evaluations against the truth: 96 variants on digits, all of them measured and tested once.

Every latency is measured in ONNX Runtime, every accuracy is tested from one supernet. Then each method may
evaluate 20; told is which share of the true hypervolume it finds, over 20 seeds, and what of that is sure:
the true front and the one that was found are both drawn a thousand times with the latencies' intervals and
with the images that happen to be in the test part. Half an hour on two cores;
`python -m benchmarks.search_truth FOLDER` keeps the run there, and goes on with it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mbsweep import Run, count_space, run
from mbsweep.base.progress_bar import RichProgress
from mbsweep.search.methods import METHODS
from mbsweep.search.problem import Evaluation, Problem
from mbsweep.statistics.pareto import front, hypervolume
from mbsweep.storage.store import Store
from mbsweep.sweep.sweep import Sweep, parse_sweep

SWEEP = """\
space:
  width: [0.75, 0.5, 0.35, 0.25]
  resolution: [64, 48, 40, 32]
  depth: [5, 4, 3, 2, 1, 0]
  num_classes: 10
latency: [{backend: onnxruntime, threads: 1}]
accuracy: {source: supernet, dataset: {name: digits}, recipe: {epochs: 8}, alone: {count: 0}}
"""
EVALUATIONS, SEEDS, DRAWS, IMAGES = 20, 20, 1000, 4000
BEYOND = 1.1  # the reference point, where the ideal is 0 and the nadir of the true front 1


def main() -> None:
    """Print a line for each method."""
    with tempfile.TemporaryDirectory() as temporary, RichProgress() as progress:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        sweep = parse_sweep(SWEEP, "truth.yaml")
        truth = run(sweep, folder / "truth", progress=progress)
        table = truth.table()
        print(f"{len(table)} variants; {int(table['on_front'].sum())} on the true front")
        draws = _draws(table)
        for name in METHODS:
            found = [
                _search(sweep, truth, table, name, seed)
                for seed in range(SEEDS if name != "exhaustive" else 1)
            ]
            _tell(name, table, draws, found)


def _search(sweep: Sweep, truth: Run, table: pd.DataFrame, name: str, seed: int) -> list[int]:
    """The places that a method evaluates, which sees the validation part."""
    seen = _seen(truth, table)
    space = count_space(sweep)
    costs = table["latency_ms"].to_numpy(float)[:, None]
    problem = Problem(space, costs, ("latency_ms",), np.ones(len(space), dtype=bool))
    method = METHODS[name](problem, seed, 8)
    history: list[Evaluation] = []
    while len(history) < EVALUATIONS and (choices := method.next(history, 1)):
        history += [Evaluation(len(history), choice.place, float(seen[choice.place])) for choice in choices]
    return [one.place for one in history]


def _seen(truth: Run, table: pd.DataFrame) -> Any:
    with Store.read(truth.path) as store:
        sweep = store.last_sweep()
        assert sweep  # noqa: S101
        known = {
            variant: pct for (variant, _), pct in store.validations(sweep["accuracy_sources"][0]).items()
        }
    return table["variant"].map(known).to_numpy(float)


def _draws(table: pd.DataFrame) -> list[tuple[Any, Any]]:
    """Latencies and accuracies of all, as found, then as they might have been."""
    chance = np.random.default_rng(0)
    ms, top1 = table["latency_ms"].to_numpy(float), table["top1_pct"].to_numpy(float)
    ends = table["latency_low_ms"].to_numpy(float), table["latency_high_ms"].to_numpy(float)
    sd = np.log(ends[1] / ends[0]) / (2 * 1.96)
    found = [(ms, top1)]
    for _ in range(DRAWS):
        hits = chance.binomial(IMAGES, top1 / 100)
        found.append((ms * np.exp(sd * chance.standard_normal(len(ms))), 100 * hits / IMAGES))
    return found


def _shares(draws: Sequence[tuple[Any, Any]], places: list[int]) -> Any:
    """Of the true hypervolume of each draw, the share that some places have."""
    shares = []
    for ms, top1 in draws:
        best = front(ms, top1)
        low, high, worst = ms[best].min(), ms[best].max(), top1[best].min()
        reference = low + BEYOND * (high - low), top1.max() - BEYOND * (top1.max() - worst)
        whole = hypervolume(ms, top1, reference)
        shares.append(hypervolume(ms[places], top1[places], reference) / whole)
    return np.array(shares)


def _tell(name: str, table: pd.DataFrame, draws: list[tuple[Any, Any]], found: list[list[int]]) -> None:
    shares = np.array([_shares(draws[:1], places)[0] for places in found])
    middle = found[int(np.argsort(shares)[len(shares) // 2])]
    low, high = np.percentile(_shares(draws[1:], middle), [2.5, 97.5])
    on_front = set(np.flatnonzero(table["on_front"]).tolist())
    hits = np.mean([len(on_front & set(places)) for places in found])
    print(
        f"{name}: {100 * np.median(shares):.2f} % of the true hypervolume in the median of {len(found)} "
        f"seeds ({100 * shares.min():.2f} to {100 * shares.max():.2f}); measuring leaves {100 * low:.2f} to "
        f"{100 * high:.2f} of the median one; {hits:.1f} of the {len(on_front)} on the true front found"
    )


if __name__ == "__main__":
    main()
