"""Variant: what it accepts, and its id."""

import enum
import fractions
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import PAPER_STAGES, any_variants

from mbsweep import MbsweepError, Variant


def test_the_default_is_the_papers_baseline():
    """Variant() is 1.0 MobileNet-224: five repeated blocks, 1000 classes, channels in multiples of 8."""
    assert Variant().as_dict() == {
        "family": "mobilenet_v1",
        "width": 1.0,
        "resolution": 224,
        "depth": 5,
        "block": "separable",
        "stage_channels": [64, 128, 256, 512, 1024],
        "num_classes": 1000,
        "divisor": 8,
        "stem_stride": 2,
    }


def test_equal_values_are_one_variant_however_they_are_written():
    """Whole numbers for floats, lists for tuples and NumPy scalars give the same variant, hash and id."""
    plain = Variant(width=1.0, resolution=192, depth=3, stage_channels=(1, 2, 3, 4, 5))
    other = Variant(
        width=1, resolution=np.int64(192), depth=np.uint8(3), stage_channels=[1, 2, np.int32(3), 4, 5]
    )
    assert other == plain
    assert hash(other) == hash(plain)
    assert other.id == plain.id
    assert type(other.width) is float
    assert type(other.resolution) is int


def test_a_float32_width_keeps_its_value():
    """0.1 in single precision is another number than 0.1, and stays the number that was given."""
    assert Variant(width=np.float32(0.1)).width == 0.10000000149011612


def test_a_fraction_is_a_width():
    """Any real number in the range is taken, as its float."""
    assert Variant(width=fractions.Fraction(3, 4)) == Variant(width=0.75)


def test_a_variant_cannot_be_changed():
    """The fields are frozen, so that a variant can be a key."""
    with pytest.raises(AttributeError, match="does not change"):
        Variant().width = 0.5  # type: ignore[misc]


def test_a_variant_survives_pickling():
    """A copy made through pickle equals the original: variants may travel to other processes."""
    variant = Variant(width=0.35, stage_channels=(9, 8, 7, 6, 5))
    assert pickle.loads(pickle.dumps(variant)) == variant  # noqa: S301


NAN, INF = float("nan"), float("inf")
REFUSED = [
    ("family", "mobilenetv1", "'mobilenetv1'; expected one of mobilenet_v1, mobilenet_v2, "),
    ("family", None, "None; expected one of mobilenet_v1, "),
    ("family", ["mobilenet_v1"], "['mobilenet_v1']; expected one of mobilenet_v1, "),
    ("width", 0, "0; expected a number in (0, 4], such as 0.75"),
    ("width", -0.0, "-0.0; expected a number in (0, 4], such as 0.75"),
    ("width", 4.0000001, "4.0000001; expected a number in (0, 4], such as 0.75"),
    ("width", NAN, "nan; expected a number in (0, 4], such as 0.75"),
    ("width", INF, "inf; expected a number in (0, 4], such as 0.75"),
    ("width", "wide", "'wide'; expected a number in (0, 4], such as 0.75"),
    ("width", "1.0", "'1.0'; expected a number in (0, 4], such as 0.75"),
    ("width", True, "True; expected a number in (0, 4], such as 0.75"),
    ("width", None, "None; expected a number in (0, 4], such as 0.75"),
    ("width", 10**400, "a whole number of over 75 digits; expected a number in (0, 4], such as 0.75"),
    ("resolution", 0, "0; expected a whole number from 1 to 4096, such as 192"),
    ("resolution", 4097, "4097; expected a whole number from 1 to 4096, such as 192"),
    ("resolution", 224.0, "224.0; expected a whole number from 1 to 4096, such as 192"),
    ("resolution", True, "True; expected a whole number from 1 to 4096, such as 192"),
    ("resolution", "224", "'224'; expected a whole number from 1 to 4096, such as 192"),
    ("depth", -1, "-1; expected a whole number from 0 to 10000, such as 5"),
    ("depth", 10_001, "10001; expected a whole number from 0 to 10000, such as 5"),
    (
        "block",
        "seperable",
        "'seperable'; expected one of separable, standard, factorized, fire, bottleneck, "
        "inverted_residual; did you mean 'separable'?",
    ),
    ("stage_channels", (64, 128, 256, 512), "(64, 128, 256, 512); expected a list of 5 whole numbers"),
    ("stage_channels", (64, 128, 256, 512, 0), "(64, 128, 256, 512, 0); expected a list of 5 whole numbers"),
    ("stage_channels", (64, 128, 256, 512, 8193), "(64, 128, 256, 512, 8193); expected a list of 5 whole"),
    ("stage_channels", (64, 128, 256, 512, 1.0), "(64, 128, 256, 512, 1.0); expected a list of 5 whole"),
    ("stage_channels", "12345", "'12345'; expected a list of 5 whole numbers from 1 to 8192"),
    ("num_classes", 0, "0; expected a whole number from 1 to 1000000, such as 1000"),
    ("stem_stride", 3, "3; expected a whole number from 1 to 2, such as 2"),
    ("divisor", 0, "0; expected a whole number from 1 to 1024, such as 8"),
    ("divisor", 1025, "1025; expected a whole number from 1 to 1024, such as 8"),
]


