"""Trained networks in the runtimes of a sweep: each file is tested, and its accuracy is the row's."""

import json
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from brightness import LARGE, RECIPE, SMALL, SPACE, sweep_text, write_images
from console import call, execute, query
from onnx import numpy_helper
from PIL import Image

import mbsweep
from mbsweep.accuracy.deploying import worker
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.base.progress import Silent
from mbsweep.plan import plan
from mbsweep.sweep.sweep import parse_sweep

LATENCY = """\
latency:
  - {backend: onnxruntime, precision: int8, rounds: 1}
  - {backend: onnxruntime, rounds: 1}
  - {backend: onnxruntime, batch: 2, rounds: 1}
  - {backend: torch, rounds: 1}
  - {backend: torch, precision: bf16, rounds: 1}
"""
INT8 = "onnxruntime-int8-b1-t1"


class Told(Silent):
    """Keeps what a run says."""

    def __init__(self):
        self.messages = []

    def say(self, message):
        """One line for the user."""
        self.messages.append(message)


def go_on(text, folder, **options):
    """Run a sweep; its rows by variant and configuration, and what it said."""
    told = Told()
    table = mbsweep.run(parse_sweep(text, "deployed"), folder, progress=told, **options).table()
    return {(row.variant, row.config): row for row in table.itertuples()}, told.messages


def when_tested(folder):
    """(variant, seed, runtime) -> when it was tested."""
    rows = query(folder, "SELECT variant, seed, backend || ' ' || precision, ended_utc FROM deployed")
    return {row[:3]: row[3] for row in rows}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(sweep's text, its run's folder, its rows, the folder of its images)."""
    folder = tmp_path_factory.mktemp("deployed")
    text = sweep_text(write_images(folder / "images")) + LATENCY
    rows, _ = go_on(text, folder / "run", jobs=1)
    return text, folder / "run", rows, folder / "images"


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it, to be changed: the text and the folder."""
    shutil.copytree(trained[1], tmp_path / "run")
    return trained[0], tmp_path / "run"


def pixels(images, part, moments):
    """The images of a part as a network reads them, and their classes: decoded here, by Pillow."""
    paths = sorted((images / part).rglob("*.png"))
    levels = np.stack([np.asarray(Image.open(path), np.float32) for path in paths])
    mean, std = (np.array(values, np.float32) for values in moments)
    labels = [int(path.parent.name.removeprefix("class")) for path in paths]
    return ((levels - mean) / std).transpose(0, 3, 1, 2), np.array(labels)


def test_the_accuracy_of_a_row_is_that_of_its_file_in_its_runtime(trained):
    """The int8 file that is kept, run here on the test part, is right as often as the table says, over both
    seeds; and so are the bits that are kept.
    """
    _, folder, rows, images = trained
    for variant in (SMALL, LARGE):
        shares = []
        for seed in (0, 1):
            (path,) = folder.glob(f"weights/*/{variant}_seed{seed}_onnxruntime-int8_*.onnx")
            about = open_checkpoint(path.with_name(f"{variant}_seed{seed}.safetensors")).about
            given, labels = pixels(images, "test", (about["mean"], about["std"]))
            session = onnxruntime.InferenceSession(path)
            logits = np.concatenate([session.run(None, {"image": one[None]})[0] for one in given])
            shares.append(100 * (logits.argmax(1) == labels).mean())
        row = rows[variant, INT8]
        assert row.top1_pct == pytest.approx(np.mean(shares))
        assert row.top1_seeds == "0, 1"
        assert row.top1_low_pct <= row.top1_pct <= row.top1_high_pct


def test_int8_is_calibrated_on_images_of_the_train_part(trained):
    """The image's own range in the file is from the darkest to the lightest level that is trained on."""
    _, folder, _, images = trained
    path = next(iter(sorted(folder.glob("weights/*/*_onnxruntime-int8_*.onnx"))))
    constants = {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}
    network = path.with_name(f"{path.name.partition('_onnxruntime-int8')[0]}.safetensors")
    about = open_checkpoint(network).about
    scales = {}
    for part in ("train", "test"):
        given, _ = pixels(images, part, (about["mean"], about["std"]))
        scales[part] = (max(0, given.max()) - min(0, given.min())) / 255
    assert constants["image.scale"] == pytest.approx(scales["train"], rel=1e-6)
    assert abs(scales["test"] / scales["train"] - 1) > 1e-3


