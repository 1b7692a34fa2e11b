"""`train`, `evaluate` and `extract`: which images they are asked for, and that no trained image is a test."""

import json
import shutil

import numpy as np
import pytest
import torch
from brightness import write_images
from console import call, refusal
from safetensors import safe_open
from safetensors.torch import save_file

from mbsweep.accuracy.datasets import digits, open_dataset, opening
from mbsweep.accuracy.datasets.contents import content_hash, content_hashes
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.settings import SupernetAccuracy
from mbsweep.accuracy.training.supernet import train_supernet
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

SETTINGS = "name: imagefolder, path: {}, split_seed: 7, test_pct: 30, broken: leave_out"
NET = ("--width", 0.1, "--resolution", 16, "--depth", 0)
RECIPE = ("--epochs", 1, "--batch", 16, "--learning-rate", 0.02)


@pytest.fixture(scope="module", autouse=True)
def as_before():
    """Commands in this process set it up for training."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("default")
    torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images (40 of each of three classes, one file broken), two sweeps that split them, and a
    network that learnt them as the first says. Not to be changed.
    """
    root = tmp_path_factory.mktemp("asked")
    shutil.move(write_images(root / "parts", train=40) / "train", root / "images")
    (root / "images" / "class0" / "broken.png").write_bytes(b"?")
    for name, settings in (("sweep", SETTINGS), ("other", SETTINGS.replace("7", "8"))):
        dataset = settings.format(json.dumps(str(root / "images")))
        text = f"space: {{resolution: 16}}\naccuracy: {{source: trained, dataset: {{{dataset}}}}}\n"
        (root / f"{name}.yaml").write_text(text, encoding="utf-8")
    result = call("train", "-o", root / "net.safetensors", "--dataset", root / "sweep.yaml", *NET, *RECIPE)
    assert result.exit_code == 0, result.output
    return root


