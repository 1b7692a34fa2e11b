"""A network as a .pte file: exported, quantised where int8 is asked for, lowered to XNNPACK whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mbsweep.profiler.timing import no_garbage_collection

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from mbsweep.profiler.calibration import Calibration

# Standard-normal images that int8's activation ranges are taken from. Two or 32 of them change the error of
# the logits by less than other random weights do.
CALIBRATION_IMAGES = 8
# Not the histograms of XNNPACK's quantizer, which cut off what is rare: of noise through 0.25-32 the logits
# were off by 54 % of the largest, and are by 3 %.
METHOD = "min_max"


def lower(program: ExportedProgram) -> bytes:
    """A network as a .pte file. With its export this takes about 2.5 s in fp32, 6 s in int8.

    Raises RuntimeError where a part of it would not run in XNNPACK.
    """
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
    from executorch.exir.passes import MemoryPlanningPass

    # It makes millions of objects: looking through them for garbage takes a tenth of its time.
    with torch.no_grad(), no_garbage_collection(), _shared_origins():
        edge = to_edge_transform_and_lower(
            program,
            partitioner=[XnnpackPartitioner()],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
        calls = [node for node in edge.exported_program().graph.nodes if node.op == "call_function"]
        names = [node.target.__name__ for node in calls if node.target.__name__ != "getitem"]
        if names != ["executorch_call_delegate"]:
            raise RuntimeError(f"not all of the network runs in XNNPACK, but these: {', '.join(names)}")
        # The image is read where the caller has it, not copied into the runtime's memory first.
        planning = MemoryPlanningPass(alloc_graph_input=False)
        lowered = edge.to_executorch(ExecutorchBackendConfig(memory_planning_pass=planning))
        return bytes(lowered.buffer)


def program_of(module: nn.Module, image: Tensor) -> ExportedProgram:
    """A network in evaluation mode, batch normalisation folded, as XNNPACK has it."""
    from mbsweep.nets import folded

    return exported(_plain(folded(module)), image)  # folded, lowering takes a third of the time


def _plain(net: nn.Module) -> nn.Module:
    """The network with its hard sigmoids as sums, ReLU6 and products, which XNNPACK has."""
    import torch
    from torch import nn

    class HardSigmoid(nn.Module):
        three: Tensor
        sixth: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("three", torch.tensor([3.0]))
            self.register_buffer("sixth", torch.tensor([1 / 6]))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.relu6(x + self.three) * self.sixth

    for path, module in list(net.named_modules()):
        if isinstance(module, nn.Hardsigmoid):
            net.set_submodule(path, HardSigmoid())
    return net


def exported(module: nn.Module, image: Tensor) -> ExportedProgram:
    """A network as a program, for images of one shape."""
    import torch

    with torch.no_grad(), no_garbage_collection(), _shared_origins():
        return torch.export.export(module, (image,), strict=False)


def quantised(module: nn.Module, image: Tensor, calibration: Calibration | None) -> nn.Module:
    """An exported network in int8. calibration: None: noise."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    asked = get_symmetric_quantization_config(is_per_channel=True)
    observed = _observed(asked.input_activation, METHOD if calibration is None else calibration.method)
    asked = replace(asked, input_activation=observed, output_activation=observed)
    quantizer = XNNPACKQuantizer().set_global(asked)
    # BN is folded; each pattern with it costs 0.2 s only to be looked for.
    quantizer.SUPPORTED_PATTERNS = [
        pattern for pattern in quantizer.SUPPORTED_PATTERNS if "_bn" not in pattern.name
    ]
    with torch.no_grad(), no_garbage_collection(), _shared_origins():
        watched = prepare_pt2e(module, quantizer)
        for one in _noise(image.shape) if calibration is None else calibration.images:
            watched(torch.as_tensor(one).reshape(image.shape))
        quantised: nn.Module = convert_pt2e(watched)
    return quantised


def _noise(shape: Sequence[int]) -> Iterator[Tensor]:
    import torch

    generator = torch.Generator().manual_seed(1)  # 0 makes the image that is measured
    for _ in range(CALIBRATION_IMAGES):
        yield torch.randn(tuple(shape), generator=generator)


def _observed(spec: Any, method: str) -> Any:
    """How activations are to be rounded, with the ends of `formats.ranges`."""
    from torchao.quantization.pt2e import MinMaxObserver, UniformQuantizationObserverBase

    from mbsweep.formats.ranges import METHODS, Histogram

    class Ranged(UniformQuantizationObserverBase):  # type: ignore[misc]
        """Sees values, and says at what ends they are cut off."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._seen = Histogram()

        def forward(self, values: Tensor) -> Tensor:
            self._seen.add(values.detach().float().numpy())
            return values

        def calculate_qparams(self) -> tuple[Tensor, Tensor]:
            import torch

            low, high = (torch.tensor(end) for end in METHODS[method](self._seen))
            scale, zero = self._calculate_qparams(low, high)
            return scale, zero

    return replace(
        spec, observer_or_fake_quant_ctr=(MinMaxObserver if method == "min_max" else Ranged).with_args()
    )


@contextmanager
def _shared_origins() -> Iterator[None]:
    """What each node of a graph was made from is not copied by every pass that makes a new one of it.

    It is the history of the history, read by nobody here: copying it takes a fifth of the time. Nothing
    changes a history that is there, so that sharing it says the same.
    """
    from torch.fx import traceback

    source: Any = getattr(traceback, "NodeSource", None)  # PyTorch's own matter: it may go
    if source is None or hasattr(source, "__deepcopy__"):
        yield
        return
    source.__deepcopy__ = lambda self, memo: self
    try:
        yield
    finally:
        del source.__deepcopy__
