"""Short names of networks: those that the page has, each otherwise within a run."""

import pytest
from browsing import Pages
from page_runs import rich_run, written

from mbsweep import open_run
from mbsweep.table.names import Names

FAMILIES = """\
space:
  - {family: mobilenet_v1, width: [1.0, 0.75], resolution: 96, depth: [5, 0]}
  - {family: mobilenet_v2, width: [1.0, 0.35], resolution: [96, 224]}
  - {family: [resnet18, mobilenet_v3_large], resolution: 224}
variants:
  - {family: mobilenet_v2, expansion: 4}
  - {family: mobilenet_v2, stage_depths: [1, 2, 3, 4, 2, 3, 1]}
  - {family: mobilenet_v3_small, minimalistic: true}
"""
SHARED = "space: {width: [0.25, 0.5], resolution: 32, depth: 0, num_classes: 10}\n"
STAGES = (
    "space: {kernels: {each: [3, 5]}, stage_depths: [[1, 2, 2, 6, 2], [1, 2, 2, 3, 2]], resolution: 96}\n"
)
MADE = {
    "rich": {"run": rich_run},
    "families": {"run": written(FAMILIES)},
    "shared": {"run": written(SHARED)},
    "stages": {"run": written(STAGES)},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return Pages(tmp_path_factory, "names", MADE)


@pytest.mark.parametrize("name", MADE)
def test_names_are_those_of_the_page_each_otherwise(open_page, pages, name):
    """Of every network of a run, as the page's own script calls it."""
    with open_page(pages(name)) as tab:
        found = dict(tab.evaluate("rows.map((row) => [row.variant, short(row)])"))
    table = open_run(pages.folder / name / "run").table()
    named = Names(table)(table)
    assert named == found
    assert len(set(named.values())) == table["variant"].nunique()


def names_of(tmp_path, text):
    table = open_run(written(text)(tmp_path / "run")).table()
    return list(Names(table)(table).values())


def test_what_all_have_in_common_is_left_out(tmp_path):
    """Depth 0 and ten classes, which all have; of one that is otherwise both are told."""
    assert names_of(tmp_path / "shared", SHARED) == ["0.25-32", "0.5-32"]
    more = SHARED + "variants: [{width: 1, resolution: 32, num_classes: 10}]\n"
    assert names_of(tmp_path / "more", more) == ["1-32", "0.25-32, depth 0", "0.5-32, depth 0"]


def test_families_are_told_where_there_are_several(tmp_path):
    """With the fields that a network of a family has otherwise than usual, lists of values joined."""
    assert names_of(tmp_path, FAMILIES) == [
        *("mobilenet_v2 1-224, expansion 4", "mobilenet_v2 1-224, stage depths 1-2-3-4-2-3-1"),
        "mobilenet_v3_small 1-224, minimalistic true",
        *("mobilenet_v1 1-96", "mobilenet_v1 1-96, depth 0"),
        *("mobilenet_v1 0.75-96", "mobilenet_v1 0.75-96, depth 0"),
        *("mobilenet_v2 1-96", "mobilenet_v2 1-224", "mobilenet_v2 0.35-96", "mobilenet_v2 0.35-224"),
        *("resnet18 1-224", "mobilenet_v3_large 1-224"),
    ]


def test_widths_that_seven_digits_do_not_tell_apart_have_all_of_theirs(tmp_path):
    """Else two networks would have one name."""
    text = "space: {width: [0.3333333333333333, 0.33333334, 1], resolution: 32}\n"
    assert names_of(tmp_path, text) == ["0.3333333333333333-32", "0.33333334-32", "1-32"]
    assert names_of(tmp_path / "a", "space: {width: [0.3333333333333333], resolution: 32}\n") == [
        "0.3333333-32"
    ]
