"""`mbsweep evaluate` and `classify` of exported files: each in its runtime, what it says, what it refuses."""

import json
import os
import shutil

import numpy as np
import onnx
import pytest
import torch
from brightness import LARGE, SMALL
from console import call, contents, query, refusal
from onnx import helper
from PIL import Image

from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.cifar import Cifar
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.training.checkpoint import Checkpoint
from mbsweep.accuracy.training.evaluating import outcome
from mbsweep.commands import _network_files
from mbsweep.commands._evaluating import Evaluated, as_json, print_evaluated
from mbsweep.commands._network_files import NetworkFile

FILES = ["net.safetensors", "net.onnx", "whole.onnx"]


@pytest.fixture(scope="module", autouse=True)
def as_before():
    """Commands in this process set it up for training."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("default")
    torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def place(undisturbed, tmp_path_factory):
    """A folder with files of the run's larger network, of seed 1. Not to be changed."""
    folder = tmp_path_factory.mktemp("files")
    for name in FILES:
        more = ["--self-contained"] if name == "whole.onnx" else []
        result = call("export", undisturbed, LARGE, "--seed", 1, "-o", folder / name, *more)
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(autouse=True)
def at_home(place, tmp_path, monkeypatch):
    """In a copy of it."""
    monkeypatch.chdir(shutil.copytree(place, tmp_path / "home"))


def right_in_table(run):
    """How many images of the test part the run says were right, without mbsweep."""
    ((count, correct),) = query(
        run,
        f"SELECT images, correct FROM trainings WHERE variant = '{LARGE}' AND seed = 1",  # noqa: S608
    )
    return int(np.unpackbits(np.frombuffer(correct, np.uint8), count=count).sum()), count


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_as_good_as_the_table_says(name, undisturbed):
    """Of every kind: the same images right."""
    result = call("evaluate", name)
    assert result.exit_code == 0, result.output
    right, count = right_in_table(undisturbed)
    assert result.stdout.startswith(f"{name}: {LARGE}, top-1 {100 * right / count:.2f} % (95 % interval ")
    assert "of the choice of the 60 images) on the test part of imagefolder-" in result.stdout
    told = json.loads(call("evaluate", name, "--json").stdout)
    assert sum(one["right"] for one in told["classes"]) == right
    assert sum(one["images"] for one in told["classes"]) == told["images"] == count
    assert [one["class"] for one in told["classes"]] == ["class0", "class1", "class2"]
    assert sum(images for *_, images in told["taken_for"]) == count
    assert (told["top5_pct"], told["note"]) == (None, None)


def test_a_pte_file_runs_in_executorch(undisturbed):
    """And is bound to the card beside it: without, or with that of another file, it is refused."""
    pytest.importorskip("executorch")
    assert call("export", undisturbed, SMALL, "--seed", 1, "-o", "net.pte").exit_code == 0
    told = json.loads(call("evaluate", "net.pte", "--json").stdout)
    ((correct,),) = query(
        undisturbed,
        f"SELECT correct FROM trainings WHERE variant = '{SMALL}' AND seed = 1",  # noqa: S608
    )
    hits = np.unpackbits(np.frombuffer(correct, np.uint8), count=60)
    assert sum(one["right"] for one in told["classes"]) == hits.sum()
    with open("net.pte", "ab") as file:
        file.write(b"?")
    assert refusal(call("evaluate", "net.pte")) == (
        "net.pte is not the file that net.pte.json is about: it is damaged, or another; export it again"
    )
    shutil.copy("net.pte", "other.pte")
    assert refusal(call("evaluate", "other.pte")) == (
        "other.pte: its card other.pte.json is not beside it, which says what its classes are; copy both, or "
        "export the network again with `mbsweep export RUN VARIANT`"
    )


def test_a_self_contained_pte_file_takes_levels(undisturbed, images):
    """All of it runs in XNNPACK; ExecuTorch's own interface gives the table's answers, and probabilities."""
    runtime = pytest.importorskip("executorch.runtime").Runtime.get()
    words = ("--seed", 1, "--self-contained", "-o", "net.pte")
    assert call("export", undisturbed, SMALL, *words).exit_code == 0
    with open("net.pte.json", encoding="utf-8") as file:
        card = json.load(file)
    told = [card["input"][name] for name in ("shape", "layout", "type", "is_normalised")]
    assert told == [[1, 3, 16, 16], "NCHW", "float32", False]
    method = runtime.load_program("net.pte").load_method("forward")
    config, right = ImageFolder(name="imagefolder", path=str(images)), []
    part = open_dataset(config, [16]).part("test", 16)
    for image, label in zip(part.images, part.labels, strict=True):
        levels = np.ascontiguousarray(image.astype(np.float32).transpose(2, 0, 1)[None])
        (found,) = method.execute([torch.from_numpy(levels)])
        assert float(found.sum()) == pytest.approx(1, abs=1e-5)
        right.append(int(found.argmax()) == label)
    ((correct,),) = query(
        undisturbed,
        f"SELECT correct FROM trainings WHERE variant = '{SMALL}' AND seed = 1",  # noqa: S608
    )
    assert right == np.unpackbits(np.frombuffer(correct, np.uint8), count=60).tolist()


