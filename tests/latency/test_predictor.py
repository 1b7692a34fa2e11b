"""The predictor against made-up devices whose law is known."""

from functools import cache

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep import count_space
from mbsweep.latency.predictor import BlockModel, choose_blocks, choose_networks, predict_space
from mbsweep.space.fused import space_blocks
from mbsweep.sweep.sweep import parse_sweep

V3 = """\
space:
  family: [mobilenet_v3_large, mobilenet_v3_small]
  width: [0.35, 0.5, 0.75, 1.0, 1.25]
  resolution: {from: 96, to: 224, step: 16}
  minimalistic: [false, true]
"""


@cache
def grid(widths=8, resolutions=6, depths=9, block="separable"):
    """The blocks of a space of widths from 0.25, resolutions from 96 and depths from 0."""
    axes = {
        "width": [round(0.25 + 1.15 * i / widths, 4) for i in range(widths)],
        "resolution": [96 + 160 * i // resolutions for i in range(resolutions)],
        "depth": list(range(depths)),
        "block": block,
    }
    return space_blocks(count_space(parse_sweep(yaml.safe_dump({"space": axes}), "made.yaml")))


def device_block_ns(blocks, call_ns=5_000, vector=1):
    """Blocks alone: a call, 100 mult-adds and 20 bytes a ns; channels are padded to the vector."""
    ends = (
        blocks.of_layers("in_channels")[:, 0],
        blocks.of_layers("out_channels")[range(len(blocks)), blocks.last],
    )
    inputs, outputs = (-(-channels // vector) * vector for channels in ends)
    padding = inputs * outputs / (ends[0] * ends[1])
    moved = 4 * (inputs * blocks.in_scalars / ends[0] + outputs * blocks.out_scalars / ends[1])
    return call_ns + blocks.macs * padding / 100 + moved / 20


def device_network_ns(blocks, call_ns=5_000):
    """Whole networks: their mult-adds and 5000 ns once; no calls and no copies between blocks."""
    return 5000.0 + blocks.total(device_block_ns(blocks, call_ns) - call_ns - blocks.out_scalars / 20)


def noisy(ns, pct, seed=0):
    """The same with normal noise."""
    return ns * np.exp(np.random.default_rng(seed).normal(0, pct / 100, len(ns)))


def predicted(blocks, max_blocks, count, noise_pct, networks_ns):
    """The whole way: choose, measure, fit, predict."""
    chosen = choose_blocks(blocks, max_blocks)
    block_ns = noisy(device_block_ns(blocks)[chosen], noise_pct, 1)
    model = BlockModel.fit(blocks, chosen, block_ns)
    fitted, held_out = choose_networks(blocks, count)
    measured = noisy(networks_ns, noise_pct, 2)
    return predict_space(blocks, model.ns, fitted, measured[fitted], held_out, measured[held_out])


# -- what to measure ------------------------------------------------------------------------------------


def test_all_blocks_where_they_fit():
    """Up to the limit every distinct block is measured; beyond it as many as the limit says, none twice."""
    blocks = grid()
    assert choose_blocks(blocks, len(blocks)).tolist() == list(range(len(blocks)))
    chosen = choose_blocks(blocks, 100)
    assert len(set(chosen.tolist())) == 100


def test_every_kind_and_stride_is_measured():
    """Thirty blocks hold all four kinds (of two strides), the smallest channels and the largest size."""
    blocks = grid()
    chosen = choose_blocks(blocks, 30)
    assert len(set(blocks.kind)) == 4
    assert set(blocks.kind[chosen]) == set(blocks.kind)
    for name in ("in_channels", "in_size"):
        assert blocks.of_layers(name)[chosen].max() == blocks.of_layers(name).max()


def test_each_kind_has_enough_for_its_law():
    """Of 1,658 blocks of 21 kinds in V3, its stems (27 blocks of each of two kinds) among 400 chosen by a
    dozen; where 40 are chosen, each kind has at least its even share, which is one.
    """
    blocks = space_blocks(count_space(parse_sweep(V3, "v3.yaml")))
    assert (len(blocks), len(set(blocks.kind))) == (1658, 21)
    for count, least in ((400, 12), (40, 1)):
        chosen = choose_blocks(blocks, count)
        assert len(set(chosen.tolist())) == count
        assert min(np.bincount(blocks.kind[chosen])) >= least


def test_networks_reach_over_the_space():
    """Of 24 networks 8 are held out; those fitted reach the lowest and highest 3 % of mult-adds."""
    blocks = grid()
    fitted, held_out = choose_networks(blocks, 24)
    assert (len(fitted), len(held_out)) == (16, 8)
    assert not set(fitted.tolist()) & set(held_out.tolist())
    macs = blocks.space.macs
    assert macs[fitted].min() <= np.quantile(macs, 0.03)
    assert macs[fitted].max() >= np.quantile(macs, 0.97)


def test_a_small_space_is_measured_whole():
    """Where a space has fewer variants than asked for, each is measured once."""
    blocks = grid(2, 2, 3)
    fitted, held_out = choose_networks(blocks, 24)
    assert sorted([*fitted.tolist(), *held_out.tolist()]) == list(range(12))


def test_choices_repeat():
    """The same space gives the same choice, so that a run can be taken up again."""
    first, again = (
        (choose_blocks(grid(), 50).tolist(), [part.tolist() for part in choose_networks(grid(), 24)])
        for _ in range(2)
    )
    assert first == again


# -- blocks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", ["separable", "standard"])
def test_blocks_follow_an_additive_law(block):
    """A hundred exact latencies of a device that adds up its costs tell all others within 1 %."""
    blocks = grid(block=block)
    truth = device_block_ns(blocks)
    chosen = choose_blocks(blocks, 100)
    found = BlockModel.fit(blocks, chosen, truth[chosen]).ns
    np.testing.assert_allclose(found, truth, rtol=0.01)


def test_blocks_on_a_device_that_pads_channels():
    """Steps of the vector width are found: 24 channels cost what 32 do, and others stay within 5 %."""
    blocks = grid(widths=20)
    truth = device_block_ns(blocks, vector=16)
    chosen = choose_blocks(blocks, 300)
    found = BlockModel.fit(blocks, chosen, truth[chosen]).ns
    assert np.abs(found / truth - 1).mean() < 0.01
    assert np.abs(found / truth - 1).max() < 0.05


def test_measured_blocks_keep_their_latency():
    """Measured without noise, every measured block is predicted within 1 % of what was measured."""
    blocks = grid()
    truth = device_block_ns(blocks)
    found = BlockModel.fit(blocks, np.arange(len(blocks)), truth).ns
    np.testing.assert_allclose(found, truth, rtol=0.01)


def test_a_disturbed_block_does_not_spread():
    """One block measured three times too slow leaves the others within 3 %, and is itself within 1 %."""
    blocks = grid()
    truth = device_block_ns(blocks)
    measured = truth.copy()
    measured[100] *= 3
    found = BlockModel.fit(blocks, np.arange(len(blocks)), measured).ns
    np.testing.assert_allclose(np.delete(found, 100), np.delete(truth, 100), rtol=0.03)
    assert found[100] == pytest.approx(truth[100], rel=0.01)


def test_an_unmeasured_kind_is_an_error():
    """Blocks with layers of a kind of which none was measured are not guessed."""
    blocks = grid()
    stems = np.flatnonzero(blocks.last == 0)
    words = (
        "no block with layers of kind conv_dw or layers of kind conv_pw or layers of kind fc or layers of "
    )
    with pytest.raises(ValueError, match=words + "kind avg_pool was measured"):
        BlockModel.fit(blocks, stems, device_block_ns(blocks)[stems])


def test_a_rare_kind_follows_the_law_of_all():
    """Blocks of stride 2 of which none was measured are told by those of stride 1, within 5 %."""
    blocks = grid()
    truth = device_block_ns(blocks)
    halving = (blocks.of_layers("stride") == 2).any(axis=1) & (blocks.last > 0)
    others = np.flatnonzero(~halving)
    found = BlockModel.fit(blocks, others, truth[others]).ns
    np.testing.assert_allclose(found[halving], truth[halving], rtol=0.05)


# -- whole networks -------------------------------------------------------------------------------------


def test_networks_that_are_the_sum_of_their_blocks():
    """Where nothing is to be corrected nothing is: all within 1 %, and the stated error says so."""
    blocks = grid()
    truth = blocks.total(device_block_ns(blocks))
    found = predicted(blocks, 400, 24, 0.0, truth)
    np.testing.assert_allclose(found.ns, truth, rtol=0.01)
    assert found.held_out.worst_pct < 1
    assert found.held_out.within(1) == 1


@pytest.mark.parametrize("max_blocks", [400, 100])
def test_overheads_of_single_blocks_are_taken_off(max_blocks):
    """Blocks alone are up to 45 % too slow by calls and copies; corrected sums 0.5 %, 8 % at worst."""
    blocks = grid()
    truth = device_network_ns(blocks)
    assert (blocks.total(device_block_ns(blocks)) / truth).max() > 1.45
    found = predicted(blocks, max_blocks, 24, 0.0, truth)
    np.testing.assert_allclose(found.ns, truth, rtol=0.08)
    assert np.abs(found.ns / truth - 1).mean() < 0.005


@settings(deadline=None, max_examples=5)
@given(st.floats(1, 4))
def test_noise_is_stated(noise_pct):
    """With noise of 1 to 4 % the errors stay below it, and 90 % of the intervals hold a noisy truth."""
    blocks = grid()
    truth = device_network_ns(blocks)
    found = predicted(blocks, 400, 24, noise_pct, truth)
    assert np.abs(found.ns / truth - 1).mean() < (noise_pct + 0.5) / 100
    again = noisy(truth, noise_pct, 3)
    assert ((found.low_ns <= again) & (again <= found.high_ns)).mean() > 0.9
    assert found.held_out.mean_pct < 3 * noise_pct


def test_held_out_networks_are_not_learnt_before_their_error_is_stated():
    """Held-out latencies that are a tenth too slow show as errors of a tenth."""
    blocks = grid()
    truth = blocks.total(device_block_ns(blocks))
    fitted, held_out = choose_networks(blocks, 24)
    found = predict_space(
        blocks, device_block_ns(blocks), fitted, truth[fitted], held_out, truth[held_out] / 0.9
    )
    np.testing.assert_allclose(found.held_out.errors_pct, -10, atol=0.1)


def test_intervals_are_as_wide_as_the_held_out_errors_say():
    """Where all eight held-out networks are a tenth quicker than was foretold, by networks without any noise:
    2.306 deviations (95 % of Student's t with 8 degrees of freedom) of ln(1 / 0.9), the errors being counted
    once. Without errors: of 0.2 %.
    """
    blocks = grid(4, 4, 5)
    truth = blocks.total(device_block_ns(blocks))
    fitted, held_out = choose_networks(blocks, 24)
    for quicker, deviation in ((0.9, 0.10536), (1.0, 0.002)):
        measured = truth[held_out] * quicker
        found = predict_space(blocks, device_block_ns(blocks), fitted, truth[fitted], held_out, measured)
        for half in (np.log(found.high_ns / found.ns), np.log(found.ns / found.low_ns)):
            np.testing.assert_allclose(half, 2.306 * deviation, rtol=0.001)


@pytest.mark.parametrize(
    ("count", "message"), [(9, "6 networks to fit and 3 held out"), (0, "at least 8 and 4")]
)
def test_too_few_networks(count, message):
    """With too few networks there is no prediction, rather than one whose error nobody knows."""
    blocks = grid(3, 3, 3)
    truth = blocks.total(device_block_ns(blocks))
    fitted, held_out = choose_networks(blocks, count)
    with pytest.raises(ValueError, match=message):
        predict_space(blocks, device_block_ns(blocks), fitted, truth[fitted], held_out, truth[held_out])


def test_a_hundred_thousand_variants():
    """Of 100,000 variants 99 % are predicted within 3 % of their law, from 300 blocks and 24 networks."""
    blocks = grid(100, 100, 10)
    truth = device_network_ns(blocks)
    found = predicted(blocks, 300, 24, 0.0, truth)
    assert len(found.ns) == 100_000
    assert (np.abs(found.ns / truth - 1) < 0.03).mean() > 0.99


def test_no_network_is_measured_twice_where_many_are_alike():
    """Twelve widths that round to one network: twelve places, each once."""
    sweep = parse_sweep("space: {width: {from: 0.25, to: 0.2511, step: 0.0001}, resolution: 32}\n", "alike")
    fitted, held_out = choose_networks(space_blocks(count_space(sweep)), 12)
    assert sorted([*fitted.tolist(), *held_out.tolist()]) == list(range(12))
