"""Image folders: what is read, how it is split, and what is said of files that are no images."""

import importlib.util
import os
import resource
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from mbsweep.accuracy.datasets import PARTS, imagefolder, open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder, ImageFolderSource, split
from mbsweep.base.errors import MbsweepError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def config(root, **settings):
    return ImageFolder(name="imagefolder", path=str(root), **settings)


def write(path, colour=RED, size=(4, 4)):
    """A file with an image of one colour."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def fill(root, **classes):
    """class=count: so many images each, all different: red is the class, green is the image."""
    for label, (name, count) in enumerate(sorted(classes.items())):
        for number in range(count):
            write(root / name / f"{number:03}.png", (label, number % 256, number // 256))
    return root


def read(root, resolution=4, **settings):
    """The source, and part -> [(label, middle pixel)] in the order of the batches."""
    source = ImageFolderSource(config(root, **settings))
    found = {part: [] for part in PARTS}
    for batch in source.batches([resolution]):
        middle = batch.images[resolution][:, resolution // 2, resolution // 2]
        found[batch.part] += [(int(a), tuple(map(int, b))) for a, b in zip(batch.labels, middle, strict=True)]
    return source, found


def refusal(root, **settings):
    """The message with which a folder is refused; it stays on one line and can be written."""
    with pytest.raises(MbsweepError) as caught:
        read(root, **settings)
    message = str(caught.value)
    assert message.isprintable()
    message.encode()
    return message


# What is read


def test_each_image_is_in_one_part_with_the_label_of_its_folder(tmp_path):
    """Classes are numbered by name; sub-folders of a class belong to it; 15 % of 20 are 3."""
    fill(tmp_path, cat=20, dog=18)
    write(tmp_path / "dog" / "small" / "brown" / "1.PNG", (1, 200, 0))
    write(tmp_path / "dog" / "small" / "2.jpeg", (1, 200, 0)).rename(tmp_path / "dog" / "2.bin")
    write(tmp_path / "dog" / "big" / "3.png", (1, 201, 0))
    source, found = read(tmp_path)
    assert source.classes() == ("cat", "dog")
    expected = [(0, (0, green, 0)) for green in range(20)]
    expected += [(1, (1, green, 0)) for green in (*range(18), 200, 201)]
    assert sorted(found["train"] + found["validation"] + found["test"]) == expected
    assert {part: Counter(label for label, _ in some) for part, some in found.items()} == {
        "train": {0: 14, 1: 14},
        "validation": {0: 3, 1: 3},
        "test": {0: 3, 1: 3},
    }
    assert source.notes() == ("1 file whose ending is not that of an image left out: .bin",)


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_folders_train_validation_and_test_are_the_parts(tmp_path, validation):
    """As given, whatever their sizes; other folders beside them are not read, which is noted."""
    for green, part in enumerate(["train", validation, "test"]):
        write(tmp_path / part / "cat" / "1.png", (0, green, 0))
        write(tmp_path / part / "dog" / "1.png", (1, green, 0))
    write(tmp_path / "extra" / "cat" / "1.png")
    source, found = read(tmp_path)
    assert found == {
        "train": [(0, (0, 0, 0)), (1, (1, 0, 0))],
        "validation": [(0, (0, 1, 0)), (1, (1, 1, 0))],
        "test": [(0, (0, 2, 0)), (1, (1, 2, 0))],
    }
    assert source.notes() == (
        f"train part: the folder 'train', validation part: the folder '{validation}', test part: the folder "
        "'test'",
        "beside the parts, not read: 'extra'",
    )


def test_an_image_in_two_given_parts_is_noted(tmp_path):
    """The parts stay as given, but the reader learns that test images were trained on."""
    for part in PARTS:
        fill(tmp_path / part, cat=1, dog=1)
        write(tmp_path / part / "dog" / "000.png", (1, 7, len(part)))
    source, _ = read(tmp_path)
    assert source.notes()[1:] == (
        "images that are in more than one part: 1: 'test/cat/000.png', 'train/cat/000.png', "
        "'validation/cat/000.png'",
    )


def saved(mode, colour, name, **how):
    """A function that writes an image of one colour."""
    return lambda folder: Image.new(mode, (4, 4), colour).save(folder / name, **how)


def sixteen_bit(folder):
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(folder / "x.png")


def palette(folder):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    image.save(folder / "x.png")


def transparent_palette(folder):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    image.save(folder / "x.png", transparency=1)


def two_frames(folder):
    Image.new("RGB", (4, 4), BLUE).save(
        folder / "x.gif", save_all=True, append_images=[Image.new("RGB", (4, 4), RED)]
    )


def damaged_exif(folder):
    Image.new("RGB", (4, 4), BLUE).save(folder / "x.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")


KINDS = {  # how a file is written -> the colour that is read
    "jpeg": (saved("RGB", (120, 120, 120), "x.jpg"), (120, 120, 120)),
    "webp": (saved("RGB", (10, 200, 30), "x.webp", lossless=True), (10, 200, 30)),
    "bmp": (saved("RGB", (10, 200, 30), "x.BMP"), (10, 200, 30)),
    "gif": (two_frames, BLUE),
    "grey": (saved("L", 77, "x.png"), (77, 77, 77)),
    "black and white": (saved("1", 1, "x.png"), WHITE),
    "16-bit grey": (sixteen_bit, (128, 128, 128)),  # 32768 / 65535 * 255 = 127.5
    "palette": (palette, (9, 8, 7)),
    "palette, transparent": (transparent_palette, WHITE),
    "grey, half transparent": (saved("LA", (0, 127), "x.png"), (128, 128, 128)),  # 255 * (1 - 127 / 255)
    "half transparent": (saved("RGBA", (255, 0, 0, 127), "x.png"), (255, 128, 128)),
    "CMYK": (saved("CMYK", (0, 0, 0, 255), "x.jpg"), (0, 0, 0)),
    "damaged EXIF": (damaged_exif, BLUE),
}


def one_image(tmp_path, save, resolution=4):
    """The image that is read from a file, in a data set of given parts."""
    for part in PARTS:
        fill(tmp_path / part, cat=1, dog=1)
    (tmp_path / "train" / "cat" / "000.png").unlink()
    save(tmp_path / "train" / "cat")
    batch = next(iter(ImageFolderSource(config(tmp_path)).batches([resolution])))
    assert batch.labels[0] == 0
    return batch.images[resolution][0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_becomes_rgb(tmp_path, kind):
    """16 bits are scaled, transparency is put on white, of a GIF the first frame counts."""
    save, colour = KINDS[kind]
    assert np.unique(one_image(tmp_path, save).reshape(-1, 3), axis=0).tolist() == [list(colour)]


def test_images_are_turned_upright(tmp_path):
    """EXIF orientation 6: what is stored at the left belongs to the top."""

    def save(folder):
        image = Image.new("RGB", (8, 8), BLUE)
        image.paste(RED, (0, 0, 4, 8))
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(folder / "x.png", exif=exif)

    image = one_image(tmp_path, save, 8)
    assert image[0].tolist() == [list(RED)] * 8
    assert image[-1].tolist() == [list(BLUE)] * 8


def test_the_square_in_the_middle_is_kept(tmp_path):
    """Of 30 x 10 pixels the outer thirds are cut off, but for what averaging takes in at the edge."""

    def save(folder):
        image = Image.new("RGB", (30, 10), RED)
        image.paste(GREEN, (8, 0, 22, 10))
        image.save(folder / "x.png")

    assert np.unique(one_image(tmp_path, save, 5).reshape(-1, 3), axis=0).tolist() == [list(GREEN)]


def test_small_versions_are_averages(tmp_path):
    """Black and white columns of one pixel become grey, not black or white."""

    def save(folder):
        Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32))).save(folder / "x.png")

    image = one_image(tmp_path, save, 8)
    assert image[:, 1:-1].min() >= 124
    assert image[:, 1:-1].max() <= 131


def test_each_file_is_read_once_for_all_resolutions(tmp_path, monkeypatch):
    """And no batch has more than 256 images."""
    fill(tmp_path, cat=380, dog=3)
    names = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: names.append(path) or real(path))
    batches = list(ImageFolderSource(config(tmp_path)).batches([4, 2]))
    assert len(names) == len(set(names)) == 383
    assert [(batch.part, len(batch.labels)) for batch in batches] == [
        ("train", 256),
        ("train", 11),
        ("validation", 58),
        ("test", 58),
    ]
    assert all(batch.images[2].shape == (len(batch.labels), 2, 2, 3) for batch in batches)


def test_what_systems_leave_behind_is_not_counted(tmp_path):
    """Hidden files, what Windows, macOS and Synology write, and thumbnails are neither classes nor images of
    one; all of it is told, with what is no image by its ending.
    """
    fill(tmp_path, cat=3, dog=3)
    left = (
        "cat/._x.png",
        ".git/y.png",
        "cat/Thumbs.db",
        "dog/desktop.ini",
        ".DS_Store",
        "__MACOSX/cat/1.png",
    )
    left += ("dog/@eaDir/1.png", "cat/.ipynb_checkpoints/000.png", "dog/Thumbnails/000.png", "cat/notes.txt")
    for name in left:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        write(tmp_path / name) if name.endswith(".png") else (tmp_path / name).write_bytes(b"?")
    source, found = read(tmp_path)
    assert source.classes() == ("cat", "dog")
    assert source.notes() == (
        "1 file whose ending is not that of an image left out: .txt",
        "hidden files, system files and thumbnails left out: 9: '.DS_Store', '.git', '__MACOSX', "
        "'cat/._x.png', 'cat/.ipynb_checkpoints' and 4 more",
    )
    assert sum(map(len, found.values())) == 6


def test_links_are_followed_but_not_in_circles(tmp_path):
    """Linked images and folders count; a folder that is linked into itself counts once."""
    root = fill(tmp_path / "images", cat=3, dog=3)
    write(tmp_path / "elsewhere" / "1.png", (0, 50, 0))
    write(tmp_path / "2.png", (0, 51, 0))
    (root / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(root / "cat")
    (root / "cat" / "up").symlink_to("..")
    (root / "cat" / "2.png").symlink_to(tmp_path / "2.png")
    _, found = read(root)
    cats = sorted(pixel[1] for some in found.values() for label, pixel in some if label == 0)
    assert cats == [0, 1, 2, 50, 51]
    assert sum(map(len, found.values())) == 8


# The split


@st.composite
def classes_of_contents(draw):
    """Different contents of some classes, of which few are in two classes."""
    sizes = draw(st.lists(st.integers(3, 30), min_size=1, max_size=4))
    return [{f"{label}-{number}" for number in range(size)} for label, size in enumerate(sizes)]


shares = st.floats(0.1, 90)
USUAL = {"validation": 15, "test": 15}


@given(classes_of_contents(), shares, shares, st.integers(0, 2**32 - 1), st.randoms())
def test_the_split_is_complete_and_depends_on_nothing_but_contents_and_seed(
    of_class, validation_pct, test_pct, seed, random
):
    """Every content is in one part, every part has each class, and no order matters."""
    assume(validation_pct + test_pct < 100)
    asked = {"validation": validation_pct, "test": test_pct}
    dealt = split(of_class, asked, seed)
    assert set(dealt) == set().union(*of_class)
    for contents in of_class:
        counts = Counter(dealt[content] for content in contents)
        assert set(counts) == set(PARTS)
        for part, share in (("validation", validation_pct), ("test", test_pct)):
            assert counts[part] <= max(1, share / 100 * len(contents) + 0.5)
    shuffled = [random.sample(sorted(contents), len(contents)) for contents in of_class]
    random.shuffle(shuffled)
    assert split(shuffled, asked, seed) == dealt


@given(st.integers(3, 20), st.integers(0, 20), st.integers(0, 3))
def test_a_content_of_two_classes_is_in_one_part(own, other, shared):
    """And each class has all parts nevertheless, as long as it has three contents of its own."""
    first = {f"a{number}" for number in range(own)} | {f"s{number}" for number in range(shared)}
    second = {f"b{number}" for number in range(other + 3)} | {f"s{number}" for number in range(shared)}
    dealt = split([first, second], USUAL, 0)
    assert {dealt[content] for content in first} == {dealt[content] for content in second} == set(PARTS)


def test_the_seed_decides_who_is_in_which_part():
    """Of 40 contents, other seeds pick others."""
    contents = [{str(number) for number in range(40)}]
    splits = {frozenset(split(contents, USUAL, seed).items()) for seed in range(5)}
    assert len(splits) == 5


def test_the_same_bytes_are_in_the_same_part(tmp_path):
    """Whatever the files are called; one that is in two classes is noted."""
    fill(tmp_path, cat=12, dog=12)
    for number in range(12):
        for copy in range(3):
            (tmp_path / "cat" / f"copy{copy}-{number}.png").write_bytes(
                (tmp_path / "cat" / f"{number:03}.png").read_bytes()
            )
    (tmp_path / "dog" / "cat.png").write_bytes((tmp_path / "cat" / "000.png").read_bytes())
    source, found = read(tmp_path)
    cats = {part: Counter(pixel for label, pixel in some if label == 0) for part, some in found.items()}
    assert [set(counts.values()) for counts in cats.values()] == [{4}, {4}, {4}]
    assert sum(map(len, cats.values())) == 12
    (note,) = source.notes()
    assert note.startswith("images that are in more than one class: 1: 'cat/000.png', ")
    assert note.endswith(", 'dog/cat.png'")
    part = next(part for part, some in found.items() if (1, (0, 0, 0)) in some)
    assert (0, (0, 0, 0)) in found[part]


def test_the_order_of_the_file_system_does_not_matter(tmp_path, monkeypatch):
    """Read in reverse, it is the same data set under the same key."""
    fill(tmp_path, cat=9, dog=9)
    source, found = read(tmp_path)
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: sorted(real(path), reverse=True))
    reverse, again = read(tmp_path)
    assert (reverse.key, reverse.digest(), again) == (source.key, source.digest(), found)


def test_the_digest_covers_what_decides_and_nothing_else(tmp_path):
    """Names, bytes, the split and what was left out; not the place, the times or files that are no images."""
    root = fill(tmp_path / "a", cat=9, dog=9)
    copy = fill(tmp_path / "b", cat=9, dog=9)
    before, _ = read(root)
    assert before.digest() == read(copy)[0].digest()
    os.utime(root / "cat" / "000.png", (1, 1))
    (root / "cat" / "readme.txt").write_text("cats")
    touched, _ = read(root)
    assert touched.key != before.key
    assert touched.digest() == before.digest()

    digests = {before.digest()}
    digests.add(read(root, split_seed=1)[0].digest())
    digests.add(read(root, test_pct=30)[0].digest())
    (root / "cat" / "000.png").rename(root / "cat" / "new.png")
    digests.add(read(root)[0].digest())
    write(root / "cat" / "new.png", (0, 99, 0))
    digests.add(read(root)[0].digest())
    (root / "cat" / "broken.png").write_bytes(b"?")
    digests.add(read(root, broken="leave_out")[0].digest())
    assert len(digests) == 6


# Files that cannot be read


def png_of_size(width, height):
    """A PNG that claims a size, and has next to no pixels."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(100))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def truncated(folder):
    path = folder / "x.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])


