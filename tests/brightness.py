"""A data set that a tiny network learns at once: classes that differ in how bright their images are."""

import os
from contextlib import contextmanager

import numpy as np
from PIL import Image

COUNTS = {"train": 80, "validation": 12, "test": 20}  # images of each of three classes
DATASET_SIZE = 16  # pixels
# Two networks of nine layers which learn it in three epochs of half a second in all.
SPACE = "width: [0.1, 0.25], resolution: 16, depth: 0, num_classes: 3"
RECIPE = "epochs: 3, batch: 16, learning_rate: 0.02, warmup_pct: 10"
SMALL, LARGE = "mobilenet_v1_w0.1_r16_d0_n3", "mobilenet_v1_w0.25_r16_d0_n3"


def write_images(root, is_learnable=True, train=COUNTS["train"]):
    """A folder of the three classes in given parts. Where it cannot be learnt, all classes are alike."""
    chance = np.random.default_rng(3)
    for label in range(3):
        for part, count in (COUNTS | {"train": train}).items():
            folder = root / part / f"class{label}"
            folder.mkdir(parents=True)
            for number in range(count):
                level = 30 + 100 * label if is_learnable else 130
                grey = np.clip(chance.normal(level, 8, (DATASET_SIZE, DATASET_SIZE)), 0, 255)
                Image.fromarray(grey.astype(np.uint8)).convert("RGB").save(folder / f"{number:03}.png")
    return root


def sweep_text(root, seeds="[0, 1]", recipe=RECIPE, space=SPACE, more=""):
    """A sweep that trains on such a folder. more: further settings of `accuracy`, each on its line."""
    return f"""\
space: {{{space}}}
accuracy:
  source: trained
  dataset: {{name: imagefolder, path: "{root}"}}
  recipe: {{{recipe}}}
  seeds: {seeds}
{more}"""


@contextmanager
def on_cores(count):
    """This process and those that it starts may use so many cores only."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
