"""Sweep file -> validated Sweep: what to build, what to measure, where accuracy comes from."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from mbsweep.errors import MbsweepError
from mbsweep.space import document, rules
from mbsweep.space.document import Document, Keys
from mbsweep.space.explain import ItemError, explain
from mbsweep.space.rules import Rule
from mbsweep.space.variant import RULES, Variant

MAX_VARIANTS = 5_000_000  # more would fill the memory before anyone could use the answer
MAX_AXIS_VALUES = 100_000


class _Strict(BaseModel):
    """A mapping in which unknown keys are refused, and whose plain values follow `RULES`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _follow_rules(cls, value: Any, info: Any) -> Any:
        rule = _RULES.get(cls.__name__, {}).get(info.field_name)
        return rule(value) if rule else value


class Axes(_Strict):
    """Values of each field of Variant; their product is the space, the last field fastest."""

    family: tuple[str, ...] = (Variant().family,)
    block: tuple[str, ...] = (Variant().block,)
    stage_channels: tuple[tuple[int, ...], ...] = (Variant().stage_channels,)
    num_classes: tuple[int, ...] = (Variant().num_classes,)
    divisor: tuple[int, ...] = (Variant().divisor,)
    width: tuple[float, ...] = (Variant().width,)
    resolution: tuple[int, ...] = (Variant().resolution,)
    depth: tuple[int, ...] = (Variant().depth,)

    @field_validator("*", mode="before")
    @classmethod
    def _expand(cls, value: Any, info: Any) -> tuple[Any, ...]:
        return _expand_axis(value, RULES[info.field_name], of_lists=info.field_name == "stage_channels")

    @property
    def size(self) -> int:
        """How many variants the product has."""
        return math.prod(len(getattr(self, name)) for name in Axes.model_fields)


def _expand_axis(value: Any, rule: Rule, of_lists: bool) -> tuple[Any, ...]:
    """An axis as its values: from a single value, a list, or a range with both ends included."""
    is_single = False
    if isinstance(value, dict):
        items = _expand_range(value)
    elif isinstance(value, list) and not (of_lists and value and not any(isinstance(v, list) for v in value)):
        items = value
    else:
        items, is_single = [value], True
    if not items:
        raise ValueError("expected at least one value")
    if len(items) > MAX_AXIS_VALUES:
        raise ValueError(f"expected at most {MAX_AXIS_VALUES} values")
    parsed: dict[Any, None] = {}
    for place, item in enumerate(items):
        try:
            allowed = rule(item)
        except ValueError as error:
            if is_single:
                raise
            raise ItemError(place, item, str(error)) from None
        if allowed in parsed:
            raise ItemError(place, item, "expected each value once, and it stands there already")
        parsed[allowed] = None
    return tuple(parsed)


def _expand_range(value: dict[str, Any]) -> list[float]:
    if set(value) != {"from", "to", "step"}:
        raise ValueError(
            "expected a range with the keys from, to and step, such as {from: 0.25, to: 1.0, step: 0.05}"
        )
    start, stop, step = (value[key] for key in ("from", "to", "step"))
    for number in (start, stop, step):
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < 1e9:
            raise ValueError("expected numbers for from, to and step")
    if step <= 0 or stop < start or (stop - start) / step >= MAX_AXIS_VALUES:
        raise ValueError(f"expected step above 0, to not below from, and at most {MAX_AXIS_VALUES} values")
    count = math.floor((stop - start) / step + 1e-9) + 1
    if isinstance(start, int) and isinstance(step, int):
        return [start + i * step for i in range(count)]
    # Floating-point sums drift: 0.25 + 14 x 0.05 is not 0.95 to the last bit. 12 digits give what is meant
    return [round(start + i * step, 12) for i in range(count)]


class Point(_Strict):
    """One explicit variant; what is left out has the default of Variant."""

    family: str = Variant().family
    width: float = Variant().width
    resolution: int = Variant().resolution
    depth: int = Variant().depth
    block: str = Variant().block
    stage_channels: tuple[int, ...] = Variant().stage_channels
    num_classes: int = Variant().num_classes
    divisor: int = Variant().divisor


class Limit(_Strict):
    """Lowest and highest value, both allowed."""

    min: float = 0
    max: float = math.inf


class Limits(_Strict):
    """Bounds on what a variant may cost."""

    params: Limit | None = None
    macs: Limit | None = None


class Sample(_Strict):
    """A random choice from the space, the same for the same seed."""

    count: int
    seed: int = 0


