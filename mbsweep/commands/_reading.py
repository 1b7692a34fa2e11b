"""How far reading a run is, where it is large: others are read before a bar could be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress, Silent
from mbsweep.base.progress_bar import RichProgress
from mbsweep.table.results import Run


def _is_large(run: Run) -> bool:
    try:
        return run.is_large
    except MbsweepError:  # which is told where the run is read
        return False


@contextmanager
def reading(runs: Sequence[Run], is_quiet: bool = False) -> Iterator[Progress]:
    """Who is told how far reading some runs is, and what is made of them."""
    if is_quiet or not any(map(_is_large, runs)):
        yield Silent()
        return
    with RichProgress() as progress:
        yield progress
