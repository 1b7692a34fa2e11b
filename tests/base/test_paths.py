"""Paths that commands are given, and paths that they write: whose file lies there, and whose run it is."""

import os
import shutil

import pytest
from brightness import write_images
from console import call, contents, copied, execute, query, refusal

import mbsweep
from mbsweep.commands._images import dataset_config


def test_a_home_is_meant_by_a_tilde(tmp_path, monkeypatch):
    """In options and arguments, where shells leave it alone (`--out=~/run`), and in sweeps; ~user, too. No
    folder is called so.
    """
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "s.yaml").write_text("space: {width: [0.25]}\n")
    assert call("run", "~/s.yaml", "--out=~/run").exit_code == 0
    assert call("plan", "~/s.yaml", "--out=~/run").stdout.endswith(
        f"run        {tmp_path / 'home' / 'run'}\n"
    )
    assert call("table", "~/run", "--output=~/t.csv").exit_code == 0
    assert call("report", "~/run", "--html=~/pages").exit_code == 0
    assert call("pick", "~/run", "--minimize", "macs").exit_code == 0
    assert len(mbsweep.open_run("~/run").table()) == 1
    names = {"s.yaml", "run", "t.csv", "pages"}
    assert {path.name for path in (tmp_path / "home").iterdir()} == names
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    home = os.path.expanduser("~root")
    assert refusal(call("table", "~root/no/such/run")).startswith(f"{home}/no/such/run is not an mbsweep run")
    assert refusal(call("table", "~nobody-at-all/run")).startswith("~nobody-at-all/run is not an mbsweep run")


