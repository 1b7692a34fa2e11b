"""Weights that are the same wherever they are made: by their names, from a generator that never changes."""

import zlib

import numpy as np


def made(name, shape):
    """A tensor of a library's state dict. Variances are so far from 0 that no rounding grows through fifty
    layers, and so small that an epsilon of 0.001 counts.
    """
    chance = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return chance.uniform(0.3, 1.5, shape).astype(np.float32)
    if len(shape) > 1:  # as He et al., by the fan-in
        return (chance.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
    if name.endswith("weight"):
        return chance.uniform(0.4, 1.0, shape).astype(np.float32)
    return (0.3 * chance.standard_normal(shape)).astype(np.float32)


def image(resolution):
    """(1, 3, resolution, resolution)."""
    chance = np.random.RandomState(resolution)
    return chance.standard_normal((1, 3, resolution, resolution)).astype(np.float32)
