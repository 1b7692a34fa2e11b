"""How channels are rounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from mbsweep.space.layers import Dim


def make_divisible(channels: Any, divisor: int = 8) -> Dim:
    """Nearest multiple of `divisor`, but never less than 90 % of `channels`, which may be an array.

    The rounding of MobileNetV2's reference code. At the paper's four widths it changes nothing; 32
    channels at alpha = 0.35 give 11.2 -> 16, not 8. A divisor of 1 rounds to the nearest whole number,
    whatever that is in percent.
    """
    if not isinstance(channels, np.ndarray):  # a tenth of the time
        one = max(divisor, int(channels + divisor / 2) // divisor * divisor)
        return one + divisor if divisor > 1 and one < 0.9 * channels else one
    rounded = np.maximum(divisor, (channels + divisor / 2).astype(np.int64) // divisor * divisor)
    return np.where((divisor > 1) & (rounded < 0.9 * channels), rounded + divisor, rounded)
