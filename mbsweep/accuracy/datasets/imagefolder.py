"""The data set imagefolder: a folder of images, one folder per class, with or without given parts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from mbsweep.accuracy.datasets.contents import LEVELS, from_sha256
from mbsweep.accuracy.datasets.listing import NAMED, ImageFile, Listing, count_of, some_of
from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.datasets.picture import Decoded, decode, printable
from mbsweep.accuracy.datasets.source import Batch, DatasetSettings, Seen
from mbsweep.accuracy.packages import Need
from mbsweep.base.cache import cache_dir
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded
from mbsweep.base.rules import SEED, Rule, choice, number, text
from mbsweep.base.strict import fingerprint

VERSION = 1  # raised when the same files give other images or parts
BATCH = 256  # images
THREADS = 2  # Pillow lets go of the interpreter while it decodes


class ImageFolder(DatasetSettings):
    """A folder of images, one folder per class; or folders train, validation and test of such folders."""

    rules: ClassVar[dict[str, Rule]] = {
        "path": text(4096),
        "validation_pct": number(0, 90, 15),
        "test_pct": number(0, 90, 15),
        "split_seed": SEED,
        "broken": choice(["refuse", "leave_out"]),
    }

    needs: ClassVar[tuple[Need, ...]] = (Need("the data set imagefolder", "PIL", "Pillow"),)

    name: Literal["imagefolder"]
    path: str  # from the folder in which the command is called
    validation_pct: float = 15  # of the images, where the folder does not say which are for validation
    test_pct: float = 15
    split_seed: int = 0
    broken: Literal["refuse", "leave_out"] = "refuse"  # what to do with files that cannot be read

    def source(self) -> ImageFolderSource:
        """The files. Raises MbsweepError where they are not there, or are no data set."""
        return ImageFolderSource(self)


class ImageFolderSource:
    """Images below one folder per class, cropped to the square in their middle.

    Where there are folders for train, validation and test, however they are spelled, they are the parts. The
    images of each class are dealt out over the parts that have no folder by a hash of their content and of
    the seed, so that files with the same bytes come into the same part, and the order of the files does not
    matter.
    """

    name = "imagefolder"
    reading: ClassVar[dict[str, str]] = {
        "size": "the square in the middle, resized bilinearly with antialiasing",
        "channels": "red, green, blue",
        "levels": LEVELS,
        "orientation": "upright, as EXIF says",
        "transparency": "on white",
        "frames": "the first",
    }
    copies = 2  # images wait until all files are read

    def __init__(self, config: ImageFolder) -> None:
        self._config = config
        self._root = os.path.abspath(expanded(config.path))
        self._where = printable(self._root)
        self._digest = hashlib.sha256()
        self._shares = {"validation": config.validation_pct, "test": config.test_pct}
        self._listing = listing = Listing(self._root, self._shares)
        self._notes = [*listing.notes]
        self._shares = {part: pct for part, pct in self._shares.items() if part in listing.dealt}
        if sum(self._shares.values()) >= 100:
            given = " and ".join(f"{part}_pct {pct:g}" for part, pct in self._shares.items())
            raise MbsweepError(
                f"{self._where}: {given} leave no images to train on; they must be less than 100 together"
            )
        counts = self._dealt_counts()
        self._check_enough(counts, counts)
        self.key = f"imagefolder-{VERSION}-{fingerprint(config, 32)}-{listing.digest()}"

    def classes(self) -> tuple[str, ...]:
        """The names of their folders, sorted. Bytes that are no UTF-8 are spelled out."""
        return tuple(
            name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            for name in self._listing.classes
        )

    def seen(self) -> Seen:
        """What the names of the files tell, as if all of them had different images."""
        sizes = Counter(file.part for file in self._listing.files if file.part)
        for count in self._dealt_counts() if self._shares else []:
            sizes.update(wanted(count, self._shares))
        return Seen(
            len(self._listing.classes),
            self.classes(),
            {part: sizes[part] for part in PARTS},
            not self._shares,
            tuple(self._listing.notes),
            sum(max(0, file.size_bytes) for file in self._listing.files),
        )

    def _dealt_counts(self) -> list[int]:
        """For each class the files that are in no part yet."""
        dealt = Counter(file.label for file in self._listing.files if file.part is None)
        return [dealt[label] for label in range(len(self._listing.classes))]

    def _check_enough(self, covered: Sequence[int], counts: Sequence[int]) -> None:
        """MbsweepError where a class's images, so many, do not cover all parts that they are dealt to."""
        least = len(self._listing.dealt)
        every = zip(self._listing.classes, covered, counts, strict=True)
        if short := [f"{name!r} has {count}" for name, parts, count in every if parts < least]:
            more = f", and {len(short) - NAMED} classes more" if len(short) > NAMED else ""
            raise MbsweepError(
                f"{self._where}: too few different images to give each part one: {', '.join(short[:NAMED])}"
                f"{more}; a class needs at least {least} that are in no other class"
            )

    def batches(self, resolutions: Sequence[int]) -> Iterator[Batch]:
        """The images of each part by path.

        A part depends on the contents of all files, so all are decoded, once, before the first batch. They
        wait in unnamed files next to the cache.
        """
        folder = cache_dir() / "datasets"
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            waiting = {size: stack.enter_context(tempfile.TemporaryFile(dir=folder)) for size in resolutions}
            files, contents = [], []
            broken: list[tuple[ImageFile, str]] = []
            for file, decoded in self._decoded(resolutions):
                if isinstance(decoded, str):
                    broken.append((file, decoded))
                    continue
                files.append(file)
                contents.append(decoded.content)
                for size, images in waiting.items():
                    images.write(decoded.images[size].data)
            self._tell_broken(broken)
            parts = self._parts(files, contents)
            self._tell_repeated(files, contents, parts)
            self._seal(files, contents, parts, broken)
            kept = {}
            for size, images in waiting.items():
                images.flush()
                kept[size] = np.memmap(images, np.uint8, "r", shape=(len(files), size, size, 3))
            labels = np.array([file.label for file in files], np.int64)
            hashes = np.array([from_sha256(content) for content in contents], np.int64)
            for part in PARTS:
                places = np.array([place for place, of in enumerate(parts) if of == part], np.int64)
                for start in range(0, len(places), BATCH):
                    some = places[start : start + BATCH]
                    images_of = {size: np.asarray(kept[size][some]) for size in kept}
                    yield Batch(part, labels[some], hashes[some], images_of)

    def digest(self) -> str:
        """Of paths, contents and parts, of how they were split, and of what was left out."""
        return self._digest.hexdigest()

    def notes(self) -> tuple[str, ...]:
        """What was left out, and images that occur more than once where that matters."""
        return tuple(self._notes)

    def _decoded(self, resolutions: Sequence[int]) -> Iterator[tuple[ImageFile, Decoded | str]]:
        """Each file, and its images or what is wrong with it."""
        with ThreadPoolExecutor(THREADS) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about images that are large or have damaged EXIF
            for start in range(0, len(self._listing.files), BATCH):  # no more than that wait in memory
                some = self._listing.files[start : start + BATCH]
                paths = [Path(self._root, file.path) for file in some]
                yield from zip(some, pool.map(decode, paths, repeat(resolutions)), strict=True)

    def _tell_broken(self, broken: Sequence[tuple[ImageFile, str]]) -> None:
        if not broken:
            return
        named = ", ".join(f"{file.path!r} ({reason})" for file, reason in broken[:NAMED])
        more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
        if len(broken) == len(self._listing.files):
            raise MbsweepError(
                f"{self._where}: not one file can be read as an image: {named}{more}; mend them"
            )
        count = f"{len(broken)} of {count_of(len(self._listing.files))}"
        if self._config.broken == "refuse":
            raise MbsweepError(
                f"{self._where}: {count} cannot be read as images: {named}{more}; mend or remove them, or "
                "set `broken: leave_out` to go on without them"
            )
        self._notes.append(f"{count} cannot be read as images, left out: {named}{more}")

    def _parts(self, files: Sequence[ImageFile], contents: Sequence[str]) -> list[str]:
        """The part of each file."""
        of_class: list[set[str]] = [set() for _ in self._listing.classes]
        for file, content in zip(files, contents, strict=True):
            if file.part is None:
                of_class[file.label].add(content)
        dealt = split(of_class, self._shares, self._config.split_seed) if self._shares else {}
        covered = [len({dealt[content] for content in some}) for some in of_class]
        self._check_enough(covered, list(map(len, of_class)))
        return [file.part or dealt[content] for file, content in zip(files, contents, strict=True)]

    def _tell_repeated(
        self, files: Sequence[ImageFile], contents: Sequence[str], parts: Sequence[str]
    ) -> None:
        """Note contents that are in two classes, or in two given parts."""
        classes: dict[str, set[int]] = {}
        places: dict[str, set[str]] = {}
        for file, content, part in zip(files, contents, parts, strict=True):
            classes.setdefault(content, set()).add(file.label)
            places.setdefault(content, set()).add(part)
        for what, found in (("class", classes), ("part", places)):
            twice = {content for content, some in found.items() if len(some) > 1}
            if twice:
                named = [file.path for file, content in zip(files, contents, strict=True) if content in twice]
                self._notes.append(f"images that are in more than one {what}: {len(twice)}: {some_of(named)}")

    def _seal(
        self,
        files: Sequence[ImageFile],
        contents: Sequence[str],
        parts: Sequence[str],
        broken: Sequence[tuple[ImageFile, str]],
    ) -> None:
        """Take all that decides about the data set into its digest."""
        # Percentages as whole numbers where they are: 15 and 15.0 ask for the same.
        pct = [int(pct) if pct == int(pct) else pct for pct in self._shares.values()]
        how = (*pct, self._config.split_seed) if pct else None
        read = [
            (file.path, content, part) for file, content, part in zip(files, contents, parts, strict=True)
        ]
        left_out = [file.path for file, _ in broken]
        self._digest.update(repr((VERSION, how, self._listing.classes, read, left_out)).encode())


def wanted(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """part -> how many of so many images of a class it is to get; at least one."""
    found, left = {}, count
    for place, (part, pct) in enumerate(shares.items()):
        others = len(shares) - place  # that get one after this, train among them
        found[part] = max(1, min(round(count * pct / 100), left - others))
        left -= found[part]
    return {"train": max(1, left)} | found


def split(of_class: Sequence[Collection[str]], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """content -> part, from the different contents of each class.

    shares: part -> percent; what is left is for `train`. Each part gets its share of each class, but at least
    one content if the class has as many. A content that is in two classes is in one part nevertheless; the
    smaller class decides.
    """
    dealt: dict[str, str] = {}
    for contents in sorted(of_class, key=lambda some: (len(some), sorted(some))):
        sizes = wanted(len(contents), shares)
        has = Counter(dealt[content] for content in contents if content in dealt)
        chance = {content: hashlib.sha256(f"{seed} {content}".encode()).digest() for content in contents}
        for content in sorted(set(contents) - set(dealt), key=chance.__getitem__):
            # To the part that has least of what it is to get: so none gets too much, and none nothing.
            part = min(sizes, key=lambda part: has[part] / sizes[part])
            dealt[content] = part
            has[part] += 1
    return dealt