def test_other_parts_and_other_images_can_be_asked_for(images):
    """The same images elsewhere are those of its own data set by their content; others are told."""
    said = call("evaluate", "net.onnx", "--part", "train").stdout
    assert "of the choice of the 240 images) on the train part" in said
    assert call("evaluate", "net.onnx", "--dataset", images).stdout == call("evaluate", "net.onnx").stdout
    said = call("evaluate", "net.onnx", "--dataset", images / "train").stdout
    assert "whether it was trained on some of these images is not known" in said
    message = refusal(call("evaluate", "net.onnx", "--dataset", "digits"))
    assert message.endswith("and digits has 10 classes (0, 1, 2, 3, 4, ...); the classes must be the same")


def changed_card(name, change):
    """The file with something else in its card."""
    model = onnx.load("net.onnx")
    card = json.loads(model.metadata_props[0].value)
    change(card)
    model.metadata_props[0].value = json.dumps(card)
    onnx.save(model, name)


def other_input(card):
    card["input"]["shape"] = [1, 3, 32, 32]


def other_classes(card):
    card["classes"] = card["classes"][:2]


def newer(card):
    card["format"] = 99


def no_mean(card):
    del card["mean"]


CARDS = [
    (
        other_input,
        "x.onnx: takes 'image' of [1, 3, 16, 16], and its card says 'image' of [1, 3, 32, 32]; it was "
        "changed since: export it again",
    ),
    (newer, "x.onnx is of a newer mbsweep; upgrade mbsweep, or export the network with this one"),
    (no_mean, "x.onnx: its card is damaged (mean: Field required); export it again"),
]


@pytest.mark.parametrize(("change", "message"), CARDS)
def test_a_card_that_does_not_fit_is_refused(change, message):
    """One line, of both commands."""
    changed_card("x.onnx", change)
    assert refusal(call("evaluate", "x.onnx")) == message
    assert refusal(call("classify", "x.onnx", "none.png")) == message


def test_a_card_of_other_classes_is_found_out_when_the_file_is_asked(images):
    """Three logits are not two classes."""
    changed_card("x.onnx", other_classes)
    message = refusal(call("classify", "x.onnx", images / "test" / "class0" / "000.png"))
    assert message == "x.onnx: gives (1, 3), and its card says 2 classes"


def strange_name(card):
    card["network"]["id"] = "\x1b[31mred\nand more"


def test_a_card_cannot_write_to_the_terminal_what_it_likes():
    """The name of a network is printed on one line."""
    changed_card("x.onnx", strange_name)
    assert call("evaluate", "x.onnx").stdout.startswith("x.onnx: [31mred and more, top-1 ")


