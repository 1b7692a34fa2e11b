"""Each setting of a backend acts: threads, images, precision, layout, mode and device, told by the runtimes
themselves, or by the network that they run.
"""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from mbsweep.formats import onnx_graph
from mbsweep.formats.quantization import INT8
from mbsweep.nets import assemble
from mbsweep.profiler import int8_probe
from mbsweep.profiler.backends import BACKENDS, executorch, torch_compile
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.layers import conv

sys.modules.setdefault("openvino_telemetry", None)  # as the backend does: tests report to nobody


class Seen(Exception):  # noqa: N818
    """What was to be seen has been seen: nothing is compiled or lowered."""


class Watched(nn.Sequential):
    """A convolution that keeps what it is run on. A copy of it keeps it in the same list."""

    seen: list  # of (image, weight, whether it is trained)

    def forward(self, x):
        """As a convolution."""
        Watched.seen.append((x.detach(), self[0].weight.detach(), self.training and torch.is_grad_enabled()))
        return super().forward(x)


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Threads are those of the process; int8 weights need no trial."""
    threads = torch.get_num_threads()
    Watched.seen = []
    for name in ("onnxruntime", "openvino"):
        monkeypatch.setitem(int8_probe._chosen, name, INT8)
    yield
    torch.set_num_threads(threads)


def image(batch=1):
    return np.random.default_rng(0).standard_normal((batch, 8, 6, 6), dtype=np.float32)


def prepared(backend, **settings):
    """A call of the convolution in a runtime, and what it was run on."""
    config = LatencyConfig(backend=backend, **settings)
    found = BACKENDS[backend].prepare(Watched(nn.Conv2d(8, 8, 3)).eval(), image(config.batch), config)
    Watched.seen.clear()
    return found, found.call()


# -- eager PyTorch --------------------------------------------------------------------------------------


def torch_threads(monkeypatch):
    """Of the process."""
    for threads in (2, 1):
        prepared("torch", threads=threads)
        assert torch.get_num_threads() == threads


def torch_batch(monkeypatch):
    """So many images at once."""
    for batch in (1, 3):
        prepared("torch", batch=batch)
        assert Watched.seen[0][0].shape == (batch, 8, 6, 6)


def torch_precision(monkeypatch):
    """Image and weights."""
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        prepared("torch", precision=precision)
        assert {tensor.dtype for tensor in Watched.seen[0][:2]} == {kind}


def torch_mode(monkeypatch):
    """A step is in train mode and gives gradients."""
    for mode, is_step in (("forward", False), ("forward_backward", True)):
        prepared("torch", mode=mode)
        assert Watched.seen[0][2] == is_step


def torch_memory_format(monkeypatch):
    """How image and weights lie in memory: values of one pixel beside each other, or of one channel."""
    for name, strides in (("contiguous", (1, 36)), ("channels_last", (8, 1))):
        prepared("torch", memory_format=name)
        x, weight, _ = Watched.seen[0]
        assert (x.stride(3), x.stride(1)) == strides
        assert weight.stride(1) == (9 if name == "contiguous" else 1)


def torch_device(monkeypatch):
    """On a GPU, or where there is none not at all."""
    if torch.cuda.is_available():
        prepared("torch", device="cuda")
        assert Watched.seen == []  # a captured graph runs no Python
    else:
        with pytest.raises((RuntimeError, AssertionError), match=r"CUDA|NVIDIA"):
            prepared("torch", device="cuda")


def compile_device(monkeypatch):
    """On a GPU in a captured graph, or where there is none not at all."""
    if torch.cuda.is_available():
        found, _ = prepared("torch_compile", device="cuda")
        assert 0 < found.time_ns() < 1e9  # of the GPU's own clock
    else:
        with pytest.raises((RuntimeError, AssertionError), match=r"CUDA|NVIDIA"):
            prepared("torch_compile", device="cuda")


# -- compiled PyTorch -----------------------------------------------------------------------------------


def told_to_compile(monkeypatch, **settings):
    """The key of the cached file, and the network and image that would be compiled."""
    told = []

    def compiled(net, tensor):
        told.extend((net, tensor))
        raise Seen

    def cached(key, ending, make):
        told.append(key)
        make()

    monkeypatch.setattr(torch_compile, "compiled", compiled)
    monkeypatch.setattr(torch_compile, "cached", cached)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(8, 8, 3)).eval()
    config = LatencyConfig(backend="torch_compile", **settings)
    with pytest.raises(Seen):
        BACKENDS["torch_compile"].prepare(net, image(config.batch), config)
    return told


def compile_threads(monkeypatch):
    """The code has in its loops those of the process that compiles it: other threads, another file."""
    keys = set()
    for threads in (1, 2):
        keys.add(told_to_compile(monkeypatch, threads=threads)[0])
        assert torch.get_num_threads() == threads
    assert len(keys) == 2
    assert told_to_compile(monkeypatch, threads=2)[0] in keys


def compile_batch(monkeypatch):
    """For so many images, in a file of its own."""
    (one, _, single), (other, _, three) = (told_to_compile(monkeypatch, batch=batch) for batch in (1, 3))
    assert one != other
    assert (single.shape[0], three.shape[0]) == (1, 3)


def compile_precision(monkeypatch):
    """Image and weights, and the file."""
    found = [told_to_compile(monkeypatch, precision=precision) for precision in ("fp32", "bf16")]
    assert found[0][0] != found[1][0]
    for (_, net, tensor), kind in zip(found, (torch.float32, torch.bfloat16), strict=True):
        assert {tensor.dtype, *(weight.dtype for weight in net.parameters())} == {kind}


def compile_memory_format(monkeypatch):
    """How the image lies in memory, and the file."""
    found = [told_to_compile(monkeypatch, memory_format=name) for name in ("contiguous", "channels_last")]
    assert found[0][0] != found[1][0]
    assert [tensor.stride(1) for _, _, tensor in found] == [36, 1]


# -- ONNX Runtime and OpenVINO --------------------------------------------------------------------------


def loaded(monkeypatch, backend, **settings):
    """The file that a runtime loads, and how many threads the process has more afterwards."""
    kept, it = [], BACKENDS[backend]
    real = type(it).load

    def load(self, model, image, config):
        before = len(os.listdir("/proc/self/task"))
        call = real(self, model, image, config)
        kept.extend((model, len(os.listdir("/proc/self/task")) - before))
        return call

    monkeypatch.setattr(type(it), "load", load)
    config = LatencyConfig(backend=backend, **settings)
    net = assemble([conv("conv", (8, 8), 6, 3)]).eval()
    output = it.prepare(net, image(config.batch), config).call()
    monkeypatch.undo()
    return *kept, np.asarray(output)


def onnxruntime_threads(monkeypatch):
    """The one that calls, and those that the session starts. The first session starts one for all."""
    loaded(monkeypatch, "onnxruntime")
    assert [loaded(monkeypatch, "onnxruntime", threads=threads)[1] for threads in (1, 3)] == [0, 2]


def openvino_threads(monkeypatch):
    """As the compiled model says, for this one and the next."""
    for threads in range(1, min(3, os.cpu_count() + 1)):
        (model,) = compiled_by_openvino(monkeypatch, threads=threads)
        assert model.get_property("INFERENCE_NUM_THREADS") == threads


def compiled_by_openvino(monkeypatch, **settings):
    """What OpenVINO made of a model that it was given."""
    import openvino

    kept, real = [], openvino.Core.compile_model
    monkeypatch.setattr(
        openvino.Core, "compile_model", lambda *words: kept.append(found := real(*words)) or found
    )
    loaded(monkeypatch, "openvino", **settings)
    return kept


def images_at_once(backend):
    """So many rows of logits, and a file for so many."""

    def check(monkeypatch):
        for batch in (1, 3):
            model, _, output = loaded(monkeypatch, backend, batch=batch)
            (given,) = onnx.load_from_string(model).graph.input
            assert given.type.tensor_type.shape.dim[0].dim_value == len(output) == batch

    return check


def integers(backend):
    """The file has weights of 8 bits, or of 32."""

    def check(monkeypatch):
        for precision, has in (("fp32", False), ("int8", True)):
            model, *_ = loaded(monkeypatch, backend, precision=precision)
            kinds = {tensor.data_type for tensor in onnx.load_from_string(model).graph.initializer}
            assert (onnx.TensorProto.INT8 in kinds) == has

    return check


def openvino_precision(monkeypatch):
    """int8 by the file; bf16 by a hint that the model took, or that is refused where the CPU has none."""
    import openvino

    integers("openvino")(monkeypatch)
    (model,) = compiled_by_openvino(monkeypatch, precision="fp32")
    assert model.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
    if BACKENDS["openvino"].lacks(bf16 := LatencyConfig(backend="openvino", precision="bf16")):
        with pytest.raises(RuntimeError, match="INFERENCE_PRECISION_HINT"):
            BACKENDS["openvino"].prepare(assemble([conv("conv", (8, 8), 6, 3)]).eval(), image(), bf16)
    else:
        (model,) = compiled_by_openvino(monkeypatch, precision="bf16")
        assert model.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.bf16


# -- ExecuTorch -----------------------------------------------------------------------------------------


def told_to_lower(monkeypatch, **settings):
    """The key of the cached file, whose content is none: it is not loaded."""
    keys = []
    monkeypatch.setattr(executorch, "cached", lambda key, *_: keys.append(key) or b"")
    torch.manual_seed(0)
    config = LatencyConfig(backend="executorch", **settings)
    with pytest.raises(Exception, match=r".+"):
        BACKENDS["executorch"].prepare(nn.Sequential(nn.Conv2d(8, 8, 3)).eval(), image(config.batch), config)
    return keys[0]


def executorch_threads(monkeypatch):
    """As many as the runtime's pool says."""
    for threads in (2, 1):
        told_to_lower(monkeypatch, threads=threads)
        from executorch.extension.pybindings import _C

        assert _C._threadpool_get_thread_count() == threads


