"""The cache of data sets, with a source that counts; and the data sets that are listed."""

import contextlib
import hashlib
import importlib.util
import json
import resource

import numpy as np
import pytest

from mbsweep.accuracy.datasets import DATASETS, PARTS, digits, open_dataset
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.datasets.source import Batch, Seen
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import UNFINISHED, temporary_folder

SMALL = Digits(name="digits", train=200, validation=100, test=150)
EACH = 10  # images of a class in a part


class Counting:
    """Two classes; an image is its number, in all pixels. Every reading is remembered."""

    name = "digits"
    reading = {"size": "any"}  # noqa: RUF012
    copies = 1

    def seen(self):
        """As many as there will be."""
        return Seen(2, self.names, dict.fromkeys(PARTS, 2 * EACH), True, (), 0)

    def __init__(self, config):
        self.key = f"counting-{config.seed}"
        self.made.append(self)
        self.read = None

    def classes(self):
        """Which there are."""
        return self.names

    def batches(self, resolutions):
        """One for each part."""
        self.read = tuple(resolutions)
        numbers = np.arange(2 * EACH, dtype=np.uint8)
        for place, part in enumerate(PARTS):
            labels = numbers.astype(np.int64) % 2
            values = (numbers + 50 * place + self.offset)[:, None, None, None]
            contents = numbers.astype(np.int64) + 50 * place
            yield Batch(part, labels, contents, {n: np.tile(values, (1, n, n, 3)) for n in resolutions})

    def digest(self):
        """Of what is added to each image."""
        return hashlib.sha256(bytes([self.offset])).hexdigest()

    def notes(self):
        """One."""
        return ("a note",)


@pytest.fixture
def source(monkeypatch):
    """The class of a counting source, which is what `digits` means in a test."""
    kind = type("Fresh", (Counting,), {"made": [], "offset": 0, "names": ("even", "odd")})
    monkeypatch.setattr(Digits, "source", lambda config: kind(config))
    return kind


def readings(source):
    """The resolutions of each reading, in order."""
    return [made.read for made in source.made if made.read is not None]


def check(dataset, resolution, offset=0):
    """All images and labels are those of a counting source."""
    for place, part in enumerate(PARTS):
        images, labels = dataset.part(part, resolution)
        assert images.shape == (20, resolution, resolution, 3)
        assert labels.tolist() == [0, 1] * EACH
        expected = np.arange(20)[:, None, None, None] + 50 * place + offset
        assert (np.asarray(images) == expected).all()
        assert dataset.contents(part).tolist() == list(range(50 * place, 50 * place + 20))


def left_over(folder):
    """Files and folders that a reading did not clear away."""
    return [path.name for path in (folder / "datasets").glob("**/.*")]


CLASSES = {"digits": 10, "imagefolder": None, "cifar10": 10, "cifar100": 100}  # None: the images tell


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_goes_by_its_name_and_knows_its_classes(name):
    """As far as they are always as many, before anything is looked at."""
    place = {} if name == "digits" else {"path": "/does/not/exist"}
    config = DATASETS[name].model_validate({"name": name, **place})
    assert (config.name, config.class_count) == (name, CLASSES[name])


def test_a_second_opening_reads_nothing(source, own_cache):
    """What was kept is what was read: images, labels, parts, names and notes."""
    first = open_dataset(SMALL, [4, 2])
    said = []
    second = open_dataset(SMALL, [2, 4, 2], said.append)
    assert second == first
    assert readings(source) == [(2, 4)]
    assert said == []
    assert first.id == "digits-6e340b9c"  # SHA-256 of one zero byte: 6e340b9cffb37a98...
    assert (second.classes, second.notes) == (("even", "odd"), ("a note",))
    assert second.sizes == {"train": 20, "validation": 20, "test": 20}
    check(second, 2)
    check(second, 4)
    assert left_over(own_cache) == []