BROKEN = {  # the reason that is given -> how to make such a file
    "empty": lambda folder: (folder / "x.png").write_bytes(b""),
    "not an image": lambda folder: (folder / "x.jpg").write_bytes(b"<html>404</html>"),
    "too many pixels": lambda folder: (folder / "x.png").write_bytes(png_of_size(20000, 20000)),
    "damaged: ": truncated,
    "No such file or directory": lambda folder: (folder / "x.gif").symlink_to("nowhere"),
    "not a file": lambda folder: os.mkfifo(folder / "x.bmp"),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_file_is_refused_or_left_out_with_its_reason(tmp_path, reason):
    """Refused unless told otherwise; left out, it is named, and all others are there."""
    fill(tmp_path, cat=4, dog=4)
    BROKEN[reason](tmp_path / "cat")
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path}: 1 of 9 files cannot be read as images: 'cat/x.")
    assert f" ({reason}" in message
    assert message.endswith("; mend or remove them, or set `broken: leave_out` to go on without them")
    source, found = read(tmp_path, broken="leave_out")
    (note,) = source.notes()
    assert note.startswith("1 of 9 files cannot be read as images, left out: 'cat/x.")
    assert f" ({reason}" in note
    assert sum(map(len, found.values())) == 8


def test_other_formats_are_not_tried(tmp_path):
    """A TIFF that is called JPEG is no image: no reader runs but those of the formats that are named."""
    fill(tmp_path, cat=3, dog=3)
    Image.new("RGB", (4, 4)).save(tmp_path / "cat" / "x.jpg", format="TIFF")
    assert "'cat/x.jpg' (not an image)" in refusal(tmp_path)


