"""Symbols and gaps as bytes: nothing is lost, and the Huffman code is as short as one can be."""

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbsweep.formats.compressed.streams import GAP_BITS, gaps, places, read, smallest, smallest_gaps

CHUNK = 2**18  # symbols that are packed at once


def tree_bits(symbols):
    """Bits of the best prefix code of a text: the sum of the inner nodes of Huffman's tree."""
    counts, bits = np.unique(symbols, return_counts=True)[1].tolist(), 0
    heapq.heapify(counts)
    while len(counts) > 1:
        node = heapq.heappop(counts) + heapq.heappop(counts)
        bits += node
        heapq.heappush(counts, node)
    return bits


def entropy_bits(symbols):
    counts = np.unique(symbols, return_counts=True)[1]
    return float((counts * np.log2(counts.sum() / counts)).sum())


@given(
    st.integers(0, 16).flatmap(lambda w: st.tuples(st.just(w), st.lists(st.integers(0, 2**w - 1)))),
    st.booleans(),
)
def test_symbols_come_back(drawn, huffman):
    """Of any width from 0 to 16 bits, packed or coded."""
    width, symbols = drawn
    stream = smallest(np.array(symbols, np.uint16), width, huffman)
    assert read(stream).tolist() == symbols
    assert len(stream.data) <= (width * len(symbols) + 7) // 8


@pytest.mark.parametrize("count", [CHUNK - 1, CHUNK, 2 * CHUNK + 3])
@pytest.mark.parametrize("width", [3, 16])
def test_many_symbols_come_back(count, width):
    """More of them than are packed at once."""
    symbols = (np.arange(count) * 40503 % 2**width).astype(np.uint16)
    stream = smallest(symbols, width, False)
    assert len(stream.data) == -(-count * width // 8)
    assert (read(stream) == symbols).all()


@pytest.mark.parametrize("spread", [0.4, 3, 20])
@pytest.mark.parametrize("count", [40_000, 400_000])
def test_the_code_is_as_short_as_huffmans(spread, count):
    """Within 0.4 % of the tree's bits and 60 bytes of tables; not 0.1 % below the entropy."""
    drawn = np.random.default_rng(0).normal(128, spread, count)
    symbols = drawn.round().clip(0, 255).astype(np.uint16)
    bits = 8 * len(smallest(symbols, 8, True).data)
    assert 0.999 * entropy_bits(symbols) < bits < 1.004 * tree_bits(symbols) + 480


def test_symbols_above_a_byte_are_coded_too():
    """Of 10 bits whose entropy is 5.3: fewer than 7 of them are needed."""
    symbols = np.random.default_rng(0).normal(512, 10, 100_000).round().astype(np.uint16)
    stream = smallest(symbols, 10, True)
    assert stream.is_huffman
    assert 8 * len(stream.data) / 100_000 < 7
    assert (read(stream) == symbols).all()


def test_gaps_as_in_the_papers_figure():
    """Figure 2 of arXiv:1510.00149: weights at 1, 4 and 15, 3 bits, a filler where the gap is above 8."""
    found = gaps(np.array([1, 4, 15]), 3)
    assert found.tolist() == [1, 2, 7, 3]  # zeros before each; 7 zeros and no weight, then 3 more
    assert places(found, 3).tolist() == [1, 4, 15]


def test_gaps_of_one_bit_are_a_map_of_bits():
    """0 is a weight, 1 a zero."""
    assert gaps(np.array([0, 1, 4]), 1).tolist() == [0, 0, 1, 1, 0]


@given(st.sets(st.integers(0, 3000)), st.sampled_from(GAP_BITS))
def test_places_come_back(chosen, width):
    """Any places, gaps that are far larger than a symbol included."""
    at = np.array(sorted(chosen), np.int64)
    found = gaps(at, width)
    assert (found < 2**width).all()
    assert places(found, width).tolist() == sorted(chosen)


@pytest.mark.parametrize(("kept", "widths"), [(0.5, {1, 2}), (0.1, {4, 5}), (0.01, {7, 8})])
def test_the_width_of_gaps_follows_the_sparsity(kept, widths):
    """The paper takes 4 and 5 bits for about a tenth of the weights; the fewest bytes say so, too."""
    at = np.flatnonzero(np.random.default_rng(0).random(100_000) < kept)
    stream = smallest_gaps(at, False)
    assert stream.width in widths
    assert len(stream.data) == min(-(-len(gaps(at, width)) * width // 8) for width in GAP_BITS)
