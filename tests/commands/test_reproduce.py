"""`mbsweep reproduce`: which published sizes follow from the shapes, checked with arithmetic of its own."""

from decimal import Decimal

import pytest
from console import call

from mbsweep.commands._published import FOLLOWS, ROUNDED, SLIP, verdict


def sizes(width, resolution, depth=5, is_standard=False):
    """(mult-adds, parameters) of MobileNet from Table 1 of arXiv:1704.04861, layer by layer.

    At the paper's four widths every channel count is a whole multiple of 8: nothing is rounded.
    """
    body = [(1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *[(1, 512)] * depth]
    body += [(2, 1024), (1, 1024)]
    before, size = int(32 * width), resolution // 2
    macs, params = 27 * before * size**2, 27 * before + 2 * before
    for stride, at_width_1 in body:
        after, size = int(at_width_1 * width), size // stride
        if is_standard:
            macs, params = macs + 9 * before * after * size**2, params + 9 * before * after + 2 * after
        else:
            macs += (9 * before + before * after) * size**2
            params += 9 * before + 2 * before + before * after + 2 * after
        before = after
    return macs + before * 1000, params + before * 1000 + 1000


# Every printed size, in millions: paper, Tables 4 to 7; TF-Slim's mobilenet_v1.md of 2018-08-02.
PRINTED = [  # the network, mult-adds, parameters, and whether they are wrong
    ("Conv MobileNet", {"width": 1, "resolution": 224, "is_standard": True}, "4866", "29.3", True),
    ("MobileNet", {"width": 1, "resolution": 224}, "569", "4.2", False),
    ("0.75 MobileNet", {"width": 0.75, "resolution": 224}, "325", "2.6", False),
    ("Shallow MobileNet", {"width": 1, "resolution": 224, "depth": 0}, "307", "2.9", False),
    ("1.0 MobileNet-224", {"width": 1, "resolution": 224}, "569", "4.2", False),
    ("0.75 MobileNet-224", {"width": 0.75, "resolution": 224}, "325", "2.6", False),
    ("0.5 MobileNet-224", {"width": 0.5, "resolution": 224}, "149", "1.3", False),
    ("0.25 MobileNet-224", {"width": 0.25, "resolution": 224}, "41", "0.5", False),
    ("1.0 MobileNet-224", {"width": 1, "resolution": 224}, "569", "4.2", False),
    ("1.0 MobileNet-192", {"width": 1, "resolution": 192}, "418", "4.2", False),
    ("1.0 MobileNet-160", {"width": 1, "resolution": 160}, "290", "4.2", False),
    ("1.0 MobileNet-128", {"width": 1, "resolution": 128}, "186", "4.2", False),
    ("MobileNet_v1_1.0_224", {"width": 1, "resolution": 224}, "569", "4.24", False),
    ("MobileNet_v1_1.0_192", {"width": 1, "resolution": 192}, "418", "4.24", False),
    ("MobileNet_v1_1.0_160", {"width": 1, "resolution": 160}, "291", "4.24", False),
    ("MobileNet_v1_1.0_128", {"width": 1, "resolution": 128}, "186", "4.24", False),
    ("MobileNet_v1_0.75_224", {"width": 0.75, "resolution": 224}, "317", "2.59", True),
    ("MobileNet_v1_0.75_192", {"width": 0.75, "resolution": 192}, "233", "2.59", True),
    ("MobileNet_v1_0.75_160", {"width": 0.75, "resolution": 160}, "162", "2.59", True),
    ("MobileNet_v1_0.75_128", {"width": 0.75, "resolution": 128}, "104", "2.59", True),
    ("MobileNet_v1_0.50_224", {"width": 0.5, "resolution": 224}, "150", "1.34", False),
    ("MobileNet_v1_0.50_192", {"width": 0.5, "resolution": 192}, "110", "1.34", False),
    ("MobileNet_v1_0.50_160", {"width": 0.5, "resolution": 160}, "77", "1.34", False),
    ("MobileNet_v1_0.50_128", {"width": 0.5, "resolution": 128}, "49", "1.34", False),
    ("MobileNet_v1_0.25_224", {"width": 0.25, "resolution": 224}, "41", "0.47", False),
    ("MobileNet_v1_0.25_192", {"width": 0.25, "resolution": 192}, "34", "0.47", True),
    ("MobileNet_v1_0.25_160", {"width": 0.25, "resolution": 160}, "21", "0.47", False),
    ("MobileNet_v1_0.25_128", {"width": 0.25, "resolution": 128}, "14", "0.47", False),
]


@pytest.fixture(scope="module")
def lines():
    result = call("reproduce")
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_every_published_size_is_printed_beside_the_exact_one(lines):
    """28 networks in the papers' order, with both sizes as printed there and as the shapes give them."""
    rows = [line for line in lines if "MobileNet" in line and line.count(",") > 1]
    assert len(rows) == len(PRINTED)
    for row, (model, network, macs_m, params_m, _) in zip(rows, PRINTED, strict=True):
        macs, params = sizes(**network)
        assert row.startswith(f"{model} ")
        cells = [cell for cell in row.removeprefix(model).split() if cell not in (ROUNDED, SLIP)]
        assert cells[1:] == [macs_m, f"{macs:,}", params_m, f"{params:,}"]


def test_exactly_the_slips_are_marked(lines):
    """4866 in Table 4, TF-Slim's four 0.75 rows and its 0.25-192: off by a unit of the last digit or more."""
    marked = [line.split("  ")[0].strip() for line in lines if f" {SLIP}" in line and line.count(",") > 1]
    assert marked == [model for model, *_, is_wrong in PRINTED if is_wrong]
    assert len(marked) == 6
    for _, network, macs_m, params_m, is_wrong in PRINTED:
        macs, params = sizes(**network)
        assert (abs(int(macs_m) * 10**6 - macs) >= 10**6) == is_wrong
        unit = Decimal(1).scaleb(Decimal(params_m).as_tuple().exponent)
        assert abs(Decimal(params_m) - Decimal(params) / 10**6) < unit


def test_every_slip_is_explained(lines):
    """The legend counts all 56 sizes, and says something of each kind of slip."""
    text = " ".join(" ".join(lines).split())
    assert "Of 56 sizes, 40 follow from the shapes; 10 marked ~ " in text
    assert "6 marked != do not follow:" in text
    assert "4866 M is the sum without the classifier's 1.024 M" in text
    assert "all four mult-add figures are 2.6 % below what the shapes give" in text
    assert "34 M is printed where the shapes give 30.2 M" in text


def test_the_explanations_are_true():
    """4866 = 4,866,269,184 without 1,024,000; 0.75: 2.58 to 2.65 % below; 0.25-192: 30.2 M."""
    assert sizes(1, 224, is_standard=True)[0] - 1024 * 1000 == 4_866_269_184
    below = [
        100 - 100 * printed * 10**6 / sizes(0.75, resolution)[0]
        for resolution, printed in ((224, 317), (192, 233), (160, 162), (128, 104))
    ]
    assert [round(percent, 1) for percent in below] == [2.6, 2.6, 2.6, 2.6]
    assert sizes(0.25, 192)[0] == 30_212_608


VERDICTS = [
    ("569.0", 568_740_352, FOLLOWS),
    ("569", 568_500_000, FOLLOWS),
    ("569", 568_499_999, ROUNDED),
    ("569", 568_000_001, ROUNDED),
    ("569", 568_000_000, SLIP),
    ("569", 570_000_000, SLIP),
    ("4.2", 4_231_976, FOLLOWS),
    ("4.24", 4_231_976, ROUNDED),
    ("4.25", 4_231_976, SLIP),
    ("0.5", 470_072, FOLLOWS),
]


@pytest.mark.parametrize(("printed", "exact", "expected"), VERDICTS)
def test_a_figure_is_judged_at_its_last_digit(printed, exact, expected):
    """Within half a unit it follows, within one unit it was rounded otherwise, beyond that it is a slip."""
    assert verdict(printed, exact) == expected