def test_all_files_are_looked_at_before_one_error(tmp_path):
    """Five are named, the rest is counted."""
    fill(tmp_path, cat=3, dog=3)
    for number in range(8):
        (tmp_path / "dog" / f"b{number}.png").write_bytes(b"")
    message = refusal(tmp_path)
    assert ": 8 of 14 files cannot be read as images: 'dog/b0.png' (empty), " in message
    assert "'dog/b4.png' (empty) and 3 more; " in message
    assert "b5" not in message


@pytest.mark.parametrize("broken", ["refuse", "leave_out"])
@pytest.mark.parametrize(
    ("parts", "last"),
    [
        (("",), "'dog/1.png' (empty), 'dog/2.png' (empty) and 1 more"),
        (PARTS, "'test/dog/2.png' (empty) and 13 more"),
    ],
)
def test_nothing_but_broken_files_is_refused(tmp_path, parts, last, broken):
    """To leave them all out would leave nothing."""
    for part in parts:
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in (1, 2, 3):
                (tmp_path / part / name / f"{number}.png").write_bytes(b"")
    message = refusal(tmp_path, broken=broken)
    assert message.startswith(f"{tmp_path}: not one file can be read as an image: '")
    assert message.endswith(f"{last}; mend them")


def test_a_given_part_may_not_lose_a_class_with_its_broken_files(tmp_path):
    """Accuracies on the others would be of another task."""
    for part in PARTS:
        fill(tmp_path / part, cat=1, dog=1)
    (tmp_path / "test" / "dog" / "000.png").write_bytes(b"")
    with pytest.raises(MbsweepError) as caught:
        open_dataset(config(tmp_path, broken="leave_out"), [4])
    assert str(caught.value) == (
        "imagefolder: the test part has no image of 'dog'; add some, or leave the class out"
    )


