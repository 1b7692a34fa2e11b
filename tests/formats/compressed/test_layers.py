"""The table of layers: its bits and bytes are those of the file."""

import numpy as np
import pytest

from mbsweep.formats.compressed.file import packed, written
from mbsweep.formats.compressed.layers import layer_sizes


def test_a_layer_as_in_the_papers_table():
    """A tenth of 50,000 weights left, of 32 values: 5 bits of value; the table's bytes are the file's."""
    draw = np.random.default_rng(0)
    book = draw.normal(size=32).astype(np.float32)
    tensors = {
        "fc": np.where(
            draw.random((500, 100)) < 0.1, book[draw.binomial(31, 0.5, (500, 100))], np.float32(0)
        ),
        "bias": draw.normal(size=500).astype(np.float32),
    }
    fc, bias = layer_sizes(tensors)
    assert (fc.name, fc.weights, fc.fp32_bytes) == ("fc", 50_000, 200_000)
    assert fc.kept == np.count_nonzero(tensors["fc"])
    assert fc.value_bits == pytest.approx(5, abs=0.01)
    assert 4 < fc.gap_bits < 5.5
    assert fc.coded_value_bits < 4  # the entropy of this binomial draw is 3.5 bits
    assert fc.packed_bytes == pytest.approx(fc.kept * (fc.value_bits + fc.gap_bits) / 8 + 4 * fc.values)
    assert (bias.kept, bias.values, bias.value_bits, bias.gap_bits) == (500, 0, 32, 0)
    for huffman, name in ((False, "packed_bytes"), (True, "coded_bytes")):
        forms = packed(tensors, huffman)
        beside = len(written({}, forms)) - sum(getattr(layer, name) for layer in (fc, bias))
        assert 26 < beside < 150  # beginning, head, checksum
