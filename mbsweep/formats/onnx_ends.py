"""An ONNX file of ours that takes an image's levels as they are, and gives probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mbsweep.formats.onnx_graph import INPUT, OUTPUT

PIXELS, PROBABILITIES = "pixels", "probabilities"


def with_ends(content: bytes, mean: Sequence[float], std: Sequence[float]) -> bytes:
    """The file with the normalisation in front and a softmax behind.

    It reads "pixels", levels from 0 to 255 as uint8, of shape (1, height, width, 3); what it gives are
    "probabilities". mean, std: of each channel, in levels.
    """
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    model = ModelProto.FromString(content)
    graph = model.graph
    (image,) = graph.input
    _, channels, high, wide = (size.dim_value for size in image.type.tensor_type.shape.dim)
    moments = {"pixels.mean": mean, "pixels.std": std}
    for name, values in moments.items():
        array = np.array(values, np.float32).reshape(1, channels, 1, 1)
        graph.initializer.append(numpy_helper.from_array(array, name))
    front = [
        helper.make_node("Transpose", [PIXELS], ["pixels.planes"], "pixels.planes", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["pixels.planes"], ["pixels.levels"], "pixels.levels", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["pixels.levels", "pixels.mean"], ["pixels.centred"], "pixels.centred"),
        helper.make_node("Div", ["pixels.centred", "pixels.std"], [INPUT], "pixels.normalised"),
    ]
    nodes = [
        *front,
        *graph.node,
        helper.make_node("Softmax", [OUTPUT], [PROBABILITIES], PROBABILITIES, axis=1),
    ]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    shape = [1, high, wide, channels]
    graph.input.append(helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, shape))
    graph.output.append(helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, [None, None]))
    found: bytes = model.SerializeToString()
    return found