# In the cache


def test_files_that_did_not_change_are_not_read_again(tmp_path, monkeypatch):
    """One that changed is noticed by its time, and makes another data set."""
    fill(tmp_path, cat=4, dog=4)
    first = open_dataset(config(tmp_path), [4])
    with monkeypatch.context() as patch:
        patch.setattr(imagefolder, "decode", lambda *given: pytest.fail("read again"))
        assert open_dataset(config(tmp_path), [4]) == first
    write(tmp_path / "cat" / "000.png", (0, 100, 0))
    second = open_dataset(config(tmp_path), [4])
    assert second.id != first.id
    greens = {int(green) for part in PARTS for green in second.part(part, 4).images[:, 0, 0, 1]}
    assert greens == {0, 1, 2, 3, 100}


def test_a_full_disk_is_told_as_such(tmp_path, own_cache):
    """Images wait next to the cache; where they find no room, no file of the user's is blamed."""
    fill(tmp_path, cat=4, dog=4)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(MbsweepError) as caught:
            open_dataset(config(tmp_path), [64])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).startswith(
        f"{own_cache / 'datasets'}: the images cannot be kept: File too large"
    )
    assert list((own_cache / "datasets").iterdir()) == []


def test_names_of_files_may_be_anything(tmp_path):
    """Newlines, bytes that are no UTF-8 and markup are read; in messages they stay on one line."""
    fill(tmp_path, cat=3, dog=3)
    folder = os.fsencode(tmp_path) + b"/<script>\n\xff"
    os.rename(tmp_path / "dog", folder)
    source, found = read(tmp_path)
    assert source.classes() == ("<script>\n\\xff", "cat")
    assert sum(map(len, found.values())) == 6
    Path(os.fsdecode(folder), "\n.png").write_bytes(b"")
    assert "'<script>\\n\\udcff/\\n.png' (empty)" in refusal(tmp_path)
    assert open_dataset(config(tmp_path, broken="leave_out"), [4]).classes == source.classes()
    missing = f"{tmp_path}/<script>\nx"
    assert refusal(missing) == (
        f"'{tmp_path}/<script>\\nx': there is no such folder; set the data set's path to a folder of images"
    )


