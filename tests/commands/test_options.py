"""What several commands share: numbers as they are written, and fields that a command does not take."""

from contextlib import suppress

import pytest
import typer
from console import call, refusal
from hypothesis import given
from hypothesis import strategies as st

from mbsweep import MbsweepError
from mbsweep.base.rules import number_of
from mbsweep.commands._fronts import parse_reference
from mbsweep.commands.app import COMMANDS, loaded
from mbsweep.sweep.document import parse

ODD = [
    "1_0",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "\N{FULLWIDTH DIGIT ONE}",
    " 1 ",
    "1\n",
    "infinity",
    "0x10",
    "1e",
    "",
]


@pytest.mark.parametrize("word", [odd for odd in ODD if odd.strip() == odd])
def test_a_number_that_only_python_knows_is_refused(word):
    """`width=1_0` is not ten: it is told what was said, and what is expected."""
    message = refusal(call("show", f"width={word}"))
    assert message == f"Variant: width is {word!r}; expected a number in (0, 4], such as 0.75"


@pytest.mark.parametrize("words", [["--width", "1_0"], ["--depth", "\N{ARABIC-INDIC DIGIT ONE}"]])
def test_nor_is_it_one_of_an_option(words):
    """The same for options, in the words of the command line."""
    result = call("show", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Invalid value for '{words[0]}': {words[1]!r} is no number" in result.stderr


@pytest.mark.parametrize("reference", ["1_6,41.5", "16,4\N{ARABIC-INDIC DIGIT ONE}", "16,infinity", "16"])
def test_nor_of_a_reference_point(reference):
    """Two numbers in one word."""
    assert parse_reference("16, 41.5") == (16.0, 41.5)
    with pytest.raises(MbsweepError, match=r"--reference is .+; expected COST,VALUE, two finite numbers"):
        parse_reference(reference)


def test_every_option_that_is_a_number_is_read_so():
    """Of all commands, those that are added later, too: whatever takes 2 does not take 2_0."""
    found = []
    for name in COMMANDS:
        command = loaded(name)
        context = command.context_class(command)
        for parameter in command.params:
            with suppress(Exception):
                if parameter.process_value(context, "2") in (2, 2.0):
                    found.append(parameter.name)
                    with pytest.raises(typer.BadParameter, match="'2_0' is no number"):
                        parameter.process_value(context, "2_0")
    assert len(found) > 30


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)).map(str))
def test_numbers_are_those_of_a_sweep_file(text):
    """What Python writes, YAML reads, and a word: the same number of the same sort."""
    value = number_of(text)
    assert repr(value) == repr(parse(f"a: {text}", "s.yaml").data["a"])


@pytest.mark.parametrize("text", ["+1", ".5", "1.", "010", "2e6", "-3E-2"])
def test_other_ways_to_write_a_number(text):
    """Also those that YAML has and Python does not write."""
    assert repr(number_of(text)) == repr(parse(f"a: {text}", "s.yaml").data["a"])


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_number_of_a_sweep_file_is_none_of_a_word(text):
    """As YAML has it, and without blanks around it."""
    with pytest.raises(ValueError, match="no number"):
        number_of(text)


@pytest.mark.parametrize("words", [["num_classes=3"], ["--num-classes", 3], ["resnet18", "num_classes=3"]])
def test_classes_of_a_training_are_refused_with_the_reason(words, tmp_path):
    """In words and as an option, of any family."""
    message = refusal(call("train", *words, "-o", tmp_path / "net.safetensors"))
    assert message == (
        "num_classes cannot be said here: the data set says how many classes there are; leave it out"
    )


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["divisor=4"], "divisor"),
        (["--block", "standard"], "block"),
        (["mobilenet_v2", "expansion=4"], "expansion"),
    ],
)
def test_what_a_supernet_shares_is_refused_by_the_familys_own_fields(words, field, tmp_path):
    """MobileNet v2's expansion, too, which MobileNet v1 does not have."""
    message = refusal(
        call("extract", tmp_path / "none.safetensors", *words, "-o", tmp_path / "a.safetensors")
    )
    assert message == (f"{field} cannot be said here: all networks of a supernet have the same; leave it out")


def test_what_cannot_be_said_is_not_offered():
    """The help of `extract` has no option of them, that of `train` no classes."""
    for name, absent, present in (("extract", "--divisor", "--width"), ("train", "--num-classes", "--width")):
        text = call(name, "--help").stdout
        assert absent not in text
        assert present in text
