"""The papers' and model zoos' figures (data/*.csv): looked up by exact match, never interpolated."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.accuracy.source import Opened, Say, SettingError, Source
from mbsweep.accuracy.value import IMAGENET, NAN, Accuracies, Accuracy
from mbsweep.base.rules import Rule, choice, did_you_mean, text
from mbsweep.space.counting import SpaceCounts
from mbsweep.space.families import architecture
from mbsweep.space.variant import Variant


@dataclass(frozen=True)
class AccuracyFigure:
    """One row of a published table, as printed there. NaN: not given."""

    table: str  # its name in sweep files: "tf-slim-2018-08-02"
    place: str  # where in the source: "Table 6"
    model: str
    variant: Variant | None  # None where mbsweep does not have the family
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
    variant: Variant | None
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
    """Names of the published tables that have accuracies of families known here."""
    return list(dict.fromkeys(figure.table for figure in accuracy_figures() if figure.variant))


def check_table(name: str) -> None:
    """Raises SettingError where no published table has this name."""
    if name not in tables():
        allowed = f"expected one of {', '.join(tables())}{did_you_mean(name, tables())}"
        raise SettingError("table", f"is {name!r}; {allowed}")


class PublishedAccuracy(Source):
    """Figures from one table of the literature."""

    rules: ClassVar[dict[str, Rule]] = {"source": choice(["published"]), "table": text(80)}

    source: Literal["published"]
    table: str

    def check(self) -> None:
        """Raises SettingError where there is no such table."""
        check_table(self.table)

    def open(self, space: SpaceCounts, say: Say, images: ImageSource | None = None) -> Opened:
        """The table comes with mbsweep."""
        return _Table(self.table, space)


class _Table(Opened):
    """One table, to be looked up in."""

    def __init__(self, name: str, space: SpaceCounts) -> None:
        self.name, self._space = name, space

    def known(self, precision: str) -> Accuracies:
        """What the table gives for exactly each network at a precision."""
        where = "this network" if precision == "fp32" else f"this network at {precision}"
        reason = f"{self.name} has no figure for {where}"
        kinds = [Accuracy(NAN, NAN, "published", self.name, IMAGENET, reason=reason)]
        which = np.zeros(len(self._space), np.int64)
        # A network that stands there several times: the first.
        for figure in reversed(accuracy_figures()):
            if figure.table == self.name and figure.precision == precision and figure.variant:
                places = _places(self._space, figure.variant)
                which[places] = len(kinds)
                kinds.append(Accuracy(figure.top1_pct, figure.top5_pct, "published", self.name, IMAGENET))
        return Accuracies.shared(kinds, which)


def _places(space: SpaceCounts, published: Variant) -> NDArray[np.int64]:
    """Where in a space a published network is, under whatever name."""
    alike = space.width == published.width
    alike &= space.resolution == published.resolution
    alike &= space.depth == published.depth
    places = np.flatnonzero(alike)
    is_it = [as_published(space.variant(place)) == published for place in places.tolist()]
    found: NDArray[np.int64] = places[np.array(is_it, dtype=bool)]
    return found


def as_published(variant: Variant) -> Variant | None:
    """The paper's own variant of the same shapes: another divisor may round to the very same network."""
    plain = Variant(variant.family, variant.width, variant.resolution, variant.depth, variant.block)
    if variant == plain or architecture(variant) == architecture(plain):
        return plain
    return None


def _variant(row: dict[str, str]) -> Variant | None:
    if row["family"] != "mobilenet_v1":
        return None
    return Variant(
        width=float(row["width"]),
        resolution=int(row["resolution"]),
        depth=int(row["depth"]),
        block=row.get("block", "separable"),
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
    by_network: dict[Variant | None, list[LatencyFigure]] = {}
    for figure in latency_figures():
        if figure.variant and figure.precision == "fp32":
            by_network.setdefault(figure.variant, []).append(figure)
    return [
        {
            "variant": variant.id,
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
        for variant in variants
        for figure in by_network.get(as_published(variant), [])
    ]