def test_two_sweeps_of_one_name_do_not_share_a_run(tmp_path, monkeypatch):
    """a/s.yaml and b/s.yaml would both have runs/s: the second is told whose it is, and what to say."""
    monkeypatch.chdir(tmp_path)
    for name, width in (("a", 0.25), ("b", 0.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "s.yaml").write_text(f"space: {{width: [{width}]}}\n")
    assert call("run", "a/s.yaml").exit_code == 0
    before = contents(tmp_path)
    for command in ("run", "plan"):
        assert refusal(call(command, "b/s.yaml")) == (
            "runs/s is the run of a/s.yaml, another sweep file; say --out runs/b_s for a run of "
            "its own, or --out runs/s to go on in that one"
        )
    assert contents(tmp_path) == before
    assert call("run", "b/s.yaml", "--out", "runs/b_s").exit_code == 0
    assert call("run", "a/s.yaml").exit_code == 0
    # Whoever says which run is meant is believed, and need not say it again.
    assert call("run", "b/s.yaml", "--out", "runs/s").exit_code == 0
    assert call("run", "b/s.yaml").exit_code == 0
    assert "runs/s is the run of b/s.yaml" in refusal(call("run", "a/s.yaml"))


def test_a_sweep_that_was_moved_or_edited_goes_on(tmp_path, monkeypatch):
    """Edited in place, moved alone, copied as it is, or with its runs to another folder: the same run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("space: {width: [0.25]}\n")
    assert call("run", "s.yaml").exit_code == 0
    (tmp_path / "s.yaml").write_text("space: {width: [0.25, 0.3]}\n")
    assert "1 variants are new" in call("run", "s.yaml").stderr
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "s.yaml").rename("sweeps/s.yaml")
    assert call("run", "sweeps/s.yaml").exit_code == 0
    (tmp_path / "sweeps" / "s.yaml").write_text("space: {width: [0.25, 0.35]}\n")
    assert call("run", "sweeps/s.yaml").exit_code == 0
    (tmp_path / "copy.d").mkdir()
    shutil.copy("sweeps/s.yaml", "copy.d/s.yaml")
    assert call("run", "copy.d/s.yaml").exit_code == 0
    elsewhere = tmp_path / "elsewhere"
    for name in ("runs", "sweeps"):
        shutil.copytree(name, elsewhere / name)
    monkeypatch.chdir(elsewhere)
    (elsewhere / "sweeps" / "s.yaml").write_text("space: {width: [0.25, 0.4]}\n")
    assert call("run", "sweeps/s.yaml").exit_code == 0
    assert not (elsewhere / "sweeps" / "runs").exists()


def test_a_run_of_before_has_no_file_and_goes_on(tmp_path, monkeypatch):
    """Runs in which no file is noted take the first that is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("space: {width: [0.25]}\n")
    assert call("run", "s.yaml").exit_code == 0
    execute(tmp_path / "runs" / "s", "DROP TABLE origin")
    assert call("run", "s.yaml").exit_code == 0
    assert [path for (path,) in query(tmp_path / "runs" / "s", "SELECT path FROM origin")] == [
        b"../../s.yaml"
    ]


def test_a_table_is_not_written_over_its_run(tiny_run, tmp_path):
    """`mbsweep table RUN -o RUN/run.sqlite`, whatever the way to it."""
    folder = copied(tiny_run, tmp_path)
    (tmp_path / "link.csv").symlink_to(folder / "run.sqlite")
    before = contents(folder)
    for output in (folder / "run.sqlite", tmp_path / "link.csv"):
        assert refusal(call("table", folder, "-o", output, "--format", "csv")) == (
            f"{output} is the run that is read; name another file with -o"
        )
    assert contents(folder) == before


def test_a_home_is_meant_by_a_tilde_in_a_sweep(tmp_path, monkeypatch):
    """The paths of data sets and of a run that accuracies are predicted from, and those of --dataset."""
    monkeypatch.setenv("HOME", str(tmp_path))
    where = {
        "accuracy: {source: trained, dataset: {name: imagefolder, path: ~/images}}": "run",
        "accuracy: {source: trained, dataset: {name: cifar10, path: ~/images}}": "run",
        "accuracy: {source: predicted, run: ~/images}": "plan",
    }
    for accuracy, command in where.items():
        sweep = tmp_path / "s.yaml"
        sweep.write_text(f"space: {{width: [0.25], num_classes: 10}}\n{accuracy}\n")
        message = refusal(call(command, sweep, "--out", tmp_path / "run"))
        assert f"{tmp_path}/images" in message
        assert "~/" not in message
    (tmp_path / "images").mkdir()
    assert dataset_config("~/images").name == "imagefolder"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of images that are learnt at once. Not to be changed."""
    return write_images(tmp_path_factory.mktemp("images") / "brightness", train=20)


def train_words(images, output, epochs=1, width=0.1):
    """The command that trains a network of nine layers."""
    words = ["train", "--dataset", images, "--width", width, "--resolution", 16, "--depth", 0]
    return [*words, "--batch", 16, "--learning-rate", 0.02, "--epochs", epochs, "-o", output]


def test_a_training_writes_over_no_checkpoint_but_its_own(images, tmp_path):
    """`train -o m.safetensors` keeps its epochs in m.checkpoint: what lies there and is none of it stays, be
    it a file of the user's, a folder, a trained network, or a training with other settings.
    """
    output, checkpoint = tmp_path / "m.safetensors", tmp_path / "m.checkpoint"
    advice = ", and this training would write over it; move it, or choose another -o"

    def refused():
        before = contents(tmp_path)
        message = refusal(call(*train_words(images, output)))
        assert contents(tmp_path) == before
        return message

    checkpoint.write_bytes(b"mine")
    assert refused() == f"{checkpoint} is no checkpoint of mbsweep, or is damaged{advice}"
    checkpoint.unlink()
    checkpoint.mkdir()
    assert refused() == f"{checkpoint} is no checkpoint of mbsweep, or is damaged{advice}"
    checkpoint.rmdir()
    result = call(*train_words(images, output))
    assert result.exit_code == 0, result.output
    assert list(tmp_path.iterdir()) == [output]
    output.rename(checkpoint)
    assert refused() == f"{checkpoint} is a trained network{advice}"
    other = tmp_path / "other.safetensors"
    assert call(*train_words(images, other, width=0.25)).exit_code == 0
    other.rename(checkpoint)
    assert refused() == f"{checkpoint} is of another training (its variant){advice}"


def test_what_cannot_be_written_is_said_before_anything_is_trained(images, tmp_path):
    """A folder of that name; or the very file that is read."""
    (tmp_path / "m.safetensors").mkdir()
    assert refusal(call(*train_words(images, tmp_path / "m.safetensors"))) == (
        f"{tmp_path / 'm.safetensors'}: name a file with the ending .safetensors in a folder that exists"
    )
    start = tmp_path / "start.safetensors"
    start.write_bytes(b"a network")
    for words in (
        ["train", "--start", start, "-o", start],
        ["extract", start, "-o", tmp_path / "." / start.name],
    ):
        assert refusal(call(*words)) == f"{start} is the file that is read; name another with -o"
    assert start.read_bytes() == b"a network"
