"""docs/extending.md: each example is a file and an entry, and works as it stands there."""

import json
import re
import shutil
from pathlib import Path

import pytest
import stand_in
from browsing import opened

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", TEXT, re.S | re.M)
ENTRIES = re.findall(r"^```python\n# entry in (\w+) of (\S+)\n(.*?)^```$", TEXT, re.S | re.M)

SWEEP = """\
space:
  - {family: resnext50, resolution: 32, cardinality: [4, 8], stage_depths: {each: [1]}}
  - {block: [grouped, separable], width: 0.25, resolution: 32, depth: 0}
latency:
  - {backend: torchscript, rounds: 1, visit_ms: 1}
accuracy: {source: guessed, points_per_doubling: 3}
"""
TRAINED = """\
space: {width: 0.1, resolution: 32, depth: 0}
accuracy: {source: trained, dataset: {name: stripes}, recipe: {epochs: 1}, seeds: [0]}
"""


def enter(text, registry, line):
    """A file with an entry as the first of a registry, and what the entry needs to be imported."""
    *imports, entry = line.strip().splitlines()
    begin = re.search(rf"^{registry}\b[^=]*= {{.*?[({{]?$", text, re.M).end()
    if registry == "FAMILIES":
        begin = text.index("for family in (", begin) + len("for family in (")
    text = f"{text[:begin]}\n    {entry}{text[begin:]}"
    place = re.search(r"^(from mbsweep|import|from)\b(?! __future__)", text, re.M).start()
    return text[:place] + "".join(f"{one}\n" for one in imports) + text[place:]


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A folder with a copy of mbsweep that has all examples, and two sweeps that use them."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "mbsweep", folder / "mbsweep")  # with what Python has compiled, where that is so
    for name, code in EXAMPLES:
        assert not (folder / name).exists()
        (folder / name).write_text(code, encoding="utf-8")
    for registry, name, line in ENTRIES:
        path = folder / name
        path.write_text(enter(path.read_text(encoding="utf-8"), registry, line), encoding="utf-8")
    (folder / "s.yaml").write_text(SWEEP)
    (folder / "trained.yaml").write_text(TRAINED)
    return folder


@pytest.fixture(scope="module")
def mbsweep(extended):
    """Call it with the words of a command: what that command of the copy prints."""
    loaded = stand_in.Loaded(modules=["mbsweep.table.results", "mbsweep.reporter.page"], own=extended)

    def printed(*words):
        assert loaded.start(*words, prints_to=extended / "printed").wait() == 0
        return (extended / "printed").read_text(encoding="utf-8")

    yield printed
    loaded.close()


def test_every_extension_point_is_shown():
    """One example for each registry, and each is a whole file."""
    assert [registry for registry, _, _ in ENTRIES] == [
        "FAMILIES",
        "BLOCKS",
        "BACKENDS",
        "SOURCES",
        "DATASETS",
        "FIGURES",
        "EXPLORE",
    ]
    assert len(EXAMPLES) == len(ENTRIES)


def test_a_family_has_its_published_size(mbsweep):
    """ResNeXt-50 (32x4d) has 25,028,904 parameters (torchvision's table of weights); fields can be said."""
    assert "25,028,904 parameters" in mbsweep("show", "resnext50").splitlines()[1]
    assert mbsweep("show", "resnext50", "cardinality=16").startswith("resnext50_r224_g16\n")
    assert "resnext50: Table 1 of arXiv:1611.05431" in mbsweep("names")


def test_a_sweep_uses_all_of_them(extended, mbsweep):
    """A run with the family, the block, the runtime, the source; a page with the figure."""
    mbsweep("run", "s.yaml")
    rows = json.loads(mbsweep("table", "runs/s", "--format", "json"))
    assert [row["variant"] for row in rows] == [
        "resnext50_r32_g4_b1-1-1-1",
        "resnext50_r32_g8_b1-1-1-1",
        "mobilenet_v1_w0.25_r32_d0_grouped",
        "mobilenet_v1_w0.25_r32_d0",
    ]
    assert [row["cardinality"] for row in rows] == [4, 8, None, None]
    assert all(row["error"] is None and row["latency_ms"] > 0 for row in rows)
    assert min(row["top1_pct"] for row in rows) == 50
    mbsweep("report", "--html", "page", "runs/s")
    pages = [path.read_text(encoding="utf-8") for path in (extended / "page").glob("*.html")]
    assert any("flash has to" in page for page in pages)


@pytest.mark.parametrize(
    "beside", ["", ", {width: 0.25, resolution: 32, depth: 0}"], ids=["alone", "beside v1"]
)
def test_a_family_without_width_has_a_page(extended, mbsweep, browser, beside):
    """Its networks are named by their resolution, and coloured by that where no network has a width."""
    name = "both" if beside else "alone"
    (extended / f"{name}.yaml").write_text(f"variants: [{{family: resnext50, resolution: 32}}{beside}]")
    mbsweep("run", f"{name}.yaml")
    mbsweep("report", "--html", name, f"runs/{name}")
    with opened(browser, extended / name / f"{name}.html", figures=True) as tab:
        assert tab.input_value("#colour") == ("width" if beside else "resolution")


def test_a_data_set_is_learnt(mbsweep):
    """A run trains on the images, and says on which."""
    mbsweep("run", "trained.yaml")
    (row,) = json.loads(mbsweep("table", "runs/trained", "--format", "json"))
    assert row["dataset"].startswith("stripes")
    assert 0 <= row["top1_pct"] <= 100
    assert row["num_classes"] == 2
