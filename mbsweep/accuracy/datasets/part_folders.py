"""Folders that are parts of a data set and not classes: how they are spelled, what is made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mbsweep.base.errors import MbsweepError

PARTS = ("train", "validation", "test")
# Beginnings of the words that mean a part; whatever else stands in a name keeps it from being one.
_WORDS = {"tr": "train", "va": "validation", "de": "validation", "te": "test"}
_WORD = r"(train(?:ing)?|val(?:id(?:at(?:e|ion))?)?|dev|test(?:ing)?)"
_BESIDE = r"(?:data|set|images?|img|imgs|pictures?|photos?|folder|split|part|samples?)"
_APART = r"[-_. ()0-9]*"
_PART = re.compile(rf"{_APART}(?:{_BESIDE}{_APART})*{_WORD}{_APART}(?:{_BESIDE}{_APART})*")
_HAS_WORD = re.compile(rf"(?:^|[\W\d_]){_WORD}(?:$|[\W\d_])")


def part_of(name: str) -> str | None:
    """The part that the name of a folder means: `Training`, `test_set`, `valid`, `images-train`."""
    found = _PART.fullmatch(name.lower())
    return _WORDS[found[1][:2]] if found else None


def _hinted(name: str) -> str | None:
    """The part that a name has a word of, among others that may mean anything: `seg_train`."""
    found = _HAS_WORD.search(name.lower())
    return _WORDS[found[1][:2]] if found else None


class TopFolder(NamedTuple):
    """A folder that lies directly in that of the data set."""

    name: str
    folders: int  # in it
    images: int  # directly in it

    @property
    def holds_classes(self) -> bool:
        """Whether it may be a part: a class has images, a part has folders of them."""
        return self.folders > 0 and (not self.images or self.folders > 1)


class Understood(NamedTuple):
    """What is made of the folders."""

    parts: dict[str, str]  # part -> its folder; empty where the folders are those of the classes
    notes: list[str]


def understand(where: str, tops: Sequence[TopFolder], shares: Mapping[str, float]) -> Understood:
    """Which folders are parts. A part that has no folder gets its share of the train part.

    where: the data set's folder, for messages. shares: part -> percent. Raises MbsweepError where the folders
    may mean one thing or the other.
    """
    named = [top for top in tops if part_of(top.name)]
    parts = [top for top in named if top.holds_classes]
    if not parts:
        return Understood({}, _taken_for_classes(where, tops, named))
    by_part: dict[str, list[str]] = {}
    for top in parts:
        by_part.setdefault(part_of(top.name) or "", []).append(top.name)
    if twice := [names for names in by_part.values() if len(names) > 1]:
        raise MbsweepError(f"{where}: has both {' and '.join(twice[0])}; keep one of the two")
    found = {part: by_part[part][0] for part in PARTS if part in by_part}
    present = ", ".join(found.values())
    if "train" not in found:
        raise MbsweepError(
            f"{where}: has {present}, but no folder train; add it, or give {present} another name if it is a "
            "class"
        )
    beside = [top for top in tops if top not in parts]
    if len(found) == 1 and any(top.folders or top.images for top in beside if top not in named):
        raise MbsweepError(
            f"{where}: {present!r} may be the train part or a class, for beside it is {_listed(beside)}; "
            "give it another name if it is a class, else move the others away"
        )
    notes = [", ".join(_part_words(part, found, shares) for part in PARTS)]
    notes += [f"not read, as it has no folders of classes: {top.name!r}" for top in beside if top in named]
    if others := [top for top in beside if top not in named]:
        notes.append(f"beside the parts, not read: {_listed(others)}")
    return Understood(found, notes)


def _part_words(part: str, found: Mapping[str, str], shares: Mapping[str, float]) -> str:
    if part in found:
        return f"{part} part: the folder {found[part]!r}"
    return f"{part} part: {shares[part]:g} % of the images in {found['train']!r}"


def _taken_for_classes(where: str, tops: Sequence[TopFolder], named: Sequence[TopFolder]) -> list[str]:
    """Notes where no folder is a part. MbsweepError where they cannot be classes either."""
    with_images = [top for top in tops if top.folders or top.images]
    if len({part_of(top.name) for top in named}) > 1 and len(named) == len(with_images):
        raise MbsweepError(
            f"{where}: {_listed(named)} are parts without classes; put the images of each class into a "
            "folder of its own in them"
        )
    hinted = [top for top in with_images if top.holds_classes and _hinted(top.name)]
    if len({_hinted(top.name) for top in hinted}) > 1:
        raise MbsweepError(
            f"{where}: {_listed(hinted)} look like parts and not like classes; call them train, validation "
            "and test"
        )
    return [f"a class, as it has images and no folders of classes: {top.name!r}" for top in named]


def _listed(tops: Sequence[TopFolder]) -> str:
    more = f" and {len(tops) - 5} more" if len(tops) > 5 else ""
    return ", ".join(repr(top.name) for top in tops[:5]) + more
