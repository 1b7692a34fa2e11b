"""The supernet of sweeps/digits_supernet.yaml against all its 24 variants trained alone, mean of two seeds.

Takes about half an hour on two cores, most of it for the trainings to compare with.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from mbsweep import Run, load_sweep, run
from mbsweep.progress import RichProgress
from mbsweep.space.accuracy import SupernetAccuracy
from mbsweep.space.counting import count_space
from mbsweep.supernets import trust

SWEEP = Path(__file__).parents[1] / "sweeps/digits_supernet.yaml"
ALONE = """\
space: {width: [0.5, 0.35, 0.25], resolution: [64, 48, 40, 32], depth: [5, 1], num_classes: 10}
accuracy: {source: trained, dataset: {name: digits}, recipe: {epochs: 9}, seeds: [0, 1]}
"""


def main() -> None:
    """Train both, and print how they agree and what the supernet cost."""
    with tempfile.TemporaryDirectory() as folder, RichProgress() as progress:
        alone = Path(folder) / "alone.yaml"
        alone.write_text(ALONE)
        compare(
            run(load_sweep(SWEEP), Path(folder) / "supernet", progress=progress),
            run(load_sweep(alone), Path(folder) / "alone", progress=progress),
        )


def compare(supernet: Run, alone: Run) -> None:
    """Print how the accuracies of two runs agree."""
    sweep = load_sweep(SWEEP)
    config = sweep.accuracy
    assert isinstance(config, SupernetAccuracy)  # noqa: S101
    macs = count_space(sweep).macs
    step = macs.max() + macs.min() + config.middle * macs.mean()
    cost = config.recipe.epochs * step / (config.alone.recipe.epochs * macs.max())
    shared, single = _top1_pct(supernet), _top1_pct(alone)
    for variant in single:
        print(f"{variant}: supernet {shared[variant]:.1f} %, alone {single[variant]:.1f} %")
    print(f"cost {cost:.1f} times that of the largest variant (at most 5), in mult-adds")
    print(trust(shared, single, config.min_tau)["summary"])


def _top1_pct(of: Run) -> dict[str, float]:
    table = of.table().drop_duplicates("variant")
    return dict(zip(table["variant"], table["top1_pct"], strict=True))


if __name__ == "__main__":
    main()
