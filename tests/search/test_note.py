"""What stands beside the bar of a search."""

import io
import math

from rich.console import Console

from mbsweep.base.pace import Standing
from mbsweep.base.progress_bar import RichProgress
from mbsweep.search.note import Watched, search_note


def test_what_is_known_is_said_in_few_words():
    """A share in percent; nothing of what is unknown, and of failures only where there are some."""
    assert search_note(0.8134, 9, 0) == "hypervolume 81.3 %, 9 on the front"
    assert search_note(0.8134, 9, 2) == "hypervolume 81.3 %, 9 on the front, 2 failed"
    assert search_note(math.nan, 0, 1) == "0 on the front, 1 failed"


def test_it_fits_beside_the_bar_of_a_narrow_terminal():
    """Eighty columns show all of it, and how many evaluations there were, on one line."""
    drawn = io.StringIO()
    with RichProgress(Console(file=drawn, width=80, force_terminal=True)) as progress:
        progress.begin("search", 60)
        progress.advance("evaluation", 12)
        progress.note(search_note(0.8134, 9, 2))
    last = drawn.getvalue().rstrip("\x1b[?25hl\n\r").splitlines()[-1]
    assert "search, hypervolume 81.3 %, 9 on the front, 2 failed" in last
    assert "12/60" in last


class Heard:
    """A progress that keeps what it is told."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        return lambda *words: self.told.append((name, *words))


def test_a_search_has_one_bar_for_all_evaluations():
    """Two of six were made before; then two at once, in two parts of their own, and one: 1 s for each."""
    heard, times = Heard(), iter([0.0, 1.0, 2.0, 3.0])
    watched = Watched(heard, 6, 2, clock=lambda: next(times))
    watched.batch(2)
    watched.begin("train", 4)
    watched.advance("epoch", 2)
    watched.begin("test", 10)
    watched.advance("network")
    watched.note("not beside this bar")
    watched.ended("so it stands")
    watched.batch(1)
    watched.begin("train", 1)
    watched.reach(Standing(1, 1, 1.0, 0.0))
    assert heard.told == [
        ("begin", "search", 6, 2),
        ("reach", Standing(2, 6, 3 / 6, 3.0)),
        ("advance", "evaluation", 2),
        ("reach", Standing(4, 6, 4 / 6, 2.0)),
        ("note", "so it stands"),
        ("reach", Standing(4, 6, 5 / 6, 1.0)),
    ]
