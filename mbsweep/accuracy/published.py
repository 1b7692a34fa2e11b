"""The papers' and model zoos' figures (data/*.csv): looked up by exact match, never interpolated."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mbsweep.accuracy.settings import PublishedAccuracy
from mbsweep.accuracy.value import IMAGENET, NAN, Accuracy
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


def published_accuracies(
    variants: Sequence[Variant], config: PublishedAccuracy, precision: str = "fp32"
) -> list[Accuracy]:
    """The accuracy that one table gives for exactly this network at a precision; NaN with a reason else."""
    figures: dict[Variant | None, AccuracyFigure] = {
        figure.variant: figure
        for figure in reversed(accuracy_figures())  # a network that stands in several tables: the first
        if figure.table == config.table and figure.precision == precision and figure.variant
    }
    where = "this network" if precision == "fp32" else f"this network at {precision}"
    reason = f"{config.table} has no figure for {where}"
    unknown = Accuracy(NAN, NAN, "published", config.table, IMAGENET, reason=reason)
    return [_look_up(variant, figures, config.table) or unknown for variant in variants]


def _look_up(variant: Variant, figures: dict[Variant | None, AccuracyFigure], table: str) -> Accuracy | None:
    figure = figures.get(as_published(variant))
    if figure is None:
        return None
    return Accuracy(figure.top1_pct, figure.top5_pct, "published", table, IMAGENET)


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
