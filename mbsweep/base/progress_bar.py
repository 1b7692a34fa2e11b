"""What a run tells on a terminal: a bar with the time left, on stderr."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from mbsweep.base.errors import one_line
from mbsweep.base.pace import Standing
from mbsweep.base.printing import wrapped

_LEAST_BAR = 5  # columns of a bar that is still seen to move


def _clock(seconds: float) -> str:
    """`30:00:00`: hours, however many."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


class _Words(TextColumn):
    """What a part is and what is open in it: in short where it leaves no bar, cut where there is no room."""

    def __init__(self) -> None:
        super().__init__("")
        self.room = 1  # columns that there are now for it and the bar

    def render(self, task: Task) -> Text:
        words = Text(task.description)
        if words.cell_len > self.room - _LEAST_BAR and (short := task.fields["short"]):
            words = Text(short)
        words.truncate(self.room, overflow="ellipsis")
        return words


class _Steps(TextColumn):
    """`12/72`: steps, which need not all be as long on the bar. As wide at any time."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        standing: Standing | None = task.fields["standing"]
        done, total = (standing.done, standing.total) if standing else (int(task.completed), task.total)
        of = f"{total:.0f}"
        return Text(f"{done:{len(of)}}/{of}", style="progress.download")


class _Elapsed(TextColumn):
    """The time that a part has taken so far."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        taken_s = task.finished_time if task.finished else task.elapsed
        return Text(_clock(int(taken_s or 0)), style="progress.elapsed")


class _Left(TimeRemainingColumn):
    """The time left: as the part knows it itself, or by the steps of the last two minutes."""

    max_refresh = 0.0  # the part itself says how often

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        standing: Standing | None = task.fields["standing"]
        if standing is None:
            return super().render(task)
        return Text(_clock(standing.left_s), style="progress.remaining")


class _Parts(Progress):
    """A line for each part of the run."""

    def __init__(self, console: Console) -> None:
        self._console, self._words = console, _Words()
        self._beside = (_Steps(), _Elapsed(), TextColumn("left"), _Left())
        columns = (self._words, BarColumn(), *self._beside)
        super().__init__(*columns, console=console, auto_refresh=False, speed_estimate_period=120)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """What rich draws. Steps and times have one width on all lines; what they leave is for the words."""
        tasks = list(tasks)
        widths = [max((one.render(task).cell_len for task in tasks), default=0) for one in self._beside]
        between = len(widths) + 1  # spaces: the words and the bar stand there, too
        self._words.room = max(1, self._console.width - sum(widths) - between)
        return super().make_tasks_table(tasks)


class RichProgress:
    """A bar per part of the run. It is drawn between timed calls only, never by a thread beside them."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._bar = _Parts(console)
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
        self._task = self._bar.add_task(self._part, total=total, completed=done, standing=None, short="")
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
            in_short = f"{self._part}, {short}" if short else ""
            self._bar.update(self._task, description=f"{self._part}, {words}", short=in_short)
            self._draw()

    def _draw(self) -> None:
        if self._terminal:
            self._bar.refresh()
