"""Sweep file -> validated Sweep: what to build, what to measure, where accuracy comes from."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainValidator, PrivateAttr, ValidationError, field_validator

from mbsweep.accuracy import AnySource
from mbsweep.accuracy.compression import Scheme
from mbsweep.accuracy.source import SettingError
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded
from mbsweep.base.rules import Rule, did_you_mean, integer, number, shown, text
from mbsweep.base.strict import Strict
from mbsweep.profiler.config import LatencyConfig
from mbsweep.search.settings import LATENCY, TOP1, Amount, SearchSettings
from mbsweep.space.families import family_of
from mbsweep.space.variant import Variant
from mbsweep.storage.database import EmptyRunError
from mbsweep.storage.store import Store
from mbsweep.sweep import document
from mbsweep.sweep.axes import Axes, Point
from mbsweep.sweep.document import Document, Keys
from mbsweep.sweep.explain import explain

MAX_VARIANTS = 5_000_000  # more would fill the memory before anyone could use the answer
MAX_CODE = 10_000  # each is made once to be counted


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
    space: tuple[Annotated[Axes, PlainValidator(Axes.parse)], ...] = ()
    variants: tuple[Annotated[Point, PlainValidator(Point.parse)], ...] = Field(
        default=(), max_length=100_000
    )
    limits: Limits = Limits()
    sample: Sample | None = None
    latency: tuple[LatencyConfig, ...] = Field(default=(), max_length=100)
    accuracy: AnySource | None = None
    compress: tuple[Scheme, ...] = Field(default=(), max_length=100)
    search: SearchSettings | None = None
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
        return [point.variant for point in self.variants]

    @property
    def trains(self) -> bool:
        """Whether networks are trained for its accuracies."""
        return self.accuracy is not None and self.accuracy.images is not None

    @property
    def lacks_classes(self) -> bool:
        """Whether a network is left without `num_classes`, which the data set that it learns is to say."""
        said = [*(axes.classes() for axes in self.space), *(point.classes() for point in self.variants)]
        return self.trains and None in said

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
        said = mapping.classes()
        if said is None:
            return mapping.with_classes(count)
        if set(said) != {count}:
            is_list = isinstance(self._document.data[key], list)
            raise self.problem(
                (key, place, "num_classes") if is_list else (key, "num_classes"),
                f"is {', '.join(map(str, said[:3]))}, and {data}; say {count}, or leave it out",
            )
        return mapping

    def code(self) -> Iterator[tuple[Keys, str]]:
        """Where the file names families that are code of the user's own, and these."""
        for key in ("space", "variants"):
            is_list = isinstance(self._document.data.get(key), list)
            for place, one in enumerate(getattr(self, key)):
                for family in one.families:
                    if family_of(family).is_code:
                        yield (key, place, "family") if is_list else (key, "family"), family

    def latency_of(self, amount: Amount) -> LatencyConfig:
        """The configuration that an objective or a budget is about. ValueError where that is not plain."""
        ids = [config.id for config in self.latency]
        if amount.config:
            if amount.config not in ids:
                hint = did_you_mean(amount.config, ids)
                raise ValueError(f"there is no configuration {shown(amount.config)} in `latency`{hint}")
            return self.latency[ids.index(amount.config)]
        if len(ids) != 1:
            several = f"say which: {', '.join(f'{LATENCY}@{id_}' for id_ in ids)}"
            raise ValueError(several if ids else "add `latency:`, measured or predicted, to the sweep")
        return self.latency[0]

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
            raise self.problem(("accuracy", *error.key.split(".")), str(error)) from None

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


def kept_sweep(folder: Path) -> Sweep:
    """The sweep of a run, as it was when it was run last.

    Raises MbsweepError where the folder holds no run, or one that nothing was run in.
    """
    with Store.read(folder) as store:
        last, origin = store.last_sweep(), store.origin()
    if last is None:
        raise EmptyRunError(folder)
    doc = document.parse(last["text"], f"{folder}, {last['name']}.yaml")
    path = None if origin is None else Path(os.path.normpath(folder.resolve() / origin))
    return _validated(replace(doc, path=path))


def _validated(doc: Document) -> Sweep:
    try:
        sweep = Sweep.model_validate(doc.data)
    except ValidationError as error:
        raise explain(error.errors(include_url=False)[0], doc, Sweep) from None
    except RecursionError:
        raise MbsweepError(f"{doc.name}: is nested too deeply for a sweep file") from None
    sweep = _beside(sweep, doc)
    sweep._document = doc
    _check_whole(sweep)
    images = sweep.accuracy.images if sweep.accuracy else None
    if images is not None and (count := images.class_count):
        return sweep.with_classes(count, f"{images.name} has {count} classes")
    return sweep


def _beside(sweep: Sweep, doc: Document) -> Sweep:
    """With weights to begin from where the sweep file says they are: beside it."""
    if sweep.accuracy is None or doc.path is None:
        return sweep
    return sweep.model_copy(update={"accuracy": sweep.accuracy.beside(doc.path.parent)})


def _check_whole(sweep: Sweep) -> None:
    """What no single value can tell."""
    for name, value in sweep._document.data.items():
        if value is None:
            raise sweep.problem((name,), "is empty; say what it is to be, or leave the key out")
    if not sweep.space and not sweep.variants:
        raise sweep.problem((), "gives nothing to build; add `space:` or `variants:`")
    size = sum(axes.size for axes in sweep.space) + len(sweep.variants)
    if size > MAX_VARIANTS:
        raise sweep.problem(("space",), f"has {size} variants; at most {MAX_VARIANTS} are allowed")
    made = sum(axes.code_size for axes in sweep.space)
    if made > MAX_CODE:
        raise sweep.problem(
            ("space",), f"has {made:,} networks that are code; at most {MAX_CODE:,} can be made and counted"
        )
    for name in ("params", "macs"):
        limit = getattr(sweep.limits, name)
        if limit is not None and limit.min > limit.max:
            raise sweep.problem(("limits", name), f"has min {limit.min:g} above max {limit.max:g}")
    ids = [config.id for config in sweep.latency]
    for place, config_id in enumerate(ids):
        if config_id in ids[:place]:
            raise sweep.problem(("latency", place), f"repeats {config_id}; give each configuration once")
    schemes = [scheme.words for scheme in sweep.compress]
    for place, words in enumerate(schemes):
        if words in schemes[:place]:
            raise sweep.problem(("compress", place), f"repeats `{words}`; give each scheme once")
    if sweep.compress and not sweep.accuracy:
        raise sweep.problem(
            ("compress",), "goes on from trained networks; add `accuracy: {source: trained}`, or leave it out"
        )
    if sweep.search:
        _check_search(sweep, sweep.search)


def _check_search(sweep: Sweep, search: SearchSettings) -> None:
    """What of a search the rest of the file tells."""
    if not sweep.accuracy:
        raise sweep.problem(("search",), f"evaluates {TOP1}; add `accuracy:`, or leave `search` out")
    if sweep.compress:
        raise sweep.problem(
            ("compress",),
            "does not go together with `search`: compress the network that was found in a sweep of its own",
        )
    said = (("objectives", search.amounts), ("budgets", search.bounds))
    for key, amounts in said:
        for place, amount in enumerate(amounts):
            if amount.name != LATENCY:
                continue
            try:
                sweep.latency_of(amount)
            except ValueError as error:
                where = place if key == "objectives" else amount.words
                raise sweep.problem(("search", key, where), f"asks for {amount.words}: {error}") from None
