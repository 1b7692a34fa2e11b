"""README and docs say what is true: every command runs, every key and column is documented."""

import re
import shlex
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
from console import call
from stand_in_pool import StandInPool

from mbsweep import plan as planning
from mbsweep.accuracy import SOURCES as ACCURACY
from mbsweep.accuracy.compression import Scheme, Sparsity
from mbsweep.accuracy.datasets import DATASETS
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.published import tables
from mbsweep.accuracy.settings import (
    Alone,
    Budget,
    Halving,
    Quantization,
    Recipe,
)
from mbsweep.commands import _images, _layer_times, _steps
from mbsweep.commands.app import COMMANDS
from mbsweep.profiler import peak
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.families import FAMILIES
from mbsweep.sweep.sweep import Sweep, load_sweep, parse_sweep
from mbsweep.table.columns import COLUMNS

TRAINING_MODELS = [*ACCURACY.values(), *DATASETS.values(), Recipe, Budget, Halving, Alone, Quantization]
TRAINING_MODELS += [Scheme, Sparsity]
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SWEEP_FILES = (ROOT / "docs/sweep_files.md").read_text()
NUMBERS = (ROOT / "docs/numbers.md").read_text()


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the shipped sweeps, their latencies measured in one short round to save time, and of the
    paper's sixteen networks four; so are steps and layers, of digits there are few, and there is no browser.
    """
    time_steps = _steps.time_steps
    monkeypatch.setattr(_steps, "time_steps", lambda *asked: time_steps(*asked[:-2], steps=5, burn_in=1))
    monkeypatch.setattr(_layer_times, "ROUNDS", 1)
    monkeypatch.setattr(peak, "BUDGET_S", 0.05)
    monkeypatch.setattr(_images, "Digits", partial(Digits, train=100, validation=50, test=50))
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    (tmp_path / "sweeps").mkdir()
    for file in (ROOT / "sweeps").glob("*.yaml"):
        short = file.read_text().replace("threads: 1}", "threads: 1, rounds: 1, visit_ms: 1}")
        short = short.replace("[1.0, 0.75, 0.5, 0.25]", "[0.75, 0.25]").replace(
            "[224, 192, 160, 128]", "[160, 128]"
        )
        (tmp_path / "sweeps" / file.name).write_text(short)
    (tmp_path / "reports").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("one_core")
def test_every_command_and_the_python_of_the_readme_run(workplace):
    """The README's mbsweep commands, typed one after another, succeed, and then so does its Python."""
    lines = [line for block in blocks(README, "console") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("mbsweep ")]
    assert {command[1] for command in commands} == {
        "new",
        "plan",
        "run",
        "open",
        "report",
        "table",
        "pick",
        "front",
        "show",
        "bench",
        "export",
        "train",
        "evaluate",
        "reproduce",
        "search",
    }
    examples = {import_module(f"mbsweep.commands.{name}").EXAMPLE for name in COMMANDS}
    typed = {shlex.join(command) for command in commands}
    # Those need a second run, a supernet, somebody to ask, and a picture: they are run by the tests of
    # `compare`, of supernets, of `new` and of `classify`.
    assert {example.split()[1] for example in examples - typed} == {"compare", "extract", "new", "classify"}
    for command in commands:
        called = call(*command[1:])  # here: each as a process would load all anew
        assert called.exit_code == 0, f"{command}: {called.stderr}"
    assert (workplace / "reports/index.html").is_file()
    assert (workplace / "runs/reports/width_res.html").is_file()
    assert (workplace / "net.onnx").is_file()
    assert len((workplace / "width_res.csv").read_text().splitlines()) == 1 + 4 * 2
    (python,) = blocks(README, "python")
    with redirect_stdout(StringIO()) as printed:
        exec(python, {"__name__": "__main__"})  # noqa: S102  (a process would load all anew)
    assert "Counts(params=2585560, macs=239273472" in printed.getvalue()
    assert "1028700 7059968000" in printed.getvalue()


