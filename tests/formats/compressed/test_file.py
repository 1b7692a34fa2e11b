"""The file of a compressed network: it comes back bit for bit, or is refused in one line."""

import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mbsweep.base.errors import MbsweepError
from mbsweep.formats.compressed.file import packed, read, written

ABOUT = {"variant": {"family": "mobilenet_v1", "width": 0.25}}


def there_and_back(tensors, huffman=True):
    content = written(ABOUT, packed(tensors, huffman))
    found = read(content, "net.mbz")
    assert found.about == ABOUT
    assert list(found.tensors) == list(tensors)
    for name, tensor in tensors.items():
        assert found.tensors[name].shape == tensor.shape
        assert found.tensors[name].tobytes() == tensor.tobytes(), name
    return content


def sparse(size, kept, values, seed=0):
    """Zeros, and among them some of so many values."""
    draw = np.random.default_rng(seed)
    found = draw.normal(size=values).astype(np.float32)[draw.integers(values, size=size)]
    return np.where(draw.random(size) < kept, found, np.float32(0))


SMALL = {
    "conv": sparse((8, 4, 3, 3), 0.3, 8),
    "fc": sparse((5, 12), 1, 3),
    "bias": np.arange(5, dtype=np.float32) / 3,
}

FLOATS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
    elements=st.one_of(
        st.just(0.0),
        st.sampled_from([0.5, -0.25, -0.0, 1e-45]),
        st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
)


@given(FLOATS, st.booleans())
def test_any_tensor_comes_back(tensor, huffman):
    """Of any shape, none and one value included; zeros, negative zeros and the smallest numbers."""
    there_and_back({"weight": tensor}, huffman)


@settings(max_examples=30)
@given(st.integers(1, 70_000), st.floats(0.0005, 1), st.integers(1, 70_000), st.integers(0, 2**32))
def test_sparse_and_shared_tensors_come_back(size, kept, values, seed):
    """From one value to more than 16 bits can tell, from gaps of thousands to none."""
    there_and_back({"weight": sparse(size, kept, values, seed)})


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros(0, np.float32),
        np.zeros((3, 0, 2), np.float32),
        np.zeros((40, 50), np.float32),
        np.full(1000, 0.5, np.float32),
        np.full((), 7, np.float32),
        np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5).transpose(3, 1, 0, 2),
        sparse((64, 64), 1, 50)[::3, ::-2],
        np.eye(1, 200_000, 199_999, dtype=np.float32),
        np.arange(2**16, dtype=np.float32).repeat(3),
        np.arange(2**16 + 1, dtype=np.float32).repeat(3),
    ],
    ids=[
        "empty",
        "no rows",
        "zeros",
        "one value",
        "scalar",
        "transposed",
        "strided",
        "one far away",
        "16 bits",
        "17",
    ],
)
def test_tensors_of_every_kind_come_back(tensor):
    """Those that are not contiguous, too."""
    there_and_back({"weight": tensor})
    there_and_back({"weight": tensor}, huffman=False)


def test_a_file_is_as_small_as_its_values():
    """1,000 weights of 8 values, a tenth of them left: 3 + 5 bits of each, and at most 300 bytes beside."""
    tensor = sparse(100_000, 0.1, 8)
    content = there_and_back({"weight": tensor}, huffman=False)
    assert len(content) < 10_200 * (3 + 5) / 8 + 300
    assert len(there_and_back({"weight": tensor})) < len(content)
    assert len(there_and_back({"weight": np.zeros((1000, 1000), np.float32)})) < 200
    random = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert len(there_and_back({"bias": random})) < 4000 + 200  # nothing is gained, nothing is lost


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(value):
    """By the name of the tensor."""
    with pytest.raises(MbsweepError, match=r"^fc\.weight has a weight that is not a finite number"):
        packed({"fc.weight": np.array([1, value], np.float32)})