def evaluated(place, *words, net="net.safetensors"):
    """What `evaluate` says behind the network's name."""
    result = call("evaluate", place / net, *words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert "Traceback" not in result.stdout
    return result.stdout.splitlines()[0].partition(": ")[2]


def config(place, **settings):
    """That of the sweep, in Python."""
    asked = {"split_seed": 7, "test_pct": 30, "broken": "leave_out"} | settings
    return ImageFolder(name="imagefolder", path=str(place / "images"), **asked)


def test_a_file_carries_the_images_it_was_trained_on(place):
    """Settings as in a sweep file, how images are read, classes, and the contents of each part, which are all
    120 images and in no two parts.
    """
    with safe_open(place / "net.safetensors", "np") as file:
        head = json.loads(file.metadata()["mbsweep"])
        split = {part: file.get_tensor(f"split/{part}").tolist() for part in ("train", "validation", "test")}
    assert head["images"]["settings"] == {
        "name": "imagefolder",
        "path": str(place / "images"),
        "validation_pct": 15,
        "test_pct": 30,
        "split_seed": 7,
        "broken": "leave_out",
    }
    assert head["images"]["reading"]["orientation"] == "upright, as EXIF says"
    assert head["about"]["classes"] == ["class0", "class1", "class2"]
    assert {part: len(contents) for part, contents in split.items()} == {
        "train": 66,
        "validation": 18,
        "test": 36,
    }
    assert len(set().union(*split.values())) == 120


def test_a_network_is_tested_on_its_own_test_part_however_that_is_named(place):
    """Without a word, by its sweep, by its folder: the same 36 images, and the same accuracy as its training
    told.
    """
    said = evaluated(place)
    assert "of the choice of the 36 images" in said
    assert evaluated(place, "--dataset", place / "sweep.yaml") == said
    assert evaluated(place, "--dataset", place / "images") == said
    assert evaluated(place, "--dataset", f"imagefolder:{place / 'images'}") == said


def test_another_split_of_its_images_does_not_make_a_test_of_what_it_learnt(place):
    """The same 36 images again, which another seed has spread over all parts."""
    said = evaluated(place, "--dataset", place / "other.yaml")
    own = open_dataset(config(place), [16]).id
    other = open_dataset(config(place, split_seed=8), [16]).id
    assert said.partition(" on the ")[0] == evaluated(place).partition(" on the ")[0]
    assert said.endswith(
        f" on the test part of {other}; it was trained on {own}: of these images, those that were in its "
        "test part there"
    )


def test_images_that_were_added_later_are_told(place, tmp_path):
    """The folder has grown elsewhere: what the network knows is judged, the rest is counted."""
    root = shutil.copytree(place / "images", tmp_path / "images")
    for number in range(5):
        shutil.copy(
            place / "parts" / "test" / "class1" / f"00{number}.png", root / "class1" / f"new{number}.png"
        )
    said = evaluated(place, "--dataset", root)
    assert "of the choice of the 36 images" in said
    assert said.endswith("those that were in its test part there; 5 others are not looked at")


def test_a_folder_of_trained_images_alone_is_no_test(place, tmp_path):
    """Nothing is left to test on: refused."""
    dataset = open_dataset(config(place), [16])
    trained = set(dataset.contents("train").tolist())
    root = shutil.copytree(place / "images", tmp_path / "images")
    for path in root.rglob("*.png"):
        if content_hash(path.read_bytes()) not in trained:
            path.unlink()
    message = refusal(call("evaluate", place / "net.safetensors", "--dataset", root))
    assert ": 66 of the 66 images of imagefolder-" in message
    assert " are those that it was trained on, and none is of its test part; name other images" in message


def test_other_images_are_tested_and_told(place):
    """Of which none was learnt: their own test part."""
    said = evaluated(place, "--dataset", place / "parts" / "test")
    assert "of which these images are none" in said
    assert "of the choice of the 18 images" in said  # 30 % of 20 of each class: the network's own settings


def test_a_network_is_not_tested_on_what_it_began_with(place, tmp_path):
    """Trained further without a word, on its own images; with another split, refused."""
    words = (
        "train",
        "-o",
        tmp_path / "more.safetensors",
        "--start",
        place / "net.safetensors",
        *NET,
        *RECIPE,
    )
    message = refusal(call(*words, "--dataset", place / "other.yaml"))
    assert " was trained on, or chosen by, " in message
    assert " of the 36 images of the test part of imagefolder-" in message
    assert message.endswith("; leave --dataset out to train on what it was trained on, or name other images")
    result = call(*words)
    assert result.exit_code == 0, result.output
    assert "of the choice of the 36 images" in evaluated(tmp_path, net="more.safetensors")


@pytest.fixture
def unread(monkeypatch):
    """Reading images, and drawing digits, fails the test."""
    monkeypatch.setattr(opening, "_write_images", lambda *given: pytest.fail("images are read"))
    monkeypatch.setattr(digits, "draw", lambda *given: pytest.fail("digits are drawn"))


def test_wrong_classes_are_said_before_images_are_read(place, unread):
    """Digits are not drawn for a network of three classes."""
    net = place / "net.safetensors"
    assert refusal(call("evaluate", net, "--dataset", "digits")) == (
        f"{net} tells 3 classes (class0, class1, class2) apart, and digits has 10 classes (0, 1, 2, 3, 4, "
        "...); the classes must be the same"
    )


def test_a_network_of_another_shape_cannot_begin_a_training(place, unread):
    """The options that ask for another network than the file's are named, to be left out."""
    net = place / "net.safetensors"
    other = ("--width", 0.2, "--stem-stride", 1)
    assert refusal(call("train", "-o", place / "x.safetensors", "--start", net, *other)) == (
        f"{net} holds mobilenet_v1_w0.1_r16_d0_n3, which cannot begin a training of "
        "mobilenet_v1_w0.2_r16_d0_n3_s1; leave --width, --stem-stride out"
    )


def test_images_that_have_moved_are_asked_for(place, unread, tmp_path):
    """With the option that says where they are."""
    root = tmp_path / "gone"
    shutil.copytree(place, root, ignore=shutil.ignore_patterns("parts"))
    path = root / "net.safetensors"
    with safe_open(path, "pt") as file:
        head = file.metadata()["mbsweep"].replace(str(place), str(tmp_path / "nowhere"))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    save_file(tensors, path, {"mbsweep": head})
    assert refusal(call("evaluate", path)) == (
        f"{tmp_path / 'nowhere' / 'images'}: there is no such folder; set the data set's path to a folder of "
        "images; if they lie elsewhere now, name them with --dataset"
    )


@pytest.fixture(scope="module")
def supernet(place):
    """The file of a supernet of two networks that learnt the images as the first sweep says."""
    variants = [Variant(width=width, resolution=16, depth=0, num_classes=3) for width in (0.1, 0.2)]
    asked = SupernetAccuracy.model_validate({"source": "supernet", "recipe": {"epochs": 1, "batch": 16}})
    path = place / "super.safetensors"
    list(train_supernet(asked, Space.of(variants), open_dataset(config(place), [16]), path))
    return path


def test_a_network_of_a_supernet_keeps_the_supernets_images(place, supernet, tmp_path, monkeypatch):
    """Extracted without a word, or for another split: batch normalisation sees what was trained on, the test
    is on the 36 test images, and the network's own file says the same.
    """
    told = []
    for number, words in enumerate(([], ["--dataset", place / "other.yaml"])):
        result = call("extract", supernet, "-o", tmp_path / f"{number}.safetensors", *NET, *words)
        assert result.exit_code == 0, result.output
        told.append(result.stdout.splitlines()[0].partition(", top-1 ")[2])
        assert "of the choice of the 36 images" in told[-1]
    said = evaluated(tmp_path, net="0.safetensors")
    assert said.partition(", top-1 ")[2] == told[0]
    monkeypatch.setattr(opening, "_write_images", lambda *given: pytest.fail("images are read"))
    message = refusal(
        call("extract", supernet, "-o", tmp_path / "x.safetensors", *NET, "--dataset", "digits")
    )
    assert message.endswith("and digits has 10 classes (0, 1, 2, 3, 4, ...); the classes must be the same")
    words = ("--width", 0.3, "--resolution", 16, "--depth", 0)
    assert refusal(call("extract", supernet, "-o", tmp_path / "x.safetensors", *words)).endswith(
        "has no mobilenet_v1_w0.3_r16_d0_n3, which is larger"
    )


def as_of_before(place, tmp_path):
    """The network as an earlier mbsweep wrote it."""
    path = tmp_path / "old.safetensors"
    with safe_open(place / "net.safetensors", "pt") as file:
        head = json.loads(file.metadata()["mbsweep"])
        names = [name for name in file.keys() if not name.startswith("split/")]  # noqa: SIM118
        tensors = {name: file.get_tensor(name) for name in names}
    del head["images"]
    save_file(tensors, path, {"mbsweep": json.dumps(head)})
    return path


def test_a_file_of_before_is_used_as_far_as_it_goes(place, tmp_path):
    """Where its images are must be said; its own data set is known by its id, of another one nothing is."""
    old = as_of_before(place, tmp_path)
    assert refusal(call("evaluate", old)) == (
        f"{old} is of an earlier mbsweep and does not say where the images of "
        f"{open_dataset(config(place), [16]).id} are; name them with --dataset"
    )
    assert evaluated(tmp_path, "--dataset", place / "sweep.yaml", net=old.name) == evaluated(place)
    assert evaluated(tmp_path, "--dataset", place / "other.yaml", net=old.name).endswith(
        ", and whether it was trained on some of these images is not known"
    )


def test_a_sweep_that_trains_nothing_has_no_images(place, tmp_path, monkeypatch):
    """One line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("space: {}\n", encoding="utf-8")
    assert refusal(call("evaluate", place / "net.safetensors", "--dataset", "s.yaml")) == (
        "--dataset is 's.yaml'; that sweep trains nothing: its accuracy has no data set"
    )


@pytest.mark.parametrize("first", [15, 15.0])
def test_the_same_images_have_the_same_id_however_they_are_asked_for(place, own_cache, monkeypatch, first):
    """Percentages as whole numbers or not, written or left out, the path from here or from the root, in
    either order, and whatever the cache has.
    """
    monkeypatch.chdir(place)
    asked = [
        {"test_pct": first, "validation_pct": first, "path": "images"},
        {},
        {"test_pct": 15.0, "path": "./images", "split_seed": 0},
        {"validation_pct": 15, "path": str(place / "images")},
    ]
    ids = {
        open_dataset(
            ImageFolder.model_validate(
                {"name": "imagefolder", "path": "images", "broken": "leave_out"} | given
            ),
            [4 + size],
        ).id
        for size, given in enumerate(asked)
    }
    assert len(ids) == 1


def test_a_handwritten_digit_is_the_same_wherever_it_is_drawn(monkeypatch):
    """So digits that are drawn with another seed are no test of a network that has learnt them: 60 % of the
    handwritten ones are in the train part of each seed.
    """
    monkeypatch.setattr(
        digits, "draw", lambda glyphs, picked, chance: np.zeros((len(picked), 64, 64), np.uint8)
    )
    found = []
    for seed in (0, 1):
        parts = {"train": [], "validation": [], "test": []}
        for batch in Digits(name="digits", seed=seed).source().batches([8]):
            parts[batch.part] += batch.contents.tolist()
        found.append(parts)
    first, second = found
    assert len(set(first["train"])) == pytest.approx(1078, abs=5)  # of 8,000 images
    assert not set(first["train"]) & set(first["test"])
    assert np.isin(second["test"], first["train"]).mean() == pytest.approx(0.6, abs=0.08)


def test_the_content_of_an_image_without_a_file_is_its_pixels():
    """As in CIFAR's archives."""
    contents = content_hashes(np.arange(12, dtype=np.uint8).reshape(3, 4).repeat(2, axis=0))
    assert [contents[0] == contents[1], contents[0] == contents[2]] == [True, False]
