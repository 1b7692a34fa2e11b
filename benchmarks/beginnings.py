"""What helps a narrow network on small images to start: accuracy of 0.25-32 on the digits, three seeds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mbsweep import load_sweep, run
from mbsweep.profiler.device import usable_cores
from mbsweep.store import Store
from mbsweep.training_tables import TrainingRow

# what is different from the default recipe -> keys of the recipe, and of the space
BEGINNINGS = {
    "the default": ("", ""),
    "depthwise kernels as He et al.": (", depthwise_init: he", ""),
    "batch normalisation begins at 0": (", bn_shift: 0", ""),
    "gradients are not clipped": (", clip_pct: 0", ""),
    "all of these": (", depthwise_init: he, bn_shift: 0, clip_pct: 0", ""),
    "batches of 32, a rate of 0.4": (", batch: 32, learning_rate: 0.4", ""),
    "a rate of 0.2": (", learning_rate: 0.2", ""),
    "5 % warm-up": (", warmup_pct: 5", ""),
    "stem stride 1 (four times the mult-adds)": ("", ", stem_stride: 1"),
}
SWEEP = """\
space: {{width: 0.25, resolution: 32, num_classes: 10{space}}}
accuracy: {{source: trained, dataset: {{name: digits}}, recipe: {{epochs: 8{recipe}}}, seeds: [0, 1, 2]}}
"""


def main() -> None:
    """Print each seed's accuracy on the test part; what stalled and was begun anew is marked."""
    with tempfile.TemporaryDirectory() as folder:
        for place, (words, (recipe, space)) in enumerate(BEGINNINGS.items()):
            sweep = Path(folder) / f"beginning_{place}.yaml"
            sweep.write_text(SWEEP.format(recipe=recipe, space=space))
            done = run(load_sweep(sweep), Path(folder) / str(place), jobs=usable_cores())
            with Store.read(done.path) as store:
                rows = store.trainings((store.last_sweep() or {})["accuracy_source"])
            told = [_told(row) for row in rows]
            print(f"{words}: {', '.join(told)}", flush=True)


def _told(row: TrainingRow) -> str:
    if row.state != "done":
        return row.state
    return f"{100 * row.hits.mean():.1f} %" + (f" (attempt {row.attempt + 1})" if row.attempt else "")


if __name__ == "__main__":
    main()
