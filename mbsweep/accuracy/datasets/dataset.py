"""A data set in the cache: its parts, memory-mapped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets.listing import class_words
from mbsweep.accuracy.datasets.part_folders import PARTS

LABELS, CONTENTS = "labels.i8", "contents.i8"  # files of every data set


def images_file(folder: Path, resolution: int) -> Path:
    """The images of all parts at a resolution."""
    return folder / f"images_{resolution}.u8"


class Part(NamedTuple):
    """Images and labels of one part, memory-mapped: what is written to them is not written to the cache."""

    images: NDArray[np.uint8]  # (images, resolution, resolution, 3)
    labels: NDArray[np.int64]  # (images,)


@dataclass(frozen=True)
class Dataset:
    """A data set in the cache. Made by `open_dataset`."""

    id: str  # name and hash of the content: `digits-3fa9c1d2`
    folder: Path
    classes: tuple[str, ...]
    sizes: dict[str, int]  # part -> images
    notes: tuple[str, ...]
    settings: dict[str, Any]  # as in a sweep file
    reading: dict[str, str]  # how images are read, in words

    @property
    def remarks(self) -> list[str]:
        """What a reader should know: which classes there are, and the notes."""
        return [class_words(self.classes), *self.notes]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` reads it back."""
        return asdict(self) | {"folder": str(self.folder)}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Dataset:
        """The data set of `as_dict`."""
        classes, notes = tuple(given["classes"]), tuple(given["notes"])
        folder, rest = Path(given["folder"]), (given["settings"], given["reading"])
        return cls(given["id"], folder, classes, given["sizes"], notes, *rest)

    def part(self, name: str, resolution: int) -> Part:
        """One part at a resolution, which `open_dataset` was asked for."""
        start, stop = self._place(name)
        shape = (sum(self.sizes.values()), resolution, resolution, 3)
        images = np.memmap(images_file(self.folder, resolution), np.uint8, "c", shape=shape)
        return Part(images[start:stop], self.labels(name))

    def labels(self, name: str) -> NDArray[np.int64]:
        """(images,): the classes of one part's images."""
        start, stop = self._place(name)
        return np.fromfile(self.folder / LABELS, "<i8")[start:stop].astype(np.int64)

    def contents(self, name: str) -> NDArray[np.int64]:
        """(images,): what each image of a part is, wherever else it may lie."""
        start, stop = self._place(name)
        return np.fromfile(self.folder / CONTENTS, "<i8")[start:stop].astype(np.int64)

    def _place(self, name: str) -> tuple[int, int]:
        start = sum(self.sizes[part] for part in PARTS[: PARTS.index(name)])
        return start, start + self.sizes[name]
