"""The supernet of sweeps/digits_supernet.yaml against all its 24 variants trained alone, mean of two seeds.

Also how alike the two seeds rank them: no supernet can be expected to agree with a ranking better than that
agrees with itself. Takes an hour on two cores. `python -m benchmarks.supernet FOLDER` keeps both runs there,
and goes on with them when it is started again.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from mbsweep import Run, load_sweep, run
from mbsweep.accuracy.supernet import SupernetSource
from mbsweep.accuracy.training.trusting import trust
from mbsweep.base.cores import usable_cores
from mbsweep.base.progress_bar import RichProgress
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep

SWEEP = Path(__file__).parents[1] / "sweeps/digits_supernet.yaml"
ALONE_EPOCHS = 16
ALONE = f"""\
space: {{width: [0.5, 0.35, 0.25], resolution: [64, 48, 40, 32], depth: [5, 1], num_classes: 10}}
accuracy: {{source: trained, dataset: {{name: digits}}, recipe: {{epochs: {ALONE_EPOCHS}}}, seeds: [0, 1]}}
"""


def main() -> None:
    """Train both, and print how they agree and what the supernet cost."""
    with tempfile.TemporaryDirectory() as temporary, RichProgress() as progress:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        begun = time.monotonic()
        supernet = run(load_sweep(SWEEP), folder / "supernet", progress=progress, jobs=usable_cores())
        done = time.monotonic()
        alone = run(
            parse_sweep(ALONE, "alone.yaml"), folder / "alone", progress=progress, jobs=usable_cores()
        )
        print(f"{SWEEP.name} took {done - begun:.0f} s, all alone {time.monotonic() - done:.0f} s")
        compare(supernet, alone)


def compare(supernet: Run, alone: Run) -> None:
    """Print how the accuracies of two runs agree."""
    sweep = load_sweep(SWEEP)
    config = sweep.accuracy
    assert isinstance(config, SupernetSource)  # noqa: S101
    space = count_space(sweep)
    step = config.step_cost(space.macs / space.macs.max(), space.column("resolution"))
    cost = config.recipe.epochs * step  # in epochs of the largest
    shared, single = _top1_pct(supernet), _top1_pct(alone)
    for variant in single:
        print(f"{variant}: supernet {shared[variant]:.1f} %, alone {single[variant]:.1f} %")
    print(f"cost {cost / ALONE_EPOCHS:.1f} times that of {ALONE_EPOCHS} epochs of the largest (at most 5)")
    of = _of_seeds(alone)
    print(trust(shared, of, config.min_tau)["summary"])
    for seed in (0, 1):
        one = {variant: {seed: pct[seed]} for variant, pct in of.items()}
        print(f"seed {seed} alone {trust(shared, one, config.min_tau)['summary']}")


def _top1_pct(of: Run) -> dict[str, float]:
    table = of.table().drop_duplicates("variant")
    return dict(zip(table["variant"], table["top1_pct"], strict=True))


def _of_seeds(of: Run) -> dict[str, dict[int, float]]:
    """Variant -> seed -> top-1 in percent."""
    with Store.read(of.path) as store:
        sweep = store.last_sweep()
        assert sweep  # noqa: S101
        rows = store.trainings(sweep["accuracy_sources"][0])
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        found.setdefault(row.variant, {})[row.seed] = 100 * float(row.hits.mean())
    return found


if __name__ == "__main__":
    main()
