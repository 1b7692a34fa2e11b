"""The ONNX file of a network says what the network does."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from mbsweep.formats import onnx_graph, quantization
from mbsweep.formats.exact import calculate
from mbsweep.formats.onnx_graph import layer_of, operations
from mbsweep.nets import build
from mbsweep.profiler.backends.onnx_runtime import OnnxRuntime
from mbsweep.profiler.backends.openvino import OpenVino
from mbsweep.space.variant import Variant

VARIANTS = [
    Variant(width=0.25, resolution=128),
    Variant(width=0.5, resolution=96, depth=0, num_classes=10),
    Variant(width=0.35, resolution=65, depth=1),  # odd sizes on the way down
    Variant(width=0.25, resolution=64, block="standard"),
]


def trained_look(module: nn.Module) -> nn.Module:
    """The module in eval mode, with batch normalisations that do something."""
    generator = torch.Generator().manual_seed(3)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.3, generator=generator)
            norm.running_var.uniform_(0.5, 2, generator=generator)
            norm.weight.data.uniform_(0.5, 1.5, generator=generator)
            norm.bias.data.normal_(0, 0.3, generator=generator)
    return module.eval()


def network(variant: Variant) -> nn.Module:
    torch.manual_seed(0)
    return trained_look(build(variant))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def eager(module: nn.Module, image: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return module(torch.from_numpy(image.copy())).numpy()


def off_by(output: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, in parts of the largest expected value."""
    assert output.shape == expected.shape
    return float(np.abs(output - expected).max() / np.abs(expected).max())


def run(model: bytes, image: np.ndarray, in_floats: bool = False) -> np.ndarray:
    """in_floats: without optimisations an int8 file is calculated in floats, alike on every processor."""
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    options = onnxruntime.SessionOptions()
    if in_floats:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": image})[0]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_file_gives_the_eager_output(variant):
    """Batch normalisation folded, the file's logits are those of the eager network, to float32's rounding."""
    net, image = network(variant), noise(2, 3, variant.resolution, variant.resolution)
    assert off_by(run(onnx_graph.write(net, image), image), eager(net, image)) < 1e-5


def child(name: str) -> nn.Module:
    return network(Variant(width=0.25, resolution=64)).get_submodule(name)


PARTS = {  # name -> (part of a network, shape of its input)
    "a separable pair": (lambda: nn.Sequential(child("block2_dw"), child("block2_pw")), (1, 16, 28, 28)),
    "a layer": (lambda: child("block2_pw"), (1, 16, 14, 14)),
    "a bare grouped convolution": (lambda: nn.Conv2d(4, 6, (3, 1), (2, 1), (1, 0), groups=2), (1, 4, 9, 8)),
    "convolution, ReLU": (lambda: nn.Sequential(nn.Conv2d(3, 5, 3, dilation=2), nn.ReLU()), (1, 3, 9, 9)),
    "ReLU first": (lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(3, 5, 1, bias=False)), (1, 3, 9, 9)),
    "two ReLUs": (lambda: nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.ReLU()), (1, 3, 9, 9)),
    "the end": (lambda: nn.Sequential(child("pool"), child("classifier")), (1, 256, 2, 2)),
    "pooling": (lambda: child("pool"), (1, 256, 2, 2)),
    "a bare linear layer": (lambda: nn.Linear(7, 3), (2, 7)),
    "a linear layer without a bias": (lambda: nn.Sequential(nn.Linear(7, 3, bias=False)), (1, 7)),
}


def made(name: str) -> tuple[nn.Module, np.ndarray]:
    make, shape = PARTS[name]
    torch.manual_seed(0)
    return make().eval(), noise(*shape)


@pytest.mark.parametrize("name", PARTS)
def test_parts_can_be_written(name):
    """Any chain of a network's modules is a file, too."""
    part, image = made(name)
    assert off_by(run(onnx_graph.write(part, image), image), eager(part, image)) < 1e-5


@pytest.mark.parametrize("weights", quantization.WEIGHTS.values(), ids=lambda it: it.name)
@pytest.mark.parametrize("name", PARTS)
def test_parts_can_be_written_in_int8(name, weights):
    """However their weights are held they give what the part does, to some steps of 8 or 7 bits."""
    part, image = made(name)
    model = quantization.write(part, image, weights)
    assert off_by(run(model, image, in_floats=True), eager(part, image)) < 0.05


@pytest.mark.parametrize("factor", [OnnxRuntime().factor, OpenVino().factor], ids=["onnxruntime", "openvino"])
@pytest.mark.parametrize("weights", quantization.WEIGHTS.values(), ids=lambda it: it.name)
@pytest.mark.parametrize("name", PARTS)
def test_exact_integers_are_those_of_the_file(name, weights, factor):
    """What a runtime is held to: the file in floats, by ONNX Runtime, to no more than one step out of 255."""
    part, image = made(name)
    model = quantization.write(part, image, weights)
    on_steps, exact = calculate(model, image, factor)
    assert np.abs(on_steps - image).max() < 6 / 255  # of noise, from -4 to 4: half a step at most, and what
    assert off_by(exact, run(model, on_steps, in_floats=True)) < 1 / 100  # the calibration has not seen


