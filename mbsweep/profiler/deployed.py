"""A trained network in a runtime: what it gives for any image, and the file that is loaded there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Classify = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (1, 3, size, size) -> (1, classes)


@dataclass(frozen=True)
class Deployed:
    """A network, ready for one image after another.

    classify: an image, as the network reads it, -> its logits. content: the file that the runtime loads;
    empty where it loads none. ending: of its name, such as ".onnx".
    """

    classify: Classify
    content: bytes = b""
    ending: str = ""
