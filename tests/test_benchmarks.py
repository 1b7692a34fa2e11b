"""Figures in README and docs: each names its command, and `python -m benchmarks` says what it ran on."""

import ast
import re
from pathlib import Path

import pytest
from console import execute, query

from benchmarks import simulated_run
from benchmarks.machine import heading, machine

ROOT = Path(__file__).parents[1]
BENCHMARKS = {path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py")} - {
    "machine",
    "simulated_nodes",
    "simulated_run",
    "two_nodes",
    "image_sets",
    "frozen",
    "search_tests",  # makes data, and has no figures
}

# of /proc/cpuinfo: what Linux says of an EPYC of Zen 4, of one of Zen 2, and of a Xeon of Sapphire Rapids
ZEN4 = "flags\t\t: fpu sse2 avx2 avx512f avx512_bf16 avx512_vnni\n"
ZEN2 = "model name\t: AMD EPYC 7B12\nflags\t\t: fpu sse2 avx2\nbugs\t\t: avx512f amx_tile\n"
SAPPHIRE_RAPIDS = "flags : avx2 avx512f avx512_bf16 avx512_vnni amx_bf16 amx_tile\n"


@pytest.mark.parametrize(
    ("cpuinfo", "words"),
    [
        (ZEN4, "AVX2, AVX-512, VNNI, bf16; no AMX"),
        (ZEN2, "AVX2; no AVX-512, VNNI, bf16, AMX"),
        (SAPPHIRE_RAPIDS, "AVX2, AVX-512, VNNI, bf16, AMX"),
        ("", "no AVX2, AVX-512, VNNI, bf16, AMX"),
    ],
)
def test_a_processor_is_told_by_what_it_can_do(cpuinfo, words):
    """By its flags, one after another: not by its bugs, and not by its name."""
    assert machine(cpuinfo) == words


def test_figures_stand_below_their_command_and_machine():
    """The command as one types it, then processor, cores, flags and versions, in two lines."""
    command, about = heading("python -m benchmarks.front").splitlines()
    assert command == "$ python -m benchmarks.front"
    assert re.search(r"\d+ cores, \d+ GiB, .*AVX2.*python 3\.\d+", about)


def test_all_benchmarks_are_run_together():
    """`python -m benchmarks` runs each file of the folder that has figures."""
    tree = ast.parse((ROOT / "benchmarks/__main__.py").read_text(encoding="utf-8"))
    (names,) = (node.value for node in ast.walk(tree) if isinstance(node, ast.Assign))
    assert set(ast.literal_eval(names)) == BENCHMARKS


def test_the_commands_that_docs_name_exist():
    """Every `benchmarks.NAME` in README and docs, and in the last column of their tables of figures."""
    named = set()
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"python -m benchmarks\.(\w+)", text))
        tables = re.split(r"`python -m benchmarks\.` \|\n[-|]+\n", text)[1:]
        rows = [row for table in tables for row in table.split("\n\n")[0].splitlines()]
        for row in rows:
            (command,) = re.findall(r"\| `(\w+)` \|$", row)
            named.add(command)
        if path.name in ("README.md", "latency.md"):
            assert len(rows) >= 8, path.name
            assert "EPYC" in text  # two kinds of processor
            assert "Xeon" in text
    assert named <= BENCHMARKS


def test_nodes_that_are_lost_cost_no_training(tmp_path):
    """20 nodes, of which 20 % are lost each hour, and 200 trainings of 20 epochs: each is done, each epoch is
    in the run once, and each accuracy is of both seeds. What is not there is found missing.
    """
    found = simulated_run.simulate(tmp_path, 200, 20, 20, lost_pct_per_hour=20, speed=1)
    assert found.tally.lost_nodes > 3
    assert 3 < found.tally.in_vain <= found.tally.lost_nodes
    assert found.tally.epochs == 200 * 20  # came back
    assert found.tally.begun > 200
    assert found.faults() == []
    assert query(tmp_path / "run", "SELECT count(*) FROM sessions") == [(3,)]  # of processors
    execute(tmp_path / "run", "DELETE FROM epochs WHERE id = 17")
    (fault,) = found.faults()
    assert fault.startswith("1 epochs are lost, such as ('mobilenet_v1_w")
