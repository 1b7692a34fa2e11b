"""Networks of the user's own as plain data: their names, fields and ids."""

import json
import re

import pytest

from mbsweep import MbsweepError, Space, Variant
from mbsweep.space.families import architecture, family_of
from mbsweep.space.families.factory import check_code, code_allowed
from mbsweep.space.grid import grids_of

FAMILY = "python:own.networks:small"


def test_input_and_resolution_are_one_field():
    """`input: [3, R, R]` says the resolution, as for every other family; unless it is said, it is 224."""
    assert Variant(FAMILY, input=[3, 64, 64]) == Variant(FAMILY, resolution=64)
    assert Variant(FAMILY, input=[3, 64, 64]).resolution == 64
    assert Variant(FAMILY).resolution == 224
    assert Variant(FAMILY, resolution=64).but(input=[3, 96, 96]).resolution == 96


def test_any_argument_is_a_field_and_comes_back_from_json():
    """Numbers, words, yes and no, lists of lists: what is stored is what was said."""
    said = {"width": 0.5, "name": "a/b", "deep": True, "stages": [1, [2, 3]], "count": 3}
    variant = Variant(FAMILY, **said)
    stored = json.loads(json.dumps(variant.as_dict()))
    assert stored == {"family": FAMILY, "resolution": 224, **said}
    assert Variant(**stored) == variant
    assert Variant(**stored).id == variant.id
    assert variant.stages == (1, (2, 3))


def test_the_order_in_which_arguments_are_said_does_not_matter():
    """Two files that say the same give one variant, with one id."""
    one, other = Variant(FAMILY, a=1, b=2), Variant(FAMILY, b=2, a=1)
    assert (one, one.id, hash(one)) == (other, other.id, hash(other))


def test_ids_are_stable():
    """What earlier versions wrote is found again. The ends are what `sha256sum` says of the JSON."""
    assert Variant(FAMILY, width=0.5, input=[3, 64, 64]).id == "own.networks.small_width-0.5_r64_025baf87bb"
    assert Variant(FAMILY).id == "own.networks.small_r224_53a5eac6e6"


@pytest.mark.parametrize(
    "value",
    ["../../etc/passwd", "a/b", "a\\b", "<b>", "a\nb", ".", "nul\0", "ü", "x" * 200, "'; rm -rf ~", "%s"],
)
def test_ids_are_safe_in_paths(value):
    """Whatever an argument is, the id is a short name of letters, digits and `_.+-` that no other has."""
    id_ = Variant(FAMILY, word=value).id
    assert re.fullmatch(r"own\.networks\.small_[A-Za-z0-9_.+-]{1,110}", id_)
    assert ".." not in id_
    assert id_ != Variant(FAMILY, word=value + "x").id if len(value) < 200 else True


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": 1}, None, "x" * 201, [[[[[1]]]]], 2**70])
def test_values_that_are_no_arguments(value):
    """A mapping, nothing, no finite number, or endless ones are refused in a line."""
    with pytest.raises(MbsweepError, match=r"^Variant: word is .*; expected a number, true, false, "):
        Variant(FAMILY, word=value)


@pytest.mark.parametrize("value", [[1, 64, 64], [3, 64, 32], [3, 64], 64, [3, 0, 0], "3,64,64"])
def test_inputs_that_are_no_images(value):
    """Images are square and have three channels."""
    with pytest.raises(MbsweepError, match=r"input is .*; expected \[3, R, R\], a square image"):
        Variant(FAMILY, input=value)


def test_input_and_resolution_together_are_refused():
    """They say the same."""
    with pytest.raises(MbsweepError, match="input and resolution say the same: give one of them"):
        Variant(FAMILY, input=[3, 64, 64], resolution=64)


@pytest.mark.parametrize("name", ["class", "two words", "1st", ""])
def test_names_that_no_parameter_has(name):
    """What is no name in Python is no argument."""
    with pytest.raises(MbsweepError, match="is no field of python:own"):
        Variant(FAMILY, **{name: 1})


@pytest.mark.parametrize(
    "family",
    [
        "python:",
        "python:own",
        "python:own:",
        "python::small",
        "python:own.:f",
        "python:os;x:f",
        "python:../a:f",
    ],
)
def test_names_that_are_no_factory(family):
    """Only dotted names of a module and of what it has: nothing that is a path or code."""
    with pytest.raises(ValueError, match=r"expected python:package\.module:factory"):
        family_of(family)


def test_each_network_of_a_space_is_there_once_and_uncounted():
    """Axes are multiplied; without running any code the counts are unknown, and nobody invents them."""
    axes = {"input": ((3, 32, 32), (3, 64, 64)), "width": (0.5, 1.0), "word": ("a",)}
    space = Space.of([Variant(FAMILY, resolution=64, width=1.0, word="a")], grids_of(FAMILY, axes))
    assert [(v.resolution, v.width) for v in space.variants()] == [(64, 1.0), (32, 0.5), (32, 1.0), (64, 0.5)]
    assert list(space.ids()) == [variant.id for variant in space.variants()]
    assert [json.loads(fields) for fields in space.fields()][1] == {
        "resolution": 32,
        "width": 0.5,
        "word": "a",
    }
    assert space.macs.tolist() == [-1] * 4
    assert space.known("params").tolist() == []


def test_code_is_not_allowed_unless_somebody_says_so():
    """Only within `code_allowed`, and not behind it."""
    with pytest.raises(MbsweepError, match=r"import the Python module own\.networks and call its small"):
        check_code(FAMILY)
    with code_allowed():
        check_code(FAMILY)
    with pytest.raises(MbsweepError, match="say --allow-code"), code_allowed(False):
        check_code(FAMILY)


def test_there_is_no_description_by_layers():
    """Whoever asks for layers without looking has made a mistake that shows."""
    with pytest.raises(AssertionError, match="no description by layers"):
        architecture(Variant(FAMILY))