def test_every_truncation_is_one_line():
    """The file to each of its lengths, and longer than it is."""
    content = there_and_back(SMALL)
    for length in range(len(content)):
        with pytest.raises(
            MbsweepError, match=r"^net\.mbz: is (truncated or altered|no compressed network)"
        ) as told:
            read(content[:length], "net.mbz")
        assert "\n" not in str(told.value)
    with pytest.raises(MbsweepError, match="truncated or altered"):
        read(content + b"\0", "net.mbz")


def test_every_altered_byte_is_one_line():
    """One bit of each byte, and all of them."""
    content = bytearray(there_and_back(SMALL))
    for place in range(len(content)):
        for change in (1 << place % 8, 255):
            content[place] ^= change
            with pytest.raises(MbsweepError, match=r"^net\.mbz: (is|has) ") as told:
                read(bytes(content), "net.mbz")
            assert "\n" not in str(told.value)
            content[place] ^= change


def resealed(head, data=b"", version=1):
    """A file whose sizes and checksum are right, whatever its head says."""
    body = zlib.compress(head if isinstance(head, bytes) else json.dumps(head).encode())
    length = 22 + len(body) + len(data) + 4
    content = struct.pack("<8sHQI", b"mbsweepZ", version, length, len(body)) + body + data
    return content + struct.pack("<I", zlib.crc32(content))


def said(*tensors):
    return {"about": {}, "tensors": list(tensors)}


@pytest.mark.parametrize(
    ("head", "data"),
    [
        (b"[1, 2", b""),
        (b"\xff\xfe", b""),
        (b"[" * 100_000, b""),
        ([], b""),
        ({"about": 3, "tensors": []}, b""),
        (said(["w"]), b""),
        (said(["w", [2], None, None, 8]), b"1234"),
        (said(["w", [2], None, None, 4]), b"1234"),
        (said(["w", [2], None, None, -1]), b"1234"),
        (said(["w", [1], None, None, 4]), b"12345678"),
        (said(["w", [1.5], None, None, 4]), b"1234"),
        (said(["w", [True], None, None, 4]), b"1234"),
        (said(["w", [2**40], [8, 1, 0, 1], None, 4]), b"11234"),
        (said(["w", [2**20, 2**20], None, None, 0]), b""),
        (said(*([f"w{place}", [2**27], [1, 0, 0, 0], None, 0] for place in range(9))), b""),
        (said(["w", [4], [8, 2**28, 0, 0], [0, 2**28, 0, 0], 4]), b"1234"),
        (said(["w", [2], [9, 1, 0, 2], None, 4]), b"111234"),
        (said(["w", [2], [8, 1, 0, 1], None, 4]), b"\x051234"),
        (said(["w", [2], [8, 1, 1, 5], None, 4]), b"abcde1234"),
        (said(["w", [2], None, [2, 2, 0, 1], 4]), b"\xf01234"),
        (said(["w", [1], None, None, 4], ["w", [1], None, None, 4]), b"12341234"),
    ],
)
def test_a_file_that_someone_made_up_is_one_line(head, data):
    """Heads that are none, sizes that do not fit, symbols without a value: nothing is taken as it is said."""
    with pytest.raises(MbsweepError, match=r"^net\.mbz: is no whole compressed network: ") as told:
        read(resealed(head, data), "net.mbz")
    assert "\n" not in str(told.value)


def test_a_file_of_a_later_version_says_so():
    """Which one, and which is read here."""
    with pytest.raises(MbsweepError, match=r"^net\.mbz: has version 7; this mbsweep reads version 1$"):
        read(resealed(said(), version=7), "net.mbz")


def test_another_kind_of_file_is_refused():
    """By its first bytes."""
    for content in (b"", b"PK\x03\x04", b"\x80\x04pickle"):
        with pytest.raises(MbsweepError, match=r"^net\.mbz: is no compressed network of mbsweep$"):
            read(content, "net.mbz")
