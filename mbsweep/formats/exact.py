"""What an int8 ONNX file gives where its integers are calculated exactly: what a runtime is held to.

The file says what is rounded to which integers; an operator between two roundings is a sum of products of
integers, one multiplication by a float32 and one rounding, half to even. That is what integer kernels do, and
done in the same order it gives their very integers. In another order (in floats throughout, as ONNX Runtime
does with its graph optimisations off) an integer comes out one step away here and there. Through 28 layers of
random weights that has been seen to move a logit by up to 3.7 % of the largest: as much as clipped sums do.

Sums and products of two tensors, hard sigmoids and hard swishes are calculated in floats between two
roundings, each runtime in its own order. That of `exact_operators` is ONNX Runtime's on x86, with fused
multiply-adds; here is that of OpenVINO, which fuses a sum into a convolution and does not round what that
gives. Elsewhere one number in ten thousand may go the other way, and move a logit by 6 %. So the guard is
loose where a network has such operators: `Exact.tolerance`. Convolutions that clip their sums are found by
`int8_probe`, whatever the network.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mbsweep.formats.exact_operators import OPERATORS, Factor, Floats, Numbers, cut_off
from mbsweep.formats.onnx_graph import INPUT, OUTPUT

# A runtime's output may differ by so much of the largest logit. Right ones have been seen to differ by 0.
TOLERANCE = 0.02
# The same of networks with operators that runtimes do not round alike: right ones have been seen to differ by
# 0.06.
LOOSE_TOLERANCE = 0.15
NOT_ALIKE = {"Add", "Mul", "HardSigmoid", "HardSwish"}


class Exact(NamedTuple):
    """What a file gives.

    image: with its values moved to the file's nearest steps. How a runtime rounds a value between two steps
        makes no difference then.
    logits: the file's for it. tolerance: by how much of the largest a runtime's may differ from them.
    """

    image: Floats
    logits: Floats
    tolerance: float


def calculate(model: bytes, image: Floats, factor: Factor, fuses_sums: bool = False) -> Exact:
    """What a file from `quantization` gives for an image.

    fuses_sums: whether the runtime adds what a convolution gives, where nothing else reads that, as it is:
        cut off where the rounding would cut it off, but not rounded.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(model).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    last_reader = {name: place for place, node in enumerate(graph.node) for name in node.input}
    unrounded = _unrounded(graph) if fuses_sums else {}
    known: dict[str, Any] = {INPUT: Numbers(image, None)}
    on_steps = image
    with threadpool_limits(1, user_api="blas"):  # several threads that wait for each other take longer
        for place, node in enumerate(graph.node):
            inputs = [known[name] if name in known else constants[name] for name in node.input]
            attributes = {it.name: onnx.helper.get_attribute_value(it) for it in node.attribute}
            if node.op_type == "DequantizeLinear" and node.output[0] in unrounded:
                found = cut_off(known[unrounded[node.output[0]]], *inputs[1:])
            else:
                found = OPERATORS[node.op_type](factor, *inputs, **attributes)
            known[node.output[0]] = found
            if node.op_type == "QuantizeLinear" and node.input[0] == INPUT:
                on_steps = found.real
            for name in node.input:
                if last_reader[name] == place and name not in unrounded.values():
                    known.pop(name, None)
    is_alike = not any(node.op_type in NOT_ALIKE for node in graph.node)
    tolerance = TOLERANCE if is_alike else LOOSE_TOLERANCE
    return Exact(on_steps, known[OUTPUT].real, tolerance)


def _unrounded(graph: Any) -> dict[str, str]:
    """What each sum reads rounded from a convolution, and nothing else reads -> the convolution's own output.

    Where a sum reads two such, its second.
    """
    makers = {node.output[0]: node for node in graph.node}
    readers = Counter(name for node in graph.node for name in node.input)
    found = {}
    for node in graph.node:
        for name in reversed(node.input) if node.op_type == "Add" else ():
            source = makers[makers[name].input[0]].input[0]  # before the rounding
            if readers[name] == 1 and source in makers and makers[source].op_type == "Conv":
                found[name] = source
                break
    return found


def off_by(given: NDArray[np.floating[Any]], expected: NDArray[np.floating[Any]]) -> float:
    """The largest error as a share of the largest value expected; of a few channels, all may be zero."""
    error, largest = float(np.abs(given - expected).max()), float(np.abs(expected).max())
    return error / largest if largest else (math.inf if error else 0.0)
