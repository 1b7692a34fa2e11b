"""One tensor as a compressed file holds it, in as few bytes as its values allow."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.formats.compressed.streams import (
    GAP_BITS,
    MOST_BITS,
    Stream,
    places,
    read,
    smallest,
    smallest_gaps,
)

Floats = NDArray[np.float32]

MOST_WEIGHTS = 2**28  # of a file: VGG 16 has half as many
_MOST_AXES = 8


class Packed(NamedTuple):
    """A tensor: where its weights are, what each is.

    A weight is what is not zero. Where no weight is zero, nothing says where they are.
    """

    shape: tuple[int, ...]
    gaps: Stream | None  # None: every place has a value
    shared: Stream | None  # which value of the book each weight has; None: `book` has that of each
    book: bytes  # values, float32, little-endian

    @property
    def head(self) -> list[Any]:
        """What the file says of it, for JSON: shape, the two streams without their bytes, bytes of each."""
        return [self.shape, *map(_said, (self.gaps, self.shared)), len(self.book)]

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return b"".join(stream.data for stream in (self.gaps, self.shared) if stream) + self.book

    @property
    def weights(self) -> int:
        """How many there are, zeros included."""
        return math.prod(self.shape)

    @property
    def kept(self) -> int:
        """How many have a value of their own, or one of the book's."""
        return self.shared.symbols if self.shared else len(self.book) // 4


def pack(tensor: Floats, huffman: bool) -> Packed:
    """The smallest form of a float32 tensor. Nothing is lost: not the sign of a zero, either.

    Gaps where there are zeros, a book of values where there are few different ones, each where it saves
    bytes. Sharing and pruning need not be told: they are seen.
    """
    held = np.ascontiguousarray(tensor, "<f4").reshape(-1).view(np.uint32)
    at = np.flatnonzero(held)
    forms = []
    if len(at) < len(held):
        forms.append(_form(tensor.shape, smallest_gaps(at, huffman), held[at], huffman))
    if 2 * len(at) >= len(held):  # of few weights the gaps are always smaller
        forms.append(_form(tensor.shape, None, held, huffman))
    return min(forms, key=lambda form: len(form.data))


def _form(shape: tuple[int, ...], where: Stream | None, kept: NDArray[np.uint32], huffman: bool) -> Packed:
    plain, distinct = Packed(shape, where, None, kept.tobytes()), np.unique(kept)
    width = max(len(distinct) - 1, 0).bit_length()
    if width > MOST_BITS:
        return plain
    which = np.searchsorted(distinct, kept).astype(np.uint16)
    shared = Packed(shape, where, smallest(which, width, huffman), distinct.tobytes())
    return min(plain, shared, key=lambda form: len(form.data))


def unpack(packed: Packed) -> Floats:
    """The tensor. ValueError or zlib.error where the bytes are not those of one."""
    size = packed.weights
    kept = np.frombuffer(packed.book, "<f4")
    if packed.shared:
        which = read(packed.shared)
        if len(which) and which.max() >= len(kept):
            raise ValueError("a weight has no value")
        kept = kept[which]
    if packed.gaps is None:
        return kept.reshape(packed.shape).astype(np.float32)
    at = places(read(packed.gaps), packed.gaps.width)
    if len(at) != len(kept) or (len(at) and at[-1] >= size):
        raise ValueError("the weights do not have as many places as they need")
    found = np.zeros(size, np.float32)
    found[at] = kept
    return found.reshape(packed.shape)


def cut(said: Any, data: memoryview) -> tuple[Packed, memoryview]:
    """A tensor from what `head` has said, cut off the bytes of a file; and the rest of them.

    ValueError, TypeError or IndexError where that says no tensor.
    """
    shape, gaps, shared, book_bytes = said
    sizes = tuple(_whole(size, MOST_WEIGHTS) for size in shape[:_MOST_AXES])
    weights = _whole(math.prod(sizes), MOST_WEIGHTS)
    streams: list[Stream | None] = []
    for words, widths in ((gaps, GAP_BITS), (shared, range(MOST_BITS + 1))):
        if words is None:
            streams.append(None)
            continue
        width, symbols, is_huffman, length = words
        if width not in widths:
            raise ValueError("a symbol has too many bits")
        part, data = _taken(data, length)
        symbols = _whole(symbols, weights)  # none stands for less than a place
        streams.append(Stream(_whole(width, MOST_BITS), symbols, bool(is_huffman), part))
    book, data = _taken(data, book_bytes)
    return Packed(sizes, streams[0], streams[1], book), data


def _taken(data: memoryview, length: Any) -> tuple[bytes, memoryview]:
    length = _whole(length, len(data))
    return bytes(data[:length]), data[length:]


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("a number is no size")
    return value


def _said(stream: Stream | None) -> list[Any] | None:
    return (
        None if stream is None else [stream.width, stream.symbols, int(stream.is_huffman), len(stream.data)]
    )
