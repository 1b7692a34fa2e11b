"""`mbsweep reproduce`: which published sizes follow from the shapes, checked with arithmetic of its own."""

import re
from decimal import Decimal

import pytest
from console import call

from mbsweep.commands._published import BARE, FOLLOWS, ROUNDED, SLIP, verdict


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


# Every printed size of v1, in millions: paper, Tables 4 to 9; TF-Slim's mobilenet_v1.md of 2018-08-02.
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
    ("1.0 MobileNet-224", {"width": 1, "resolution": 224}, "569", "4.2", False),
    ("0.50 MobileNet-160", {"width": 0.5, "resolution": 160}, "76", "1.32", False),
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


# The other families' printed sizes: mult-adds, ours, mark; parameters, ours, mark. Ours are of torchvision
# 0.29.1 (v2, v3 at width 1, GoogLeNet, VGG, SqueezeNet, AlexNet) and timm 1.0.31 (other v3), counted by
# fvcore and from their tensors.
OTHERS = [
    ("GoogleNet", "1550", 1_498_376_192, SLIP, "6.8", 6_624_904, SLIP),
    ("VGG 16", "15300", 15_470_264_320, SLIP, "138", 138_357_544, FOLLOWS),
    ("Squeezenet", "1700", 818_924_576, SLIP, "1.25", 1_248_424, FOLLOWS),
    ("AlexNet", "720", 714_188_480, SLIP, "60", 61_100_840, SLIP),
    ("mobilenet_v2_1.4_224", "582", 582_195_824, FOLLOWS, "6.06", 6_108_776, BARE),
    ("mobilenet_v2_1.3_224", "509", 509_374_560, FOLLOWS, "5.34", 5_386_792, BARE),
    ("mobilenet_v2_1.0_224", "300", 300_774_272, ROUNDED, "3.47", 3_504_872, BARE),
    ("mobilenet_v2_0.5_224", "97", 97_131_840, FOLLOWS, "1.95", 1_968_680, BARE),
    ("mobilenet_v2_0.35_224", "59", 59_285_808, FOLLOWS, "1.66", 1_677_128, BARE),
    ("mobilenet_v2_0.35_96", "11", 11_934_128, ROUNDED, "1.66", 1_677_128, BARE),
    ("mobilenet_v3_large_1.0", "217", 216_589_760, FOLLOWS, "5.4", 5_483_032, ROUNDED),
    ("mobilenet_v3_large_0.75", "155", 154_560_624, FOLLOWS, "4.0", 3_993_528, FOLLOWS),
    ("mobilenet_v3_small_1.0", "66", 56_510_400, SLIP, "2.9", 2_542_856, SLIP),
    ("mobilenet_v3_small_0.75", "44", 43_399_344, ROUNDED, "2.4", 2_041_872, SLIP),
    ("mobilenet_v3_large_minimalistic_1.0", "209", 209_136_704, FOLLOWS, "3.9", 3_924_288, FOLLOWS),
    ("mobilenet_v3_small_minimalistic_1.0", "65", 52_288_448, SLIP, "2.0", 2_044_736, FOLLOWS),
]
MARKS = (BARE, ROUNDED, SLIP)


@pytest.fixture(scope="module")
def lines():
    result = call("reproduce")
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def _cells(line):
    """Columns are two blanks apart, at least."""
    return [cell for cell in re.split(r" {2,}", line.strip()) if cell]


def _rows_of_v1(lines):
    return [line for line in lines if re.match(r"[\d.]* ?\w* ?MobileNet(-|_v1| )", line) and "," in line]


def test_every_published_size_of_v1_is_printed_beside_the_exact_one(lines):
    """30 networks in the papers' order, with both sizes as printed there and as the shapes give them."""
    rows = _rows_of_v1(lines)
    assert len(rows) == len(PRINTED)
    for row, (model, network, macs_m, params_m, _) in zip(rows, PRINTED, strict=True):
        macs, params = sizes(**network)
        cells = [cell for cell in _cells(row) if cell not in MARKS]
        assert cells[0] == model
        assert cells[2:] == [macs_m, f"{macs:,}", params_m, f"{params:,}"]


def test_exactly_the_slips_of_v1_are_marked(lines):
    """4866 in Table 4, TF-Slim's four 0.75 rows and its 0.25-192: off by a unit of the last digit or more."""
    rows = _rows_of_v1(lines)
    marked = [_cells(line)[0] for line in rows if SLIP in _cells(line)]
    assert marked == [model for model, *_, is_wrong in PRINTED if is_wrong]
    assert len(marked) == 6
    for _, network, macs_m, params_m, is_wrong in PRINTED:
        macs, params = sizes(**network)
        assert (abs(int(macs_m) * 10**6 - macs) >= 10**6) == is_wrong
        unit = Decimal(1).scaleb(Decimal(params_m).as_tuple().exponent)
        bare = params - 2 * 5472 if params_m == "1.32" else params  # the channels of all convolutions
        assert abs(Decimal(params_m) - Decimal(bare) / 10**6) < unit


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: row[0])
def test_the_other_families_are_printed_and_judged(lines, row):
    """Printed, ours and the mark of both sizes, each in its column."""
    model, macs_m, macs, macs_mark, params_m, params, params_mark = row
    (line,) = [line for line in lines if line.startswith(f"{model} ") and line.count(",") > 1]
    expected = [macs_m, f"{macs:,}", macs_mark, params_m, f"{params:,}", params_mark]
    assert _cells(line)[2:] == [cell for cell in expected if cell]


