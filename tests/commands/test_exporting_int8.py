"""`mbsweep export RUN VARIANT` at int8, or compressed: the file that the run has tested, or one made now."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from brightness import LARGE, SMALL
from console import call, copied, execute, query, refusal

from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.settings import Quantization
from mbsweep.formats.compressed.file import written
from mbsweep.profiler.backends.onnx_runtime import OnnxRuntime
from mbsweep.profiler.config import LatencyConfig
from mbsweep.storage.compression_tables import CompressedRow
from mbsweep.storage.deployed_tables import DeployedRow
from mbsweep.storage.store import Store

USUAL = Quantization().key
INT8 = ("--seed", 1, "--precision", "int8", "-o", "net.onnx")


@pytest.fixture
def run(undisturbed, tmp_path, monkeypatch):
    """A copy of the run, in the folder in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    return copied(undisturbed, tmp_path).relative_to(tmp_path)


def card_and_hits(images):
    """What the file says of itself, and which test images it gets right, in ONNX Runtime alone."""
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    card = json.loads(session.get_modelmeta().custom_metadata_map["mbsweep"])
    part = open_dataset(ImageFolder(name="imagefolder", path=str(images)), [16]).part("test", 16)
    levels = (part.images - np.float32(card["mean"])) / np.float32(card["std"])
    logits = [session.run(None, {"image": image.transpose(2, 0, 1)[None]})[0][0] for image in levels]
    return card, np.argmax(logits, axis=1) == part.labels


def as_trained(run):
    """Which test images the network of seed 1 got right when it was trained."""
    ((correct,),) = query(run, f"SELECT correct FROM trainings WHERE variant = '{LARGE}' AND seed = 1")  # noqa: S608
    return np.unpackbits(np.frombuffer(correct, np.uint8), count=60).astype(bool)


def test_a_file_that_the_run_has_not_tested_is_calibrated_and_tested(run, images):
    """Its accuracy and its drop are those of the very file; weights as this processor gets them right."""
    result = call("export", run, LARGE, *INT8)
    assert result.exit_code == 0, result.output
    card, hits = card_and_hits(images)
    told = card["accuracy"]
    assert told["top1_pct"] == pytest.approx(100 * hits.mean())
    assert told["drop_pct"] == pytest.approx(100 * (as_trained(run).mean() - hits.mean()))
    assert told["drop_low_pct"] < told["drop_pct"] < told["drop_high_pct"]
    assert told["tested_in"] == "onnxruntime int8, when it was exported"
    assert card["runtime"] == {
        "backend": "onnxruntime",
        "precision": "int8",
        "quantization": {"calibration": "min_max", "images": 256},
    }
    words = OnnxRuntime().int8_weights().where_right("run the sweep there")
    assert f"; with {words}; all about it: net.onnx.json" in result.stdout
    evaluated = json.loads(call("evaluate", "net.onnx", "--json").stdout)
    assert evaluated["top1_pct"] == told["top1_pct"]


def with_kept_file(run, content, hits, kept=None, made=USUAL):
    """The run, as if it had tested this file with this outcome. kept: what lies there in its place. made: how
    it was calibrated."""
    digest = hashlib.sha256(content).hexdigest()[:12]
    name = f"weights/{LARGE}_seed1_onnxruntime-int8_{digest}.onnx"
    (run / name).write_bytes(content if kept is None else kept)
    (source,) = {row[0] for row in query(run, "SELECT source FROM accuracies")}
    correct = np.packbits(hits).tobytes()
    row = DeployedRow(
        LARGE, 1, "onnxruntime", "int8", "cpu", made, 1, name, len(content), None, len(hits), correct
    )
    with Store.write(run) as store:
        store.add_deployed(source, row)


def test_the_file_that_the_run_has_tested_is_taken(run, images):
    """Byte for byte, but for the card behind it; with the accuracy that the run has of it."""
    assert call("export", run, LARGE, *INT8).exit_code == 0
    model = Path("net.onnx").read_bytes()
    hits = as_trained(run)
    hits[:6] = False
    with_kept_file(run, model, hits)
    assert call("export", run, LARGE, *INT8).exit_code == 0
    assert Path("net.onnx").read_bytes().startswith(model)
    with open("net.onnx.json", encoding="utf-8") as file:
        told = json.load(file)["accuracy"]
    assert told["tested_in"] == "onnxruntime int8"
    assert told["top1_pct"] == pytest.approx(100 * hits.mean())
    assert told["drop_pct"] == pytest.approx(100 * (as_trained(run).mean() - hits.mean()))


