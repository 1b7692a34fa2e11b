"""The networks that are built, against the architecture, PyTorch's own counts and fvcore."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import small_of, small_v1, small_variants
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mbsweep import Variant, architecture, build, count
from mbsweep.nets import LAYERS, assemble, folded, for_training
from mbsweep.nets.parts import ACTIVATIONS
from mbsweep.profiler.crosscheck import measured_counts
from mbsweep.space import layers as kinds
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.families import FAMILIES
from mbsweep.space.layers import KINDS, conv

ODD = Variant(
    width=0.35, resolution=33, depth=0, block="standard", stage_channels=(64, 128, 256, 512, 512), divisor=1
)


def _ran(variant):
    """(child, shape of its input, shape of its output) in the order they ran."""
    ran, net = [], build(variant).eval()
    for name, child in net.named_children():
        child.register_forward_hook(
            lambda _, inputs, output, name=name: ran.append((name, inputs[0].shape, output.shape))
        )
    with torch.no_grad():
        net(torch.zeros(1, 3, variant.resolution, variant.resolution))
    return ran


def _counted_by_torch(net, variant):
    """PyTorch's own mult-adds of a network for an image on the current device."""
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        net(torch.zeros(1, 3, variant.resolution, variant.resolution))
    return flops.get_total_flops() // 2


@settings(max_examples=25)
@given(small_variants())
@example(ODD)
def test_built_networks_have_the_closed_forms_counts(variant):
    """sum(p.numel()) and PyTorch's own counter equal the closed form; fvcore's counts are further below."""
    counts, net = count(variant), build(variant).eval()
    assert sum(parameter.numel() for parameter in net.parameters()) == counts.params
    assert sum(p.numel() * p.element_size() for p in net.parameters()) == counts.weight_bytes
    assert _counted_by_torch(net, variant) == counts.macs


FULL_SIZE = [  # the layer shapes of Table 1 (arXiv:1704.04861)
    (Variant(), 4_231_976, 568_740_352),
    (Variant(width=0.25, resolution=128), 470_072, 13_570_048),
    (Variant(depth=0), 2_887_976, 307_323_392),
    (Variant(block="standard"), 29_294_088, 4_867_293_184),
]


@pytest.mark.parametrize(("variant", "params", "macs"), FULL_SIZE)
def test_built_networks_have_the_papers_counts(variant, params, macs):
    """The paper's networks, as built, have the known number of parameters and of mult-adds."""
    with torch.device("meta"):
        net = build(variant).eval()
        assert _counted_by_torch(net, variant) == macs
    assert sum(parameter.numel() for parameter in net.parameters()) == params


@settings(max_examples=40)
@given(small_variants())
@example(ODD)
@example(Variant(resolution=225))
@example(Variant(resolution=1, depth=1))
def test_layers_have_the_shapes_that_really_run(variant):
    """Every layer's name, channels and sizes are those of the network's own forward pass, in its order."""
    ran = _ran(variant)
    layers = architecture(variant).layers
    assert [name for name, _, _ in ran] == [layer.name.replace(".", "_") for layer in layers]
    gave_vector = False
    for layer, (_, given_shape, made_shape) in zip(layers, ran, strict=True):
        flat = gave_vector and layer.kind == "fc"
        assert tuple(given_shape[1:]) == (layer.in_channels, *([] if flat else [layer.in_size] * 2))
        gave_vector = layer.kind in ("fc", "avg_pool")  # pooling hands a vector to the classifier
        assert tuple(made_shape[1:]) == (layer.out_channels, *([] if gave_vector else [layer.out_size] * 2))
        assert layer.out_size == 1 or not gave_vector


@settings(max_examples=25)
@given(small_v1())
@example(Variant())
def test_peak_activations_are_those_of_the_widest_layer(variant):
    """The largest input + output of any child in a real forward pass, four bytes per value."""
    ran = _ran(variant)
    assert count(variant).peak_activation_bytes == max(4 * (i.numel() + o.numel()) for _, i, o in ran)


class Children(torch.fx.Tracer):
    """Takes a network apart into its children, and no further."""

    def is_leaf_module(self, module, path):
        """What stands in the network itself."""
        return "." not in path


