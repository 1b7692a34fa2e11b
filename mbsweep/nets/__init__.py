"""Architecture -> torch.nn.Module. Takes no numeric decision: every size comes from the architecture."""

import copy
import warnings
from collections import OrderedDict
from collections.abc import Sequence

import torch.nn.functional as F  # noqa: N812  (as everyone calls it)
from torch import Tensor, nn

from mbsweep.nets.factories import made
from mbsweep.nets.parts import DROPOUT, LAYERS, part
from mbsweep.space.families import architecture
from mbsweep.space.layers import Layer
from mbsweep.space.variant import Variant

__all__ = ["DROPOUT", "LAYERS", "Network", "assemble", "build", "folded", "for_training"]

SMALL = 2  # pixels: up to here a pointwise convolution is trained sooner as a product of matrices


class Network(nn.Sequential):
    """Layers that read one another, a whole network or part of one. Its children are named after them.

    layers: the description that it was made from.
    """

    def __init__(self, layers: Sequence[Layer], children: Sequence[nn.Module]) -> None:
        super().__init__(
            OrderedDict((layer.child, child) for layer, child in zip(layers, children, strict=True))
        )
        self.layers = tuple(layers)
        self._is_chain = all(layer.reads == (-1,) for layer in layers)
        # Of each layer the tensors that it reads: 0 is the image, 1 what the first layer gives.
        self._reads = [
            tuple(place + 1 + back for back in layer.reads) for place, layer in enumerate(self.layers)
        ]
        last_reader = {tensor: place for place, reads in enumerate(self._reads) for tensor in reads}
        self._read_last: list[list[int]] = [[] for _ in layers]
        for tensor, place in last_reader.items():
            self._read_last[place].append(tensor)

    def forward(self, image: Tensor) -> Tensor:
        """What the last layer gives. A tensor is let go once its last reader has it."""
        if self._is_chain:
            return super().forward(image)  # type: ignore[no-any-return, no-untyped-call]
        alive = {0: image}
        for place, child in enumerate(self):
            alive[place + 1] = child(*(alive[tensor] for tensor in self._reads[place]))
            for tensor in self._read_last[place]:
                del alive[tensor]
        return alive[len(self)]

    def extra_repr(self) -> str:
        """Beside the modules, which of them read what: two graphs of the same modules differ."""
        return "" if self._is_chain else f"reads={[layer.reads for layer in self.layers]}"


def build(variant: Variant, dropout: float = DROPOUT) -> nn.Module:
    """The network of a variant, initialised for training.

    Input: float images of shape (batch, 3, resolution, resolution). Output: logits of shape
    (batch, num_classes); softmax is left to the loss. Its children carry the names of the architecture's
    layers, with "_" for ".". Works under `torch.device("meta")`. Random weights follow torch's global seed.

    A network that is code is as its factory makes it. Raises FactoryError where it makes none, MbsweepError
    outside `mbsweep.code_allowed()`.
    """
    if variant.is_code:
        return made(variant)
    return assemble(architecture(variant).layers, dropout)


def assemble(layers: Sequence[Layer], dropout: float = DROPOUT) -> Network:
    """Layers as a module: a whole network, or a part of one that reads nothing but its input."""
    are_flat = [False, *(layer.is_flat for layer in layers)]
    reads_flat = [are_flat[place + 1 + layer.reads[0]] for place, layer in enumerate(layers)]
    return Network(
        layers, [part(layer, dropout, flat) for layer, flat in zip(layers, reads_flat, strict=True)]
    )


class _Product(nn.Module):
    """A pointwise convolution, its weights shared, as a product of matrices."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, images: Tensor) -> Tensor:
        """(batch, in channels, size, size) -> (batch, out channels, size, size)."""
        weight, bias = self.conv.weight[:, :, 0, 0], self.conv.bias
        return F.linear(images.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2)


def for_training(net: nn.Module) -> nn.Module:
    """The network as it is sooner trained on a CPU. It shares all that is learnt with `net`.

    oneDNN lays the weights of a convolution out anew, and their gradient back, at every step. Where an image
    is of few pixels that takes longer than the convolution; a product of matrices does without.
    """
    if not isinstance(net, Network):
        return net
    children = list(net)
    for place, layer in enumerate(net.layers):
        if layer.kind == "conv_pw" and layer.groups == 1 and layer.out_size <= SMALL:
            conv, *behind = children[place].children()
            children[place] = nn.Sequential(_Product(conv), *behind)  # type: ignore[arg-type]
    return Network(net.layers, children)


def folded(net: nn.Module) -> nn.Module:
    """The network for inference, batch normalisation folded into the convolutions and dropout left out.

    It gives the same logits to rounding, sooner; and a compiler has half of the nodes to pass through.
    net: in evaluation mode; it is not changed. One that is not mbsweep's, and that cannot be traced, is left
    as it is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is about parts of torch that are not used
        from torch.fx.experimental.optimization import fuse, remove_dropout

    if isinstance(net, Network):
        return remove_dropout(fuse(net))
    try:
        return remove_dropout(fuse(net))
    except Exception:  # whatever a stranger's module does when it is traced
        return copy.deepcopy(net)
