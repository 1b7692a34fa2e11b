"""Axes over the fields of families, and what a sweep file is told about them."""

import itertools
import json

import pytest

from mbsweep import MbsweepError, Variant, count, count_space
from mbsweep.sweep.sweep import parse_sweep


def variants(text):
    """The variants of a sweep file."""
    return count_space(parse_sweep(text, "s.yaml")).variants()


def test_a_sweep_holds_several_families():
    """Each mapping has one family or several, in the file's order; what is left out is as usual there."""
    found = variants(
        "space:\n"
        "  - {width: [0.5, 1]}\n"
        "  - {family: mobilenet_v2, expansion: [3, 6]}\n"
        "  - {family: [resnet18, vgg16], resolution: [64, 96]}\n"
        "variants:\n"
        "  - {family: mobilenet_v3_small, minimalistic: true}\n"
    )
    assert found == [
        Variant("mobilenet_v3_small", minimalistic=True),
        Variant(width=0.5),
        Variant(width=1.0),
        Variant("mobilenet_v2", expansion=3),
        Variant("mobilenet_v2"),
        *(Variant(family, resolution=size) for family in ("resnet18", "vgg16") for size in (64, 96)),
    ]


def test_each_gives_every_combination_over_the_stages():
    """`{each: [3, 5]}` over five stages is 32 networks, the last stage fastest, and counts as one by one."""
    space = count_space(
        parse_sweep("space: {width: 0.25, resolution: 64, kernels: {each: [3, 5]}}", "s.yaml")
    )
    expected = [
        Variant(width=0.25, resolution=64, kernels=kernels) for kernels in itertools.product((3, 5), repeat=5)
    ]
    assert space.variants() == expected
    assert space.macs.tolist() == [count(variant).macs for variant in expected]
    assert len(set(space.ids())) == 32


def test_widths_of_stages_are_channels():
    """A multiplier for a stage is that stage's channels at width 1: 0.5 of 512 are 256, 0.3 of 64 19.2."""
    text = "space: {stage_widths: [[1, 1, 1, 0.5, 1], [0.3, 1, 1, 1, 1]]}"
    halved, odd = variants(text)
    assert halved == Variant(stage_channels=(64, 128, 256, 256, 1024))
    assert odd.stage_channels == (19.2, 128, 256, 512, 1024)
    assert Variant(**odd.as_dict()) == odd


@pytest.mark.parametrize("depth", [0, 3])
def test_depth_is_the_fourth_of_the_stages_depths(depth):
    """One network has one id, whichever of the two says it."""
    said = Variant(stage_depths=(1, 2, 2, depth + 1, 2))
    assert said == Variant(depth=depth)
    assert said.id == f"mobilenet_v1_w1.0_r224_d{depth}"
    assert variants(f"space: {{stage_depths: [1, 2, 2, {depth + 1}, 2]}}") == [Variant(depth=depth)]


