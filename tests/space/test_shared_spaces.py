"""Spaces whose networks share weights, of any size: the largest of them, their names, their form as JSON."""

import json
import time

import numpy as np
import pytest

from mbsweep.base.errors import MbsweepError
from mbsweep.space.grid import Each, grids_of
from mbsweep.space.sharing import LISTED, digest, largest_of, space_as_dict, space_of
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

BODY = Variant(num_classes=3)
MILLION = {
    "width": (0.25,),
    "resolution": (40,),
    "stage_widths": Each((0.5, 1.0, 1.5, 2.0)),
    "stage_depths": Each((1, 2)),
    "kernels": Each((3, 5)),
}


def space_with(**axes):
    return Space.of([], grids_of("mobilenet_v1", MILLION | axes))


@pytest.fixture(scope="module")
def million():
    """4^5 widths, 2^5 depths, 2^5 kernels of MobileNet's stages."""
    return space_with()


def test_the_largest_has_the_greatest_of_each():
    """Width, depth and resolution may be those of three different variants."""
    some = [
        BODY.but(width=0.5, resolution=32, depth=1),
        BODY.but(width=0.25, resolution=64, depth=1),
        BODY.but(width=0.25, resolution=32, depth=3),
    ]
    assert largest_of(Space.of(some)) == BODY.but(width=0.5, resolution=64, depth=3)


def test_variants_that_cannot_share_weights_are_refused():
    """Another block or number of classes."""
    with pytest.raises(
        MbsweepError,
        match="may differ in width, resolution, depth, stage_channels, stage_depths, kernels only",
    ):
        largest_of(Space.of([BODY, BODY.but(block="standard")]))


def test_a_million_networks_are_not_listed(million, monkeypatch):
    """The largest, a name, the form as JSON and the place of a network take a second at most together (0.4 s
    on an AMD EPYC, beside other work), and no variant is made for each.
    """
    made = []
    usual = Space.variant
    monkeypatch.setattr(Space, "variant", lambda self, place: made.append(place) or usual(self, place))
    start = time.process_time()
    largest = largest_of(million)
    named, told = digest(million), json.dumps(space_as_dict(million))
    place = million.place_of(Variant(width=0.25, resolution=40, depth=1, kernels=[3, 5, 3, 3, 3]))
    assert time.process_time() - start < 5  # however loaded the machine is
    assert len(million) == 1_048_576
    assert len(made) <= 2
    assert largest.stage_channels == (128, 256, 512, 1024, 2048)
    assert (largest.stage_depths, largest.kernels) == ((2, 2, 2, 2, 2), (5, 5, 5, 5, 5))
    assert place == 341 * 1024 + 15 * 32 + 8  # digits of base 4: 11111; 2: 01111 and 01000
    assert len(told) < 5000
    assert digest(space_of(json.loads(told))) == named


def test_a_part_of_a_space_is_told_and_read_back(million):
    """Those within a limit, in the same places; its largest is no larger than what is in it."""
    few = million.select(np.flatnonzero(million.macs < np.partition(million.macs, 500)[500]))
    again = space_of(json.loads(json.dumps(space_as_dict(few))))
    assert again.variants() == few.variants()
    assert largest_of(few) == largest_of(Space.of(few.variants()))
    assert largest_of(few) != largest_of(million)
    half = million.select(np.flatnonzero(million.macs < np.median(million.macs)))
    assert len(half) > LISTED
    assert digest(half) != digest(million)
    assert digest(space_of(space_as_dict(half))) == digest(half)


def test_the_order_of_a_space_is_not_in_its_name(million):
    """Neither that of a list, nor that of an axis' values; another value is."""
    turned = space_with(stage_widths=Each((2.0, 1.5, 1.0, 0.5)))
    assert digest(turned) == digest(million)
    assert digest(space_with(stage_widths=Each((2.0, 1.5, 1.0, 0.75)))) != digest(million)
    some = [BODY.but(width=width) for width in (0.1, 0.2)]
    assert digest(Space.of(some)) == digest(Space.of(some[::-1])) != digest(Space.of(some[:1]))


def test_every_variant_is_found_in_its_place(million):
    """Ten of a million; a network with another kernel, or of another family, is in none."""
    for place in np.random.default_rng(0).integers(0, len(million), 10).tolist():
        assert million.place_of(million.variant(place)) == place
    assert million.place_of(million.variant(3).but(kernels=(3, 3, 7, 3, 3))) is None
    assert million.place_of(Variant("mobilenet_v2")) is None
    several = Space.of([BODY, Variant("mobilenet_v2")])
    assert [several.place_of(variant) for variant in several.variants()] == [0, 1]