def _alive(net, image):
    """The most values alive at once, as PyTorch's own graph of the network has it: from a tensor's making to
    its last reader.
    """
    graph = Children().trace(net)
    sizes, last = {}, {}
    shapes = {name: [] for name, _ in net.named_children()}
    for name, child in net.named_children():
        child.register_forward_hook(lambda _, __, output, name=name: shapes[name].append(output.numel()))
    with torch.no_grad():
        net(image)
    nodes = [node for node in graph.nodes if node.op in ("placeholder", "call_module")]
    for place, node in enumerate(nodes):
        sizes[node] = image.numel() if node.op == "placeholder" else shapes[node.target][0]
        last |= dict.fromkeys(node.all_input_nodes, place)
    return max(
        sum(sizes[one] for one in nodes[:place] if last.get(one, 0) >= place) + sizes[node]
        for place, node in enumerate(nodes)
        if place
    )


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=3)
@given(data=st.data())
def test_peak_activations_are_what_is_alive(name, data):
    """Residuals, branches and gates included; in running order, four bytes per value."""
    variant = data.draw(small_of(name))
    alive = _alive(build(variant).eval(), torch.zeros(1, 3, *[variant.resolution] * 2))
    assert count(variant).peak_activation_bytes == 4 * alive


def _is_built_as_it_is_counted(variant):
    """Parameters and mult-adds by fvcore; images in, one row of raw scores per image out."""
    counts, net = count(variant), build(variant).eval()
    assert measured_counts(net, variant.resolution) == (counts.params, counts.macs)
    with torch.no_grad():
        logits = net(torch.randn(2, 3, *[variant.resolution] * 2))
    assert logits.shape == (2, variant.num_classes)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=6)
@given(data=st.data())
def test_every_family_is_built_as_it_is_counted(name, data):
    """Parameters and mult-adds are those of the tensors and of fvcore, at random settings; `benchmarks.built`
    takes fifty of each. Images in, one row of raw scores per image out.
    """
    _is_built_as_it_is_counted(data.draw(small_of(name)))


def test_an_odd_network_is_built_as_it_is_counted():
    """Channels and pixels that divide by nothing, and standard convolutions."""
    _is_built_as_it_is_counted(ODD)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize(("channels", "stride", "size"), [((16, 24), 2, 9), ((24, 24), 1, 8), ((5, 3), 2, 7)])
def test_every_block_is_built_as_it_is_counted(block, kernel, channels, stride, size):
    """Parameters by its tensors, mult-adds by PyTorch's counter, and the shape of what it gives."""
    part = BLOCKS[block](channels, stride, size, kernel)
    net = assemble(part.layers).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        output = net(torch.zeros(1, *part.in_shape))
    assert sum(parameter.numel() for parameter in net.parameters()) == part.params
    assert flops.get_total_flops() // 2 == part.macs
    assert output.shape == (1, part.out_channels, part.out_size, part.out_size)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_gives_logits(block):
    """Images in, one row of raw scores per image out: softmax is left to the loss."""
    torch.manual_seed(0)
    logits = build(Variant(block=block, width=0.25, resolution=32, num_classes=7)).eval()(
        torch.randn(3, 3, 32, 32)
    )
    assert logits.shape == (3, 7)
    assert not torch.allclose(logits.sum(dim=1), torch.ones(3))


def _edges(layer, side):
    """Padding before and behind; as TensorFlow's documentation has that of "SAME"."""
    kernel, half = layer.kernel[side], layer.padding[side]
    if not layer.same:
        return half, half
    over = layer.in_size % layer.stride
    whole = max(kernel - (over or layer.stride), 0)
    return whole // 2, whole - whole // 2


def by_hand(net, image, epsilon=1e-5):
    """A network in plain functions: each layer's children on what it reads, in eval mode."""
    tensors = [image]
    for place, layer in enumerate(net.layers):
        child = dict(getattr(net, layer.child).named_children())
        x, *others = (tensors[place + 1 + back] for back in layer.reads)
        match layer.kind:
            case "add":
                x = x + others[0]
            case "scale":
                x = x * others[0]
            case "concat":
                x = torch.cat([x, *others], 1)
            case "squeeze":
                x = x.mean((2, 3), keepdim=True)
            case "avg_pool":
                x = x.mean((2, 3))
            case "max_pool":
                window = layer.kernel, layer.stride, layer.padding
                x = nn.functional.max_pool2d(x, *window, ceil_mode=layer.ceil)
            case "fc":
                x = nn.functional.linear(x.flatten(1), child["linear"].weight, child["linear"].bias)
            case _:
                kernel = child["conv"]
                groups = layer.groups
                edges = [_edges(layer, side) for side in (1, 0)]
                x = nn.functional.pad(x, [pixels for edge in edges for pixels in edge])
                how = layer.stride, 0, 1, groups
                x = nn.functional.conv2d(x, kernel.weight, kernel.bias, *how)
                if layer.norm:
                    norm = child["bn"]
                    shape = (1, -1, 1, 1)
                    x = (x - norm.running_mean.view(shape)) / (norm.running_var.view(shape) + epsilon).sqrt()
                    x = x * norm.weight.view(shape) + norm.bias.view(shape)
        match layer.activation:
            case "relu":
                x = x.clamp(0)
            case "relu6":
                x = x.clamp(0, 6)
            case "hard_sigmoid":
                x = (x + 3).clamp(0, 6) / 6
            case "hard_swish":
                x = x * (x + 3).clamp(0, 6) / 6
        tensors.append(x)
    return tensors[-1]


