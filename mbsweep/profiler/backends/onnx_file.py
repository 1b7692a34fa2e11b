"""What the runtimes that load ONNX files share: the file, and what it is to give at int8."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.deployed import Deployed
from mbsweep.profiler.prepared import Prepared
from mbsweep.space.architecture import IMAGE_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from mbsweep.formats.quantization import Weights
    from mbsweep.profiler.calibration import Calibration
    from mbsweep.profiler.deployed import Classify


class LoadsOnnx(ABC):
    """A backend that loads a network as an ONNX file."""

    name: ClassVar[str]
    fuses_sums: ClassVar[bool] = False  # see `exact.calculate`

    @abstractmethod
    def load(
        self, model: bytes, image: NDArray[np.float32], config: LatencyConfig
    ) -> Callable[[], NDArray[np.float32]]:
        """A call of a file on an image."""

    @abstractmethod
    def factor(self, scale: NDArray[np.float32], step: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the runtime multiplies a sum of integers of some scale by, to have it in steps."""

    def prepare(self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> Prepared:
        """A call of the file. At int8 the image's values are moved to the steps that they are rounded to.

        Raises RuntimeError where the CPU or the runtime does not do what the configuration says.
        """
        from mbsweep.formats.exact import calculate

        model = self.file(module, image, config.precision)
        if config.precision != "int8":
            return Prepared(self.load(model, image, config), len(model))
        exact = calculate(model, image, self.factor, self.fuses_sums)
        call = self.load(model, exact.image, config)
        return Prepared(call, len(model), rounded=exact.logits, rounded_within=exact.tolerance)

    def file(
        self,
        module: nn.Module,
        image: NDArray[np.float32],
        precision: str,
        calibration: Calibration | None = None,
    ) -> bytes:
        """A network as the ONNX file that is loaded; int8 with weights that this processor gets right.

        calibration: of a trained network at int8; None: noise. Raises RuntimeError where it is none of ours,
        and cannot be exported by PyTorch or quantised.
        """
        from mbsweep.formats import onnx_graph
        from mbsweep.nets import Network
        from mbsweep.profiler.backends.onnx_export import exported
        from mbsweep.profiler.calibration import arrays, int8_file

        if not isinstance(module, Network):
            return exported(module, image, precision)
        if precision == "int8":
            return int8_file(module, image, self.int8_weights(), calibration)
        return onnx_graph.write(module.layers, arrays(module), image.shape)

    @abstractmethod
    def opened(self, content: bytes, config: LatencyConfig) -> Classify:
        """A file, to be given one image after another."""

    def deployed(
        self, module: nn.Module, size: int, config: LatencyConfig, calibration: Calibration | None
    ) -> Deployed:
        """See `backends.Deploys`."""
        import numpy as np

        image = np.zeros((1, IMAGE_CHANNELS, size, size), np.float32)
        content = self.file(module, image, config.precision, calibration)
        return Deployed(self.opened(content, config), content, ".onnx")

    def layer_of(self, module: nn.Module) -> Callable[[str, str], str]:
        """What tells, of the name and kind of a runtime's node, the layer of a network that it is part of."""
        from functools import partial

        from mbsweep.formats.onnx_graph import OUTPUT
        from mbsweep.formats.operations import layer_of, operations
        from mbsweep.nets import Network
        from mbsweep.profiler.calibration import arrays

        found = operations(module.layers, arrays(module)) if isinstance(module, Network) else []
        return partial(layer_of, found=found, output=OUTPUT)

    def int8_weights(self, kept: str = "") -> Weights:
        """How weights are held at int8: see `int8_probe.choose`."""
        from mbsweep.profiler import int8_probe

        config = LatencyConfig(backend=self.name, precision="int8", threads=1)
        return int8_probe.choose(self.name, lambda model, image: self.load(model, image, config), kept)
