"""A page of networks of several families: told apart, switched off, and each with the fields that it has."""

import json
import shlex

import pytest
from browsing import Pages, Views, cells
from console import call
from page_runs import written

from mbsweep.reporter.figures import accuracy_macs
from mbsweep.reporter.style import SYMBOLS
from mbsweep.space.families import FAMILIES
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.results import open_run

FOUR = """\
title: Four families
space:
  - {family: mobilenet_v1, width: [1.0, 0.75], resolution: 96, depth: [5, 0]}
  - {family: mobilenet_v2, width: [1.0, 0.5], resolution: [96, 224]}
  - {family: [resnet18, mobilenet_v3_large], resolution: 224}
variants:
  - {family: mobilenet_v2, expansion: 4}
  - {family: mobilenet_v3_small, minimalistic: true}
latency:
  - {backend: onnxruntime, rounds: 3}
accuracy: {source: published, table: torchvision-v1}
"""
KERNELS = """\
space: {kernels: {each: [3, 5]}, resolution: 96}
latency: [{backend: onnxruntime, rounds: 3}]
"""
MADE = {"four": {"its run": written(FOUR)}, "kernels": {"its run": written(KERNELS)}}
MARKERS = {  # in the order of the README's table, and the same on every page
    "mobilenet_v1": "circle",
    "mobilenet_v2": "square",
    "mobilenet_v3_large": "diamond",
    "mobilenet_v3_small": "triangle-up",
    "resnet18": "triangle-right",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return Pages(tmp_path_factory, "page_families", MADE)


@pytest.fixture(scope="module")
def views(browser):
    found = Views(browser)
    yield found
    found.close()


def legend(tab, figure="#explorer-plot"):
    """Name -> marker of the grey entries of a legend."""
    entries = tab.locator(figure).evaluate(
        "({data}) => data.filter(({name, marker}) => name && marker?.color === '#777')"
        ".map((one) => [one.name, one.marker.symbol])"
    )
    return dict(entries)


def test_families_have_markers_of_their_own(pages, views):
    """The same in the explorer and in the still figures, though these lack families without an accuracy."""
    with views(pages("four"), figures=True) as tab:
        assert legend(tab) == MARKERS
        assert legend(tab, "#latency_macs") == MARKERS
        known = legend(tab, "#accuracy_macs")
        assert list(known) == ["mobilenet_v2", "mobilenet_v3_large", "resnet18"]
        assert known.items() <= MARKERS.items()
        assert tab.locator("#shape").input_value() == "family"


def test_every_family_has_another_marker():
    assert len(FAMILIES) <= len(set(SYMBOLS)) == len(SYMBOLS)


def test_one_family_has_markers_for_resolutions_and_no_boxes(pages, views):
    with views(pages("kernels")) as tab:
        assert tab.locator("#shape").input_value() == "resolution"
        assert not tab.locator("#families").is_visible()


def points(tab):
    """The variants that are drawn in the explorer."""
    return set(
        tab.locator("#explorer-plot").evaluate("({data}) => data.flatMap(({customdata}) => customdata ?? [])")
    )


def test_families_can_be_switched_off(pages, views):
    """In answer, explorer and table; the address has them, and what is off can still be read of."""
    with views(pages("four")) as tab:
        assert len(points(tab)) == 3
        assert tab.locator("#answer .sentence button").inner_text() == "mobilenet_v3_large 1-224"
        for name in ("mobilenet_v3_large", "resnet18"):
            tab.get_by_role("checkbox", name=name, exact=True).uncheck()
        tab.wait_for_function("location.hash.includes('off=')")
        assert tab.evaluate("address()") == "off=mobilenet_v3_large%2Cresnet18"
        assert points(tab) == {"mobilenet_v2_w1.0_r224"}
        assert list(legend(tab)) == ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"]
        assert tab.locator("#answer .sentence button").inner_text() == "mobilenet_v2 1-224"
        assert "2 of families that are switched off" in tab.locator("#counts").inner_text()
        assert set(cells(tab, "Family")) == {"mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"}
    with views(pages("four"), at="off=mobilenet_v1,mobilenet_v2&variant=mobilenet_v2_w0.5_r96") as tab:
        assert not tab.get_by_role("checkbox", name="mobilenet_v2", exact=True).is_checked()
        assert tab.locator("#details-title").inner_text() == "mobilenet_v2_w0.5_r96"


def test_one_family_always_stays(pages, views):
    """The last box cannot be unchecked, and an address that switches all off switches off none."""
    names = ",".join(MARKERS)
    with views(pages("four"), at=f"off={names.replace(',resnet18', '')}") as tab:
        assert tab.get_by_role("checkbox", name="resnet18", exact=True).is_disabled()
        assert set(cells(tab, "Family")) == {"resnet18"}
    with views(pages("four"), at=f"off={names}") as tab:
        assert set(cells(tab, "Family")) == set(MARKERS)


def test_what_a_family_lacks_is_empty(pages, views):
    """In the table; and no column tells what differs between families only."""
    with views(pages("four"), at="wide=true") as tab:
        heads = tab.locator("#table th").all_inner_texts()
        of_family = dict(zip(cells(tab, "Family"), cells(tab, "Depth (blocks)"), strict=True))
        assert of_family["mobilenet_v1"] == "0"
        assert of_family["resnet18"] == of_family["mobilenet_v2"] == ""
        assert "Expansion" in heads
        assert "Kernel (px)" not in heads


def test_hovering_tells_no_field_that_a_family_lacks(pages):
    """Of mobilenet_v1 a depth, of resnet18 none: not even an unknown one."""
    pages("four")
    figure = accuracy_macs(open_run(pages.folder / "four" / "its run").table())
    told = {
        trace.customdata[0][0].split("_w")[0]: trace.hovertemplate
        for trace in figure.data
        if trace.customdata is not None
    }
    assert not [name for name, words in told.items() if "Depth" in words]
    assert set(told) == {"mobilenet_v2", "mobilenet_v3_large", "resnet18"}


def axes(tab):
    return tab.locator("#explorer-plot").evaluate(
        "({data: [{dimensions}]}) => dimensions.map(({label, ticktext}) => [label, ticktext ?? null])"
    )


def test_parallel_coordinates_lose_no_family(pages, views):
    """Families are an axis; a field is one where all networks have it: else those without would be gone."""
    with views(pages("four"), at="view=parallel") as tab:
        if "WebGL" in tab.locator("#explorer-remark").inner_text():
            pytest.skip("this browser has no WebGL")
        names = [label for label, _ in axes(tab)]
        assert names[:2] == ["Family", "Mult-adds (million)"]
        assert axes(tab)[0][1] == ["mobilenet_v2", "mobilenet_v3_large", "resnet18"]  # of known accuracy
        assert tab.locator("#explorer-remark").inner_text().startswith("3 lines")
    with views(pages("kernels"), at="view=parallel") as tab:
        names = [label for label, _ in axes(tab)]
        assert names[:5] == ["kernels 1", "kernels 2", "kernels 3", "kernels 4", "kernels 5"]
        assert tab.locator("#explorer-remark").inner_text().startswith("32 lines")


@pytest.mark.parametrize("page", MADE)
def test_details_suggest_what_gives_the_network(pages, views, page):
    """Of every variant a name of its own, a command that shows it, and a sweep that has it alone."""
    with views(pages(page)) as tab:
        found = tab.evaluate(
            "() => rows.filter((row) => row.latency_kind !== 'published')"
            ".map((row) => [row.variant, short(row), commandOf('show', row), sweepOf(row)])"
        )
    assert len({name for _, name, _, _ in found}) == len({variant for variant, *_ in found}) == len(found)
    for variant, _, command, sweep in found:
        assert list(count_space(parse_sweep(sweep, "suggested.yaml")).ids()) == [variant]
        _, verb, *words = shlex.split(command)
        shown = call(verb, *words)
        assert shown.stdout.splitlines()[0] == variant, shown.stderr


def test_details_tell_the_fields(pages, views):
    """Also those that are no numbers; of stages, all in one line."""
    with views(pages("four"), at="variant=mobilenet_v3_small_w1.0_r224_minimalistic") as tab:
        told = tab.locator("#details .scroll").first.inner_text()
        assert "yes" in told.split("Minimalistic")[1].split("\n")[0]
        assert "Depth" not in told
    with views(pages("kernels"), at="variant=mobilenet_v1_w1.0_r96_d5_k3-5-3-3-5") as tab:
        told = tab.locator("#details .scroll").first.inner_text()
        assert json.loads(told.split("Kernels of the stages")[1].split("\n")[0].strip()) == [3, 5, 3, 3, 5]
        assert "stage 1" not in told
