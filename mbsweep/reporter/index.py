"""The index of a folder: every page in it that mbsweep has written, by what its head tells of it."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mbsweep.reporter.parts import Part

NAME = "index.html"
_HEAD_BYTES = 200_000  # of a page, in which its entry stands; one that is longer is listed by its title

# The head of a page, and of one of before it named its maker there.
_OURS = re.compile(rb'<meta name="generator" content="mbsweep">|mbsweep( runs)?</title>')
_ENTRY = re.compile(rb'<meta name="mbsweep-entry" content="([^"]*)">')
_TITLE = re.compile(rb"<title>(.*?)(?: - mbsweep)?</title>", re.DOTALL)


def is_ours(page: Path) -> bool:
    """Whether mbsweep has written a page."""
    return _OURS.search(_head(page, 2000)) is not None


def entry(title: str, parts: Sequence[Part], facts: Sequence[tuple[str, str]]) -> str:
    """What a page tells the index of itself, as JSON."""
    starts = [session["started_utc"] for part in parts for session in part.about["sessions"]]
    runs = [
        {"name": part.name, "path": part.path}
        | {key: str(part.about[key] or "") for key in ("title", "description")}
        for part in parts
    ]
    return json.dumps({"title": title, "runs": runs, "last": max(starts, default=""), "facts": facts})


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """What the index tells of each page of a folder, by file name."""
    for page in sorted(folder.glob("*.html")):
        if page.name != NAME and is_ours(page):
            yield _read(_head(page, _HEAD_BYTES)) | {"link": quote(os.fsencode(page.name))}


def _read(head: bytes) -> dict[str, Any]:
    """Of the head of a page; of one of an earlier mbsweep the title alone."""
    if found := _ENTRY.search(head):
        with suppress(ValueError):  # somebody has changed it
            told: dict[str, Any] = json.loads(html.unescape(found[1].decode(errors="replace")))
            return told
    title = _TITLE.search(head)
    words = html.unescape(title[1].decode(errors="replace")) if title else "a page"
    return {"title": words, "runs": [], "last": "", "facts": []}


def _head(page: Path, count: int) -> bytes:
    try:
        with page.open("rb") as file:
            return file.read(count)
    except OSError:
        return b""
