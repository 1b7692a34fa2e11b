"""The index of a folder: every page in it that mbsweep has written, by what its head tells of it."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel

from mbsweep.base.files import as_text
from mbsweep.reporter.parts import Part

NAME = "index.html"
_HEAD_BYTES = 200_000  # of a page, in which its entry stands; one that is longer is listed by its title

# The head of a page, and of one of before it named its maker there.
_OURS = re.compile(rb'<meta name="generator" content="mbsweep">|mbsweep( runs)?</title>')
_ENTRY = re.compile(rb'<meta name="mbsweep-entry" content="([^"]*)">')
_TITLE = re.compile(rb"<title>(.*?)(?: - mbsweep)?</title>", re.DOTALL)


class _Run(BaseModel):
    name: str
    path: str
    title: str
    description: str


class Entry(BaseModel):
    """What the index tells of a page. last: when something was measured or trained last, UTC; or nothing."""

    title: str
    runs: list[_Run] = []
    last: str = ""
    facts: list[tuple[str, str]] = []


def is_ours(page: Path) -> bool:
    """Whether mbsweep has written a page."""
    return _OURS.search(_head(page, 2000)) is not None


def entry(title: str, parts: Sequence[Part], facts: Sequence[tuple[str, str]]) -> str:
    """What a page tells the index of itself, as JSON."""
    starts = [session["started_utc"] for part in parts for session in part.about["sessions"]]
    runs = [
        _Run(
            name=part.name,
            path=as_text(part.path),
            title=part.about["title"] or "",
            description=part.about["description"] or "",
        )
        for part in parts
    ]
    return Entry(title=title, runs=runs, last=max(starts, default=""), facts=list(facts)).model_dump_json()


def entries(folder: Path) -> Iterator[tuple[str, Entry]]:
    """The link to each page of a folder, by file name, and what the index tells of it."""
    for page in sorted(folder.glob("*.html")):
        if page.name != NAME and page.is_file() and is_ours(page):  # a pipe would be waited for
            yield quote(os.fsencode(page.name)), _read(_head(page, _HEAD_BYTES))


def _read(head: bytes) -> Entry:
    """Of the head of a page; of one of another mbsweep, or that somebody has changed, the title alone."""
    if found := _ENTRY.search(head):
        with suppress(ValueError):
            return Entry.model_validate_json(html.unescape(found[1].decode(errors="replace")))
    title = _TITLE.search(head)
    return Entry(title=html.unescape(title[1].decode(errors="replace")) if title else "a page")


def _head(page: Path, count: int) -> bytes:
    try:
        with page.open("rb") as file:
            return file.read(count)
    except OSError:
        return b""
