"""A network as an ONNX file, written straight from its modules in milliseconds; exporters take seconds.

Nodes carry the paths of the modules, so that a runtime's own figures can be told by layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx
    import torch
    from numpy.typing import NDArray
    from torch import nn

# The oldest version with all that we write (DequantizeLinear per channel). Any runtime of today reads it.
OPSET_VERSION = 13
IR_VERSION = 7

INPUT, OUTPUT = "image", "logits"

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


@dataclass
class Operation:
    """One ONNX operator with what is folded into it."""

    name: str  # of its node: the path of the module, such as "block1_dw.conv"
    kind: str  # ONNX's name of the operator
    modules: list[nn.Module]  # what it stands for; run one after another they are the operation and its ReLU
    weight: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))  # (outputs, ...)
    bias: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    attributes: dict[str, Any] = field(default_factory=dict)
    relu: str | None = None  # name of the Relu node that follows

    @property
    def layer(self) -> str:
        """The network's child that it is in."""
        return self.name.partition(".")[0]


def write(module: nn.Module, image: NDArray[np.float32]) -> bytes:
    """A network in eval mode, or a part of one, as an ONNX file for inputs of the image's shape.

    Batch normalisation is folded into the convolutions. Raises NotImplementedError for modules that no
    MobileNet has.
    """
    from onnx import helper, numpy_helper

    nodes, initializers = [], []
    tensor = INPUT
    for operation in operations(module):
        inputs = [tensor]
        for part in ("weight", "bias"):
            if (values := getattr(operation, part)).size:
                inputs.append(f"{operation.name}.{part}")
                initializers.append(numpy_helper.from_array(values, inputs[-1]))
        tensor = operation.name
        nodes.append(helper.make_node(operation.kind, inputs, [tensor], tensor, **operation.attributes))
        if operation.relu:
            nodes.append(helper.make_node("Relu", [tensor], [operation.relu], operation.relu))
            tensor = operation.relu
    return serialized(nodes, initializers, image.shape)


def serialized(
    nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto], shape: tuple[int, ...]
) -> bytes:
    """The file of a chain of nodes that reads "image", of a shape; what the last one gives are "logits"."""
    from onnx import TensorProto, helper

    nodes[-1].output[0] = OUTPUT
    # Of the output we say the rank only: runtimes infer its shape. Flatten and Gemm leave 2 dimensions.
    rank = 2 if any(node.op_type in ("Flatten", "Gemm") for node in nodes) else len(shape)
    graph = helper.make_graph(
        nodes,
        "mbsweep",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None] * rank)],
        initializers,
    )
    model = helper.make_model(
        graph,
        producer_name="mbsweep",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET_VERSION)],
    )
    return bytes(model.SerializeToString())


def operations(module: nn.Module) -> list[Operation]:
    """The operators of a network in eval mode, in the order in which they run.

    Raises NotImplementedError for a module that is not among those of a MobileNet.
    """
    from torch import nn

    found: list[Operation] = []
    for path, leaf in _leaves(module, ""):
        last = found[-1] if found else None
        if isinstance(leaf, nn.Dropout):
            continue  # nothing, in eval mode
        if isinstance(leaf, nn.BatchNorm2d) and last and last.kind == "Conv" and not last.relu:
            _fold(leaf, last)
            last.modules.append(leaf)
        elif isinstance(leaf, nn.ReLU) and last and last.weight.size and not last.relu:
            last.relu = path
            last.modules.append(leaf)
        else:
            found.append(_operation(path, leaf))
    return found


def layer_of(node: str, kind: str, found: list[Operation]) -> str:
    """The layer, a child of the network, that a runtime's node belongs to; or, in brackets, what it does.

    Runtimes name a fused node after one of its parts, with a suffix: "block1_dw.relu_nchwc" is "block1_dw".
    """
    if kind in _ADDED:
        return _ADDED[kind]
    if node == OUTPUT:
        return found[-1].layer
    fits = [
        (len(name), operation.layer)
        for operation in found
        for name in (operation.name, operation.relu)
        if name and (node == name or node.startswith((f"{name}_", f"{name}.", f"{name}/")))
    ]
    return max(fits)[1] if fits else f"({kind})"


def _leaves(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    from torch import nn

    if type(module) is nn.Sequential:
        for name, child in module.named_children():
            yield from _leaves(child, f"{path}.{name}" if path else name)
    else:
        yield path or type(module).__name__.lower(), module


def _operation(path: str, leaf: nn.Module) -> Operation:
    from torch import nn

    match leaf:
        case nn.Conv2d(padding=tuple(padding), padding_mode="zeros"):
            attributes = {
                "kernel_shape": list(leaf.kernel_size),
                "strides": list(leaf.stride),
                "pads": [*padding, *padding],  # at the top, on the left, at the bottom, on the right
                "dilations": list(leaf.dilation),
                "group": leaf.groups,
            }
            return Operation(path, "Conv", [leaf], _array(leaf.weight), _bias(leaf), attributes)
        case nn.Linear():
            return Operation(path, "Gemm", [leaf], _array(leaf.weight), _bias(leaf), {"transB": 1})
        case nn.ReLU():
            return Operation(path, "Relu", [leaf])
        case nn.AdaptiveAvgPool2d(output_size=1 | (1, 1)):
            return Operation(path, "GlobalAveragePool", [leaf])
        case nn.Flatten(start_dim=1, end_dim=-1):
            return Operation(path, "Flatten", [leaf], attributes={"axis": 1})
    raise NotImplementedError(
        f"{path}: cannot write {leaf} as ONNX; expected a chain (nn.Sequential) of Conv2d, with BatchNorm2d "
        "behind it or not, ReLU, AdaptiveAvgPool2d(1), Flatten, Dropout and Linear"
    )


def _fold(norm: nn.BatchNorm2d, operation: Operation) -> None:
    """Let the convolution scale and shift its output as the batch normalisation behind it would."""
    if norm.running_mean is None or norm.running_var is None:
        raise NotImplementedError(f"{operation.name}: cannot write {norm} as ONNX: it keeps no statistics")
    scale = 1 / np.sqrt(_array(norm.running_var).astype(np.float64) + norm.eps)
    if norm.affine:
        scale *= _array(norm.weight)
    shift = (operation.bias - _array(norm.running_mean)) * scale
    if norm.affine:
        shift += _array(norm.bias)
    operation.weight = operation.weight * scale.astype(np.float32).reshape(-1, 1, 1, 1)
    operation.bias = shift.astype(np.float32)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return values


def _bias(leaf: nn.Conv2d | nn.Linear) -> NDArray[np.float32]:
    return np.zeros(len(leaf.weight), np.float32) if leaf.bias is None else _array(leaf.bias)
