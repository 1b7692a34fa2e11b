"""Parameters and mult-adds of a module of which mbsweep has no description."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mbsweep.base.errors import one_line
from mbsweep.nets.factories import checked, code_hash, made
from mbsweep.space.counting import BYTES_PER_FP32, NOT_COUNTED, UNKNOWN, Counts, Found
from mbsweep.space.variant import Variant

# fvcore's names of what multiplies and adds: convolutions and products of matrices.
_COUNTED = ("conv", "linear", "addmm", "matmul", "mm", "bmm", "einsum", "baddbmm", "attention")
_OTHERS = """
add sub rsub mul div neg abs exp log log1p sqrt rsqrt pow square reciprocal sign sin cos erf clamp_min
clamp_max maximum minimum min amax amin where lerp addcmul addcdiv ceil round fmod cumsum sum mean var std
norm linalg_vector_norm argmax argmin topk sort any all ne lt le logical_and logical_or logical_not
sigmoid tanh relu6 hardtanh hardswish hardsigmoid silu mish gelu elu selu celu leaky_relu prelu rrelu
softplus softsign log_sigmoid glu softmax log_softmax softmin hardshrink softshrink threshold
max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d lp_pool2d
adaptive_avg_pool1d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
feature_dropout alpha_dropout native_dropout native_batch_norm native_layer_norm local_response_norm
frobenius_norm pad reflection_pad2d replication_pad2d pixel_shuffle pixel_unshuffle channel_shuffle
native_channel_shuffle repeat repeat_interleave expand_as flip movedim tile tril triu unfold im2col
meshgrid clone alias unflatten view_as reshape_as scatter scatter_add index_select embedding diagonal
as_strided index_add masked_select bernoulli rand randn rand_like randn_like normal uniform new_ones
ones_like empty_like zero fill hstack vstack scalar_tensor tensor item numel dim is_nonzero broadcast_to
broadcast_tensors tensor_split lift_fresh upsample_bicubic2d swapaxes dropout rms_norm eye
"""
# Operators that do neither: element by element, pooling, normalisation, shapes. All else has to be counted.
_NO_MACS = frozenset(f"aten::{name}" for one in _OTHERS.split() for name in (one, f"{one}_", f"_{one}"))


def found(variant: Variant) -> Found:
    """What a network's code gives.

    Raises MbsweepError where it may not be run, FactoryError where it gives no network.
    """
    torch.manual_seed(0)
    net = made(variant).eval()
    checked(variant, net)  # also makes what is made at the first image only
    params = sum(parameter.numel() for parameter in net.parameters())
    macs, note = _macs(net, variant.resolution)
    known = {"params": params, "macs": macs, "weight_bytes": BYTES_PER_FP32 * params}
    blank = {name: getattr(NOT_COUNTED, name) for name in Counts.__slots__}
    return Found(Counts(**{**blank, **known}), note, code=code_hash(variant.family))


def _macs(net: nn.Module, resolution: int) -> tuple[int, str]:
    """Multiply-adds for one image, as fvcore's trace has them; UNKNOWN, and why, where it cannot say."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(net, torch.zeros(1, 3, resolution, resolution))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        analysis.tracer_warnings("none")
        analysis.set_op_handle("aten::scaled_dot_product_attention", _attention)
        analysis.set_op_handle("aten::_convolution_mode", _convolution)
        # One fused operator in its place would hide the products of nn.MultiheadAttention.
        is_fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            by_operator = analysis.by_operator()
            unknown = [name for name in analysis.unsupported_ops() if name not in _NO_MACS]
        except Exception as error:  # whatever a stranger's module does when it is traced
            told = one_line(error, 200)
            return UNKNOWN, f"mult-adds unknown: fvcore cannot trace it: {type(error).__name__}: {told}"
        finally:
            torch.backends.mha.set_fastpath_enabled(is_fused)
    if unknown:
        return UNKNOWN, f"mult-adds unknown: fvcore cannot count {', '.join(sorted(unknown))}"
    return sum(int(by_operator.get(name, 0)) for name in _COUNTED), ""


def _convolution(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counter[str]:
    """Of padding="same": for each scalar of the output, the weights that it is made of."""
    weights, output = inputs[1].type().sizes(), outputs[0].type().sizes()
    return Counter({"conv": math.prod(output) * math.prod(weights[1:])})


def _attention(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counter[str]:
    """Of (..., L, E), (..., S, E), (..., S, V): queries with keys, then weights with values."""
    query, key, value = (one.type().sizes() for one in inputs[:3])
    products = query[-1] + value[-1]
    return Counter({"attention": math.prod(query[:-1]) * key[-2] * products})
