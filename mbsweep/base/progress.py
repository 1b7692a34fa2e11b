"""What a run tells while it goes on, and to whom."""

from __future__ import annotations

from typing import Protocol

from mbsweep.base.pace import Standing


class Progress(Protocol):
    """What a run tells while it goes on."""

    def say(self, message: str) -> None:
        """One line for the user."""

    def begin(self, task: str, total: int, done: int = 0) -> None:
        """A part of the run with so many steps begins, or goes on after so many that were done before."""

    def advance(self, done: str, steps: int = 1) -> None:
        """So many more steps are done."""

    def reach(self, standing: Standing) -> None:
        """So far the part is now, where its steps differ in what they cost."""

    def note(self, words: str, short: str = "") -> None:
        """What is still open in the part; it replaces what was noted before, and no log needs it.

        short: the same in fewer words, where there is no room for those.
        """


class Silent:
    """Tells nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def begin(self, task: str, total: int, done: int = 0) -> None:
        """Nothing."""

    def advance(self, done: str, steps: int = 1) -> None:
        """Nothing."""

    def reach(self, standing: Standing) -> None:
        """Nothing."""

    def note(self, words: str, short: str = "") -> None:
        """Nothing."""
