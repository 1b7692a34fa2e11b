"""CIFAR-10 and CIFAR-100: archives like the published ones, only smaller."""

import gzip
import io
import pickle
import tarfile
from collections import Counter

import numpy as np
import pytest

from mbsweep.accuracy.datasets import PARTS, open_dataset
from mbsweep.accuracy.datasets.cifar import Cifar, CifarSource
from mbsweep.base.errors import MbsweepError

TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
BATCHES = [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)]
TEST, META = "cifar-10-batches-bin/test_batch.bin", "cifar-10-batches-bin/batches.meta.txt"
NOISE = np.random.default_rng(0).bytes(10_000)  # cannot be compressed
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"


def record(*labels, red=0, green=0, blue=0):
    """One image of one colour."""
    return bytes(labels) + bytes([red]) * 1024 + bytes([green]) * 1024 + bytes([blue]) * 1024


def ten():
    """member -> content of a CIFAR-10: 4 images of each class in each batch, 2 to test; red is the class."""
    members = {
        name: b"".join(
            record(label, red=label, green=number, blue=copy) for copy in range(4) for label in range(10)
        )
        for number, name in enumerate(BATCHES)
    }
    members[TEST] = b"".join(
        record(label, red=label, green=9, blue=copy) for copy in (0, 1) for label in range(10)
    )
    members[META] = ("\n".join(TEN) + "\n\n").encode()
    return members


