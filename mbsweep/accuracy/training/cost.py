"""What training costs before anything is trained: rough, for plans and for what epochs weigh."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mbsweep.base.cores import usable_cores

_MACS_PER_S = 25e9  # of one core
_IMAGE_S = 1.5e-4  # of each image, whatever the network


def image_s(macs: Any) -> Any:
    """Seconds of one core for each image of an epoch. macs: mult-adds of networks, a number or an array."""
    return 3 * macs / _MACS_PER_S + _IMAGE_S  # forward, and twice as much back


def together_s(each_s: ArrayLike, seats: int | None) -> float:
    """Seconds of some trainings at once. each_s: of one core.

    seats: of a cluster, where each training has a core; None: they share those of this machine.
    """
    each = np.asarray(each_s, np.float64)
    if seats is None:
        return float(each.sum()) / usable_cores()
    return max(float(each.sum()) / seats, float(each.max(initial=0.0)))
