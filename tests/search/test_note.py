"""What stands beside the bar of a search."""

import io
import math

from rich.console import Console

from mbsweep.base.progress_bar import RichProgress
from mbsweep.search.note import search_note


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
