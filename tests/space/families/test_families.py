"""The families: literal sizes, one description for ints and arrays, ids, least resolutions."""

import json
import pickle
import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import values_of, variants_of

from mbsweep.base.errors import MbsweepError
from mbsweep.space.architecture import Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.counting import Counts, count
from mbsweep.space.families import FAMILIES, architecture
from mbsweep.space.families.family import Family
from mbsweep.space.fields import NUM_CLASSES, RESOLUTION, WIDTH
from mbsweep.space.grid import Each, Grid
from mbsweep.space.layers import linear
from mbsweep.space.variant import Variant

# Parameters, and mult-adds of convolutions and linear layers. Counted by fvcore 0.1.5 and from the tensors of
# torchvision 0.29.1 (MobileNet v2, AlexNet, VGG 16, GoogLeNet, SqueezeNet, ResNet) and timm 1.0.31 (MobileNet
# v1, v3, v4), by a script of its own.
SIZES = [
    ("mobilenet_v1", {}, 4_231_976, 568_740_352),
    ("mobilenet_v1", {"width": 1.25}, 6_270_840, 879_516_800),
    ("mobilenet_v2", {}, 3_504_872, 300_774_272),
    ("mobilenet_v2", {"width": 0.5}, 1_968_680, 97_131_840),
    ("mobilenet_v2", {"width": 1.4}, 6_108_776, 582_195_824),
    ("mobilenet_v2", {"width": 0.35}, 1_677_128, 59_285_808),
    ("mobilenet_v2", {"width": 0.1, "resolution": 96}, 1_367_080, 5_941_568),
    ("mobilenet_v2", {"width": 2.0, "resolution": 131}, 11_258_088, 476_463_488),
    ("mobilenet_v2", {"resolution": 7}, 3_504_872, 3_562_256),
    ("mobilenet_v2", {"width": 0.77, "resolution": 100, "divisor": 1}, 2_686_732, 48_007_976),
    ("mobilenet_v2", {"width": 0.77, "resolution": 100, "expansion": 1}, 1_706_368, 13_074_264),
    (
        "mobilenet_v2",
        {
            "width": 0.8,
            "resolution": 100,
            "num_classes": 10,
            "expansion": 4,
            "stage_depths": (2, 1, 3, 5, 3, 1, 2),
        },
        1_409_530,
        41_989_568,
    ),
    # By a loop over Table 2's rows, which gives the networks above their sizes, too.
    ("mobilenet_v2", {"stage_widths": (1, 1, 0.5, 1, 1.5, 1, 1)}, 3_891_176, 352_927_520),
    ("mobilenet_v3_large", {}, 5_483_032, 216_589_760),
    ("mobilenet_v3_large", {"width": 0.75, "resolution": 97}, 3_993_528, 39_645_792),
    ("mobilenet_v3_large", {"width": 1.25, "resolution": 97}, 7_551_976, 91_712_504),
    ("mobilenet_v3_large", {"minimalistic": True, "resolution": 97}, 3_924_288, 53_978_024),
    ("mobilenet_v3_large", {"num_classes": 10, "resolution": 160}, 4_214_842, 111_204_800),
    ("mobilenet_v3_small", {}, 2_542_856, 56_510_400),
    ("mobilenet_v3_small", {"minimalistic": True}, 2_044_736, 52_288_448),
    ("mobilenet_v3_small", {"width": 0.75, "resolution": 97}, 2_041_872, 12_083_736),
    ("mobilenet_v3_small", {"width": 1.25, "resolution": 97, "minimalistic": True}, 2_430_816, 23_020_696),
    ("mobilenet_v4_conv_small", {}, 3_774_024, 186_005_568),
    ("mobilenet_v4_conv_small", {"width": 0.5}, 2_238_952, 64_741_408),
    ("mobilenet_v4_conv_small", {"width": 1.25, "resolution": 97}, 4_762_400, 72_853_480),
    ("mobilenet_v4_conv_medium", {}, 9_715_512, 827_649_984),
    ("mobilenet_v4_conv_medium", {"width": 0.75, "resolution": 256}, 6_343_320, 707_388_416),
    ("alexnet", {}, 61_100_840, 714_188_480),
    ("vgg16", {}, 138_357_544, 15_470_264_320),
    ("googlenet", {}, 6_624_904, 1_498_376_192),
    ("googlenet", {"num_classes": 13, "resolution": 97}, 5_613_229, 275_949_760),
    ("squeezenet", {}, 1_248_424, 818_924_576),
    ("squeezenet", {"num_classes": 13, "resolution": 97}, 742_093, 126_272_640),
    ("squeezenet_1_1", {}, 1_235_496, 349_151_936),
    ("squeezenet_1_1", {"num_classes": 13, "resolution": 225}, 729_165, 288_311_296),
    ("resnet18", {}, 11_689_512, 1_814_073_344),
    ("resnet18", {"num_classes": 13, "resolution": 97}, 11_183_181, 440_338_112),
    ("resnet50", {}, 25_557_032, 4_089_184_256),
    ("resnet50", {"num_classes": 13, "resolution": 97}, 23_534_669, 994_497_728),
]


