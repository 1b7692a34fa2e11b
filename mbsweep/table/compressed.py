"""Compressed networks as tables: one row per variant and step, one per layer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.accuracy.compression import FAILED_IN
from mbsweep.formats.compressed.layers import LayerSize
from mbsweep.space.counting import BYTES_PER_FP32
from mbsweep.space.families import architecture
from mbsweep.space.variant import Variant
from mbsweep.statistics.drops import drop_noise, paired_drop
from mbsweep.statistics.seeds import Hits, Spread, seed_noise, spread
from mbsweep.storage.compression_tables import CompressedRow, StepRow
from mbsweep.storage.store import Store
from mbsweep.table.columns import FIELDS, OF_STAGES
from mbsweep.table.networks import networks

PENDING = "not compressed yet; run the sweep again to go on"
AS_TRAINED = StepRow("", -1, "trained", "", "as trained")
# Behind those of the network.
COLUMNS = (
    *("step", "scheme", "goes_on_from", "bytes", "fp32_bytes", "ratio"),
    *("top1_pct", "top1_low_pct", "top1_high_pct"),
    *("top1_drop_pct", "top1_drop_low_pct", "top1_drop_high_pct", "top1_seeds", "file", "reason"),
)
LAYER_COLUMNS = (
    *("variant", "seed", "step", "scheme", "layer", "weights", "kept_pct", "shared_values"),
    *("value_bits", "gap_bits", "packed_pct", "coded_value_bits", "coded_gap_bits", "coded_pct"),
)
OTHERS = "batch normalisation and biases"

_Networks = dict[str, dict[int, Any]]  # variant -> seed -> something


def tabulate_compressed(store: Store) -> pd.DataFrame:
    """One row per variant and step that the sweep names, the trained networks themselves first.

    bytes: of the compressed file, the mean over the seeds; of the trained network its parameters, 4 bytes
    each, to which `ratio` compares. The drop against the trained network has a paired 95 % interval. file: of
    the first seed, in the run's folder. reason: why nothing is known.
    """
    steps = [step for step in store.compression_steps() if step.position is not None]
    if not steps:  # nor is a run of a million variants read for it
        return pd.DataFrame(columns=["variant", *COLUMNS])
    source = _source(store)
    variants = networks(store)
    variants = variants[variants["position"].notna()].sort_values("position", kind="stable")
    asked, accuracies = set(variants["variant"]), _accuracies(store, source)
    seeds_of = {variant: row["seeds"].split(", ") for variant, row in accuracies.items() if variant in asked}
    trained: _Networks = {}
    for row in store.trainings(source):  # also of seeds and variants that the sweep no longer has
        if row.state == "done" and str(row.seed) in seeds_of.get(row.variant, ()):
            trained.setdefault(row.variant, {})[row.seed] = row.hits
    words = {"": AS_TRAINED.words} | {step.step: step.words for step in steps}
    done: dict[str, _Networks] = {step.step: {} for step in steps}
    for found in store.compressed(source):
        if found.step in done and found.seed in trained.get(found.variant, {}):
            done[found.step].setdefault(found.variant, {})[found.seed] = found
    of_network = [name for name in ("variant", "family", *FIELDS, *OF_STAGES) if name in variants]
    of_trained = _spreads({variant: list(hits.values()) for variant, hits in trained.items()})
    of_steps = {step: _measured(rows, trained) for step, rows in done.items()}
    reasons = _reasons(store, accuracies)
    records: list[dict[str, Any]] = []
    for network in variants.to_dict("records"):
        variant, fp32_bytes = network["variant"], BYTES_PER_FP32 * network["params"]
        about = {name: network[name] for name in of_network} | {"fp32_bytes": fp32_bytes}
        known = of_trained.get(variant)
        base = {"bytes": fp32_bytes, "ratio": 1.0, **_accuracy(known)} if known else {}
        base |= {"top1_seeds": ", ".join(map(str, trained.get(variant, {})))}
        records.append(
            about | _said(AS_TRAINED) | base | {"reason": None if known else reasons.get(variant, PENDING)}
        )
        for step in steps:
            told = of_steps[step.step].get(variant)
            if told:
                told = told | {"ratio": fp32_bytes / told["bytes"], "reason": None}
            told = {"goes_on_from": words.get(step.before)} | (
                told or {"reason": reasons.get(variant, PENDING)}
            )
            records.append(about | _said(step) | told)
    table = pd.DataFrame(records, columns=[*of_network, *COLUMNS])
    numbers = [name for name in COLUMNS if name.endswith(("_pct", "bytes")) or name == "ratio"]
    return table.astype(dict.fromkeys(numbers, float))


def tabulate_layers(store: Store) -> pd.DataFrame:
    """One row per layer of each compressed network, as in Table 4 of arXiv:1510.00149, and one for the rest.

    kept_pct: the share of its weights that are not zero. Bits are those of a weight that is left: which value
    it has, and where it stands. packed_pct, coded_pct: bytes against fp32, before and after Huffman coding.
    """
    steps = {step.step: step for step in store.compression_steps() if step.position is not None}
    records: list[dict[str, Any]] = []
    done = [row for row in store.compressed(_source(store)) if row.step in steps]
    named = _layer_names(store) if done else {}
    for row in sorted(done, key=lambda row: (row.variant, row.seed, steps[row.step].position)):
        about = {"variant": row.variant, "seed": row.seed} | _said(steps[row.step])
        records += (about | layer for layer in _layers(store, row, named[row.variant]))
    return pd.DataFrame(records, columns=list(LAYER_COLUMNS))


def _layer_names(store: Store) -> dict[str, dict[str, str]]:
    """Variant -> what its layers are called as parts of the module, and else."""
    return {
        row[0]: {
            layer.child: layer.name for layer in architecture(Variant(row[2], **json.loads(row[3]))).layers
        }
        for row in store.variants()
    }


def _layers(store: Store, row: CompressedRow, named: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    others = []
    for size in (LayerSize(*told) for told in store.layers_of(row)):
        name, _, part = size.name.rpartition(".")
        if part == "weight" and name.endswith((".conv", ".linear")):
            yield _layer(named[name.rpartition(".")[0]], [size])
        else:
            others.append(size)
    yield _layer(OTHERS, others)


def _layer(name: str, sizes: Sequence[LayerSize]) -> dict[str, Any]:
    weights, kept = sum(size.weights for size in sizes), sum(size.kept for size in sizes)
    first, fp32_bytes = sizes[0], sum(size.fp32_bytes for size in sizes)
    return {
        "layer": name,
        "weights": weights,
        "kept_pct": 100 * kept / weights,
        "shared_values": first.values,
        "value_bits": first.value_bits,
        "gap_bits": first.gap_bits,
        "packed_pct": 100 * sum(size.packed_bytes for size in sizes) / fp32_bytes,
        "coded_value_bits": first.coded_value_bits,
        "coded_gap_bits": first.coded_gap_bits,
        "coded_pct": 100 * sum(size.coded_bytes for size in sizes) / fp32_bytes,
    }


def _source(store: Store) -> str:
    """The accuracy source whose networks are compressed; none before the first run."""
    last = store.last_sweep()
    return next(iter(last["accuracy_sources"]), "") if last else ""


def _said(step: StepRow) -> dict[str, str]:
    return {"step": step.kind, "scheme": step.words}


def int8_bytes(store: Store) -> dict[tuple[str, str], float]:
    """Variant and backend -> bytes of the int8 file that was tested, the mean over the seeds."""
    found: dict[tuple[str, str], list[int]] = {}
    for row in store.deployed(_source(store)):
        if row.precision == "int8" and row.file_bytes:
            found.setdefault((row.variant, row.backend), []).append(row.file_bytes)
    return {key: float(np.mean(sizes)) for key, sizes in found.items()}


def with_int8(
    compressed: pd.DataFrame, table: pd.DataFrame, file_bytes: Mapping[tuple[str, str], float]
) -> pd.DataFrame:
    """With a row for each network and int8 file of which the run's table knows the accuracy.

    file_bytes: as of `int8_bytes`. That of the table is of the file with random weights that was timed.
    """
    known = table[(table["precision"] == "int8") & table["top1_pct"].notna()]
    known = known.drop_duplicates(["variant", "backend"])
    sizes = [file_bytes.get(key) for key in zip(known["variant"], known["backend"], strict=True)]
    known = known.assign(file_bytes=np.array(sizes, float))
    known = known[known["file_bytes"].notna()]
    if known.empty:
        return compressed
    rows = known.reindex(columns=list(compressed.columns)).assign(
        step="int8",
        scheme=known["backend"] + " int8",
        goes_on_from=AS_TRAINED.words,
        bytes=known["file_bytes"],
        fp32_bytes=known["weight_bytes"].astype(float),
        file=None,
        reason=None,
    )
    found = pd.concat([compressed, rows.assign(ratio=rows["fp32_bytes"] / rows["bytes"])], ignore_index=True)
    place = {variant: place for place, variant in enumerate(compressed["variant"].unique())}
    return found.sort_values("variant", key=lambda names: names.map(place), kind="stable", ignore_index=True)


def _spreads(hits: Mapping[str, Hits]) -> dict[str, Spread]:
    noise = seed_noise(hits)
    return {variant: spread(of_one, noise) for variant, of_one in hits.items()}


def _accuracy(found: Spread) -> dict[str, float]:
    return {"top1_pct": found.mean_pct, "top1_low_pct": found.low_pct, "top1_high_pct": found.high_pct}


def _measured(rows: _Networks, trained: _Networks) -> dict[str, dict[str, Any]]:
    """Variant -> what a step gave."""
    spreads = _spreads({variant: [row.hits for row in of.values()] for variant, of in rows.items()})
    pairs = {
        variant: [(trained[variant][seed], row.hits) for seed, row in of.items()]
        for variant, of in rows.items()
    }
    noise, found = drop_noise(pairs), {}
    for variant, of in rows.items():
        drop = paired_drop(pairs[variant], noise)
        names = ("top1_drop_pct", "top1_drop_low_pct", "top1_drop_high_pct")
        found[variant] = {
            "bytes": float(np.mean([row.file_bytes for row in of.values()])),
            **_accuracy(spreads[variant]),
            **dict(zip(names, drop, strict=True)),
            "top1_seeds": ", ".join(map(str, of)),
            "file": next(iter(of.values())).file,
        }
    return found


def _accuracies(store: Store, source: str) -> dict[str, dict[str, Any]]:
    """Variant -> what the run knows of its accuracy as it was trained."""
    names, rows = store.rows("accuracies")
    accuracies = (dict(zip(names, row, strict=True)) for row in rows)
    return {
        row["variant"]: row for row in accuracies if (row["source"], row["precision"]) == (source, "fp32")
    }


def _reasons(store: Store, accuracies: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Variant -> why it is not compressed: it failed, or has no training that came to its end."""
    found = {variant: row["reason"] for variant, row in accuracies.items() if row["reason"]}
    failed = {variant: why.words for (variant, of), why in store.failures().items() if of == FAILED_IN}
    return found | failed
