"""One trained network in one runtime, on the test part of what it has learnt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mbsweep.accuracy.datasets import Dataset, Part
from mbsweep.accuracy.deploying.runtimes import Runtime
from mbsweep.accuracy.settings import Quantization
from mbsweep.accuracy.training.batches import Moments, normalised
from mbsweep.accuracy.training.evaluating import TEST_BATCH, Outcome, outcome
from mbsweep.profiler.backends import BACKENDS, Deploys
from mbsweep.profiler.calibration import Calibration
from mbsweep.profiler.deployed import Deployed

if TYPE_CHECKING:
    from mbsweep.profiler.deployed import Classify


def deployed(
    net: nn.Module,
    dataset: Dataset,
    resolution: int,
    moments: Moments,
    runtime: Runtime,
    quantization: Quantization,
) -> Deployed:
    """A trained network as a runtime has it; at int8 calibrated by images of the train part.

    Raises NotImplementedError where the backend cannot tell what a network answers.
    """
    backend = BACKENDS[runtime.backend]
    if not isinstance(backend, Deploys):
        raise NotImplementedError(
            f"{runtime.backend} does not say what a network answers: it has no `deployed`"
        )
    given = None
    if runtime.precision == "int8":
        given = calibration(dataset.part("train", resolution), moments, quantization)
    return backend.deployed(net.eval(), resolution, runtime.config, given)


def calibration(part: Part, moments: Moments, quantization: Quantization) -> Calibration:
    """Images spread evenly over a part, as networks read them."""
    count = min(quantization.images, len(part.labels))
    places = np.linspace(0, len(part.labels) - 1, count).round().astype(int)
    return Calibration(read(part.images[places], moments), quantization.calibration)


def read(images: NDArray[np.uint8], moments: Moments) -> NDArray[np.float32]:
    """(images, size, size, 3) grey levels -> (images, 3, size, size), as networks read them."""
    found = normalised(torch.from_numpy(np.ascontiguousarray(images)), moments)
    return found.contiguous().numpy()


def answers(classify: Classify, part: Part, moments: Moments) -> Outcome:
    """How a network in a runtime does on a part, one image at a time."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(part.labels), TEST_BATCH):
            images = read(part.images[start : start + TEST_BATCH], moments)
            given = np.concatenate([classify(image[None]).copy() for image in images])
            yield torch.from_numpy(given), torch.from_numpy(part.labels[start : start + TEST_BATCH])

    return outcome(batches())
