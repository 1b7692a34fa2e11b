"""PyTorch, eager; and what both backends in PyTorch share: placing a network, its calls, CUDA graphs."""

from __future__ import annotations

import copy
import io
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from mbsweep.profiler.deployed import Deployed
from mbsweep.profiler.prepared import Prepared
from mbsweep.space.architecture import IMAGE_CHANNELS

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from mbsweep.profiler.calibration import Calibration
    from mbsweep.profiler.config import LatencyConfig
    from mbsweep.profiler.deployed import Classify

UNTIMED_CALLS = 3  # before a CUDA graph is captured, and before layers are timed
NS_PER_MS = 1_000_000


class TorchEager:
    """The module as it is: forward in inference mode, or a training step without the optimizer.

    On a GPU the work of a call is captured in a CUDA graph, so that launching its kernels costs nothing.
    """

    packages: ClassVar[tuple[str, ...]] = ("torch",)
    install: ClassVar[str] = "torch"
    options: ClassVar[dict[str, tuple[str, ...]]] = {
        "precision": ("fp32", "bf16"),
        "mode": ("forward", "forward_backward"),
        "device": ("cpu", "cuda"),
        "memory_format": ("contiguous", "channels_last"),
    }

    def prepare(self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> Prepared:
        """A call of the module itself. At bf16 its output is a bfloat16 tensor.

        Raises ValueError where a training step gives a parameter no gradient, or one that is not finite.
        """
        use_threads(config.threads)
        net, tensor = placed(module, image, config)
        if config.mode == "forward_backward":
            run = training_step(net, tensor)
            check_gradients(net, run)
        else:
            run = inference(net, tensor)
        if config.device == "cuda":
            return on_cuda(run, weights_bytes(net))
        return Prepared(run, weights_bytes(net))

    def deployed(
        self, module: nn.Module, size: int, config: LatencyConfig, calibration: Calibration | None
    ) -> Deployed:
        """See `backends.Deploys`. No file is loaded."""
        use_threads(config.threads)
        net, _ = placed(module, blank(size), config)
        return Deployed(one_by_one(net, config))

    def layer_times(
        self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig, calls: int
    ) -> dict[str, list[int]]:
        """Child of the module -> nanoseconds in each call.

        Forward only; on a GPU the time includes launching the child's kernels.
        """
        import torch

        use_threads(config.threads)
        net, tensor = placed(module, image, config)
        finish = torch.cuda.synchronize if config.device == "cuda" else _nothing
        times: dict[str, list[int]] = {name: [] for name, _ in net.named_children()}
        begun = 0

        def before(*_: object) -> None:
            nonlocal begun
            finish()
            begun = time.perf_counter_ns()

        def behind(name: str, *_: object) -> None:
            finish()
            times[name].append(time.perf_counter_ns() - begun)

        for name, child in net.named_children():
            child.register_forward_pre_hook(before)
            child.register_forward_hook(partial(behind, name))
        with torch.inference_mode():
            for _ in range(UNTIMED_CALLS + calls):
                net(tensor)
        return {name: durations[UNTIMED_CALLS:] for name, durations in times.items()}


def use_threads(threads: int) -> None:
    """Run on so many threads, in the whole process."""
    import torch

    torch.set_num_threads(threads)
    if torch.get_num_threads() != threads:
        raise RuntimeError(f"torch uses {torch.get_num_threads()} threads; {threads} were asked for")


def placed(module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> tuple[nn.Module, Tensor]:
    """A copy of the module and the image: on the device, in the precision and the memory format.

    fp32 on a GPU is fp32: without the 10-bit mantissas of TF32.
    """
    import torch

    if config.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    net = copy.deepcopy(module).to(device=config.device, dtype=_dtype(config))
    net = net.to(memory_format=_layout(config))  # type: ignore[call-overload]
    return net, _given(image, config)


def _given(image: NDArray[np.float32], config: LatencyConfig) -> Tensor:
    """An image as a configuration has it."""
    import torch

    tensor = torch.from_numpy(image)
    return tensor.to(device=config.device, dtype=_dtype(config), memory_format=_layout(config))


def _dtype(config: LatencyConfig) -> torch.dtype:
    import torch

    return torch.bfloat16 if config.precision == "bf16" else torch.float32


def _layout(config: LatencyConfig) -> torch.memory_format:
    import torch

    return torch.channels_last if config.memory_format == "channels_last" else torch.contiguous_format


def blank(size: int) -> NDArray[np.float32]:
    """An image of one colour."""
    import numpy as np

    return np.zeros((1, IMAGE_CHANNELS, size, size), np.float32)


def one_by_one(net: Callable[[Tensor], Tensor], config: LatencyConfig) -> Classify:
    """A network, to be given one image after another; each is placed as a configuration says."""
    import torch

    def classify(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return net(_given(image, config)).float().cpu().numpy()

    return classify


def inference(net: Callable[[Tensor], Tensor], image: Tensor) -> Callable[[], Tensor]:
    """A call of the network, without autograd."""
    import torch

    def run() -> Tensor:
        with torch.inference_mode():
            return net(image)

    return run


def to_train(net: nn.Module) -> nn.Module:
    """The network in train mode, but for its dropout.

    Batch normalisation uses the statistics of the batch. Dropout stays off: it would make every step's output
    another one, and it drops 0.1 % of one small vector. A step raises ValueError where a batch has one value
    per channel only: one image at 32 pixels.
    """
    from torch import nn

    net.train()
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.eval()
    return net


def training_step(net: nn.Module, image: Tensor) -> Callable[[], Tensor]:
    """A call of forward and backward, which returns the logits; the network is put in train mode.

    The loss is the mean of the squared logits at fp32: no labels, and next to no time. Every step makes its
    gradients anew. There is no optimizer: its time depends on the parameters alone, not on the image. Running
    statistics go on changing, but nothing in train mode depends on them.
    """
    to_train(net)
    parameters = list(net.parameters())

    def run() -> Tensor:
        for parameter in parameters:
            parameter.grad = None
        logits: Tensor = net(image)
        logits.float().square().mean().backward()  # type: ignore[no-untyped-call]
        return logits.detach()

    return run


def check_gradients(net: nn.Module, step: Callable[[], Tensor]) -> None:
    """Make one step. Raises ValueError where a parameter has no gradient, or one that is not finite."""
    step()
    for name, parameter in net.named_parameters():
        if parameter.grad is None:
            raise ValueError(f"a training step gives {name} no gradient")
        if not parameter.grad.isfinite().all():
            raise ValueError(f"a training step gives {name} a gradient that is not finite")


def reference(module: nn.Module, image: NDArray[np.floating], mode: str) -> NDArray[np.floating]:
    """The logits that a backend must give: eager, contiguous, on the CPU; for a step in train mode.

    In the precision of the image: fp32, or float64 to tell what fp32 rounds.
    """
    import torch

    net = copy.deepcopy(module).to(torch.from_numpy(image).dtype)
    net = to_train(net) if mode == "forward_backward" else net.eval()
    with torch.inference_mode():
        return net(torch.from_numpy(image)).numpy()  # type: ignore[no-any-return]


def weights_bytes(net: nn.Module) -> int:
    """Size of the file that torch.save makes of the weights."""
    import torch

    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    return file.getbuffer().nbytes


def on_cuda(run: Callable[[], Tensor], file_bytes: int) -> Prepared:
    """The work of `run`, captured in a CUDA graph, and timed by the events of the GPU around its replay."""
    captured = _Captured(run)
    return Prepared(captured.call, file_bytes, captured.time_ns)


class _Captured:
    """The work of a call, in a CUDA graph.

    A graph knows the addresses of what it reads, and keeps none of it: the call, and with it the network and
    the image, lives as long as the graph.
    """

    def __init__(self, run: Callable[[], Tensor]) -> None:
        import torch

        self._run = run
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(UNTIMED_CALLS):
                run()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = run()
        self._start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        self._end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]

    def call(self) -> Tensor:
        self._graph.replay()
        return self._output.cpu()

    def time_ns(self) -> int:
        self._start.record()
        self._graph.replay()
        self._end.record()
        self._end.synchronize()
        return int(self._start.elapsed_time(self._end) * NS_PER_MS)


def _nothing() -> None:
    """What a CPU needs to finish: it has finished when the call returns."""
