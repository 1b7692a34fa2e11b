"""A data set: its settings, what is known of its images before they are read, and reading them.

A data set is settings and a source of images in a file of its own, and a line in
`mbsweep.accuracy.datasets.DATASETS`. What loads torch is imported within methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets.listing import class_words
from mbsweep.accuracy.datasets.picture import decode
from mbsweep.accuracy.packages import Need
from mbsweep.base.strict import Strict


class Seen(NamedTuple):
    """A data set from outside: its archive, its folders and files, or its settings."""

    class_count: int
    classes: tuple[str, ...]  # their names; empty where only reading tells
    sizes: dict[str, int]  # part -> images
    is_exact: bool  # whether those are the sizes, and not about the sizes
    remarks: tuple[str, ...]  # what was understood, and what is left out
    file_bytes: int  # of the files that have to be decoded

    @property
    def class_words(self) -> str:
        """`3 classes: cat, dog, eel`, as far as it is known."""
        return class_words(self.classes) if self.classes else f"{self.class_count} classes"


class Batch(NamedTuple):
    """Some images of one part, at each resolution that was asked for."""

    part: str
    labels: NDArray[np.int64]  # (images,)
    contents: NDArray[np.int64]  # (images,): what each is, see `mbsweep.accuracy.datasets.contents`
    images: Mapping[int, NDArray[np.uint8]]  # resolution -> (images, resolution, resolution, 3)


class ImageSource(Protocol):
    """Where images come from. Made for one reading."""

    name: str  # "digits"
    copies: int  # of the images that are on the disk at once while they are read
    key: str  # another one whenever the configuration, or the files, are not the same

    @property
    def reading(self) -> Mapping[str, str]:
        """How a file becomes what a network sees, in words."""

    def seen(self) -> Seen:
        """What can be said without reading images."""

    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the labels."""

    def batches(self, resolutions: Sequence[int]) -> Iterator[Batch]:
        """All images: of train, then of validation, then of test."""

    def digest(self) -> str:
        """SHA-256 of all that decides about images, labels and parts. Known once all batches were read."""

    def notes(self) -> tuple[str, ...]:
        """What a reader must know, such as files that were left out. Known once all batches were read."""


class DatasetSettings(Strict, ABC):
    """The `dataset` of a sweep."""

    needs: ClassVar[tuple[Need, ...]] = ()  # packages that do not come with mbsweep itself

    name: str  # in DATASETS

    @property
    def class_count(self) -> int | None:
        """How many classes it has, where it always has as many."""
        return None

    @abstractmethod
    def source(self) -> ImageSource:
        """Its images, seen from outside. Raises MbsweepError where they are not there."""

    def picture(self, path: Path, resolution: int) -> NDArray[np.uint8] | str:
        """A picture from elsewhere as a network sees the images of this data set, or what is wrong with it.

        (resolution, resolution, 3). A file of the data set itself becomes the very image that is in it.
        """
        found = decode(path, [resolution])
        return found if isinstance(found, str) else found.images[resolution]