def test_the_drop_is_against_the_network_as_it_was_trained(trained):
    """In points; eager PyTorch at fp32 is where it was trained, and has none."""
    rows = trained[2]
    for variant in (SMALL, LARGE):
        as_trained = rows[variant, "torch-fp32-b1-t1"]
        assert np.isnan(as_trained.top1_drop_pct)
        for config in (INT8, "onnxruntime-fp32-b1-t1", "onnxruntime-fp32-b2-t1", "torch-bf16-b1-t1"):
            row = rows[variant, config]
            assert row.top1_drop_pct == pytest.approx(as_trained.top1_pct - row.top1_pct)
            assert row.top1_drop_low_pct < row.top1_drop_pct < row.top1_drop_high_pct


def test_each_network_is_tested_once_in_each_runtime(trained, run):
    """Two batches are one runtime; a second run finds nothing to do."""
    text, folder = run
    runtimes = {"onnxruntime fp32", "onnxruntime int8", "torch bf16"}
    before = when_tested(folder)
    assert set(before) == {(v, s, r) for v in (SMALL, LARGE) for s in (0, 1) for r in runtimes}
    rows, said = go_on(text, folder)
    assert when_tested(folder) == before
    assert all(line.startswith("imagefolder") for line in said)  # what is known of the images
    assert rows[SMALL, INT8].top1_pct == trained[2][SMALL, INT8].top1_pct
    assert mbsweep.open_run(folder).amounts()[-1] == 4 + 12  # trainings, and tests in runtimes


def test_another_calibration_asks_for_other_files(run):
    """Of int8 alone; all else stays."""
    text, folder = run
    before = when_tested(folder)
    changed = text.replace("latency:", "  quantization: {calibration: entropy, images: 100}\nlatency:")
    go_on(changed, folder, jobs=1)
    after = when_tested(folder)
    assert {key for key in after if after[key] != before[key]} == {
        key for key in before if key[2] == "onnxruntime int8"
    }
    call("report", folder, "--html", folder.parent / "pages")
    (page,) = (folder.parent / "pages").glob("run*.html")
    assert "int8 was calibrated by entropy of 100 training images" in page.read_text()


def test_a_test_that_crashes_costs_no_other(run, monkeypatch):
    """Its reason is in the row; `retry` tries it again."""
    text, folder = run
    before = when_tested(folder)
    execute(folder, "DELETE FROM deployed WHERE precision = 'int8' AND seed = 1")
    dies = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    with monkeypatch.context() as broken:
        broken.setattr(worker, "COMMAND", dies)
        rows, said = go_on(text, folder, jobs=1)
    assert [line for line in said if "SIGKILL" in line and "onnxruntime int8" in line]
    assert rows[SMALL, INT8].top1_seeds == "0"
    assert "the test's process ended: SIGKILL" in rows[SMALL, INT8].top1_note
    rows, _ = go_on(text, folder, jobs=1, retry=True)
    assert when_tested(folder).keys() == before.keys()
    assert rows[SMALL, INT8].top1_seeds == "0, 1"


def test_a_row_is_of_the_seeds_that_the_sweep_asks_for(trained, run):
    """As its fp32 row: a seed that the sweep no longer has is in neither, nor in drop or plan."""
    text, folder = run
    changed = text.replace("seeds: [0, 1]", "seeds: [1]")
    rows, _ = go_on(changed, folder)
    assert plan(parse_sweep(changed, "deployed"), folder).accuracy.endswith(
        "; each tested as onnxruntime int8, onnxruntime fp32, torch bf16: 6 of 6 done"
    )
    for variant in (SMALL, LARGE):
        fp32, int8 = rows[variant, "torch-fp32-b1-t1"], rows[variant, INT8]
        assert (fp32.top1_seeds, int8.top1_seeds) == ("1", "1")
        assert int8.top1_drop_pct == pytest.approx(fp32.top1_pct - int8.top1_pct)


