"""The papers' and model zoos' figures (data/*.csv): looked up by exact match, never interpolated."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.accuracy.source import LookedUp, Opened, Say, SettingError, Source, check_known
from mbsweep.accuracy.value import IMAGENET, NAN, Accuracies, Accuracy
from mbsweep.base.rules import Rule, choice, did_you_mean, one_or_several, text
from mbsweep.space.counting import Counts
from mbsweep.space.families import architecture
from mbsweep.space.same import same_as
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant


@dataclass(frozen=True)
class AccuracyFigure:
    """One row of a published table, as printed there. NaN: not given."""

    table: str  # its name in sweep files: "tf-slim-2018-08-02"
    place: str  # where in the source: "Table 6"
    model: str
    variant: Variant
    precision: str
    macs_m: str  # text: "317.0" and "582" differ in what they claim
    params_m: str
    top1_pct: float
    top5_pct: float
    note: str


@dataclass(frozen=True)
class LatencyFigure:
    """One published latency."""

    source: str
    variant: Variant
    precision: str
    device: str
    runtime: str
    processor: str  # "CPU", "GPU", "NNAPI"
    threads: float  # NaN: not given
    latency_ms: float


@cache
def accuracy_figures() -> tuple[AccuracyFigure, ...]:
    """Every published accuracy, in the order of the file."""
    rows = _rows("published_accuracy.csv")
    releases = {(row["source"], row["released"]) for row in rows}
    several = {source for source, _ in releases if sum(source == other for other, _ in releases) > 1}
    return tuple(
        AccuracyFigure(
            table=f"{row['source']}-{row['released']}" if row["source"] in several else row["source"],
            place=row["table"],
            model=row["model"],
            variant=_variant(row),
            precision=row["precision"],
            macs_m=row["macs_m"],
            params_m=row["params_m"],
            top1_pct=_float(row["top1"]),
            top5_pct=_float(row["top5"]),
            note=row["note"],
        )
        for row in rows
    )


@cache
def latency_figures() -> tuple[LatencyFigure, ...]:
    """Every published latency, in the order of the file."""
    return tuple(
        LatencyFigure(
            source=row["source"],
            variant=_variant(row),
            precision=row["precision"],
            device=row["device"],
            runtime=row["runtime"],
            processor=row["accelerator"].partition(",")[0],
            threads=4 if row["accelerator"].endswith("4 threads") else NAN,
            latency_ms=float(row["latency_ms"]),
        )
        for row in _rows("published_latency.csv")
    )


def tables() -> list[str]:
    """Names of the published tables."""
    return list(dict.fromkeys(figure.table for figure in accuracy_figures()))


def check_table(name: str) -> None:
    """Raises SettingError where no published table has this name."""
    if name not in tables():
        allowed = f"expected one of {', '.join(tables())}{did_you_mean(name, tables())}"
        raise SettingError("table", f"is {name!r}; {allowed}")


class PublishedAccuracy(Source):
    """Figures from one table of the literature, or of each network from the first that has it."""

    rules: ClassVar[dict[str, Rule]] = {
        "source": choice(["published"]),
        "table": one_or_several(
            text(80), "the name of a table, or a list of different ones, such as [paper, timm]"
        ),
    }

    source: Literal["published"]
    table: str | tuple[str, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """One or several: of a network that two have, the first counts."""
        return (self.table,) if isinstance(self.table, str) else self.table

    def check(self) -> None:
        """Raises SettingError where there is no such table."""
        for name in self.tables:
            check_table(name)

    def check_search(self, space: Space) -> None:
        """Raises SettingError where it knows none of the variants."""
        check_known(self, space)

    def open(self, space: Space, say: Say, images: ImageSource | None = None) -> Opened:
        """The tables come with mbsweep."""
        return _Tables(self.tables, space)


class _Tables(LookedUp):
    """Tables, to be looked up in."""

    def __init__(self, names: tuple[str, ...], space: Space) -> None:
        super().__init__(space)
        self.name, *others = names
        self.others = tuple(others)

    def look_up(self, precision: str) -> Accuracies:
        """What the first table that has it gives for exactly each network at a precision."""
        where = "this network" if precision == "fp32" else f"this network at {precision}"
        names = self.name, *self.others
        reason = f"{' and '.join(names)} {'have' if self.others else 'has'} no figure for {where}"
        kinds = [Accuracy(NAN, NAN, "published", self.name, IMAGENET, reason=reason)]
        which = np.zeros(len(self._space), np.int64)
        figures = [
            figure
            for name in names
            for figure in accuracy_figures()
            if (figure.table, figure.precision) == (name, precision)
        ]
        networks = places_of([figure.variant for figure in figures], self._space)
        # A network that stands there several times: the first.
        for figure in reversed(figures):
            which[networks[figure.variant]] = len(kinds)
            known = figure.top1_pct, figure.top5_pct, "published", figure.table, IMAGENET
            kinds.append(Accuracy(*known, note=figure.note))
        return Accuracies.shared(kinds, which)


def places_of(published: Iterable[Variant], space: Space) -> dict[Variant, NDArray[np.int64]]:
    """Where each published network is in a space, under whatever name: what has the very same layers."""
    found = {}
    for variant in dict.fromkeys(published):
        net = architecture(variant)
        sizes = Counts.of(net)
        alike = np.flatnonzero((space.macs == sizes.macs) & (space.params == sizes.params))
        places = [alike[:0]]
        for number in np.unique(space.grid[alike]):
            if space.grids[number].family.is_code:
                continue  # as many of both may be another network
            there = alike[space.grid[alike] == number]
            places.append(there[same_as(net, space.grids[number], space.at[there])])
        found[variant] = np.concatenate(places)
    return found


def _variant(row: dict[str, str]) -> Variant:
    """Of `width=0.75 block=standard`, and what is as usual else."""
    said = dict(one.split("=") for one in row["fields"].split())
    return Variant(row["family"], **{name: _value(value) for name, value in said.items()})


def _value(said: str) -> Any:
    try:
        return json.loads(said)
    except ValueError:
        return said


@cache
def compression_figures() -> tuple[dict[str, Any], ...]:
    """Every published compressed network: words as text, figures as numbers."""
    return tuple(
        row | {name: _float(row[name]) for name in ("baseline_top1_pct", "top1_pct", "size_mb", "ratio")}
        for row in _rows("published_compression.csv")
    )


def _float(text: str) -> float:
    return float(text) if text else NAN


def _rows(name: str) -> list[dict[str, str]]:
    text = files("mbsweep.accuracy").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def latency_rows(variants: Sequence[Variant]) -> list[dict[str, str | int | float]]:
    """Published latencies of exactly these networks at fp32: rows for the report's table.

    One per device and variant. The figures are single numbers without a spread.
    """
    space = Space.of(variants)
    figures = [figure for figure in latency_figures() if figure.precision == "fp32"]
    networks = places_of([figure.variant for figure in figures], space)
    found = [(place, figure) for figure in figures for place in networks[figure.variant].tolist()]
    return [
        {
            "variant": space.variant(place).id,
            "latency_ms": figure.latency_ms,
            "latency_kind": "published",
            "backend": f"{figure.runtime}, {figure.processor}",
            "precision": figure.precision,
            "mode": "forward",
            "threads": figure.threads,
            "batch": 1,
            "device": f"{figure.device} ({figure.source})",
            "device_id": figure.device.lower().replace(" ", "-"),
        }
        for place, figure in sorted(found, key=lambda one: one[0])
    ]
