"""What the columns of the table mean: label, unit, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mbsweep.space.families import FAMILIES


@dataclass(frozen=True)
class Column:
    """What a column of the table means."""

    label: str
    unit: str = ""
    better: str = ""  # "lower", "higher", or neither


def stage_column(name: str, stage: int) -> str:
    """The column of a field at a stage, from 1: `kernels_1`."""
    return f"{name}_{stage}"


# Fields of networks, of all families; one with a value for each stage as a list, and each stage by itself.
KNOWN_FIELDS = {name: field for family in FAMILIES.values() for name, field in family.fields.items()}
_STAGES = {
    name: max(family.fields[name].stages for family in FAMILIES.values() if name in family.fields)
    for name in KNOWN_FIELDS
}
_BEFORE = ("block", "width", "resolution", "depth")
FIELDS: dict[str, Column] = {
    name: Column(KNOWN_FIELDS[name].label, "" if _STAGES[name] else KNOWN_FIELDS[name].unit)
    for name in (*_BEFORE, *(name for name in KNOWN_FIELDS if name not in _BEFORE))
}
OF_STAGES: dict[str, Column] = {
    stage_column(name, stage): Column(f"{KNOWN_FIELDS[name].label}, stage {stage}", KNOWN_FIELDS[name].unit)
    for name, stages in _STAGES.items()
    for stage in range(1, stages + 1)
}

# What only networks of the user's own have: their arguments as JSON, and what is to be known of their counts.
OF_CODE = ("arguments", "counts_note")

# A table has those fields that its networks have, and of stages those that differ.
COLUMNS: dict[str, Column] = {
    "run": Column("Run"),
    "variant": Column("Variant"),
    "family": Column("Family"),
    "arguments": Column("Arguments"),
    **FIELDS,
    **OF_STAGES,
    "params": Column("Parameters", "", "lower"),
    "macs": Column("Mult-adds", "", "lower"),
    "weight_bytes": Column("Weights at fp32", "bytes", "lower"),
    "peak_activation_bytes": Column("Peak activations at fp32", "bytes", "lower"),
    "weight_bytes_int8": Column("Weights at int8", "bytes", "lower"),
    "peak_activation_bytes_int8": Column("Peak activations at int8", "bytes", "lower"),
    "counts_note": Column("About the counts"),
    "latency_ms": Column("Latency", "ms", "lower"),
    "latency_low_ms": Column("Latency, 95 % from", "ms", "lower"),
    "latency_high_ms": Column("Latency, 95 % to", "ms", "lower"),
    "latency_p50_ms": Column("Latency p50", "ms", "lower"),
    "latency_p50_low_ms": Column("Latency p50, 95 % from", "ms", "lower"),
    "latency_p50_high_ms": Column("Latency p50, 95 % to", "ms", "lower"),
    "latency_p90_ms": Column("Latency p90", "ms", "lower"),
    "latency_p90_low_ms": Column("Latency p90, 95 % from", "ms", "lower"),
    "latency_p90_high_ms": Column("Latency p90, 95 % to", "ms", "lower"),
    "latency_mean_ms": Column("Latency mean", "ms", "lower"),
    "latency_sd_ms": Column("Latency sd", "ms", "lower"),
    "latency_iqr_pct": Column("Interquartile range of the calls", "% of p50", "lower"),
    "latency_samples": Column("Timed calls"),
    "latency_visits": Column("Visits"),
    "latency_kind": Column("Latency kind"),
    "latency_note": Column("About the latency"),
    "file_bytes": Column("File that the runtime loads", "bytes", "lower"),
    "config": Column("Latency configuration"),
    "backend": Column("Backend"),
    "precision": Column("Precision"),
    "mode": Column("Mode"),
    "threads": Column("Threads"),
    "batch": Column("Batch", "images"),
    "memory_format": Column("Memory format"),
    "device": Column("Device"),
    "device_id": Column("Device id"),
    "top1_pct": Column("Top-1 accuracy", "%", "higher"),
    "top5_pct": Column("Top-5 accuracy", "%", "higher"),
    "top1_low_pct": Column("Top-1 accuracy, 95 % from", "%", "higher"),
    "top1_high_pct": Column("Top-1 accuracy, 95 % to", "%", "higher"),
    "top1_sd_pct": Column("Top-1 accuracy, sd over the seeds", "%", "lower"),
    "top1_drop_pct": Column("Drop of top-1 against the network as trained", "points", "lower"),
    "top1_drop_low_pct": Column("Drop of top-1, 95 % from", "points", "lower"),
    "top1_drop_high_pct": Column("Drop of top-1, 95 % to", "points", "lower"),
    "top1_seeds": Column("Seeds"),
    "top1_epochs": Column("Epochs trained"),
    "top1_kind": Column("Accuracy kind"),
    "top1_source": Column("Accuracy source"),
    "dataset": Column("Data set"),
    "top1_note": Column("About the accuracy"),
    "top1_reason": Column("Why accuracy is unknown"),
    "on_front": Column("On the Pareto front"),
    "front_pct": Column("Probability of being on the front", "%"),
    "error": Column("Error"),
}

# Columns that hold words or yes and no. The others hold numbers, and any of them can be an axis of a figure.
_WORDS = {"run", "variant", "family", *OF_CODE, "on_front", "error"}
_WORDS |= {
    name for name, field in KNOWN_FIELDS.items() if field.stages or isinstance(field.default, str | bool)
}
_WORDS |= {"latency_kind", "latency_note", "config", "backend", "precision", "mode", "memory_format"}
_WORDS |= {"device", "device_id", "top1_kind", "top1_source", "top1_reason"}
_WORDS |= {"top1_seeds", "dataset", "top1_note"}
# Fields of whole numbers.
WHOLE = [
    name
    for name in (*FIELDS, *OF_STAGES)
    if type(KNOWN_FIELDS.get(name, KNOWN_FIELDS["depth"]).default) is int
]
NUMBERS = [name for name in COLUMNS if name not in _WORDS]

# What may differ between two latency configurations of one variant.
PER_CONFIGURATION = list(COLUMNS)[list(COLUMNS).index("latency_ms") : list(COLUMNS).index("top1_pct")]

# Rows with the same values here lie on one pair of axes: only among them is a front drawn.
COMPARABLE = [
    "run",
    "config",
    "backend",
    "precision",
    "threads",
    "batch",
    "device",
    "device_id",
    "latency_kind",
    "top1_kind",
    "top1_source",
    "dataset",
]

# What makes two accuracies comparable: points of two sources, or of two data sets, are never on one front.
SOURCE = COMPARABLE[COMPARABLE.index("top1_kind") :]

# What makes two latencies comparable: the panel they share.
PANEL = COMPARABLE[: COMPARABLE.index("top1_kind")]
# A number -> the ends of its 95 % interval, which figures draw as a bar.
INTERVALS = {
    "latency_ms": ("latency_low_ms", "latency_high_ms"),
    "top1_pct": ("top1_low_pct", "top1_high_pct"),
    "top1_drop_pct": ("top1_drop_low_pct", "top1_drop_high_pct"),
}
# What the layer shapes alone decide: the same in every latency configuration.
EXACT = (
    *("params", "macs", "weight_bytes", "peak_activation_bytes"),
    *("weight_bytes_int8", "peak_activation_bytes_int8"),
)

# What code asks of a row, and its words tell people: in a table behind the others, but in no file of it.
# runs_on: where that is not any core of the CPU; top1_note is what is said of all, and of this one alone.
INNER = ("runs_on", "is_budget_spent", "top1_marks", "top1_shared_note", "top1_own_note")


def in_order(names: Iterable[str]) -> list[str]:
    """The columns of a table: all but those that none of its networks has."""
    given = set(names)
    known = [name for name in COLUMNS if name in given or name not in {*FIELDS, *OF_STAGES, *OF_CODE}]
    return [*known, *INNER]