AS_TENSORFLOW = {"padding": "same", "bn_epsilon": 0.5}  # so much that leaving it out is seen


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        *((name, {}) for name in FAMILIES),
        ("mobilenet_v1", {"activation": "relu6", "kernels": (5, 3, 7, 3, 3), **AS_TENSORFLOW}),
        ("mobilenet_v2", {"resolution": 64, **AS_TENSORFLOW}),
    ],
    ids=str,
)
def test_every_layer_does_what_its_kind_says(name, fields):
    """The network, and the same with its batch normalisation folded, against plain functions of tensors."""
    torch.manual_seed(0)
    usual = {"width": 0.25, "resolution": FAMILIES[name].least_resolution + 40, "num_classes": 7}
    variant = Variant(name, **{**usual, **fields})
    net = build(variant).eval()
    image = torch.randn(2, 3, *[variant.resolution] * 2)
    with torch.no_grad():
        expected = by_hand(net, image, fields.get("bn_epsilon", 1e-5))
        kept = image.clone()
        for found in (net(image), folded(net)(image)):
            assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max())
    assert torch.equal(image, kept)  # what works in place does not reach the input


def test_graphs_of_the_same_modules_are_told_apart():
    """In their texts, too, from which the keys of prepared files are made."""
    layers = [conv(name, (4, 4), 6) for name in "abc"]
    one = assemble([*layers, kinds.add("sum", 4, 6, -2)])
    other = assemble([*layers, kinds.add("sum", 4, 6, -3)])
    assert str(one) != str(other)
    assert str(one).replace("(-2, -1)", "(-3, -1)") == str(other)


def test_every_kind_of_layer_can_be_built():
    """The kinds that have a name are the kinds that have a module."""
    assert set(LAYERS) == set(KINDS)
    assert {"", *ACTIVATIONS} == set(kinds.ACTIVATIONS)


def test_a_network_on_the_meta_device_holds_no_memory():
    """Under torch.device("meta") nothing is allocated, whatever the size: here 29 million parameters."""
    with torch.device("meta"):
        net = build(Variant(block="standard"))
    assert {tensor.device.type for tensor in [*net.parameters(), *net.buffers()]} == {"meta"}


def test_convolutions_are_followed_by_batch_normalisation_and_relu():
    """Figure 3 of the paper: convolution without bias, BN, ReLU; the classifier has none of these."""
    net = build(Variant(width=0.25, depth=1))
    kinds = [type(module) for module in net.modules() if not isinstance(module, nn.Sequential)]
    convolutions = kinds.count(nn.Conv2d)
    assert convolutions == 1 + 2 * 9
    assert kinds[:-4] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * convolutions
    assert kinds[-4:] == [nn.AdaptiveAvgPool2d, nn.Flatten, nn.Dropout, nn.Linear]
    assert all(module.bias is None for module in net.modules() if isinstance(module, nn.Conv2d))


def test_dropout_acts_before_the_classifier_in_training_only():
    """With everything dropped the logits are the classifier's bias, which begins at zero."""
    net = build(Variant(width=0.25, resolution=32), dropout=1.0)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(net.train()(images), torch.zeros(2, 1000))
    assert net.eval()(images).abs().max() > 0


def test_weights_follow_the_global_seed():
    """The same seed gives the same network, another seed another."""
    nets = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        nets.append(torch.cat([p.flatten() for p in build(Variant(width=0.25, depth=0)).parameters()]))
    assert torch.equal(nets[0], nets[1])
    assert not torch.equal(nets[0], nets[2])


