"""Published accuracies: found exactly, or not at all."""

import math
import time
from functools import cache

import pytest
from hypothesis import given
from strategies import any_variants

from mbsweep import Variant
from mbsweep.accuracy import SOURCES, published
from mbsweep.accuracy.published import (
    PublishedAccuracy,
    accuracy_figures,
    latency_figures,
    latency_rows,
    tables,
)
from mbsweep.space.counting import count
from mbsweep.space.families import architecture
from mbsweep.space.grid import Each, grids_of
from mbsweep.space.space import Space

TF_SLIM = "tf-slim-2018-08-02"

ZOO = [  # mobilenet_v1.md of the TF-Slim model zoo, checkpoints of 2018-08-02: top-1 and top-5 in percent
    (1.0, 224, 70.9, 89.9),
    (1.0, 192, 70.0, 89.2),
    (1.0, 160, 68.0, 87.7),
    (1.0, 128, 65.2, 85.8),
    (0.75, 224, 68.4, 88.2),
    (0.75, 192, 67.2, 87.3),
    (0.75, 160, 65.3, 86.0),
    (0.75, 128, 62.1, 83.9),
    (0.5, 224, 63.3, 84.9),
    (0.5, 192, 61.7, 83.6),
    (0.5, 160, 59.1, 81.9),
    (0.5, 128, 56.3, 79.4),
    (0.25, 224, 49.8, 74.2),
    (0.25, 192, 47.7, 72.3),
    (0.25, 160, 45.5, 70.3),
    (0.25, 128, 41.5, 66.3),
]


def _look_up(variants, table=TF_SLIM, precision="fp32"):
    config = PublishedAccuracy(source="published", table=table)
    return list(config.open(Space.of(variants), print).known(precision))


def _one(table=TF_SLIM, **fields):
    (accuracy,) = _look_up([Variant(**fields)], table)
    return accuracy


def test_the_zoos_sixteen_networks():
    """Each of the sixteen has its own figures, its kind and its source, in the order asked."""
    found = _look_up([Variant(width=width, resolution=resolution) for width, resolution, _, _ in ZOO])
    assert [(accuracy.top1_pct, accuracy.top5_pct) for accuracy in found] == [row[2:] for row in ZOO]
    assert {(accuracy.kind, accuracy.source, accuracy.reason) for accuracy in found} == {
        ("published", TF_SLIM, "")
    }


GENERATIONS = [  # 1.0 MobileNet-224 is published with five accuracies: the recipe differs, not the network
    ("paper", 70.6),  # arXiv:1704.04861, Table 4
    ("tf-slim-2017-06-14", 70.7),
    ("tf-slim-2018-02-22", 70.9),
    ("tf-slim-2018-08-02", 70.9),
    ("tflite-hosted", 71.0),
    ("timm", 75.388),
]


@pytest.mark.parametrize(("table", "top1_pct"), GENERATIONS)
def test_each_table_gives_its_own_figure(table, top1_pct):
    """A look-up stays within the table that was named, fp32 only, and names it as the source."""
    accuracy = _one(table)
    assert (accuracy.top1_pct, accuracy.source) == (top1_pct, table)


def test_figures_do_not_depend_on_the_conventions_of_a_library():
    """TF-Slim's networks are those with its padding, epsilon and ReLU6; in ids they are three fields more."""
    conventions = {"padding": "same", "bn_epsilon": 0.001}
    assert _one("tf-slim-2018-08-02", activation="relu6", **conventions).top1_pct == 70.9
    assert _one("tf-slim-v2", family="mobilenet_v2", **conventions).top1_pct == 71.8


def test_the_tables_are_those_that_can_be_named():
    """Every table is offered, and no other."""
    assert sorted(tables()) == sorted(
        [*(table for table, _ in GENERATIONS), "tf-slim-v2", "tf-slim-v3", "torchvision-v1", "torchvision-v2"]
    )


