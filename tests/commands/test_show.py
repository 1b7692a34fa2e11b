"""`mbsweep show`: a network in print, against the paper's own tables."""

import re
from fractions import Fraction

import pytest
from console import call, refusal

from mbsweep.space.blocks import BLOCKS
from mbsweep.space.families import FAMILIES

# Table 1 of arXiv:1704.04861, in full, but for the Softmax, which is left to the loss. Two entries are set
# right: the paper prints s2 for the last depthwise layer, whose output has the size of its input (7 x 7).
PAPER_TABLE_1 = """\
Conv / s2     | 3 x 3 x 3 x 32     | 224 x 224 x 3
Conv dw / s1  | 3 x 3 x 32 dw      | 112 x 112 x 32
Conv / s1     | 1 x 1 x 32 x 64    | 112 x 112 x 32
Conv dw / s2  | 3 x 3 x 64 dw      | 112 x 112 x 64
Conv / s1     | 1 x 1 x 64 x 128   | 56 x 56 x 64
Conv dw / s1  | 3 x 3 x 128 dw     | 56 x 56 x 128
Conv / s1     | 1 x 1 x 128 x 128  | 56 x 56 x 128
Conv dw / s2  | 3 x 3 x 128 dw     | 56 x 56 x 128
Conv / s1     | 1 x 1 x 128 x 256  | 28 x 28 x 128
Conv dw / s1  | 3 x 3 x 256 dw     | 28 x 28 x 256
Conv / s1     | 1 x 1 x 256 x 256  | 28 x 28 x 256
Conv dw / s2  | 3 x 3 x 256 dw     | 28 x 28 x 256
Conv / s1     | 1 x 1 x 256 x 512  | 14 x 14 x 256
Conv dw / s1  | 3 x 3 x 512 dw     | 14 x 14 x 512
Conv / s1     | 1 x 1 x 512 x 512  | 14 x 14 x 512
Conv dw / s1  | 3 x 3 x 512 dw     | 14 x 14 x 512
Conv / s1     | 1 x 1 x 512 x 512  | 14 x 14 x 512
Conv dw / s1  | 3 x 3 x 512 dw     | 14 x 14 x 512
Conv / s1     | 1 x 1 x 512 x 512  | 14 x 14 x 512
Conv dw / s1  | 3 x 3 x 512 dw     | 14 x 14 x 512
Conv / s1     | 1 x 1 x 512 x 512  | 14 x 14 x 512
Conv dw / s1  | 3 x 3 x 512 dw     | 14 x 14 x 512
Conv / s1     | 1 x 1 x 512 x 512  | 14 x 14 x 512
Conv dw / s2  | 3 x 3 x 512 dw     | 14 x 14 x 512
Conv / s1     | 1 x 1 x 512 x 1024 | 7 x 7 x 512
Conv dw / s1  | 3 x 3 x 1024 dw    | 7 x 7 x 1024
Conv / s1     | 1 x 1 x 1024 x 1024 | 7 x 7 x 1024
Avg Pool / s1 | Pool 7 x 7         | 7 x 7 x 1024
FC / s1       | 1024 x 1000        | 1 x 1 x 1024
"""


def show(*words):
    """The lines that `mbsweep show` prints."""
    result = call("show", *words)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def part(lines, title):
    """The rows of one of the printed tables: what follows its title and its head, up to an empty line."""
    begin = next(place for place, line in enumerate(lines) if line.startswith(title)) + 2
    end = next((place for place in range(begin, len(lines)) if not lines[place].strip()), len(lines))
    return lines[begin:end]


def number(text):
    return int(text.replace(",", ""))


@pytest.fixture(scope="module")
def default():
    return show()


def test_the_layers_are_those_of_table_1(default):
    """Type and stride, filter shape and input size of each layer of 1.0-224, in the paper's order."""
    rows = part(default, "Layers")
    printed = [[cell.strip() for cell in row.split("  ") if cell.strip()][1:4] for row in rows[:-1]]
    assert printed == [[cell.strip() for cell in row.split("|")] for row in PAPER_TABLE_1.splitlines()]


def test_the_layers_add_up_to_the_network(default):
    """4,231,976 parameters and 568,740,352 mult-adds: the sum of the rows, the last row, the head."""
    rows = [row.split() for row in part(default, "Layers")]
    assert sum(number(row[-4]) for row in rows[:-1]) == number(rows[-1][-4]) == 4_231_976
    assert sum(number(row[-2]) for row in rows[:-1]) == number(rows[-1][-2]) == 568_740_352
    assert sum(float(row[-1]) for row in rows[:-1]) == pytest.approx(100, abs=0.005 * len(rows))
    assert default[0] == "mobilenet_v1_w1.0_r224_d5"
    assert "4,231,976 parameters, 568,740,352 mult-adds" in default[1]
    assert "16,927,904 bytes of weights" in default[1]  # 4 x 4,231,976


