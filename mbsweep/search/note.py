"""What is told of a search while it goes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from mbsweep.base.pace import Standing
from mbsweep.base.progress import Progress


def search_note(hypervolume: float, front: int, failed: int) -> str:
    """For `Progress.note`, beside a bar, so in few words.

    hypervolume: after the last evaluation, as a share of the reference box; NaN before the first. front: how
    many variants are on the front so far. failed: how many evaluations have.
    """
    said = [] if math.isnan(hypervolume) else [f"hypervolume {100 * hypervolume:.1f} %"]
    said.append(f"{front} on the front")
    return ", ".join(said + ([f"{failed} failed"] if failed else []))


class Watched:
    """A search as one part of a run: what evaluations tell of parts of their own moves its bar.

    So a progress for those who evaluate: sixty evaluations would else have sixty bars.
    """

    def __init__(
        self, progress: Progress, total: int, done: int, clock: Callable[[], float] = monotonic
    ) -> None:
        """total: evaluations. done: those that were made before."""
        self._progress, self._total, self._done, self._before = progress, total, done, done
        self._clock, self._began_s = clock, clock()
        self._batch, self._steps, self._of, self._share = 1, 0, 1, 0.0
        progress.begin("search", total, done)

    def batch(self, count: int) -> None:
        """So many are evaluated at once."""
        self._batch, self._share = count, 0.0

    def ended(self, note: str) -> None:
        """They are evaluated. note: how the search stands."""
        self._done += self._batch
        self._share = 0.0
        self._progress.advance("evaluation", self._batch)
        self._draw()
        self._progress.note(note)

    def say(self, message: str) -> None:
        """One line for the user."""
        self._progress.say(message)

    def begin(self, task: str, total: int, done: int = 0) -> None:
        """A part of the batch begins."""
        self._steps, self._of = done, max(total, 1)

    def advance(self, done: str, steps: int = 1) -> None:
        """So many more steps of it are done."""
        self._steps += steps
        self._move(self._steps / self._of)

    def reach(self, standing: Standing) -> None:
        """So far it is."""
        self._move(standing.share)

    def note(self, words: str, short: str = "") -> None:
        """What is open in it does not fit beside the bar."""

    def _move(self, share: float) -> None:
        if share > self._share:  # a batch may have several parts: the bar never goes back
            self._share = min(share, 1.0)
            self._draw()

    def _draw(self) -> None:
        made = self._done + self._share * self._batch
        if made > self._before:
            each_s = (self._clock() - self._began_s) / (made - self._before)
            left_s = max(self._total - made, 0) * each_s
            self._progress.reach(Standing(self._done, self._total, made / self._total, left_s))
