"""What commands print on stdout: whole into a pipe, in a terminal so that no number and no name is cut."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

BETWEEN = "  "  # two columns
INDENT = "    "  # of what is folded
_JOIN = " \\"


def terminal_columns() -> int | None:
    """How wide the terminal is; None where stdout is a pipe or a file, which takes all."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(text: str = "", style: str = "") -> None:
    """Print lines of words; a terminal gets them broken between words."""
    for line in text.split("\n"):
        _print(wrapped(line, terminal_columns()), style)


def say_command(line: str, indent: str = "  ") -> None:
    """Print a command to be copied; a terminal gets it over several lines that a shell joins again."""
    columns = terminal_columns()
    for part in _continued(line, None if columns is None else columns - len(indent)):
        print(indent + part)  # as it is: rich would make spaces of a tab


def _continued(line: str, columns: int | None) -> list[str]:
    """Its lines, each but the last with a backslash at its end; words stay whole."""
    if columns is None or cell_len(line) <= columns:
        return [line]
    lines = [""]
    for word in map(shlex.quote, shlex.split(line)):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(longer) > columns - len(_JOIN):
            lines.append(INDENT + word)
        else:
            lines[-1] = longer
    return [*(part + _JOIN for part in lines[:-1]), lines[-1]]


def wrapped(line: str, columns: int | None) -> str:
    """A line broken between words where it is longer than so many columns; None: whatever its length."""
    if columns is None or cell_len(line) <= columns:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    broken = textwrap.wrap(
        line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(broken)


def _print(text: str, style: str = "") -> None:
    # No markup: a folder may be called "[red]".
    Console(file=sys.stdout, highlight=False, emoji=False).print(Text(text, style=style), soft_wrap=True)


@dataclass
class Table:
    """Columns under their titles. left: those that are aligned to the left; the others are to the right.

    Where a terminal is too narrow for a row, it is folded between columns into lines, and so are the titles.
    """

    titles: Sequence[str]
    left: Collection[int] = (0,)
    rows: list[tuple[Sequence[str] | str, str]] = field(default_factory=list)

    def add(self, *cells: str, style: str = "") -> None:
        """Add a row."""
        self.rows.append((cells, style))

    def add_words(self, words: str) -> None:
        """Add a line of words between the rows: what those below are."""
        self.rows.append((words, ""))

    def print(self) -> None:
        """Print it."""
        for line, style in self.lines(terminal_columns()):
            _print(line, style)

    def lines(self, columns: int | None) -> Iterator[tuple[str, str]]:
        """Each line with its style, for a terminal of so many columns."""
        rows = [(self.titles, "bold"), *self.rows]
        all_cells = (cells for cells, _ in rows if not isinstance(cells, str))
        widths = [max(map(cell_len, cells)) for cells in zip(*all_cells, strict=True)]
        folded = list(_folded(widths, columns))
        for cells, style in rows:
            if isinstance(cells, str):
                yield from ((part, style) for part in wrapped(cells, columns).split("\n"))
                continue
            for number, places in enumerate(folded):
                line = BETWEEN.join(self._padded(cells[place], place, widths[place]) for place in places)
                if number == 0 or line.strip():
                    # One cell alone may be too wide: it is words, which are broken between them.
                    whole = wrapped((INDENT if number else "") + line.rstrip(), columns)
                    yield from ((part, style) for part in whole.split("\n"))

    def _padded(self, cell: str, place: int, width: int) -> str:
        space = " " * (width - cell_len(cell))
        return cell + space if place in self.left else space + cell


def _folded(widths: Iterable[int], columns: int | None) -> Iterator[list[int]]:
    """The places of the columns that stand on each line."""
    places: list[int] = []
    used = 0
    for place, width in enumerate(widths):
        if places and columns is not None and used + len(BETWEEN) + width > columns:
            yield places
            places, used = [], len(INDENT) - len(BETWEEN)
        used += width + (len(BETWEEN) if places or used else 0)
        places.append(place)
    yield places
