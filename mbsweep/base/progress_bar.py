"""What a run tells on a terminal: a bar with the time left, on stderr."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mbsweep.base.errors import one_line
from mbsweep.base.pace import Standing
from mbsweep.base.printing import wrapped

_BESIDE = " ----- / 0:00:00 left 00:00:00"  # the least that stands beside a part's words, but for the steps


class _Steps(TextColumn):
    """`12/72`: steps, which need not all be as long on the bar."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        standing: Standing | None = task.fields["standing"]
        done, total = (standing.done, standing.total) if standing else (int(task.completed), task.total)
        return Text(f"{done}/{total:.0f}", style="progress.download")


class _Left(TimeRemainingColumn):
    """The time left: as the part knows it itself, or by the steps of the last two minutes."""

    max_refresh = 0.0  # the part itself says how often

    def render(self, task: Task) -> Text:
        standing: Standing | None = task.fields["standing"]
        if standing is None:
            return super().render(task)
        return Text(str(timedelta(seconds=round(standing.left_s))), style="progress.remaining")


class RichProgress:
    """A bar per part of the run. It is drawn between timed calls only, never by a thread beside them."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), _Steps())
        times = (TimeElapsedColumn(), TextColumn("left"), _Left())
        self._bar = Progress(*columns, *times, console=console, auto_refresh=False, speed_estimate_period=120)
        self._task: TaskID | None = None
        self._part = ""
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
        """One line for the user; a terminal gets it broken between words."""
        lines = wrapped(message, self._bar.console.width if self._terminal else None)
        self._bar.console.print(lines, markup=False, highlight=False, soft_wrap=True)

    def begin(self, task: str, total: int, done: int = 0) -> None:
        """A part of the run with so many steps begins; those done before tell nothing of the time left."""
        self._part = one_line(task)  # it may name a file's title
        self._task = self._bar.add_task(self._part, total=total, completed=done, standing=None)
        if not self._terminal:
            self.say(f"{self._part} ({total})")

    def advance(self, done: str, steps: int = 1) -> None:
        """One more step is done."""
        if self._task is not None:
            self._bar.advance(self._task, steps)
            self._draw()

    def reach(self, standing: Standing) -> None:
        """So far the part is now."""
        if self._task is not None:
            self._bar.update(self._task, completed=standing.share, total=1, standing=standing)
            self._draw()

    def note(self, words: str, short: str = "") -> None:
        """What is still open, beside the bar; short: where the time left would not fit beside those words."""
        if self._task is not None:
            task = self._bar.tasks[self._task]
            room = self._bar.console.width - len(_BESIDE) - 2 * len(_Steps().render(task).plain.split("/")[1])
            if short and len(f"{self._part}, {words}") > room:
                words = short
            self._bar.update(self._task, description=f"{self._part}, {words}")
            self._draw()

    def _draw(self) -> None:
        if self._terminal:
            self._bar.refresh()