def test_fixed_input_and_names():
    """The input is "image", of the image's shape; the output "logits"; nodes are the modules' paths."""
    graph = onnx.load_from_string(onnx_graph.write(network(VARIANTS[1]), noise(3, 3, 96, 96))).graph
    assert [value.name for value in (*graph.input, *graph.output)] == ["image", "logits"]
    assert [size.dim_value for size in graph.input[0].type.tensor_type.shape.dim] == [3, 3, 96, 96]
    assert [node.name for node in graph.node][:3] == ["stem.conv", "stem.relu", "block1_dw.conv"]
    assert [node.op_type for node in graph.node][-3:] == ["GlobalAveragePool", "Flatten", "Gemm"]


def test_the_module_stays_as_it_was():
    """Folding works on copies."""
    net = network(VARIANTS[1])
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    image = noise(1, 3, 96, 96)
    kept = image.copy()
    onnx_graph.write(net, image)
    quantization.write(net, image)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert np.array_equal(image, kept)


class Residual(nn.Module):
    """Not a chain."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Twice the input."""
        return x + x


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (nn.Sequential(Residual()), "0: cannot write Residual"),
        (nn.Sequential(nn.Conv2d(3, 3, 3, padding="same")), "Conv2d"),
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), "conv2d: cannot write Conv2d"),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), "BatchNorm2d"),
        (nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)), "BatchNorm2d"),
        (nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)), "statistics"),
        (nn.AdaptiveAvgPool2d(2), "AdaptiveAvgPool2d"),
        (nn.Flatten(0), "Flatten"),
        (type("Own", (nn.Sequential,), {})(nn.ReLU()), "Own"),  # its forward may be its own, too
    ],
)
def test_what_cannot_be_written_is_refused_by_name(module, name):
    """A module that the file could not say faithfully is an error that names it."""
    with pytest.raises(NotImplementedError, match=name):
        onnx_graph.write(module, noise(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("node", "kind", "layer"),
    [
        ("block1_dw.relu_nchwc", "Conv", "block1_dw"),  # onnxruntime
        ("block1_dw.conv_token_6", "QLinearConv", "block1_dw"),
        ("block1_dw.conv/WithoutBiases", "GroupConvolution", "block1_dw"),  # openvino
        ("pool.pool_acdb_abcd_pool.flatten", "Reorder", "(reorder)"),
        ("logits", "FullyConnected", "classifier"),
        ("image.quantized", "QuantizeLinear", "(quantize)"),
        ("something", "Else", "(Else)"),
    ],
)
def test_runtimes_nodes_find_their_layers(node, kind, layer):
    """A runtime's name for a fused node leads back to the module's child."""
    assert layer_of(node, kind, operations(network(VARIANTS[1]))) == layer


def test_of_two_layers_the_one_with_the_longer_name():
    """Of layers "conv" and "conv_1", the node "conv_1_nchwc" belongs to the second."""
    part = nn.Sequential()
    part.add_module("conv", nn.Conv2d(3, 3, 1))
    part.add_module("conv_1", nn.Conv2d(3, 3, 1))
    assert layer_of("conv_1_nchwc", "Conv", operations(part)) == "conv_1"
    assert layer_of("conv_nchwc", "Conv", operations(part)) == "conv"


@pytest.mark.parametrize(
    ("weights", "kind", "zero_point", "largest"),
    [
        ("8-bit weights", np.int8, 0, 127),
        ("unsigned 8-bit weights", np.uint8, 128, 127),
        ("7-bit weights", np.int8, 0, 63),
    ],
)
def test_int8_weights_are_per_channel(weights, kind, zero_point, largest):
    """Each output channel has a step of its own, where its largest weight is 127 or 63; biases are int32."""
    net = network(VARIANTS[0])
    model = quantization.write(net, noise(1, 3, 128, 128), quantization.WEIGHTS[weights])
    graph = onnx.load_from_string(model).graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for path, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight, bias = constants[f"{path}.weight.quantized"], constants[f"{path}.bias.quantized"]
            assert weight.dtype == kind
            assert set(constants[f"{path}.weight.zero_point"].tolist()) == {zero_point}
            assert bias.dtype == np.int32
            assert weight.shape == tuple(module.weight.shape)
            rows = weight.reshape(len(weight), -1).astype(int) - zero_point
            assert (np.abs(rows).max(axis=1) == largest).all()
            assert constants[f"{path}.weight.scale"].shape == (len(module.weight),)
    behind_relu = [values for name, values in constants.items() if name.endswith(".relu.zero_point")]
    assert len(behind_relu) == 27
    assert all(value == 0 for value in behind_relu)  # the rounding is the ReLU


def test_channels_of_no_weight():
    """A channel of almost no weight keeps its bias; one of zeros stays zero."""
    part = nn.Sequential(nn.Conv2d(2, 3, 1)).eval()
    part[0].weight.data[:] = torch.tensor([[1.0, -1.0], [1e-12, 0.0], [0.0, 0.0]])[:, :, None, None]
    part[0].bias.data[:] = torch.tensor([0.0, 2.0, 0.0])
    image = noise(1, 2, 8, 8)
    output = run(quantization.write(part, image), image, in_floats=True)
    assert output[0, 1] == pytest.approx(2, abs=0.05)
    assert output[0, 2] == pytest.approx(0, abs=0)
