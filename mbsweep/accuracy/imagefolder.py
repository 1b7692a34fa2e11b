"""The data set imagefolder: a folder of images, one folder per class, with or without given parts."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mbsweep.accuracy.picture import Decoded, decode, printable
from mbsweep.cache import cache_dir
from mbsweep.errors import MbsweepError
from mbsweep.space.accuracy import ImageFolder, fingerprint

if TYPE_CHECKING:
    from mbsweep.accuracy.datasets import Batch

VERSION = 1  # raised when the same files give other images or parts
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
NO_FILES = ("thumbs.db", "desktop.ini")  # what Windows leaves in folders
# part -> what its folder may be called
PART_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
NAMED = 5  # files or classes that a message names; the others are counted
BATCH = 256  # images
THREADS = 2  # Pillow lets go of the interpreter while it decodes


class ImageFile(NamedTuple):
    """A file that is an image by its ending."""

    path: str  # from the data set's folder
    label: int
    part: str | None  # as the folders give it
    size_bytes: int
    mtime_ns: int


class ImageFolderSource:
    """Images below one folder per class, cropped to the square in their middle.

    Where there are the folders train, validation (or val) and test, they are the parts. Otherwise the
    images of each class are dealt out by a hash of their content and of the seed, so that files with the
    same bytes come into the same part, and the order of the files does not matter.
    """

    name = "imagefolder"

    def __init__(self, config: ImageFolder) -> None:
        if importlib.util.find_spec("PIL") is None:
            raise MbsweepError(
                "the data set imagefolder needs Pillow, which is not installed; run: "
                "pip install 'mbsweep[train]'"
            )
        self._config = config
        self._root = os.path.abspath(config.path)
        self._where = printable(self._root)
        self._others: Counter[str] = Counter()  # ending -> files that are no images
        self._notes: list[str] = []
        self._digest = hashlib.sha256()
        self._classes, self._files, self._is_given = self._listed()
        if not self._is_given and config.validation_pct + config.test_pct >= 100:
            raise MbsweepError(
                f"{self._where}: validation_pct {config.validation_pct:g} and test_pct {config.test_pct:g} "
                "leave no images to train on; they must be less than 100 together"
            )
        listing = hashlib.sha256(repr((self._files, sorted(self._others.items()))).encode()).hexdigest()[:32]
        self.key = f"imagefolder-{VERSION}-{fingerprint(config, 32)}-{listing}"

    def classes(self) -> tuple[str, ...]:
        """The names of their folders, sorted. Bytes that are no UTF-8 are spelled out."""
        return tuple(
            name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            for name in self._classes
        )

    def batches(self, resolutions: Sequence[int]) -> Iterator[Batch]:
        """The images of each part by path.

        A part depends on the contents of all files, so all are decoded, once, before the first batch. They
        wait in unnamed files next to the cache.
        """
        from mbsweep.accuracy.datasets import PARTS, Batch

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
            for part in PARTS:
                places = np.array([place for place, of in enumerate(parts) if of == part], np.int64)
                for start in range(0, len(places), BATCH):
                    some = places[start : start + BATCH]
                    yield Batch(part, labels[some], {size: np.asarray(kept[size][some]) for size in kept})

    def digest(self) -> str:
        """Of paths, contents and parts, of how they were split, and of what was left out."""
        return self._digest.hexdigest()

    def notes(self) -> tuple[str, ...]:
        """What was left out, and images that occur more than once where that matters."""
        return tuple(self._notes)

    def _listed(self) -> tuple[tuple[str, ...], tuple[ImageFile, ...], bool]:
        """The classes, all images by path, and whether the folders give the parts."""
        if not os.path.isdir(self._root):
            what = "is not a folder" if os.path.exists(self._root) else "there is no such folder"
            raise MbsweepError(f"{self._where}: {what}; set the data set's path to a folder of images")
        expected = "expected a folder for each class, with its images, or folders train, validation and test"
        top, loose = self._entries("")
        if not top and not loose:
            raise MbsweepError(f"{self._where}: the folder is empty; {expected}")
        if loose:
            self._notes.append(f"{_files(len(loose))} beside the folders of the classes left out")
        given = self._given_parts(top)
        tops = given.items() if given else [(None, "")]
        found: dict[str | None, dict[str, list[ImageFile]]] = {}
        for part, folder in tops:
            names = self._entries(folder)[0] if folder else top
            found[part] = {name: [] for name in names}
        classes = sorted(set().union(*found.values()))
        for part, folder in tops:
            if lacking := [name for name in classes if name not in found[part]]:
                raise MbsweepError(
                    f"{self._where}: the parts do not have the same classes: {part} lacks {_some(lacking)}; "
                    "add what is missing, or leave the classes out of all parts"
                )
            for label, name in enumerate(classes):
                found[part][name] = self._images(os.path.join(folder, name), label, part)
        files = sorted(file for of_part in found.values() for some in of_part.values() for file in some)
        if not files:
            raise MbsweepError(
                f"{self._where}: has no images (files that end in {', '.join(ENDINGS)}) in folders of "
                f"classes; {expected}"
            )
        if empty := [
            os.path.join(folder, name) for part, folder in tops for name in classes if not found[part][name]
        ]:
            raise MbsweepError(
                f"{self._where}: no images in the folder of a class: {_some(empty)}; add some, or remove it"
            )
        if len(classes) == 1:
            raise MbsweepError(
                f"{self._where}: has only the class {classes[0]!r}; at least two are needed to tell apart"
            )
        if self._others:
            endings = ", ".join(printable(ending) or "none" for ending in sorted(self._others)[:NAMED])
            self._notes.append(
                f"{_files(self._others.total())} whose ending is not that of an image left out: {endings}"
            )
        return tuple(classes), tuple(files), bool(given)

    def _given_parts(self, top: Sequence[str]) -> dict[str, str]:
        """part -> its folder; nothing where the folders are those of classes."""
        found = {part: [name for name in names if name in top] for part, names in PART_FOLDERS.items()}
        if not any(found.values()):
            return {}
        if missing := [part for part, names in found.items() if not names]:
            present = ", ".join(name for names in found.values() for name in names)
            raise MbsweepError(
                f"{self._where}: has {present}, but no folder {' and no folder '.join(missing)}; add what is "
                f"missing, or give {present} another name if it is a class"
            )
        if len(found["validation"]) > 1:
            raise MbsweepError(f"{self._where}: has both validation and val; keep one of the two")
        taken = {part: names[0] for part, names in found.items()}
        if beside := sorted(set(top) - set(taken.values())):
            self._notes.append(f"beside the parts, not read: {_some(beside)}")
        return taken

    def _entries(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of folders and of files, sorted, without hidden ones."""
        path = os.path.join(self._root, folder)
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            raise MbsweepError(
                f"{printable(path)}: the folder cannot be read: {error.strerror}; see to its permissions"
            ) from None
        names = [name for name in names if not name.startswith(".") and name.lower() not in NO_FILES]
        folders = [name for name in names if os.path.isdir(os.path.join(path, name))]
        return folders, [name for name in names if name not in set(folders)]

    def _images(self, folder: str, label: int, part: str | None) -> list[ImageFile]:
        """The images below a folder. Links are followed, but no folder is entered twice."""
        found = []
        above = (self._root, os.path.join(self._root, os.path.dirname(folder)))
        left, seen = [folder], set(map(_identity, above))
        while left:
            folder = left.pop()
            if (identity := _identity(os.path.join(self._root, folder))) in seen:
                continue
            seen.add(identity)
            folders, names = self._entries(folder)
            left += [os.path.join(folder, name) for name in reversed(folders)]
            for name in names:
                path = os.path.join(folder, name)
                if (ending := os.path.splitext(name)[1].lower()) in ENDINGS:
                    found.append(ImageFile(path, label, part, *self._state(path)))
                else:
                    self._others[ending] += 1
        return found

    def _state(self, path: str) -> tuple[int, int]:
        """Bytes and time of the last change; -1 for a link that leads nowhere, which reading finds broken."""
        try:
            status = os.stat(os.path.join(self._root, path))
        except OSError:
            return -1, -1
        return status.st_size, status.st_mtime_ns

    def _decoded(self, resolutions: Sequence[int]) -> Iterator[tuple[ImageFile, Decoded | str]]:
        """Each file, and its images or what is wrong with it."""
        with ThreadPoolExecutor(THREADS) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about images that are large or have damaged EXIF
            for start in range(0, len(self._files), BATCH):  # no more than that wait in memory
                some = self._files[start : start + BATCH]
                paths = [Path(self._root, file.path) for file in some]
                yield from zip(some, pool.map(decode, paths, repeat(resolutions)), strict=True)

    def _tell_broken(self, broken: Sequence[tuple[ImageFile, str]]) -> None:
        if not broken:
            return
        named = ", ".join(f"{file.path!r} ({reason})" for file, reason in broken[:NAMED])
        more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
        if len(broken) == len(self._files):
            raise MbsweepError(
                f"{self._where}: not one file can be read as an image: {named}{more}; mend them"
            )
        count = f"{len(broken)} of {_files(len(self._files))}"
        if self._config.broken == "refuse":
            raise MbsweepError(
                f"{self._where}: {count} cannot be read as images: {named}{more}; mend or remove them, or "
                "set `broken: leave_out` to go on without them"
            )
        self._notes.append(f"{count} cannot be read as images, left out: {named}{more}")

    def _parts(self, files: Sequence[ImageFile], contents: Sequence[str]) -> list[str]:
        """The part of each file."""
        if self._is_given:
            return [file.part or "" for file in files]
        of_class: list[set[str]] = [set() for _ in self._classes]
        for file, content in zip(files, contents, strict=True):
            of_class[file.label].add(content)
        dealt = split(of_class, self._config)
        if short := [
            f"{name!r} has {len(some)}"
            for name, some in zip(self._classes, of_class, strict=True)
            if len({dealt[content] for content in some}) < len(PART_FOLDERS)
        ]:
            more = f", and {len(short) - NAMED} classes more" if len(short) > NAMED else ""
            raise MbsweepError(
                f"{self._where}: too few different images to give each part one: {', '.join(short[:NAMED])}"
                f"{more}; a class needs at least 3 that are in no other class"
            )
        return [dealt[content] for content in contents]

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
                self._notes.append(f"images that are in more than one {what}: {len(twice)}: {_some(named)}")

    def _seal(
        self,
        files: Sequence[ImageFile],
        contents: Sequence[str],
        parts: Sequence[str],
        broken: Sequence[tuple[ImageFile, str]],
    ) -> None:
        """Take all that decides about the data set into its digest."""
        config = self._config
        how = None if self._is_given else (config.validation_pct, config.test_pct, config.split_seed)
        read = [
            (file.path, content, part) for file, content, part in zip(files, contents, parts, strict=True)
        ]
        left_out = [file.path for file, _ in broken]
        self._digest.update(repr((VERSION, how, self._classes, read, left_out)).encode())


