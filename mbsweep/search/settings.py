"""`search` of a sweep: what is looked for, within which budgets, how, and for how long. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from pydantic import Field, field_validator, model_validator

from mbsweep.base.rules import SEED, Rule, choice, did_you_mean, integer, number, shown
from mbsweep.base.strict import Strict
from mbsweep.search.methods import METHODS
from mbsweep.space.counting import Counts
from mbsweep.space.variant import Variant

LATENCY, TOP1 = "latency_ms", "top1_pct"
COSTS = (LATENCY, *Counts.__slots__)  # known of a whole space before anything is evaluated
AT = "@"  # between a latency and its configuration
MOST_STARTS = 1000


class Amount(NamedTuple):
    """What an objective or a budget is about: a column, and of a latency its configuration.

    config: its id; "" where the sweep has one alone.
    """

    name: str
    config: str = ""

    @classmethod
    def parse(cls, said: object) -> Amount:
        """From `params`, `latency_ms@onnxruntime-fp32-b1-t1`. Raises ValueError."""
        allowed = (TOP1, *COSTS)
        name, at, config = said.partition(AT) if isinstance(said, str) else ("", "", "")
        if name not in allowed or (at and (name != LATENCY or not config)):
            hint = did_you_mean(name, allowed) if name not in allowed else ""
            raise ValueError(f"expected {', '.join(allowed)}, or {LATENCY}{AT}CONFIGURATION{hint}")
        return cls(name, config)

    @property
    def is_cost(self) -> bool:
        """Whether less of it is better."""
        return self.name != TOP1

    @property
    def words(self) -> str:
        """As a sweep file says it."""
        return f"{self.name}{AT}{self.config}" if self.config else self.name


class Bound(Strict):
    """The least and the most that is allowed, both included."""

    rules: ClassVar[dict[str, Rule]] = {
        "min": number(0, 1e18, 70, with_low=True),
        "max": number(0, 1e18, 5),
    }

    min: float = 0
    max: float = math.inf

    @model_validator(mode="after")
    def _has_room(self) -> Bound:
        if not self.model_fields_set:
            raise ValueError("expected `max: NUMBER`, `min: NUMBER`, or both")
        if self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    @property
    def words(self) -> str:
        """`at most 5`."""
        ends = (("at least", self.min, 0), ("at most", self.max, math.inf))
        return " and ".join(f"{word} {value:,.10g}" for word, value, none in ends if value != none)


def _objectives(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= 3:
        raise ValueError
    said = [Amount.parse(one) for one in value]
    if len(set(said)) != len(said) or sum(not one.is_cost for one in said) != 1:
        raise ValueError
    return tuple(one.words for one in said)


def _start(value: object) -> Any:
    """How many, or these variants."""
    if not isinstance(value, list | tuple):
        return _COUNT(value)
    if not 0 < len(value) <= MOST_STARTS or not all(isinstance(one, Mapping) for one in value):
        raise ValueError
    return tuple(value)


_COUNT = integer(1, MOST_STARTS, 8)


class SearchSettings(Strict):
    """A search for the front of a space in which accuracy is expensive, and all else is known."""

    rules: ClassVar[dict[str, Rule]] = {
        "objectives": Rule(
            f"{TOP1} and one or two different ones of {', '.join(COSTS)}, such as [{TOP1}, {LATENCY}]; where "
            f"there are several latencies, {LATENCY}{AT}CONFIGURATION",
            _objectives,
        ),
        "evaluations": integer(1, 1_000_000, 60),
        "method": choice(METHODS),
        "seed": SEED,
        "start": Rule(
            f"{_COUNT.expected}, or a list of variants, such as [{{width: 0.5, resolution: 128}}]", _start
        ),
        "confirm": integer(0, 1000, 5),
    }

    objectives: tuple[str, ...]
    budgets: dict[str, Bound] = Field(default={}, max_length=20)
    evaluations: int = 60
    method: str = "exact_costs"
    seed: int = 0
    start: int | tuple[dict[str, Any], ...] = 8  # so many of the method's choice, or these
    confirm: int = 5  # networks of the front that are measured whole, and trained alone, at the end

    @field_validator("budgets", mode="before")
    @classmethod
    def _of_amounts(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"expected a mapping such as {{{LATENCY}: {{max: 5}}}}")
        for name in value:
            try:
                Amount.parse(name)
            except ValueError as error:
                raise ValueError(f"of {shown(name)} there is no budget; {error}") from None
        return value

    @field_validator("budgets")
    @classmethod
    def _reachable(cls, value: dict[str, Bound]) -> dict[str, Bound]:
        worth = value.get(TOP1)
        if worth is not None and (worth.max != math.inf or worth.min > 100):
            raise ValueError(f"of {TOP1} expected `min: NUMBER`, up to 100")
        return value

    @property
    def accuracy(self) -> Amount:
        """The objective of which more is better."""
        return next(one for one in self.amounts if not one.is_cost)

    @property
    def amounts(self) -> list[Amount]:
        """The objectives."""
        return [Amount.parse(one) for one in self.objectives]

    @property
    def costs(self) -> list[Amount]:
        """The objectives of which less is better."""
        return [one for one in self.amounts if one.is_cost]

    @property
    def bounds(self) -> dict[Amount, Bound]:
        """The budgets."""
        return {Amount.parse(name): bound for name, bound in self.budgets.items()}

    @property
    def least_pct(self) -> float:
        """The top-1 accuracy that a variant of the front has at least, in percent; -inf without a budget."""
        return next((bound.min for amount, bound in self.bounds.items() if not amount.is_cost), -math.inf)

    def starting(self, said: Mapping[str, Any], usual: Variant) -> Variant:
        """One of the variants to begin with. usual: what it is, if of its family, in what it leaves out.

        Raises MbsweepError where it is no network.
        """
        fields = {name: value for name, value in said.items() if name != "family"}
        family = said.get("family", usual.family)
        return usual.but(**fields) if family == usual.family else Variant(family, **fields)

    @property
    def choosing(self) -> dict[str, Any]:
        """All settings that decide what is chosen: with others, the same search would go elsewhere."""
        return {
            name: value for name, value in self.settings.items() if name not in ("evaluations", "confirm")
        }
