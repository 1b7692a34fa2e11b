"""Layer -> torch.nn.Module: a module for each kind of layer, one for each activation."""

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mbsweep.space.layers import Layer

# TF-Slim's mobilenet_v1.py keeps 0.999 of the units before the classifier; the paper names no rate.
DROPOUT = 0.001

Parts = OrderedDict[str, nn.Module]


class Junction(nn.Sequential):
    """What several inputs make together, then what follows it."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """The first of its children takes all of the inputs."""
        first, *behind = self
        output: Tensor = first(*inputs)
        for module in behind:
            output = module(output)
        return output


class Add(nn.Module):
    """The sum of two maps."""

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Of the same shape."""
        return one + other


class Scale(nn.Module):
    """A map, each channel of it times a number."""

    def forward(self, image: Tensor, gate: Tensor) -> Tensor:
        """(batch, channels, size, size), (batch, channels, 1, 1) -> (batch, channels, size, size)."""
        return image * gate


class Concat(nn.Module):
    """The channels of several maps."""

    def forward(self, *maps: Tensor) -> Tensor:
        """In their order."""
        return torch.cat(maps, 1)


def _conv(layer: Layer, dropout: float) -> Parts:
    """Figure 3 of arXiv:1704.04861: convolution, batch normalisation; an activation follows."""
    top, left, bottom, right = layer.pads
    is_even = (top, left) == (bottom, right)
    conv = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel,
        layer.stride,
        padding=(top, left) if is_even else 0,
        groups=layer.groups,
        bias=layer.bias,
    )
    # He et al. (arXiv:1502.01852), by fan-out. PyTorch's kaiming_normal_ takes a depthwise kernel to feed all
    # channels, which makes it sqrt(channels) times too small: each of its outputs sees one channel only.
    fan_out = layer.kernel[0] * layer.kernel[1] * layer.out_channels // layer.groups
    nn.init.normal_(conv.weight, std=math.sqrt(2 / fan_out))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    parts: Parts = OrderedDict()
    if not is_even:
        parts["pad"] = nn.ZeroPad2d((left, right, top, bottom))
    parts["conv"] = conv
    if layer.norm:
        parts["bn"] = nn.BatchNorm2d(layer.out_channels, layer.epsilon)
    return parts


def _fc(layer: Layer, dropout: float) -> Parts:
    linear = nn.Linear(layer.in_channels * layer.in_size**2, layer.out_channels)
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
    return OrderedDict(dropout=nn.Dropout(dropout), linear=linear)


def _max_pool(layer: Layer, dropout: float) -> Parts:
    return OrderedDict(pool=nn.MaxPool2d(layer.kernel, layer.stride, layer.padding, ceil_mode=layer.ceil))


def _avg_pool(layer: Layer, dropout: float) -> Parts:
    return OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())


# kind of layer -> its modules before the activation, by name; the second argument is the dropout before a
# matrix
LAYERS: dict[str, Callable[[Layer, float], Parts]] = {
    "conv": _conv,
    "conv_dw": _conv,
    "conv_pw": _conv,
    "fc": _fc,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "squeeze": lambda layer, dropout: OrderedDict(pool=nn.AdaptiveAvgPool2d(1)),
    "scale": lambda layer, dropout: OrderedDict(scale=Scale()),
    "add": lambda layer, dropout: OrderedDict(add=Add()),
    "concat": lambda layer, dropout: OrderedDict(concat=Concat()),
}

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hard_swish": lambda: nn.Hardswish(inplace=True),
    "hard_sigmoid": lambda: nn.Hardsigmoid(inplace=True),
}


def part(layer: Layer, dropout: float, reads_flat: bool) -> nn.Module:
    """The module of a layer. reads_flat: whether what it reads first has no height and width."""
    parts = LAYERS[layer.kind](layer, dropout)
    if layer.kind == "fc" and not reads_flat:
        parts = OrderedDict(flatten=nn.Flatten(), **parts)
    if layer.activation:
        parts[layer.activation] = ACTIVATIONS[layer.activation]()
    return nn.Sequential(parts) if len(layer.reads) == 1 else Junction(parts)
