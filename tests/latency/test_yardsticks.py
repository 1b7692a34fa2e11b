"""The networks that tell the drift: few, always the same, and of the sizes of what is measured."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep import Variant
from mbsweep.latency.yardsticks import LEAST, MOST, REACH, choose, is_yardstick, yardstick
from mbsweep.profiler.subject import Subject


def size_of(width, resolution, **fields):
    return Subject.of(Variant(width=width, resolution=resolution, **fields)).size


def distances(sizes, names):
    """(sizes,): how far each is from the nearest yardstick, in logarithms of parameters and mult-adds."""
    own, chosen = np.log(list(sizes)), np.log([yardstick(name).size for name in names])
    return np.sqrt(((own[:, None] - chosen) ** 2).sum(axis=2)).min(axis=1)


SIXTEEN = [
    size_of(width, resolution) for width in (0.25, 0.5, 0.75, 1.0) for resolution in (128, 160, 192, 224)
]
SMALL = [size_of(0.25, resolution) for resolution in (32, 40, 48)]


@pytest.mark.parametrize("sizes", [SIXTEEN, SMALL, SIXTEEN + SMALL, SIXTEEN[:1]])
def test_no_network_is_far_from_a_yardstick(sizes):
    """Within a factor of e in parameters and mult-adds together; of four to eight yardsticks."""
    names = choose(sizes, 1)
    assert 4 == LEAST <= len(names) <= MOST == 8
    assert distances(sizes, names).max() <= REACH == 1


def test_those_of_the_papers_sixteen():
    """Their corners, and three between them."""
    assert choose(SIXTEEN, 1) == [
        "yardstick 0.25-128",
        "yardstick 0.25-224",
        "yardstick 0.5-128",
        "yardstick 0.5-224",
        "yardstick 1-128",
        "yardstick 1-224",
    ]


def test_of_several_threads_one_yardstick_has_work_for_all():
    """Also where the networks are small: whether both cores are used is seen on a large one, 1.0-224."""
    assert "yardstick 1-224" not in choose(SMALL, 1)
    assert set(choose(SMALL, 2)) > {"yardstick 1-224"}


SIZES = st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**11)), min_size=1, max_size=30)


@settings(max_examples=50)
@given(SIZES, st.randoms(use_true_random=False))
def test_the_same_sizes_have_the_same_yardsticks(sizes, random):
    """In whatever order they come, and however often; a part may have no weights. From small to large."""
    names = choose(sizes, 1)
    assert choose(random.sample(sizes, len(sizes)) + sizes[:3], 1) == names
    macs = [yardstick(name).size[1] for name in names]
    assert macs == sorted(macs)
    assert len(set(names)) == len(names) <= MOST


@settings(max_examples=50)
@given(SIZES, SIZES)
def test_a_run_that_is_added_to_keeps_those_it_has(sizes, more):
    """And takes others only as far as it needs them: asked again, none."""
    before = choose(sizes, 1)
    after = choose([*sizes, *more], 1, before)
    assert set(after) >= set(before)
    assert choose([*sizes, *more], 1, after) == after
    assert choose(sizes, 1, before) == before


def test_a_yardstick_is_a_network_of_another_name():
    """So that the same network may be among the variants; their sizes are those of the layers."""
    found, same = yardstick("yardstick 0.25-32"), Subject.of(Variant(width=0.25, resolution=32))
    assert (found.layers, found.size, found.is_yardstick) == (same.layers, same.size, True)
    assert found.name == "yardstick 0.25-32" != same.name
    assert is_yardstick(found.name)
    assert not is_yardstick(same.name)
    shallow = yardstick("yardstick 0.05-16 shallow")
    assert shallow.size < (10_000, 100_000)
