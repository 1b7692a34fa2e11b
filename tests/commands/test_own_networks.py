"""Networks of the user's own through every command: only with --allow-code, and never where a run is read."""

import json
import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from brightness import sweep_text
from console import call, copied, query, refusal
from own_networks import write_networks

import mbsweep
from mbsweep import MbsweepError
from mbsweep.nets import build
from mbsweep.space.families.factory import code_allowed

SMALL = "python:own.networks:small"
VIEWING = "python:own.networks:Viewing"
IMPORT = "would import the Python module own.networks and call its small, which runs their code"

VARIANTS = f"""\
title: Own networks
space:
  - {{family: "{SMALL}", width: [0.5, 1.0], input: [3, 16, 16], activation: [relu, silu]}}
  - {{width: 0.1, resolution: 16, depth: 0}}
variants:
  - {{family: "python:own.networks:dies", input: [3, 16, 16]}}
  - {{family: "python:own.networks:raises", input: [3, 16, 16]}}
  - {{family: "{VIEWING}", widths: [4, 3], input: [3, 16, 16]}}
  - {{family: "python:own.networks:Falling", input: [3, 16, 16]}}
latency:
  - {{backend: torch, rounds: 1, visit_calls: 1}}
  - {{backend: onnxruntime, rounds: 1, visit_calls: 1}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, images):
    """Where the user works."""
    folder = tmp_path_factory.mktemp("work")
    write_networks(folder)
    training = sweep_text(images, seeds="[0]").partition("\n")[2]
    (folder / "own.yaml").write_text(VARIANTS + training)
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    """The user is there, and what is imported in this process is forgotten behind the test."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", list(sys.path))
    for name in ("own", "own.networks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (folder / "imported").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def done(folder):
    """The run of the sweep: its folder, and how the command ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder / "runs" / "own", call("run", "own.yaml", "--allow-code", "--jobs", 1)


def test_a_run_goes_on_beside_bad_factories(done):
    """What cannot be built is recorded and told; all others are measured in both runtimes, and trained."""
    run, result = done
    assert result.exit_code == 1, result.stderr
    told = result.stderr
    assert "python:own.networks:dies: the factory's process ended: exit code 7" in told
    assert "python:own.networks:raises raises KeyError: 'two\\nlines'" in told
    assert "a factory that talks" not in result.stdout
    table = mbsweep.open_run(run).table()
    by_family = table.groupby("family")
    assert by_family["latency_ms"].count().to_dict() == {
        "mobilenet_v1": 2,
        "python:own.networks:Falling": 2,
        "python:own.networks:Viewing": 2,
        "python:own.networks:dies": 0,
        "python:own.networks:raises": 0,
        "python:own.networks:small": 8,
    }
    trained = by_family["top1_pct"].count().to_dict()
    assert trained["python:own.networks:small"] == 8
    assert trained["python:own.networks:Viewing"] == 2
    assert trained["python:own.networks:Falling"] == 0
    falling = table[table["family"] == "python:own.networks:Falling"]["top1_reason"].iloc[0]
    assert falling == "seed 0: the training's process ended: exit code 9"


def test_a_table_has_arguments_and_what_is_known(done):
    """Arguments as JSON, and in the column of a field that is called so; unknown bytes are empty."""
    table = mbsweep.open_run(done[0]).table()
    small = table[table["family"] == SMALL].drop_duplicates("variant")
    assert [json.loads(text) for text in small["arguments"]] == [
        {"activation": "relu", "num_classes": 3, "width": 0.5},
        {"activation": "silu", "num_classes": 3, "width": 0.5},
        {"activation": "relu", "num_classes": 3, "width": 1.0},
        {"activation": "silu", "num_classes": 3, "width": 1.0},
    ]
    assert small["width"].tolist() == [0.5, 0.5, 1.0, 1.0]
    assert small["resolution"].tolist() == [16] * 4
    assert small["params"].tolist() == [4 * 27 + 8 + 15, 131, 216 + 16 + 27, 259]
    assert small["macs"].tolist() == [108 * 256 + 12] * 2 + [216 * 256 + 24] * 2
    assert small["peak_activation_bytes"].isna().all()
    assert small["weight_bytes_int8"].isna().all()
    bad = table[table["family"] == "python:own.networks:dies"]
    assert bad["params"].isna().all()
    assert set(bad["error"]) == {"python:own.networks:dies: the factory's process ended: exit code 7"}


def test_a_run_of_code_alone_is_shown(here, tmp_path):
    """No other network is beside it, whose published figures could be looked up; what is unknown of all is no
    budget.
    """
    (here / "alone.yaml").write_text(f'variants: [{{family: "{SMALL}", input: [3, 16, 16]}}]')
    run = tmp_path / "alone"
    assert call("run", "alone.yaml", "--allow-code", "--out", run).exit_code == 0
    message = "peak_activation_bytes is known of no variant; "
    words = ["pick", run, "--max-peak-activation-bytes", "1e6", "--minimize", "params"]
    assert refusal(call(*words)) == f"{run}: {message}leave --max-peak-activation-bytes out"
    words = ["pick", run, "--minimize", "peak_activation_bytes"]
    assert refusal(call(*words)) == f"{run}: {message}--minimize macs picks without it"
    reported = call("report", run, "--html", tmp_path)
    assert reported.exit_code == 0, reported.stderr
    assert "own.networks.small" in (tmp_path / "alone.html").read_text(encoding="utf-8")


def test_reading_a_run_imports_nothing(done, here, tmp_path):
    """Table, report, pick and front work on a run whose code is not there, and run none where it is."""
    run = done[0]
    printed = call("table", run)
    assert printed.exit_code == 0
    assert ",131," in printed.stdout  # whole numbers, although others are unknown
    reported = call("report", run, "--html", tmp_path)
    assert reported.exit_code == 0, reported.stderr
    assert call("pick", run, "--max-latency-ms", "1000").exit_code == 0
    assert call("front", run, "--cost", "macs").exit_code == 0
    assert not (here / "imported").exists()
    page = tmp_path / "own.html"
    assert "own.networks.small_activation-relu" in page.read_text(encoding="utf-8")


def test_a_run_is_gone_on_with_where_the_code_is_the_same(done, here):
    """Nothing is measured twice; what failed is tried again, for the code may have been mended."""
    before = query(done[0], "SELECT count(*) FROM visits")
    result = call("run", "own.yaml", "--allow-code", "--jobs", 1)
    assert result.exit_code == 1
    assert query(done[0], "SELECT count(*) FROM visits") == before


def test_a_run_is_not_mixed_with_other_code(done, here, tmp_path, monkeypatch):
    """The same name with other parameters than those that were measured: one line."""
    run = copied(done[0], tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    write_networks(work)
    networks = work / "own" / "networks.py"
    networks.write_text(networks.read_text().replace("int(8 * width)", "int(16 * width)"))
    monkeypatch.chdir(work)
    result = call("run", here / "own.yaml", "--allow-code", "--out", run)
    assert (
        "gives another network than the one that was measured or trained; choose another --out"
        in (result.stderr.splitlines()[-1])
    )
    assert result.exit_code == 2


def test_a_run_says_that_its_code_has_changed(done, here, tmp_path, monkeypatch):
    """Networks of as many parameters and mult-adds that may be others: their figures stay, one line says so
    each time, until the file is as it was. Counting them, which may take long, is told of.
    """
    run = copied(done[0], tmp_path)
    before = query(run, "SELECT count(*) FROM visits")
    work = tmp_path / "work"
    work.mkdir()
    write_networks(work)
    networks = work / "own" / "networks.py"
    was = networks.read_text()
    monkeypatch.chdir(work)
    for text, count in ((was.replace('"relu": nn.ReLU,', '"relu": nn.ReLU6,'), 1), (was + "\n", 1), (was, 0)):
        networks.write_text(text)
        said = call("run", here / "own.yaml", "--allow-code", "--out", run).stderr.splitlines()
        told = [line for line in said if "has changed" in line]
        assert told == count * [
            f"{VIEWING}, python:own.networks:Falling, {SMALL}: the Python file has changed since networks "
            "were measured or trained; their figures stay as they are: choose another --out to begin anew"
        ]
        assert said[0] == "count networks that are code (8)"
    assert query(run, "SELECT count(*) FROM visits") == before
    assert "count networks that are code (8)" in call("plan", here / "own.yaml", "--allow-code").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("show", SMALL, "width=0.5"),
        ("bench", SMALL),
        ("export", SMALL, "-o", "net.onnx"),
        ("train", SMALL, "-o", "net.safetensors"),
    ],
    ids=lambda words: words[0],
)
def test_commands_that_name_a_network_need_leave(here, words):
    """One line says what would be imported, and nothing is."""
    assert refusal(call(*words)) == (
        f"{SMALL} {IMPORT}; where you trust it, say --allow-code (in Python: allow_code=True)"
    )
    assert not (here / "imported").exists()


@pytest.mark.parametrize("command", ["plan", "run"])
def test_commands_that_take_a_sweep_need_leave(here, command):
    """With the line of the file; a stored run is not touched."""
    assert refusal(call(command, "own.yaml", "--out", here / "new")).startswith(
        f"own.yaml:3: space[0].family {SMALL} {IMPORT}"
    )
    assert not (here / "imported").exists()
    assert not (here / "new").exists()


def test_a_saved_network_needs_leave_too(done, here):
    """A file that names code is no leave to run it; with it the network says what it has learnt."""
    (file,) = done[0].glob("weights/*/own.networks.small_*relu*width-1.0*_seed0.safetensors")
    assert IMPORT in refusal(call("evaluate", file))
    assert not (here / "imported").exists()
    result = call("evaluate", file, "--allow-code")
    assert result.exit_code == 0, result.stderr
    known = query(done[0], "SELECT variant, top1_pct FROM accuracies WHERE top1_pct IS NOT NULL")
    (top1_pct,) = (value for variant, value in known if file.name.startswith(variant))
    assert f"top-1 {top1_pct:.2f} %" in result.stdout


def test_a_trained_network_of_code_is_exported(done, here, tmp_path):
    """With leave; the file needs none, and is as good as the table says. At int8 it cannot be written."""
    rows = query(done[0], "SELECT variant, top1_pct FROM accuracies WHERE top1_pct IS NOT NULL")
    variant, top1_pct = next(row for row in rows if row[0].startswith("own.networks.small_"))
    words = ("export", done[0], variant, "-o", tmp_path / "net.onnx")
    assert IMPORT in refusal(call(*words))
    assert not (here / "imported").exists()
    result = call(*words, "--allow-code")
    assert result.exit_code == 0, result.stderr
    evaluated = call("evaluate", tmp_path / "net.onnx")
    assert f"top-1 {top1_pct:.2f} %" in evaluated.stdout, evaluated.output
    refused = call(*words, "--allow-code", "--precision", "int8")
    assert refused.exit_code == 2
    assert refused.stderr.splitlines()[-1] == (  # behind what its factory says
        f"error: {variant}: int8 ONNX files are made of networks that mbsweep describes; this module is none"
    )


def test_plan_counts_and_says_what_cannot_be_built(done, here):
    """Before anything is measured."""
    result = call("plan", "own.yaml", "--allow-code")
    assert result.exit_code == 0, result.stderr
    assert "variants   9" in result.stdout
    assert "python:own.networks:raises raises KeyError" in result.stdout


def test_show_prints_what_is_known(here):
    """Counts, and that the layers are not known; unknown mult-adds with the operator."""
    result = call("show", SMALL, "input=3,32,32", "activation=silu", "--allow-code")
    assert result.stdout.splitlines() == [
        "own.networks.small_activation-silu_r32_0fc025d3d1",
        "322 parameters, 221,264 mult-adds; at fp32 1,288 bytes of weights",
        f"{SMALL} is code: its layers, and the bytes of its activations, are not known",
    ]
    assert "mult-adds unknown: fvcore cannot count aten::lstm" in (
        call("show", "python:own.networks:Recurrent", "input=3,16,16", "--allow-code").stdout
    )
    assert refusal(call("show", SMALL, "--latency", "--allow-code")) == (
        f"--latency: {SMALL} is code, and mbsweep does not know its layers"
    )
    assert refusal(call("show", "python:own.networks:exits", "--allow-code")) == (
        "python:own.networks:exits ends the process: sys.exit('enough')"
    )


def test_an_exported_network_gives_the_modules_logits(here, tmp_path):
    """By PyTorch's exporter, since mbsweep has no description of it."""
    file = tmp_path / "net.onnx"
    result = call("export", SMALL, "input=3,32,32", "width=1.5", "-o", file, "--allow-code")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{file}: own.networks.small_width-1.5_r32_")
    image = np.random.default_rng(3).standard_normal((1, 3, 32, 32), dtype=np.float32)
    (logits,) = onnxruntime.InferenceSession(file).run(None, {"image": image})
    with code_allowed(), torch.no_grad():
        torch.manual_seed(0)
        net = build(mbsweep.Variant(SMALL, resolution=32, width=1.5)).eval()
        assert np.allclose(logits, net(torch.from_numpy(image)).numpy(), atol=1e-6)
    words = ("input=3,32,32", "-o", file, "--precision", "int8", "--allow-code")
    *others, last = call("export", SMALL, *words).stderr.splitlines()
    assert others == ["a factory that talks to stdout"]
    assert last.endswith("int8 ONNX files are made of networks that mbsweep describes; this module is none")


def test_bench_times_it(here):
    """Forward and training steps."""
    result = call("bench", SMALL, "input=3,32,32", "--steps", 2, "--batch", 2, "--threads", 1, "--allow-code")
    assert result.exit_code == 0, result.stderr
    # On a busy machine a step may be far off, which is said between them.
    told = [line.split()[0] for line in result.stdout.splitlines() if " sec/batch" in line]
    assert told == ["forward", "forward_backward"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            "latency: [{backend: torch, kind: predicted}]",
            f"own.yaml:2: latency[0].kind is 'predicted', and {SMALL} is code, whose layers mbsweep does not "
            "know: leave `kind` out to measure all",
        ),
        (
            "accuracy: {source: supernet, dataset: {name: digits}}",
            f"own.yaml:2: accuracy.source is supernet: {SMALL} has no supernet; those that have: mobile",
        ),
        (
            "accuracy: {source: predicted, table: tf-slim-2018-08-02}",
            f"own.yaml:2: accuracy.source is predicted: {SMALL} is code, of which no accuracy is predicted",
        ),
    ],
)
def test_what_needs_layers_is_refused(here, tmp_path, monkeypatch, more, words):
    """Predicted latency, a supernet and predicted accuracy, each in one line, when the sweep is planned."""
    # Another test is of the counts.
    monkeypatch.setattr("mbsweep.sweep.counted.count_code", lambda variants, progress: {})
    (tmp_path / "own.yaml").write_text(
        f'space: {{family: "{SMALL}", width: [0.5, 1.0], input: [3, 32, 32]}}\n{more}\n'
    )
    found = refusal(call("plan", tmp_path / "own.yaml", "--allow-code"))
    assert found.removeprefix(f"{tmp_path}/").startswith(words)


def test_in_python_it_is_an_argument(here):
    """`count_space(sweep, allow_code=True)`; without it the same line."""
    sweep = mbsweep.load_sweep("own.yaml").with_classes(3, "")
    with pytest.raises(MbsweepError, match="allow_code=True"):
        mbsweep.count_space(sweep)
    space = mbsweep.count_space(sweep, allow_code=True)
    assert pd.Series(space.params[-5:-1]).tolist() == [131, 131, 259, 259]


def test_limits_that_leave_nothing_say_what_is_unknown(here, tmp_path):
    """Mult-adds that could not be counted are not given as a number."""
    sweep = tmp_path / "own.yaml"
    sweep.write_text(
        'variants: [{family: "python:own.networks:Recurrent", input: [3, 16, 16]}]\n'
        "limits: {params: {max: 5}}\n"
    )
    with pytest.raises(MbsweepError) as error:
        mbsweep.count_space(mbsweep.load_sweep(sweep), allow_code=True)
    # Four gates of 48 x 8 + 8 x 8 + 8 + 8, and a classifier of 8 x 10 + 10.
    told = "their params run from 1946 to 1946, their macs are unknown"
    assert str(error.value) == f"{sweep}:2: limits leaves none of the 1 variants; {told}"
