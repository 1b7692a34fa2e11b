"""The layers of a variant against the paper's tables."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import small_v1

from mbsweep import Variant, architecture
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.channels import make_divisible
from mbsweep.space.families import FAMILIES
from mbsweep.space.layers import KINDS, kind_name

# Table 1 of arXiv:1704.04861: type and stride, filter shape (kernel, in, out), input size. Where the paper
# prints stride 2 for the last depthwise layer it also prints 7x7 for its input and for the next layer's;
# only stride 1 gives that.
TABLE_1 = [
    ("conv", 2, 3, 3, 32, 224),
    ("conv_dw", 1, 3, 32, 32, 112),
    ("conv_pw", 1, 1, 32, 64, 112),
    ("conv_dw", 2, 3, 64, 64, 112),
    ("conv_pw", 1, 1, 64, 128, 56),
    ("conv_dw", 1, 3, 128, 128, 56),
    ("conv_pw", 1, 1, 128, 128, 56),
    ("conv_dw", 2, 3, 128, 128, 56),
    ("conv_pw", 1, 1, 128, 256, 28),
    ("conv_dw", 1, 3, 256, 256, 28),
    ("conv_pw", 1, 1, 256, 256, 28),
    ("conv_dw", 2, 3, 256, 256, 28),
    ("conv_pw", 1, 1, 256, 512, 14),
    *[("conv_dw", 1, 3, 512, 512, 14), ("conv_pw", 1, 1, 512, 512, 14)] * 5,
    ("conv_dw", 2, 3, 512, 512, 14),
    ("conv_pw", 1, 1, 512, 1024, 7),
    ("conv_dw", 1, 3, 1024, 1024, 7),
    ("conv_pw", 1, 1, 1024, 1024, 7),
    ("avg_pool", 1, 7, 1024, 1024, 7),
    ("fc", 1, 1, 1024, 1000, 1),
]


def _shapes(variant):
    layers = architecture(variant).layers
    return [(la.kind, la.stride, la.kernel[0], la.in_channels, la.out_channels, la.in_size) for la in layers]


def test_the_baseline_is_table_1():
    """Layer by layer: type, stride, filter shape and input size of the paper's Table 1."""
    assert _shapes(Variant()) == TABLE_1


@pytest.mark.parametrize("depth", [0, 1, 4, 6, 37])
def test_depth_counts_the_repeated_block(depth):
    """Depth only changes how often the 14x14, 512-channel pair stands there; 0 is the shallow network."""
    assert _shapes(Variant(depth=depth)) == TABLE_1[:13] + TABLE_1[13:15] * depth + TABLE_1[23:]


def test_the_standard_block_is_one_full_convolution_per_pair():
    """Conv MobileNet: each pair becomes one 3x3 convolution with the pair's stride and channels."""
    expected = [TABLE_1[0]]
    for depthwise, pointwise in zip(TABLE_1[1:27:2], TABLE_1[2:27:2], strict=True):
        expected.append(("conv", depthwise[1], 3, depthwise[3], pointwise[4], depthwise[5]))
    assert _shapes(Variant(block="standard")) == expected + TABLE_1[27:]


def test_another_last_stage_reaches_only_the_last_blocks():
    """A body that ends in 512 channels differs from the paper's in its last two blocks and the classifier."""
    shapes = _shapes(Variant(stage_channels=(64, 128, 256, 512, 512)))
    assert shapes[:24] == TABLE_1[:24]
    assert shapes[24:] == [
        ("conv_pw", 1, 1, 512, 512, 7),
        ("conv_dw", 1, 3, 512, 512, 7),
        ("conv_pw", 1, 1, 512, 512, 7),
        ("avg_pool", 1, 7, 512, 512, 7),
        ("fc", 1, 1, 512, 1000, 1),
    ]


def test_layer_names_number_the_blocks():
    """Thirteen blocks between stem, pool and classifier; every name stands once."""
    names = [layer.name for layer in architecture(Variant()).layers]
    blocks = [f"block{number}.{part}" for number in range(1, 14) for part in ("dw", "pw")]
    assert names == ["stem", *blocks, "pool", "classifier"]


WIDTHS = [  # widths of the paper, of MobileNetV2's reference code, and channels of stem, stages 1 and 5
    (1.0, 32, 64, 1024),
    (0.75, 24, 48, 768),
    (0.5, 16, 32, 512),
    (0.25, 8, 16, 256),
    (0.35, 16, 24, 360),  # 11.2, 22.4 and 358.4 before rounding
    (1.4, 48, 88, 1432),  # 44.8, 89.6 and 1433.6
    (0.01, 8, 8, 16),  # never below one multiple; 10.24 -> 8 would lose more than a tenth
]


@pytest.mark.parametrize(("width", "stem", "first", "last"), WIDTHS)
def test_width_scales_channels_in_multiples_of_8(width, stem, first, last):
    """Channels are the nearest multiple of 8 that keeps 90 % of them."""
    layers = architecture(Variant(width=width)).layers
    assert (layers[0].out_channels, layers[2].out_channels, layers[-1].in_channels) == (stem, first, last)


