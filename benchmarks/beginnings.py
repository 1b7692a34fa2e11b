"""What keeps networks on small images from starting, and what helps: accuracy of 0.25-32 on the digits, three
seeds; before that, how alike an image and the same with a little noise are to the network before its first
step, and how long the gradient of a layer's weights is beside them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  (as everyone calls it)

from mbsweep import load_sweep, run
from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training.batches import channel_moments, normalised
from mbsweep.accuracy.training.loop import Job, initialised
from mbsweep.base.cores import usable_cores
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import TrainingRow

BATCH = 64
# what is different from the default recipe -> keys of the recipe, and of the space
BEGINNINGS = {
    "the default": ("", ""),
    "pointwise kernels as He et al.": (", pointwise_init: he", ""),
    "depthwise kernels as He et al.": (", depthwise_init: he", ""),
    "batch normalisation begins at 0": (", bn_shift: 0", ""),
    "gradients are not clipped": (", clip_pct: 0", ""),
    "all of these": (", depthwise_init: he, pointwise_init: he, bn_shift: 0, clip_pct: 0", ""),
    "batches of 32, a rate of 0.4": (", batch: 32, learning_rate: 0.4", ""),
    "a rate of 0.2": (", learning_rate: 0.2", ""),
    "5 % warm-up": (", warmup_pct: 5", ""),
    "stem stride 1 (four times the mult-adds)": ("", ", stem_stride: 1"),
}
SWEEP = """\
space: {{width: 0.25, resolution: 32, num_classes: 10{space}}}
accuracy: {{source: trained, dataset: {{name: digits}}, recipe: {{epochs: 8{recipe}}}, seeds: [0, 1, 2]}}
"""


HE = Recipe(depthwise_init="he", pointwise_init="he", bn_shift=0)


def print_beginning(width: float, words: str, recipe: Recipe) -> None:
    """Print what a network is before its first step.

    The correlation of an image's features behind the last layer, less what is common to all images, with
    those of the image and noise of a tenth of a standard deviation; the norm of the gradient over that of the
    weights.
    """
    part = open_dataset(Digits(name="digits"), [32]).part("train", 32)
    net = initialised(Job(Variant(width=width, resolution=32, num_classes=10), recipe, seed=0)).train()
    images = normalised(torch.from_numpy(part.images[:BATCH].copy()), channel_moments(part))
    labels = torch.from_numpy(part.labels[:BATCH].copy())
    with torch.no_grad():
        noisy = images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
        features = torch.nn.Sequential(*list(net.children())[:-1])(torch.cat([images, noisy]))
        one, other = torch.split(F.normalize(features - features.mean(0)), BATCH)
        print(f"{width}-32, {words}: correlation {float((one * other).sum(1).mean()):.2f}", flush=True)
    F.cross_entropy(net(images), labels, label_smoothing=recipe.label_smoothing).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name in ("block13_pw", "block7_pw", "block1_pw", "stem"):
            weight = net.get_parameter(f"{name}.conv.weight")
            assert weight.grad is not None  # noqa: S101
            print(
                f"{width}-32, {words}, {name}: {100 * float(weight.grad.norm() / weight.norm()):.1f} %",
                flush=True,
            )


def main() -> None:
    """Print each seed's accuracy on the test part; what stalled and was begun anew is marked."""
    for width in (0.25, 1.0):
        print_beginning(width, "as He et al.", HE)
        print_beginning(width, "the default", Recipe())
    with tempfile.TemporaryDirectory() as folder:
        for place, (words, (recipe, space)) in enumerate(BEGINNINGS.items()):
            sweep = Path(folder) / f"beginning_{place}.yaml"
            sweep.write_text(SWEEP.format(recipe=recipe, space=space))
            done = run(load_sweep(sweep), Path(folder) / str(place), jobs=usable_cores())
            with Store.read(done.path) as store:
                used = store.last_sweep()
                assert used  # noqa: S101
                rows = store.trainings(used["accuracy_sources"][0])
            told = [_told(row) for row in rows]
            print(f"{words}: {', '.join(told)}", flush=True)


def _told(row: TrainingRow) -> str:
    if row.state != "done":
        return row.state
    return f"{100 * row.hits.mean():.1f} %" + (f" (attempt {row.attempt + 1})" if row.attempt else "")


if __name__ == "__main__":
    main()