# Folders that are refused


def nothing(root):
    pass


def empty(root):
    root.mkdir()


def a_file(root):
    root.write_text("?")


def no_images(root):
    (root / "cat").mkdir(parents=True)
    (root / "cat" / "1.tiff").write_text("?")


def one_class(root):
    fill(root, cat=3)


def empty_class(root):
    fill(root, cat=3, dog=3)
    (root / "eel").mkdir()


def few(root):
    fill(root, cat=2, dog=9, eel=1)


def copies(root):
    fill(root, cat=2, dog=9)
    (root / "cat" / "c.png").write_bytes((root / "cat" / "000.png").read_bytes())


def no_train(root):
    fill(root / "Testing", cat=1, dog=1)
    fill(root / "val", cat=1, dog=1)


def too_few_for_a_test(root):
    fill(root / "train", cat=1, dog=2)
    fill(root / "val", cat=1, dog=1)


def parts_without_classes(root):
    write(root / "train" / "1.png")
    write(root / "test" / "1.png")


def part_or_class(root):
    fill(root / "train", cat=1, dog=1)
    fill(root / "tram", cat=1, dog=1)


def parts_of_another_name(root):
    for part in ("seg_pred", "seg_test", "seg_train"):
        fill(root / part, cat=1, dog=1)


def one_folder_more(root):
    fill(root / "archive" / "Pets", cat=1, dog=1)