@pytest.mark.parametrize(("family", "fields", "params", "macs"), SIZES, ids=str)
def test_sizes_are_those_of_the_networks_that_are_around(family, fields, params, macs):
    """To the unit, at the defaults and away from them."""
    counts = count(Variant(family, **fields))
    assert (counts.params, counts.macs) == (params, macs)


def test_every_family_has_sizes_from_elsewhere():
    """A family cannot be listed without."""
    assert {family for family, *_ in SIZES} == set(FAMILIES)


# Scalars of the tensors that are alive at once, at most: at 224 px by hand from the tables of the papers, at
# 97 from the graphs of torchvision's networks, with what works in place left out.
PEAKS = [
    ("mobilenet_v1", 224, 112 * 112 * (32 + 64)),  # block1.pw
    ("mobilenet_v2", 224, 112 * 112 * 96 + 56 * 56 * 96),  # block2.dw, which halves what was widened to 96
    ("mobilenet_v2", 97, 290_496),
    ("mobilenet_v3_large", 224, 112 * 112 * 64 + 56 * 56 * 64),
    ("mobilenet_v3_large", 97, 193_664),
    ("mobilenet_v3_small", 97, 66_643),
    ("vgg16", 224, 224 * 224 * (64 + 64)),
    ("googlenet", 97, 190_528),
    ("resnet18", 224, 112 * 112 * 64 + 56 * 56 * 64),  # the first pooling
    ("resnet50", 224, 56 * 56 * 3 * 256),  # a sum: two maps, and a third that they give
    ("resnet50", 97, 480_000),
    ("squeezenet", 224, 54 * 54 * 2 * 256),  # block3: both halves, and both together
    ("squeezenet", 97, 270_848),
    ("squeezenet_1_1", 97, 184_320),
]


@pytest.mark.parametrize(("family", "resolution", "scalars"), PEAKS)
def test_peaks_count_every_tensor_that_is_read_later(family, resolution, scalars):
    """Residuals and branches included; four bytes each, or one at int8."""
    counts = count(Variant(family, resolution=resolution))
    assert counts.peak_activation_bytes == 4 * scalars
    assert counts.peak_activation_bytes_int8 == scalars


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=4)
@given(data=st.data())
def test_arrays_count_as_ints_do(name, data):
    """Fifty random points of a random grid have the counts of their variants, all six."""
    family = FAMILIES[name]
    grid = data.draw(_grids(family))
    counts = Counts.of(grid.architecture)
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    for at in rng.choices(range(grid.size), k=50):
        alone = count(grid.variant(at))
        for number in Counts.__slots__:
            several = np.broadcast_to(getattr(counts, number), grid.shape).ravel()
            assert several[at] == getattr(alone, number), (grid.variant(at), number)


@st.composite
def _grids(draw, family):
    axes, structure = {}, {}
    for name, field in family.fields.items():
        if name == "depth" and "stage_depths" in family.fields:
            continue  # they say the same
        if field.is_structural:
            structure[name] = draw(values_of(field))
        elif field.stages and draw(st.booleans()):
            item = values_of(SimpleNamespace(rule=field.item, default=field.default[0], stages=0))
            axes[name] = Each(tuple(draw(st.lists(item, min_size=1, max_size=2, unique=True))))
        else:
            values = values_of(field)
            if name == "resolution":
                values = values.filter(lambda pixels: pixels >= family.least_resolution)
            axes[name] = tuple(draw(st.lists(values, min_size=1, max_size=3, unique=True)))
    return Grid.product(family, structure, axes)


def test_a_decision_by_an_array_is_told():
    """A build function that asks `width > 1` breaks on grids: the message names the way out."""

    def build(fields):
        wide = 16 if fields.width > 1 else 8
        return Architecture((Stage("", Block((linear("", (wide, fields.num_classes)),))),))

    fields = {"width": WIDTH, "resolution": RESOLUTION, "num_classes": NUM_CLASSES}
    family = Family("mine", fields, build, "")
    grid = Grid.product(family, {}, {"width": (0.5, 1.0), "resolution": (32, 64)})
    with pytest.raises(TypeError, match=r"mine: .* by one of width, resolution; .* has to be structural"):
        _ = grid.architecture


@pytest.mark.parametrize("name", FAMILIES)
def test_the_least_resolution_is_the_least(name):
    """From it on every map has a pixel; one pixel less, and one has none: that is refused in one line."""
    family = FAMILIES[name]
    values = dict(family.defaults)

    def smallest(resolution):
        """The smallest of all maps, whatever the rule of the field."""
        net = family.network(values | {"resolution": resolution})
        return min(min(layer.in_size, layer.out_size) for layer in net.layers)

    least = family.least_resolution
    assert all(smallest(pixels) >= 1 for pixels in range(least, least + 40))
    if least > 1:
        assert smallest(least - 1) < 1
        with pytest.raises(MbsweepError) as error:
            Variant(name, resolution=least - 1)
        said = f"resolution {least - 1} is too small for {name}: below {least} px a map vanishes"
        assert str(error.value) == f"Variant: {said}"


