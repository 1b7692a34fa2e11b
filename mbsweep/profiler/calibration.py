"""int8 files of networks at hand: the ranges of their activations, from what they give for some images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mbsweep.base.cache import cached, content_key
from mbsweep.formats.operations import Operation, operations
from mbsweep.formats.quantization import RECIPE, Weights, written

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from mbsweep.nets import Network

# At 224 pixels, with 1 image or 16, the logits are off by 2 to 3 % of the largest; by 4 to 10 % with ranges
# that leave out the rarest 0.1 % of the values, as tools offer. Small images show rare values less often: it
# takes more of them.
CALIBRATION_BATCHES = 4
BATCH_VALUES = 3 * 128 * 128  # as many images as have so many values together, at least one


def int8_file(net: Network, image: NDArray[np.float32], weights: Weights) -> bytes:
    """A network as an int8 ONNX file, from the cache if it was made before."""
    key = content_key(net, image, RECIPE, weights.name, f"{CALIBRATION_BATCHES} x {BATCH_VALUES}")
    return cached(key, "onnx", lambda: quantised(net, image, weights))


def quantised(net: Network, image: NDArray[np.float32], weights: Weights) -> bytes:
    """A network in eval mode, or a part of one, as an int8 ONNX file for inputs of the image's shape."""
    found = operations(net.layers, arrays(net))
    return written(found, ranges(net, found, image), image.shape, weights)


def arrays(net: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The weights and statistics of a network by name; at fp32 on the CPU they share its memory."""
    return {
        name: tensor.detach().float().cpu().numpy()
        for name, tensor in net.state_dict().items()
        if tensor.is_floating_point()
    }


def ranges(net: Network, found: Sequence[Operation], image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Smallest and largest values of the image and of what each operator gives. Shape (2, 1 + operators)."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine several, waiting for one another, took 50 times as long
    generator = np.random.default_rng(1)  # not the images on which the output is compared: those have seed 0
    shape = (max(1, BATCH_VALUES // image[0].size), *image.shape[1:])
    # Each range holds 0, which has to be exact: it pads the images.
    ends = np.zeros((2, len(found) + 1))
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)
        stack.enter_context(torch.inference_mode())
        for number, operation in enumerate(found, start=1):
            if operation.module:
                hook = net.get_submodule(operation.module).register_forward_hook(
                    partial(_seen, ends[:, number])
                )
                stack.callback(hook.remove)
        for _ in range(CALIBRATION_BATCHES):
            tensor = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))
            _widen(ends[:, 0], tensor)
            net(tensor)
    return ends


def _seen(ends: NDArray[np.float64], module: nn.Module, inputs: object, output: Tensor) -> None:
    _widen(ends, output)


def _widen(ends: NDArray[np.float64], tensor: Tensor) -> None:
    low, high = tensor.aminmax()
    ends[:] = min(ends[0], low.item()), max(ends[1], high.item())