def both(root):
    for part in ("train", "validation", "val", "test"):
        fill(root / part, cat=1, dog=1)


def other_classes(root):
    for part in PARTS:
        fill(root / part, cat=1, dog=1)
    fill(root / "test", eel=1)


def empty_in_a_part(root):
    for part in PARTS:
        fill(root / part, cat=1, dog=1)
    (root / "test" / "dog" / "000.png").unlink()


REFUSED = [  # how to make a folder, what is said of it
    (nothing, "there is no such folder; set the data set's path to a folder of images"),
    (a_file, "is not a folder; set the data set's path to a folder of images"),
    (
        empty,
        "the folder is empty; expected a folder for each class, with its images, or folders train, "
        "validation and test",
    ),
    (
        no_images,
        "has no images (files that end in .jpg, .jpeg, .png, .webp, .bmp, .gif) in folders of classes; "
        "expected a folder for each class, with its images, or folders train, validation and test",
    ),
    (one_class, "has only the class 'cat'; at least two are needed to tell apart"),
    (empty_class, "no images in the folder of a class: 'eel'; add some, or remove it"),
    (
        few,
        "too few different images to give each part one: 'cat' has 2, 'eel' has 1; a class needs at least 3 "
        "that are in no other class",
    ),
    (
        copies,
        "too few different images to give each part one: 'cat' has 2; a class needs at least 3 that are in "
        "no other class",
    ),
    (
        no_train,
        "has val, Testing, but no folder train; add it, or give val, Testing another name if it is a class",
    ),
    (
        too_few_for_a_test,
        "too few different images to give each part one: 'cat' has 1; a class needs at least 2 that are in "
        "no other class",
    ),
    (
        parts_without_classes,
        "'test', 'train' are parts without classes; put the images of each class into a folder of its own in "
        "them",
    ),
    (
        part_or_class,
        "'train' may be the train part or a class, for beside it is 'tram'; give it another name if it is a "
        "class, else move the others away",
    ),
    (
        parts_of_another_name,
        "'seg_test', 'seg_train' look like parts and not like classes; call them train, validation and test",
    ),
    (one_folder_more, "has only the class 'archive'; at least two are needed to tell apart"),
    (both, "has both val and validation; keep one of the two"),
    (
        other_classes,
        "the parts do not have the same classes: train lacks 'eel'; add what is missing, or leave the "
        "classes out of all parts",
    ),
    (empty_in_a_part, "no images in the folder of a class: 'test/dog'; add some, or remove it"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[make.__name__ for make, _ in REFUSED])
def test_a_folder_that_is_no_data_set_is_refused_with_a_reason(tmp_path, monkeypatch, make, message):
    """The message shows the absolute path, though a relative one was given."""
    make(tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    assert refusal("images") == f"{tmp_path / 'images'}: {message}"


def test_shares_that_leave_nothing_to_train_on_are_refused(tmp_path):
    """60 and 40 % are all."""
    fill(tmp_path, cat=3, dog=3)
    assert refusal(tmp_path, validation_pct=60, test_pct=40) == (
        f"{tmp_path}: validation_pct 60 and test_pct 40 leave no images to train on; they must be less than "
        "100 together"
    )


def test_pillow_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    """With the command that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MbsweepError) as caught:
        open_dataset(config(tmp_path), [4])
    assert str(caught.value) == (
        "the data set imagefolder needs Pillow, which is not installed; run: pip install 'mbsweep[train]'"
    )


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    """Root may read everything, so the system's refusal is played."""
    fill(tmp_path, cat=3, dog=3)
    real = os.listdir

    def refuse(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(imagefolder.os, "listdir", refuse)
    assert refusal(tmp_path) == (
        f"{tmp_path / 'dog'}: the folder cannot be read: Permission denied; see to its permissions"
    )
