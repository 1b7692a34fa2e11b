"""A network as the operators of an ONNX file, from its description and its weights by name: without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.layers import Layer

Weights = Mapping[str, NDArray[Any]]  # as a network's state has them: "block1_dw.conv.weight"
Floats = NDArray[np.float32]

# Kind of a node that runtimes add -> the name that we give it in place of a layer's.
_ADDED = {
    "Reorder": "(reorder)",
    "ReorderInput": "(reorder)",
    "ReorderOutput": "(reorder)",
    "Transpose": "(reorder)",
    "QuantizeLinear": "(quantize)",
    "DequantizeLinear": "(quantize)",
    "FakeQuantize": "(quantize)",
    "Subgraph": "(quantize)",  # OpenVINO's element-wise arithmetic; what is left of it rounds the image
}


def _none() -> Floats:
    return np.empty(0, np.float32)


@dataclass
class Operation:
    """One ONNX operator with what is folded into it."""

    name: str  # of its node: a layer, and what it is of it, such as "block1_dw.conv"
    kind: str  # ONNX's name of the operator
    reads: tuple[int, ...]  # whose outputs: 0 is the image, 1 the first operation
    weight: Floats = field(default_factory=_none)  # (outputs, ...)
    bias: Floats = field(default_factory=_none)
    attributes: dict[str, Any] = field(default_factory=dict)
    clip: str = ""  # "relu" or "relu6", where that follows
    module: str = ""  # the path of the module of the network that gives the same

    @property
    def layer(self) -> str:
        """The network's child that it is in."""
        return self.name.partition(".")[0]

    @property
    def clip_name(self) -> str:
        """Of the node of what follows; empty where nothing does."""
        return f"{self.layer}.{self.clip}" if self.clip else ""

    @property
    def gives(self) -> str:
        """The tensor of its output."""
        return self.clip_name or self.name

    @property
    def is_copy(self) -> bool:
        """Whether each number that it gives is one that it reads."""
        return self.kind in ("Flatten", "MaxPool")


def operations(layers: Sequence[Layer], weights: Weights) -> list[Operation]:
    """The operators of a network in eval mode, in the order in which they run.

    Raises KeyError where weights are missing.
    """
    found: list[Operation] = []
    behind, are_flat = [0], [False]  # of the image, then of each layer: the operation that gives its output
    for layer in layers:
        reads = tuple(behind[back] for back in layer.reads)
        if layer.kind == "fc" and not are_flat[layer.reads[0]]:
            found.append(_flatten(layer, reads))
            reads = (len(found),)
        for operation in _KINDS[layer.kind](layer, weights):
            operation.reads, operation.module = reads, layer.child
            found.append(operation)
            reads = (len(found),)
        if layer.activation in CLIPS:
            found[-1].clip = layer.activation
        elif layer.activation:
            found[-1].module = f"{layer.child}.bn" if layer.norm else found[-1].name
            kind, attributes = _CURVES[layer.activation]
            name = f"{layer.child}.{layer.activation}"
            found.append(Operation(name, kind, reads, attributes=attributes, module=layer.child))
        behind.append(len(found))
        are_flat.append(layer.is_flat)
    return found


def layer_of(node: str, kind: str, found: Sequence[Operation], output: str) -> str:
    """The layer, a child of the network, that a runtime's node belongs to; or, in brackets, what it does.

    Runtimes name a fused node after one of its parts, with a suffix: "block1_dw.relu_nchwc" is "block1_dw".
    output: what the network's output is called.
    """
    if kind in _ADDED:
        return _ADDED[kind]
    if node in (output, f"{output}_original") and found:  # the second is OpenVINO's, where it adds a node
        return found[-1].layer
    fits = [
        (len(name), operation.layer)
        for operation in found
        for name in (operation.name, operation.clip_name)
        if name and (node == name or node.startswith((f"{name}_", f"{name}.", f"{name}/")))
    ]
    return max(fits)[1] if fits else f"({kind})"


def _conv(layer: Layer, weights: Weights) -> Iterator[Operation]:
    attributes = {
        "kernel_shape": [int(size) for size in layer.kernel],
        "strides": [layer.stride, layer.stride],
        "pads": [int(pad) for pad in layer.pads],
        "dilations": [1, 1],
        "group": layer.groups,
    }
    name = f"{layer.child}.conv"
    weight = weights[f"{name}.weight"]
    bias = weights[f"{name}.bias"] if layer.bias else np.zeros(len(weight), np.float32)
    if layer.norm:
        weight, bias = _folded(weight, bias, weights, f"{layer.child}.bn", layer.epsilon)
    yield Operation(name, "Conv", (), weight, bias, attributes)


def _folded(
    weight: Floats, bias: Floats, weights: Weights, norm: str, epsilon: float
) -> tuple[Floats, Floats]:
    """Weight and bias of a convolution that gives what the batch normalisation behind it would make of it."""
    mean, variance = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
    scale = 1 / np.sqrt(variance.astype(np.float64) + epsilon)
    scale *= weights[f"{norm}.weight"]
    shift = (bias - mean) * scale + weights[f"{norm}.bias"]
    return weight * scale.astype(np.float32).reshape(-1, 1, 1, 1), shift.astype(np.float32)


def _fc(layer: Layer, weights: Weights) -> Iterator[Operation]:
    name = f"{layer.child}.linear"
    yield Operation(name, "Gemm", (), weights[f"{name}.weight"], weights[f"{name}.bias"], {"transB": 1})


def _flatten(layer: Layer, reads: tuple[int, ...]) -> Operation:
    return Operation(f"{layer.child}.flatten", "Flatten", reads, attributes={"axis": 1})


def _max_pool(layer: Layer, weights: Weights) -> Iterator[Operation]:
    attributes = {
        "kernel_shape": [int(size) for size in layer.kernel],
        "strides": [layer.stride, layer.stride],
        "pads": [int(pad) for pad in layer.pads],
        "ceil_mode": int(layer.ceil),
    }
    yield Operation(f"{layer.child}.pool", "MaxPool", (), attributes=attributes)


def _mean(layer: Layer, weights: Weights) -> Iterator[Operation]:
    yield Operation(f"{layer.child}.pool", "GlobalAveragePool", ())
    if layer.is_flat:
        yield _flatten(layer, ())


def _junction(kind: str, **attributes: Any) -> Callable[[Layer, Weights], Iterator[Operation]]:
    def make(layer: Layer, weights: Weights) -> Iterator[Operation]:
        yield Operation(f"{layer.child}.{layer.kind}", kind, (), attributes=attributes)

    return make


# kind of layer -> its operators, which follow one another, before the activation
_KINDS: dict[str, Callable[[Layer, Weights], Iterator[Operation]]] = {
    "conv": _conv,
    "conv_dw": _conv,
    "conv_pw": _conv,
    "fc": _fc,
    "max_pool": _max_pool,
    "avg_pool": _mean,
    "squeeze": _mean,
    "scale": _junction("Mul"),
    "add": _junction("Add"),
    "concat": _junction("Concat", axis=1),
}
CLIPS = ("relu", "relu6")  # activations that cut off: a rounding to 8 bits does it, too
# activation -> its operator, and what PyTorch means by it: ONNX's own hard sigmoid has a slope of 0.2
_CURVES: dict[str, tuple[str, dict[str, Any]]] = {
    "hard_swish": ("HardSwish", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}