def split(of_class: Sequence[Collection[str]], config: ImageFolder) -> dict[str, str]:
    """content -> part, from the different contents of each class.

    Each part gets its share of each class, but at least one content if the class has 3. A content that is
    in two classes is in one part nevertheless; the smaller class decides.
    """
    dealt: dict[str, str] = {}
    for contents in sorted(of_class, key=lambda some: (len(some), sorted(some))):
        validation = max(1, min(round(len(contents) * config.validation_pct / 100), len(contents) - 2))
        test = max(1, min(round(len(contents) * config.test_pct / 100), len(contents) - 1 - validation))
        wanted = {"train": max(1, len(contents) - validation - test), "validation": validation, "test": test}
        has = Counter(dealt[content] for content in contents if content in dealt)
        chance = {
            content: hashlib.sha256(f"{config.split_seed} {content}".encode()).digest()
            for content in contents
        }
        for content in sorted(set(contents) - set(dealt), key=chance.__getitem__):
            # To the part that has least of what it is to get: so none gets too much, and none nothing.
            part = min(wanted, key=lambda part: has[part] / wanted[part])
            dealt[content] = part
            has[part] += 1
    return dealt


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _identity(path: str) -> tuple[int, int]:
    """What a folder is, whatever links lead to it. A folder that has gone is the same as none."""
    try:
        status = os.stat(path)
    except OSError:
        return -1, -1
    return status.st_dev, status.st_ino
