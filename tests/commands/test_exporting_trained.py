"""`mbsweep export RUN VARIANT`: the file is the network that was trained, and its card tells all about it."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from brightness import LARGE, SMALL
from console import call, contents, copied, execute, finish, query, refusal, start, with_files_up_to
from safetensors import safe_open

from mbsweep import open_run
from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.commands import _deployed_files


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    """Files are named as a user names them."""
    monkeypatch.chdir(tmp_path)


def exported(run, *words):
    """What the command says."""
    result = call("export", run, *words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def the_test_part(images):
    """The images of the test part as the network's data set reads them, and their classes."""
    return open_dataset(ImageFolder(name="imagefolder", path=str(images)), [16]).part("test", 16)


def right_images(run, variant, seed):
    """Which images of the test part the run says were right, without mbsweep."""
    ((count, correct),) = query(
        run,
        f"SELECT images, correct FROM trainings WHERE variant = '{variant}' AND seed = {seed}",  # noqa: S608
    )
    return np.unpackbits(np.frombuffer(correct, np.uint8), count=count).astype(bool)


def best_seed(run, variant):
    """By the validation accuracy of the best epoch, without mbsweep."""
    rows = query(
        run,
        f"SELECT seed FROM epochs WHERE variant = '{variant}' "  # noqa: S608
        "ORDER BY validation_top1_pct DESC, seed LIMIT 1",
    )
    return rows[0][0]


def test_an_onnx_file_gives_the_tables_answers_to_the_last_image(undisturbed, images):
    """Of each network and seed, in ONNX Runtime, from what the file itself says of mean and deviation."""
    part = the_test_part(images)
    for variant in (SMALL, LARGE):
        for seed in (0, 1):
            exported(undisturbed, variant, "--seed", seed, "-o", "net.onnx")
            session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
            card = json.loads(session.get_modelmeta().custom_metadata_map["mbsweep"])
            mean, std = np.float32(card["mean"]), np.float32(card["std"])
            right = []
            for image, label in zip(part.images, part.labels, strict=True):
                planes = ((image - mean) / std).transpose(2, 0, 1)[None]
                (logits,) = session.run(None, {card["input"]["name"]: planes})
                right.append(logits[0].argmax() == label)
            assert right == right_images(undisturbed, variant, seed).tolist()
    onnx.checker.check_model(onnx.load("net.onnx"), full_check=True)


def test_a_self_contained_file_takes_levels_and_gives_probabilities(undisturbed, images):
    """As an image is decoded, rows of pixels of three bytes; the answers are those of the table."""
    said = exported(undisturbed, SMALL, "--seed", 0, "--self-contained", "-o", "net.onnx")
    assert said.count("\n") == 1
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    card = json.loads(session.get_modelmeta().custom_metadata_map["mbsweep"])
    assert card["input"] == {
        "name": "pixels",
        "shape": [1, 16, 16, 3],
        "layout": "NHWC",
        "type": "uint8",
        "channels": ["red", "green", "blue"],
        "is_normalised": False,
        "values": "levels from 0 to 255",
    }
    assert card["output"] == {"name": "probabilities", "shape": [1, 3], "are_probabilities": True}
    part, right = the_test_part(images), []
    for image, label in zip(part.images, part.labels, strict=True):
        (found,) = session.run(None, {"pixels": image[None]})
        assert found.sum() == pytest.approx(1, abs=1e-6)
        right.append(found[0].argmax() == label)
    assert right == right_images(undisturbed, SMALL, 0).tolist()
    onnx.checker.check_model(onnx.load("net.onnx"), full_check=True)


