"""What a backend makes of a network: a call that can be timed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Call = Callable[[], object]


@dataclass(frozen=True)
class Prepared:
    """A network, ready to be timed in one runtime with one configuration.

    call: runs it once on its image, and returns the output when it is there: a NumPy array or a CPU tensor.
    file_bytes: size on disk of the file that the runtime loads; of the weights where it loads none.
    time_ns: runs it once and tells the duration itself, for devices that have a clock of their own.
        None: a clock around `call`.
    rounded: the output that the file's own rounding to integers gives, which `call` is to be held to.
        None: nothing is rounded to integers. rounded_within: by how much of its largest value it may differ;
        nothing is within NaN.
    """

    call: Call
    file_bytes: int
    time_ns: Callable[[], int] | None = None
    rounded: NDArray[np.float32] | None = None
    rounded_within: float = math.nan
