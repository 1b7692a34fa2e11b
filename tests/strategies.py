"""Random variants and sweeps for property tests."""

from hypothesis import strategies as st

from mbsweep import Variant

PAPER_STAGES = (64, 128, 256, 512, 1024)  # Table 1 of arXiv:1704.04861
BLOCK_NAMES = ["separable", "standard"]


def small_variants() -> st.SearchStrategy[Variant]:
    """Networks small enough to build and trace many of; odd sizes and odd channel counts included."""
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
    """All that a Variant may be, up to its bounds, with repeats made likely."""
    return st.builds(
        Variant,
        width=st.sampled_from([1.0, 0.1, 0.30000000000000004, 0.3, 4.0]) | st.floats(0, 4, exclude_min=True),
        resolution=st.sampled_from([1, 12, 112, 224, 4096]) | st.integers(1, 4096),
        depth=st.sampled_from([0, 1, 5, 11]) | st.integers(0, 10_000),
        block=st.sampled_from(BLOCK_NAMES),
        stage_channels=st.sampled_from([PAPER_STAGES, (6, 4, 1, 2, 8), (64, 1, 2, 8, 1)])
        | st.tuples(*[st.integers(1, 8192)] * 5),
        num_classes=st.sampled_from([1000, 1, 10, 1_000_000]),
        divisor=st.sampled_from([8, 1, 1024]),
        stem_stride=st.sampled_from([1, 2]),
    )
