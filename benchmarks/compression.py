"""Compressed files: exact, small and quick; and what a trained network loses.

Random tensors, AlexNet's fully connected layers, and 4 million weights there and back on one core; the
digits' 0.5-64, trained with two seeds, pruned, shared and coded. AlexNet's weights are drawn from a normal
distribution and the smallest are left out; those of trained layers have longer tails, and so fewer of the
shared values are common: their files are smaller yet.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mbsweep import run
from mbsweep.base.cores import usable_cores
from mbsweep.formats.compressed.file import packed, read, written
from mbsweep.formats.compressed.layers import layer_sizes
from mbsweep.formats.compressed.sharing import share
from mbsweep.formats.compressed.tensors import Floats
from mbsweep.sweep.sweep import parse_sweep

DIGITS = """\
space: {width: 0.5, resolution: 64, num_classes: 10}
accuracy: {source: trained, dataset: {name: digits}, recipe: {epochs: 8}}
compress:
  - {sparsity: 0.8, bits: {conv: 5, depthwise: 8, fc: 5}}
"""
TENSORS = 1000
MILLIONS = 4
# Table 4 of arXiv:1510.00149: weights, and the share of them that is kept; all with 5 bits
ALEXNET = {"fc6": (9216 * 4096, 0.09), "fc7": (4096 * 4096, 0.09), "fc8": (4096 * 1000, 0.25)}


def main() -> None:
    """Print the figures; exit with an error where a bit differs."""
    _random(np.random.default_rng(0))
    for kept, bits in ((1.0, 8), (0.2, 8), (0.1, 5)):
        _timed(np.random.default_rng(0), kept, bits)
    _alexnet(np.random.default_rng(0))
    _digits()


def _drawn(draw: np.random.Generator, count: int, kept: float, bits: int) -> Floats:
    """Normal weights, so many of them left, that share 2 ** bits values."""
    weights = draw.standard_normal(count, np.float32)
    size = abs(weights)
    if kept < 1:
        weights[size < np.partition(size, int(count * (1 - kept)))[int(count * (1 - kept))]] = 0
    at = np.flatnonzero(weights)
    shared = share(weights[at], bits)
    weights[at] = shared.values[shared.which]
    return weights


def _back(weights: Floats) -> tuple[int, float, float]:
    """Bytes of the file of one tensor, seconds of the processor to write and to read it."""
    begun = time.process_time()
    content = written({}, packed({"weights": weights}))
    between = time.process_time()
    found = read(content, "the file").tensors["weights"]
    ended = time.process_time()
    if found.tobytes() != weights.tobytes():
        sys.exit("a tensor did not come back bit for bit")
    return len(content), between - begun, ended - between


def _random(draw: np.random.Generator) -> None:
    for _ in range(TENSORS):
        shape = tuple(draw.integers(0, 12, draw.integers(0, 5)))
        kept, bits = draw.random(), int(draw.integers(1, 17))
        weights = _drawn(draw, int(np.prod(shape)), 1.0, bits).reshape(shape)
        _back(np.where(draw.random(shape) < kept, weights, np.float32(0)))
    print(f"{TENSORS:,} random tensors came back bit for bit (wanted: all)")


def _timed(draw: np.random.Generator, kept: float, bits: int) -> None:
    weights = _drawn(draw, MILLIONS * 10**6, kept, bits)
    size, encoding_s, decoding_s = _back(weights)
    print(
        f"{MILLIONS} M weights, {kept:.0%} kept, {bits} bits: encoded in {encoding_s:.2f} s, decoded in "
        f"{decoding_s:.2f} s of one core (wanted: at most 5 together); "
        f"{weights.nbytes / size:.1f} times smaller",
        flush=True,
    )


def _alexnet(draw: np.random.Generator) -> None:
    before = after = 0
    for name, (count, kept) in ALEXNET.items():
        (layer,) = layer_sizes({name: _drawn(draw, count, kept, 5)})
        before, after = before + layer.fp32_bytes, after + layer.coded_bytes
        print(
            f"AlexNet's {name}, {kept:.0%} kept, 5 bits: {layer.value_bits:.1f} bits per weight and "
            f"{layer.gap_bits:.1f} per index, {layer.packed_bytes / layer.fp32_bytes:.2%} of fp32; Huffman "
            f"coded {layer.coded_value_bits:.1f} and {layer.coded_gap_bits:.1f}, "
            f"{layer.coded_bytes / layer.fp32_bytes:.2%}",
            flush=True,
        )
    print(f"AlexNet's fully connected layers: {before / after:.1f} times smaller (wanted: at least 30)")


def _digits() -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = run(parse_sweep(DIGITS, "digits"), Path(folder) / "run", jobs=usable_cores())
        table = done.compressed()
    for row in table[table["step"] != "trained"].itertuples():
        print(
            f"digits' 0.5-64, {row.scheme}: {row.bytes:,.0f} bytes, {row.ratio:.1f} times smaller; top-1 "
            f"{row.top1_pct:.2f} %, a drop of {row.top1_drop_pct:.2f} points ({row.top1_drop_low_pct:.2f} to "
            f"{row.top1_drop_high_pct:.2f})"
        )
    print("wanted: at least 10 times smaller within 1 point")


if __name__ == "__main__":
    main()
