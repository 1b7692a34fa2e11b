"""What can be said of a data set before its images are read."""

from __future__ import annotations

from typing import NamedTuple


class Seen(NamedTuple):
    """A data set from outside: its archive, its folders and files, or its settings."""

    class_count: int
    classes: tuple[str, ...]  # their names; empty where only reading tells
    sizes: dict[str, int]  # part -> images
    is_exact: bool  # whether those are the sizes, and not about the sizes
    remarks: tuple[str, ...]  # what was understood, and what is left out
    file_bytes: int  # of the files that have to be decoded
