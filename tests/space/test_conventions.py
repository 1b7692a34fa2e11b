"""Conventions of the library that weights come from: where padding lies, what epsilon is, ReLU6."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mbsweep import Variant, architecture, build, count
from mbsweep.space.layers import conv

TENSORFLOW = {"bn_epsilon": 0.001, "padding": "same"}


def tensorflows(size, kernel, stride):
    """Padding before and behind, as TensorFlow's documentation of "SAME" has it."""
    beyond = kernel - stride if size % stride == 0 else kernel - size % stride
    whole = max(beyond, 0)
    return whole // 2, whole - whole // 2


@given(
    size=st.integers(1, 70),
    high=st.sampled_from([1, 3, 5, 7]),
    wide=st.sampled_from([1, 3, 5, 7]),
    stride=st.sampled_from([1, 2]),
)
def test_same_pads_as_tensorflow_does(size, high, wide, stride):
    """The smaller half before, and as large an output as with half the kernel on both sides."""
    layer = conv("", (3, 4), size, (high, wide), stride)
    top, bottom = tensorflows(size, high, stride)
    left, right = tensorflows(size, wide, stride)
    assert replace(layer, same=True).pads == (top, left, bottom, right)
    assert layer.out_size == -(-size // stride)


def test_the_padding_of_known_layers():
    """By hand: an even map of a stride of 2 is padded behind alone, an odd one on both sides."""
    of_even, of_odd = (
        [
            (layer.name, *layer.pads)
            for layer in architecture(Variant(resolution=size, kernels=[3, 5, 7, 3, 3], **TENSORFLOW)).layers
            if layer.stride == 2
        ]
        for size in (224, 225)
    )
    assert of_even == [
        ("stem", 0, 0, 1, 1),
        ("block2.dw", 1, 1, 2, 2),
        ("block4.dw", 2, 2, 3, 3),
        ("block6.dw", 0, 0, 1, 1),
        ("block12.dw", 0, 0, 1, 1),
    ]
    assert of_odd == [
        ("stem", 1, 1, 1, 1),  # 225 -> 113 -> 57 -> 29 -> 15
        ("block2.dw", 2, 2, 2, 2),
        ("block4.dw", 3, 3, 3, 3),
        ("block6.dw", 1, 1, 1, 1),
        ("block12.dw", 1, 1, 1, 1),
    ]


@pytest.mark.parametrize("size", range(1, 71, 3))
@pytest.mark.parametrize(
    "fields",
    [{"kernels": (5, 3, 7, 5, 3)}, {"block": "factorized"}, {"block": "fire"}, {"family": "mobilenet_v2"}],
    ids=str,
)
def test_counts_and_shapes_do_not_depend_on_conventions(fields, size):
    """Of odd sizes and even ones; what is built gives maps of the sizes that are counted."""
    usual = Variant(**{"width": 0.05, "resolution": size, "num_classes": 3, **fields})
    variant = usual.but(**TENSORFLOW)
    assert count(variant) == count(usual)
    net, x = build(variant).eval(), torch.zeros(1, 3, size, size)
    sizes = []
    for layer, child in zip(net.layers, net, strict=True):
        child.register_forward_hook(lambda _, __, output, layer=layer: sizes.append((layer.out_size, output)))
    with torch.no_grad():
        net(x)
    assert len(sizes) == len(net.layers)
    assert all(output.shape[-1] == expected for expected, output in sizes if output.ndim == 4)


def test_ids_and_stored_forms_have_them_where_they_are_not_as_usual():
    """At the defaults both are those of before."""
    variant = Variant(width=0.25, resolution=128, activation="relu6", **TENSORFLOW)
    assert variant.id == "mobilenet_v1_w0.25_r128_d5_eps0.001_same_relu6"
    assert Variant("mobilenet_v4_conv_small", **TENSORFLOW).id == (
        "mobilenet_v4_conv_small_w1.0_r224_eps0.001_same"
    )
    plain = Variant(width=0.25, resolution=128, bn_epsilon=1e-5, padding="half", activation="relu")
    assert plain.id == "mobilenet_v1_w0.25_r128_d5"
    assert not {"bn_epsilon", "padding", "activation"} & set(plain.as_dict())
    assert Variant(**variant.as_dict()) == variant


def test_relu6_is_in_place_of_every_relu():
    """And of nothing else: sums and projections without an activation stay so."""
    layers = architecture(Variant(block="bottleneck", activation="relu6")).layers
    usual = architecture(Variant(block="bottleneck")).layers
    assert [layer.activation for layer in layers] == [
        layer.activation.replace("relu", "relu6") for layer in usual
    ]
    assert {layer.activation for layer in layers} == {"", "relu6"}