@pytest.mark.parametrize(("field", "value", "message"), REFUSED)
def test_a_value_out_of_bounds_is_refused_in_words(field, value, message):
    """The error names the field, what was given and what is allowed."""
    with pytest.raises(MbsweepError) as caught:
        Variant(**{field: value})
    assert str(caught.value).startswith(f"Variant: {field} is {message}")


IDS = [  # ids name stored measurements: a change here breaks every run that anyone has kept
    ({}, "mobilenet_v1_w1.0_r224_d5"),
    ({"width": 0.75, "resolution": 192}, "mobilenet_v1_w0.75_r192_d5"),
    ({"depth": 0}, "mobilenet_v1_w1.0_r224_d0"),
    ({"block": "standard"}, "mobilenet_v1_w1.0_r224_d5_standard"),
    ({"stage_channels": (64, 128, 256, 512, 512)}, "mobilenet_v1_w1.0_r224_d5_c64-128-256-512-512"),
    ({"num_classes": 10}, "mobilenet_v1_w1.0_r224_d5_n10"),
    ({"divisor": 1}, "mobilenet_v1_w1.0_r224_d5_div1"),
    ({"stem_stride": 1}, "mobilenet_v1_w1.0_r224_d5_s1"),
    ({"width": 0.00001}, "mobilenet_v1_w1e-05_r224_d5"),
    (
        {"block": "standard", "stage_channels": (1, 2, 3, 4, 5), "num_classes": 7, "divisor": 4},
        "mobilenet_v1_w1.0_r224_d5_standard_c1-2-3-4-5_n7_div4",
    ),
]


@pytest.mark.parametrize(("fields", "variant_id"), IDS)
def test_an_id_says_what_differs_from_the_paper(fields, variant_id):
    """Ids are readable and stable."""
    assert Variant(**fields).id == variant_id


@given(st.lists(any_variants(), min_size=2, max_size=20, unique=True))
def test_ids_are_distinct_and_safe(variants):
    """Different variants have different ids, made of characters that are harmless in paths, HTML and SQL."""
    ids = [variant.id for variant in variants]
    assert len(set(ids)) == len(variants)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", variant_id) for variant_id in ids)


OTHERS = {
    "width": 0.9999999999999999,
    "resolution": 223,
    "depth": 6,
    "block": "standard",
    "stage_channels": (64, 128, 256, 512, 1023),
    "num_classes": 1001,
    "divisor": 1,
    "stem_stride": 1,
    "stage_depths": (1, 2, 2, 6, 3),
    "kernels": (3, 3, 3, 3, 5),
    "bn_epsilon": 1.1e-5,
    "padding": "same",
    "activation": "relu6",
}


@pytest.mark.parametrize("field", Variant().values)
def test_every_field_is_part_of_the_id(field):
    """Two variants that differ in one field only, by as little as can be, have two ids."""
    assert Variant(**{field: OTHERS[field]}).id != Variant().id


class _Pixels(enum.IntEnum):
    LARGE = 224


def test_an_enum_is_stored_as_its_number():
    """A subclass of int gives the plain number's id."""
    assert Variant(resolution=_Pixels.LARGE, stage_channels=PAPER_STAGES).id == "mobilenet_v1_w1.0_r224_d5"
