"""The embedded data set: scikit-learn's handwritten digits, placed on cluttered canvases."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets.contents import LEVELS, content_hashes
from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.datasets.picture import decode
from mbsweep.accuracy.datasets.source import Batch, DatasetSettings, Seen
from mbsweep.accuracy.packages import Need
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import SEED, Rule, integer
from mbsweep.base.strict import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1  # raised when the same seed gives other images
CANVAS = 64  # pixels
SCALES = (0.35, 0.6)  # of the canvas that a digit is high
ROTATION = 0.25  # at most, in radians, either way
ASPECT = 0.15  # at most, either way
FRAGMENTS = 3  # of other digits, to mislead
NOISE = 0.06  # standard deviation of a pixel, of full scale
SURE = 200  # images among which each digit is: one is missing in 7 of 1,000,000,000
CHUNK = 500  # images made at once
SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}  # of the 1797 handwritten digits


class Digits(DatasetSettings):
    """The embedded data set: handwritten digits on cluttered canvases."""

    rules: ClassVar[dict[str, Rule]] = {
        "seed": SEED,
        "train": integer(10, 1_000_000, 8000),
        "validation": integer(10, 1_000_000, 1000),
        "test": integer(10, 1_000_000, 4000),
    }

    needs: ClassVar[tuple[Need, ...]] = (Need("the data set digits", "sklearn", "scikit-learn"),)

    name: Literal["digits"]
    seed: int = 0
    train: int = 8000
    validation: int = 1000
    test: int = 4000

    @property
    def class_count(self) -> int:
        """The ten digits."""
        return 10

    def source(self) -> DigitsSource:
        """The images, drawn when they are read."""
        return DigitsSource(self)

    def picture(self, path: Path, resolution: int) -> NDArray[np.uint8] | str:
        """See DatasetSettings.picture: grey, as large as a canvas, then resized as canvases are."""
        found = decode(path, [CANVAS])
        if isinstance(found, str):
            return found
        red, green, blue = np.moveaxis(found.images[CANVAS].astype(np.float32), 2, 0)
        grey = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601, as Pillow's; of equal ones the same
        (image,) = _resized((grey + 0.5).astype(np.uint8)[None], resolution)
        return np.asarray(image)


class DigitsSource:
    """Digits with random place, scale, rotation, aspect and grey, on a low-frequency background with clutter.

    The 1797 digits of 8 x 8 pixels are those of the UCI repository (Alpaydin and Kaynak, "Optical
    Recognition of Handwritten Digits", 1998; CC BY 4.0), as scikit-learn ships them. No digit is in two
    parts, not even as a fragment.
    """

    name = "digits"
    reading: ClassVar[dict[str, str]] = {
        "size": "drawn at 64 px, resized bilinearly with antialiasing",
        "channels": "grey, three times",
        "levels": LEVELS,
    }
    copies = 1

    def __init__(self, config: Digits) -> None:
        self._config = config
        self._digest = hashlib.sha256()
        self.key = f"digits-{VERSION}-{fingerprint(config, 32)}"

    def classes(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple(str(digit) for digit in range(10))

    def seen(self) -> Seen:
        """All that there is to know. MbsweepError where a part is so small that it lacks a digit."""
        sizes = {part: getattr(self._config, part) for part in PARTS}
        if min(sizes.values()) < SURE and importlib.util.find_spec("sklearn"):
            for place, (part, (glyphs, labels)) in enumerate(_handwritten(self._config.seed).items()):
                chance = np.random.default_rng([self._config.seed, place])
                drawn = set(labels[_picked(glyphs, sizes[part], chance)].tolist())
                if lacking := [name for label, name in enumerate(self.classes()) if label not in drawn]:
                    raise MbsweepError(
                        f"digits: {part}: {sizes[part]} images at random have none of "
                        f"{', '.join(map(repr, lacking))}; take more, 100 at least"
                    )
        return Seen(10, self.classes(), sizes, True, (), 0)

    def batches(self, resolutions: Sequence[int]) -> Iterator[Batch]:
        """The images, drawn at 64 x 64 pixels and resized from there."""
        for place, (part, (glyphs, labels)) in enumerate(_handwritten(self._config.seed).items()):
            chance = np.random.default_rng([self._config.seed, place])
            # A handwritten digit is the same wherever it is drawn.
            contents = content_hashes(glyphs)
            left = getattr(self._config, part)
            while left:
                picked = _picked(glyphs, left, chance)
                canvases = draw(glyphs, picked, chance)
                self._digest.update(canvases.tobytes())
                self._digest.update(labels[picked].tobytes())
                images = {size: _resized(canvases, size) for size in resolutions}
                yield Batch(part, labels[picked], contents[picked], images)
                left -= len(picked)

    def digest(self) -> str:
        """Of the canvases and their labels."""
        return self._digest.hexdigest()

    def notes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()


def _picked(glyphs: NDArray[np.float32], left: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Which digits the next images show."""
    return chance.integers(len(glyphs), size=min(CHUNK, left))


def _handwritten(seed: int) -> dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """part -> its digits (digits, 8, 8) from 0 to 1, and which they are; the same shares of each class."""
    from sklearn.datasets import load_digits

    found = load_digits()
    glyphs, labels = (found.images / 16).astype(np.float32), found.target.astype(np.int64)
    chance = np.random.default_rng([seed, len(SHARES)])
    places: dict[str, list[NDArray[np.int64]]] = {part: [] for part in SHARES}
    for digit in range(10):
        of_class = chance.permutation(np.flatnonzero(labels == digit))
        ends = np.cumsum([round(share * len(of_class)) for share in SHARES.values()])[:-1]
        for part, some in zip(SHARES, np.split(of_class, ends), strict=True):
            places[part].append(some)
    return {
        part: (glyphs[np.concatenate(some)], labels[np.concatenate(some)]) for part, some in places.items()
    }


def draw(
    glyphs: NDArray[np.float32], picked: NDArray[np.int64], chance: np.random.Generator
) -> NDArray[np.uint8]:
    """(images, 64, 64) grey canvases with one picked glyph each, and fragments of others."""
    import torch

    count = len(picked)
    ink = torch.zeros(count, CANVAS, CANVAS)
    for _ in range(FRAGMENTS):
        others = glyphs[chance.integers(len(glyphs), size=count)]
        first = chance.integers(0, 6, size=(count, 1, 1))
        rows = np.arange(8)[None, :, None]
        others = np.where((rows >= first) & (rows < first + 3), others, np.float32(0))
        ink = torch.maximum(ink, 0.6 * _placed(others, chance.uniform(0.15, 0.3, count), chance))
    ink = torch.maximum(ink, _placed(glyphs[picked], chance.uniform(*SCALES, count), chance))
    ground, contrast = _ground(count, chance)
    noise = chance.standard_normal((count, CANVAS, CANVAS), dtype=np.float32)
    image = ground + contrast * ink + NOISE * torch.from_numpy(noise)
    return (image.clamp(0, 1) * 255 + 0.5).byte().numpy()


def _ground(count: int, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A slowly varying background, and how much lighter than it the ink is."""
    import torch
    import torch.nn.functional as F  # noqa: N812  (as everyone calls it)

    coarse = torch.from_numpy(chance.uniform(-0.1, 0.1, (count, 1, 4, 4)).astype(np.float32))
    waves = F.interpolate(coarse, size=CANVAS, mode="bicubic", align_corners=False)[:, 0]
    level, contrast = chance.uniform([[0.1], [0.5]], [[0.3], [0.7]], (2, count)).astype(np.float32)
    return torch.from_numpy(level)[:, None, None] + waves, torch.from_numpy(contrast)[:, None, None]


def _placed(glyphs: NDArray[np.float32], scales: NDArray[np.float64], chance: np.random.Generator) -> Tensor:
    """(glyphs, 64, 64): each whole glyph somewhere on a canvas, so large, turned and stretched at random."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    count = len(glyphs)
    widths = scales * chance.uniform(1 - ASPECT, 1 + ASPECT, count)
    angles = chance.uniform(-ROTATION, ROTATION, count)
    room = np.clip(1 - 1.1 * np.maximum(scales, widths), 0, None)  # from the middle, of half a canvas
    across, down = chance.uniform(-1, 1, (2, count)) * room
    # From places on the canvas to places on the glyph, both from -1 to 1: turned, then stretched.
    turn = np.array([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]])
    turn /= np.array([widths, scales])[:, None]
    shift = -(turn[:, 0] * across + turn[:, 1] * down)
    affine = torch.from_numpy(np.concatenate([turn, shift[:, None]], axis=1).transpose(2, 0, 1))
    places = F.affine_grid(affine.float(), [count, 1, CANVAS, CANVAS], align_corners=False)
    images = torch.from_numpy(np.ascontiguousarray(glyphs))[:, None]
    return F.grid_sample(images, places, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]


def _resized(canvases: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(images, size, size, 3) in three equal channels."""
    if size != CANVAS:
        import torch
        import torch.nn.functional as F  # noqa: N812

        grey = torch.from_numpy(canvases).float()[:, None]
        grey = F.interpolate(grey, size=size, mode="bilinear", align_corners=False, antialias=True)[:, 0]
        canvases = (grey.clamp(0, 255) + 0.5).byte().numpy()
    return np.repeat(canvases[..., None], 3, axis=3)