FAMILIES = [  # top-1 and top-5 in percent
    ("tf-slim-v2", {"family": "mobilenet_v2"}, 71.8, 91.0),  # TF-Slim's nets/mobilenet/README.md
    ("tf-slim-v2", {"family": "mobilenet_v2", "width": 0.35, "resolution": 96}, 45.5, 70.4),
    ("tf-slim-v3", {"family": "mobilenet_v3_large"}, 75.2, math.nan),
    ("tf-slim-v3", {"family": "mobilenet_v3_large", "minimalistic": True}, 72.3, math.nan),
    ("tf-slim-v3", {"family": "mobilenet_v3_small", "width": 0.75}, 65.4, math.nan),
    ("timm", {"family": "mobilenet_v4_conv_small"}, 73.756, 91.43),  # timm's results-imagenet.csv
    ("timm", {"family": "mobilenet_v4_conv_medium", "resolution": 320}, 80.89, 95.75),
    ("timm", {"family": "mobilenet_v2", "width": 1.4}, 76.528, 93.008),
    ("paper", {"family": "googlenet"}, 69.8, math.nan),  # arXiv:1704.04861, Tables 8 and 9
    ("paper", {"family": "vgg16"}, 71.5, math.nan),
    ("paper", {"family": "squeezenet"}, 57.5, math.nan),
    ("paper", {"family": "alexnet"}, 57.2, math.nan),
    ("torchvision-v1", {"family": "resnet50"}, 76.13, 92.862),  # torchvision 0.29.1
    ("torchvision-v2", {"family": "resnet50"}, 80.858, 95.434),
]


@pytest.mark.parametrize(("table", "fields", "top1_pct", "top5_pct"), FAMILIES, ids=str)
def test_other_families_have_figures_of_their_own(table, fields, top1_pct, top5_pct):
    """V2, V3, V4 and what the paper compares itself with, each in the tables that have it."""
    accuracy = _one(table, **fields)
    assert accuracy.top1_pct == top1_pct
    assert accuracy.top5_pct == pytest.approx(top5_pct, nan_ok=True)
    assert (accuracy.kind, accuracy.source) == ("published", table)


NOT_PUBLISHED = [
    {"family": "mobilenet_v2", "kernel": 5},
    {"family": "mobilenet_v2", "expansion": 4},
    {"family": "mobilenet_v2", "stage_depths": (1, 2, 3, 4, 3, 3, 2)},
    {"family": "mobilenet_v2", "stage_depths": (1, 2, 4, 3, 3, 3, 1)},
    {"family": "mobilenet_v3_small", "minimalistic": True},
    {"num_classes": 10},
]


@pytest.mark.parametrize("fields", NOT_PUBLISHED, ids=str)
def test_any_other_field_makes_another_network(fields):
    """A kernel, an expansion or one block elsewhere: no figure of V2's table."""
    assert math.isnan(_one("tf-slim-v2", **fields).top1_pct)


def test_what_was_trained_on_more_is_not_the_usual_figure():
    """timm has V3-Large at 77.92 % after ImageNet-21k; what is looked up learned ImageNet-1k alone."""
    accuracy = _one("timm", family="mobilenet_v3_large")
    assert accuracy.top1_pct == 76.31
    assert accuracy.note == "timm's mobilenetv3_large_100.ra4_e3600_r224_in1k"


def test_networks_are_found_among_many():
    """In a space of two families exactly the published ones are known, in their places."""
    grids = [
        *grids_of("mobilenet_v1", {"width": (0.5, 1.0), "resolution": (160, 224), "depth": (0, 5, 7)}),
        *grids_of(
            "mobilenet_v2",
            {
                "width": (0.35, 1.0, 1.4),
                "resolution": (96, 224),
                "kernel": (3, 5),
                "stage_depths": Each((1, 2, 3)),
                "divisor": (8, 4),
            },
        ),
    ]
    space = Space.of([Variant(divisor=4), Variant("mobilenet_v2", stage_depths=(1, 2, 3, 4, 3, 3, 1))], grids)
    known = PublishedAccuracy(source="published", table="tf-slim-v2").open(space, print).known("fp32")
    found = {space.variant(place).id: known.at(place).top1_pct for place in range(2)}
    assert found["mobilenet_v2_w1.0_r224"] == 71.8
    assert known.known == 1  # the grid's depths go to 3, the published third of a stage has 4
    known = PublishedAccuracy(source="published", table="paper").open(space, print).known("fp32")
    places = [place for place in range(len(space)) if not math.isnan(known.top1_pct[place])]
    assert {space.variant(place).id: known.at(place).top1_pct for place in places} == {
        "mobilenet_v1_w1.0_r224_d5_div4": 70.6,  # the very same channels
        "mobilenet_v1_w1.0_r224_d5": 70.6,
        "mobilenet_v1_w0.5_r224_d5": 63.7,
        "mobilenet_v1_w1.0_r160_d5": 67.2,
        "mobilenet_v1_w0.5_r160_d5": 60.2,
        "mobilenet_v1_w1.0_r224_d0": 65.3,
    }


