"""What training costs before anything is trained: rough, for plans and for what epochs weigh."""

from __future__ import annotations

from typing import Any

_MACS_PER_S = 25e9  # of one core
_IMAGE_S = 1.5e-4  # of each image, whatever the network


def image_s(macs: Any) -> Any:
    """Seconds of one core for each image of an epoch. macs: mult-adds of networks, a number or an array."""
    return 3 * macs / _MACS_PER_S + _IMAGE_S  # forward, and twice as much back
