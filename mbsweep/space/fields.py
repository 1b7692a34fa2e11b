"""Fields: what networks of a family may differ in. Where several families have one, it is the same here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mbsweep.base.rules import Rule, choice, integer, integers, listed, number, one_number_of
from mbsweep.space.layers import EPSILON

Values = Mapping[str, Any]  # field -> value


@dataclass(frozen=True)
class Field:
    """One field of a family.

    rule: what its value may be. item: of a field with one value for each stage, what each of them may be.
    label, unit: as a table's column. words: what an option of the command line says of it.
    tag: stands before its value in ids.
    is_always: whether it is in every id; else where it is not as usual only.
    stages: of how many stages it has a value each; 0 for a single value.
    is_structural: whether it is never an array: each of its values has a grid of its own. What decides which
        layers there are has to be; `num_classes` and `divisor` are, too, for sweeps rarely vary them.
    elastic: how networks of a supernet share weights that differ in it: the first of the larger's ("prefix"),
        all of them ("same"), the middle of its kernels ("crop"); "": they share none.
    is_added: whether what earlier versions wrote does not have it.
    follows: another field, and which of this one's stages is the same number, so much greater.
    """

    rule: Rule
    default: Any
    label: str
    words: str = ""
    unit: str = ""
    tag: str = ""
    is_always: bool = False
    stages: int = 0
    item: Rule | None = None
    is_structural: bool = False
    elastic: Literal["", "prefix", "same", "crop"] = ""
    is_added: bool = False
    follows: tuple[str, int, int] | None = None

    def usual(self, values: Values) -> Any:
        """Its default among other values, which may be arrays."""
        return self.following(self.default, values)

    def following(self, value: Any, values: Values) -> Any:
        """A value of it, as the field that it follows says."""
        if self.follows is None:
            return value
        other, stage, more = self.follows
        return (*value[:stage], values[other] + more, *value[stage + 1 :])

    def but(self, **changes: Any) -> Field:
        """The same with another default, say."""
        return replace(self, **changes)


# The bounds are far outside what is of use; they keep a slip of the pen (a resolution of 224000) from filling
# the machine, and the counts of any variant within 64 bits.
WIDTH = Field(
    number(0, 4, 0.75),
    1.0,
    "Width multiplier",
    "Width multiplier.",
    tag="w",
    is_always=True,
    elastic="prefix",
)
RESOLUTION = Field(
    integer(1, 4096, 192),
    224,
    "Resolution",
    "Height and width of the image in pixels.",
    "px",
    "r",
    is_always=True,
    elastic="same",
)
NUM_CLASSES = Field(
    integer(1, 1_000_000, 1000), 1000, "Classes", "Outputs of the classifier.", tag="n", is_structural=True
)
DIVISOR = Field(
    integer(1, 1024, 8),
    8,
    "Channel divisor",
    "Channels are rounded to multiples of it; 1 is the paper's rounding.",
    tag="div",
    is_structural=True,
)
STEM_STRIDE = Field(
    integer(1, 2, 2),
    2,
    "Stride of the first layer",
    "Stride of the first layer; 1 for small images.",
    tag="s",
    is_structural=True,
)
KERNEL = Field(
    one_number_of(3, 5, 7), 3, "Kernel", "Height and width of the kernels.", "px", "k", elastic="crop"
)

# Conventions: see `mbsweep.space.conventions`.
BN_EPSILON = Field(
    number(0, 1, 0.001),
    EPSILON,
    "Epsilon of batch normalisation",
    "What batch normalisation adds to a variance; 0.001 in TensorFlow's networks.",
    tag="eps",
    is_structural=True,
    is_added=True,
)
PADDING = Field(
    choice(["half", "same"]),
    "half",
    "Padding",
    "half the kernel on each side, or same: TensorFlow's, no more than it takes.",
    is_structural=True,
    is_added=True,
)
ACTIVATION = Field(
    choice(["relu", "relu6"]),
    "relu",
    "Activation",
    "relu, or relu6, as in TensorFlow's networks.",
    is_structural=True,
    is_added=True,
)


def stage_depths(*default: int) -> Field:
    """Of each stage, how many blocks it has."""
    return Field(
        integers(len(default), 1, 10_000, default),
        default,
        "Blocks of each stage",
        "Blocks of each stage.",
        "blocks",
        "b",
        stages=len(default),
        item=integer(1, 10_000, 2),
        elastic="prefix",
    )


def kernels(stages: int) -> Field:
    """Of each stage, the size of its kernels."""
    return Field(
        listed(KERNEL.rule, (3,) * stages),
        (3,) * stages,
        "Kernels of the stages",
        "Size of the kernels of each stage.",
        "px",
        "k",
        stages=stages,
        item=KERNEL.rule,
        elastic="crop",
    )