def test_a_million_networks_are_looked_up_at_once():
    """Not one by one: less than ten times what counting them took, and every published one is found."""
    axes = {
        "width": tuple(round(0.1 + 0.005 * step, 3) for step in range(381)),
        "resolution": tuple(range(96, 321)),
        "depth": tuple(range(12)),
    }
    begun = time.process_time()
    space = Space.of([], grids_of("mobilenet_v1", axes))
    counted = time.process_time()
    known = PublishedAccuracy(source="published", table=TF_SLIM).open(space, print).known("fp32")
    assert (len(space), known.known) == (1_028_700, 16)
    assert time.process_time() - counted < 10 * (counted - begun)


PAPER = [  # arXiv:1704.04861, Tables 4, 5 and 9: top-1 in percent
    ({"block": "standard"}, 71.7),
    ({"depth": 0}, 65.3),
    ({"width": 0.75}, 68.4),
    ({"width": 0.5, "resolution": 160}, 60.2),
]


@pytest.mark.parametrize(("fields", "top1_pct"), PAPER)
def test_the_papers_other_networks_are_found(fields, top1_pct):
    """Block and depth are part of the match; the paper gives no top-5, which stays unknown."""
    accuracy = _one("paper", **fields)
    assert accuracy.top1_pct == top1_pct
    assert math.isnan(accuracy.top5_pct)
    assert accuracy.reason == ""


NEIGHBOURS = [
    {"width": 0.99},
    {"width": 0.35},
    {"resolution": 223},
    {"resolution": 225},
    {"resolution": 176},
    {"depth": 4},
    {"depth": 6},
    {"depth": 0},  # in the paper's table, not in this one
    {"block": "standard"},
    {"num_classes": 1001},
    {"num_classes": 999},
    {"num_classes": 10},
    {"stage_channels": (64, 128, 256, 512, 512)},
    {"stage_channels": (64, 128, 256, 512, 1025), "divisor": 1},
    {"divisor": 1024},
]


@pytest.mark.parametrize("fields", NEIGHBOURS, ids=str)
def test_a_neighbour_has_no_figure(fields):
    """What was not published is NaN with the reason, however near it is to what was."""
    accuracy = _one(**fields)
    assert math.isnan(accuracy.top1_pct)
    assert math.isnan(accuracy.top5_pct)
    assert accuracy.reason == "tf-slim-2018-08-02 has no figure for this network"
    assert (accuracy.kind, accuracy.source) == ("published", TF_SLIM)


SAME_SHAPES = [  # 32, 64, ... 1024 times the width are whole multiples of these
    ({"width": 1.0000000000000002}, 70.9),
    ({"stage_depths": (1, 2, 2, 6, 2)}, 70.9),
    ({"divisor": 1}, 70.9),
    ({"divisor": 16}, 70.9),
    ({"divisor": 32}, 70.9),
    ({"width": 0.25, "divisor": 1}, 49.8),
    ({"width": 0.75, "resolution": 128, "divisor": 4}, 62.1),
    ({"stage_channels": (63, 130, 255, 511, 1023)}, 70.9),  # rounded to multiples of 8: the paper's channels
]


@pytest.mark.parametrize(("fields", "top1_pct"), SAME_SHAPES, ids=str)
def test_the_same_shapes_are_the_same_network(fields, top1_pct):
    """A variant with a published network's layers has its figure, however its channels were rounded."""
    assert _one(**fields).top1_pct == top1_pct


def test_another_divisor_that_changes_the_shapes_does_not_match():
    """0.25 MobileNet has 8 channels in its stem; multiples of 16 make it another network."""
    assert math.isnan(_one(width=0.25, divisor=16).top1_pct)


@cache
def zoo_layers():
    """Of each of the sixteen its resolution, its layers and its top-1 accuracy."""
    return [
        (resolution, architecture(Variant(width=width, resolution=resolution)).layers, top1_pct)
        for width, resolution, top1_pct, _ in ZOO
    ]


@given(any_variants())
def test_only_published_networks_have_figures(variant):
    """Any variant either is one of the sixteen, in all but how its channels are rounded, or has NaN."""
    (accuracy,) = _look_up([variant])
    layers = architecture(variant).layers
    zoo = {
        top1_pct
        for resolution, of_zoo, top1_pct in zoo_layers()
        if resolution == variant.resolution and layers == of_zoo
    }
    assert zoo == (set() if math.isnan(accuracy.top1_pct) else {accuracy.top1_pct})


