"""A folder of images by its names alone: the classes, the files, and the parts where folders give them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mbsweep.accuracy.datasets.part_folders import PARTS, TopFolder, understand
from mbsweep.accuracy.datasets.picture import printable
from mbsweep.base.errors import MbsweepError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
# What systems and programs leave in folders: Windows, macOS, Synology, Linux; and smaller copies of images.
SYSTEM = ("thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found")
THUMBNAILS = ("thumbnails", "thumbnail", "_thumbs", "_thumb")
NAMED = 5  # files or classes that a message names; the others are counted
CLASSES_NAMED = 12


class ImageFile(NamedTuple):
    """A file that is an image by its ending."""

    path: str  # from the data set's folder
    label: int
    part: str | None  # as the folders give it
    size_bytes: int
    mtime_ns: int


class Listing:
    """What is in a folder of images. Raises MbsweepError where that makes no data set.

    shares: part -> percent that it gets where no folder is that part.

    classes: the names of their folders, sorted. files: all images, by path. dealt: the parts over which
    images must be shared out, as the folders do not give them; `train` among them where there are any. notes:
    what was understood, and what is left out.
    """

    classes: tuple[str, ...]
    files: tuple[ImageFile, ...]
    dealt: tuple[str, ...]

    def __init__(self, root: str, shares: Mapping[str, float]) -> None:
        self._root, self._where, self._shares = root, printable(root), shares
        self._others: Counter[str] = Counter()  # ending -> files that are no images
        self._hidden: list[str] = []  # paths of what systems leave behind
        self._seen: dict[str, tuple[list[str], list[str]]] = {}
        self.notes: list[str] = []
        self._list()

    def digest(self) -> str:
        """Hash of all that is listed, which changes when a file does."""
        listed = repr((self.files, sorted(self._others.items()), sorted(self._hidden)))
        return hashlib.sha256(listed.encode()).hexdigest()[:32]

    def _list(self) -> None:
        if not os.path.isdir(self._root):
            what = "is not a folder" if os.path.exists(self._root) else "there is no such folder"
            raise MbsweepError(f"{self._where}: {what}; set the data set's path to a folder of images")
        expected = "expected a folder for each class, with its images, or folders train, validation and test"
        top, loose = self._entries("")
        if not top and not loose:
            raise MbsweepError(f"{self._where}: the folder is empty; {expected}")
        given = self._given_parts(top)
        tops = given.items() if given else [(None, "")]
        found: dict[str | None, dict[str, list[ImageFile]]] = {}
        for part, folder in tops:
            names, beside = self._entries(folder) if folder else (top, [])
            loose = [*loose, *beside]
            found[part] = {name: [] for name in names}
        classes = sorted(set().union(*found.values()))
        if loose:
            self.notes.append(f"{count_of(len(loose))} beside the folders of the classes left out")
        for part, folder in tops:
            if lacking := [name for name in classes if name not in found[part]]:
                raise MbsweepError(
                    f"{self._where}: the parts do not have the same classes: {folder} lacks "
                    f"{some_of(lacking)}; add what is missing, or leave the classes out of all parts"
                )
            is_dealt = part == "train" and len(given) < len(PARTS)
            for label, name in enumerate(classes):
                path = os.path.join(folder, name)
                found[part][name] = self._images(path, label, None if is_dealt else part)
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
                + ("" if given else self._deeper(classes[0]))
            )
        if self._others:
            endings = ", ".join(printable(ending) or "none" for ending in sorted(self._others)[:NAMED])
            self.notes.append(
                f"{count_of(self._others.total())} whose ending is not that of an image left out: {endings}"
            )
        if self._hidden:
            self.notes.append(
                f"hidden files, system files and thumbnails left out: {len(self._hidden)}: "
                f"{some_of(sorted(self._hidden))}"
            )
        self.classes, self.files = tuple(classes), tuple(files)
        self.dealt = tuple(part for part in PARTS if part not in given or part == "train")
        if len(self.dealt) == 1:
            self.dealt = ()

    def _given_parts(self, top: Sequence[str]) -> dict[str, str]:
        """part -> its folder; nothing where the folders are those of classes."""
        tops = []
        for name in top:
            folders, files = self._entries(name)
            tops.append(TopFolder(name, len(folders), sum(map(is_image, files))))
        understood = understand(self._where, tops, self._shares)
        self.notes += understood.notes
        return understood.parts

    def _deeper(self, name: str) -> str:
        """A hint where the classes, or the parts, lie one folder further down."""
        if len(self._entries(name)[0]) < 2:
            return ""
        path = printable(os.path.join(self._root, name))
        return f"; it has folders of its own: if those are the classes, set the data set's path to {path}"

    def _entries(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of folders and of files, sorted, without hidden ones."""
        if folder in self._seen:
            return self._seen[folder]
        path = os.path.join(self._root, folder)
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            raise MbsweepError(
                f"{printable(path)}: the folder cannot be read: {error.strerror}; see to its permissions"
            ) from None
        hidden = [name for name in names if _is_left_behind(name)]
        self._hidden += [os.path.join(folder, name) for name in hidden]
        names = [name for name in names if name not in set(hidden)]
        folders = [name for name in names if os.path.isdir(os.path.join(path, name))]
        self._seen[folder] = folders, [name for name in names if name not in set(folders)]
        return self._seen[folder]

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
                if is_image(name):
                    found.append(ImageFile(path, label, part, *self._state(path)))
                else:
                    self._others[os.path.splitext(name)[1].lower()] += 1
        return found

    def _state(self, path: str) -> tuple[int, int]:
        """Bytes and time of the last change; -1 for a link that leads nowhere, which reading finds broken."""
        try:
            status = os.stat(os.path.join(self._root, path))
        except OSError:
            return -1, -1
        return status.st_size, status.st_mtime_ns


def is_image(name: str) -> bool:
    """Whether a file is an image by its ending."""
    return os.path.splitext(name)[1].lower() in ENDINGS


def _is_left_behind(name: str) -> bool:
    """Whether systems and programs leave such files and folders behind, and no one who collects images."""
    return name.startswith(".") or name.lower() in (*SYSTEM, *THUMBNAILS)


def some_of(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more


def class_words(names: Sequence[str]) -> str:
    """`3 classes: cat, dog, eel`; of many the first ones."""
    more = f" and {len(names) - CLASSES_NAMED} more" if len(names) > CLASSES_NAMED else ""
    return f"{len(names)} classes: {', '.join(map(printable, names[:CLASSES_NAMED]))}{more}"


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
