"""Tables 1 and 2 of arXiv:1704.04861 beside the layers that MobileNet has here, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mbsweep.space.families import architecture
from mbsweep.space.layers import Layer
from mbsweep.space.variant import Variant

# As printed: type and stride, filter shape, input size
TABLE_1 = (
    ("Conv / s2", "3x3x3x32", "224x224x3"),
    ("Conv dw / s1", "3x3x32 dw", "112x112x32"),
    ("Conv / s1", "1x1x32x64", "112x112x32"),
    ("Conv dw / s2", "3x3x64 dw", "112x112x64"),
    ("Conv / s1", "1x1x64x128", "56x56x64"),
    ("Conv dw / s1", "3x3x128 dw", "56x56x128"),
    ("Conv / s1", "1x1x128x128", "56x56x128"),
    ("Conv dw / s2", "3x3x128 dw", "56x56x128"),
    ("Conv / s1", "1x1x128x256", "28x28x128"),
    ("Conv dw / s1", "3x3x256 dw", "28x28x256"),
    ("Conv / s1", "1x1x256x256", "28x28x256"),
    ("Conv dw / s2", "3x3x256 dw", "28x28x256"),
    ("Conv / s1", "1x1x256x512", "14x14x256"),
    ("5x Conv dw / s1", "3x3x512 dw", "14x14x512"),
    ("5x Conv / s1", "1x1x512x512", "14x14x512"),
    ("Conv dw / s2", "3x3x512 dw", "14x14x512"),
    ("Conv / s1", "1x1x512x1024", "7x7x512"),
    ("Conv dw / s2", "3x3x1024 dw", "7x7x1024"),
    ("Conv / s1", "1x1x1024x1024", "7x7x1024"),
    ("Avg Pool / s1", "Pool 7x7", "7x7x1024"),
    ("FC / s1", "1024x1000", "1x1x1024"),
    ("Softmax / s1", "Classifier", "1x1x1000"),
)
REPEATED = slice(13, 23)  # the layers here of the two rows that stand there once for five

# As printed: type, percent of mult-adds, percent of parameters
TABLE_2 = (
    ("Conv 1x1", "94.86", "74.59"),
    ("Conv DW 3x3", "3.06", "1.06"),
    ("Conv 3x3", "1.19", "0.02"),
    ("Fully Connected", "0.18", "24.33"),
)
_TYPES = {"conv_pw": "Conv 1x1", "conv_dw": "Conv DW 3x3", "conv": "Conv 3x3", "fc": "Fully Connected"}


def body() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each row of Table 1, and what it should be for the layers here."""
    layers = list(architecture(Variant()).layers)
    repeated = layers[REPEATED]
    layers[REPEATED] = repeated[:2]
    assert repeated == repeated[:2] * 5  # noqa: S101
    ours = [_row(layer) for layer in layers]
    for place in range(13, 15):
        ours[place] = (f"5x {ours[place][0]}", *ours[place][1:])
    ours.append(TABLE_1[-1])  # a softmax has no weights: here it belongs to what uses the logits
    yield from zip(TABLE_1, ours, strict=True)


def _row(layer: Layer) -> tuple[str, str, str]:
    given = f"{layer.in_size}x{layer.in_size}x{layer.in_channels}"
    kernel = f"{layer.kernel[0]}x{layer.kernel[1]}"
    if layer.kind == "conv_dw":
        return f"Conv dw / s{layer.stride}", f"{kernel}x{layer.in_channels} dw", given
    if layer.is_conv:
        return f"Conv / s{layer.stride}", f"{kernel}x{layer.in_channels}x{layer.out_channels}", given
    if layer.kind == "avg_pool":
        return "Avg Pool / s1", f"Pool {kernel}", given
    return "FC / s1", f"{layer.in_channels}x{layer.out_channels}", given


@dataclass(frozen=True)
class Share:
    """What one type of layers has of the whole, in percent: as printed, and here."""

    name: str
    macs_pct: str
    our_macs_pct: float
    params_pct: str
    our_params_pct: float  # of the weights alone, without batch normalisation and bias


def shares() -> list[Share]:
    """Each row of Table 2, and what it is here."""
    layers = architecture(Variant()).layers
    macs, weights = (sum(getattr(layer, name) for layer in layers) for name in ("macs", "weights"))
    found = []
    for name, macs_pct, params_pct in TABLE_2:
        of_type = [layer for layer in layers if _TYPES.get(layer.kind) == name]
        our_macs_pct = 100 * sum(layer.macs for layer in of_type) / macs
        our_params_pct = 100 * sum(layer.weights for layer in of_type) / weights
        found.append(Share(name, macs_pct, our_macs_pct, params_pct, our_params_pct))
    return found
