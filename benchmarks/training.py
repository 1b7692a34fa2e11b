"""Training: images per second against a plain PyTorch loop, and whether the networks are as good.

The plain loop is what one writes first: contiguous tensors, an optimizer that is not fused, images that are
resized in every batch, one process with all threads. Same images, batch size, epochs, schedule and seeds.
"""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  (as everyone calls it)

from mbsweep import load_sweep, open_run, run
from mbsweep.accuracy.datasets import Dataset, open_dataset
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training.loop import Job, initialised
from mbsweep.accuracy.training.optimizer import clip_gradients
from mbsweep.base.cores import usable_cores
from mbsweep.space.variant import Variant

CANVAS = 64
RECIPE = Recipe(epochs=8).complete(Digits(name="digits").train)
SEEDS = (0, 1)
WANTED = {(0.5, 64): 1.8, (0.25, 32): 2.5}  # width, resolution -> times the plain loop's images/s

SWEEP = """\
space: {{width: {width}, resolution: {resolution}, num_classes: 10}}
accuracy:
  source: trained
  dataset: {{name: digits}}
  recipe: {{epochs: {epochs}}}
  seeds: [0, 1]
"""


def main() -> None:
    """Print the ratio for both networks, and their accuracies."""
    dataset = open_dataset(Digits(name="digits"), [CANVAS, 32])
    for (width, resolution), wanted in WANTED.items():
        variant = Variant(width=width, resolution=resolution, num_classes=10)
        ours_s, ours = _ours(variant)
        start = time.monotonic()
        plain = [_plain(variant, dataset, seed) for seed in SEEDS]
        plain_s = time.monotonic() - start
        images = len(SEEDS) * RECIPE.epochs * dataset.sizes["train"]
        inside = ours[1] <= sum(plain) / len(plain) <= ours[2]
        print(
            f"{width}-{resolution}: {images / ours_s:,.0f} images/s, plain loop {images / plain_s:,.0f}: "
            f"{plain_s / ours_s:.2f} times (wanted {wanted}); test top-1 {ours[0]:.1f} % ({ours[1]:.1f} to "
            f"{ours[2]:.1f}), plain loop {' and '.join(f'{value:.1f}' for value in plain)} %, mean "
            f"{'within' if inside else 'OUTSIDE'} the interval",
            flush=True,
        )


def _ours(variant: Variant) -> tuple[float, tuple[float, float, float]]:
    """Seconds of both trainings, processes and their start included; accuracy and its interval."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / "speed.yaml"
        sweep.write_text(
            SWEEP.format(width=variant.width, resolution=variant.resolution, epochs=RECIPE.epochs)
        )
        loaded = load_sweep(sweep)
        start = time.monotonic()
        run(loaded, Path(folder) / "run", jobs=usable_cores())
        seconds = time.monotonic() - start
        row = open_run(Path(folder) / "run").table().iloc[0]
    return seconds, (row["top1_pct"], row["top1_low_pct"], row["top1_high_pct"])


def _plain(variant: Variant, dataset: Dataset, seed: int) -> float:
    """Test accuracy in percent of a network trained by a plain loop."""
    torch.set_num_threads(usable_cores())
    # The same beginning: without it, depthwise networks may not start at all.
    net = initialised(Job(variant, RECIPE, seed))
    optimizer = torch.optim.SGD(
        net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4, foreach=False
    )
    parts = {name: _loaded(dataset, name) for name in ("train", "validation", "test")}
    images, labels = parts["train"]
    steps = len(labels) // RECIPE.batch
    for epoch in range(RECIPE.epochs):
        net.train()
        order = torch.randperm(len(labels))
        for step in range(steps):
            places = order[step * RECIPE.batch : (step + 1) * RECIPE.batch]
            progress = (epoch * steps + step) / (RECIPE.epochs * steps)
            for group in optimizer.param_groups:
                group["lr"] = RECIPE.learning_rate * _one_cycle(progress)
            loss = F.cross_entropy(
                net(_resized(images[places], variant.resolution)),
                labels[places],
                label_smoothing=RECIPE.label_smoothing,
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            clip_gradients(net, RECIPE)
            optimizer.step()
        _accuracy_pct(net, *parts["validation"], variant.resolution)
    return _accuracy_pct(net, *parts["test"], variant.resolution)


def _loaded(dataset: Dataset, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    part = dataset.part(name, CANVAS)
    return torch.from_numpy(part.images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(part.labels)


def _resized(images: torch.Tensor, size: int) -> torch.Tensor:
    scaled = (images.float() - 80) / 55
    return F.interpolate(scaled, size=size, mode="bilinear", align_corners=False, antialias=True)


def _one_cycle(progress: float) -> float:
    if progress < 0.2:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / 0.2)) / 2
    return 0.001 + 0.999 * (1 + math.cos(math.pi * (progress - 0.2) / 0.8)) / 2


@torch.inference_mode()
def _accuracy_pct(net: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, size: int) -> float:
    net.eval()
    batches = zip(torch.split(images, 256), torch.split(labels, 256), strict=True)
    hits = [int((net(_resized(some, size)).argmax(1) == right).sum()) for some, right in batches]
    return 100 * sum(hits) / len(labels)


if __name__ == "__main__":
    main()
