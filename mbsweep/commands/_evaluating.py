"""`mbsweep evaluate`: how the network of a file does on a part of a data set, class by class."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from torch import Tensor

from mbsweep.accuracy.datasets import Dataset, Part
from mbsweep.accuracy.datasets.picture import printable
from mbsweep.accuracy.training.checkpoint import Checkpoint
from mbsweep.accuracy.training.evaluating import TEST_BATCH, Outcome, outcome
from mbsweep.base.printing import Table, say
from mbsweep.commands._images import images_for, judged
from mbsweep.commands._network_files import NetworkFile, open_network
from mbsweep.commands._training import told
from mbsweep.statistics.seeds import NO_SEED_NOISE, spread

COLUMNS = 80  # that a confusion matrix may take
MOST_CLASSES = 12  # that have one
MOST_PAIRS = 10  # of classes, and classes, that are named where there are more
LONGEST_NAME, SHORTEST_NAME = 28, 8  # of a class, in columns


@dataclass(frozen=True)
class Evaluated:
    """A network, tested."""

    file: NetworkFile
    images: Dataset
    part: str
    found: Outcome
    labels: NDArray[np.int64]
    words: str  # what must be said of the images

    @property
    def taken_for(self) -> list[tuple[int, int, int]]:
        """(class that an image is of, class that it was taken for, how many), of all that occur."""
        count = len(self.file.classes)
        pairs, images = np.unique(self.labels * count + self.found.guessed, return_counts=True)
        return [
            (*divmod(pair, count), many) for pair, many in zip(pairs.tolist(), images.tolist(), strict=True)
        ]

    @property
    def right(self) -> NDArray[np.int64]:
        """(classes, 2): of how many images the class was right, and how many there are."""
        count = len(self.file.classes)
        right = np.bincount(self.labels[self.found.correct], minlength=count)
        return np.stack([right, np.bincount(self.labels, minlength=count)], axis=1)


def evaluate_network(path: Path, dataset: str | None, part: str) -> Evaluated:
    """The network of a file on a part of a data set; default what it was trained on.

    Raises MbsweepError where the file is no network, or the data set has other classes than it knows.
    """
    file = open_network(path)
    images = images_for(path, file.state, dataset, file.resolution)
    some = judged(path, file.state, images, part, file.resolution)
    found = outcome(_batches(file, some.part))
    words = f"{some.words}{_read_otherwise(file.state, images)}"
    return Evaluated(file, images, part, found, some.part.labels, words)


def _batches(file: NetworkFile, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores and labels of some images at a time: of many classes, those of all would fill the memory."""
    for start in range(0, len(part.labels), TEST_BATCH):
        some = slice(start, start + TEST_BATCH)
        yield torch.from_numpy(file.scores(part.images[some])), torch.from_numpy(part.labels[some].copy())


def print_evaluated(done: Evaluated) -> None:
    """Print accuracy, then which classes are taken for which."""
    say(f"{done.file.path}: {done.file.name}, {told(done.found, done.images, done.part)}{done.words}")
    names = done.file.classes
    table = _matrix(done, names)
    if table is not None:
        say("\nimages of each class (rows), and what they were taken for:")
        table.print()
        return
    for line in _worst(done, names):
        say(line)


def _matrix(done: Evaluated, names: Sequence[str]) -> Table | None:
    """A row for each class; None where that does not fit."""
    if len(names) > MOST_CLASSES:
        return None
    confusion = np.zeros((len(names), len(names)), np.int64)
    for one, other, images in done.taken_for:
        confusion[one, other] = images
    for longest in range(LONGEST_NAME, SHORTEST_NAME - 1, -4):
        table = Table(["", *(str(place) for place in range(1, len(names) + 1)), "right"])
        for place, (name, row) in enumerate(zip(names, confusion.tolist(), strict=True)):
            counts = [str(count) if count else "." for count in row]
            short = f"{place + 1} {safe_name(name, longest)}"
            table.add(short, *counts, _share(row[place], sum(row)))
        if max(cell_len(line) for line, _ in table.lines(None)) <= COLUMNS:
            return table
    return None


def _share(right: int, images: int) -> str:
    return f"{100 * right / images:.1f} %" if images else "unknown"


def _worst(done: Evaluated, names: Sequence[str]) -> Iterator[str]:
    """The classes that are told worst, and the pairs that are taken for each other most, of many classes."""
    right, counts = done.right.T
    known = np.flatnonzero(counts)
    ordered = known[np.argsort(right[known] / counts[known], kind="stable")].tolist()
    yield f"\nright in each of {len(names):,} classes, the worst first:"
    for place in ordered[:MOST_PAIRS]:
        share = _share(int(right[place]), int(counts[place]))
        yield f"  {share:>7}  {safe_name(names[place])} ({counts[place]:,} images)"
    if (more := len(ordered) - MOST_PAIRS) > 0:
        best = ordered[-1]
        yield f"  and {more:,} more, up to {_share(int(right[best]), int(counts[best]))}; all with --json"
    wrong = sorted((-images, one, other) for one, other, images in done.taken_for if one != other)
    if wrong:
        yield "most often taken for another:"
    for images, one, other in wrong[:MOST_PAIRS]:
        yield f"  {-images:>7,}  {safe_name(names[one])}, taken for {safe_name(names[other])}"


def safe_name(name: str, longest: int = LONGEST_NAME) -> str:
    """A class's name on one line, in printable letters, and in no more than so many columns."""
    plain = printable(name)
    return plain if cell_len(plain) <= longest else set_cell_size(plain, longest - 3).rstrip() + "..."


def as_json(done: Evaluated) -> str:
    """All that is known, for programs: unknown is null."""
    ends = spread([done.found.correct], NO_SEED_NOISE)
    return json.dumps(
        {
            "file": str(done.file.path),
            "network": done.file.name,
            "dataset": done.images.id,
            "part": done.part,
            "images": len(done.labels),
            "top1_pct": done.found.top1_pct,
            "top1_low_pct": ends.low_pct,
            "top1_high_pct": ends.high_pct,
            "top5_pct": None if np.isnan(done.found.top5_pct) else done.found.top5_pct,
            "note": done.words.removeprefix("; ") or None,
            "classes": [
                {"class": name, "images": images, "right": right}
                for name, (right, images) in zip(done.file.classes, done.right.tolist(), strict=True)
            ],
            "taken_for": done.taken_for,
        },
        indent=1,
    )


def _read_otherwise(state: Checkpoint, images: Dataset) -> str:
    """What is said where images are not read as those that a network has learnt."""
    own = state.origin.reading
    differ = [f"{name} {own[name]}" for name in own if own[name] != images.reading.get(name)]
    return f"; its images were read otherwise: {', '.join(differ)}" if differ else ""
