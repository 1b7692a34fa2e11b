"""The two runtimes that load ONNX files."""

import functools
import logging
import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from mbsweep.base.files import read_kept
from mbsweep.formats import quantization
from mbsweep.formats.exact import off_by
from mbsweep.nets import build
from mbsweep.profiler import calibration
from mbsweep.profiler.backends import TellsLayers
from mbsweep.profiler.backends.onnx_runtime import OnnxRuntime
from mbsweep.profiler.backends.openvino import OpenVino
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepare import build as assembled
from mbsweep.profiler.prepare import network as built
from mbsweep.profiler.prepare import prepare
from mbsweep.profiler.subject import Subject
from mbsweep.profiler.workbench import Workbench
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.families import FAMILIES
from mbsweep.space.variant import Variant

sys.modules.setdefault("openvino_telemetry", None)  # as the backend does: tests report to nobody
pytest.importorskip("openvino")

BACKENDS = {"onnxruntime": OnnxRuntime(), "openvino": OpenVino()}
# OpenVINO's bf16 where the CPU has it; that it is refused elsewhere is tested below, on every CPU.
CASES = [
    (name, precision)
    for name, it in BACKENDS.items()
    for precision in it.options["precision"]
    if precision != "bf16" or not it.lacks(LatencyConfig(backend=name, precision=precision))
]
# Of the largest logit. Measured on such networks: bf16 0.004 to 0.01, what int8 rounds 0.015 to 0.055.
TOLERANCES = {"fp32": 1e-5, "bf16": 0.03, "int8": 0.08}
SMALL = Variant(width=0.25, resolution=96, depth=1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MBSWEEP_CACHE", str(tmp_path))
    return tmp_path / "files"


def config(backend: str, precision: str, **more: object) -> LatencyConfig:
    return LatencyConfig(backend=backend, precision=precision, **more)


def network(variant: Variant) -> nn.Module:
    torch.manual_seed(0)
    return build(variant).eval()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize(("backend", "precision"), CASES)
@pytest.mark.parametrize(
    ("variant", "batch"),
    [(SMALL, 3), (Variant(width=0.5, resolution=96), 1), (SMALL.but(block="standard"), 1)],
    ids=["batch", "wider", "standard"],
)
def test_output_is_that_of_the_eager_network(backend, precision, variant, batch):
    """Each call gives the eager network's logits, as exactly as the precision allows."""
    net, image = network(variant), noise(batch, 3, variant.resolution, variant.resolution)
    with torch.inference_mode():
        expected = net(torch.from_numpy(image)).numpy()
    prepared = BACKENDS[backend].prepare(net, image, config(backend, precision, batch=batch))
    assert (prepared.rounded is not None) == (precision == "int8")
    for _ in range(2):
        output = np.asarray(prepared.call())
        assert output.shape == expected.shape
        if precision == "int8":
            assert off_by(output, prepared.rounded) < 0.02
            output = prepared.rounded
        assert off_by(output, expected) < TOLERANCES[precision]
    difference = off_by(output, expected)
    assert (difference > 1e-4) == (precision != "fp32")  # neither runtime takes another precision silently


@pytest.mark.parametrize(("backend", "precision"), CASES)
def test_size_is_that_of_the_file(backend, precision):
    """int8 takes about a quarter of 4 bytes a parameter; bf16 loads the fp32 file."""
    prepared = BACKENDS[backend].prepare(network(SMALL), noise(1, 3, 96, 96), config(backend, precision))
    params = sum(parameter.numel() for parameter in network(SMALL).parameters())
    bytes_per_param = 1 if precision == "int8" else 4
    assert 0.95 * bytes_per_param < prepared.file_bytes / params < 1.25 * bytes_per_param


FAMILY_CASES = [(name, backend, precision) for name in FAMILIES for backend, precision in CASES]


@functools.cache
def of_family(family: str) -> tuple[Variant, nn.Module]:
    """A small network of it, built once for all runtimes."""
    variant = Variant(family, width=0.25, resolution=FAMILIES[family].least_resolution + 31, num_classes=10)
    return variant, built(variant)


@pytest.mark.parametrize(("family", "backend", "precision"), FAMILY_CASES)
def test_every_family_is_prepared(family, backend, precision):
    """Its output checked against eager PyTorch, and at int8 against its own rounding, by `prepare` itself."""
    variant, net = of_family(family)
    prepared = prepare(net, (3, *[variant.resolution] * 2), config(backend, precision))
    assert (prepared.rounded is not None) == (precision == "int8")


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("backend", "precision"), CASES)
@pytest.mark.parametrize("stride", [1, 2])
def test_every_block_alone_is_prepared(block, backend, precision, stride):
    """As the predictor times it: a map is what it gives."""
    subject = Subject.of_block(BLOCKS[block]((16, 16), stride, 14, 5))
    prepared = prepare(assembled(subject.layers, batch=1), subject.shape, config(backend, precision))
    assert np.asarray(prepared.call()).shape == (1, 16, 14 // stride, 14 // stride)


def test_a_branching_network_runs_in_integers(tmp_path):
    """onnxruntime has integer operators for sums, concatenations, gates, poolings; curves stay in floats."""
    kinds = set()
    for name, more in (("mobilenet_v3_small", 32), ("googlenet", 31), ("resnet18", 32)):
        variant = Variant(name, width=0.25, resolution=FAMILIES[name].least_resolution + more, num_classes=10)
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
        options.log_severity_level = 3
        image = noise(1, 3, variant.resolution, variant.resolution)
        model = calibration.quantised(built(variant), image, quantization.INT8)
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        found = onnx.load(tmp_path / "optimised.onnx").graph.node
        kinds |= {node.op_type.replace("NhwcMax", "Max") for node in found}
    assert kinds - {"Transpose", "Flatten", "QuantizeLinear", "DequantizeLinear"} == {
        "QLinearConv",
        "QGemm",
        "QLinearAdd",
        "QLinearMul",
        "QLinearConcat",
        "QLinearGlobalAveragePool",
        "MaxPool",
        "HardSigmoid",
        "Mul",  # what it makes of a hard swish, beside the former
    }


@pytest.mark.parametrize(("backend", "precision"), CASES)
def test_layer_times_of_a_graph(backend, precision):
    """Of every layer that is left once the runtime has fused what it can; the rest is in brackets."""
    net = built(Variant("mobilenet_v3_small", width=0.25, resolution=64, num_classes=10))
    times = BACKENDS[backend].layer_times(net, noise(1, 3, 64, 64), config(backend, precision), 3)
    convolutions = {layer.child for layer in net.layers if layer.is_conv}
    assert convolutions <= set(times)
    names = {layer.child for layer in net.layers}
    assert {name for name in times if name not in names} <= {"(reorder)", "(quantize)"}


class Stranger(nn.Module):
    """A module that mbsweep has no description of."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A sum of two of its maps."""
        return (self.conv(x) + self.conv(x * 2).sigmoid()).mean((2, 3))


class Broken(nn.Module):
    """Cannot be run, nor exported."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Fails."""
        raise ValueError("no such  thing")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_strangers_module_is_exported_by_pytorch(backend):
    """And gives what it gives in eager PyTorch."""
    torch.manual_seed(0)
    prepared = prepare(Stranger().eval(), (3, 9, 9), config(backend, "fp32"))
    assert np.asarray(prepared.call()).shape == (1, 4)


def test_what_cannot_be_exported_or_quantised_is_told():
    """In one line, with the exporters' reasons."""
    with pytest.raises(
        RuntimeError, match=r"cannot export this module to ONNX \(tracing: no such thing; dynamo: "
    ):
        OnnxRuntime().file(Broken(), noise(1, 3, 9, 9), "fp32")
    with pytest.raises(RuntimeError, match="int8 ONNX files are made of networks that mbsweep describes"):
        OnnxRuntime().file(Stranger().eval(), noise(1, 3, 9, 9), "int8")


def test_the_exporters_are_quiet_only_here():
    """PyTorch's logger is as it was, whether a module could be exported or not."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    try:
        logger.setLevel(logging.INFO)
        for module in (Stranger().eval(), Broken()):
            with suppress(RuntimeError):
                OnnxRuntime().file(module, noise(1, 3, 9, 9), "fp32")
            assert logger.level == logging.INFO
    finally:
        logger.setLevel(before)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
@pytest.mark.parametrize(("backend", "precision"), CASES)
def test_two_threads(backend, precision):
    """The same logits with two threads."""
    net, image = network(SMALL), noise(1, 3, 96, 96)
    one, two = (
        BACKENDS[backend].prepare(net, image, config(backend, precision, threads=threads))
        for threads in (1, 2)
    )
    expected = np.array(one.call())
    assert np.abs(two.call() - expected).max() / np.abs(expected).max() < 0.01


@pytest.mark.parametrize(("backend", "precision"), CASES)
def test_layer_times(backend, precision):
    """Every layer of the network has its time; what is no layer's is in brackets."""
    it = BACKENDS[backend]
    assert isinstance(it, TellsLayers)
    net = network(SMALL)
    times = it.layer_times(net, noise(1, 3, 96, 96), config(backend, precision), 7)
    layers = {name for name, _ in net.named_children()}
    assert layers <= set(times)
    assert {name for name in times if name not in layers} <= {"(reorder)", "(quantize)"}
    lengths = {len(samples) for samples in times.values()}
    assert lengths == ({7} if backend == "onnxruntime" else {1})  # openvino tells one mean
    assert all(isinstance(time, int) and time >= 0 for samples in times.values() for time in samples)
    assert sum(min(samples) for samples in times.values()) > 20_000  # 20 us: no CPU is done by then


@pytest.mark.parametrize("weights", quantization.WEIGHTS.values(), ids=lambda it: it.name)
def test_int8_runs_in_integers_from_end_to_end(weights, tmp_path):
    """onnxruntime makes integer operators of everything between the image and the logits."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    model = calibration.quantised(network(SMALL), noise(1, 3, 96, 96), weights)
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert kinds.count("QLinearConv") == 19  # the stem, and 9 separable blocks of 2
    assert set(kinds) - {"QLinearConv", "Transpose"} == {
        "QuantizeLinear",
        "QLinearGlobalAveragePool",
        "Flatten",
        "QGemm",
    }
    assert kinds.count("QuantizeLinear") == 1  # of the image


@pytest.mark.parametrize("backend", BACKENDS)
def test_int8_files_are_kept(backend, cache, monkeypatch):
    """A network is quantised once; afterwards, the kept file is what the runtime loads."""
    net, image = network(SMALL), noise(1, 3, 96, 96)
    first = BACKENDS[backend].prepare(net, image, config(backend, "int8"))
    (kept,) = cache.glob("*.onnx")  # beside it how the weights are held
    assert first.file_bytes == len(read_kept(kept))
    expected = np.array(first.call())

    def refuse(*_):
        raise AssertionError("quantised again")

    monkeypatch.setattr(calibration, "quantised", refuse)
    again = BACKENDS[backend].prepare(net, image, config(backend, "int8"))
    assert np.array_equal(again.call(), expected)

    with torch.no_grad():
        net.get_submodule("stem.conv").weight[0, 0, 0, 0] += 1
    with pytest.raises(AssertionError, match="quantised again"):  # other weights, another file
        BACKENDS[backend].prepare(net, image, config(backend, "int8"))


def test_quantising_gives_the_same_bytes_each_time():
    """The calibration's images are seeded."""
    net, image = network(SMALL), noise(1, 3, 96, 96)
    first, again = (calibration.quantised(net, image, quantization.INT8) for _ in range(2))
    assert first == again


def test_more_threads_than_the_runtime_gives_are_refused():
    """OpenVINO silently takes no more threads than there are cores: that is an error here."""
    with pytest.raises(RuntimeError, match="INFERENCE_NUM_THREADS = 1024"):
        OpenVino().prepare(network(SMALL), noise(1, 3, 96, 96), config("openvino", "fp32", threads=1024))


def test_bf16_needs_hardware(monkeypatch):
    """Where the CPU has no bf16, OpenVINO would imitate it or take fp32: here it is skipped."""
    import openvino

    bf16 = LatencyConfig(backend="openvino", precision="bf16")
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "INT8"])  # what such a CPU tells
    assert Workbench(bf16).unavailable == "this CPU cannot calculate in bf16"
    assert Workbench(LatencyConfig(backend="openvino")).unavailable == ""
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "BF16"])
    assert Workbench(bf16).unavailable == ""


CHECK = """
import sys
import mbsweep.profiler.backends.openvino
assert not {"openvino", "onnxruntime", "onnx", "torch"} & set(sys.modules)
import numpy, torch, mbsweep.sweep.sweep
config = mbsweep.sweep.sweep.LatencyConfig(backend="openvino")
module = torch.nn.Sequential(torch.nn.Linear(4, 4)).eval()  # a stranger's: by PyTorch's exporter
mbsweep.profiler.backends.openvino.OpenVino().prepare(module, numpy.ones((1, 4), numpy.float32), config)
assert "openvino" in sys.modules
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
"""


def test_backends_load_nothing_and_report_to_nobody():
    """Importing the backends loads no runtime; OpenVINO is used without its telemetry."""
    subprocess.run([sys.executable, "-c", CHECK], check=True)
