"""What a run tells on a terminal: a bar with the time left, on stderr."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class RichProgress:
    """A bar per part of the run. It is drawn between timed calls only, never by a thread beside them."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self._bar = Progress(*columns, *times, console=console, auto_refresh=False, speed_estimate_period=120)
        self._task: TaskID | None = None
        self._terminal = console.is_terminal

    def __enter__(self) -> Self:
        if self._terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            self._bar.refresh()
            self._bar.stop()

    def say(self, message: str) -> None:
        """One line for the user."""
        self._bar.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def begin(self, task: str, total: int) -> None:
        """A part of the run with so many steps begins."""
        self._task = self._bar.add_task(task, total=total)
        if not self._terminal:
            self.say(f"{task} ({total})")

    def advance(self, done: str, steps: int = 1) -> None:
        """One more step is done."""
        if self._task is not None:
            self._bar.advance(self._task, steps)
            if self._terminal:
                self._bar.refresh()