def pack(path, members):
    """A .tar.gz with those members."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in {**members, "cifar-10-batches-bin/readme.html": NOISE}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def archive(tmp_path):
    return pack(tmp_path / "cifar-10-binary.tar.gz", ten())


def config(path, name="cifar10", **settings):
    return Cifar(name=name, path=str(path), **settings)


def read(path, name="cifar10", resolution=32, **settings):
    """The source, and part -> its (labels, images)."""
    source = CifarSource(config(path, name, **settings))
    batches = list(source.batches([resolution]))
    assert [batch.part for batch in batches] == sorted((batch.part for batch in batches), key=PARTS.index)
    return source, {
        part: (
            np.concatenate([batch.labels for batch in batches if batch.part == part]),
            np.concatenate([batch.images[resolution] for batch in batches if batch.part == part]),
        )
        for part in PARTS
    }


def refusal(path, **settings):
    with pytest.raises(MbsweepError) as caught:
        read(path, **settings)
    message = str(caught.value)
    assert message.isprintable()
    return message


def colours(images):
    """The colour of each image, which has only one."""
    assert (images == images[:, :1, :1]).all()
    return [tuple(map(int, pixel)) for pixel in images[:, 0, 0]]


def test_every_record_is_in_one_part_with_its_label_and_colours(archive):
    """Planes are red, green, blue. Of 20 training images of a class, 10 % are 2 for validation."""
    source, parts = read(archive)
    assert source.classes() == tuple(TEN)
    train, validation, test = (colours(parts[part][1]) for part in PARTS)
    assert sorted(train + validation) == [(r, g, b) for r in range(10) for g in range(5) for b in range(4)]
    assert sorted(test) == [(r, 9, b) for r in range(10) for b in (0, 1)]
    for labels, images in parts.values():
        assert labels.tolist() == [red for red, _, _ in colours(images)]
    assert Counter(parts["validation"][0].tolist()) == dict.fromkeys(range(10), 2)
    assert source.notes() == ()


def test_the_place_of_a_pixel_is_kept(tmp_path):
    """Planes are stored by rows: byte 33 of a plane is row 1, column 1."""
    members = ten()
    image = bytearray(record(3))
    image[1 + 1024 + 33] = 200
    members[TEST] = bytes(image) + members[TEST]
    _, parts = read(pack(tmp_path / "x.tar.gz", members))
    picture = parts["test"][1][0]
    assert np.argwhere(picture).tolist() == [[1, 1, 1]]


def test_the_seed_decides_which_images_are_for_validation(archive):
    """The same again for the same seed; the digest tells splits apart."""
    (first, parts), (again, same), (other, _) = (read(archive, split_seed=seed) for seed in (0, 0, 1))
    assert colours(parts["validation"][1]) == colours(same["validation"][1])
    assert first.digest() == again.digest() != other.digest()
    assert first.key == again.key != other.key


def test_hundred_classes_are_the_fine_ones(tmp_path):
    """The first byte of a record is the superclass, the second the class."""
    names = [f"fine{number}" for number in range(100)]
    members = {
        "cifar-100-binary/train.bin": b"".join(record(19, n, blue=n) for n in range(100) for _ in (0, 1)),
        "cifar-100-binary/test.bin": b"".join(record(19, n, blue=n) for n in range(100)),
        "cifar-100-binary/fine_label_names.txt": "\n".join(names).encode(),
    }
    pack(tmp_path / "cifar-100-binary.tar.gz", members)
    source, parts = read(tmp_path, "cifar100")
    assert source.classes() == tuple(names)
    for labels, images in parts.values():
        assert sorted(labels.tolist()) == list(range(100))
        assert colours(images) == [(0, 0, label) for label in labels.tolist()]


@pytest.mark.parametrize("resolution", [8, 16, 48])
def test_other_resolutions_are_averages(archive, resolution):
    """An image of one colour keeps it at each resolution."""
    _, parts = read(archive, resolution=resolution)
    assert parts["test"][1].shape == (20, resolution, resolution, 3)
    assert colours(parts["test"][1])[:3] == [(0, 9, 0), (1, 9, 0), (2, 9, 0)]


def test_fine_patterns_become_grey(tmp_path):
    """Black and white columns of one pixel, at a quarter of the size."""
    members = ten()
    members[TEST] = bytes([0]) + bytes([0, 255]) * 1536 + members[TEST]
    _, parts = read(pack(tmp_path / "x.tar.gz", members), resolution=8)
    inner = parts["test"][1][0][:, 1:-1]
    assert (inner.min(), inner.max()) == (128, 128)  # 127.5, rounded


def test_a_folder_with_the_archive_will_do(archive, tmp_path):
    """And all goes into the cache."""
    dataset = open_dataset(config(tmp_path), [32])
    assert dataset.sizes == {"train": 180, "validation": 20, "test": 20}
    assert dataset.classes == tuple(TEN)
    assert dataset.id.startswith("cifar10-")


def test_a_missing_archive_is_to_be_fetched(tmp_path):
    """Whether the folder lacks it or the file is not there."""
    path = tmp_path / "cifar-10-binary.tar.gz"
    expected = f"{path}: cannot be read: No such file or directory; fetch {URL} and put it there"
    assert refusal(tmp_path) == expected
    assert refusal(path) == expected


def test_the_archive_of_pickles_is_not_opened(tmp_path):
    """Nothing is ever unpickled."""

    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = pack(tmp_path / "cifar-10-python.tar.gz", {"cifar-10-batches-py/test_batch": pickle.dumps(Trap())})
    expected = (
        f"{path}: holds pickles, which are not read, as they could run any program; fetch {URL} and put it "
        "next to it"
    )
    assert refusal(tmp_path) == refusal(path) == expected
    path.rename(tmp_path / "renamed.tar.gz")
    assert f"it has no {META}" in refusal(tmp_path / "renamed.tar.gz")


def without(name):
    return {member: content for member, content in ten().items() if member != name}


DAMAGED = [  # members of an archive, what is said of it
    (without(TEST), f"it has no {TEST}"),
    (without(BATCHES[2]), f"it has no {BATCHES[2]}"),
    (without(META), f"it has no {META}"),
    ({**ten(), TEST: record(1)[:-1]}, f"{TEST} has 3072 bytes, which is no number of records of 3073"),
    ({**ten(), TEST: b""}, f"{TEST} has 0 bytes, which is no number of records of 3073"),
    ({**ten(), BATCHES[0]: record(10)}, f"{BATCHES[0]} has the label 10; there are 10 classes"),
    ({**ten(), META: b"cat\ndog\n"}, f"{META} has not 10 different names of classes"),
    ({**ten(), META: b"cat\n" * 10}, f"{META} has not 10 different names of classes"),
]


@pytest.mark.parametrize(("members", "reason"), DAMAGED, ids=[reason for _, reason in DAMAGED])
def test_an_archive_of_other_content_is_refused(tmp_path, members, reason):
    """With the member, what is wrong with it, and where to get the archive."""
    path = pack(tmp_path / "x.tar.gz", members)
    assert refusal(path) == (
        f"{path}: is damaged or is not cifar-10-binary.tar.gz: {reason}; fetch {URL} again"
    )


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)


def zero_checksum(path):
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))


DAMAGES = {
    "not gzip": lambda path: path.write_bytes(b"<html>404 Not Found</html>"),
    "not tar": lambda path: path.write_bytes(gzip.compress(b"<html>404 Not Found</html>" * 99)),
    "empty": lambda path: path.write_bytes(b""),
    "cut in half": lambda path: cut(path, 0.5),
    "cut at the end": lambda path: cut(path, 0.99),
    "last bytes lost": lambda path: path.write_bytes(path.read_bytes()[:-4]),
    "a bit flipped": lambda path: flip(path, path.stat().st_size - 5000),  # in a member that is not read
    "checksum": zero_checksum,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_refused(archive, damage):
    """Also where only gzip's checksum tells."""
    DAMAGES[damage](archive)
    message = refusal(archive)
    assert message.startswith(f"{archive}: is damaged or is not cifar-10-binary.tar.gz: ")
    assert message.endswith(f"; fetch {URL} again")
