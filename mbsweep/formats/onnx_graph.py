"""A network as an ONNX file, written straight from its description in milliseconds; exporters take seconds.

Nodes carry the paths of the modules, so that a runtime's own figures can be told by layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mbsweep.formats.operations import Weights, operations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mbsweep.space.layers import Layer

# The oldest version with all that we write (DequantizeLinear per channel). Any runtime of today reads it.
OPSET_VERSION = 13
OPSET_OF = {"HardSwish": 14}  # operators that are younger
IR_VERSION = 7

INPUT, OUTPUT = "image", "logits"
SIX = 6  # where ReLU6 cuts off


def write(layers: Sequence[Layer], weights: Weights, shape: tuple[int, ...]) -> bytes:
    """A network in eval mode, or a part of one, as an ONNX file for images of a shape.

    weights: by their names in the network's state. Batch normalisation is folded into the convolutions.
    """
    graph = Graph()
    tensors = [INPUT]
    for operation in operations(layers, weights):
        inputs = [tensors[number] for number in operation.reads]
        for part in ("weight", "bias"):
            if (values := getattr(operation, part)).size:
                inputs.append(graph.constant(f"{operation.name}.{part}", values))
        tensor = graph.node(operation.kind, inputs, operation.name, **operation.attributes)
        if operation.clip:
            tensor = graph.clipped(tensor, operation.clip_name, operation.clip)
        tensors.append(tensor)
    return graph.file(shape)


class Graph:
    """Nodes and constants of an ONNX graph. A node's name is that of its output."""

    def __init__(self) -> None:
        from onnx import GraphProto

        self._nodes = GraphProto(name="mbsweep")
        self._constants: list[Chunk] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; returns its output."""
        from onnx import helper

        self._nodes.node.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant; returns its name."""
        from onnx import TensorProto, helper

        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        about = TensorProto(name=name, data_type=kind, dims=values.shape).SerializeToString()
        numbers = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        self._constants += field(5, [about, *field(9, [numbers])])  # initializer, raw_data
        return name

    def clipped(self, tensor: str, name: str, clip: str) -> str:
        """Add a node that cuts off what is below 0; with "relu6" also what is above 6."""
        if clip == "relu":
            return self.node("Relu", [tensor], name)
        ends = [self.constant(f"{name}.{end}", np.array(end, np.float32)) for end in (0, SIX)]
        return self.node("Clip", [tensor, *ends], name)

    def file(self, shape: tuple[int, ...]) -> bytes:
        """The file of these nodes, which read "image", of a shape; what the last one gives are "logits"."""
        from onnx import GraphProto, ModelProto, TensorProto, helper

        self._nodes.node[-1].output[0] = OUTPUT
        kinds = {node.op_type for node in self._nodes.node}
        # Of the output we say the rank only: runtimes infer its shape. Flatten and Gemm leave 2 dimensions.
        rank = 2 if kinds & {"Flatten", "Gemm"} else len(shape)
        ends = GraphProto(
            input=[helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
            output=[helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None] * rank)],
        )
        graph = [self._nodes.SerializeToString(), *self._constants, ends.SerializeToString()]
        opset = max([OPSET_VERSION, *(OPSET_OF[kind] for kind in kinds & set(OPSET_OF))])
        about = ModelProto(ir_version=IR_VERSION, producer_name="mbsweep")
        after = ModelProto(opset_import=[helper.make_opsetid("", opset)])
        # graph is field 7
        return b"".join([about.SerializeToString(), *field(7, graph), after.SerializeToString()])


Chunk = bytes | memoryview


def field(number: int, content: list[Chunk]) -> list[Chunk]:
    """A field of a protocol buffer, its length before it: so large constants are copied once, at the end."""
    length, head = sum(map(len, content)), bytearray([number << 3 | 2])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return [bytes(head), *content]
