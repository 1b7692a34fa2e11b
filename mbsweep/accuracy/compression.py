"""`compress` of a sweep: what is done to trained networks so that they take fewer bytes. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Generic, NamedTuple, Self, TypeVar

from pydantic import model_validator

from mbsweep.base.rules import Rule, flag, integer, number
from mbsweep.base.strict import Strict, fingerprint
from mbsweep.formats.compressed.streams import MOST_BITS

KINDS = ("conv", "pointwise", "depthwise", "fc")  # of layers, as a scheme calls them
_ALL = ("conv", "fc")  # what one number is for
FAILED_IN = "compress"  # the configuration under which a run notes what failed

Number = TypeVar("Number", int, float)


def _by_kind(item: Rule, example: str) -> Rule:
    """One number for all but depthwise kernels, or a mapping, which is looked at by itself."""

    def parse(value: object) -> object:
        return value if isinstance(value, dict | _ByKind) else dict.fromkeys(_ALL, item(value))

    return Rule(f"{item.expected}, or one for each kind of layer: {example}", parse)


class _ByKind(Strict, Generic[Number]):
    """A number for each kind of layer; what is not named is left alone.

    conv: of all convolutions but depthwise ones. pointwise: of those of 1 x 1, where they are to differ.
    """

    conv: Number | None = None
    pointwise: Number | None = None
    depthwise: Number | None = None
    fc: Number | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.by_kind:
            raise ValueError(f"expected a number for at least one of {', '.join(KINDS)}")
        return self

    @property
    def by_kind(self) -> dict[str, Number]:
        """Kind of layer -> its number, of those that are not left alone."""
        found = {kind: getattr(self, kind) for kind in KINDS}
        found["pointwise"] = self.conv if self.pointwise is None else self.pointwise
        return {kind: number_ for kind, number_ in found.items() if number_ is not None}

    def words(self, scale: float, unit: str) -> str:
        """`80 %`; `conv 8, fc 5 bits` where kinds of layers differ."""
        said = {kind: f"{scale * value:g}" for kind in KINDS if (value := getattr(self, kind)) is not None}
        if tuple(said) == _ALL and len(set(said.values())) == 1:
            return f"{said['fc']} {unit}"
        return f"{', '.join(f'{kind} {value}' for kind, value in said.items())} {unit}"


_SHARE, _BITS = number(0, 0.999, 0.8), integer(1, MOST_BITS, 5)


class Sparsity(_ByKind[float]):
    """The share of the weights that become zero."""

    rules: ClassVar[dict[str, Rule]] = dict.fromkeys(KINDS, _SHARE)


class Bits(_ByKind[int]):
    """The bits that tell which of a layer's shared values a weight has."""

    rules: ClassVar[dict[str, Rule]] = dict.fromkeys(KINDS, _BITS)


class Step(NamedTuple):
    """One step of a scheme. Schemes that begin alike have their first steps in common."""

    kind: str  # "pruned", "shared" or "coded"
    key: str  # the same where the same is asked for, from the trained network on
    before: str  # key of the step before; empty: the trained network
    words: str  # of all up to it: `80 % pruned, 5 bits`
    scheme: Scheme  # without what comes after it

    @property
    def epochs(self) -> int:
        """In which the network learns on."""
        return 0 if self.kind == "coded" else self.scheme.epochs


class Scheme(Strict):
    """One way to make trained networks small."""

    rules: ClassVar[dict[str, Rule]] = {
        "sparsity": _by_kind(_SHARE, "{conv: 0.8, fc: 0.9}"),
        "prune_epochs": integer(1, 1000, 2),
        "fine_tune_epochs": integer(0, 1000, 2),
        "bits": _by_kind(_BITS, "{conv: 8, fc: 5}"),
        "share_epochs": integer(0, 1000, 1),
        "huffman": flag(),
    }

    sparsity: Sparsity | None = None
    prune_epochs: int = 2  # in which the sparsity rises
    fine_tune_epochs: int = 2  # in which it stays
    bits: Bits | None = None
    share_epochs: int = 1  # in which the shared values are learnt on
    huffman: bool = True

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.sparsity and not self.bits:
            raise ValueError("expected `sparsity`, `bits` or both: what is to be done to the weights")
        return self

    @property
    def steps(self) -> list[Step]:
        """From the trained network on."""
        found: list[Step] = []
        for kind, scheme in self._parts():
            key, before = fingerprint(scheme, 6), found[-1].key if found else ""
            found.append(Step(kind, key, before, scheme.words, scheme))
        return found

    def _parts(self) -> Iterator[tuple[str, Scheme]]:
        of_sharing = {"bits", "share_epochs"}
        if self.sparsity:
            yield "pruned", self._without({"huffman", *of_sharing})
        if self.bits:
            yield "shared", self._without({"huffman"})
        if self.huffman:
            yield "coded", self._without(set())

    def _without(self, names: set[str]) -> Scheme:
        """Without some settings, and what is said for nothing, so that what asks for the same is the same."""
        if not self.sparsity:
            names |= {"prune_epochs", "fine_tune_epochs"}
        usual = {name: Scheme.model_fields[name].default for name in names} | {
            "huffman": "huffman" not in names
        }
        return self.model_copy(update=usual)

    @property
    def words(self) -> str:
        """`80 % pruned, 5 bits, Huffman`; how long it learns on where that is not as usual."""
        said = []
        if self.sparsity:
            epochs = self._epochs("prune_epochs", "fine_tune_epochs")
            said.append(f"{self.sparsity.words(100, '%')} pruned{epochs}")
        if self.bits:
            said.append(f"{self.bits.words(1, 'bits')}{self._epochs('share_epochs')}")
        return ", ".join([*said, *(["Huffman"] if self.huffman else [])])

    def _epochs(self, *names: str) -> str:
        numbers = [getattr(self, name) for name in names]
        is_usual = numbers == [Scheme.model_fields[name].default for name in names]
        return "" if is_usual else f" in {' + '.join(map(str, numbers))} epochs"

    @property
    def epochs(self) -> int:
        """Of the last of its steps that learns on; a step's scheme is up to that step."""
        return self.share_epochs if self.bits else self.prune_epochs + self.fine_tune_epochs


def all_steps(schemes: Sequence[Scheme]) -> list[Step]:
    """The steps of all schemes, each once, each behind the one that it goes on from."""
    return list({step.key: step for scheme in schemes for step in scheme.steps}.values())
