"""What others say, in messages of ours."""

import pytest
from console import call, refusal

from mbsweep.base.child import AnswerError
from mbsweep.base.errors import one_line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("two\n  lines\r\n", "two lines"),
        ("\x1b[31mred\x07, \x9b2J", "[31mred , 2J"),
        ("left\u202eright", "left right"),  # what turns the direction of text
        ("caf\u00e9 \u2713 <b>", "caf\u00e9 \u2713 <b>"),
        ("\ud800", ""),
        (ValueError("no"), "no"),
    ],
)
def test_what_others_say_is_quoted_on_one_line(words, expected):
    """Without anything that a terminal would obey; letters of every script stay."""
    assert one_line(words) == expected


def test_a_process_cannot_speak_to_the_terminal():
    """What a process that runs others' code says when it fails is quoted so, too."""
    error = AnswerError("ValueError", "\x1b[2Jgone\nnext")
    assert (error.words, str(error)) == ("[2Jgone next", "ValueError: [2Jgone next")


@pytest.mark.parametrize("words", [("plan",), ("report",), ("train", "-o", "x.safetensors", "--start")])
def test_a_path_cannot_speak_to_the_terminal(words, tmp_path, monkeypatch):
    """Control characters of a name stand in the one line of an error as Python writes them."""
    monkeypatch.chdir(tmp_path)
    told = refusal(call(*words, "no\x1b[31m\nfile"))
    assert "no\\x1b[31m\\nfile" in told
    assert told.isprintable()
