"""Layers, and the blocks that bodies are made of: the only arithmetic on shapes in mbsweep."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: a convolution with its batch normalisation and ReLU, the pooling, or the classifier.

    Sizes are the height and width in pixels (inputs are square).
    """

    name: str
    kind: str  # a key of KINDS
    kernel: int
    stride: int
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int

    @property
    def weights(self) -> int:
        """Scalars in the kernel or matrix, without bias and batch normalisation."""
        if self.kind == "avg_pool":
            return 0
        inputs_per_output = 1 if self.kind == "conv_dw" else self.in_channels
        return self.kernel**2 * inputs_per_output * self.out_channels

    @property
    def is_normalised(self) -> bool:
        """Whether batch normalisation follows: after every convolution."""
        return self.kind not in ("avg_pool", "fc")

    @property
    def params(self) -> int:
        """Trainable scalars: the weights, and scale and shift of batch normalisation or the bias."""
        if self.kind == "avg_pool":
            return 0
        return self.weights + self.out_channels * (2 if self.is_normalised else 1)

    @property
    def macs(self) -> int:
        """Multiply-adds for one image (equations 2 and 4 of arXiv:1704.04861): weights x output positions."""
        return self.weights * self.out_size**2

    @property
    def activations(self) -> int:
        """Scalars alive while this layer runs: its input and its output."""
        return self.in_channels * self.in_size**2 + self.out_channels * self.out_size**2


# kind -> the name that Tables 1 and 2 of the paper give it
KINDS = {
    "conv": "Conv 3x3",
    "conv_dw": "Conv DW 3x3",
    "conv_pw": "Conv 1x1",
    "avg_pool": "Avg Pool",
    "fc": "Fully Connected",
}


def conv(name: str, kind: str, kernel: int, stride: int, channels: tuple[int, int], size: int) -> Layer:
    """A convolution padded by kernel // 2: a stride of 2 turns n pixels into ceil(n / 2)."""
    out_size = (size + 2 * (kernel // 2) - kernel) // stride + 1
    return Layer(name, kind, kernel, stride, *channels, size, out_size)


def separable(name: str, channels: tuple[int, int], stride: int, size: int) -> tuple[Layer, ...]:
    """Depthwise separable convolution (section 3.1): 3x3 per channel, then 1x1 across the channels."""
    depthwise = conv(f"{name}.dw", "conv_dw", 3, stride, (channels[0], channels[0]), size)
    return depthwise, conv(f"{name}.pw", "conv_pw", 1, 1, channels, depthwise.out_size)


def standard(name: str, channels: tuple[int, int], stride: int, size: int) -> tuple[Layer, ...]:
    """One full 3x3 convolution in place of a separable pair: the "Conv MobileNet" of Table 4."""
    return (conv(f"{name}.conv", "conv", 3, stride, channels, size),)


# name -> (block name, (in, out) channels, stride, input size) -> its layers, which follow one another
BLOCKS: dict[str, Callable[[str, tuple[int, int], int, int], tuple[Layer, ...]]] = {
    "separable": separable,
    "standard": standard,
}
