"""The default recipe on real images at 32 px against plain ones: test accuracy of three widths, two seeds.

`python -m benchmarks.real_images [FOLDER [SET ...]]`; the sets are written there where they are not yet, see
`benchmarks.image_sets`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.image_sets import SETS, write_sets
from mbsweep.accuracy.datasets import Dataset, open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training.loop import DivergedError, Job, finish, train, use_threads
from mbsweep.space.variant import Variant

EPOCHS, SEEDS, WIDTHS, RESOLUTION = 6, (0, 1), (0.25, 0.5, 1.0), 32
# As one writes them first: the cycle of torch.optim.lr_scheduler.OneCycleLR, He's beginning, nothing clipped.
PLAIN = Recipe(
    epochs=EPOCHS,
    batch=32,
    learning_rate=0.05,
    warmup_pct=30,
    label_smoothing=0,
    depthwise_init="he",
    pointwise_init="he",
    bn_shift=0,
    clip_pct=0,
)
RECIPES = {
    "default": Recipe(epochs=EPOCHS),
    "SGD 0.05": PLAIN,
    "AdamW 0.01": PLAIN.model_copy(update={"optimizer": "adamw", "learning_rate": 0.01}),
}


def main(folder: Path, sets: list[str]) -> None:
    """Print a line for each set and width."""
    use_threads(1)
    write_sets(folder)
    for name in sets or list(SETS):
        dataset = open_dataset(ImageFolder(name="imagefolder", path=str(folder / name)), [RESOLUTION])
        print(f"{name}: {dataset.sizes['train']:,} images, {len(dataset.classes)} classes", flush=True)
        for width in WIDTHS:
            variant = Variant(width=width, resolution=RESOLUTION, num_classes=len(dataset.classes))
            for words, recipe in RECIPES.items():
                job = [Job(variant, recipe.complete(dataset.sizes["train"]), seed) for seed in SEEDS]
                found = ", ".join(_top1(one, dataset) for one in job)
                print(f"{name}, {width}-{RESOLUTION}, {words}: {found} %", flush=True)


def _top1(job: Job, dataset: Dataset) -> str:
    """On the test part, in percent."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "net.checkpoint"
        try:
            list(train(job, dataset, checkpoint))
        except DivergedError:
            return "diverged"
        return f"{finish(checkpoint, Path(folder) / 'net.safetensors', dataset).top1_pct:.1f}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as own:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else own), sys.argv[2:])
