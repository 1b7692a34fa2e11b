"""Sweep file -> validated Sweep: what to build, what to measure, where accuracy comes from."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, ValidationError, field_validator

from mbsweep.accuracy import AnySource
from mbsweep.accuracy.source import SettingError
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded
from mbsweep.base.rules import Rule, integer, number, text
from mbsweep.base.strict import Strict
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.variant import RULES, Variant
from mbsweep.sweep import document
from mbsweep.sweep.document import Document, Keys
from mbsweep.sweep.explain import ItemError, explain

MAX_VARIANTS = 5_000_000  # more would fill the memory before anyone could use the answer
MAX_AXIS_VALUES = 100_000


class Axes(Strict):
    """Values of each field of Variant; their product is the space, the last field fastest."""

    family: tuple[str, ...] = (Variant().family,)
    block: tuple[str, ...] = (Variant().block,)
    stage_channels: tuple[tuple[int, ...], ...] = (Variant().stage_channels,)
    num_classes: tuple[int, ...] = (Variant().num_classes,)
    divisor: tuple[int, ...] = (Variant().divisor,)
    stem_stride: tuple[int, ...] = (Variant().stem_stride,)
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
    for end in (start, stop, step):
        if isinstance(end, bool) or not isinstance(end, int | float) or not abs(end) < 1e9:
            raise ValueError("expected numbers for from, to and step")
    if step <= 0 or stop < start or (stop - start) / step >= MAX_AXIS_VALUES:
        raise ValueError(f"expected step above 0, to not below from, and at most {MAX_AXIS_VALUES} values")
    count = math.floor((stop - start) / step + 1e-9) + 1
    if isinstance(start, int) and isinstance(step, int):
        return [start + i * step for i in range(count)]
    # Floating-point sums drift: 0.25 + 14 x 0.05 is not 0.95 to the last bit. 12 digits give what is meant
    return [round(start + i * step, 12) for i in range(count)]


class Point(Strict):
    """One explicit variant; what is left out has the default of Variant."""

    rules: ClassVar[dict[str, Rule]] = RULES

    family: str = Variant().family
    width: float = Variant().width
    resolution: int = Variant().resolution
    depth: int = Variant().depth
    block: str = Variant().block
    stage_channels: tuple[int, ...] = Variant().stage_channels
    num_classes: int = Variant().num_classes
    divisor: int = Variant().divisor
    stem_stride: int = Variant().stem_stride


class Limit(Strict):
    """Lowest and highest value, both allowed."""

    rules: ClassVar[dict[str, Rule]] = {
        "min": number(0, 1e18, 5e5, with_low=True),
        "max": number(0, 1e18, 4.2e6, with_low=True),
    }

    min: float = 0
    max: float = math.inf


class Limits(Strict):
    """Bounds on what a variant may cost."""

    params: Limit | None = None
    macs: Limit | None = None


class Sample(Strict):
    """A random choice from the space, the same for the same seed."""

    rules: ClassVar[dict[str, Rule]] = {
        "count": integer(1, MAX_VARIANTS, 50),
        "seed": integer(0, 2**32 - 1, 0),
    }

    count: int
    seed: int = 0


class Sweep(Strict):
    """One sweep file, validated. Made by `load_sweep`."""

    rules: ClassVar[dict[str, Rule]] = {"title": text(200), "description": text(10_000)}

    title: str = ""
    description: str = ""
    space: tuple[Axes, ...] = ()
    variants: tuple[Point, ...] = Field(default=(), max_length=100_000)
    limits: Limits = Limits()
    sample: Sample | None = None
    latency: tuple[LatencyConfig, ...] = Field(default=(), max_length=100)
    accuracy: AnySource | None = None
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
    def path(self) -> Path | None:
        """The file; None of a sweep that was in none."""
        return self._document.path

    @property
    def text(self) -> str:
        """The file, as it was read."""
        return self._document.text

    @property
    def explicit(self) -> list[Variant]:
        """The variants listed one by one."""
        return [Variant(**point.model_dump()) for point in self.variants]

    @property
    def lacks_classes(self) -> bool:
        """Whether a network is left without `num_classes`, which the data set that it learns is to say."""
        is_trained = self.accuracy is not None and self.accuracy.images is not None
        return is_trained and any(
            "num_classes" not in given.model_fields_set for given in (*self.space, *self.variants)
        )

    def with_classes(self, count: int, data: str) -> Sweep:
        """The sweep with `num_classes` filled in where it is left out.

        data: what says how many there are, with its words. MbsweepError where the sweep says otherwise.
        """
        filled = {
            key: tuple(self._filled(key, place, one, count, data) for place, one in enumerate(given))
            for key, given in (("space", self.space), ("variants", self.variants))
        }
        return self.model_copy(update=filled)

    def _filled(self, key: str, place: int, mapping: Any, count: int, data: str) -> Any:
        """One mapping of space or variants, with `num_classes`."""
        if "num_classes" not in mapping.model_fields_set:
            filled = (count,) if isinstance(mapping, Axes) else count
            return mapping.model_copy(update={"num_classes": filled})
        said = mapping.num_classes if isinstance(mapping, Axes) else (mapping.num_classes,)
        if set(said) != {count}:
            is_list = isinstance(self._document.data[key], list)
            raise self.problem(
                (key, place, "num_classes") if is_list else (key, "num_classes"),
                f"is {', '.join(map(str, said[:3]))}, and {data}; say {count}, or leave it out",
            )
        return mapping

    def draw(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some places in the space that `sample` picks, in order; without `sample` all of them."""
        if self.sample is None or self.sample.count >= len(places):
            return places
        picked = random.Random(self.sample.seed).sample(range(len(places)), self.sample.count)  # noqa: S311
        return places[np.sort(np.array(picked, dtype=np.int64))]

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Within, a SettingError of the accuracy source names file, line and key."""
        try:
            yield
        except SettingError as error:
            raise self.problem(("accuracy", error.key), str(error)) from None

    def problem(self, keys: Keys, message: str) -> MbsweepError:
        """An error about a value of this sweep, with file, line and key."""
        return self._document.problem(keys, message)


def load_sweep(path: str | Path) -> Sweep:
    """Read and validate a sweep file.

    Raises MbsweepError, with file, line and key, where it cannot be read or says something not allowed.
    """
    return _validated(document.read(expanded(path)))


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
    images = sweep.accuracy.images if sweep.accuracy else None
    if images is not None and (count := images.class_count):
        return sweep.with_classes(count, f"{images.name} has {count} classes")
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
