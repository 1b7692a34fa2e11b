"""The data sets cifar10 and cifar100, from the published archives of their binary version."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets.contents import LEVELS, content_hashes
from mbsweep.accuracy.datasets.picture import decode, printable
from mbsweep.accuracy.datasets.source import Batch, DatasetSettings, Seen
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.files import expanded
from mbsweep.base.rules import SEED, Rule, number, text
from mbsweep.base.strict import fingerprint

VERSION = 1  # raised when the same archive gives other images or parts
SIDE = 32  # pixels
TRAIN_IMAGES, TEST_IMAGES = 50_000, 10_000  # of both
BATCH = 256  # images
URL = "https://www.cs.toronto.edu/~kriz/"


class Archive(NamedTuple):
    """What https://www.cs.toronto.edu/~kriz/cifar.html says about an archive."""

    name: str
    pickled: str  # the archive of the Python version, which is not read
    train: tuple[str, ...]  # members of records: labels, then 32 x 32 bytes of red, of green, of blue
    test: str
    classes: str  # member with one name per line
    class_count: int
    labels: int  # bytes in front of an image; the last is the class


# name of a data set -> its archive
ARCHIVES = {
    "cifar10": Archive(
        "cifar-10-binary.tar.gz",
        "cifar-10-python.tar.gz",
        tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
        "cifar-10-batches-bin/test_batch.bin",
        "cifar-10-batches-bin/batches.meta.txt",
        10,
        1,
    ),
    "cifar100": Archive(
        "cifar-100-binary.tar.gz",
        "cifar-100-python.tar.gz",
        ("cifar-100-binary/train.bin",),
        "cifar-100-binary/test.bin",
        "cifar-100-binary/fine_label_names.txt",
        100,
        2,  # one of 20 superclasses, then the class
    ),
}


class Images(NamedTuple):
    """Some of the images."""

    planes: NDArray[np.uint8]  # (images, 3, 32, 32)
    labels: NDArray[np.int64]  # (images,)

    def some(self, which: slice | NDArray[np.bool_]) -> Images:
        """Those, in the same order."""
        return Images(self.planes[which], self.labels[which])


class Cifar(DatasetSettings):
    """CIFAR-10 or CIFAR-100, from the published archive (binary version)."""

    rules: ClassVar[dict[str, Rule]] = {
        "path": text(4096),
        "validation_pct": number(0, 90, 10),
        "split_seed": SEED,
    }

    name: Literal["cifar10", "cifar100"]
    path: str  # the archive
    validation_pct: float = 10  # of the training images
    split_seed: int = 0

    @property
    def class_count(self) -> int:
        """As many as its name says."""
        return ARCHIVES[self.name].class_count

    def source(self) -> CifarSource:
        """The archive. Raises MbsweepError where it is not there."""
        return CifarSource(self)

    def picture(self, path: Path, resolution: int) -> NDArray[np.uint8] | str:
        """See DatasetSettings.picture: as small as those of the archive, then resized as they are."""
        found = decode(path, [SIDE])
        if isinstance(found, str):
            return found
        (image,) = _resized(found.images[SIDE].transpose(2, 0, 1)[None], resolution)
        return np.asarray(image)