def test_int8_figures_are_not_given_for_fp32():
    """The zoo's quantised 1.0-224 has 70.1 %: present as a figure, never as the fp32 network's accuracy."""
    quantised = [
        figure for figure in accuracy_figures() if figure.table == TF_SLIM and figure.precision == "int8"
    ]
    assert len(quantised) == 16
    assert quantised[0].variant == Variant()
    assert quantised[0].top1_pct == 70.1
    assert _one().top1_pct == 70.9


INT8 = [  # the same page at 2018-02-22, its _quant checkpoints: top-1 and top-5 in percent
    (1.0, 224, 69.7, 89.5),
    (0.75, 128, 59.8, 82.8),
    (0.5, 160, 57.7, 81.3),
    (0.25, 128, 39.9, 65.8),
]


@pytest.mark.parametrize(("width", "resolution", "top1_pct", "top5_pct"), INT8)
def test_int8_networks_have_the_int8_figures(width, resolution, top1_pct, top5_pct):
    """At int8 the zoo's quantised checkpoint of the same network is looked up, in the table named."""
    table, variant = "tf-slim-2018-02-22", Variant(width=width, resolution=resolution)
    (accuracy,) = _look_up([variant], table, precision="int8")
    assert (accuracy.top1_pct, accuracy.top5_pct) == (top1_pct, top5_pct)
    assert (accuracy.kind, accuracy.source, accuracy.reason) == ("published", table, "")


@pytest.mark.parametrize(("table", "precision"), [(TF_SLIM, "bf16"), ("paper", "int8"), ("timm", "int8")])
def test_a_precision_without_figures_has_none(table, precision):
    """fp32's accuracy is never given for another precision: NaN, and the reason names the precision."""
    (accuracy,) = _look_up([Variant()], table, precision=precision)
    assert math.isnan(accuracy.top1_pct)
    assert math.isnan(accuracy.top5_pct)
    assert accuracy.reason == f"{table} has no figure for this network at {precision}"


@given(any_variants())
def test_int8_figures_belong_to_the_same_sixteen_networks(variant):
    """Whatever has a figure at int8 has one at fp32, and it is another."""
    (at_int8,), (at_fp32,) = _look_up([variant], precision="int8"), _look_up([variant])
    assert math.isnan(at_int8.top1_pct) == math.isnan(at_fp32.top1_pct)
    assert at_int8.top1_pct != at_fp32.top1_pct


def test_a_network_published_at_int8_alone_has_no_fp32_figure(monkeypatch):
    """Were the zoo's fp32 rows missing, the look-up would give NaN, not the quantised figures."""
    quantised = tuple(figure for figure in accuracy_figures() if figure.precision == "int8")
    monkeypatch.setattr(published, "accuracy_figures", lambda: quantised)
    assert math.isnan(_one().top1_pct)


def test_figures_keep_the_slips_as_printed():
    """TF-Slim prints 317 M mult-adds for 0.75-224, where the shapes give 325.4 M: sizes are kept as text."""
    (figure,) = [
        figure
        for figure in accuracy_figures()
        if figure.table == TF_SLIM and figure.precision == "fp32" and figure.variant == Variant(width=0.75)
    ]
    assert (float(figure.macs_m), float(figure.params_m)) == (317, 2.59)
    assert isinstance(figure.macs_m, str)


def test_figures_are_of_networks_of_their_size():
    """Printed parameters and mult-adds lie near ours: a row that names another network would not.

    What the papers count otherwise is told by `reproduce`: SqueezeNet at 1700 M are operations, and V3-Small
    has another last layer there.
    """
    for figure in accuracy_figures():
        counts = count(figure.variant)
        for printed, exact in ((figure.macs_m, counts.macs), (figure.params_m, counts.params)):
            if printed and (figure.model, printed) != ("Squeezenet", "1700"):
                assert float(printed) * 1e6 == pytest.approx(exact, rel=0.26, abs=1e6), figure


def test_figures_are_possible():
    """Every published accuracy is a percentage, and top-5 is not below top-1."""
    for figure in accuracy_figures():
        assert 0 < figure.top1_pct < 100
        assert math.isnan(figure.top5_pct) or figure.top1_pct < figure.top5_pct < 100