# Table 2 of arXiv:1704.04861, percent. The paper prints 1.19 % of the mult-adds for Conv 3x3, and its column
# then adds up to 99.29 %; 10,838,016 of 568,740,352 are 1.91 %.
PAPER_TABLE_2 = {
    "Conv 1x1": ("94.86", "74.59"),
    "Conv DW 3x3": ("3.06", "1.06"),
    "Conv 3x3": ("1.91", "0.02"),
    "Fully Connected": ("0.18", "24.33"),
}


def test_the_shares_are_those_of_table_2(default):
    """Of the mult-adds, and of the parameters without what the paper leaves out: biases, normalisation."""
    rows = {" ".join(row.split()[:-8]): row.split()[-8:] for row in part(default, "Resource")}
    assert {name: (cells[1], cells[5]) for name, cells in rows.items()} == PAPER_TABLE_2
    assert {name: cells[6] for name, cells in rows.items()} == {
        "Conv 1x1": "94.86",
        "Conv DW 3x3": "3.06",
        "Conv 3x3": "1.19",  # as printed
        "Fully Connected": "0.18",
    }
    assert {name: cells[7] for name, cells in rows.items()} == {
        name: share for name, (_, share) in PAPER_TABLE_2.items()
    }
    assert sum(number(cells[0]) for cells in rows.values()) == 568_740_352
    assert sum(number(cells[2]) for cells in rows.values()) == 4_231_976


def test_where_the_shares_differ_the_reason_is_printed(default):
    """What the paper counts, and the two digits that it exchanged."""
    text = " ".join(default)
    assert "without batch normalisation and bias" in text
    assert "1.19 % has two digits exchanged" in text


def test_each_pair_saves_what_section_3_1_says(default):
    """(DK² M DF² + M N DF²) / (DK² M N DF²) = 1/N + 1/DK², pair by pair, in exact fractions."""
    rows = [row.split() for row in part(default, "Separable pairs")]
    assert len(rows) == 13
    for name, n, k, pair, full, ratio, formula in rows:
        exact = Fraction(1, int(n)) + Fraction(1, int(k) ** 2)
        assert Fraction(number(pair), number(full)) == exact, name
        assert ratio == formula == f"{float(exact):.5f}"


def test_another_network_is_shown_without_the_papers_columns():
    """0.75-192 (2,585,560 parameters, 239,273,472 mult-adds) is not the network of Table 2."""
    lines = show("--width", 0.75, "--resolution", 192)
    assert lines[0] == "mobilenet_v1_w0.75_r192_d5"
    assert "2,585,560 parameters, 239,273,472 mult-adds" in lines[1]
    assert not any("paper:" in line or "digits exchanged" in line for line in lines)
    assert "3 x 3 x 3 x 24" in part(lines, "Layers")[0]
    assert len(part(lines, "Separable pairs")) == 13


@pytest.mark.parametrize("family", FAMILIES)
def test_any_family_is_shown(family):
    """Its layers add up to the parameters that head the print."""
    shown = call("show", family).stdout
    total = re.search(r"^total +([\d,]+) ", shown, re.M)
    assert shown.splitlines()[1].startswith(f"{total[1]} parameters, ")


def test_a_network_without_pairs_is_shown_without_them():
    """The standard block (29,294,088 parameters, 4,867,293,184 mult-adds) has nothing to compare with."""
    lines = show("--block", "standard")
    assert "29,294,088 parameters, 4,867,293,184 mult-adds" in lines[1]
    assert not any(line.startswith("Separable pairs") for line in lines)


def test_every_option_reaches_the_network():
    """Shallow, another body, ten classes, plain rounding: all of it is in the id and the layers."""
    words = ["--depth", 0, "--stage-channels", "8,16,32,64,90", "--num-classes", 10, "--divisor", 1]
    lines = show("--width", 0.5, "--resolution", 33, *words)
    assert lines[0] == "mobilenet_v1_w0.5_r33_d0_c8-16-32-64-90_n10_div1"
    assert "45 x 10" in part(lines, "Layers")[-2]


