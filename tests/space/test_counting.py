"""Counts in closed form: the paper's figures, and whole spaces against one variant at a time."""

import itertools
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import any_variants

from mbsweep import MbsweepError, Variant, count, count_space, load_sweep
from mbsweep.space.space import count_macs
from mbsweep.sweep.sweep import parse_sweep

SWEEPS = Path(__file__).parents[2] / "sweeps"

PUBLISHED = [  # the layer shapes of Table 1 (arXiv:1704.04861), counted by hand and by fvcore
    (Variant(), 4_231_976, 568_740_352),
    (Variant(width=0.25, resolution=128), 470_072, 13_570_048),
    (Variant(depth=0), 2_887_976, 307_323_392),
    (Variant(block="standard"), 29_294_088, 4_867_293_184),
]


@pytest.mark.parametrize(("variant", "params", "macs"), PUBLISHED)
def test_counts_follow_the_papers_shapes(variant, params, macs):
    """The closed form gives the known counts to the last unit, and four bytes for each parameter."""
    counts = count(variant)
    assert (counts.params, counts.macs) == (params, macs)
    assert counts.weight_bytes == 4 * params


# Tables 5 to 7 and 9 of arXiv:1704.04861: mult-adds and parameters in millions, as printed there.
PAPER_MILLIONS = [
    (Variant(), 569, 4.2),
    (Variant(width=0.75), 325, 2.6),
    (Variant(depth=0), 307, 2.9),
    (Variant(width=0.5), 149, 1.3),
    (Variant(width=0.25), 41, 0.5),
    (Variant(resolution=192), 418, 4.2),
    (Variant(resolution=160), 290, 4.2),
    (Variant(resolution=128), 186, 4.2),
    (Variant(width=0.5, resolution=160), 76, 1.3),
]


