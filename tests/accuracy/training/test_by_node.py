"""Where trainings are, beside the bar."""

import io
import re

import pytest
from rich.console import Console

from mbsweep.accuracy.training.by_node import by_node
from mbsweep.base.pace import Standing
from mbsweep.base.progress_bar import RichProgress

HOURS = Standing(109, 720, 0.1, 8060)  # epochs; 2:14:20 left


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([], ""),
        (["", ""], ""),  # this machine
        (["node-b", "node-a", "node-a"], "node-a 2, node-b 1"),
        (["node-a.cluster.example.org"] * 12, "node-a 12"),
        (["10.0.0.17", "10.0.0.4"], "2 nodes"),
        (["10.0.0.17"] * 64, "10.0.0.17 64"),
        ([f"node-{number}" for number in range(12)] * 3, "12 nodes"),
        (["one-with-a-very-long-name"], "1 node"),
    ],
)
def test_trainings_are_told_by_node(nodes, words):
    """Each node with how many it has; of many, or of long names, how many nodes there are."""
    assert by_node(nodes) == words


@pytest.mark.parametrize("nodes", [["node-a", "node-a", "node-b"], [f"node-{n}" for n in range(400)]])
def test_they_fit_beside_the_bar(nodes):
    """On a terminal of 80 columns, beside a data set's id; how many epochs are left is told, and how long."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system=None)
    with RichProgress(console) as progress:
        progress.begin("train on digits-3fa91c5e", 720)
        progress.reach(HOURS)
        progress.note(by_node(nodes))
    line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).strip().splitlines()[-1].strip()
    assert line.startswith(f"train on digits-3fa91c5e, {by_node(nodes)} ")
    assert re.search(r" 109/720 .+ left 2:14:20$", line)
    assert len(line) <= 80