REFUSED = [
    (["--width", 9], "Variant: width is 9.0; expected a number in (0, 4], such as 0.75"),
    (["--width", "nan"], "Variant: width is nan; expected a number in (0, 4], such as 0.75"),
    (["--resolution", 0], "Variant: resolution is 0; expected a whole number from 1 to 4096, such as 192"),
    (["--depth", -1], "Variant: depth is -1; expected a whole number from 0 to 10000, such as 5"),
    (
        ["--block", "seperable"],
        f"Variant: block is 'seperable'; expected one of {', '.join(BLOCKS)}; did you mean 'separable'?",
    ),
    (
        ["--family", "mobilenetv1"],
        f"family is 'mobilenetv1'; expected one of {', '.join(FAMILIES)}; did you mean 'mobilenet_v1'?",
    ),
    (
        ["--stage-channels", "64,128"],
        "Variant: stage_channels is (64, 128); expected a list of 5 whole numbers from 1 to 8192, "
        "such as [64, 128, 256, 512, 1024]",
    ),
    (
        ["kernels=[3,3,3,3,3"],
        "Variant: kernels is ('[3', 3, 3, 3, 3); expected a list of 5, each one of 3, 5, 7: "
        "such as [3, 3, 3, 3, 3]",
    ),
    (
        ["--stage-channels", "a,b"],
        "Variant: stage_channels is ('a', 'b'); expected a list of 5 whole numbers from 1 to 8192, "
        "such as [64, 128, 256, 512, 1024]",
    ),
]


@pytest.mark.parametrize(
    ("words", "message"), REFUSED, ids=[" ".join(map(str, words)) for words, _ in REFUSED]
)
def test_what_cannot_be_shown_is_refused(words, message):
    """What was given and what is allowed, in one message."""
    assert refusal(call("show", *words)) == message


@pytest.mark.parametrize(
    ("words", "variant"),
    [
        ("mobilenet_v2 width=0.5 resolution=96 expansion=3", "mobilenet_v2_w0.5_r96_e3"),
        ("mobilenet_v3_small minimalistic=true --width 0.75", "mobilenet_v3_small_w0.75_r224_minimalistic"),
        ("width=0.5 --depth 0", "mobilenet_v1_w0.5_r224_d0"),
        ("mobilenet_v1 kernels=[3,5,3,3,7]", "mobilenet_v1_w1.0_r224_d5_k3-5-3-3-7"),
        ("mobilenet_v2 stage_depths=1,2,3,4,3,3,2", "mobilenet_v2_w1.0_r224_b1-2-3-4-3-3-2"),
        ("stage_widths=0.5,1,1,1,1", "mobilenet_v1_w1.0_r224_d5_c32-128-256-512-1024"),
        ("--family resnet18 --resolution 96", "resnet18_w1.0_r96"),
    ],
)
def test_a_network_is_said_in_words_and_by_options(words, variant):
    """A family, FIELD=VALUE for whatever it has, and the options that it has, in any mixture."""
    assert call("show", *words.split()).stdout.splitlines()[0] == variant


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("mobilenet_v2 depth=3", "depth is no field of mobilenet_v2, which has width, resolution, "),
        ("resnet18 --block fire", "block is no field of resnet18, which has width, resolution, num_classes"),
        ("width=0.5 --width 0.5", "width is said twice: by width=0.5 and by --width"),
        ("width=0.5 width=0.6", "width is said twice"),
        ("width=0.5 mobilenet_v2", "'mobilenet_v2': expected FIELD=VALUE, such as width=0.5"),
        ("mobilenet_v2 minimalistic", "'minimalistic': expected FIELD=VALUE, such as width=0.5"),
        ("mobilenet_v2 =3", "'=3': expected FIELD=VALUE, such as width=0.5"),
        (
            "mobilenet_v2 stage_depths=1,2,3,4,3,3,0",
            "Variant: stage_depths is (1, 2, 3, 4, 3, 3, 0); expected a list of 7",
        ),
        ("mobilenet_v3_small minimalistic=yes", "Variant: minimalistic is 'yes'; expected true or false"),
        ("width=wide", "Variant: width is 'wide'; expected a number in (0, 4], such as 0.75"),
        ("resnet81", "family is 'resnet81'; expected one of mobilenet_v1, "),
        (
            "alexnet resolution=62",
            "Variant: resolution 62 is too small for alexnet: below 63 px a map vanishes",
        ),
    ],
)
def test_words_that_are_no_network_are_refused(words, message):
    """In one line: what was given, and what there is."""
    assert refusal(call("show", *words.split())).startswith(message)