class CifarSource:
    """The archive is read in memory, and nothing in it is unpickled.

    A share of each class of the training images, picked at random, is for validation.
    """

    reading: ClassVar[dict[str, str]] = {
        "size": "32 px, resized bilinearly with antialiasing",
        "channels": "red, green, blue",
        "levels": LEVELS,
    }
    copies = 1

    def __init__(self, config: Cifar) -> None:
        self.name: str = config.name
        self._config = config
        self._archive = ARCHIVES[config.name]
        self._path, status = _found(config.path, self._archive)
        self._where = printable(self._path)
        self._digest = hashlib.sha256()
        self.key = f"{config.name}-{VERSION}-{fingerprint(config, 32)}-{status.st_size}-{status.st_mtime_ns}"

    def classes(self) -> tuple[str, ...]:
        """As the archive names them."""
        member = self._archive.classes
        names = tuple(self._members[member].decode("utf-8", "backslashreplace").split())
        if len(set(names)) != self._archive.class_count or len(names) != self._archive.class_count:
            raise self._damaged(f"{member} has not {self._archive.class_count} different names of classes")
        return names

    def seen(self) -> Seen:
        """What the published archives have; the names of the classes are in the archive."""
        validation = round(TRAIN_IMAGES * self._config.validation_pct / 100)
        sizes = {"train": TRAIN_IMAGES - validation, "validation": validation, "test": TEST_IMAGES}
        return Seen(self._archive.class_count, (), sizes, False, (), 0)

    def batches(self, resolutions: Sequence[int]) -> Iterator[Batch]:
        """The images in the archive's order."""
        self._digest.update(repr((VERSION, self.classes())).encode())
        read = [self._images(member) for member in self._archive.train]
        planes, labels = (np.concatenate(arrays) for arrays in zip(*read, strict=True))
        train, is_validation = Images(planes, labels), self._picked(labels)
        for part, images in (
            ("train", train.some(~is_validation)),
            ("validation", train.some(is_validation)),
            ("test", self._images(self._archive.test)),
        ):
            self._digest.update(repr((part, len(images.labels))).encode())
            for start in range(0, len(images.labels), BATCH):
                batch = images.some(slice(start, start + BATCH))
                self._digest.update(batch.planes.tobytes())
                self._digest.update(batch.labels.tobytes())
                resized = {size: _resized(batch.planes, size) for size in resolutions}
                yield Batch(part, batch.labels, content_hashes(batch.planes), resized)

    def digest(self) -> str:
        """Of the images, their labels and parts, and the names of the classes."""
        return self._digest.hexdigest()

    def notes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def _picked(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which training images are for validation: of each class the share, but at least one."""
        picked = np.zeros(len(labels), np.bool_)
        for label in range(self._archive.class_count):
            chance = np.random.default_rng([self._config.split_seed, label])
            of_class = chance.permutation(np.flatnonzero(labels == label))
            count = max(1, min(round(len(of_class) * self._config.validation_pct / 100), len(of_class) - 1))
            picked[of_class[:count]] = True
        return picked

    def _images(self, member: str) -> Images:
        """The records of a member."""
        data, length = self._members[member], self._archive.labels + 3 * SIDE**2
        if not data or len(data) % length:
            raise self._damaged(f"{member} has {len(data)} bytes, which is no number of records of {length}")
        records = np.frombuffer(data, np.uint8).reshape(-1, length)
        labels = records[:, self._archive.labels - 1].astype(np.int64)
        if (labels >= self._archive.class_count).any():
            raise self._damaged(
                f"{member} has the label {labels.max()}; there are {self._archive.class_count} classes"
            )
        return Images(records[:, self._archive.labels :].reshape(-1, 3, SIDE, SIDE), labels)

    @cached_property
    def _members(self) -> dict[str, bytes]:
        """member -> its content, of all that are needed."""
        wanted = {*self._archive.train, self._archive.test, self._archive.classes}
        found = {}
        try:
            with gzip.open(self._path) as file:
                with tarfile.open(fileobj=file, mode="r|") as archive:
                    for member in archive:
                        if member.name in wanted and (content := archive.extractfile(member)) is not None:
                            found[member.name] = content.read()
                while file.read(2**20):  # to the end, where the checksum is
                    pass
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise self._damaged(one_line(error)) from None
        if missing := sorted(wanted - set(found)):
            raise self._damaged(f"it has no {missing[0]}")
        return found

    def _damaged(self, reason: str) -> MbsweepError:
        return MbsweepError(
            f"{self._where}: is damaged or is not {self._archive.name}: {reason}; fetch "
            f"{URL}{self._archive.name} again"
        )


def _found(given: str, archive: Archive) -> tuple[str, os.stat_result]:
    """The archive's path, and its state. `given`: the archive, or a folder that has it."""
    path = os.path.abspath(expanded(given))
    if os.path.isdir(path):
        path = os.path.join(path, archive.name)
    advice = f"fetch {URL}{archive.name} and put it there"
    folder, name = os.path.split(path)
    if name == archive.pickled or (
        not os.path.exists(path) and os.path.exists(os.path.join(folder, archive.pickled))
    ):
        raise MbsweepError(
            f"{printable(os.path.join(folder, archive.pickled))}: holds pickles, which are not read, as they "
            f"could run any program; fetch {URL}{archive.name} and put it next to it"
        )
    try:
        return path, os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MbsweepError(f"{printable(path)}: cannot be read: {reason}; {advice}") from None


def _resized(planes: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(images, size, size, 3)."""
    if size != SIDE:
        import torch
        import torch.nn.functional as F  # noqa: N812  (as everyone calls it)

        images = torch.tensor(planes, dtype=torch.float32)
        images = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
        planes = (images.clamp(0, 255) + 0.5).byte().numpy()
    return planes.transpose(0, 2, 3, 1)