def executorch_batch(monkeypatch):
    """A file for so many images."""
    assert told_to_lower(monkeypatch, batch=1) != told_to_lower(monkeypatch, batch=3)


def executorch_precision(monkeypatch):
    """A file of its own, by its own way of lowering."""
    assert told_to_lower(monkeypatch) != told_to_lower(monkeypatch, precision="int8")


ACTS = {
    "torch": {
        "threads": torch_threads,
        "batch": torch_batch,
        "precision": torch_precision,
        "mode": torch_mode,
        "device": torch_device,
        "memory_format": torch_memory_format,
    },
    "torch_compile": {
        "threads": compile_threads,
        "batch": compile_batch,
        "precision": compile_precision,
        "device": compile_device,
        "memory_format": compile_memory_format,
    },
    "onnxruntime": {
        "threads": onnxruntime_threads,
        "batch": images_at_once("onnxruntime"),
        "precision": integers("onnxruntime"),
    },
    "openvino": {
        "threads": openvino_threads,
        "batch": images_at_once("openvino"),
        "precision": openvino_precision,
    },
    "executorch": {
        "threads": executorch_threads,
        "batch": executorch_batch,
        "precision": executorch_precision,
    },
}


def test_each_setting_of_each_backend_is_shown_to_act():
    """A backend, or an option of one, that is added is added to the table, too."""
    has = {name: {"threads", "batch", *backend.options} for name, backend in BACKENDS.items()}
    assert {name: set(settings) for name, settings in ACTS.items()} == has


