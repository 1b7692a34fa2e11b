"""Architecture -> torch.nn.Module. Takes no numeric decision: every size comes from the architecture."""

import math
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch.nn.functional as F  # noqa: N812  (as everyone calls it)
from torch import Tensor, nn

from mbsweep.space.blocks import Layer
from mbsweep.space.families import architecture
from mbsweep.space.variant import Variant

# TF-Slim's mobilenet_v1.py keeps 0.999 of the units before the classifier; the paper names no rate.
DROPOUT = 0.001
SMALL = 2  # pixels: up to here a pointwise convolution is trained sooner as a product of matrices


def _conv(layer: Layer, dropout: float) -> nn.Module:
    """Convolution, batch normalisation, ReLU (Figure 3 of arXiv:1704.04861)."""
    groups = layer.in_channels if layer.kind == "conv_dw" else 1
    conv = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel,
        layer.stride,
        padding=layer.kernel // 2,
        groups=groups,
        bias=False,
    )
    # He et al. (arXiv:1502.01852), by fan-out. PyTorch's kaiming_normal_ takes a depthwise kernel to feed all
    # channels, which makes it sqrt(channels) times too small: each of its outputs sees one channel only.
    fan_out = layer.kernel**2 * layer.out_channels // groups
    nn.init.normal_(conv.weight, std=math.sqrt(2 / fan_out))
    parts = OrderedDict(conv=conv, bn=nn.BatchNorm2d(layer.out_channels), relu=nn.ReLU(inplace=True))
    return nn.Sequential(parts)


def _avg_pool(layer: Layer, dropout: float) -> nn.Module:
    return nn.Sequential(OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()))


def _classifier(layer: Layer, dropout: float) -> nn.Module:
    linear = nn.Linear(layer.in_channels, layer.out_channels)
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(OrderedDict(dropout=nn.Dropout(dropout), linear=linear))


# kind of layer -> its module
LAYERS: dict[str, Callable[[Layer, float], nn.Module]] = {
    "conv": _conv,
    "conv_dw": _conv,
    "conv_pw": _conv,
    "avg_pool": _avg_pool,
    "fc": _classifier,
}


def build(variant: Variant, dropout: float = DROPOUT) -> nn.Module:
    """The network of a variant, initialised for training.

    Input: float images of shape (batch, 3, resolution, resolution). Output: logits of shape
    (batch, num_classes); softmax is left to the loss. Its children carry the names of the architecture's
    layers, with "_" for ".". Works under `torch.device("meta")`. Random weights follow torch's global seed.
    """
    return assemble(architecture(variant).layers, dropout)


def assemble(layers: Sequence[Layer], dropout: float = DROPOUT) -> nn.Module:
    """Layers that follow one another, whole network or part of one; its children are named after them."""
    return nn.Sequential(
        OrderedDict((layer.name.replace(".", "_"), LAYERS[layer.kind](layer, dropout)) for layer in layers)
    )


class _Product(nn.Module):
    """A pointwise convolution, its weights shared, as a product of matrices."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, images: Tensor) -> Tensor:
        """(batch, in channels, size, size) -> (batch, out channels, size, size)."""
        return F.linear(images.permute(0, 2, 3, 1), self.conv.weight[:, :, 0, 0]).permute(0, 3, 1, 2)


def for_training(net: nn.Module, variant: Variant) -> nn.Module:
    """The network of a variant as it is sooner trained on a CPU. It shares all that is learnt with `net`.

    oneDNN lays the weights of a convolution out anew, and their gradient back, at every step. Where an image
    is of few pixels that takes longer than the convolution; a product of matrices does without.
    """
    parts = OrderedDict(net.named_children())
    for layer in architecture(variant).layers:
        name = layer.name.replace(".", "_")
        if layer.kind == "conv_pw" and layer.out_size <= SMALL:
            conv, bn, relu = parts[name].children()
            parts[name] = nn.Sequential(_Product(conv), bn, relu)  # type: ignore[arg-type]
    return nn.Sequential(parts)


def folded(net: nn.Module) -> nn.Module:
    """The network for inference, batch normalisation folded into the convolutions and dropout left out.

    It gives the same logits to rounding, sooner; and a compiler has half of the nodes to pass through.
    net: in evaluation mode; it is not changed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is about parts of torch that are not used
        from torch.fx.experimental.optimization import fuse, remove_dropout

    return remove_dropout(fuse(net))