def test_alexnet_needs_63_pixels():
    """By hand: 63 px give 15, pooled to 7, to 3, to 1."""
    with pytest.raises(MbsweepError, match="below 63 px a map vanishes"):
        Variant("alexnet", resolution=62)
    assert [layer.out_size for layer in architecture(Variant("alexnet", resolution=63)).layers] == [
        *(15, 7, 7, 3, 3, 3, 3, 1, 1, 1, 1)
    ]


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=15)
@given(data=st.data())
def test_every_layer_reads_what_is_there(name, data):
    """Channels and sizes agree along every edge: within the blocks, and from block to block."""
    variant = data.draw(variants_of(name))
    net = architecture(variant)
    given_ = (3, variant.resolution)
    for _, _, block in net.blocks():
        tensors = [given_]
        for place, layer in enumerate(block.layers):
            read = [tensors[place + 1 + back] for back in layer.reads]
            assert read[0] == (layer.in_channels, layer.in_size)
            if layer.kind == "add":
                assert read == [(layer.out_channels, layer.out_size)] * 2
            elif layer.kind == "concat":
                assert sum(channels for channels, _ in read) == layer.out_channels
                assert {size for _, size in read} == {layer.out_size}
            elif layer.kind == "scale":
                assert read[1:] == [(layer.in_channels, 1)]
            else:
                assert len(read) == 1
            tensors.append((layer.out_channels, layer.out_size))
        given_ = tensors[-1]
    assert given_ == (variant.num_classes, 1)


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=15)
@given(data=st.data())
def test_layers_have_names_of_their_own(name, data):
    """Unique within a network, and good for weights, files and pages."""
    names = [layer.name for layer in architecture(data.draw(variants_of(name))).layers]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)?", one) for one in names)


@settings(max_examples=200)
@given(data=st.data())
def test_two_networks_have_two_ids(data):
    """Of one family or two, whatever they differ in; ids are safe as names of files."""
    one = data.draw(st.sampled_from(list(FAMILIES)).flatmap(variants_of))
    if data.draw(st.booleans()):
        other = data.draw(variants_of(one.family))
    else:  # near ones: alike in all but a field
        name = data.draw(st.sampled_from(list(FAMILIES[one.family].fields)))
        other = one.but(**{name: data.draw(variants_of(one.family)).values[name]})
    assert (one.id == other.id) == (one == other)
    assert re.fullmatch(r"[a-z0-9_.+-]{1,200}", one.id)


IDS = [
    (Variant("mobilenet_v2"), "mobilenet_v2_w1.0_r224"),
    (Variant("mobilenet_v2", expansion=4, kernel=5), "mobilenet_v2_w1.0_r224_e4_k5"),
    (Variant("mobilenet_v2", stage_depths=[1, 2, 3, 4, 3, 3, 2]), "mobilenet_v2_w1.0_r224_b1-2-3-4-3-3-2"),
    (Variant("mobilenet_v2", num_classes=10, divisor=1), "mobilenet_v2_w1.0_r224_n10_div1"),
    (Variant("mobilenet_v3_small", minimalistic=True), "mobilenet_v3_small_w1.0_r224_minimalistic"),
    (Variant("resnet18", width=0.5, resolution=64), "resnet18_w0.5_r64"),
]


@pytest.mark.parametrize(("variant", "expected"), IDS)
def test_ids_stay(variant, expected):
    """They name rows of runs and files of weights that are on disks."""
    assert variant.id == expected


@settings(max_examples=100)
@given(variant=st.sampled_from(list(FAMILIES)).flatmap(variants_of))
def test_variants_can_be_kept_and_sent(variant):
    """JSON, pickle and their own words give back an equal variant."""
    assert Variant(**json.loads(json.dumps(variant.as_dict()))) == variant
    assert pickle.loads(pickle.dumps(variant)) == variant  # noqa: S301
    assert eval(repr(variant), {"Variant": Variant}) == variant  # noqa: S307
    assert hash(Variant(**variant.as_dict())) == hash(variant)


def test_fields_of_one_name_are_one_field():
    """In every family: the same label, unit, tag and words; a default or a bound may differ."""
    for name in {name for family in FAMILIES.values() for name in family.fields}:
        said = {
            (field.label, field.unit, field.tag, field.words)
            for family in FAMILIES.values()
            for other, field in family.fields.items()
            if other == name
        }
        assert len(said) == 1, name


def test_what_a_family_lacks_is_told():
    """A field of another family is refused with those that there are."""
    with pytest.raises(MbsweepError) as error:
        Variant("resnet50", expansion=3)
    assert str(error.value) == (
        "Variant: expansion is no field of resnet50, which has width, resolution, num_classes"
    )
