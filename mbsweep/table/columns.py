"""What the columns of the table mean: label, unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """What a column of the table means."""

    label: str
    unit: str = ""
    better: str = ""  # "lower", "higher", or neither


COLUMNS: dict[str, Column] = {
    "run": Column("Run"),
    "variant": Column("Variant"),
    "family": Column("Family"),
    "block": Column("Block"),
    "width": Column("Width multiplier"),
    "resolution": Column("Resolution", "px"),
    "depth": Column("Depth", "blocks"),
    "stage_channels": Column("Stage channels at width 1"),
    "num_classes": Column("Classes"),
    "divisor": Column("Channel divisor"),
    "stem_stride": Column("Stride of the first layer"),
    "params": Column("Parameters", "", "lower"),
    "macs": Column("Mult-adds", "", "lower"),
    "weight_bytes": Column("Weights at fp32", "bytes", "lower"),
    "peak_activation_bytes": Column("Peak activations at fp32", "bytes", "lower"),
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
_WORDS = {"run", "variant", "family", "block", "stage_channels", "on_front", "error"}
_WORDS |= {"latency_kind", "latency_note", "config", "backend", "precision", "mode", "memory_format"}
_WORDS |= {"device", "device_id", "top1_kind", "top1_source", "top1_reason"}
_WORDS |= {"top1_seeds", "dataset", "top1_note"}
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
}
# What the layer shapes alone decide: the same in every latency configuration.
EXACT = ("params", "macs", "weight_bytes", "peak_activation_bytes")
