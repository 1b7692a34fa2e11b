"""The file of a compressed network.

    magic, 8 bytes | version, 2 | bytes of the file, 8 | of the head, 4 | head | tensors | CRC-32, 4

Numbers are little-endian. The head is JSON, deflated: what the network is, and of each tensor in turn
its name, its shape and its streams, as `Packed.head` has them. The CRC is of all bytes before it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.formats.compressed.tensors import MOST_WEIGHTS, Floats, Packed, cut, pack, unpack

MAGIC, VERSION = b"mbsweepZ", 1
_BEGINNING = struct.Struct("<8sHQI")
_CRC = struct.Struct("<I")
_MOST_HEAD = 2**24  # bytes


class Compressed(NamedTuple):
    """What a file has."""

    about: dict[str, Any]  # what the network is
    tensors: dict[str, Floats]


def written(about: Mapping[str, Any], packed: Mapping[str, Packed]) -> bytes:
    """The file of a network. about: what it is, for JSON."""
    said = {"about": about, "tensors": [[name, *tensor.head] for name, tensor in packed.items()]}
    head = zlib.compress(json.dumps(said, separators=(",", ":")).encode(), 9)
    data = b"".join(tensor.data for tensor in packed.values())
    length = _BEGINNING.size + len(head) + len(data) + _CRC.size
    content = _BEGINNING.pack(MAGIC, VERSION, length, len(head)) + head + data
    return content + _CRC.pack(zlib.crc32(content))


def packed(tensors: Mapping[str, Floats], huffman: bool = True) -> dict[str, Packed]:
    """Tensors as a file holds them. MbsweepError where a weight is no number."""
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise TypeError(f"{name} is {tensor.dtype}, not float32")
        if not np.isfinite(tensor).all():
            raise MbsweepError(f"{name} has a weight that is not a finite number: it cannot be compressed")
    return {name: pack(tensor, huffman) for name, tensor in tensors.items()}


def read(content: bytes, where: str) -> Compressed:
    """The network of a file. where: its name, which begins a refusal.

    MbsweepError where it is another kind of file, truncated or altered.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise MbsweepError(f"{where}: is no compressed network of mbsweep")
    length = 0
    if len(content) >= _BEGINNING.size:
        _, version, length, head_length = _BEGINNING.unpack_from(content)
    if len(content) != length:
        told = f"{len(content):,} of {length:,} bytes are there" if length else "its beginning alone is there"
        raise MbsweepError(f"{where}: is truncated or altered: {told}; copy it again")
    if zlib.crc32(content[: -_CRC.size]) != _CRC.unpack(content[-_CRC.size :])[0]:
        raise MbsweepError(f"{where}: is altered: its checksum differs; copy it again")
    if version != VERSION:
        raise MbsweepError(f"{where}: has version {version}; this mbsweep reads version {VERSION}")
    try:
        return _network(memoryview(content)[_BEGINNING.size : -_CRC.size], head_length)
    except (KeyError, IndexError, TypeError, ValueError, RecursionError, zlib.error) as error:
        raise MbsweepError(f"{where}: is no whole compressed network: {one_line(error, 200)}") from None


def _network(content: memoryview, head_length: int) -> Compressed:
    inflate = zlib.decompressobj()
    said = json.loads(inflate.decompress(content[:head_length], _MOST_HEAD))
    about, rest = dict(said["about"]), content[head_length:]
    found: dict[str, Packed] = {}
    for name, *words in said["tensors"]:
        found[str(name)], rest = cut(words, rest)
    if rest or len(found) != len(said["tensors"]):
        raise ValueError("it has more than it says")
    if sum(tensor.weights for tensor in found.values()) > MOST_WEIGHTS:
        raise ValueError("it has more weights than any network")
    return Compressed(about, {name: unpack(tensor) for name, tensor in found.items()})