REFUSED = [
    (
        "space: {family: resnet18, depth: 3}",
        "space.depth is an unknown key of resnet18; allowed here: family, width, resolution, num_classes",
    ),
    (
        "space: {family: [mobilenet_v1, mobilenet_v2], kernels: [3, 3, 3, 3, 3]}",
        "space.kernels is an unknown key of mobilenet_v2; allowed here: family, width, resolution,",
    ),
    (
        "space: {family: [mobilenet_v1, mobilenet_v2], stage_depths: {each: [1, 2]}}",
        "space.stage_depths has 5 values in mobilenet_v1 and 7 in mobilenet_v2: give each family a",
    ),
    ("space: {family: [resnet18, resnet18]}", "space.family[1] is 'resnet18'; expected each value once"),
    ("space: {family: resnet81}", "space.family is 'resnet81'; expected one of mobilenet_v1, mobilenet_v2,"),
    ("space: {family: []}", "space.family is []; expected at least one value"),
    ("variants: [{family: [resnet18]}]", "variants[0].family is ['resnet18']; expected one of mobilenet_v1,"),
    (
        "space: {family: alexnet, resolution: [64, 62]}",
        "space gives no network: resolution 62 is too small for alexnet: below 63 px a map",
    ),
    (
        "space: {depth: [1, 2], stage_depths: {each: [1, 2]}}",
        "space gives no network: depth and stage_depths[3] say the same: give one of them",
    ),
    (
        "space: {depth: [5, 6], stage_depths: [[1, 2, 2, 6, 2], [1, 2, 2, 7, 2]]}",
        "space gives no network: depth and stage_depths[3] say the same: give one of them",
    ),
    (
        "variants: [{stage_channels: [1, 2, 3, 4, 5], stage_widths: [1, 1, 1, 1, 1]}]",
        "variants[0] gives no network: stage_widths and stage_channels say the same: give one of",
    ),
    ("space: {stage_depths: [1, 2, 0, 6, 2]}", "space.stage_depths is [1, 2, 0, 6, 2]; expected a list of 5"),
    ("space: {kernels: {each: [3, 4]}}", "space.kernels.each[1] is 4; expected one of 3, 5, 7"),
    (
        "space: {kernels: {each: [3], from: 1}}",
        "space.kernels is {'each': [3], 'from': 1}; expected `each` a",
    ),
    ("space: {width: {each: [1, 0.5]}}", "space.width is {'each': [1, 0.5]}; expected values, and no `each`"),
    (
        "space: {kernels: {each: [3, 5, 7]}, stage_depths: {each: [1, 2, 3, 4, 5, 6, 7, 8]}}",
        "space has 7962624 variants; at most 5000000 are allowed",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_a_family_does_not_have_is_refused(text, message):
    """Where, what was given, what is allowed."""
    with pytest.raises(MbsweepError) as caught:
        parse_sweep(text, "s.yaml")
    assert str(caught.value).startswith(f"s.yaml:1: {message}")


def test_what_64_bits_do_not_hold_is_refused():
    """No count is ever wrong: the largest networks that fields allow have more mult-adds than 2^63."""
    text = "space: {width: 4, resolution: 4096, depth: 10000, block: standard, kernels: [7, 7, 7, 7, 7]"
    with pytest.raises(MbsweepError, match=r"more than 9.2e18 mult-adds"):
        count_space(parse_sweep(f"{text}, stage_channels: [8192, 8192, 8192, 8192, 8192]}}", "s.yaml"))


CODE = "python:own.networks:small"


@pytest.mark.parametrize("families", [[CODE, "mobilenet_v1"], ["mobilenet_v1", CODE]])
def test_a_family_that_is_code_loosens_no_rule_of_others(families):
    """An argument may be anything; a field of MobileNet v1 that is called so may not."""
    with pytest.raises(MbsweepError, match=r"space.width is 'wide'; expected a number in \(0, 4\]"):
        parse_sweep(f"space: {{family: {json.dumps(families)}, width: wide}}", "own.yaml")


def test_more_networks_of_ones_own_than_can_be_made_are_refused():
    """Each is made once to be counted: a space of a million takes days, and nothing is begun."""
    text = f"space: {{family: '{CODE}', a: {{from: 1, to: 100, step: 1}}, b: {{from: 1, to: 101, step: 1}}}}"
    with pytest.raises(MbsweepError, match=r"yaml:1: space has 10,100 networks that are code; at most"):
        parse_sweep(text, "own.yaml")


def test_a_list_in_a_list_is_one_argument():
    """In `space` a list is an axis; in `variants` it is the argument itself."""
    sweep = parse_sweep(
        f"space: {{family: '{CODE}', widths: [[16, 32], [8, 8]]}}\n"
        f"variants: [{{family: '{CODE}', widths: [1, 2], input: [3, 64, 64]}}]",
        "own.yaml",
    )
    assert [grid.variant(0).widths for axes in sweep.space for grid in axes.grids()] == [(16, 32), (8, 8)]
    assert [(variant.widths, variant.resolution) for variant in sweep.explicit] == [((1, 2), 64)]
