"""`mbsweep show --graph`: a picture of a network's layers, as XML and as a browser draws it."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from console import call, contents, refusal

from mbsweep.reporter.graph import graph_page, graph_svg
from mbsweep.reporter.layout import NODE_HEIGHT, NODE_WIDTH, placed
from mbsweep.space.families import FAMILIES, architecture
from mbsweep.space.variant import Variant

SVG = "{http://www.w3.org/2000/svg}"


def drawn(folder, *words):
    """The picture that a command has written."""
    path = folder / "graph.svg"
    result = call("show", *words, "--graph", "-o", path)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout, ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314


def hints(picture):
    return [title.text for title in picture.iterfind(f".//{SVG}g/{SVG}title")]


def texts(picture):
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


def test_mobilenet_v1_is_drawn(tmp_path):
    """Shapes and shares of Tables 1 and 2 of arXiv:1704.04861; what is the same five times is there once."""
    said, picture = drawn(tmp_path, "mobilenet_v1")
    assert said == f"{tmp_path}/graph.svg: mobilenet_v1_w1.0_r224_d5, 29 layers\n"
    words = texts(picture)
    assert words[:2] == [
        "mobilenet_v1_w1.0_r224_d5",
        "4,231,976 parameters, 568,740,352 mult-adds for an image of 224 x 224 x 3",
    ]
    assert "block7 to block11, x 5" in words
    assert "46.0 %" in words  # 5 x (903,168 + 51,380,224) of them
    assert len(hints(picture)) == 29 - 4 * 2
    assert (
        "block7.pw: Conv 1x1, then relu; 14 x 14 x 512 -> 14 x 14 x 512; 263,168 parameters, "
        "51,380,224 mult-adds" in hints(picture)
    )


def test_parameters_can_be_the_colour(tmp_path):
    """The classifier has nearly as many of them as the last 1x1; of the mult-adds next to nothing."""
    fills = {}
    for cost in ("macs", "params"):
        _, picture = drawn(tmp_path, "mobilenet_v1", "--cost", cost)
        nodes = {node.find(f"{SVG}title").text.split(":")[0]: node for node in picture.iter(f"{SVG}g")}
        fills[cost] = nodes["classifier"].find(f"{SVG}rect").get("fill")
    assert "24.2 %" in texts(picture)
    assert fills["params"] == "rgb(29, 96, 162)"  # 1,025,000 of 1,050,624, from light to strong
    assert fills["macs"] == "rgb(236, 241, 246)"  # 1,024,000 of 51,380,224


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_beside_each_other_and_edges_go_down(family):
    """No two layers of a block cover each other; for all that a layer reads, an edge goes down to it."""
    for _, _, block in architecture(Variant(family)).blocks():
        picture = placed(block.layers)
        for place, (x, y) in enumerate(picture.spots):
            assert 0 <= x <= picture.width - NODE_WIDTH
            assert 0 <= y <= picture.height - NODE_HEIGHT
            for other_x, other_y in picture.spots[:place]:
                assert abs(x - other_x) >= NODE_WIDTH or abs(y - other_y) >= NODE_HEIGHT
        assert len(picture.edges) == sum(len(layer.reads) for layer in block.layers)
        assert all(edge[0][1] < edge[-1][1] for edge in picture.edges)


def segments(picture):
    for edge in picture.edges:
        yield from pairwise(edge)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_edge_runs_through_a_layer(family):
    """Seen at 20 points of each segment."""
    for name, _, block in architecture(Variant(family)).blocks():
        picture = placed(block.layers)
        for (x0, y0), (x1, y1) in segments(picture):
            for part in range(21):
                x, y = x0 + (x1 - x0) * part / 20, y0 + (y1 - y0) * part / 20
                through = [
                    place
                    for place, (left, top) in enumerate(picture.spots)
                    if left < x < left + NODE_WIDTH and top < y < top + NODE_HEIGHT
                ]
                assert not through, (name, through)


def test_the_page_shows_one_cost_at_a_time(tmp_path, browser):
    """With the tips of its arrows, which a picture that is not displayed does not lend; asks for nothing from
    anywhere.
    """
    path = tmp_path / "graph.html"
    assert call("show", "googlenet", "--graph", "-o", path).exit_code == 0
    tab = browser.new_tab()
    try:
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        assert (tab.locator(".macs").is_visible(), tab.locator(".params").is_visible()) == (True, False)
        tab.get_by_label("parameters").check()
        assert (tab.locator(".macs").is_visible(), tab.locator(".params").is_visible()) == (False, True)
        shown = tab.locator(".params")
        tips = shown.locator("svg > path").evaluate_all(
            "(all) => all.map((one) => getComputedStyle(one).markerEnd)"
        )
        (tip,) = set(tips)
        assert shown.locator(tip.removeprefix('url("').removesuffix('")')).count() == 1
        assert asked == [path.as_uri()]
    finally:
        tab.close()


def test_names_are_text():
    """No name can be markup."""
    hostile = "<script>alert('&')</script>"
    net = architecture(Variant(width=0.25))
    (title,) = ET.fromstring(graph_svg(hostile, net)).iterfind(f"{SVG}title")  # noqa: S314
    assert title.text == hostile
    assert "<script" not in graph_page(hostile, net)
    assert not re.search(r"(href|src)=|url\((?!#)", graph_page(hostile, net))


NEEDS = "a picture needs --graph and -o FILE, such as --graph -o graph.svg; no --latency"
REFUSED = [
    (["--graph"], NEEDS),
    (["-o", "graph.svg"], NEEDS),
    (["--graph", "--latency", "-o", "graph.svg"], NEEDS),
    (["--graph", "-o", "graph.png"], "graph.png: the ending '.png' is none of .svg, .html"),
    (
        ["--graph", "-o", "g.svg", "--cost", "mac"],
        "--cost is 'mac'; expected one of macs, params; did you mean 'macs'?",
    ),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_drawn_is_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert refusal(call("show", *words)) == message
    assert contents(tmp_path) == {}
