"""What compression makes of each layer, as in Table 4 of arXiv:1510.00149."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mbsweep.formats.compressed.streams import Stream
from mbsweep.formats.compressed.tensors import Floats, Packed, pack

FP32_BYTES = 4  # of a weight


class LayerSize(NamedTuple):
    """Bytes and bits of one tensor, before and after Huffman coding. Bits are those of a weight that is left.

    value_bits tell which of the shared values it has, 32 where none are shared; gap_bits where it stands,
    with the fillers of gaps that are too large for one symbol.
    """

    name: str
    weights: int
    kept: int
    values: int  # of the book; 0: none are shared
    value_bits: float
    gap_bits: float
    packed_bytes: int
    coded_value_bits: float
    coded_gap_bits: float
    coded_bytes: int

    @property
    def fp32_bytes(self) -> int:
        """Of the weights as they are."""
        return FP32_BYTES * self.weights


def layer_sizes(tensors: Mapping[str, Floats]) -> list[LayerSize]:
    """Of each tensor, its name beside it. It has to be packed twice for that: 4 million weights take 2 s."""
    found = []
    for name, tensor in tensors.items():
        plain, coded = (pack(tensor, huffman) for huffman in (False, True))
        values = len(plain.book) // FP32_BYTES if plain.shared else 0
        told = (*_bits(plain), len(plain.data), *_bits(coded), len(coded.data))
        found.append(LayerSize(name, plain.weights, plain.kept, values, *told))
    return found


def _bits(packed: Packed) -> tuple[float, float]:
    """Of a weight's value, and of its place."""
    value = _per_weight(packed.shared, packed.kept) if packed.shared else 8.0 * FP32_BYTES
    return value, _per_weight(packed.gaps, packed.kept)


def _per_weight(stream: Stream | None, kept: int) -> float:
    return 8 * len(stream.data) / kept if stream and kept else 0.0