def test_a_later_resolution_is_added(source):
    """Only the new one is read, and the first stays."""
    open_dataset(SMALL, [4])
    said = []
    dataset = open_dataset(SMALL, [4, 8], said.append)
    assert readings(source) == [(4,), (8,)]
    assert said == ["digits: reading images at 8 px"]
    check(dataset, 4)
    check(dataset, 8)
    check(open_dataset(SMALL, [4]), 4)
    assert len(readings(source)) == 2


def test_images_that_changed_unnoticed_are_not_mixed(source):
    """A new resolution shows that the content is another: then all that is asked for is read."""
    open_dataset(SMALL, [4])
    source.offset = 100
    dataset = open_dataset(SMALL, [4, 8])
    check(dataset, 4, 100)
    check(dataset, 8, 100)


def overwrite(path):
    with path.open("r+b") as file:
        file.seek(7)
        file.write(b"\xee")


DAMAGES = {
    "a byte": overwrite,
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b" "),
    "empty": lambda path: path.write_bytes(b""),
    "lost": lambda path: path.unlink(),
    "not text": lambda path: path.write_bytes(b"\xff" * 64),
    "other json": lambda path: path.write_bytes(b"[1]"),
}
KEPT = ["images_4.u8", "images_4.sha256", "labels.i8", "contents.i8", "about.json", "known"]


@pytest.mark.parametrize(
    ("kept", "damage"),
    [(kept, damage) for kept in KEPT for damage in DAMAGES],
)
def test_what_is_damaged_is_made_anew(source, own_cache, kept, damage):
    """Whichever file it is, the data set is whole afterwards, and stays."""
    first = open_dataset(SMALL, [4])
    path = own_cache / "datasets" / "known" / "counting-0.json" if kept == "known" else first.folder / kept
    DAMAGES[damage](path)
    said = []
    second = open_dataset(SMALL, [4], said.append)
    assert readings(source) == [(4,), (4,)]
    assert said[-1] == "digits: reading images at 4 px"
    if kept.startswith("images_4") and damage != "lost":
        assert said[0] == f"{first.id}: the cached images at 4 px are damaged; they are made anew"
    assert second == first
    check(second, 4)
    open_dataset(SMALL, [4])
    assert len(readings(source)) == 2


def test_notes_are_those_of_the_files_at_hand(source, monkeypatch):
    """Two places with the same images, among different other files: one content, two notes."""
    open_dataset(SMALL, [4])
    monkeypatch.setattr(source, "notes", lambda self: ("another note",))
    elsewhere = SMALL.model_copy(update={"seed": 1})
    assert open_dataset(elsewhere, [4]).notes == ("another note",)
    assert open_dataset(SMALL, [4]).notes == ("a note",)
    assert open_dataset(elsewhere, [4]).notes == ("another note",)
    assert len(readings(source)) == 2


