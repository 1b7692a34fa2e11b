"""Conventions: in what networks of one shape differ, by the library that their weights were trained in.

TensorFlow pads strided convolutions as its "SAME" does, adds 0.001 to variances, and has ReLU6 in MobileNet
v1, too. Weights that were trained so give other logits without them. No shape and no count depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mbsweep.space.architecture import Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.fields import BN_EPSILON, PADDING, Field
from mbsweep.space.layers import EPSILON, Layer

CONVENTIONS: Mapping[str, Field] = {"bn_epsilon": BN_EPSILON, "padding": PADDING}


def as_said(build: Callable[[Any], Architecture]) -> Callable[[Any], Architecture]:
    """A build function whose networks follow the conventions that their fields say.

    The fields are those of CONVENTIONS; with `activation`, that is in place of every ReLU.
    """

    def built(fields: Any) -> Architecture:
        relu = getattr(fields, "activation", "relu")
        is_same = fields.padding == "same"
        net = build(fields)
        if (fields.bn_epsilon, relu, is_same) == (EPSILON, "relu", False):
            return net

        def layer(one: Layer) -> Layer:
            # With a stride of 1 both kinds of padding are the same, for kernels are odd.
            return replace(
                one,
                same=is_same and one.is_conv and one.stride > 1,
                epsilon=fields.bn_epsilon,
                activation=relu if one.activation == "relu" else one.activation,
            )

        def block(one: Block) -> Block:
            return Block(tuple(map(layer, one.layers)))

        return Architecture(
            tuple(
                Stage(stage.name, block(stage.first), stage.rest and block(stage.rest), stage.more)
                for stage in net.stages
            )
        )

    return built
