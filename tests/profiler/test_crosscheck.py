"""What is counted on a built network, and what happens when it is not what was promised."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from mbsweep import Variant, build, count
from mbsweep.profiler.crosscheck import CountMismatchError, crosscheck, measured_counts
from mbsweep.space.blocks import BLOCKS

SMALL = Variant(width=0.25, resolution=33, depth=1, num_classes=10)


def test_convolutions_and_linear_layers_are_counted_and_nothing_else():
    """Counted by hand: a 3x3 convolution with stride 2, a depthwise one, a linear layer; BN is free."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),  # 27 x 8 weights at 5 x 5 places
        nn.BatchNorm2d(8),  # 16 scalars
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),  # 9 x 8 weights at 5 x 5 places
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),  # 40 weights, 5 biases
    )
    params, macs = measured_counts(net, 10)
    assert params == 27 * 8 + 16 + 9 * 8 + 40 + 5
    assert macs == 27 * 8 * 25 + 9 * 8 * 25 + 40


def test_frozen_parameters_are_not_trainable_scalars():
    """Parameters that do not learn are left out."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(4, 2, 1, bias=False))
    net[0].requires_grad_(False)
    assert measured_counts(net, 4) == (8, 12 * 16 + 8 * 16)


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_left_as_it_was(training):
    """Counting changes neither the mode of a network nor its weights and running statistics."""
    net = build(SMALL).train(training)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    measured_counts(net, SMALL.resolution)
    assert net.training is training
    assert all(module.training is training for module in net.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_counting_is_silent():
    """fvcore's use of deprecated parts of PyTorch warns nobody, not even while it is imported."""
    code = (
        "import torch; from mbsweep.profiler.crosscheck import measured_counts; "
        "print(measured_counts(torch.nn.Conv2d(3, 2, 1, bias=False), 5))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("(6, 150)\n", "", 0)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("resolution", [32, 33])
def test_what_is_built_passes(block, resolution):
    """Every block, at an even and an odd resolution, has the counts of the closed form."""
    variant = SMALL.but(block=block, resolution=resolution)
    crosscheck(variant, count(variant), build(variant))


def _without_a_layer(net):
    return nn.Sequential(*[child for name, child in net.named_children() if name != "block1_dw"])


def _with_a_bias(net):
    net.stem.conv.bias = nn.Parameter(torch.zeros(8))
    return net


def _with_another_stride(net):
    net.stem.conv.stride = (1, 1)
    return net


def _partly_frozen(net):
    net.stem.requires_grad_(False)
    return net


@pytest.mark.parametrize("change", [_without_a_layer, _with_a_bias, _with_another_stride, _partly_frozen])
def test_a_network_that_is_not_the_variant_is_an_error(change):
    """A missing layer, a bias too many, another stride, a frozen layer: each is a mismatch."""
    with pytest.raises(CountMismatchError):
        crosscheck(SMALL, count(SMALL), change(build(SMALL)))


@pytest.mark.parametrize("field", ["params", "macs"])
@pytest.mark.parametrize("excess", [1, -1])
def test_one_unit_off_is_an_error_that_names_all_figures(field, excess):
    """The last unit counts, in both directions, and the message has the figures to compare."""
    counts = count(SMALL)
    wrong = replace(counts, **{field: getattr(counts, field) + excess})
    with pytest.raises(CountMismatchError) as caught:
        crosscheck(SMALL, wrong, build(SMALL))
    for figure in (SMALL.id, wrong.params, wrong.macs, counts.params, counts.macs):
        assert str(figure) in str(caught.value)
