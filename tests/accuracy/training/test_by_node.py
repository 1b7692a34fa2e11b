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
        ([], None),
        (["", ""], None),  # this machine
        (["node-b", "node-a", "node-a"], ("node-a 2, node-b 1", "2 nodes")),
        (["node-a.cluster.example.org"] * 12, ("node-a 12", "1 node")),
        (["10.0.0.17", "10.0.0.4"], ("10.0.0.17 1, 10.0.0.4 1", "2 nodes")),
        ([f"node-{number}" for number in range(12)] * 3, ("12 nodes", "12 nodes")),
    ],
)
def test_trainings_are_told_by_node(nodes, words):
    """Each node with how many it has, and in short how many nodes there are; of many nodes only that."""
    assert by_node(nodes) == words


@pytest.mark.parametrize(
    ("part", "nodes", "width", "words"),
    [
        ("digits-3fa91c5e", ["node-a", "node-a", "node-b"], 80, "node-a 2, node-b 1"),
        ("digits-3fa91c5e", [f"node-{n}" for n in range(400)], 80, "400 nodes"),
        ("imagefolder-9ab69307", ["10.0.0.17:40123"], 80, "1 node"),
        ("imagefolder-9ab69307", ["10.0.0.17", "10.0.0.4"], 120, "10.0.0.17 1, 10.0.0.4 1"),
    ],
)
def test_they_fit_beside_the_bar(part, nodes, width, words):
    """In as many words as there is room for: the epochs that are left are told whole, and how long."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None)
    with RichProgress(console) as progress:
        progress.begin(f"train on {part}", 720)
        progress.reach(HOURS)
        progress.note(*by_node(nodes))
    line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).strip().splitlines()[-1].strip()
    assert line.startswith(f"train on {part}, {words} ")
    assert re.search(r" 109/720 0:00:00 left 2:14:20$", line)
    assert len(line) <= width