@given(st.floats(0.001, 40_000), st.integers(2, 1024))
def test_rounding_is_the_nearest_multiple_that_keeps_90_percent(channels, divisor):
    """make_divisible gives a multiple that is at least 0.9 x, and no nearer multiple would do."""
    rounded = make_divisible(channels, divisor)
    assert rounded % divisor == 0
    assert rounded >= 0.9 * channels
    below = math.floor(channels / divisor) * divisor
    allowed = [m for m in (below, below + divisor, below + 2 * divisor) if m > 0 and m >= 0.9 * channels]
    assert abs(rounded - channels) <= min(abs(m - channels) for m in allowed) + 1e-9


@given(st.sampled_from([3, 32, 64, 128, 256, 512, 1024]), st.floats(0.01, 4))
@example(32, 0.07)  # 2.24: two channels are nearest
def test_divisor_1_is_plain_rounding(channels, width):
    """With divisor 1, channels are the nearest whole number, and at least one."""
    exact = channels * width
    rounded = make_divisible(exact, 1)
    assert rounded >= 1
    assert rounded == 1 or abs(rounded - exact) <= 0.5


ODD_SIZES = [  # padding 1, kernel 3, stride 2: n -> ceil(n / 2), five times
    (224, [224, 112, 56, 28, 14, 7]),
    (225, [225, 113, 57, 29, 15, 8]),
    (193, [193, 97, 49, 25, 13, 7]),
    (33, [33, 17, 9, 5, 3, 2]),
    (2, [2, 1, 1, 1, 1, 1]),
    (1, [1, 1, 1, 1, 1, 1]),
]


@pytest.mark.parametrize(("resolution", "sizes"), ODD_SIZES)
def test_odd_sizes_round_up(resolution, sizes):
    """A stride of 2 turns n pixels into ceil(n / 2), at every resolution."""
    layers = architecture(Variant(resolution=resolution, depth=0)).layers
    strided = [layer for layer in layers if layer.stride == 2]
    assert [layer.in_size for layer in strided] == sizes[:5]
    assert [layer.out_size for layer in strided] == sizes[1:]


@given(small_v1())
def test_layers_follow_one_another(variant):
    """Each layer takes what the one before gives, and the totals are the sums over the layers."""
    net = architecture(variant)
    for before, after in pairwise(net.layers):
        assert (after.in_channels, after.in_size) == (before.out_channels, before.out_size)
    assert (net.layers[0].in_channels, net.layers[0].in_size) == (3, variant.resolution)
    assert (net.layers[-1].out_channels, net.layers[-1].out_size) == (variant.num_classes, 1)
    assert net.params == sum(layer.params for layer in net.layers)
    assert net.macs == sum(layer.macs for layer in net.layers)
    assert len({layer.name for layer in net.layers}) == len(net.layers)


def test_shares_per_layer_type_are_table_2():
    """The paper's Table 2, to its last digit. It counts weights only: no bias, no batch normalisation.

    The paper prints 1.19 % of the mult-adds for Conv 3x3, and its column adds up to 99.29 %. The shapes give
    1.91 %: the digits are swapped there.
    """
    layers = architecture(Variant()).layers
    macs: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    for layer in layers:
        macs[kind_name(layer)] += layer.macs
        weights[kind_name(layer)] += layer.weights
    shares = {
        kind: (round(100 * macs[kind] / macs.total(), 2), round(100 * weights[kind] / weights.total(), 2))
        for kind in macs
    }
    assert shares == {
        "Conv 1x1": (94.86, 74.59),
        "Conv DW 3x3": (3.06, 1.06),
        "Conv 3x3": (1.91, 0.02),
        "Fully Connected": (0.18, 24.33),
        "Avg Pool": (0.0, 0.0),
    }


TABLE_3 = [  # arXiv:1704.04861: one inner layer, 14 x 14 x 512 -> 512; mult-adds and parameters in millions
    ("standard", 462, 2.36),
    ("separable", 52.3, 0.27),
]


@pytest.mark.parametrize(("block", "macs_m", "params_m"), TABLE_3)
def test_one_inner_layer_is_table_3(block, macs_m, params_m):
    """The cost of the repeated layer is the paper's Table 3, to its last digit."""
    layers = BLOCKS[block]((512, 512), 1, 14).layers
    assert float(f"{sum(layer.macs for layer in layers) / 1e6:.3g}") == macs_m
    assert round(sum(layer.weights for layer in layers) / 1e6, 2) == params_m


@given(st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([1, 2]), st.integers(1, 300))
def test_a_separable_pair_saves_what_the_paper_says(in_channels, out_channels, stride, size):
    """A pair costs exactly 1/N + 1/K^2 of the full convolution (section 3.1 of the paper)."""
    pair = BLOCKS["separable"]((in_channels, out_channels), stride, size)
    full = BLOCKS["standard"]((in_channels, out_channels), stride, size)
    # 1/N + 1/9, over the common denominator 9 N: exact in whole numbers
    assert pair.macs * 9 * out_channels == full.macs * (9 + out_channels)
    assert pair.out_size == full.out_size


@pytest.mark.parametrize(
    "variant",
    [*map(Variant, FAMILIES), *(Variant(block=block) for block in BLOCKS)],
    ids=lambda variant: variant.id,
)
def test_every_layer_is_of_a_kind_with_a_name(variant):
    """The tables of layers, and a block's key, call it so."""
    assert {layer.kind for layer in architecture(variant).layers} <= set(KINDS)
