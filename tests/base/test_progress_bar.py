"""The bar on a terminal."""

import io
import re
from time import monotonic

import pytest
from rich.console import Console

from mbsweep.base.pace import Standing
from mbsweep.base.progress_bar import RichProgress


def drawn(use, width=100, clock=monotonic):
    """The last line of the terminal after some use of the bar, without colours."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None, get_time=clock)
    with RichProgress(console) as progress:
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


NODES = [("node-a 2, node-b 1", "2 nodes"), ("30 nodes", "30 nodes")]  # words, and in short
LEFT = {None: "-:--:--", 2: "2:00:00", 10: "10:00:00", 25: "25:00:00", 400: "400:00:00"}
ELAPSED = {0: "0:00:00", 3: "3:00:00", 30: "30:00:00"}


@pytest.mark.parametrize("elapsed_h", ELAPSED)
@pytest.mark.parametrize("left_h", LEFT)
@pytest.mark.parametrize("nodes", NODES)
@pytest.mark.parametrize("part", ["train on digits-3fa91c5e", "train on imagefolder-9ab69307"])
def test_times_are_whole_on_80_columns(part, nodes, left_h, elapsed_h):
    """In hours, on one line with the steps and a bar. What is open is told in the words that there is room
    for by then: less after a day than when they came.
    """
    now = [0.0]

    def use(progress):
        progress.begin(part, 720, 288)
        progress.note(*nodes)
        now[0] += elapsed_h * 3600
        if left_h is None:
            progress.advance("net")
        else:
            progress.reach(Standing(289, 720, 0.4, left_h * 3600))

    line = drawn(use, width=80, clock=lambda: now[0])
    assert any(line.startswith(f"{part}, {words} ━") for words in nodes)
    assert line.endswith(f" 289/720 {ELAPSED[elapsed_h]} left {LEFT[left_h]}")
    assert len(line) == 80


def test_words_are_in_short_only_while_they_must():
    """Ten hours take a column more than nine. A bar of five columns is the least."""
    nodes = "node-a 22, node-b 1"

    def words(*hours):
        def use(progress):
            progress.begin("train on digits-3fa91c5e", 720)
            progress.note(nodes, "2 nodes")
            for left in hours:
                progress.reach(Standing(288, 720, 0.4, left * 3600))

        line = drawn(use, width=80)
        return line.partition(" ━")[0].partition(", ")[2]

    assert (words(9), words(9, 10), words(9, 10, 9)) == (nodes, "2 nodes", nodes)


def test_where_there_is_no_room_words_are_cut_and_times_are_not():
    """The times of all parts have one width: those of one that took 30 hours, too."""
    now = [0.0]

    def use(progress):
        progress.begin("measure", 10)
        now[0] += 30 * 3600
        progress.advance("net", 10)
        progress.begin("read a title that has no end, nor a point, nor anything", 720)
        progress.note("7 still wider than 2 %")
        progress.reach(Standing(288, 720, 0.4, 36_100))

    line = drawn(use, width=60, clock=lambda: now[0])
    assert re.fullmatch(r"read a title that has no en…  288/720 0:00:00  left 10:01:40", line)


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
