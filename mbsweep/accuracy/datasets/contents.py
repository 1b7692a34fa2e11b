"""What an image is, whatever its file is called and in whichever part it is: a hash of its content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

LEVELS = "0 to 255, less the mean and divided by the standard deviation of each channel in the train part"


def content_hash(data: bytes) -> int:
    """64 bits of the SHA-256 of a content."""
    return from_sha256(hashlib.sha256(data).hexdigest())


def from_sha256(digest: str) -> int:
    """64 bits of a SHA-256 in hexadecimal digits."""
    return int.from_bytes(bytes.fromhex(digest[:16]), "little", signed=True)


def content_hashes(images: Iterable[NDArray[np.generic]]) -> NDArray[np.int64]:
    """(images,): of each image."""
    return np.array([content_hash(image.tobytes()) for image in images], np.int64)
