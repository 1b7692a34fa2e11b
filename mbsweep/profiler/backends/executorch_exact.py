"""What an int8 network gives in ExecuTorch where its integers are calculated exactly; `exact` is for ONNX.

In float64 a sum of products of 8-bit integers is exact, and a value half way between two steps stays there.
In float32, in eager PyTorch, it does not, and means of four values come to lie there all the time: the logits
of 0.25-64 are off by 5 % so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._pytree import tree_map_only


class _Exact(torch.fx.Interpreter):
    """Runs a quantised graph, whose tensors are float64 whatever it says."""

    on_steps: torch.Tensor | None = None  # the image, its values moved to its steps
    padded: Sequence[int] = ()  # by how many pixels it is padded before that

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args = tree_map_only(torch.Tensor, torch.Tensor.double, args)
        match str(target):
            case "quantized_decomposed.quantize_per_tensor.default":
                value, scale, zero, low, high, _ = args
                rounded = torch.round(value / scale).add(zero).clamp(low, high)
                if self.on_steps is None:
                    steps = (rounded - zero) * scale
                    self.on_steps = torch.nn.functional.pad(steps, [-pixels for pixels in self.padded])
                return rounded
            case "aten.pad.default" if self.on_steps is None:
                self.padded = args[1]
            case "quantized_decomposed.dequantize_per_tensor.default":
                rounded, scale, zero, *_ = args
                return (rounded - zero) * scale
            case "quantized_decomposed.dequantize_per_channel.default":
                rounded, scale, _, axis, *_ = args  # weights have no zero points
                return rounded * scale.view(-1, *[1] * (rounded.ndim - axis - 1))
        return super().call_function(target, args, kwargs)


def calculate(
    quantised: torch.fx.GraphModule, image: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The image with its values moved to the network's nearest steps, and the network's output for it."""
    exact = _Exact(quantised)
    with torch.no_grad():
        output = exact.run(torch.from_numpy(image))
    output = output[0] if isinstance(output, tuple | list) else output
    on_steps = image if exact.on_steps is None else exact.on_steps.float().numpy()  # a pooling rounds nothing
    return on_steps, output.float().numpy()
