"""ExecuTorch with the XNNPACK delegate, the runtime of PyTorch networks on phones."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

from mbsweep.base.cache import cached, content_key
from mbsweep.profiler.backends.executorch_files import (
    CALIBRATION_IMAGES,
    METHOD,
    exported,
    lower,
    program_of,
    quantised,
)
from mbsweep.profiler.deployed import Deployed
from mbsweep.profiler.prepared import Prepared
from mbsweep.space.architecture import IMAGE_CHANNELS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from mbsweep.profiler.calibration import Calibration
    from mbsweep.profiler.config import LatencyConfig
    from mbsweep.profiler.deployed import Classify


class ExecuTorch:
    """The network as one call of the XNNPACK delegate.

    Batch normalisation is folded into the convolutions. int8 is static quantisation after training, weights
    per output channel, with float32 images and logits. XNNPACK flushes denormals in all of its threads.
    """

    packages: ClassVar[tuple[str, ...]] = ("executorch", "torchao")
    install: ClassVar[str] = "'mbsweep[executorch]'"
    keeps_files: ClassVar[bool] = True
    options: ClassVar[dict[str, tuple[str, ...]]] = {"precision": ("fp32", "int8")}

    def prepare(self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> Prepared:
        """A call that copies neither image nor output: it returns the same array each time.

        A change of the thread count ends the pool that networks prepared before it still use: they must not
        be called any more.
        """
        import numpy as np
        import torch

        from mbsweep.formats.exact import LOOSE_TOLERANCE, TOLERANCE

        network, rounded = _Network(module, image, config.precision), None
        data = network.file()
        if config.precision == "int8":
            image, rounded = network.exactly()
        with _quiet():
            runtime = _runtime()
            _set_threads(runtime, config.threads)
            program = runtime._load_for_executorch_from_buffer(data)
            inputs = (torch.from_numpy(image),)
            first = program.forward(inputs, clone_outputs=False)[0]
        output = np.asarray(_Output(first, program, data))

        def call() -> object:
            program.forward(inputs, clone_outputs=False)
            return output

        within = TOLERANCE if _is_plain(module) else LOOSE_TOLERANCE
        return Prepared(call, len(data), rounded=rounded, rounded_within=within)

    def opened(self, content: bytes, config: LatencyConfig) -> Classify:
        """One program; each image is read where it lies."""
        import numpy as np
        import torch

        with _quiet():
            runtime = _runtime()
            _set_threads(runtime, config.threads)
            program = runtime._load_for_executorch_from_buffer(content)
        owners = program, content  # the program reads the content where it lies

        def classify(image: NDArray[np.float32]) -> NDArray[np.float32]:
            found = owners[0].forward((torch.from_numpy(np.ascontiguousarray(image)),))[0]
            return found.numpy()  # type: ignore[no-any-return]

        return classify

    def deployed(
        self, module: nn.Module, size: int, config: LatencyConfig, calibration: Calibration | None
    ) -> Deployed:
        """See `backends.Deploys`."""
        import numpy as np

        image = np.zeros((1, IMAGE_CHANNELS, size, size), np.float32)
        content = pte_file(module, image, config.precision, calibration)
        return Deployed(self.opened(content, config), content, ".pte")


def _is_plain(module: nn.Module) -> bool:
    """Whether nothing in a network is added, multiplied or bent but by a ReLU."""
    layers = getattr(module, "layers", None)
    return layers is not None and all(
        layer.kind not in ("add", "scale") and not layer.activation.startswith("hard_") for layer in layers
    )


class _Output:
    """What an array needs to share a tensor's memory and keep its owners: the tensor does not keep them."""

    def __init__(self, tensor: Tensor, *owners: object) -> None:
        self.__array_interface__ = tensor.numpy().__array_interface__
        self.owners = owners


def _runtime() -> Any:
    """ExecuTorch's runtime alone. `portable_lib`, its public name, loads all that lowers networks for the
    sake of a warning: 4 s in each process, also where the network was lowered before.
    """
    import torch  # noqa: F401  (whose libraries it needs)

    try:
        return import_module("executorch.extension.pybindings._C")
    except ImportError:  # an ExecuTorch that has it elsewhere
        return import_module("executorch.extension.pybindings.portable_lib")


def _set_threads(runtime: Any, threads: int) -> None:
    # The runtime starts with a thread for each core.
    if runtime._threadpool_get_thread_count() != threads:
        runtime._unsafe_reset_threadpool(threads)
    if (got := runtime._threadpool_get_thread_count()) != threads:
        raise RuntimeError(f"ExecuTorch runs with {got} threads; {threads} were asked for")


def pte_file(
    module: nn.Module, image: NDArray[np.float32], precision: str, calibration: Calibration | None = None
) -> bytes:
    """A network as the .pte file for the runtime: fp32 or int8, from the cache if it was made before.

    calibration: of a trained network at int8; None: noise.
    """
    return _Network(module, image, precision, calibration).file()


class _Network:
    """What is made of a network, and kept: its file and, at int8, what that gives exactly."""

    def __init__(
        self,
        module: nn.Module,
        image: NDArray[np.float32],
        precision: str,
        calibration: Calibration | None = None,
    ) -> None:
        self._module, self._image, self._is_int8 = module, image, precision == "int8"
        self._calibration = calibration
        self._settings = ["executorch", version("executorch"), precision]
        if self._is_int8:
            of = f"{CALIBRATION_IMAGES} {METHOD}" if calibration is None else calibration.key
            self._settings += [version("torchao"), of]

    def file(self) -> bytes:
        """The .pte file."""
        key = content_key(self._module, self._image, *self._settings)
        with _quiet():
            return cached(key, "pte", lambda: lower(self._program))

    def exactly(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The image with its values moved to the steps of int8, and the exact output for that."""
        import numpy as np

        from mbsweep.profiler.backends.executorch_exact import calculate

        def made() -> bytes:
            file = io.BytesIO()
            np.savez(file, *calculate(self._program.module(), self._image))
            return file.getvalue()

        pixels = hashlib.sha256(self._image.tobytes()).hexdigest()
        key = content_key(self._module, self._image, *self._settings, pixels)
        with _quiet(), np.load(io.BytesIO(cached(key, "npz", made))) as kept:
            return kept["arr_0"], kept["arr_1"]

    @cached_property
    def _program(self) -> ExportedProgram:
        import torch

        image = torch.from_numpy(self._image)
        plain = program_of(self._module, image)
        if not self._is_int8:
            return plain
        return exported(quantised(plain.module(), image, self._calibration), image)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back warnings and what the libraries write to stderr, in C++ too; show it if there is an error."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with warnings.catch_warnings(), tempfile.TemporaryFile() as held:
        warnings.simplefilter("ignore")
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            with open(stderr, "wb", closefd=False) as shown:
                shutil.copyfileobj(held, shown)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
