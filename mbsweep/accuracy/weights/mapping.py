"""Which tensor of a file is which of a network: by order and shape, and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.weights.files import WeightsFile
from mbsweep.accuracy.weights.names import MBSWEEP, WEIGHT, Module, library_of, modules
from mbsweep.accuracy.weights.said import hint, notes
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import shown
from mbsweep.space.families import architecture
from mbsweep.space.layers import Layer
from mbsweep.space.variant import Variant

NORM = ("weight", "bias", "running_mean", "running_var")
Shape = tuple[int, ...]


class Wanted(NamedTuple):
    """A module of a network, and the tensors that it takes."""

    name: str  # "block1_dw.conv", as in the network's state
    kind: str  # "conv", "bn" or "fc"
    shapes: Mapping[str, Shape]


@dataclass(frozen=True)
class Mapped:
    """What a file gives a network.

    names: of each tensor of the network's state, but for what is begun anew, its name in the file.
    """

    file: WeightsFile
    names: Mapping[str, str]
    shapes: Mapping[str, Shape]  # of the network's tensors
    notes: Sequence[str] = ()  # what is to be known of it

    def values(self) -> dict[str, NDArray[np.float32]]:
        """The network's tensors. MbsweepError where one is not finite."""
        read = self.file.values()
        return {name: read[theirs].reshape(self.shapes[name]) for name, theirs in self.names.items()}


def wanted(layers: Sequence[Layer]) -> list[Wanted]:
    """The modules with weights of a network, in running order."""
    return [module for layer in layers for module in _of_layer(layer)]


def _of_layer(layer: Layer) -> Iterator[Wanted]:
    bias: dict[str, Shape] = {"bias": (layer.out_channels,)} if layer.bias else {}
    if layer.is_conv:
        weight: Shape = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel)
        yield Wanted(f"{layer.child}.conv", "conv", {"weight": weight, **bias})
    elif layer.kind == "fc":
        weight = (layer.out_channels, layer.in_channels * layer.in_size**2)
        yield Wanted(f"{layer.child}.linear", "fc", {"weight": weight, **bias})
    if layer.norm:
        yield Wanted(f"{layer.child}.bn", "bn", dict.fromkeys(NORM, (layer.out_channels,)))


def classifier_of(variant: Variant) -> str:
    """The child of a network that is its classifier: the last that has weights."""
    return wanted(architecture(variant).layers)[-1].name.partition(".")[0]


def mapped(file: WeightsFile, variant: Variant, classes: Sequence[str] = ()) -> Mapped:
    """The tensors of a file as those of a network. MbsweepError, in one line, where they do not fit.

    A classifier of another number of classes, or that is not there, is left out, and so is one of mbsweep's
    own that tells other classes apart. classes: those that the network is to learn, where they are known.
    """
    library = library_of(file)
    if variant.is_code:
        raise MbsweepError(f"{file.path}: weights cannot begin {variant.family}, whose layers are not known")
    want = wanted(architecture(variant).layers)
    have = _own(file, want) if library == MBSWEEP else modules(file, library)
    last, told = want[-1], list[str]()
    if len(have) == len(want) - 1 and have[-1].kind != "fc":
        told.append("it has no classifier, which is begun anew")
        want = want[:-1]
    elif len(have) != len(want):
        raise _misfit(
            file, variant, f"it has {len(have)} layers with weights, the network {len(want)}", library
        )
    names: dict[str, str] = {}
    shapes: dict[str, Shape] = {}
    for theirs, ours in zip(have, want, strict=True):
        if ours is last and (why := _other_classes(file, theirs, ours, classes)):
            told.append(f"{why}: the classifier is begun anew")
            continue
        if why := _differs(file, theirs, ours):
            raise _misfit(file, variant, why, library)
        for part, shape in ours.shapes.items():
            names[f"{ours.name}.{part}"] = theirs.tensors[part]
            shapes[f"{ours.name}.{part}"] = shape
    told += notes(file, variant, library)
    kinds = {file.dtypes[name] for name in names.values()}
    if other := sorted(kinds - {"F32", "F16", "BF16", "F64"}):
        raise MbsweepError(f"{file.path}: has weights of type {', '.join(other)}; expected floats")
    if other := sorted(kinds - {"F32"}):
        told.append(f"its {' and '.join(other)} weights are made float32")
    return Mapped(file, names, shapes, told)


def _own(file: WeightsFile, want: Sequence[Wanted]) -> list[Module]:
    """The modules of a file of mbsweep's own, which has the names of the network."""
    if file.about.get("supernet"):
        raise MbsweepError(
            f"{file.path}: is a supernet; `mbsweep extract` gives each of its networks a file of its own"
        )
    own = {
        name for name in file.shapes if name.startswith(WEIGHT) and not name.endswith("num_batches_tracked")
    }
    found = []
    for ours in want:
        tensors = {part: f"{WEIGHT}{ours.name}.{part}" for part in ours.shapes}
        if missing := sorted(set(tensors.values()) - own):
            raise MbsweepError(
                f"{file.path}: does not fit: it lacks {missing[0].removeprefix(WEIGHT)} of the network"
            )
        own -= set(tensors.values())
        found.append(Module(ours.name, ours.kind, tensors))
    if own:
        extra = shown(min(own).removeprefix(WEIGHT))
        raise MbsweepError(f"{file.path}: does not fit: it has {extra}, which the network lacks")
    return found


def _other_classes(file: WeightsFile, theirs: Module, ours: Wanted, classes: Sequence[str]) -> str:
    """Why a classifier is of no use; empty where it is, or where it is none."""
    given, taken = file.shapes[theirs.tensors["weight"]], ours.shapes["weight"]
    if theirs.kind != ours.kind or len(given) != len(taken) or given[1:] != taken[1:]:
        return ""  # and so it differs in more
    if given != taken:
        return f"it tells {given[0]:,} classes apart, not {taken[0]:,}"
    own = file.about.get("classes", list(classes))
    return "it tells other classes apart" if classes and list(classes) != own else ""


def _differs(file: WeightsFile, theirs: Module, ours: Wanted) -> str:
    """In what a module of the file is not that of the network; empty where it is."""
    is_matrix = theirs.kind == "conv" and ours.kind == "fc"  # as a convolution of 1 x 1
    if theirs.kind != ours.kind and not is_matrix:
        return f"{shown(theirs.name)} is of kind {theirs.kind}, {ours.name} of kind {ours.kind}"
    if set(theirs.tensors) != set(ours.shapes):
        given, taken = (", ".join(sorted(tensors)) for tensors in (theirs.tensors, ours.shapes))
        return f"{shown(theirs.name)} has {given}, {ours.name} takes {taken}"
    for part, shape in ours.shapes.items():
        held = file.shapes[theirs.tensors[part]]
        if held != ((*shape, 1, 1) if is_matrix and part == "weight" else shape):
            return f"{shown(theirs.tensors[part])} is {list(held)}, {ours.name}.{part} {list(shape)}"
    return ""


def _misfit(file: WeightsFile, variant: Variant, why: str, library: str) -> MbsweepError:
    return MbsweepError(f"{file.path}: does not fit {variant.id}: {why}{hint(file, variant, library)}")
