"""Fused blocks: of one network, and of whole spaces as arrays against one network at a time."""

from collections import Counter
from itertools import pairwise

import numpy as np
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import OTHERS, any_variants, axes_of

from mbsweep import Variant, count, count_space
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.families import FAMILIES, architecture
from mbsweep.space.fused import blocks_of, space_blocks
from mbsweep.sweep.sweep import parse_sweep


def space_of(**axes):
    """The counts of a space with these axes."""
    return count_space(parse_sweep(yaml.safe_dump({"space": axes}), "made.yaml"))


def kinds(block):
    """The kinds of a block's layers."""
    return " ".join(layer.kind for layer in block.layers)


def test_blocks_of_the_baseline():
    """MobileNet 1.0-224 is a stem, 13 separable pairs and a head (Table 1 of arXiv:1704.04861)."""
    blocks = blocks_of(Variant())
    assert [kinds(block) for block in blocks] == ["conv"] + ["conv_dw conv_pw"] * 13 + ["avg_pool fc"]
    assert blocks[0].in_shape == (3, 224, 224)
    assert len(set(blocks)) == 11  # the five of 14x14x512 are one
    assert blocks[1].key == "conv_dw:3:1:32-32:112-112+conv_pw:1:1:32-64:112-112"
    assert (blocks[1].in_scalars, blocks[1].out_scalars) == (32 * 112 * 112, 64 * 112 * 112)


def test_blocks_of_full_convolutions():
    """In Conv MobileNet (Table 4) every block of the body is one 3x3 convolution."""
    found = [kinds(block) for block in blocks_of(Variant(block="standard", depth=0))]
    assert found == ["conv"] * 9 + ["avg_pool fc"]


@given(any_variants())
def test_blocks_are_the_network(variant):
    """A network's blocks have all of its layers, in order, and each begins with what the last one gave."""
    blocks = blocks_of(variant)
    assert sum(block.macs for block in blocks) == count(variant).macs
    assert sum(block.params for block in blocks) == count(variant).params
    assert sum(len(block.layers) for block in blocks) == len(architecture(variant).layers)
    assert all(a.out_scalars == b.in_scalars for a, b in pairwise(blocks))


@given(any_variants(), any_variants())
def test_keys_tell_blocks_apart(one, other):
    """Two blocks have the same key where they are equal, and only there."""
    blocks = {*blocks_of(one), *blocks_of(other)}
    assert len({block.key for block in blocks}) == len(blocks)


OF_V1 = st.fixed_dictionaries(
    {
        "width": st.lists(
            st.sampled_from([0.25, 1.0, 4.0]) | st.floats(0.01, 4), min_size=1, max_size=3, unique=True
        ),
        "resolution": st.lists(st.integers(1, 300), min_size=1, max_size=3, unique=True),
        "depth": st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True),
        "block": st.lists(st.sampled_from(list(BLOCKS)), min_size=1, max_size=3, unique=True),
        "kernels": st.lists(st.sampled_from([(3, 3, 3, 3, 3), (5, 3, 7, 3, 3)]), min_size=1, unique=True).map(
            lambda lists: [list(one) for one in lists]
        ),
        "num_classes": st.lists(st.sampled_from([1, 10, 1000]), min_size=1, max_size=2, unique=True),
        "divisor": st.lists(st.sampled_from([1, 8]), min_size=1, unique=True),
        "stage_channels": st.lists(
            st.sampled_from([(64, 128, 256, 512, 1024), (8,) * 5, (3, 3, 3, 3, 3), (1, 2, 1, 2, 2)]),
            min_size=1,
            max_size=2,
            unique=True,
        ).map(lambda lists: [list(channels) for channels in lists]),
    }
)
SPACES = OF_V1 | st.sampled_from(OTHERS).flatmap(axes_of)


@settings(deadline=None, max_examples=60)
@given(SPACES)
def test_a_space_has_the_blocks_of_its_networks(axes):
    """The arrays say of every variant what `blocks_of` says: which blocks, and how often each."""
    blocks = space_blocks(space_of(**axes))
    distinct = [blocks.block(index) for index in range(len(blocks))]
    assert len(set(distinct)) == len(distinct)
    for index, variant in enumerate(blocks.space.variants()):
        made_of = Counter()
        for which, times in zip(blocks.which[index].tolist(), blocks.times[index].tolist(), strict=True):
            made_of[distinct[which]] += times
        assert +made_of == Counter(blocks_of(variant))


def test_blocks_of_two_families_are_taken_for_one_only_where_they_are_equal():
    """ResNet's stem pads before it pools, GoogLeNet's pools over the edge: of one shape, and two blocks."""
    blocks = space_blocks(space_of(family=list(FAMILIES), width=[0.1, 1.0], resolution=[96, 224]))
    distinct = [blocks.block(index) for index in range(len(blocks))]
    of_networks = [set(blocks_of(variant)) for variant in blocks.space.variants()]
    assert len(set(distinct)) == len(distinct)
    for found, which, times in zip(of_networks, blocks.which, blocks.times, strict=True):
        assert {distinct[one] for one in which[times > 0].tolist()} == found


@settings(deadline=None, max_examples=30)
@given(SPACES)
def test_a_spaces_arrays_are_the_blocks(axes):
    """Each block's numbers in the arrays are its own, and they add up to the counts of the networks."""
    blocks = space_blocks(space_of(**axes))
    made = [blocks.block(index) for index in range(len(blocks))]
    for index, block in enumerate(made):
        assert (blocks.macs[index], blocks.params[index]) == (block.macs, block.params)
        assert (blocks.in_scalars[index], blocks.out_scalars[index]) == (block.in_scalars, block.out_scalars)
    kinds_of = [(blocks.kind[index], kinds(block)) for index, block in enumerate(made)]
    assert len(dict(kinds_of)) >= len({words for _, words in kinds_of})
    assert all(words == dict(kinds_of)[kind] for kind, words in kinds_of)
    np.testing.assert_array_equal(blocks.total(blocks.macs), blocks.space.macs)
    np.testing.assert_array_equal(blocks.total(blocks.params), blocks.space.params)


def test_a_hundred_thousand_variants():
    """100,000 variants are taken apart as arrays, and their mult-adds are exact."""
    space = space_of(
        width=[0.25 + 0.0115 * i for i in range(100)],
        resolution=[96 + 2 * i for i in range(100)],
        depth=list(range(10)),
    )
    blocks = space_blocks(space)
    assert len(space) == 100_000
    np.testing.assert_array_equal(blocks.total(blocks.macs), space.macs)
