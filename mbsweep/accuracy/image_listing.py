"""A folder of images by its names alone: the classes, the files, and the parts where folders give them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mbsweep.accuracy.picture import printable
from mbsweep.errors import MbsweepError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
NO_FILES = ("thumbs.db", "desktop.ini")  # what Windows leaves in folders
# part -> what its folder may be called
PART_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
NAMED = 5  # files or classes that a message names; the others are counted


class ImageFile(NamedTuple):
    """A file that is an image by its ending."""

    path: str  # from the data set's folder
    label: int
    part: str | None  # as the folders give it
    size_bytes: int
    mtime_ns: int


class Listing:
    """What is in a folder of images. Raises MbsweepError where that makes no data set.

    classes: the names of their folders, sorted. files: all images, by path. is_given: whether the folders
    give the parts. notes: what is left out.
    """

    classes: tuple[str, ...]
    files: tuple[ImageFile, ...]
    is_given: bool

    def __init__(self, root: str) -> None:
        self._root, self._where = root, printable(root)
        self._others: Counter[str] = Counter()  # ending -> files that are no images
        self.notes: list[str] = []
        self._list()

    def digest(self) -> str:
        """Hash of all that is listed, which changes when a file does."""
        listed = repr((self.files, sorted(self._others.items())))
        return hashlib.sha256(listed.encode()).hexdigest()[:32]

    def _list(self) -> None:
        if not os.path.isdir(self._root):
            what = "is not a folder" if os.path.exists(self._root) else "there is no such folder"
            raise MbsweepError(f"{self._where}: {what}; set the data set's path to a folder of images")
        expected = "expected a folder for each class, with its images, or folders train, validation and test"
        top, loose = self._entries("")
        if not top and not loose:
            raise MbsweepError(f"{self._where}: the folder is empty; {expected}")
        if loose:
            self.notes.append(f"{count_of(len(loose))} beside the folders of the classes left out")
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
                    f"{self._where}: the parts do not have the same classes: {part} lacks "
                    f"{some_of(lacking)}; add what is missing, or leave the classes out of all parts"
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
                f"{self._where}: no images in the folder of a class: {some_of(empty)}; add some, or remove it"
            )
        if len(classes) == 1:
            raise MbsweepError(
                f"{self._where}: has only the class {classes[0]!r}; at least two are needed to tell apart"
            )
        if self._others:
            endings = ", ".join(printable(ending) or "none" for ending in sorted(self._others)[:NAMED])
            self.notes.append(
                f"{count_of(self._others.total())} whose ending is not that of an image left out: {endings}"
            )
        self.classes, self.files, self.is_given = tuple(classes), tuple(files), bool(given)

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
            self.notes.append(f"beside the parts, not read: {some_of(beside)}")
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


def some_of(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more


def count_of(files: int) -> str:
    """So many files, in words."""
    return f"{files} file{'s' * (files != 1)}"


def _identity(path: str) -> tuple[int, int]:
    """What a folder is, whatever links lead to it. A folder that has gone is the same as none."""
    try:
        status = os.stat(path)
    except OSError:
        return -1, -1
    return status.st_dev, status.st_ino