def test_published_latencies_belong_to_exact_networks():
    """The hosted-models page gives 0.25-128 at fp32 1.2, 1.6 and 3.0 ms on a Pixel 3's CPU, GPU and NNAPI."""
    rows = latency_rows([Variant(width=0.25, resolution=128)])
    assert [(row["backend"], row["latency_ms"]) for row in rows] == [
        ("TensorFlow Lite, CPU", 1.2),
        ("TensorFlow Lite, GPU", 1.6),
        ("TensorFlow Lite, NNAPI", 3.0),
    ]
    assert rows[0]["threads"] == 4
    assert {(row["mode"], row["batch"], row["precision"]) for row in rows} == {("forward", 1, "fp32")}
    assert {row["device_id"] for row in rows} == {"pixel-3,-android-10"}
    assert {row["latency_kind"] for row in rows} == {"published"}
    assert {row["device"] for row in rows} == {"Pixel 3, Android 10 (tflite-hosted)"}
    assert {row["variant"] for row in rows} == {"mobilenet_v1_w0.25_r128_d5"}


def test_other_networks_have_no_published_latency():
    """A neighbour gets no row rather than a neighbour's number."""
    near = [Variant(width=0.26), Variant(num_classes=10), Variant(depth=4), Variant("mobilenet_v2", kernel=5)]
    assert latency_rows(near) == []


def test_other_families_have_published_latencies():
    """TF-Slim's README: V2 took 73.8 ms on a Pixel 1, V3-Small 15.8, 19.4 and 14.4 on Pixels 1 to 3."""
    rows = latency_rows([Variant("mobilenet_v2"), Variant("mobilenet_v3_small")])
    assert [(row["variant"], row["device"], row["latency_ms"]) for row in rows] == [
        ("mobilenet_v2_w1.0_r224", "Pixel 1 (tf-slim-v2)", 73.8),
        ("mobilenet_v3_small_w1.0_r224", "Pixel 1 (tf-slim-v3)", 15.8),
        ("mobilenet_v3_small_w1.0_r224", "Pixel 2 (tf-slim-v3)", 19.4),
        ("mobilenet_v3_small_w1.0_r224", "Pixel 3 (tf-slim-v3)", 14.4),
    ]


def test_latencies_are_positive_and_named():
    """Every published latency has a device, a runtime and a number above zero."""
    for figure in latency_figures():
        assert figure.latency_ms > 0
        assert figure.device
        assert figure.runtime


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_gives_one_accuracy_per_variant(name):
    """Each registered source answers for each variant of a space, in its order, under one name."""
    variants = [Variant(width=0.5), Variant(width=0.123), Variant(width=0.75)]
    few = {"name": "digits", "train": 200, "validation": 100, "test": 100}
    asked = {"dataset": few} if name in ("trained", "supernet") else {"table": TF_SLIM}
    config = SOURCES[name].model_validate({"source": name, **asked})
    opened = config.open(Space.of(variants), print)
    found = opened.known("fp32")
    assert {(accuracy.kind, accuracy.source) for accuracy in found} == {(name, opened.name)}
    # tf-slim's figures; what the model of the sixteen gives them; nothing before they are trained
    near = (pytest.approx(62.8, abs=1), pytest.approx(68, abs=1))
    top1_pct = {"published": (63.3, 68.4), "predicted": near}
    unknown = pytest.approx(math.nan, nan_ok=True)
    first, last = top1_pct.get(name, (unknown, unknown))
    assert found.top1_pct.tolist() == [first, unknown, last]
    assert [accuracy.top1_pct for accuracy in found] == [first, unknown, last]
    assert found.known == (2 if name in top1_pct else 0)


def test_of_several_tables_the_first_that_has_it():
    """AlexNet is in both: 57.2 as the paper's Table 8 prints it where it goes before, else torchvision's
    56.522; ResNet-50 is in torchvision's alone (76.13), a width of 0.123 in none.
    """
    networks = [Variant("alexnet"), Variant("resnet50"), Variant(width=0.123)]
    reason = "paper and torchvision-v1 have no figure for this network"
    for order, alexnet in (
        (["paper", "torchvision-v1"], (57.2, "paper")),
        (["torchvision-v1", "paper"], (56.522, "torchvision-v1")),
    ):
        first, second, third = _look_up(networks, order)
        assert (first.top1_pct, first.source) == alexnet
        assert (second.top1_pct, second.source) == (76.13, "torchvision-v1")
        assert math.isnan(third.top1_pct)
        assert third.source == order[0]
    assert _look_up(networks, ["paper", "torchvision-v1"])[2].reason == reason
