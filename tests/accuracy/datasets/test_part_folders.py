"""Folders that mean parts: how they are spelled, and when a folder of such a name is a class."""

import pytest
from PIL import Image

from mbsweep.accuracy.datasets.imagefolder import ImageFolder, ImageFolderSource
from mbsweep.accuracy.datasets.part_folders import PARTS, part_of

SPELLINGS = {
    "train": [
        "train",
        "Training",
        "TRAIN",
        "training_set",
        "Train-Set",
        "trainset",
        "images_train",
        "1_train",
    ],
    "validation": ["valid", "val", "Validation", "VAL", "validation_set", "val_images", "dev"],
    "test": ["test", "Testing", "TEST", "test_set", "Test Data", "testset", "test2017"],
}


@pytest.mark.parametrize(
    ("name", "part"), [(name, part) for part, names in SPELLINGS.items() for name in names]
)
def test_usual_spellings_mean_a_part(name, part):
    """In any case, with what is usually written beside."""
    assert part_of(name) == part


@pytest.mark.parametrize(
    "name",
    ["tests", "trains", "test_tube", "crash-test", "value", "device", "training_shoes", "contest", "set"],
)
def test_other_names_mean_none(name):
    """Words that begin alike, and names that say more."""
    assert part_of(name) is None


def fill(folder, counts, part=0):
    """class -> so many images, which differ in all parts and classes."""
    for label, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("RGB", (4, 4), (label, number, part)).save(folder / name / f"{number}.png")


def read(root, **settings):
    """Classes, part -> (label, blue, which says the folder) of its images, notes."""
    source = ImageFolderSource(ImageFolder(name="imagefolder", path=str(root), **settings))
    found = {part: [] for part in PARTS}
    for batch in source.batches([4]):
        blue = batch.images[4][:, 0, 0, 2]
        found[batch.part] += list(zip(batch.labels.tolist(), blue.tolist(), strict=True))
    return source.classes(), found, source.notes()


@pytest.mark.parametrize(
    "names", [("Training", "Testing"), ("Train", "Test"), ("TRAIN", "TEST"), ("training_set", "test_set")]
)
def test_without_a_validation_part_a_share_of_the_train_part_is_for_it(tmp_path, names):
    """15 % of 20 of each class are 3; the test part is as its folder gives it."""
    for place, name in enumerate(names):
        fill(tmp_path / name, {"cat": 20, "dog": 20}, place)
    classes, found, notes = read(tmp_path)
    assert classes == ("cat", "dog")
    assert sorted(found["train"]) == [(0, 0)] * 17 + [(1, 0)] * 17
    assert sorted(found["validation"]) == [(0, 0)] * 3 + [(1, 0)] * 3
    assert sorted(found["test"]) == [(0, 1)] * 20 + [(1, 1)] * 20
    assert notes == (
        f"train part: the folder {names[0]!r}, validation part: 15 % of the images in {names[0]!r}, "
        f"test part: the folder {names[1]!r}",
    )


@pytest.mark.parametrize("name", ["valid", "val"])
def test_without_a_test_part_a_share_of_the_train_part_is_for_it(tmp_path, name):
    """As for validation; here 10 %."""
    fill(tmp_path / "train", {"cat": 20, "dog": 20}, 0)
    fill(tmp_path / name, {"cat": 5, "dog": 5}, 1)
    _, found, notes = read(tmp_path, test_pct=10)
    assert {part: len(some) for part, some in found.items()} == {"train": 36, "validation": 10, "test": 4}
    assert {blue for _, blue in found["test"]} == {0}
    assert notes == (
        f"train part: the folder 'train', validation part: the folder {name!r}, test part: 10 % of the "
        "images in 'train'",
    )


def test_a_train_part_alone_is_shared_out(tmp_path):
    """As a folder of classes is."""
    fill(tmp_path / "train", {"cat": 20, "dog": 20})
    classes, found, notes = read(tmp_path)
    assert classes == ("cat", "dog")
    assert {part: len(some) for part, some in found.items()} == {"train": 28, "validation": 6, "test": 6}
    assert notes == (
        "train part: the folder 'train', validation part: 15 % of the images in 'train', test part: 15 % of "
        "the images in 'train'",
    )


def test_a_test_folder_without_classes_is_not_read(tmp_path):
    """As in competitions, where nobody tells what its images are."""
    fill(tmp_path / "train", {"cat": 20, "dog": 20})
    fill(tmp_path, {"test": 9})
    classes, found, notes = read(tmp_path)
    assert classes == ("cat", "dog")
    assert {part: len(some) for part, some in found.items()} == {"train": 28, "validation": 6, "test": 6}
    assert notes[1:] == ("not read, as it has no folders of classes: 'test'",)


def test_a_class_may_be_called_test(tmp_path):
    """It has images, not folders of classes; what it was taken for is told."""
    fill(tmp_path, {"cat": 5, "test": 5, "train": 5})
    classes, found, notes = read(tmp_path)
    assert classes == ("cat", "test", "train")
    assert {part: len(some) for part, some in found.items()} == {"train": 9, "validation": 3, "test": 3}
    assert notes == (
        "a class, as it has images and no folders of classes: 'test'",
        "a class, as it has images and no folders of classes: 'train'",
    )


def test_folders_of_classes_with_hints_in_their_names_are_classes(tmp_path):
    """One of them alone says nothing."""
    fill(tmp_path / "test_tube", {"clear": 5, "full": 5})
    fill(tmp_path / "beaker", {"clear": 5, "full": 5}, 1)
    classes, _, notes = read(tmp_path)
    assert (classes, notes) == (("beaker", "test_tube"), ())


def test_linked_parts_are_parts(tmp_path):
    """Links to folders elsewhere."""
    for place, name in enumerate(("a", "b")):
        fill(tmp_path / "elsewhere" / name, {"cat": 5, "dog": 5}, place)
    (tmp_path / "images").mkdir()
    for name, target in (("Train", "a"), ("Test", "b")):
        (tmp_path / "images" / name).symlink_to(tmp_path / "elsewhere" / target)
    _, found, _ = read(tmp_path / "images")
    assert sorted(found["test"]) == [(0, 1)] * 5 + [(1, 1)] * 5
