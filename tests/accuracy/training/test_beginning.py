"""Trainings that begin from weights that exist: what stays of them, what is frozen, which they are."""

import json
import re
import shutil

import brightness
import pytest
import torch
import yaml
from console import call, refusal
from safetensors.torch import load_file, save_file

from mbsweep import load_sweep, open_run, run
from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.settings import Alone, Recipe, SupernetAccuracy
from mbsweep.accuracy.training.beginning import beginning
from mbsweep.accuracy.training.checkpoint import WEIGHT, open_checkpoint
from mbsweep.accuracy.training.loop import Job, finish, train
from mbsweep.accuracy.training.optimizer import make_optimizer, set_rate
from mbsweep.accuracy.weights.start import Start
from mbsweep.base.errors import MbsweepError
from mbsweep.nets import build
from mbsweep.plan import plan
from mbsweep.space.variant import Variant

pytestmark = pytest.mark.usefixtures("as_in_a_worker")
NET = Variant(width=0.1, resolution=16, depth=0, num_classes=3)
SMALL = "mobilenet_v1_w0.1_r16_d0_n3"
SETTINGS = {"batch": 16, "learning_rate": 0.05, "warmup_pct": 10}
CLASSIFIER = {"classifier.linear.weight", "classifier.linear.bias"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Images of three classes, and a network that learnt them."""
    root = tmp_path_factory.mktemp("beginning")
    brightness.write_images(root / "images", train=20)
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root / "images")), [16, 20])
    job = Job(NET, Recipe(epochs=6, **SETTINGS), seed=0)
    list(train(job, dataset, root / "net.checkpoint"))
    finish(root / "net.checkpoint", root / "net.safetensors", dataset)
    return root


@pytest.fixture(scope="module")
def dataset(place):
    return open_dataset(ImageFolder(name="imagefolder", path=str(place / "images")), [16, 20])


def asked(place, **settings):
    start = Start(path=str(place / "net.safetensors")).looked_at([NET])[0]
    return Recipe(**{**SETTINGS, "start": start, **settings})


def weights(path):
    tensors = open_checkpoint(path).tensors
    return {
        name.removeprefix(WEIGHT): tensor
        for name, tensor in tensors.items()
        if name.startswith(WEIGHT) and "num_batches" not in name
    }


def body_is(found, expected):
    return {
        name: torch.equal(found[name], tensor) for name, tensor in expected.items() if name not in CLASSIFIER
    }


def test_a_frozen_body_stays_and_then_learns(place, dataset, tmp_path):
    """For one epoch of two nothing changes but the classifier, batch normalisation's statistics included; in
    the second all does. The file says what it began from.
    """
    before = weights(place / "net.safetensors")
    job = Job(NET, asked(place, epochs=2, freeze_epochs=1), seed=0)
    epochs = train(job, dataset, tmp_path / "net")
    next(epochs)
    first = weights(tmp_path / "net")
    assert all(body_is(first, before).values())
    assert not any(torch.equal(first[name], before[name]) for name in CLASSIFIER)
    next(epochs)
    second = weights(tmp_path / "net")
    for name in ("stem.conv.weight", "stem.bn.running_mean", "block4_dw.conv.weight", "block8_pw.bn.bias"):
        assert not torch.equal(second[name], first[name])
    told = open_checkpoint(tmp_path / "net").about["begun_from"]
    assert told["file"] == "net.safetensors"
    assert re.fullmatch("[0-9a-f]{64}", told["sha256"])


def test_a_body_has_a_rate_of_its_own():
    """A tenth of the classifier's, for dense weights and others; the order of the two does not matter."""
    net = build(NET)
    recipe = Recipe(**SETTINGS, start={"path": "x"}, body_rate=0.1, weight_decay=0.02)
    optimizer = make_optimizer(net, recipe, "classifier")
    set_rate(optimizer, 0.5)
    found = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert len(found) == len(list(net.parameters()))
    assert found[id(net.classifier.linear.weight)] == (0.5, 0.02)
    assert found[id(net.classifier.linear.bias)] == (0.5, 0.0)
    assert found[id(net.block1_pw.conv.weight)] == (pytest.approx(0.05), 0.02)
    assert found[id(net.block1_dw.conv.weight)] == (pytest.approx(0.05), 0.0)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_an_interrupted_training_goes_on_bit_for_bit(optimizer, place, dataset, tmp_path):
    """Within the frozen epochs, at their end, and after; also where the weights lie elsewhere meanwhile."""
    more = {"epochs": 3, "freeze_epochs": 2, "body_rate": 0.3, "optimizer": optimizer, "learning_rate": 0.02}
    recipe = asked(place, **more)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(train(Job(NET, recipe, seed=1), dataset, whole))
    moved = tmp_path / "net.safetensors"
    moved.write_bytes((place / "net.safetensors").read_bytes())
    elsewhere = recipe.model_copy(update={"start": recipe.start.model_copy(update={"path": str(moved)})})
    for count, asked_for in ((1, recipe), (2, elsewhere), (3, recipe)):
        epochs = train(Job(NET, asked_for, seed=1), dataset, parts)
        seen = [next(epochs) for _ in range(count)]
        epochs.close()
        assert [epoch.seconds for epoch in seen[:-1]] == [
            row["seconds"] for row in open_checkpoint(parts).curve[:-1]
        ]
    one, other = open_checkpoint(whole).tensors, open_checkpoint(parts).tensors
    assert set(one) == set(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def begun_net(net, recipe, attempt, classes):
    seed = Job(net, recipe, 0, attempt).random_state()
    return beginning(net, recipe, seed, classes)[0].state_dict()


def test_what_is_begun_anew_after_a_stall_has_the_same_weights(place):
    """Only a classifier of other classes is drawn anew; no initialisation of the recipe touches the rest."""
    before = weights(place / "net.safetensors")
    recipe = asked(place, pointwise_init="identity", bn_shift=3)
    classes = ("class0", "class1", "class2")
    begun = [begun_net(NET, recipe, attempt, classes) for attempt in (0, 1)]
    assert all(torch.equal(net[name], tensor) for net in begun for name, tensor in before.items())
    larger = NET.but(num_classes=5, resolution=20)
    begun = [begun_net(larger, recipe, attempt, "abcde") for attempt in (0, 1)]
    assert all(all(body_is(net, before).values()) for net in begun)
    assert not torch.equal(begun[0]["classifier.linear.weight"], begun[1]["classifier.linear.weight"])
    other = begun_net(NET, recipe, 0, ("a", "b", "c"))  # as many, but others
    assert all(body_is(other, before).values())
    assert not torch.equal(other["classifier.linear.weight"], before["classifier.linear.weight"])


def test_the_hash_of_a_recipe_is_of_the_weights_not_of_their_place(place, tmp_path):
    """The same file elsewhere asks for the same; others, or none, do not."""
    keys = {asked(place).key}
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / "renamed.safetensors"
    copy.write_bytes((place / "net.safetensors").read_bytes())
    keys.add(Recipe(**SETTINGS, start=Start(path=str(copy)).looked_at([NET])[0]).key)
    pattern = {"dir": str(tmp_path / "copy"), "pattern": "renamed.safetensors"}
    assert len(keys) == 1
    keys.add(Recipe(**SETTINGS).key)
    keys.add(Recipe(**SETTINGS, start=Start(**pattern).looked_at([NET])[0]).key)
    tensors, about = load_file(copy), open_checkpoint(copy).about
    with torch.no_grad():
        tensors["weight/stem.conv.weight"][0] += 1
    save_file(tensors, copy, {"mbsweep": json.dumps({"about": about})})
    keys.add(Recipe(**SETTINGS, start=Start(path=str(copy)).looked_at([NET])[0]).key)
    assert len(keys) == 4


def test_a_pattern_names_the_file_of_each_variant(tmp_path):
    """By its id, or by its fields, which are never code."""
    start = Start(dir=str(tmp_path), pattern="{family}_{width}_{kernels}.safetensors")
    assert start.path_of(NET) == tmp_path / "mobilenet_v1_0.1_3-3-3-3-3.safetensors"
    assert Start(dir="w", pattern="{variant}").path_of(NET).as_posix() == f"w/{SMALL}"
    with pytest.raises(MbsweepError, match=r"pattern has '\{width.__class__\}'; known are \{variant\}, "):
        Start(dir="w", pattern="{width.__class__}").path_of(NET)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze_epochs": 1}, "freeze_epochs is of networks that begin from weights: say `start`, too"),
        ({"body_rate": 0.5}, "body_rate is of networks that begin from weights: say `start`, too"),
        ({"start": 5}, "expected a file or folder of weights, or "),
        ({"start": {"dir": "x"}}, "expected a file or folder, or a mapping with both"),
        ({"start": {"path": "x", "dir": "y", "pattern": "z"}}, "expected a file or folder, or a mapping"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    """With what is allowed."""
    with pytest.raises(ValueError, match=re.escape(message)):
        Recipe(**settings)


def test_a_supernet_begins_from_nothing():
    """And so do the networks that it is compared with."""
    recipe = {"start": {"path": "x"}}
    for settings in ({"recipe": recipe}, {"alone": {"recipe": recipe}}):
        with pytest.raises(ValueError, match="begins from nothing: leave `start` out"):
            SupernetAccuracy(source="supernet", **settings)
    assert Alone(recipe=Recipe()).recipe.start is None


def sweep(place, start, width="[0.1]", more=""):
    """A sweep file in a folder of its own, which trains one epoch."""
    said = yaml.safe_dump(start, default_flow_style=True).strip().removesuffix("...").strip()
    folder = place / "sweeps"
    folder.mkdir(exist_ok=True)
    path = folder / "further.yaml"
    path.write_text(
        brightness.sweep_text(
            place / "images",
            seeds="[0]",
            recipe=f"epochs: 1, batch: 16, learning_rate: 0.02, start: {said}{more}",
            space=f"width: {width}, resolution: 16, depth: 0",
        )
    )
    return path


def test_a_sweep_begins_from_weights_beside_it(place, tmp_path, monkeypatch):
    """Found from wherever it is called; its source says so, a second run trains nothing."""
    monkeypatch.chdir(tmp_path)
    path = sweep(place, {"dir": "../", "pattern": "net.safetensors"}, more=", freeze_epochs: 1")
    run(load_sweep(path), tmp_path / "run", jobs=1)
    (row,) = open_run(tmp_path / "run").table().itertuples()
    assert re.search(r", 1 epoch, batch 16, rate 0.02, from weights [0-9a-f]{6} \(recipe ", row.top1_source)
    (file,) = (tmp_path / "run" / "weights").rglob("*.safetensors")
    assert all(body_is(weights(file), weights(place / "net.safetensors")).values())
    assert "1 of 1 done" in str(plan(load_sweep(path), tmp_path / "run"))


def test_what_is_wrong_with_weights_is_said_before_anything_begins(place, tmp_path):
    """By plan and by run, with the line of the sweep, exit code 2; no folder of a run is left."""
    (place / "net.bin").write_bytes(b"")
    cases = [
        ("../none.safetensors", "[0.1]", "none.safetensors: there is no such file or folder"),
        ("../net.bin", "[0.1]", "net.bin: is a pickle, which may run any program when it is read"),
        ("../net.safetensors", "[0.1, 0.25]", "net.safetensors: does not fit mobilenet_v1_w0.25_r16_d0_n3: "),
        (
            {"dir": "..", "pattern": "{variant}.safetensors"},
            "[0.1]",
            f"{SMALL}.safetensors: there is no such",
        ),
        (
            {"dir": "..", "pattern": "{wide}"},
            "[0.1]",
            "pattern has '{wide}'; known are {variant}, {family}, ",
        ),
    ]
    for start, width, message in cases:
        path = sweep(place, start, width)
        for command in ("plan", "run"):
            out = ("--out", tmp_path / "run") if command == "run" else ()
            told = refusal(call(command, path, *out))
            assert told.startswith(f"{path}:5: accuracy.recipe.start cannot be had: "), told
            assert message in told
    assert not (tmp_path / "run").exists()


def test_no_network_is_tested_on_what_its_beginning_has_learnt(place, tmp_path):
    """Images that the weights were trained on are the test part of the sweep: refused before training."""
    (tmp_path / "images").mkdir()
    for part, of in (("train", "test"), ("test", "train"), ("validation", "validation")):
        shutil.copytree(place / "images" / of, tmp_path / "images" / part)
    (tmp_path / "net.safetensors").write_bytes((place / "net.safetensors").read_bytes())
    path = sweep(tmp_path, "../net.safetensors")
    result = call("run", path, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert (
        "net.safetensors was trained on, or chosen by, 60 of the 60 images of the test part of"
        in result.stderr
    )
    assert not (tmp_path / "run" / "weights").exists()


def test_train_begins_with_other_classes_and_pixels(place, tmp_path):
    """Of a network of its own: the classifier is begun anew, and told; the rest has the weights' fields."""
    root = tmp_path / "images"
    brightness.write_images(root, train=20)
    for part in ("train", "validation", "test"):
        (root / part / "class2").rename(root / part / "other")
        (root / part / "class1").rename(root / part / "more")
    words = ("--start", place / "net.safetensors", "--dataset", root, "--resolution", 20, "--epochs", 1)
    result = call("train", *words, "--freeze-epochs", 1, "-o", tmp_path / "more.safetensors")
    assert result.exit_code == 0, result.output
    first, *rest = result.stdout.splitlines()
    assert first.startswith("mobilenet_v1_w0.1_r20_d0_n3 on imagefolder-")
    assert f"{place / 'net.safetensors'}: it tells other classes apart: the classifier is begun anew" in rest
    assert all(body_is(weights(tmp_path / "more.safetensors"), weights(place / "net.safetensors")).values())
    told = refusal(call("train", "--freeze-epochs", 1, "-o", tmp_path / "x.safetensors"))
    assert told == "freeze_epochs is of networks that begin from weights: say `start`, too"
