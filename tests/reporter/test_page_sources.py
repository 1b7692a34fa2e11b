"""A page of two published tables: each has a front of its own, unless the reader asks for one."""

import pytest
from browsing import Pages, Views
from page_runs import written

# Published: paper 70.6 (1.0), 68.4 (0.75), 63.7 (0.5); torchvision-v1 69.758 (ResNet-18), 76.13 (ResNet-50).
TWO = """\
title: Two tables
space:
  - {family: mobilenet_v1, width: [1.0, 0.75, 0.5]}
  - {family: [resnet18, resnet50]}
latency: [{backend: onnxruntime, rounds: 3}]
accuracy: {source: published, table: [paper, torchvision-v1]}
"""
BOX = "one front over all accuracy sources"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return Pages(tmp_path_factory, "page_sources", {"two": {"its run": written(TWO)}})


@pytest.fixture(scope="module")
def views(browser):
    found = Views(browser)
    yield found
    found.close()


def stairs(tab):
    """How many steps each front has that is drawn."""
    drawn = tab.locator("#explorer-underlay path").evaluate_all(
        "(all) => all.map((one) => one.getAttribute('d'))"
    )
    return sorted(path.count("V") - 1 for path in drawn)  # the first leads up to the cheapest point


def test_points_of_two_sources_are_joined_only_where_the_reader_asks(pages, views):
    """Three MobileNets on the paper's front, two ResNets on torchvision's; joined, the MobileNets and
    ResNet-50: ResNet-18 has more mult-adds than 1.0-224, and less accuracy.
    """
    with views(pages("two"), at="x=macs") as tab:
        assert stairs(tab) == [1, 2]
        remark = tab.locator("#explorer-remark").inner_text()
        assert "5 on the Pareto fronts of 2 accuracy sources, each by itself" in remark
        tab.get_by_label(BOX).check()
        tab.wait_for_function("location.hash.includes('joined=true')")
        assert stairs(tab) == [3]
        assert "4 on the Pareto front;" in f"{tab.locator('#explorer-remark').inner_text().rstrip('.')};"
        assert "accuracies of those that fit are of 2 sources" in tab.locator("#counts").inner_text()
    with views(pages("two"), at="x=macs&joined=true") as tab:
        assert tab.get_by_label(BOX).is_checked()
        assert stairs(tab) == [3]


def test_the_box_stands_where_there_is_something_to_join(pages, views):
    """Not where no accuracy is drawn, nor where the networks of one source are all that is shown."""
    with views(pages("two"), at="x=macs&y=latency_ms") as tab:
        assert not tab.get_by_label(BOX).is_visible()
    with views(pages("two"), at="x=macs&off=resnet18,resnet50") as tab:
        assert not tab.get_by_label(BOX).is_visible()
    with views(pages("two"), at="x=macs") as tab:
        assert tab.get_by_label(BOX).is_visible()


def test_steps_keep_to_the_source_that_decides(pages, views):
    """1.0-224 is the best within 30 ms, by the paper: its steps are the paper's three, though ResNet-50 of
    torchvision gains 5.5 points, which the sentence tells with its source. Joined, it is a step, too.
    """
    steps = "(all) => all.map((one) => one.cells[0].textContent)"
    names = ["mobilenet_v1 1-224", "mobilenet_v1 0.75-224", "mobilenet_v1 0.5-224"]
    with views(pages("two"), at="max_latency_ms=30") as tab:
        assert tab.locator("#steps tbody tr").evaluate_all(steps) == names
        words = tab.locator("#steps").inner_text()
        assert "Only accuracies of one source are compared: published, paper." in words
        assert "; its accuracy: published, torchvision-v1." in tab.locator("#answer").inner_text()
    with views(pages("two"), at="max_latency_ms=30&joined=true") as tab:
        assert tab.locator("#steps tbody tr").evaluate_all(steps) == ["resnet50 1-224", *names]
        assert "Accuracies of 2 sources are compared." in tab.locator("#steps").inner_text()