def test_every_row_of_v2s_zoo_is_there(lines):
    """22 checkpoints; all their parameters follow without batch normalisation."""
    rows = [line for line in lines if line.startswith("mobilenet_v2_")]
    assert len(rows) == 22
    assert all(line.endswith(BARE) and SLIP not in line for line in rows)


def test_table_1_is_ours_but_for_one_stride(lines):
    """22 rows as the paper prints them; the last depthwise layer has stride 1 here."""
    begin = next(number for number, line in enumerate(lines) if line.startswith("Table 1. "))
    rows = lines[begin + 2 : begin + 24]
    assert rows[0].split("  ")[0] == "Conv / s2"
    assert _cells(rows[13]) == ["5x Conv dw / s1", "3x3x512 dw", "14x14x512", "the same"]
    assert [_cells(row)[3:] for row in rows if not row.endswith("the same")] == [["Conv dw / s1", SLIP]]
    assert _cells(rows[17])[:3] == ["Conv dw / s2", "3x3x1024 dw", "7x7x1024"]


TYPES = [  # Table 2 in percent: printed, and by hand from Table 1
    ("Conv 1x1", "94.86", 539_492_352 / 568_740_352, "74.59", 3_139_584 / 4_209_088),
    ("Conv DW 3x3", "3.06", 17_385_984 / 568_740_352, "1.06", 44_640 / 4_209_088),
    ("Conv 3x3", "1.19", 10_838_016 / 568_740_352, "0.02", 864 / 4_209_088),
    ("Fully Connected", "0.18", 1_024_000 / 568_740_352, "24.33", 1_024_000 / 4_209_088),
]


@pytest.mark.parametrize(("name", "macs_pct", "macs", "params_pct", "params"), TYPES)
def test_table_2_follows_but_for_one_share(lines, name, macs_pct, macs, params_pct, params):
    """1.19 % of the mult-adds are printed for the first convolution, which has 1.91 %."""
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    mark = [SLIP] if name == "Conv 3x3" else []
    assert _cells(line)[1:] == [macs_pct, f"{100 * macs:.3f}", *mark, params_pct, f"{100 * params:.3f}"]


def test_every_slip_is_explained(lines):
    """The legend counts all 124 sizes, and says something of each kind of slip."""
    text = " ".join(" ".join(lines).split())
    assert "Of the 124 of Tables 4 to 9 and the zoo, 64 follow from the shapes; 23 marked bn do " in text
    assert "21 marked ~ lie " in text
    assert "16 marked != do not follow:" in text
    assert "4866 M is the sum without the classifier's 1.024 M" in text
    assert "all four mult-add figures are 2.6 % below what the shapes give" in text
    assert "34 M is printed where the shapes give 30.2 M" in text
    for model in ("GoogleNet", "VGG 16", "Squeezenet", "AlexNet"):
        assert f"{model}: " in text
    assert "V3-Small: 2.9 M and 2.4 M follow with 1280 channels after the pooling" in text


def test_it_fits_two_screens(lines):
    """No more than 140 lines."""
    assert len(lines) <= 140


def test_the_explanations_are_true():
    """4866 = 4,866,269,184 without 1,024,000; 0.75: 2.58 to 2.65 % below; 0.25-192: 30.2 M."""
    assert sizes(1, 224, is_standard=True)[0] - 1024 * 1000 == 4_866_269_184
    below = [
        100 - 100 * printed * 10**6 / sizes(0.75, resolution)[0]
        for resolution, printed in ((224, 317), (192, 233), (160, 162), (128, 104))
    ]
    assert [round(percent, 1) for percent in below] == [2.6, 2.6, 2.6, 2.6]
    assert sizes(0.25, 192)[0] == 30_212_608


def test_the_explanations_of_the_others_are_true():
    """VGG 16's convolutions, AlexNet's two towers, V3-Small with 1280 channels, GoogLeNet's 5x5."""
    linear = 512 * 7 * 7 * 4096 + 4096 * 4096 + 4096 * 1000
    assert round((15_470_264_320 - linear) / 1e6) == 15_347
    assert round(linear / 1e6) == 124
    # in, out, kernel, size; the second, fourth and fifth convolution see one of the two towers
    towers = [(3, 96, 11, 55), (48, 256, 5, 27), (256, 384, 3, 13), (192, 384, 3, 13), (192, 256, 3, 13)]
    hidden = [(256 * 6 * 6, 4096), (4096, 4096), (4096, 1000)]
    macs = sum(a * b * k * k * size * size for a, b, k, size in towers) + sum(a * b for a, b in hidden)
    params = sum(a * b * k * k + b for a, b, k, _ in towers) + sum(a * b + b for a, b in hidden)
    assert (macs, params) == (724_406_816, 60_965_224)
    # 576 to 1280 in place of 1024, then to the classes; at width 0.75, 432
    for channels, params, printed_m in ((576, 2_542_856, 2.9), (432, 2_041_872, 2.4)):
        assert round((params + 256 * (channels + 1) + 256 * 1000) / 1e6, 1) == printed_m
    # input and output of the 5x5 of each module, and its size: Table 1 of arXiv:1409.4842
    fives = [(16, 32, 28), (32, 96, 28), (16, 48, 14), (24, 64, 14), (24, 64, 14), (32, 64, 14)]
    fives += [(32, 128, 14), (32, 128, 7), (48, 128, 7)]
    assert round((1_498_376_192 + sum(16 * a * b * size**2 for a, b, size in fives)) / 1e6) == 1583
    assert round((6_624_904 + sum(16 * a * b for a, b, _ in fives)) / 1e6, 1) == 7.0


VERDICTS = [
    ("569.0", 568_740_352, SLIP),  # it claims a tenth of a million
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