@pytest.mark.parametrize(
    "changed",
    [
        {"kept": lambda model: model[:1000]},
        {"kept": lambda model: bytes([model[0] ^ 1]) + model[1:]},
        {"made": lambda model: Quantization(calibration="entropy").key},
    ],
    ids=["half", "a bit", "calibration"],
)
def test_another_file_than_the_tested_one_is_made_anew(changed, run):
    """Half of it is there, a bit of it is another, or the sweep asks for another calibration since: it is
    calibrated and tested again, and it is said so."""
    assert call("export", run, LARGE, *INT8).exit_code == 0
    model = Path("net.onnx").read_bytes()
    with_kept_file(run, model, as_trained(run), **{name: make(model) for name, make in changed.items()})
    result = call("export", run, LARGE, *INT8)
    assert result.exit_code == 0, result.output
    with open("net.onnx.json", encoding="utf-8") as file:
        assert json.load(file)["accuracy"]["tested_in"] == "onnxruntime int8, when it was exported"


def test_images_that_are_gone_are_asked_for(run, images, tmp_path):
    """They are needed to calibrate; where they are now can be said."""
    shutil.copytree(images, "moved")
    for file in run.rglob(f"{LARGE}_seed1.safetensors"):
        content = file.read_bytes()
        assert content.count(str(images).encode()) == 1
        file.write_bytes(content.replace(str(images).encode(), b"/" + b"x" * (len(str(images)) - 1)))
    message = refusal(call("export", run, LARGE, *INT8))
    assert message.endswith("if they lie elsewhere now, name them with --dataset")
    result = call("export", run, LARGE, *INT8, "--dataset", "moved")
    assert result.exit_code == 0, result.output


REFUSED = [
    (
        ["--backend", "openvin", "-o", "x.onnx"],
        "--backend is 'openvin'; .onnx files are for onnxruntime and openvino; did you mean 'openvino'?",
    ),
    (["--backend", "openvino", "-o", "x.pte"], "--backend is 'openvino'; .pte files are for executorch"),
    (
        ["--precision", "int8", "--self-contained", "-o", "x.pte"],
        "--self-contained: an int8 .pte file is what was calibrated; leave it out, or export .onnx",
    ),
    (["--precision", "int4", "-o", "x.onnx"], "precision is 'int4'; onnxruntime has fp32 and int8"),
    (["--precision", "int8", "-o", "x.safetensors"], "precision is 'int8'; .safetensors files have fp32"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_a_file_cannot_have_is_refused(words, message, run):
    """One line: what it may have."""
    assert refusal(call("export", run, SMALL, *words)) == message


def test_pick_prints_how_the_file_of_a_row_is_exported(run):
    """Of an int8 row, and of ExecuTorch's."""
    settings = LatencyConfig(backend="onnxruntime", precision="int8").settings
    execute(run, "INSERT INTO configs VALUES (?, 0, ?)", ("ort-int8", json.dumps(settings)))
    execute(run, "UPDATE accuracies SET precision = 'int8'")
    execute(run, "UPDATE accuracies SET top1_pct = 50 WHERE variant = ?", [SMALL])
    said = call("pick", run, "--max-macs", "1e9").stdout
    line = f"  mbsweep export {run} {LARGE} --precision int8 -o {LARGE}_int8.onnx"
    assert line in said.splitlines()


def test_a_compressed_file_is_the_very_one_that_was_tested(run):
    """With its own accuracy and drop; a scheme that was not asked for is refused with those that were, and so
    is a file of another kind.
    """
    words, content = "80 % pruned, 5 bits, Huffman", written({}, {})
    (run / "weights/small.mbz").write_bytes(content)
    hits = as_trained(run)
    worse = hits.copy()
    worse[np.flatnonzero(worse)[:6]] = False
    with Store.write(run) as store:
        source = store.last_sweep()["accuracy_sources"][0]
        store.set_compression_steps([("aa", "coded", "", words)])
        told = (1, "weights/small.mbz", len(content), 1.0, None, 60, np.packbits(worse).tobytes(), "[]")
        store.add_compressed(source, CompressedRow("aa", LARGE, 1, *told))
    result = call("export", run, LARGE, "--seed", 1, "--scheme", words, "-o", "net.mbz")
    assert result.exit_code == 0, result.output
    assert Path("net.mbz").read_bytes() == content
    accuracy = json.loads(Path("net.mbz.json").read_text())["accuracy"]
    assert accuracy["top1_pct"] == pytest.approx(100 * worse.mean())
    assert accuracy["drop_pct"] == pytest.approx(10)  # 6 of 60 images
    assert accuracy["tested_in"] == "compressed, in PyTorch"

    def refused(*words):
        return refusal(call("export", run, LARGE, "--seed", 1, *words))

    assert f"seed 1 of {LARGE} has {words!r}" in refused("--scheme", "half", "-o", "net.mbz")
    both = "say both `--scheme WORDS`, as `mbsweep table RUN --compressed` calls it, and -o net.mbz"
    assert both in refused("--scheme", words, "-o", "net.onnx")
    assert both in refused("-o", "net.mbz")
    (run / "weights/small.mbz").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "small.mbz: is altered: its checksum differs" in refused("--scheme", words, "-o", "net.mbz")
    (run / "weights/small.mbz").write_bytes(content[:-1])
    assert "is not there, or not whole" in refused("--scheme", words, "-o", "net.mbz")