class LatencyConfig(_Strict):
    """How latency is measured: the runtime and its settings, and how much to measure."""

    backend: str
    precision: str = "fp32"
    batch: int = 1
    threads: int = 1
    rounds: int = 40  # visits to each variant, in rounds over all of them
    visit_ms: float = 30  # a visit times calls until this much time is spent, at least one call

    @property
    def id(self) -> str:
        """What the measured number depends on; rounds and visit_ms only say how often it was taken."""
        return f"{self.backend}-{self.precision}-b{self.batch}-t{self.threads}"


class PublishedAccuracy(_Strict):
    """Figures from one table of the literature."""

    source: Literal["published"]
    table: str


_RULES: dict[str, dict[str, Rule]] = {
    "Point": RULES,
    "Limit": {
        "min": rules.number(0, 1e18, 5e5, with_low=True),
        "max": rules.number(0, 1e18, 4.2e6, with_low=True),
    },
    "Sample": {"count": rules.integer(1, MAX_VARIANTS, 50), "seed": rules.integer(0, 2**32 - 1, 0)},
    "LatencyConfig": {
        "backend": rules.text(40),
        "precision": rules.text(40),
        "batch": rules.integer(1, 4096, 1),
        "threads": rules.integer(1, 1024, 1),
        "rounds": rules.integer(1, 10_000, 40),
        "visit_ms": rules.number(0, 10_000, 30),
    },
    "PublishedAccuracy": {"source": rules.choice(["published"]), "table": rules.text(80)},
    "Sweep": {"title": rules.text(200), "description": rules.text(10_000)},
}


class Sweep(_Strict):
    """One sweep file, validated. Made by `load_sweep`."""

    title: str = ""
    description: str = ""
    space: tuple[Axes, ...] = ()
    variants: tuple[Point, ...] = Field(default=(), max_length=100_000)
    limits: Limits = Limits()
    sample: Sample | None = None
    latency: tuple[LatencyConfig, ...] = Field(default=(), max_length=100)
    accuracy: PublishedAccuracy | None = None
    _document: Document = PrivateAttr()

    @field_validator("space", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @property
    def name(self) -> str:
        """The file's name without folder and ending: `width_res`."""
        return Path(self._document.name).stem

    @property
    def text(self) -> str:
        """The file, as it was read."""
        return self._document.text

    @property
    def explicit(self) -> list[Variant]:
        """The variants listed one by one."""
        return [Variant(**point.model_dump()) for point in self.variants]

    def draw(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some places in the space that `sample` picks, in order; without `sample` all of them."""
        if self.sample is None or self.sample.count >= len(places):
            return places
        picked = random.Random(self.sample.seed).sample(range(len(places)), self.sample.count)  # noqa: S311
        return places[np.sort(np.array(picked, dtype=np.int64))]

    def problem(self, keys: Keys, message: str) -> MbsweepError:
        """An error about a value of this sweep, with file, line and key."""
        return self._document.problem(keys, message)


def load_sweep(path: str | Path) -> Sweep:
    """Read and validate a sweep file.

    Raises MbsweepError, with file, line and key, where it cannot be read or says something not allowed.
    """
    return _validated(document.read(Path(path)))


def parse_sweep(text: str, name: str) -> Sweep:
    """The same for a text, called `name` in errors."""
    return _validated(document.parse(text, name))


def _validated(doc: Document) -> Sweep:
    try:
        sweep = Sweep.model_validate(doc.data)
    except ValidationError as error:
        raise explain(error.errors(include_url=False)[0], doc, Sweep) from None
    except RecursionError:
        raise MbsweepError(f"{doc.name}: is nested too deeply for a sweep file") from None
    sweep._document = doc
    _check_whole(sweep)
    return sweep


def _check_whole(sweep: Sweep) -> None:
    """What no single value can tell."""
    if not sweep.space and not sweep.variants:
        raise sweep.problem((), "gives nothing to build; add `space:` or `variants:`")
    size = sum(axes.size for axes in sweep.space) + len(sweep.variants)
    if size > MAX_VARIANTS:
        raise sweep.problem(("space",), f"has {size} variants; at most {MAX_VARIANTS} are allowed")
    for name in ("params", "macs"):
        limit = getattr(sweep.limits, name)
        if limit is not None and limit.min > limit.max:
            raise sweep.problem(("limits", name), f"has min {limit.min:g} above max {limit.max:g}")
    ids = [config.id for config in sweep.latency]
    for place, config_id in enumerate(ids):
        if config_id in ids[:place]:
            raise sweep.problem(("latency", place), f"repeats {config_id}; give each configuration once")
