"""int8 files of networks at hand: the ranges of their activations, from what they give for some images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from mbsweep.base.cache import cached, content_key
from mbsweep.formats.operations import Operation, operations
from mbsweep.formats.quantization import RECIPE, Weights, written
from mbsweep.formats.ranges import METHODS, Histogram

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from mbsweep.nets import Network

# Of noise, for a network that nobody trained: at 224 pixels, with 1 image or 16, the logits are off by 2 to
# 3 % of the largest; by 4 to 10 % with ranges that leave out the rarest 0.1 % of the values, as tools offer.
# Small images show rare values less often: it takes more of them.
CALIBRATION_BATCHES = 4
BATCH_VALUES = 3 * 128 * 128  # as many images as have so many values together, at least one


@dataclass(frozen=True)
class Calibration:
    """Images that show which values a trained network's activations take, and how these become ranges.

    images: (images, 3, height, width), as the network reads them. method: a key of `formats.ranges.METHODS`.
    """

    images: NDArray[np.float32]
    method: str = "min_max"

    @cached_property
    def key(self) -> str:
        """A hash of all that ranges depend on."""
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(f"{self.method} {self.images.shape}".encode())
        return digest.hexdigest()[:16]

    def batches(self) -> Iterator[NDArray[np.float32]]:
        """The images, some at a time."""
        size = max(1, BATCH_VALUES // self.images[0].size)
        for start in range(0, len(self.images), size):
            yield np.ascontiguousarray(self.images[start : start + size])


def int8_file(
    net: Network, image: NDArray[np.float32], weights: Weights, calibration: Calibration | None = None
) -> bytes:
    """A network as an int8 ONNX file, from the cache if it was made before."""
    of = f"{CALIBRATION_BATCHES} x {BATCH_VALUES}" if calibration is None else calibration.key
    key = content_key(net, image, RECIPE, weights.name, of)
    return cached(key, "onnx", lambda: quantised(net, image, weights, calibration))


def quantised(
    net: Network, image: NDArray[np.float32], weights: Weights, calibration: Calibration | None = None
) -> bytes:
    """A network in eval mode, or a part of one, as an int8 ONNX file for inputs of the image's shape.

    calibration: None: by standard-normal noise, for networks whose weights are random.
    """
    found = operations(net.layers, arrays(net))
    return written(found, ranges(net, found, image, calibration), image.shape, weights)


def arrays(net: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The weights and statistics of a network by name; at fp32 on the CPU they share its memory."""
    return {
        name: tensor.detach().float().cpu().numpy()
        for name, tensor in net.state_dict().items()
        if tensor.is_floating_point()
    }


def ranges(
    net: Network,
    found: Sequence[Operation],
    image: NDArray[np.float32],
    calibration: Calibration | None = None,
) -> NDArray[np.float64]:
    """Smallest and largest values of the image and of what each operator gives. Shape (2, 1 + operators)."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine several, waiting for one another, took 50 times as long
    # Each range holds 0, which has to be exact: it pads the images.
    ends = np.zeros((2, len(found) + 1))
    is_all = calibration is None or calibration.method == "min_max"
    seen = [] if is_all else [Histogram() for _ in range(len(found) + 1)]
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)
        stack.enter_context(torch.inference_mode())
        for number, operation in enumerate(found, start=1):
            if operation.module:
                note = partial(_widen, ends[:, number]) if is_all else seen[number].add
                hook = net.get_submodule(operation.module).register_forward_hook(partial(_seen, note))
                stack.callback(hook.remove)
        for batch in _noise(image) if calibration is None else calibration.batches():
            if is_all:
                _widen(ends[:, 0], batch)
            else:
                seen[0].add(batch)
            net(torch.from_numpy(batch))
    if calibration is not None:
        for number, histogram in enumerate(seen):
            ends[:, number] = METHODS[calibration.method](histogram)
    return ends


def _noise(image: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    generator = np.random.default_rng(1)  # not the images on which the output is compared: those have seed 0
    shape = (max(1, BATCH_VALUES // image[0].size), *image.shape[1:])
    for _ in range(CALIBRATION_BATCHES):
        yield generator.standard_normal(shape, dtype=np.float32)


def _seen(
    note: Callable[[NDArray[np.float32]], None], module: nn.Module, inputs: object, output: Tensor
) -> None:
    note(output.numpy())


def _widen(ends: NDArray[np.float64], values: NDArray[np.float32]) -> None:
    ends[:] = min(ends[0], float(values.min())), max(ends[1], float(values.max()))