@pytest.mark.parametrize(("variant", "macs_m", "params_m"), PAPER_MILLIONS)
def test_counts_are_the_papers_millions(variant, macs_m, params_m):
    """Every size that the paper prints is ours: parameters rounded, mult-adds rounded or cut off."""
    counts = count(variant)
    assert macs_m in (round(counts.macs / 1e6), counts.macs // 1_000_000)
    assert round(counts.params / 1e6, 1) == params_m


def test_what_the_paper_leaves_out():
    """Two printed sizes do not follow from the shapes, and both are explained by what was not counted.

    Table 4 gives Conv MobileNet 4866 M mult-adds: without the classifier's 1024 x 1000. Table 9 gives
    0.50 MobileNet-160 1.32 M parameters: without batch normalisation's 2 x 5472.
    """
    assert (count(Variant(block="standard")).macs - 1024 * 1000) // 1_000_000 == 4866
    assert round((count(Variant(width=0.5, resolution=160)).params - 2 * 5472) / 1e6, 2) == 1.32


def test_peak_activations_of_the_baseline():
    """The peak is at block1.pw: 112 x 112 pixels, 32 channels in and 64 out, 4 bytes each."""
    assert count(Variant()).peak_activation_bytes == 4 * 112 * 112 * (32 + 64)


# -- whole spaces ---------------------------------------------------------------------------------------

ORDER = (
    "family",
    "block",
    "num_classes",
    "divisor",
    "stem_stride",
    "stage_channels",
    "width",
    "resolution",
    "depth",
)
VALUES = {  # values of each axis to draw from: some usual, some extreme
    "family": st.just("mobilenet_v1"),
    "block": st.sampled_from(["separable", "standard"]),
    "stage_channels": st.sampled_from(
        [(64, 128, 256, 512, 1024), (64, 128, 256, 512, 512), (8192,) * 5, (1,) * 5]
    ),
    "num_classes": st.sampled_from([1, 10, 1000, 1_000_000]),
    "divisor": st.sampled_from([1, 3, 8, 1024]),
    "stem_stride": st.sampled_from([1, 2]),
    "width": st.sampled_from([0.25, 1.0, 4.0, 1e-9]) | st.floats(0.01, 4),
    "resolution": st.sampled_from([1, 33, 224, 4096]) | st.integers(1, 4096),
    "depth": st.integers(0, 8),
}


@st.composite
def _axes(draw):
    names = draw(st.sets(st.sampled_from(ORDER)))
    return {name: draw(st.lists(VALUES[name], min_size=1, max_size=3, unique=True)) for name in names}


@st.composite
def _points(draw):
    return {name: draw(VALUES[name]) for name in draw(st.sets(st.sampled_from(ORDER)))}


@st.composite
def sweeps(draw):
    """The data of a sweep file: a few grids and explicit variants, which may overlap."""
    data = {"space": draw(st.lists(_axes(), max_size=2)), "variants": draw(st.lists(_points(), max_size=4))}
    if not data["space"] and not data["variants"]:
        data["variants"] = [{}]
    return data


def _sweep(data):
    return parse_sweep(yaml.safe_dump(_plain(data)), "made.yaml")


def _plain(data):
    """Tuples as lists: YAML knows no tuples."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    return [_plain(value) for value in data] if isinstance(data, list | tuple) else data


def _listed(data):
    return list(dict.fromkeys(Variant(**point) for point in data["variants"]))


def _everything(data):
    """All variants by the plain definition: listed ones, then each product with the last field fastest."""
    found = _listed(data)
    for axes in data["space"]:
        whole = [axes.get(name, [getattr(Variant(), name)]) for name in ORDER]
        found += [Variant(**dict(zip(ORDER, values, strict=True))) for values in itertools.product(*whole)]
    return list(dict.fromkeys(found))


@settings(max_examples=60)
@given(sweeps())
@example(
    {"space": [{"width": [0.5, 1.0]}, {"width": [1.0, 0.75, 0.5]}], "variants": [{}, {"width": 0.75}, {}]}
)
def test_a_space_is_the_product_of_its_axes(data):
    """Order, repeats and counts of a space are those of itertools.product and of `count`, one at a time."""
    expected = _everything(data)
    space = count_space(_sweep(data))
    assert space.variants() == expected
    assert len(space) == len(expected)
    assert list(space.ids()) == [variant.id for variant in expected]
    counts = [count(variant) for variant in expected]
    for name in ("params", "macs", "weight_bytes", "peak_activation_bytes"):
        assert getattr(space, name).tolist() == [getattr(one, name) for one in counts]


def test_the_largest_network_that_is_allowed_fits_64_bits():
    """All bounds of Variant at once: the arrays hold what Python's unlimited integers give."""
    largest = {
        "width": [4.0],
        "resolution": [4096],
        "depth": [10_000],
        "block": ["standard"],
        "stage_channels": [[8192] * 5],
        "num_classes": [1_000_000],
        "divisor": [1024],
    }
    space = count_space(_sweep({"space": [largest], "variants": []}))
    c = 4 * 8192
    stem = 4 * 32 * 8  # 128 channels, rounded up to the divisor
    shapes = [
        (3, stem, 2048),
        (stem, c, 2048),
        (c, c, 1024),
        (c, c, 1024),
        (c, c, 512),
        (c, c, 512),
        (c, c, 256),
    ]
    shapes += [(c, c, 256)] * 10_000 + [(c, c, 128)] * 2
    assert space.macs[0] == sum(9 * i * o * size**2 for i, o, size in shapes) + c * 1_000_000
    assert space.params[0] == sum(9 * i * o + 2 * o for i, o, _ in shapes) + (c + 1) * 1_000_000
    assert space.weight_bytes[0] == 4 * space.params[0]
    assert space.peak_activation_bytes[0] == 4 * (2048**2 + 1024**2) * c  # block2: stride 2


@settings(max_examples=60)
@given(sweeps(), st.data())
def test_limits_keep_what_is_within_both_ends_included(data, draw):
    """Limits hold for listed variants and for grids; a variant exactly at a limit is kept."""
    everything = _everything(data)
    counts = [count(variant) for variant in everything]
    limits = {}
    for name in draw.draw(st.sets(st.sampled_from(["params", "macs"]), min_size=1)):
        # one of the values as a limit; above 2**53 a float limit cannot name every whole number
        values = [getattr(one, name) for one in counts if getattr(one, name) < 2**53]
        if values:
            ends = sorted(draw.draw(st.tuples(st.sampled_from(values), st.sampled_from(values))))
            limits[name] = dict(zip(("min", "max"), ends, strict=True))
    expected = [
        variant
        for variant, one in zip(everything, counts, strict=True)
        if all(limit["min"] <= getattr(one, name) <= limit["max"] for name, limit in limits.items())
    ]
    sweep = _sweep({**data, "limits": limits})
    if expected:
        assert count_space(sweep).variants() == expected
    else:
        with pytest.raises(MbsweepError, match=rf"limits leaves none of the {len(everything)} variants"):
            count_space(sweep)


def test_a_limit_may_have_one_end():
    """`min` alone has no upper end, `max` alone no lower: 1.0-224 has 568,740,352 mult-adds."""
    text = "space: {{resolution: [128, 224]}}\nlimits: {{macs: {{{}: {}}}}}"
    for end, value, resolutions in [
        ("max", 568_740_352, [128, 224]),
        ("max", 568_740_351, [128]),
        ("min", 568_740_352, [224]),
        ("min", 0, [128, 224]),
    ]:
        space = count_space(parse_sweep(text.format(end, value), "one_end.yaml"))
        assert space.column("resolution").tolist() == resolutions


def test_limits_that_leave_nothing_name_the_range():
    """The error says where the limit stands and what the space has: 470,072 params is 0.25 MobileNet."""
    sweep = parse_sweep("space: {width: [0.25, 1.0]}\nlimits:\n  params: {max: 470071}\n", "tight.yaml")
    with pytest.raises(MbsweepError) as caught:
        count_space(sweep)
    assert str(caught.value).startswith("tight.yaml:2: limits leaves none of the 2 variants")
    assert "params run from 470072 to 4231976" in str(caught.value)


@settings(max_examples=60)
@given(sweeps(), st.integers(1, 30), st.integers(0, 2**32 - 1))
@example({"space": [{"width": [0.1, 0.2, 0.3, 0.4]}], "variants": [{"width": 1.5}]}, 2, 0)
def test_a_sample_is_a_part_of_the_space_in_its_order(data, size, seed):
    """`sample` keeps every listed variant, takes so many of the rest, in order, and the same for a seed."""
    listed = _listed(data)
    rest = _everything(data)[len(listed) :]
    space = count_space(_sweep({**data, "sample": {"count": size, "seed": seed}}))
    chosen = space.variants()
    assert chosen[: len(listed)] == listed
    drawn = chosen[len(listed) :]
    assert len(drawn) == min(size, len(rest))
    assert [variant for variant in rest if variant in set(drawn)] == drawn
    assert count_space(_sweep({**data, "sample": {"count": size, "seed": seed}})).variants() == chosen
    assert space.macs.tolist() == [count(variant).macs for variant in chosen]


def test_a_variant_listed_twice_does_not_touch_the_sample():
    """Repeats in `variants` are one variant; the sample is still drawn from the whole grid."""
    rest = "space: {resolution: {from: 100, to: 200, step: 1}}\nsample: {count: 1}"
    once = count_space(parse_sweep("variants: [{width: 0.5}]\n" + rest, "once.yaml"))
    twice = count_space(parse_sweep("variants: [{width: 0.5}, {width: 0.5}]\n" + rest, "twice.yaml"))
    assert len(twice) == 2
    assert twice.variants() == once.variants()


def test_samples_of_different_seeds_differ():
    """The seed chooses: ten seeds give ten choices of 20 out of 400 variants."""
    text = "space: {{resolution: {{from: 1, to: 400, step: 1}}}}\nsample: {{count: 20, seed: {}}}"
    choices = {
        tuple(count_space(parse_sweep(text.format(seed), "s.yaml")).column("resolution"))
        for seed in range(10)
    }
    assert len(choices) == 10


def test_a_sample_is_spread_over_the_space():
    """Each variant is equally likely: in 200 samples of 5 out of 10, each is drawn about 100 times."""
    text = "space: {{resolution: {{from: 1, to: 10, step: 1}}}}\nsample: {{count: 5, seed: {}}}"
    times = dict.fromkeys(range(1, 11), 0)
    for seed in range(200):
        for resolution in count_space(parse_sweep(text.format(seed), "s.yaml")).column("resolution").tolist():
            times[resolution] += 1
    assert all(65 <= drawn <= 135 for drawn in times.values())  # 100 +- 5 standard deviations of 7.1


def test_limits_come_before_the_sample():
    """The sample is drawn from what the limits leave: all of it, when it is no larger than the sample."""
    grid = "space: {width: 0.25, resolution: {from: 1, to: 400, step: 1}}"
    text = f"{grid}\nlimits: {{macs: {{max: 13570048}}}}\nsample: {{count: 10}}"
    space = count_space(parse_sweep(text, "s.yaml"))
    assert len(space) == 10
    assert space.column("resolution").max() <= 128  # 0.25-128 has 13,570,048 mult-adds


def test_the_million_variant_space_equals_counts_one_at_a_time():
    """Two hundred variants of sweeps/space_1m.yaml, spread evenly, have the counts that `count` gives."""
    space = count_space(load_sweep(SWEEPS / "space_1m.yaml"))
    assert len(space) >= 900_000
    for place in range(0, len(space), len(space) // 200):
        one = count(space.variant(place))
        assert (space.params[place], space.macs[place]) == (one.params, one.macs)
        assert space.peak_activation_bytes[place] == one.peak_activation_bytes


@given(st.lists(any_variants(), max_size=5))
def test_many_variants_are_counted_as_one_by_one(variants):
    """The mult-adds of a list, in any order and with repeats, are those of each."""
    variants = [
        variant.but(depth=min(variant.depth, 20)) if variant.family == "mobilenet_v1" else variant
        for variant in variants  # deeper ones take long
    ]
    variants += variants[:1]
    assert count_macs(variants).tolist() == [count(variant).macs for variant in variants]