def test_a_seed_that_is_not_tested_yet_is_told(run):
    """A run that is interrupted between two tests has the mean of one seed, and says so."""
    text, folder = run
    execute(folder, "DELETE FROM deployed WHERE precision = 'int8'")

    class Stops(Silent):
        def advance(self, done, steps=1):
            if "onnxruntime int8" in done:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mbsweep.run(parse_sweep(text, "deployed"), folder, progress=Stops(), jobs=1)
    ((variant, seed),) = query(folder, "SELECT variant, seed FROM deployed WHERE precision = 'int8'")
    table = mbsweep.open_run(folder).table().set_index(["variant", "config"])
    row = table.loc[(variant, INT8)]
    assert row["top1_seeds"] == str(seed)
    words = "not tested in onnxruntime int8 yet; run the sweep again to go on"
    assert row["top1_note"].endswith(f"{words}: seed {1 - seed}")
    (other,) = {SMALL, LARGE} - {variant}
    assert table.loc[(other, INT8)]["top1_reason"] == words


def test_weights_that_are_gone_are_told(run):
    """A run whose weights were deleted keeps what it knows, and says what it cannot test."""
    text, folder = run
    shutil.rmtree(folder / "weights")
    execute(folder, "DELETE FROM deployed WHERE precision = 'int8'")
    rows, _ = go_on(text, folder, jobs=1)
    row = rows[LARGE, INT8]
    assert np.isnan(row.top1_pct)
    assert row.top1_reason.startswith("seed 1: ")
    assert row.top1_reason.endswith(f"{LARGE}_seed1.safetensors: there is no such file")
    assert rows[LARGE, "onnxruntime-fp32-b1-t1"].top1_pct > 90


def test_networks_of_a_supernet_are_tested_as_they_are_extracted(trained, tmp_path):
    """The int8 file of each, run here, is right as often as its row says; of one training no interval but
    that of the drop is known. What is exported is that file, and at fp32 as good as the supernet's part.
    """
    text = f"""\
space: {{{SPACE}}}
accuracy:
  source: supernet
  dataset: {{name: imagefolder, path: "{trained[3]}"}}
  recipe: {{{RECIPE}}}
  alone: {{count: 0}}
latency: [{{backend: onnxruntime, precision: int8, rounds: 1}}]
"""
    rows, _ = go_on(text, tmp_path / "super", jobs=1)
    for name, *words in (("int8.onnx", "--precision", "int8"), ("net.onnx",)):
        exported = call("export", tmp_path / "super", LARGE, *words, "-o", tmp_path / name)
        assert exported.exit_code == 0, exported.output
    told, as_trained = (json.loads((tmp_path / f"{name}.onnx.json").read_text()) for name in ("int8", "net"))
    assert told["accuracy"]["top1_pct"] == pytest.approx(rows[LARGE, INT8].top1_pct)
    evaluated = json.loads(call("evaluate", tmp_path / "net.onnx", "--json").stdout)
    assert evaluated["top1_pct"] == as_trained["accuracy"]["top1_pct"]
    assert as_trained["training"]["validation_top1_pct"] is None
    about = open_checkpoint(next((tmp_path / "super").glob("weights/*/supernet_*.safetensors"))).about
    given, labels = pixels(trained[3], "test", (about["mean"], about["std"]))
    for variant in (SMALL, LARGE):
        (path,) = (tmp_path / "super").glob(f"weights/*/{variant}_seed0_onnxruntime-int8_*.onnx")
        session = onnxruntime.InferenceSession(path)
        logits = np.concatenate([session.run(None, {"image": one[None]})[0] for one in given])
        row = rows[variant, INT8]
        assert row.top1_pct == pytest.approx(100 * (logits.argmax(1) == labels).mean())
        assert row.top1_kind == "supernet"
        assert variant == SMALL or (tmp_path / "int8.onnx").read_bytes().startswith(path.read_bytes())
        assert np.isnan(row.top1_low_pct)
        assert row.top1_drop_low_pct < row.top1_drop_pct < row.top1_drop_high_pct