def test_the_sweep_in_the_readme_is_valid(tmp_path):
    """The README's example of a sweep file loads."""
    (example,) = blocks(README, "yaml")
    assert [config.id for config in parse_sweep(example, "readme.yaml").latency] == [
        "onnxruntime-fp32-b1-t1",
        "onnxruntime-int8-b1-t1",
        "torch-fp32-b8-t2",
        "onnxruntime-fp32-b1-t1-predicted",
    ]


@pytest.mark.parametrize("file", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_sweeps_open_with_question_command_and_time(file):
    """Each shipped sweep loads, and says first what it asks, how it is run and how long that took."""
    assert re.match(r"# Question: .+\n# Command:  mbsweep .+\n# Time:     .+\d", file.read_text())
    assert load_sweep(file).title


def test_every_key_of_a_sweep_file_is_documented():
    """docs/sweep_files.md names each key, backend, block and accuracy table."""
    keys = [
        *Sweep.model_fields,
        "family",
        *(key for family in FAMILIES.values() for key in family.keys),
        *FAMILIES,
        *LatencyConfig.model_fields,
        *(key for model in TRAINING_MODELS for key in model.model_fields),
        *ACCURACY,
        *DATASETS,
        *BACKENDS,
        *BLOCKS,
        *tables(),
    ]
    assert [key for key in keys if f"`{key}`" not in SWEEP_FILES] == []


def test_every_number_of_the_table_is_defined():
    """docs/numbers.md defines each column that holds a measured, counted or published number."""
    numbers = [name for name, column in COLUMNS.items() if column.better or name.startswith("latency_")]
    numbers.remove("latency_kind")
    assert [name for name in numbers if f"`{name}`" not in NUMBERS] == []


def test_local_links_lead_somewhere():
    """Every file that the README links or shows exists."""
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


CLUSTER = (ROOT / "docs/cluster.md").read_text()


def test_the_commands_for_a_cluster_are_understood(workplace, monkeypatch):
    """Each mbsweep command of the page is planned with a cluster in its place. Ray takes the options of
    each of its own.
    """
    from ray.scripts.scripts import cli

    for path in ("my_images.yaml", "sweep.yaml"):
        (workplace / path).write_text((workplace / "sweeps/digits.yaml").read_text())
    cluster = type("Cluster", (StandInPool,), {"asked": []})
    monkeypatch.setattr(planning, "RayPool", cluster)
    text = "\n".join(blocks(CLUSTER, "console") + blocks(CLUSTER, "bash")).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    ours = [words[words.index("mbsweep") + 1 :] for words in lines if "mbsweep" in words]
    assert {words[0] for words in ours} == {"plan", "run"}
    for words in ours:
        called = call("plan", *words[1:])  # `run` has the same options
        assert called.exit_code == 0, f"{words}: {called.stderr}"
    addresses = {address for address, _ in filter(lambda asked: asked != "check", cluster.asked)}
    assert addresses == {"auto", "ray://127.0.0.1:10001"}
    theirs = [words[words.index("ray") + 1 :] for words in lines if "ray" in words]
    assert {words[0] for words in theirs} == {"start", "symmetric-run"}
    for name, *words in theirs:
        options = words[words.index("--min-nodes") + 2 : words.index("--")] if name != "start" else words
        options = [re.sub(r"^\$.*", "4", word) for word in options]
        with cli.commands["start"].make_context("start", options) as context:
            assert context.params["disable_usage_stats"]
            assert context.params["object_store_memory"] == 200_000_000
            assert context.params["include_dashboard"] is not True


def test_the_page_of_clusters_leads_somewhere():
    """Every file and heading that docs/cluster.md links to exists."""
    for link in re.findall(r"\]\(([^):]+)\)", CLUSTER):
        file, _, heading = link.partition("#")
        text = (ROOT / "docs" / file).read_text()
        headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
        assert not heading or heading in [found.lower().replace(" ", "-") for found in headings]
