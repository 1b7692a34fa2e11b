"""The bar on a terminal."""

import io
import re

from rich.console import Console

from mbsweep.base.pace import Standing
from mbsweep.base.progress_bar import RichProgress


def drawn(use):
    """The last line of the terminal after some use of the bar, without colours."""
    file = io.StringIO()
    with RichProgress(Console(file=file, force_terminal=True, width=100, color_system=None)) as progress:
        use(progress)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).strip().splitlines()[-1].strip()


def test_steps_are_counted():
    """Five of ten."""

    def use(progress):
        progress.begin("measure", 10)
        progress.advance("net", 5)

    assert " 5/10 " in drawn(use)


def test_a_name_is_neither_markup_nor_more_than_a_line():
    """A run, or the title of its sweep, may be called anything."""

    def use(progress):
        progress.begin("read [red]wide[/] [/x]\n\x1b[2Jnets", 10)
        progress.advance("net")

    assert drawn(use).startswith("read [red]wide[/] [/x] [2Jnets ")


def test_what_was_done_before_says_nothing_of_the_time_left():
    """A run that goes on after 900 of 1000 steps: of one step since then no speed can be told."""

    def use(progress):
        progress.begin("measure", 1000, 900)
        progress.advance("net")

    line = drawn(use)
    assert " 901/1000 " in line
    assert line.endswith("left -:--:--")


def test_a_part_that_knows_how_far_it_is_says_so():
    """Nine epochs of 72, a hundredth of the work, and 13 minutes 26 left: as soon as it says so."""

    def use(progress):
        progress.begin("train on digits", 72)
        progress.reach(Standing(9, 72, 0.01, 806))

    line = drawn(use)
    assert line.startswith("train on digits ")
    assert " 9/72 " in line
    assert line.endswith("left 0:13:26")


def test_what_is_still_open_stands_beside_the_bar():
    """It replaces what was noted before; the next part begins without it."""

    def use(progress):
        progress.begin("measure", 10)
        progress.note("7 still wider than 2 %")
        progress.note("3 still wider than 2 %")

    assert drawn(use).startswith("measure, 3 still wider than 2 % ")

    def go_on(progress):
        use(progress)
        progress.begin("train", 72)
        progress.advance("net")

    assert drawn(go_on).startswith("train ")


def test_a_long_line_is_broken_between_words():
    """On a terminal; a log has it whole."""
    words = "torch-fp32-b1-t1: " + "the middle half of the calls is spread " * 4
    for is_terminal in (True, False):
        file = io.StringIO()
        console = Console(file=file, force_terminal=is_terminal, width=60, color_system=None)
        with RichProgress(console) as progress:
            progress.say(words.strip())
        lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).replace("\r", "").split("\n")
        assert " ".join(lines).split() == words.split()
        assert (max(map(len, lines)) <= 60) == is_terminal


def test_no_bar_where_there_is_no_terminal():
    """One line for each part."""
    file = io.StringIO()
    with RichProgress(Console(file=file, width=100)) as progress:
        progress.begin("train on digits", 72)
        progress.reach(Standing(9, 72, 0.01, 806))
        progress.note("3 are open")
        progress.advance("net")
    assert file.getvalue() == "train on digits (72)\n"
