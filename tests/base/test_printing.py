"""What commands print: into a pipe everything; in a terminal of any width, too, and nothing is cut."""

import fcntl
import io
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
from collections import Counter

import pytest
from console import COMMAND, call
from hypothesis import given
from hypothesis import strategies as st
from page_runs import rich_run
from reporter_runs import write_run

from mbsweep.base.printing import Table, _continued, say, wrapped
from mbsweep.base.suggest import command
from mbsweep.commands import _layer_times
from mbsweep.space.families import architecture
from mbsweep.space.variant import Variant

LONG = ["--width", "0.3333333333333333", "--resolution", "224", "--stage-channels", "48,96,192,384,768"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs, made up, whose variants have long names."""
    folder = tmp_path_factory.mktemp("runs")
    return rich_run(folder / "one"), write_run(folder / "other")


@pytest.fixture
def timed(monkeypatch):
    """`show --latency` without measuring: each layer takes 12,345.678 µs."""
    names = [layer.child for layer in architecture(Variant()).layers]
    monkeypatch.setattr(
        _layer_times, "_measure", lambda *_: (dict.fromkeys([*names, "(reorder)"], 12_345_678.0), 1e9)
    )
    monkeypatch.setattr(_layer_times, "peak_macs_per_s", lambda: 123_456_789_012.0)
    monkeypatch.setattr(_layer_times, "bandwidth_bytes_per_s", lambda: 12_345_678_901.0)


PRINTING = {
    "show": lambda *_: ["show"],
    "show unusual": lambda *_: ["show", *LONG],
    "show --latency": lambda *_: ["show", "--latency", "--threads", 1],
    "reproduce": lambda *_: ["reproduce"],
    "compare": lambda one, other: ["compare", one, other],
    "pick": lambda one, _: ["pick", one, "--max-latency-ms", 5, "--max-macs", 3e8],
    "front": lambda one, _: ["front", one],
    "front of sizes": lambda one, _: ["front", one, "--cost", "peak_activation_bytes"],
    "plan": lambda *_: ["plan", "sweeps/width_res.yaml", "--out", "no/such/folder"],
    "table": lambda one, _: ["table", one, "--columns", "variant,config,latency_ms,top1_pct,macs,params"],
}


@pytest.mark.usefixtures("timed")
@pytest.mark.parametrize("name", PRINTING)
def test_no_number_and_no_name_is_lost_or_cut(name, runs, monkeypatch):
    """All words that a pipe gets, a terminal shows, each whole and on a line that is not too long for it."""
    words = PRINTING[name](*runs)
    monkeypatch.setenv("COLUMNS", "40")  # of the shell around a pipe: not the pipe's width
    piped = call(*words)
    assert (piped.exit_code, piped.stderr) == (0, "")
    for columns in (60, 80, 120):
        monkeypatch.setattr("mbsweep.base.printing.terminal_columns", lambda columns=columns: columns)
        shown = call(*words).stdout
        if name != "table":  # to which a terminal is no pipe
            shown_words = [word for word in shown.split() if word != "\\"]  # of a command over several lines
            again = Counter(shown_words) - Counter(piped.stdout.split())
            assert not Counter(piped.stdout.split()) - Counter(shown_words), columns
            assert not again or (name == "compare" and all(map(str.isdigit, again))), columns  # heads of rows
            folded = len(shown.splitlines()) > len(piped.stdout.splitlines())
            assert folded or columns == 120 or name == "plan", columns
        assert max(map(len, shown.splitlines())) <= columns


@given(
    words=st.lists(st.text("ab -$'", min_size=1, max_size=20), min_size=1, max_size=8),
    columns=st.integers(30, 60),
)
def test_any_command_over_several_lines_is_what_it_was(words, columns):
    """As a shell reads it; no line is too long but for a word alone."""
    lines = _continued(command("run", *words), columns)
    joined = "\n".join(lines).replace("\\\n", "")  # as a shell does
    assert shlex.split(joined) == ["mbsweep", "run", *words]
    assert all(len(line) <= columns or len(shlex.split(line.removesuffix(" \\"))) == 1 for line in lines)


class Terminal(io.StringIO):
    """One that shows colours."""

    def isatty(self):
        """Yes."""
        return True


@pytest.mark.parametrize(
    ("stream", "no_color", "printed"),
    [
        (Terminal, None, "\x1b[32mfaster\x1b[0m\n"),
        (Terminal, "1", "faster\n"),
        (io.StringIO, None, "faster\n"),
    ],
    ids=["terminal", "NO_COLOR", "pipe"],
)
def test_colours_are_for_terminals(stream, no_color, printed, monkeypatch):
    """And for none whose user wants none."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr("sys.stdout", stream())
    say("faster", "green")
    assert sys.stdout.getvalue() == printed


def test_words_between_the_rows_of_a_table():
    """As wide as the terminal is, whatever the columns; a pipe has them on one line."""
    table = Table(["network", "ms"])
    table.add("0.25-128", "4")
    table.add_words("just missed, and what more there is to say of it:")
    table.add("0.5-128", "5")
    words = "just missed, and what more there is to say of it:"
    rows = ["network   ms", "0.25-128   4", words, "0.5-128    5"]
    assert [line for line, _ in table.lines(None)] == rows
    assert [line for line, _ in table.lines(30)][2:4] == [
        "just missed, and what more",
        "  there is to say of it:",
    ]


def test_a_pipe_has_a_line_for_each_row():
    """The default network's 29 layers, all nine columns of each on one line, however wide."""
    lines = call("show", *LONG).stdout.splitlines()
    begin = next(place for place, line in enumerate(lines) if line.startswith("stem"))
    layers = lines[begin : begin + 29]
    # block1.dw; Conv dw / s1; 3 x 3 x 16 dw; 112 x 112 x 16, twice; parameters, mult-adds and their shares
    assert [len(line.split()) for line in layers if ".dw" in line] == [1 + 4 + 6 + 5 + 5 + 4] * 13


def test_a_terminal_of_80_columns(tmp_path):
    """A real one: 29 layers and the total, two lines each, none longer."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "dumb"}
    with subprocess.Popen([*COMMAND, "show"], stdout=theirs, env=env) as process:
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
    os.close(ours)
    assert process.returncode == 0
    lines = said.decode().splitlines()
    assert max(map(len, lines)) <= 80
    total = next(place for place, line in enumerate(lines) if line.startswith("total"))
    assert lines[total + 1].split() == ["4,231,976", "100.00", "568,740,352", "100.00"]


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end was closed
        return b""


CELLS = st.text(st.characters(categories=["L", "N", "P"]), max_size=12)


@given(
    rows=st.integers(1, 6).flatmap(
        lambda number: st.lists(st.lists(CELLS, min_size=number, max_size=number), min_size=1, max_size=4)
    ),
    columns=st.none() | st.integers(20, 60),
)
def test_any_table_keeps_its_cells(rows, columns):
    """Folded anywhere between two columns, never within one; without a terminal, a line for each row."""
    table = Table(rows[0])
    for row in rows[1:]:
        table.add(*row)
    lines = [line for line, _ in table.lines(columns)]
    assert sorted(" ".join(lines).split()) == sorted(cell for row in rows for cell in row if cell)
    if columns is None:
        assert len(lines) == len(rows)


@given(
    words=st.lists(st.text("ab,.-/_1", min_size=1, max_size=30), max_size=20),
    lead=st.integers(0, 6),
    columns=st.integers(20, 60),
)
def test_any_line_is_broken_between_words_only(words, lead, columns):
    """A name that is longer than the terminal stands on a line of its own."""
    broken = wrapped(" " * lead + " ".join(words), columns).splitlines()
    assert " ".join(broken).split() == words
    assert all(len(line) <= columns or len(line.split()) == 1 for line in broken)