def foreign(name):
    """An ONNX file of somebody else."""
    ends = [helper.make_tensor_value_info(end, 1, [1, 3, 16, 16]) for end in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.save(model, name)


@pytest.mark.parametrize("command", ["evaluate", "classify"])
def test_what_is_no_trained_network_is_refused(command):
    """Of others, of random weights, cut off, empty, a folder, missing: one line, and nothing is written."""
    foreign("foreign.onnx")
    os.mkfifo("pipe.onnx")
    assert (
        call("export", "--width", 0.25, "--resolution", 32, "--depth", 0, "-o", "random.onnx").exit_code == 0
    )
    with open("net.onnx", "rb") as file:
        whole = file.read()
    for name, content in (("cut.onnx", whole[: len(whole) // 2]), ("empty.onnx", b""), ("text.pte", b"?")):
        with open(name, "wb") as file:
            file.write(content)
    (tail,) = {"evaluate": [[]], "classify": [["none.png"]]}[command]
    means = (
        "it does not say what its classes are and how images are read; export a trained network with "
        "`mbsweep export RUN VARIANT -o net.onnx`"
    )
    for name, message in (
        ("foreign.onnx", f"foreign.onnx: it was not written by mbsweep: {means}"),
        ("random.onnx", f"random.onnx: its weights are random: {means}"),
        (
            "text.pte",
            "text.pte: its card text.pte.json is not beside it, which says what its classes are; copy "
            "both, or export the network again with `mbsweep export RUN VARIANT`",
        ),
        ("none.onnx", "none.onnx: there is no such file"),
        (".", ".: is a folder; name the file of a network"),
        ("pipe.onnx", "pipe.onnx: is no file of a network"),
    ):
        assert refusal(call(command, name, *tail)) == message
    damaged = "is damaged, or no file of a network of one image: "
    assert refusal(call(command, "cut.onnx", *tail)).startswith(f"cut.onnx: {damaged}")
    assert refusal(call(command, "empty.onnx", *tail)) == f"empty.onnx: {damaged}it has 0 inputs"


def test_a_files_ending_may_be_in_capitals():
    """As another file system has it: the file is refused as what it is, not as weights."""
    with open("NET.ONNX", "wb"):
        pass
    assert refusal(call("evaluate", "NET.ONNX")).endswith(
        "no file of a network of one image: it has 0 inputs"
    )


NAMES = ["a\nb", "\x1b[31mred", "\u732b" * 30, "x" * 300, "[bold]", ""]


def worth(scores, labels):
    """An outcome of such scores."""
    return outcome([(torch.from_numpy(scores), torch.from_numpy(labels))])


def made_up(classes, count, monkeypatch):
    """A network of some classes, tested on so many images, each guessed as the class before its own."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, len(classes), count)
    scores = np.eye(len(classes), dtype=np.float32)[(labels - (np.arange(count) % 3 == 0)) % len(classes)]
    state = Checkpoint({"classes": classes, "dataset": "made-up"}, [], {})
    file = NetworkFile("net.onnx", "net", 8, state, None)
    return Evaluated(file, type("Images", (), {"id": "made-up"}), "test", worth(scores, labels), labels, "")


@pytest.mark.parametrize("classes", [NAMES, [f"c{n}\n" for n in range(12)], [f"c{n}\n" for n in range(3000)]])
def test_names_of_classes_are_printed_safely(classes, capsys, monkeypatch):
    """On one line, printable, in 80 columns, whatever they are and however many."""
    done = made_up(classes, 6000, monkeypatch)
    print_evaluated(done)
    first, _, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("net.onnx: net, top-1 66.67 %")
    assert all(line.isprintable() for line in lines)
    assert max(sum(1 + (one > "\u2e80") for one in line) for line in lines) <= 80
    assert len(lines) == (len(classes) + 2 if len(classes) <= 12 else 25 - 2)
    told = json.loads(as_json(done))
    assert [one["class"] for one in told["classes"]] == classes


def test_the_matrix_counts_what_was_taken_for_what(capsys):
    """Rows are what images show; shares are of the row."""
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    scores = np.eye(2, dtype=np.float32)[[0, 0, 1, 1, 1, 1, 0]]
    state = Checkpoint({"classes": ["cat", "dog"], "dataset": "made-up"}, [], {})
    file = NetworkFile("net.onnx", "net", 8, state, None)
    images = type("Images", (), {"id": "made-up"})
    print_evaluated(Evaluated(file, images, "test", worth(scores, labels), labels, ""))
    assert capsys.readouterr().out.splitlines()[2:] == [
        "images of each class (rows), and what they were taken for:",
        "       1  2   right",
        "1 cat  2  1  66.7 %",
        "2 dog  1  3  75.0 %",
    ]


# -- classify -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_picture_of_the_data_set_gives_the_tests_answer(name, images):
    """Every picture of the test part, in one call: the same class as `evaluate` has, three probabilities."""
    paths = sorted((images / "test").rglob("*.png"))
    told = json.loads(call("classify", name, *paths, "--json").stdout)
    assert [one["picture"] for one in told] == [str(path) for path in paths]
    for one in told:
        assert sum(each["probability_pct"] for each in one["classes"]) == pytest.approx(100, abs=1e-3)
        shares = [each["probability_pct"] for each in one["classes"]]
        assert shares == sorted(shares, reverse=True)
    counts = {}
    for one in told:
        pair = (one["picture"].split("/")[-2], one["classes"][0]["class"])
        counts[pair] = counts.get(pair, 0) + 1
    found = json.loads(call("evaluate", name, "--json").stdout)
    names = [one["class"] for one in found["classes"]]
    assert counts == {(names[a], names[b]): images for a, b, images in found["taken_for"]}


def test_what_is_printed_of_a_picture(images):
    """Its name, and the classes with their probabilities, the likeliest first; a block for each."""
    paths = [images / "test" / f"class{n}" / "000.png" for n in (0, 2)]
    lines = call("classify", "net.onnx", *paths).stdout.splitlines()
    assert [lines[0], lines[4], lines[5]] == [str(paths[0]), "", str(paths[1])]
    assert [line.split()[0] for line in (lines[1], lines[6])] == ["class0", "class2"]
    assert all(line.endswith(" %") for line in lines if line.startswith("  "))


def test_a_digit_is_read_as_the_digits_are(own_cache):
    """A canvas as a PNG file, grey or in colours, at its size and at half of it: the very image."""
    config = Digits(name="digits", train=200, validation=200, test=200)
    dataset = open_dataset(config, [32, 64])
    for canvas, half in zip(
        dataset.part("test", 64).images[:5], dataset.part("test", 32).images, strict=False
    ):
        for picture in (Image.fromarray(canvas), Image.fromarray(canvas[..., 0])):
            picture.save("digit.png")
            assert np.array_equal(config.picture(_network_files.Path("digit.png"), 64), canvas)
            assert np.array_equal(config.picture(_network_files.Path("digit.png"), 32), half)


def test_a_picture_of_cifar_is_read_as_the_archive_is():
    """At 32 pixels as it is; larger by the data set's own rule."""
    from mbsweep.accuracy.datasets.cifar import _resized

    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("image.png")
    config = Cifar(name="cifar10", path="nowhere")
    assert np.array_equal(config.picture(_network_files.Path("image.png"), 32), pixels)
    larger = _resized(pixels.transpose(2, 0, 1)[None], 48)[0]
    assert np.array_equal(config.picture(_network_files.Path("image.png"), 48), larger)


def test_pictures_of_all_kinds_are_read_as_the_data_set_reads_them(monkeypatch):
    """Four channels of ink, 16 bits, transparent, turned by EXIF, moving, wide: all are read."""
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    plain = Image.fromarray(pixels)
    plain.convert("CMYK").save("cmyk.jpg")
    Image.fromarray((chance.integers(0, 65536, (30, 30))).astype(np.uint16)).save("deep.png")
    plain.convert("RGBA").save("alpha.webp")
    exif = Image.Exif()
    exif[0x0112] = 6
    plain.save("turned.jpg", exif=exif)
    plain.save("moving.gif", save_all=True, append_images=[plain.rotate(90)] * 3)
    Image.new("L", (5000, 10)).save("wide.bmp")
    names = ["cmyk.jpg", "deep.png", "alpha.webp", "turned.jpg", "moving.gif", "wide.bmp"]
    result = call("classify", "net.onnx", *names)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert [line for line in result.stdout.splitlines() if line and line[0] != " "] == names


def test_pictures_that_cannot_be_read_do_not_stop_the_others(images):
    """Each is a line on stderr; the others are classified; exit code 2 in the end."""
    good = images / "test" / "class1" / "003.png"
    with open("text.png", "w") as file:
        file.write("no picture")
    with open("empty.png", "w"):
        pass
    with open("cut.png", "wb") as file:
        file.write(good.read_bytes()[:60])
    Image.new("1", (20_000, 20_000)).save("huge.png")
    result = call(
        "classify", "net.onnx", "text.png", good, "empty.png", "cut.png", "huge.png", "none.png", "."
    )
    assert result.exit_code == 2
    assert result.stdout.splitlines()[0] == str(good)
    lines = result.stderr.splitlines()
    assert lines[0] == "error: text.png: not an image"
    assert lines[1] == "error: empty.png: empty"
    assert lines[2].startswith("error: cut.png: ")
    assert lines[3:] == [
        "error: huge.png: too many pixels",
        "error: none.png: No such file or directory",
        "error: .: not a file",
    ]
    told = json.loads(call("classify", "net.onnx", "text.png", good, "--json").stdout)
    assert [one["error"] for one in told] == ["not an image", None]
    assert told[0]["classes"] is None


def test_a_network_of_two_classes_gives_two(monkeypatch, images):
    """Fewer than three where there are fewer."""
    state = Checkpoint({"classes": ["cat", "dog"]}, [], {})
    state.origin.settings.update(name="imagefolder", path="anywhere")
    file = NetworkFile("net.onnx", "net", 8, state, lambda given: np.float32([[0, np.log(3)]] * len(given)))
    monkeypatch.setattr("mbsweep.commands._classifying.open_network", lambda path: file)
    said = call("classify", "net.onnx", images / "test" / "class0" / "000.png").stdout
    assert said.splitlines()[1:] == ["  dog  75.0 %", "  cat  25.0 %"]


def test_nothing_is_written(images, tmp_path):
    """By either command."""
    before = contents(tmp_path)
    call("evaluate", "net.onnx")
    call("classify", "net.onnx", images / "test" / "class0" / "000.png")
    assert contents(tmp_path) == before
