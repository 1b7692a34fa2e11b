"""Commands that read a large run say how far they are, on stderr."""

import pytest
from console import call
from reporter_runs import write_run

COMMANDS = {
    "pick": ["pick", "RUN", "--max-macs", "1e9", "--json"],
    "front": ["front", "RUN"],
    "table": ["table", "RUN"],
    "compare": ["compare", "RUN", "OTHER"],
    "report": ["report", "RUN", "--html", "PAGES"],
}
FEW = """\
title: T
space: {width: [0.5, 1]}
latency: [{backend: torch}]
accuracy: {source: published, table: paper}
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Two runs of two variants, and a folder for pages."""
    folder = tmp_path_factory.mktemp("runs")
    runs = {name: write_run(folder / name.lower(), FEW) for name in ("RUN", "OTHER")}
    return runs | {"PAGES": folder / "pages"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_large_run_shows_progress(name, places, monkeypatch):
    """Of two rows where one is many: what is done, in how many steps. Not with `-q`, nor if two is few."""
    words = [places.get(word, word) for word in COMMANDS[name]]
    monkeypatch.setattr("mbsweep.table.results.MOST_UNASKED", 1)
    large = call(*words)
    assert large.exit_code == 0, large.output
    expected = ["read run (5)"] + ["read other (5)"] * (name == "compare")
    expected += ["write the page of T (4)"] * (name == "report")
    assert large.stderr.splitlines() == expected
    if name in ("pick", "front", "compare"):
        assert call(*words, "-q").stderr == ""
    if name == "pick":
        monkeypatch.setattr("mbsweep.table.results.MOST_UNASKED", 2)
        small = call(*words)
        assert (small.stdout, small.stderr) == (large.stdout, "")
