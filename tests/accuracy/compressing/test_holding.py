"""Weights that are held while a network learns on: zeros stay zeros, shared values stay shared."""

import numpy as np
import pytest
import torch
from torch import nn

from mbsweep.accuracy.compressing.holding import Pruned, Shared, bits_of, smallest, sparsity_of, weights_of
from mbsweep.nets import build
from mbsweep.space.variant import Variant


def parameter(*values):
    return nn.Parameter(torch.tensor(values, dtype=torch.float32))


def test_layers_are_told_apart_by_their_kind():
    """MobileNet v1 without its middle: stem, 8 pairs, classifier, with the names of their tensors."""
    net = build(Variant(width=0.25, resolution=32, depth=0, num_classes=10))
    found = list(weights_of(net))
    assert [one.kind for one in found] == ["conv", *["depthwise", "pointwise"] * 8, "fc"]
    state = net.state_dict()
    assert all(state[one.name].data_ptr() == one.values.data_ptr() for one in found)
    assert [one.layer for one in found[:3]] == ["stem", "block1.dw", "block1.pw"]
    assert len(sparsity_of(net, {"pointwise": 0.5, "fc": 0.9})) == 9
    assert {bits for _, bits in bits_of(net, {"depthwise": 6})} == {6}


def test_the_smallest_magnitudes_are_pruned():
    """Of equal ones the first."""
    assert smallest(torch.tensor([3.0, -1, 0.5, 1, -2]), 2).tolist() == [False, True, True, False, False]


def test_sparsity_rises_along_a_cube():
    """s (1 - (1 - t)^3) of 1,000 weights, s 0.8, t in eighths of a ramp that ends at half of all steps."""
    weight = nn.Parameter(torch.linspace(-1, 1, 1000))
    held = Pruned([(weight, 0.8)], 0.5, 8)
    for eighth, zeros in ((0, 0), (1, 264), (2, 462), (4, 700), (8, 800), (16, 800)):
        held.begin(eighth / 16)
        assert int((weight == 0).sum()) == zeros


def test_what_is_pruned_stays_zero_and_has_no_gradient():
    """Whatever a step did to it; the others keep theirs."""
    weight = parameter(0.1, -2.0, 0.2, 3.0)
    held = Pruned([(weight, 0.5)], 0.0, 1)
    held.begin(0.0)
    weight.grad = torch.ones(4)
    held.lead()
    assert weight.grad.tolist() == [0, 1, 0, 1]
    with torch.no_grad():
        weight.add_(1)
    held.hold()
    assert weight.tolist() == [0, -1, 0, 4]


def test_a_shared_value_moves_by_the_sum_of_its_gradients():
    """Figure 3 of arXiv:1510.00149, its weights and gradients: four values, moved by rate x their sums."""
    weights = [
        2.09,
        -0.98,
        1.48,
        0.09,
        0.05,
        -0.14,
        -1.08,
        2.12,
        -0.91,
        1.92,
        0.001,
        -1.03,
        1.87,
        0.001,
        1.53,
        1.49,
    ]
    gradients = [-3, -1, -3, 2, -1, 1, -2, 12, -1, 2, 4, 3, 1, 0.7, -7, 1]
    weight = parameter(*weights)
    held = Shared([(weight, 2)])
    before = weight.detach().clone()
    assert sorted(set(before.tolist())) == pytest.approx([-1.0, 0.0004, 1.5, 2.0], abs=0.01)
    weight.grad = torch.tensor(gradients) / 100
    held.lead()
    sums = {}
    for value, gradient in zip(before.tolist(), gradients, strict=True):
        sums[value] = sums.get(value, 0) + gradient / 100
    assert weight.grad.tolist() == pytest.approx([sums[value] for value in before.tolist()], abs=1e-6)


def test_shared_values_stay_shared_and_zeros_stay_zeros():
    """After steps of an optimizer with momentum and weight decay, to the last bit."""
    torch.manual_seed(0)
    linear = nn.Linear(37, 11)
    with torch.no_grad():
        linear.weight[:, ::3] = 0
    zeros = linear.weight == 0
    held = Shared([(linear.weight, 3)])
    which = linear.weight.detach().clone()
    optimizer = torch.optim.SGD(linear.parameters(), 0.1, 0.9, weight_decay=1e-2, nesterov=True)
    for _ in range(5):
        optimizer.zero_grad()
        linear(torch.randn(8, 37)).square().sum().backward()
        held.lead()
        optimizer.step()
        held.hold()
    assert (linear.weight[zeros] == 0).all()
    moved = linear.weight.detach()
    assert not torch.equal(moved, which)
    for value in np.unique(which):
        assert len(moved[which == value].unique()) == 1
    assert len(moved.unique()) == 9


def test_more_clusters_than_weights_change_nothing():
    """Each keeps its value."""
    weight = parameter(0.5, 0.0, -0.25)
    Shared([(weight, 16)])
    assert weight.tolist() == [0.5, 0.0, -0.25]
