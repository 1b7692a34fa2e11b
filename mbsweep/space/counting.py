"""Architecture -> Counts, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

from mbsweep.base.errors import MbsweepError
from mbsweep.space.architecture import Architecture
from mbsweep.space.families import architecture
from mbsweep.space.layers import Dim
from mbsweep.space.variant import Variant

BYTES_PER_FP32 = 4
UNKNOWN = -1  # among counts, which are whole numbers


@dataclass(frozen=True, slots=True)
class Counts:
    """Size of one network; or of many, as arrays. Does not depend on batch size or device.

    params: trainable scalars, scale and shift of batch normalisation included.
    macs: multiply-adds of convolutions and linear layers for one image.
    weight_bytes: the parameters at fp32.
    peak_activation_bytes: of one image at fp32: all tensors alive at once, at most. Inputs and outputs of a
        layer, and what a later one still reads; batch normalisation and activation in place.
    weight_bytes_int8: weights one byte each; of each output channel four bytes of bias and four of scale,
        batch normalisation folded into them.
    peak_activation_bytes_int8: the same scalars, one byte each.

    UNKNOWN is what nobody knows of a network whose layers are not known.
    """

    params: Dim
    macs: Dim
    weight_bytes: Dim
    peak_activation_bytes: Dim
    weight_bytes_int8: Dim
    peak_activation_bytes_int8: Dim

    @classmethod
    def of(cls, net: Architecture) -> Counts:
        """Those of a network; of the networks of a grid, as arrays."""
        params, peak = net.params, net.peak
        return cls(params, net.macs, BYTES_PER_FP32 * params, BYTES_PER_FP32 * peak, net.bytes_int8, peak)


def count(variant: Variant) -> Counts:
    """Parameters, mult-adds and memory of one variant, from the shapes of its layers.

    Raises MbsweepError for a network that is code, which is counted by running it.
    """
    if variant.is_code:
        raise MbsweepError(f"{variant.family} is code: only `mbsweep.count_space` of a sweep counts it")
    found = Counts.of(architecture(variant))
    return Counts(*(int(getattr(found, name)) for name in Counts.__slots__))


NOT_COUNTED = Counts(*[UNKNOWN] * len(Counts.__slots__))


@dataclass(frozen=True)
class Found:
    """What running the code of a network's factory has told of it.

    note: what a reader of its counts must know. failure: why it gives no network; empty where it does.
    code: a hash of the file of its factory's module; empty where there is none.
    """

    counts: Counts = NOT_COUNTED
    note: str = ""
    failure: str = ""
    code: str = ""