def test_a_safetensors_file_is_a_network_that_commands_take(undisturbed):
    """Its weights are those of the run, its head has the card, and `evaluate` says the table's accuracy."""
    said = exported(undisturbed, LARGE, "--seed", 1, "-o", "net.safetensors")
    (kept,) = undisturbed.rglob(f"{LARGE}_seed1.safetensors")
    with safe_open("net.safetensors", "np") as file, safe_open(kept, "np") as there:
        assert sorted(file.keys()) == sorted(there.keys())
        assert all(np.array_equal(file.get_tensor(name), there.get_tensor(name)) for name in there.keys())  # noqa: SIM118
        card = json.loads(file.metadata()["card"])
        assert file.metadata()["mbsweep"] == there.metadata()["mbsweep"]
    assert card["training"]["seed"] == 1
    accuracy = 100 * right_images(undisturbed, LARGE, 1).mean()
    assert card["accuracy"]["top1_pct"] == pytest.approx(accuracy)
    assert f"top-1 {accuracy:.2f} % (95 % interval " in said
    assert f"top-1 {accuracy:.2f} % " in call("evaluate", "net.safetensors").stdout


def test_the_card_says_what_one_needs_to_use_the_file(undisturbed, images):
    """In the file and beside it the same: classes, normalisation, reading, data set, training, accuracy."""
    exported(undisturbed, LARGE, "-o", "net.onnx")
    (prop,) = onnx.load("net.onnx").metadata_props
    assert prop.key == "mbsweep"
    card = json.loads(prop.value)
    with open("net.onnx.json", encoding="utf-8") as file:
        beside = json.load(file)
    assert {name: value for name, value in beside.items() if name != "file"} == card
    assert card["classes"] == ["class0", "class1", "class2"]
    assert card["network"]["id"] == LARGE
    assert card["network"]["width"] == 0.25
    assert card["reading"]["orientation"] == "upright, as EXIF says"
    assert card["dataset"]["id"].startswith("imagefolder-")
    assert card["dataset"]["settings"]["path"] == str(images)
    assert card["training"]["kind"] == "trained"
    assert card["training"]["seed"] == best_seed(undisturbed, LARGE)
    assert card["training"]["recipe"]["epochs"] == 3
    assert card["accuracy"]["images"] == 60
    assert card["accuracy"]["part"] == "test"
    assert card["runtime"] == {"backend": "onnxruntime", "precision": "fp32", "quantization": None}
    assert card["accuracy"]["tested_in"] == "as trained, in PyTorch"
    assert card["accuracy"]["drop_pct"] == 0
    assert card["latencies"] == []
    assert card["output"] == {"name": "logits", "shape": [1, 3], "are_probabilities": False}
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    assert [name for name in beside if f"`{name}`" not in text] == []


def test_the_best_seed_is_that_of_the_validation_part(undisturbed, tmp_path):
    """Also where another one is better on the test part; of equals the first; of those that the sweep has."""
    run = copied(undisturbed, tmp_path)
    for seed, validation, test in ((0, 50.0, b"\xff" * 8), (1, 60.0, b"\x00" * 8)):
        execute(run, "UPDATE epochs SET validation_top1_pct = ? WHERE seed = ?", (validation, seed))
        execute(run, "UPDATE trainings SET correct = ? WHERE seed = ?", (test, seed))
    assert ", trained, seed 1, " in exported(run, SMALL, "-o", "net.onnx")
    execute(run, "UPDATE epochs SET validation_top1_pct = 55")
    assert ", trained, seed 0, " in exported(run, SMALL, "-o", "net.onnx")
    execute(run, "UPDATE accuracies SET seeds = '1'")
    assert ", trained, seed 1, " in exported(run, SMALL, "-o", "net.onnx")


def test_a_network_is_named_by_its_short_name_too(undisturbed):
    """As `pick` prints it."""
    assert f"net.onnx: {LARGE} at fp32" in exported(undisturbed, "0.25-16", "-o", "net.onnx")


def test_the_graph_of_a_runs_network_goes_to_tensorboard(undisturbed, tmp_path):
    """`-o logs/` asks for it."""
    assert exported(undisturbed, SMALL, "-o", "logs/").startswith(f"logs/{SMALL}/events.out.tfevents.")
    assert list((tmp_path / "logs").iterdir()) == [tmp_path / "logs" / SMALL]


def test_nothing_of_a_run_is_changed(undisturbed, tmp_path):
    """Exporting reads it."""
    run = copied(undisturbed, tmp_path)
    before = contents(run)
    exported(run, SMALL, "-o", "net.onnx")
    exported(run, SMALL, "-o", "net.safetensors")
    assert contents(run) == before


