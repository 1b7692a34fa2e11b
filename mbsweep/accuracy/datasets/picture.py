"""A file -> its picture, at each resolution; or what is wrong with it, in words."""

from __future__ import annotations

import contextlib
import hashlib
import io
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")  # Pillow's names; no others are tried, whatever a file holds


class Decoded(NamedTuple):
    """What became of a file."""

    content: str  # SHA-256
    images: dict[int, NDArray[np.uint8]]  # resolution -> (resolution, resolution, 3)


def decode(path: Path, resolutions: Sequence[int]) -> Decoded | str:
    """A file's images, or what is wrong with it."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would have us wait
            return "not a file"
        data = path.read_bytes()
    except OSError as error:
        return error.strerror or "unreadable"
    if not data:
        return "empty"
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            opened.load()
            image = _rgb(opened)
        images = {
            size: np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR))
            for size in resolutions
        }
    except UnidentifiedImageError:
        return "not an image"
    except Image.DecompressionBombError:
        return "too many pixels"
    except Exception as error:  # Pillow's readers raise all kinds of errors on damaged files
        return f"damaged: {printable(' '.join(str(error).split())[:80]) or type(error).__name__}"
    return Decoded(hashlib.sha256(data).hexdigest(), images)


def _rgb(image: Image) -> Image:
    """Upright, in three channels of 8 bits, and on white where it is transparent."""
    from PIL import Image, ImageOps

    with contextlib.suppress(Exception):  # damaged EXIF does not make the image worse
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit grey; convert() would clip it
        return Image.fromarray((np.asarray(image, np.float64) / 257 + 0.5).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def printable(text: str) -> str:
    """A path as a message shows it: on one line, and without bytes that cannot be written."""
    return text if text.isprintable() else repr(text)
