"""`mbsweep export RUN --front`: every network on the front as a file, and an index; nothing is lost."""

import csv
import json
import re
import shlex
from pathlib import Path

import onnxruntime
import pytest
from brightness import LARGE, SMALL
from console import call, contents, copied, execute, refusal


@pytest.fixture
def run(undisturbed, tmp_path, monkeypatch):
    """A copy of the run in which both networks are on the front: the larger one is better."""
    monkeypatch.chdir(tmp_path)
    folder = copied(undisturbed, tmp_path)
    for variant, top1_pct in ((SMALL, 80.0), (LARGE, 90.0)):
        execute(folder, "UPDATE accuracies SET top1_pct = ? WHERE variant = ?", (top1_pct, variant))
    return folder.relative_to(tmp_path)


def test_every_network_on_the_front_has_a_file_and_a_row(run, tmp_path):
    """The front is that of `mbsweep front`; a row has what the table says, and what the file is worth."""
    (front,) = json.loads(call("front", run, "--cost", "macs", "--json").stdout)
    expected = [one["variant"] for one in front["front"]]
    result = call("export", run, "--front", "-o", "shipped/now")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        *(f"shipped/now/{variant}.onnx" for variant in expected),
        "shipped/now/index.csv",
    ]
    assert sorted(contents(tmp_path / "shipped")) == sorted(
        ["now/index.csv", *(f"now/{variant}.onnx{more}" for variant in expected for more in ("", ".json"))]
    )
    with open("shipped/now/index.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == expected == [SMALL, LARGE]
    for row, name in zip(rows, ("0.1-16", "0.25-16"), strict=True):
        session = onnxruntime.InferenceSession(
            f"shipped/now/{row['file']}", providers=["CPUExecutionProvider"]
        )
        card = json.loads(session.get_modelmeta().custom_metadata_map["mbsweep"])
        assert card["network"]["id"] == row["variant"]
        assert float(row["file_top1_pct"]) == pytest.approx(card["accuracy"]["top1_pct"])
        assert int(row["seed"]) == card["training"]["seed"]
        assert (row["name"], row["config"], row["latency_ms"]) == (name, "", "")
    assert [float(row["top1_pct"]) for row in rows] == [80, 90]


def test_the_files_may_be_of_another_format_and_a_seed(run):
    """As of one network."""
    result = call("export", run, "--front", "--format", "safetensors", "--seed", 1, "-o", "shipped")
    assert result.stdout.count(", trained, seed 1, ") == 2


def test_what_is_dominated_has_no_file(run, tmp_path):
    """The larger network is worse: the smaller one alone is on the front."""
    execute(run, "UPDATE accuracies SET top1_pct = 70 WHERE variant = ?", [LARGE])
    assert call("export", run, "--front", "-o", "shipped").exit_code == 0
    assert set(contents(tmp_path / "shipped")) == {f"{SMALL}.onnx", f"{SMALL}.onnx.json", "index.csv"}


@pytest.mark.parametrize("there", [f"{LARGE}.onnx", f"{SMALL}.onnx.json", "index.csv"])
def test_nothing_that_is_there_is_written_over(there, run, tmp_path):
    """Not even an index: one line, before anything is written."""
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / there).write_text("mine")
    assert refusal(call("export", run, "--front", "-o", "shipped")) == (
        f"shipped/{there} is there already, and is not written over; name another folder with -o"
    )
    assert contents(tmp_path / "shipped") == {there: b"mine"}


REFUSED = [
    (["--front", "-o", "file"], "file is a file; name a folder with -o"),
    (
        ["--front", "-o", "x", "--config", "t"],
        "RUN has no latency configuration 't'; it has none: its variants are only counted",
    ),
    (
        ["--front", "-o", "x", "--format", "tensorboard"],
        "--format is 'tensorboard'; expected one of onnx, pte, safetensors",
    ),
    ([SMALL, "--front", "-o", "x"], f"'{SMALL}' and --front are both said; say one network, or --front"),
    (
        [SMALL, "--config", "t", "-o", "x.onnx"],
        "--config says whose front is meant: say --front, or leave it out",
    ),
    (
        ["--front", "--seed", 5, "-o", "x"],
        f"--seed is '5'; {SMALL} was trained with 0, 1; say one of them, or best",
    ),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_exported_is_refused(words, message, run, tmp_path):
    """One line, and nothing is written."""
    run.rename("RUN")
    (tmp_path / "file").touch()
    before = contents(tmp_path)
    assert refusal(call("export", "RUN", *words)) == message
    assert contents(tmp_path) == before


def test_weights_that_are_gone_are_told_before_any_file_is_written(run, tmp_path):
    """Those of the second network."""
    for file in run.rglob(f"{LARGE}_seed*"):
        file.unlink()
    assert " the weights are not there any more; " in refusal(call("export", run, "--front", "-o", "shipped"))
    assert not (tmp_path / "shipped").exists()


def test_pick_prints_the_command_that_exports_what_it_names(run):
    """As a shell takes it: it exports the network."""
    run.rename("my run")
    said = call("pick", "my run", "--max-macs", "1e9").stdout
    (line,) = [line for line in said.splitlines() if line.startswith("  mbsweep export")]
    assert shlex.split(line) == ["mbsweep", "export", "my run", LARGE, "-o", f"{LARGE}.onnx"]
    assert f"{LARGE}.onnx: {LARGE} at fp32, trained, seed " in call(*shlex.split(line)[1:]).stdout
    execute(run.with_name("my run"), "UPDATE accuracies SET kind = 'published'")
    assert "mbsweep export" not in call("pick", "my run", "--max-macs", "1e9").stdout


def test_the_readmes_way_from_a_run_to_a_file_is_as_it_says(run, images):
    """Its commands but the first, typed on this run: they end well, and say what the README shows first."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (block,) = [part for part in readme.split("```") if part.startswith("text\n$ mbsweep run")]
    typed = re.findall(r"^\$ mbsweep (.+)\n(\S+)", block, flags=re.MULTILINE)
    assert [line.split()[0] for line, _ in typed] == ["run", "export", "evaluate", "classify"]
    here = {"runs/small_digits": run, "0.5-32": "0.25-16"}
    here["digit.png"] = images / "test" / "class1" / "000.png"
    for line, first in typed[1:]:
        result = call(*(here.get(word, word) for word in line.split()))
        assert result.exit_code == 0, result.output
        assert result.stdout.split()[0] == str(here.get(first, first))
