"""A small network with every kind of layer and activation, for runtimes that prepare networks slowly."""

from dataclasses import replace

from mbsweep.space.blocks import Block, bottleneck, expanded, fire
from mbsweep.space.layers import ACTIVATIONS, KINDS, Layer, avg_pool, conv, linear, max_pool

SIZE = 20


def every_kind() -> tuple[Layer, ...]:
    """Its layers, named as in an architecture. It takes images of 3 channels, and gives 10 logits."""
    # Padded by 0 and 1.
    stem = replace(conv("conv", (3, 16), SIZE, 3, 2, activation="hard_swish"), same=True, epsilon=0.5)
    pool = max_pool("pool", 16, 10, 3, 2, ceil=True)
    head = (
        avg_pool("pool", 32, 5),
        linear("hidden", (32, 24), activation="hard_swish"),
        linear("last", (24, 10)),
    )
    blocks = (
        Block((stem, pool)),
        expanded((16, 16), 32, 1, 5, activation="relu6", squeezed=8),
        bottleneck((16, 16), 1, 5),
        fire((16, 32), 1, 5),
        Block((conv("grouped", (32, 32), 5, 3, groups=4, norm=False),)),
        Block(head),
    )
    layers = tuple(
        layer.named(f"block{number}.{layer.name}")
        for number, block in enumerate(blocks)
        for layer in block.layers
    )
    assert {layer.kind for layer in layers} == set(KINDS)
    assert {layer.activation for layer in layers} == set(ACTIVATIONS)
    return layers
