"""A space of several families as arrays, against its variants one at a time."""

import json
import math

import numpy as np
import pytest

from mbsweep import Variant, count
from mbsweep.space.families import family_of
from mbsweep.space.grid import Each, grids_of
from mbsweep.space.space import Space

LISTED = [
    Variant("mobilenet_v2", width=0.35, expansion=3),
    Variant(width=0.5, stage_widths=(0.3, 1, 1, 1, 1)),
    Variant("resnet18", resolution=96),
    Variant(width=0.5),
    Variant("mobilenet_v2", width=0.35, expansion=3),
]


@pytest.fixture(scope="module")
def space():
    """Three families: some networks listed, of which one stands twice and one in a grid, too."""
    grids = [
        *grids_of("mobilenet_v1", {"width": (0.5, 0.25), "depth": (5, 0), "block": ("separable", "fire")}),
        *grids_of("mobilenet_v2", {"stage_depths": Each((1, 2)), "resolution": (96,)}),
    ]
    return Space.of(LISTED, grids)


def test_what_arrays_say_is_what_the_variants_are(space):
    """Ids, stored fields, counts and columns are those of each variant by itself; none stands twice."""
    variants = space.variants()
    assert variants[:4] == LISTED[:4]
    assert len(set(variants)) == len(space) == 4 + 7 + 128
    assert list(space.ids()) == [variant.id for variant in variants]
    told = [
        {"family": variant.family, **json.loads(text)}
        for variant, text in zip(variants, space.fields(), strict=True)
    ]
    assert told == [variant.as_dict() for variant in variants]
    assert [Variant(**one) for one in told] == variants
    for place, variant in enumerate(variants):
        found = count(variant)
        names = ("params", "macs", "weight_bytes", "peak_activation_bytes")
        names += ("weight_bytes_int8", "peak_activation_bytes_int8")
        for name in names:
            assert getattr(space, name)[place] == getattr(found, name)
    for name in ("width", "resolution", "depth", "stage_depths", "block", "expansion"):
        for value, variant in zip(space.column(name).tolist(), variants, strict=True):
            expected = variant.values.get(name, math.nan)
            assert value == expected or (value != value and expected != expected)


def test_a_part_keeps_its_order(space):
    """A mask or a list of places picks variants of all grids."""
    places = np.array([100, 3, 0, 7])
    assert space.select(places).variants() == [space.variant(place) for place in places.tolist()]
    assert space.select(space.column("width") == 0.35).variants() == LISTED[:1]


def test_a_body_is_found_whatever_may_differ(space):
    """Of each variant, all that equal it but for width, resolution and depth; what follows the depth follows
    along. The variants themselves, one by one, tell.
    """
    but = ("width", "resolution", "depth")
    keys = [family_of(variant.family).key(variant.values, but) for variant in space.variants()]
    for key in dict.fromkeys(keys):
        expected = [place for place, other in enumerate(keys) if other == key]
        assert space.having(key, but).tolist() == expected
    assert len(set(keys)) > 5
    assert space.having(("resnet50", *keys[0][1:]), but).tolist() == []


def test_a_space_may_be_of_no_variant():
    """Every column is there, and empty."""
    space = Space.of([])
    assert (len(space), space.variants(), list(space.ids()), list(space.fields())) == (0, [], [], [])
    assert space.macs.tolist() == space.params.tolist() == []
    assert space.column("width").tolist() == []