def test_weights_are_drawn_as_he_et_al_say():
    """Standard deviation sqrt(2 / fan-out), arXiv:1502.01852; a depthwise kernel has a fan-out of nine."""
    torch.manual_seed(0)
    net = build(Variant())
    for name, fan_out in [("stem", 9 * 32), ("block13_dw", 9), ("block6_pw", 512), ("block13_pw", 1024)]:
        weight = net.get_submodule(name).conv.weight
        assert weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.15)
        assert abs(weight.mean().item()) < 4 * math.sqrt(2 / fan_out / weight.numel())


BODIES = [
    Variant(),
    Variant(width=0.25, resolution=128),
    Variant(depth=0, resolution=96),
    Variant(depth=8, resolution=64),
    Variant(block="standard", resolution=64),
]


def _spread_per_layer(variant, training):
    """Standard deviation of what each convolution gives (after ReLU) for random images."""
    torch.manual_seed(0)
    net = build(variant).train(training)
    spread = []
    for name, child in net.named_children():
        if name not in ("pool", "classifier"):
            child.register_forward_hook(lambda _, __, output: spread.append(output.std().item()))
    with torch.no_grad():
        net(torch.randn(2, 3, variant.resolution, variant.resolution))
    return spread


@pytest.mark.parametrize("variant", BODIES, ids=lambda variant: variant.id)
def test_initial_activations_neither_vanish_nor_explode(variant):
    """From the first layer to the last, signals stay between a thousandth and ten without any training.

    PyTorch's own kaiming_normal_ takes a depthwise kernel to feed all channels: every depthwise layer would
    divide the signal by sqrt(channels), and less than 1e-10 of it would be left.
    """
    spread = _spread_per_layer(variant, training=False)
    assert min(spread) > 1e-3
    assert max(spread) < 10


@pytest.mark.parametrize("variant", BODIES, ids=lambda variant: variant.id)
def test_batch_normalisation_evens_activations_in_training(variant):
    """In training mode each layer gives the ReLU of unit normals: sqrt((1 - 1/pi) / 2) = 0.584."""
    assert all(0.52 < value < 0.65 for value in _spread_per_layer(variant, training=True))


@pytest.mark.parametrize(
    ("variant", "products"),
    [
        (Variant(width=0.25, resolution=64, num_classes=10), 2),  # the pointwise of blocks 12 and 13: 2 x 2
        (Variant(width=0.25, resolution=32, num_classes=10), 8),  # 6 to 11: 2 x 2; 12 and 13: 1 x 1
        (Variant(width=0.25, resolution=128, num_classes=10), 0),
        (Variant(width=0.25, resolution=32, num_classes=10, block="standard"), 0),
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_small_images_are_trained_alike_by_products_of_matrices(variant, products):
    """Logits, gradients and running statistics are those of the network itself, in double precision."""
    torch.manual_seed(0)
    net, same = (build(variant, dropout=0).double().to(memory_format=torch.channels_last) for _ in range(2))
    same.load_state_dict(net.state_dict())
    learner = for_training(same)
    kinds = [type(module).__name__ for module in learner.modules()]
    assert kinds.count("_Product") == products
    images = torch.randn(4, 3, variant.resolution, variant.resolution, dtype=torch.double)
    logits, others = net.train()(images), learner.train()(images)
    assert torch.allclose(logits, others, rtol=1e-9, atol=1e-12)
    for found in (logits, others):
        nn.functional.cross_entropy(found, torch.tensor([0, 3, 5, 9])).backward()
    for (name, one), other in zip(net.named_parameters(), same.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-6, atol=1e-10), name
    for (name, one), other in zip(net.named_buffers(), same.buffers(), strict=True):
        assert torch.allclose(one.double(), other.double(), rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize("block", BLOCKS)
def test_every_parameter_learns(block):
    """One step of backpropagation reaches every parameter with a finite, non-zero gradient."""
    torch.manual_seed(0)
    net = build(Variant(width=0.25, resolution=64, block=block, num_classes=10)).train()
    nn.functional.cross_entropy(net(torch.randn(4, 3, 64, 64)), torch.tensor([0, 3, 5, 9])).backward()
    for name, parameter in net.named_parameters():
        assert parameter.requires_grad, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_network_can_be_fitted():
    """Thirty steps on eight random images bring the loss from that of guessing to a tenth of it."""
    torch.manual_seed(0)
    net = build(Variant(width=0.25, resolution=64, num_classes=4)).train()
    images, labels = torch.randn(8, 3, 64, 64), torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(4), rel=0.2)
    assert losses[-1] < losses[0] / 10