REFUSED = [
    (
        ["RUN", "0.26-16", "-o", "x.onnx"],
        "RUN has no network '0.26-16'; `mbsweep table RUN` lists those that it has; did you mean '0.25-16'?",
    ),
    (
        ["RUN", "-o", "x.onnx"],
        "RUN: say which network, by its id or short name: `mbsweep export RUN VARIANT -o net.onnx`",
    ),
    (
        ["RUN", SMALL, "--seed", 7, "-o", "x.onnx"],
        f"--seed is '7'; {SMALL} was trained with 0, 1; say one of them, or best",
    ),
    (
        ["RUN", SMALL, "-o", "x.tflite"],
        "x.tflite: the ending '.tflite' is none of .onnx, .pte, .safetensors, .mbz",
    ),
    (
        ["RUN", SMALL, "--precision", "bf16", "-o", "x.onnx"],
        "precision is 'bf16'; onnxruntime has fp32 and int8",
    ),
    (
        ["RUN", SMALL, "--precision", "int8", "-o", "x.safetensors"],
        "precision is 'int8'; .safetensors files have fp32",
    ),
    (
        ["RUN", SMALL, "--self-contained", "-o", "x.safetensors"],
        "--self-contained: x.safetensors holds weights and no graph; name a .onnx or .pte file",
    ),
    (["RUN", SMALL, "-o", "missing/x.onnx"], "missing/x.onnx: cannot be written: No such file or directory"),
    (["RUN", SMALL, "-o", "folder.onnx"], "folder.onnx: cannot be written: Is a directory"),
    (["RUN", SMALL, "-o", "RUN/x.onnx"], "RUN/x.onnx lies in the run's own folder; name a file elsewhere"),
    (["RUN", SMALL, "-o", "RUN/logs/"], "RUN/logs lies in the run's own folder; name a file elsewhere"),
    (
        ["RUN", SMALL, "--seed", 0, "-o", "logs/"],
        "a graph for TensorBoard has no weights, and so no --seed; leave it out",
    ),
    (
        ["RUN", SMALL, "--self-contained", "-o", "logs/"],
        "a graph for TensorBoard has no weights, and so no --self-contained; leave it out",
    ),
    (
        ["RUN", SMALL, "--seed", "", "-o", "x.onnx"],
        f"--seed is ''; {SMALL} was trained with 0, 1; say one of them, or best",
    ),
    (
        ["RUN", SMALL, "-o", "mine.onnx"],
        "mine.onnx.json is there and is no card of a network; its place is needed: move it, or choose "
        "another -o",
    ),
    (
        ["RUN", SMALL, "--width", 0.5, "-o", "x.onnx"],
        "'RUN' is a run, whose networks are what they are; leave --width out",
    ),
    (
        ["mobilenet_v1", "--seed", 1, "-o", "x.onnx"],
        "--seed is for trained networks: name the run first, `mbsweep export RUN VARIANT ...`, or leave "
        "it out",
    ),
    (
        ["runs/none", SMALL, "-o", "x.onnx"],
        "runs/none is not an mbsweep run (it has no run.sqlite); `mbsweep run SWEEP` makes one",
    ),
    (
        ["folder.onnx", SMALL, "-o", "x.onnx"],
        "folder.onnx is not an mbsweep run (it has no run.sqlite); `mbsweep run SWEEP` makes one",
    ),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_exported_is_refused(words, message, undisturbed, tmp_path):
    """One line: what was given, what is allowed; and nothing is written."""
    (tmp_path / "RUN").symlink_to(undisturbed)
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "mine.onnx.json").write_text('{"my": "own"}')
    before = contents(tmp_path)
    assert refusal(call("export", *words)) == message
    assert contents(tmp_path) == before