@contextlib.contextmanager
def files_up_to(size_bytes):
    """The kernel refuses to let a file of this process grow beyond a size, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("limit", [0, 100, 1000, 20 * 3 * 16 * 3 - 1])
def test_a_full_disk_leaves_nothing_half_written(source, own_cache, limit):
    """It is refused with what to do; later it works as if nothing had been."""
    with files_up_to(limit), pytest.raises(MbsweepError) as caught:
        open_dataset(SMALL, [4])
    folder = own_cache / "datasets"
    assert str(caught.value) == (
        f"{folder}: the images cannot be kept: File too large; free some space, or set MBSWEEP_CACHE to a "
        "folder with more of it"
    )
    assert list(folder.iterdir()) == []
    check(open_dataset(SMALL, [4]), 4)


def test_a_full_disk_costs_nothing_that_was_there(source, own_cache):
    """The first resolution stays when the second does not fit."""
    first = open_dataset(SMALL, [4])
    with files_up_to(5000), pytest.raises(MbsweepError):
        open_dataset(SMALL, [4, 16])
    assert open_dataset(SMALL, [4]) == first
    assert readings(source) == [(4,), (16,)]
    assert left_over(own_cache) == []


def test_what_a_killed_reading_has_left_is_removed(source, own_cache):
    """Gigabytes that nobody would ever read; what a process that lives is reading stays."""
    datasets = own_cache / "datasets"
    datasets.mkdir()
    dead = datasets / f".reading.0123abcd{UNFINISHED}"
    dead.mkdir()
    (dead / "images_4.u8").write_bytes(b"half")
    with temporary_folder(datasets, "reading") as alive:
        open_dataset(SMALL, [4])
        assert left_over(own_cache) == [alive.name]
    assert left_over(own_cache) == []


def test_a_source_that_fails_leaves_nothing(source, own_cache, monkeypatch):
    """Its error is shown as it is."""

    def fail(self, resolutions):
        yield next(Counting.batches(self, resolutions))
        raise MbsweepError("a broken file")

    monkeypatch.setattr(source, "batches", fail)
    with pytest.raises(MbsweepError, match=r"^a broken file$"):
        open_dataset(SMALL, [4])
    assert list((own_cache / "datasets").iterdir()) == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "digits: has no classes; at least two are needed to tell apart"),
        (("cat",), "digits: has only the class 'cat'; at least two are needed to tell apart"),
        (
            ("even", "odd", "\n"),
            "digits: the train part has no image of '\\n'; add some, or leave the class out",
        ),
    ],
)
def test_classes_that_cannot_be_learned_are_refused(source, own_cache, names, message):
    """And nothing is kept."""
    source.names = names
    with pytest.raises(MbsweepError) as caught:
        open_dataset(SMALL, [4])
    assert str(caught.value) == message
    assert list((own_cache / "datasets").iterdir()) == []


# The embedded digits


def test_digits_have_the_sizes_that_were_asked_for():
    """Three equal channels, ten classes, in every part."""
    dataset = open_dataset(SMALL, [32, 64])
    assert dataset.sizes == {"train": 200, "validation": 100, "test": 150}
    assert dataset.classes == tuple("0123456789")
    for resolution in (32, 64):
        images, labels = dataset.part("validation", resolution)
        assert images.shape == (100, resolution, resolution, 3)
        assert (images[..., 0] == images[..., 2]).all()
        assert set(labels.tolist()) == set(range(10))


def test_digits_depend_on_nothing_but_their_configuration():
    """The same seed gives the same images, another seed others, and so does another size."""
    config = Digits(name="digits", train=10, validation=10, test=10)
    sources = [config.model_copy(update=change).source() for change in ({}, {}, {"seed": 1}, {"train": 20})]
    for source in sources:
        assert sum(len(batch.labels) for batch in source.batches([16])) in (30, 40)
    assert len({source.digest() for source in sources}) == 3
    assert sources[0].digest() == sources[1].digest()
    assert len({source.key for source in sources}) == 3


def test_no_handwritten_digit_is_in_two_parts():
    """1797 in all, as many as scikit-learn has, shared out 60, 15 and 25 %."""
    parts = digits._handwritten(0)
    seen = [glyph.tobytes() for glyphs, _ in parts.values() for glyph in glyphs]
    assert len(seen) == len(set(seen)) == 1797
    assert {part: len(labels) for part, (_, labels) in parts.items()} == {
        "train": 1078,
        "validation": 269,
        "test": 450,
    }


def test_scikit_learn_is_asked_for_where_it_is_missing(monkeypatch):
    """With the command that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MbsweepError) as caught:
        open_dataset(SMALL, [16])
    assert str(caught.value) == (
        "the data set digits needs scikit-learn, which is not installed; run: pip install 'mbsweep[train]'"
    )


def test_the_cache_is_plain_files(own_cache):
    """Images are bytes one after another, so anyone can look at them."""
    dataset = open_dataset(SMALL, [16])
    about = json.loads((dataset.folder / "about.json").read_bytes())
    assert about["sizes"] == {"train": 200, "validation": 100, "test": 150}
    assert (dataset.folder / "images_16.u8").stat().st_size == 450 * 16 * 16 * 3
    assert (dataset.folder / "labels.i8").stat().st_size == 450 * 8
