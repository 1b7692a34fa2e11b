"""Random variants and sweeps for property tests."""

from hypothesis import strategies as st

from mbsweep import Variant
from mbsweep.space.families import FAMILIES, architecture

PAPER_STAGES = (64, 128, 256, 512, 1024)  # Table 1 of arXiv:1704.04861
BLOCK_NAMES = ["separable", "standard"]
OTHERS = [name for name in FAMILIES if name != "mobilenet_v1"]


def small_variants() -> st.SearchStrategy[Variant]:
    """Networks of any family, small enough to build and trace many of."""
    return small_v1() | st.sampled_from(OTHERS).flatmap(small_of)


def small_v1() -> st.SearchStrategy[Variant]:
    """The same of MobileNet v1; odd sizes and odd channel counts included."""
    return st.builds(
        Variant,
        width=st.sampled_from([0.25, 0.5, 0.35]) | st.floats(0.02, 1.3),
        resolution=st.integers(1, 65),
        depth=st.integers(0, 3),
        block=st.sampled_from(BLOCK_NAMES),
        stage_channels=st.just((64, 128, 256, 512, 512)) | st.tuples(*[st.integers(1, 90)] * 5),
        num_classes=st.integers(1, 60),
        divisor=st.sampled_from([1, 2, 3, 8, 16]),
        stem_stride=st.sampled_from([1, 2]),
    )


def any_variants() -> st.SearchStrategy[Variant]:
    """Networks of any family, those of MobileNet v1 up to the bounds of its fields; repeats made likely."""
    return any_v1() | st.sampled_from(OTHERS).flatmap(variants_of)


def any_v1() -> st.SearchStrategy[Variant]:
    """All that a Variant of MobileNet v1 may be and that can be counted in 64 bits."""
    return st.builds(
        Variant,
        width=st.sampled_from([1.0, 0.1, 0.30000000000000004, 0.3, 4.0]) | st.floats(0, 4, exclude_min=True),
        resolution=st.sampled_from([1, 12, 112, 224, 4096]) | st.integers(1, 4096),
        depth=st.sampled_from([0, 1, 5, 11, 10_000]) | st.integers(0, 200),  # few that are long to build
        block=st.sampled_from(BLOCK_NAMES),
        stage_channels=st.sampled_from([PAPER_STAGES, (6, 4, 1, 2, 8), (64, 1, 2, 8, 1)])
        | st.tuples(*[st.integers(1, 8192)] * 5),
        num_classes=st.sampled_from([1000, 1, 10, 1_000_000]),
        divisor=st.sampled_from([8, 1, 1024]),
        stem_stride=st.sampled_from([1, 2]),
    ).filter(lambda variant: architecture(variant).macs < 2**63)


def values_of(field) -> st.SearchStrategy:
    """What a field of a family may be, whatever it is: small numbers made likely."""
    if field.stages:
        item = _values(field.item, field.default[0])
        return st.tuples(*[item] * field.stages) | st.just(field.default)
    return _values(field.rule, field.default)


def _values(rule, default) -> st.SearchStrategy:
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, float):
        found = st.sampled_from([0.5, 1.0, 0.35, 1.4, 0.1]) | st.floats(0.02, 2)
        return found.filter(lambda value: _is_allowed(rule, value))
    if isinstance(default, str):
        return st.sampled_from(rule.names)
    allowed = [value for value in (*range(18), *range(18, 300, 7), 1000) if _is_allowed(rule, value)]
    return st.sampled_from(allowed)


def _is_allowed(rule, value) -> bool:
    try:
        rule(value)
    except ValueError:
        return False
    return True


def variants_of(name: str) -> st.SearchStrategy[Variant]:
    """Networks of a family; fields that follow from others are as these say."""
    fields = {key: values_of(field) for key, field in FAMILIES[name].fields.items() if key != "depth"}
    least = FAMILIES[name].least_resolution
    fields["resolution"] = fields["resolution"].filter(lambda pixels: pixels >= least)
    return st.fixed_dictionaries({}, optional=fields).map(lambda said: Variant(name, **said))


def axes_of(name: str) -> st.SearchStrategy[dict[str, object]]:
    """A `space:` of a family, as YAML has it: one or two values of each of some of its fields."""
    axes = {}
    for key, field in FAMILIES[name].fields.items():
        values = values_of(field)
        if key == "resolution":
            values = values.filter(lambda pixels: pixels >= FAMILIES[name].least_resolution)
        lists = st.lists(values, min_size=1, max_size=2, unique=True)
        axes[key] = lists.map(lambda some: [list(one) if isinstance(one, tuple) else one for one in some])
    return st.fixed_dictionaries({"family": st.just(name)}, optional=axes)


def small_of(name: str, largest: int = 40) -> st.SearchStrategy[Variant]:
    """Networks of a family that are quickly built and traced: narrow, shallow, of few pixels and classes.

    largest: pixels more than the family's least resolution.
    """
    family = FAMILIES[name]

    def small(variant: Variant) -> Variant:
        few = {"resolution": family.least_resolution + variant.resolution % largest}
        few["num_classes"] = 1 + variant.num_classes % 30
        for key in family.fields:
            if key == "width":
                few[key] = 0.02 + variant.width % 0.4
            elif key == "stage_depths":
                few[key] = tuple(min(depth, 3) for depth in variant.stage_depths)
            elif key == "stage_channels":
                few[key] = tuple(1 + channels % 200 for channels in variant.stage_channels)
        return variant.but(**few)

    return variants_of(name).map(small)
