"""`mbsweep new`: sweep files to begin with, each of which is planned."""

import shlex

import brightness
import pytest
import yaml
from console import call, refusal
from typer.testing import CliRunner

from mbsweep import count_space, load_sweep
from mbsweep.commands.app import app
from mbsweep.commands.new import EXAMPLE
from mbsweep.profiler.backends import BACKENDS
from mbsweep.space.families import FAMILIES


def made(path, family="mobilenet_v1", backend="torch", accuracy="none"):
    """The text of a sweep file of some answers; `mbsweep plan` takes it."""
    words = ["--family", family, "--backend", backend, "--accuracy", accuracy]
    result = call("new", "-o", path, *words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert result.stdout.splitlines()[-1] == f"  mbsweep plan {path}"
    planned = call("plan", path, "--out", path.parent / "run")
    assert (planned.exit_code, planned.stderr) == (0, ""), planned.output
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_sweep_with_published_accuracies(family, tmp_path):
    """Of one network of it at least something is known; its other fields are named."""
    text = made(tmp_path / "s.yaml", family, accuracy="published")
    told = yaml.safe_load(text)
    assert told["space"]["family"] == family
    assert told["accuracy"]["source"] == "published"
    sweep = load_sweep(tmp_path / "s.yaml")
    known = sweep.accuracy.estimate(count_space(sweep), [], tmp_path, None).words
    assert "known for 0 of" not in known
    others = [name for name in FAMILIES[family].keys if name not in ("width", "resolution", "num_classes")]
    assert all(name in text for name in others)


def test_the_papers_sixteen(tmp_path):
    """Of MobileNet v1 the grid that TF-Slim has published, and its last table."""
    told = yaml.safe_load(made(tmp_path / "s.yaml", accuracy="published", backend="onnxruntime, torch"))
    assert told["space"] == {
        "family": "mobilenet_v1",
        "width": [1.0, 0.75, 0.5, 0.25],
        "resolution": [224, 192, 160, 128],
    }
    assert told["accuracy"]["table"] == "tf-slim-2018-08-02"
    assert told["latency"] == [{"backend": name, "threads": 1} for name in ("onnxruntime", "torch")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_runtime_can_be_asked_for(backend, tmp_path):
    """What is not installed, `plan` says."""
    told = yaml.safe_load(made(tmp_path / "s.yaml", backend=backend))
    assert (told["latency"], "accuracy" in told) == ([{"backend": backend, "threads": 1}], False)


def test_a_file_may_be_called_as_one_likes(tmp_path):
    """A line break in its name ends no comment."""
    path = tmp_path / "a\nb: {.yaml"
    words = ["--family", "mobilenet_v1", "--backend", "torch", "--accuracy", "none"]
    assert call("new", "-o", path, *words).exit_code == 0
    assert call("plan", path, "--out", tmp_path / "run").exit_code == 0


def test_training_on_digits_or_on_a_folder(tmp_path):
    """Whatever the folder is called."""
    told = yaml.safe_load(made(tmp_path / "digits.yaml", accuracy="digits"))
    assert told["accuracy"]["dataset"] == {"name": "digits"}
    folder = tmp_path / 'my "own": images'
    brightness.write_images(folder)
    told = yaml.safe_load(made(tmp_path / "own.yaml", accuracy=str(folder)))
    assert told["accuracy"]["dataset"] == {"name": "imagefolder", "path": str(folder)}
    assert told["accuracy"]["seeds"] == [0, 1]


def test_a_file_is_never_written_over(tmp_path):
    """Nor what a link points to that leads nowhere."""
    path = tmp_path / "s.yaml"
    path.write_bytes(b"mine")
    words = ["--family", "mobilenet_v1", "--backend", "torch", "--accuracy", "none"]
    message = "is there already, and is not written over; choose another -o"
    assert refusal(call("new", "-o", path, *words)) == f"{path} {message}"
    assert path.read_bytes() == b"mine"
    link = tmp_path / "link.yaml"
    link.symlink_to("nowhere.yaml")
    assert refusal(call("new", "-o", link, *words)) == f"{link} {message}"
    lost = tmp_path / "no" / "s.yaml"
    assert refusal(call("new", "-o", lost, *words)) == (
        f"{lost}: cannot be written: No such file or directory; choose another -o"
    )
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.yaml", "s.yaml"]


WRONG = [
    ("--family", "mobilenetv1", "--family is 'mobilenetv1'; expected one of mobilenet_v1, "),
    ("--backend", "torch,onnx", "--backend is 'torch,onnx'; expected one of torch, "),
    ("--backend", "torch,torch", "--backend is 'torch,torch'; expected each runtime once"),
    ("--backend", "", "--backend is ''; expected one of torch, "),
    ("--accuracy", "trained", "--accuracy is 'trained'; expected published, digits, none, or a folder of"),
]


@pytest.mark.parametrize(("option", "value", "message"), WRONG)
def test_what_is_no_answer_is_refused(option, value, message, tmp_path):
    """Which option, and what is allowed; nothing is written."""
    given = {"--family": "mobilenet_v1", "--backend": "torch", "--accuracy": "none"} | {option: value}
    words = [word for pair in given.items() for word in pair]
    assert refusal(call("new", "-o", tmp_path / "s.yaml", *words)).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_nothing_is_asked(tmp_path):
    """One line that names the options that are missing."""
    message = "no terminal to ask on; give --family, --accuracy, too: see `mbsweep new --help`"
    assert refusal(call("new", "-o", tmp_path / "s.yaml", "--backend", "torch")) == message
    assert list(tmp_path.iterdir()) == []


def test_who_asks_for_no_more_is_left_alone(tmp_path, monkeypatch):
    """Ctrl-C or Ctrl-D at a question: 130, as everywhere, and no file."""
    monkeypatch.setattr("mbsweep.commands.new.can_ask", lambda: True)
    result = CliRunner().invoke(app, ["new", "-o", str(tmp_path / "s.yaml")], input="mobilenet_v2\n")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "stopped"
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_what_is_missing_is_asked_until_it_is_right(tmp_path, monkeypatch):
    """Two questions, the first answered wrongly once; what an option says is not asked."""
    monkeypatch.setattr("mbsweep.commands.new.can_ask", lambda: True)
    monkeypatch.chdir(tmp_path)
    words = [*shlex.split(EXAMPLE)[1:], "--accuracy", "none"]
    result = CliRunner().invoke(app, words, input="mobilenet\nmobilenet_v2\n\n")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Which family of networks? [mobilenet_v1]") == 2
    assert "expected one of mobilenet_v1" in result.stderr
    assert "published, digits" not in result.stderr
    told = yaml.safe_load((tmp_path / "my.yaml").read_text())
    assert told["space"]["family"] == "mobilenet_v2"
    assert told["latency"] == [{"backend": "onnxruntime", "threads": 1}]
