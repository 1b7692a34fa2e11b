"""The modules of a file of weights, in the order in which its network runs them, by their names.

safetensors keeps no order, and the alphabet is none: it has `bn1` before `conv_dw`. So each library's words
have ranks, and numbers count as numbers: `blocks.10` comes after `blocks.9`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mbsweep.accuracy.weights.files import WeightsFile
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import shown

HUGGING_FACE, TIMM, MBSWEEP = "Hugging Face", "timm", "mbsweep"
WEIGHT = "weight/"  # stands before the names of mbsweep's own
_NORM = {"weight", "bias", "running_mean", "running_var"}
_COUNTER = "num_batches_tracked"  # of batch normalisation; nothing depends on it

# The order of words at one place in names, where they stand beside one another.
_HUGGING_FACE = (
    *("conv_stem", "layer", "conv_1x1", "classifier"),
    *("first_conv", "expand_1x1", "conv_3x3", "reduce_1x1"),
    *("convolution", "normalization"),
)
_TIMM = ("conv_stem", "bn1", "blocks", "conv_head", "bn2", "norm_head", "classifier")
_TIMM_BLOCKS = (  # that of the first that has all words of a block
    ("conv", "bn1"),
    ("conv_dw", "bn1", "se", "conv_pw", "bn2"),
    ("conv_exp", "bn1", "se", "conv_pwl", "bn2"),
    ("conv_pw", "bn1", "conv_dw", "bn2", "se", "conv_pwl", "bn3"),
    ("dw_start", "pw_exp", "dw_mid", "se", "pw_proj"),
)
_TIMM_INSIDE = ("conv_reduce", "conv_expand", "conv", "bn")


class Module(NamedTuple):
    """What stands under one name: a convolution, a batch normalisation or a linear layer."""

    name: str
    kind: str  # "conv", "bn" or "fc"
    tensors: Mapping[str, str]  # "weight", "bias" ... -> its name in the file


def library_of(file: WeightsFile) -> str:
    """Whose names they are. MbsweepError where that is nobody's who is known."""
    names = file.shapes
    if file.about or any(name.startswith(WEIGHT) for name in names):
        return MBSWEEP
    if any(name.endswith(("convolution.weight", "normalization.weight")) for name in names):
        return HUGGING_FACE
    if "conv_stem.weight" in names:
        return TIMM
    some = ", ".join(shown(name) for name in sorted(names)[:3])
    raise MbsweepError(
        f"{file.path}: its tensors ({some}, ...) are called as in none of {HUGGING_FACE}'s MobileNetV1 and "
        f"MobileNetV2, {TIMM}'s MobileNets, and {MBSWEEP}'s own networks"
    )


def modules(file: WeightsFile, library: str) -> list[Module]:
    """The modules in running order. MbsweepError where a name is none of the library's."""
    found: dict[str, dict[str, str]] = {}
    for name in file.shapes:
        module, _, part = name.rpartition(".")
        if part != _COUNTER:
            found.setdefault(module, {})[part] = name
    order = _hugging_face if library == HUGGING_FACE else _timm(found)
    keyed = []
    for name, tensors in found.items():
        try:
            keyed.append((order(name), _module(name, tensors, file.shapes)))
        except ValueError:
            some = ", ".join(shown(one) for one in sorted(tensors.values())[:2])
            raise MbsweepError(
                f"{file.path}: {some} belongs to no layer of a MobileNet as {library} names them"
            ) from None
    return [module for _, module in sorted(keyed, key=lambda one: one[0])]


def _module(name: str, tensors: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> Module:
    """ValueError where the tensors under a name are no layer."""
    parts, rank = set(tensors), len(shapes.get(tensors.get("weight", ""), ()))
    if parts == _NORM and rank == 1:
        return Module(name, "bn", tensors)
    if parts in ({"weight"}, {"weight", "bias"}) and rank in (2, 4):
        return Module(name, "conv" if rank == 4 else "fc", tensors)
    raise ValueError


def _rank(words: Iterable[str], orders: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """ValueError where a word has none."""
    return tuple(
        int(word) if word.isascii() and word.isdigit() else order.index(word)
        for word, order in zip(words, orders, strict=True)
    )


def _hugging_face(name: str) -> tuple[int, ...]:
    """`mobilenet_v2.layer.3.conv_3x3.convolution`; of a network without a classifier, without the first."""
    words = name.split(".")
    if words[0] in ("mobilenet_v1", "mobilenet_v2"):
        words = words[1:]
    return _rank(words, [_HUGGING_FACE] * len(words))


class _timm:  # noqa: N801  (a function that knows the blocks)
    """`blocks.3.1.conv_dw`: a stage, a block of it, a layer of that."""

    def __init__(self, names: Iterable[str]) -> None:
        self._words: dict[tuple[str, ...], set[str]] = {}
        for name in names:
            words = name.split(".")
            if words[0] == "blocks" and len(words) > 3:
                self._words.setdefault(tuple(words[1:3]), set()).add(words[3])

    def __call__(self, name: str) -> tuple[int, ...]:
        words = name.split(".")
        if words[0] != "blocks":
            return _rank(words, [_TIMM])
        has = self._words.get(tuple(words[1:3]), set())
        order = next((one for one in _TIMM_BLOCKS if has <= set(one)), ())
        return _rank(words, [_TIMM, (), (), order, *[_TIMM_INSIDE] * (len(words) - 4)])