@pytest.mark.parametrize(("backend", "setting"), [(name, it) for name in ACTS for it in ACTS[name]])
def test_a_setting_acts(backend, setting, monkeypatch):
    """As the functions above say."""
    ACTS[backend][setting](monkeypatch)


FLUSH = """
import sys
from pathlib import Path
import numpy as np
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.config import LatencyConfig
backend, model = sys.argv[1], Path(sys.argv[2]).read_bytes()
image = np.full((1, 16, 8, 8), 1e-20, dtype=np.float32)
call = BACKENDS[backend].load(model, image, LatencyConfig(backend=backend))
assert "torch" not in sys.modules
print(np.asarray(call()).view(np.uint32).any())
"""


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_runtime_flushes_denormals(backend, tmp_path):
    """1e-20 x 1e-20 is a denormal, and nought to the last bit: without torch, which could have asked for it.

    In a process of its own: ONNX Runtime has its first session decide for the thread that calls.
    """
    layers = [conv("conv", (16, 16), 8, norm=False, activation="")]
    weights = {
        "conv.conv.weight": np.full((16, 16, 1, 1), 1e-20, np.float32),
        "conv.conv.bias": np.zeros(16, np.float32),
    }
    model = tmp_path / "net.onnx"
    model.write_bytes(onnx_graph.write(layers, weights, (1, 16, 8, 8)))
    words = [sys.executable, "-c", FLUSH, backend, str(model)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