def test_a_folder_that_is_a_family_and_a_run_is_ambiguous(undisturbed, tmp_path):
    """What to say for either."""
    (tmp_path / "mobilenet_v1").symlink_to(undisturbed)
    assert refusal(call("export", "mobilenet_v1", SMALL, "-o", "net.onnx")) == (
        "'mobilenet_v1' is a family, and here a run's folder, too; say ./mobilenet_v1 for the run, or "
        "--family mobilenet_v1 for the family"
    )
    exported("./mobilenet_v1", SMALL, "-o", "net.onnx")


def test_weights_that_are_gone_are_told(undisturbed, tmp_path):
    """One file, or all: which it is, and that another seed may be there."""
    run = copied(undisturbed, tmp_path)
    (file,) = run.rglob(f"{SMALL}_seed0.safetensors")
    file.unlink()
    words = ("export", run, SMALL, "-o", "net.onnx")
    assert refusal(call(*words, "--seed", 0)) == (
        f"{file}: the weights are not there any more; restore the file from a copy, or choose another --seed"
    )
    exported(run, SMALL, "--seed", 1, "-o", "net.onnx")
    shutil.rmtree(run / "weights")
    assert refusal(call(*words)).endswith(
        f"{SMALL}_seed{best_seed(run, SMALL)}.safetensors: the weights are not there any more; restore the "
        "file from a copy, or choose another --seed"
    )


def test_damaged_weights_are_told(undisturbed, tmp_path):
    """Cut off in the middle."""
    run = copied(undisturbed, tmp_path)
    (file,) = run.rglob(f"{SMALL}_seed0.safetensors")
    file.write_bytes(file.read_bytes()[:2000])
    message = refusal(call("export", run, SMALL, "--seed", 0, "-o", "net.onnx"))
    assert message.startswith(f"{file}: is damaged, or no network of mbsweep: ")


def test_what_was_not_trained_to_its_end_is_told_with_the_reason(undisturbed, tmp_path):
    """A stall, in the table's words."""
    run = copied(undisturbed, tmp_path)
    execute(run, "UPDATE trainings SET state = 'stalled' WHERE variant = ?", [SMALL])
    execute(
        run, "UPDATE accuracies SET top1_pct = NULL, reason = 'seed 0 stalled' WHERE variant = ?", [SMALL]
    )
    message = refusal(call("export", run, SMALL, "-o", "net.onnx"))
    assert message == f"{run}: {SMALL} has no trained weights: seed 0 stalled"


def test_a_run_that_trained_nothing_is_told(tiny_run):
    """Its accuracies are published: what would train, and that random weights can be had."""
    variant = open_run(tiny_run).table()["variant"].iloc[0]
    assert refusal(call("export", tiny_run, variant, "-o", "net.onnx")) == (
        f"{tiny_run}: {variant} has no trained weights: its accuracy is published; a sweep with `accuracy: "
        "{source: trained}` trains; for latency alone, export it with random weights"
    )


def test_a_run_that_is_being_written_is_read(undisturbed, tmp_path):
    """Its writer has the lock; the reader does not need it."""
    from mbsweep.storage.store import Store

    run = copied(undisturbed, tmp_path)
    with Store.write(run):
        exported(run, SMALL, "-o", "net.onnx")


def test_a_disk_that_fills_up_leaves_the_old_file(undisturbed, tmp_path):
    """The kernel refuses the 5001st byte."""
    (tmp_path / "net.onnx").write_bytes(b"old")
    process = start("export", undisturbed, SMALL, "-o", "net.onnx", before=with_files_up_to(5000))
    assert refusal(finish(process)) == "net.onnx: cannot be written: File too large"
    assert contents(tmp_path) == {"net.onnx": b"old"}


def test_a_self_contained_pte_that_does_not_lower_is_refused_in_a_line(undisturbed, monkeypatch):
    """Where this ExecuTorch does not run all of it in XNNPACK."""

    def fails(*given):
        raise RuntimeError("not all of the network runs in XNNPACK, but these: sub")

    monkeypatch.setattr(_deployed_files, "made", fails)
    assert refusal(call("export", undisturbed, SMALL, "--self-contained", "-o", "net.pte")) == (
        "--self-contained: this ExecuTorch cannot have it in a .pte file: not all of the network runs in "
        "XNNPACK, but these: sub; leave it out, or export .onnx"
    )
