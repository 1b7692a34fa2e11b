"""The ONNX file of a network says what the network does."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from mbsweep.formats import onnx_graph, quantization
from mbsweep.formats.exact import calculate
from mbsweep.formats.operations import layer_of, operations
from mbsweep.nets import Network, assemble, build
from mbsweep.profiler.backends.onnx_runtime import OnnxRuntime
from mbsweep.profiler.backends.openvino import OpenVino
from mbsweep.profiler.calibration import arrays, quantised
from mbsweep.space.blocks import BLOCKS, expanded, separable
from mbsweep.space.families import FAMILIES
from mbsweep.space.families.googlenet import inception
from mbsweep.space.layers import add, avg_pool, conv, depthwise, linear, max_pool, squeeze
from mbsweep.space.variant import Variant

VARIANTS = [
    Variant(width=0.25, resolution=128),
    Variant(width=0.5, resolution=96, depth=0, num_classes=10),
    Variant(width=0.35, resolution=65, depth=1),  # odd sizes on the way down
    Variant(width=0.25, resolution=64, block="standard"),
    Variant(width=0.25, resolution=64, depth=0, padding="same", bn_epsilon=0.5, activation="relu6"),
]
NAMES = list(FAMILIES)


def small(family: str) -> Variant:
    """A network of a family of few channels and pixels."""
    return Variant(family, width=0.25, resolution=FAMILIES[family].least_resolution + 40, num_classes=10)


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


def network(variant: Variant) -> Network:
    torch.manual_seed(0)
    net = build(variant)
    trained_look(net)
    return net


def written(net: Network, image: np.ndarray) -> bytes:
    return onnx_graph.write(net.layers, arrays(net), image.shape)


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
    assert off_by(run(written(net, image), image), eager(net, image)) < 1e-5


@pytest.mark.parametrize("family", NAMES)
def test_every_familys_file_gives_the_eager_output(family):
    """Residuals, branches, gates and all."""
    variant = small(family)
    net, image = network(variant), noise(2, 3, variant.resolution, variant.resolution)
    assert off_by(run(written(net, image), image), eager(net, image)) < 1e-4


def acting(activation: str) -> list:
    return [conv("conv", (3, 5), 9, 3, activation=activation)]


def projected() -> list:
    """Two convolutions of one map, added."""
    return [
        conv("one", (3, 6), 8, 3, activation=""),
        conv("other", (3, 6), 8, activation="", reads=(-2,)),
        add("add", 6, 8, -2, "relu"),
        conv("last", (6, 4), 8),
    ]


PARTS = {  # name -> layers
    "a separable pair": separable((16, 32), 1, 28).layers,
    "a layer": [conv("conv", (16, 24), 14)],
    "a bare grouped convolution": [conv("c", (4, 6), 9, (3, 1), 2, groups=2, norm=False, activation="")],
    "unpadded": [conv("c", (3, 5), 9, 7, 2, padding=0, norm=False)],
    "relu6": acting("relu6"),
    "hard swish": acting("hard_swish"),
    "hard sigmoid": acting("hard_sigmoid"),
    "no activation": acting(""),
    "the end": [avg_pool("pool", 256, 2), linear("classifier", (256, 100))],
    "pooling": [avg_pool("pool", 64, 2)],
    "a linear layer alone": [linear("classifier", (7, 3))],
    "a linear layer of a map": [conv("c", (3, 4), 5), linear("a", (4, 6), 5, "relu"), linear("b", (6, 3))],
    "a hidden layer": [
        avg_pool("pool", 64, 4),
        linear("a", (64, 32), activation="hard_swish"),
        linear("b", (32, 3)),
    ],
    "max pool": [conv("c", (3, 4), 9), max_pool("pool", 4, 9, 3, 2, 1)],
    "max pool over the edge": [conv("c", (3, 4), 8), max_pool("pool", 4, 8, 3, 2, ceil=True)],
    "max pool of a signed map": [max_pool("pool", 4, 8, 3, 1, 1), conv("c", (4, 4), 8)],
    "squeeze": [squeeze("squeeze", 16, 6), conv("c", (16, 8), 1)],
    "classified by a convolution": [conv("c", (8, 5), 6, norm=False), avg_pool("pool", 5, 6)],
    "gated": expanded((8, 8), 24, 1, 7, activation="hard_swish", squeezed=8).layers,
    "projected": projected(),
    "inception": inception(16, (8, 8, 8, 4, 8, 8), 7, 3).layers,
    "depthwise 5x5": [depthwise("dw", 8, 9, 5, 2)],
    "padded as by TensorFlow": [replace(depthwise("dw", 8, 10, 5, 2), same=True, epsilon=0.5)],
    **{name: make((16, 16), 1, 14).layers for name, make in BLOCKS.items()},
    **{f"{name}, 5x5, stride 2": make((16, 24), 2, 14, 5).layers for name, make in BLOCKS.items()},
}


def made(name: str) -> tuple[Network, np.ndarray]:
    torch.manual_seed(0)
    net = assemble(PARTS[name])
    trained_look(net)
    first = net.layers[0]
    return net, noise(2, first.in_channels, first.in_size, first.in_size)


@pytest.mark.parametrize("name", PARTS)
def test_parts_can_be_written(name):
    """Any part of a network that reads nothing but its input is a file, too."""
    part, image = made(name)
    assert off_by(run(written(part, image), image), eager(part, image)) < 1e-5


@pytest.mark.parametrize("weights", quantization.WEIGHTS.values(), ids=lambda it: it.name)
@pytest.mark.parametrize("name", PARTS)
def test_parts_can_be_written_in_int8(name, weights):
    """However their weights are held they give what the part does, to some steps of 8 or 7 bits."""
    part, image = made(name)
    model = quantised(part, image, weights)
    assert off_by(run(model, image, in_floats=True), eager(part, image)) < 0.08


@pytest.mark.parametrize("factor", [OnnxRuntime().factor, OpenVino().factor], ids=["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", PARTS)
def test_exact_integers_are_those_of_the_file(name, factor):
    """What a runtime is held to: the file in floats, by ONNX Runtime, to some steps out of 255."""
    part, image = made(name)
    model = quantised(part, image, quantization.INT8)
    exact = calculate(model, image, factor)
    assert (
        np.abs(exact.image - image).max() < 6 / 255
    )  # of noise, from -4 to 4: half a step at most, and what
    in_floats = run(model, exact.image, in_floats=True)  # the calibration has not seen
    assert off_by(exact.logits, in_floats) < 2 / 100
    assert np.median(np.abs(exact.logits - in_floats)) < 1e-3 * np.abs(in_floats).max()


@pytest.mark.parametrize("weights", quantization.WEIGHTS.values(), ids=lambda it: it.name)
@pytest.mark.parametrize("name", ["a separable pair", "the end", "inverted_residual"])
def test_exact_integers_of_all_weights(name, weights):
    """Also where they are unsigned, or have 7 bits."""
    part, image = made(name)
    model = quantised(part, image, weights)
    exact = calculate(model, image, OnnxRuntime().factor)
    assert off_by(exact.logits, run(model, exact.image, in_floats=True)) < 2 / 100


def test_the_guard_is_loose_where_runtimes_do_not_round_alike():
    """And says so: sums, gates and curves; elsewhere a fiftieth of the largest is all that is allowed."""
    loose = {name for name in PARTS if exact_of(name).tolerance > 0.02}
    assert loose == {
        "hard swish",
        "hard sigmoid",
        "a hidden layer",
        "gated",
        "projected",
        "bottleneck",
        "inverted_residual",
    }


def exact_of(name: str) -> object:
    part, image = made(name)
    return calculate(quantised(part, image, quantization.INT8), image, OnnxRuntime().factor)


def test_a_sum_that_is_fused_is_cut_off_and_not_rounded():
    """By hand: 1x1 convolutions by the numbers 1 and 1, of steps of 1 from 0 to 255; their sum of steps of 2.

    One gives 0.25 too much for a whole step: rounded it is lost, fused it makes 1 + 1.25 = 2.25.
    """
    layers = [
        conv("a", (1, 1), 1, norm=False, activation=""),
        conv("b", (1, 1), 1, norm=False, activation=""),
        add("add", 1, 1, -2),
    ]
    weights = {
        "a.conv.weight": np.ones((1, 1, 1, 1), np.float32),
        "b.conv.weight": np.full((1, 1, 1, 1), 1.25, np.float32),
        **{f"{name}.conv.bias": np.zeros(1, np.float32) for name in "ab"},
    }
    ranges = np.array([[0, 0, 0, 0], [255, 255, 255, 63.75]])
    model = quantization.written(operations(layers, weights), ranges, (1, 1, 1, 1), quantization.INT8)
    image = np.ones((1, 1, 1, 1), np.float32)
    rounded, fused = (calculate(model, image, OnnxRuntime().factor, fuses) for fuses in (False, True))
    assert (rounded.logits.item(), fused.logits.item()) == (2.0, 2.25)
    cut = [
        calculate(model, 255 * image, OnnxRuntime().factor, fuses).logits.item() for fuses in (False, True)
    ]
    assert cut == [63.75, 63.75]


def test_fixed_input_and_names():
    """The input is "image", of the image's shape; the output "logits"; nodes are the modules' paths."""
    graph = onnx.load_from_string(written(network(VARIANTS[1]), noise(3, 3, 96, 96))).graph
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
    written(net, image)
    quantised(net, image, quantization.INT8)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert np.array_equal(image, kept)


def test_hard_swish_alone_needs_a_younger_opset():
    """Older runtimes read all other files."""
    versions = {
        name: onnx.load_from_string(written(*made(name))).opset_import[0].version
        for name in ("relu6", "hard sigmoid", "hard swish")
    }
    assert versions == {"relu6": 13, "hard sigmoid": 13, "hard swish": 14}


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
    net = network(VARIANTS[1])
    assert layer_of(node, kind, operations(net.layers, arrays(net)), "logits") == layer


def test_of_two_layers_the_one_with_the_longer_name():
    """Of layers "conv" and "conv_1", the node "conv_1_nchwc" belongs to the second."""
    part = assemble([conv(name, (3, 3), 4, norm=False, activation="") for name in ("conv", "conv_1")])
    found = operations(part.layers, arrays(part))
    assert layer_of("conv_1.conv_nchwc", "Conv", found, "logits") == "conv_1"
    assert layer_of("conv.conv_nchwc", "Conv", found, "logits") == "conv"


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
    model = quantised(net, noise(1, 3, 128, 128), quantization.WEIGHTS[weights])
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
    part = assemble([conv("conv", (2, 3), 8, norm=False, activation="")]).eval()
    kernel = part.get_submodule("conv.conv")
    kernel.weight.data[:] = torch.tensor([[1.0, -1.0], [1e-12, 0.0], [0.0, 0.0]])[:, :, None, None]
    kernel.bias.data[:] = torch.tensor([0.0, 2.0, 0.0])
    image = noise(1, 2, 8, 8)
    output = run(quantised(part, image, quantization.INT8), image, in_floats=True)
    assert output[0, 1] == pytest.approx(2, abs=0.05)
    assert output[0, 2] == pytest.approx(0, abs=0)
