"""The tests lie as the package does."""

from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]


def test_tests_mirror_the_rooms():
    """Each folder of tests is called after a room, and each room has tests in a folder of its name."""
    folders = {path.parent.relative_to(ROOT / "tests") for path in ROOT.glob("tests/*/**/test_*.py")}
    rooms = {path.parent.relative_to(ROOT / "mbsweep") for path in ROOT.glob("mbsweep/*/**/__init__.py")}
    assert folders <= rooms
    assert {room for room in rooms if len(room.parts) == 1} <= folders
    assert len(folders) > 12


def test_no_modules_import_each_other():
    """Not in a circle of any length; types, and what is imported within a function, included."""
    graph = grimp.build_graph("mbsweep", cache_dir=None)
    TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    ).prepare()  # CycleError, which names the circle
