"""The trained network that `export RUN VARIANT` means, and what its card tells of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast

import pandas as pd

from mbsweep.accuracy.deploying.runtimes import Runtime, made_with
from mbsweep.accuracy.settings import Quantization, Recipe
from mbsweep.accuracy.training.checkpoint import Checkpoint
from mbsweep.accuracy.training.kept import Kept, kept_networks
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.base.suggest import command
from mbsweep.formats import card
from mbsweep.space.variant import Variant
from mbsweep.storage.compression_tables import CompressedRow
from mbsweep.storage.deployed_tables import DeployedRow
from mbsweep.storage.store import Store
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.names import Names
from mbsweep.table.results import Run

BEST = "best"
# Columns of the table that tell a latency and where it was found.
_LATENCY = (
    *("config", "latency_ms", "latency_low_ms", "latency_high_ms", "latency_p50_ms", "latency_p90_ms"),
    *("latency_kind", "backend", "precision", "threads", "batch", "device"),
)


@dataclass(frozen=True)
class RunNetworks:
    """A run, read to hand its networks over."""

    run: Run
    table: pd.DataFrame

    @classmethod
    def of(cls, run: Run) -> RunNetworks:
        """All that it knows."""
        return cls(run, run.table())

    def variant(self, name: str) -> str:
        """The id of the network that is called so: by its id, or its short name. MbsweepError for another."""
        names = Names(self.table)(self.table)
        if name in names:
            return name
        found = [id_ for id_, short in names.items() if short == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise MbsweepError(
                f"{shown(name)} is the short name of {' and '.join(found[:3])}; say which by its id"
            )
        known = [*names.values(), *names] if len(names) <= _MOST_COMPARED else []
        raise MbsweepError(
            f"{self.run.path} has no network {shown(name)}; `{command('table', self.run.path)}` lists those "
            f"that it has{did_you_mean(name, known)}"
        )

    def kept(self, id_: str, seed: str) -> Kept:
        """The training of a network that is meant: of a seed, or the best by its validation accuracy.

        Raises MbsweepError where it was not trained, or not with that seed.
        """
        with Store.read(self.run.path) as store:
            last = store.last_sweep()
            found = kept_networks(store, id_, last["accuracy_sources"] if last else [])
        if not found:
            raise MbsweepError(f"{self.run.path}: {id_} has no trained weights: {self._why_none(id_)}")
        if seed == BEST:
            return max(found, key=lambda one: (one.validation_top1_pct or 0, -one.row.seed))
        of = {str(one.row.seed): one for one in found}
        if seed not in of:
            raise MbsweepError(
                f"--seed is {shown(seed)}; {id_} was trained with {', '.join(of)}; say one of them, or best"
            )
        return of[seed]

    def _why_none(self, id_: str) -> str:
        rows = self.table[self.table["variant"] == id_]
        row = rows.iloc[0]
        how = "a sweep with `accuracy: {source: trained}` trains"
        random = "for latency alone, export it with random weights"
        if row["top1_kind"] in ("trained", "supernet"):
            return f"{row['top1_reason']}" if isinstance(row["top1_reason"], str) else "run the sweep again"
        if isinstance(row["top1_kind"], str):
            return f"its accuracy is {row['top1_kind']}; {how}; {random}"
        return f"none of its sweep's networks is; {how}; {random}"

    def fields(self, id_: str) -> Variant:
        """The network of an id."""
        with Store.read(self.run.path) as store:
            row = next(row for row in store.variants() if row[0] == id_)
        return Variant(row[2], **json.loads(row[3]))

    def card(self, id_: str, kept: Kept, state: Checkpoint, variant: Variant) -> dict[str, Any]:
        """What a card tells of the network, whatever its file."""
        row = self.table[self.table["variant"] == id_].iloc[0]
        recipe = Recipe.model_validate(state.about["recipe"]) if "recipe" in state.about else None
        about = state.about
        return {
            "mbsweep": version("mbsweep"),
            "format": card.FORMAT,
            "network": {**variant.as_dict(), "id": id_, **{size: _whole(row[size]) for size in _SIZES}},
            "classes": list(about["classes"]),
            "mean": about["mean"],
            "std": about["std"],
            "reading": state.origin.reading,
            "dataset": {"id": kept.dataset, "settings": state.origin.settings},
            "training": {
                "kind": kept.kind,
                "source": kept.source,
                "run": self.run.name,
                "seed": kept.row.seed,
                "epochs": kept.row.epochs,
                "validation_top1_pct": kept.validation_top1_pct,
                "recipe": recipe.settings if recipe else None,
                "note": row["top1_note"] if isinstance(row["top1_note"], str) else None,
            },
            "latencies": self._latencies(id_),
        }

    def tested(self, kept: Kept, runtime: Runtime) -> DeployedRow | None:
        """What is known of a network in a runtime; None where it was not tested there as its sweep says."""
        with Store.read(self.run.path) as store:
            rows = store.deployed(kept.source)
        asked = (kept.row.variant, kept.row.seed, runtime, made_with(runtime, self.quantization))
        return next((row for row in rows if (row.variant, row.seed, row.runtime, row.made) == asked), None)

    def compressed(self, kept: Kept, scheme: str) -> CompressedRow:
        """A network after a step of compression, as tables call that. MbsweepError where there is none."""
        with Store.read(self.run.path) as store:
            words = {step.step: step.words for step in store.compression_steps()}
            rows = store.compressed(kept.source)
        key = (kept.row.variant, kept.row.seed)
        found = {words.get(row.step, row.step): row for row in rows if (row.variant, row.seed) == key}
        if scheme in found:
            return found[scheme]
        has = " or ".join(map(shown, found)) or "nothing: its sweep needs a `compress`"
        whose = f"{self.run.path}: seed {kept.row.seed} of {kept.row.variant}"
        raise MbsweepError(f"--scheme is {shown(scheme)}; {whose} has {has}{did_you_mean(scheme, found)}")

    def content(self, file: str, file_bytes: int | None) -> bytes:
        """A file that the run has tested; empty where it does not keep it, or it is not whole."""
        path = self.run.path / file
        if not file or not path.resolve().is_relative_to(self.run.path.resolve()):
            return b""
        try:
            content = path.read_bytes()
        except OSError:
            return b""
        return content if len(content) == file_bytes else b""

    @property
    def quantization(self) -> Quantization:
        """How the run's sweep has int8 files calibrated; as usual where it does not say."""
        try:
            accuracy = parse_sweep(self.run.about()["text"], self.run.name).accuracy
        except MbsweepError:  # of another mbsweep
            accuracy = None
        found = getattr(accuracy, "quantization", None)
        return found if isinstance(found, Quantization) else Quantization()

    def _latencies(self, id_: str) -> list[dict[str, Any]]:
        rows = self.table[(self.table["variant"] == id_) & self.table["latency_ms"].notna()]
        records = cast("list[dict[str, Any]]", rows[list(_LATENCY)].to_dict("records"))
        return [{name: _known(value) for name, value in record.items()} for record in records]


_SIZES = ("params", "macs")
_MOST_COMPARED = 10_000  # names to which one that is unknown is compared


def _whole(number: Any) -> int | None:
    return None if pd.isna(number) else int(number)


def _known(value: Any) -> Any:
    return None if pd.isna(value) else value


def named(words: Sequence[str]) -> str:
    """A network as the command line has it behind a run; a short name may be several words."""
    return " ".join(words)


def in_words(told: Mapping[str, Any]) -> str:
    """`top-1 90.10 % (95 % interval 88.10 to 91.80) on the 1,000 images of the test part of digits-1234`."""
    of = told["accuracy"]
    low, high, count = of["top1_low_pct"], of["top1_high_pct"], of["images"]
    return (
        f"top-1 {of['top1_pct']:.2f} % (95 % interval {low:.2f} to {high:.2f}) on the {count:,} images of "
        f"the {of['part']} part of {told['dataset']['id']}{_drop_words(of)}"
    )


def _drop_words(accuracy: Mapping[str, Any]) -> str:
    """`, 0.40 points less than as trained (-0.20 to 1.00)`; nothing of a file that gives the same."""
    if not accuracy["drop_pct"]:
        return ""
    drop, low, high = (accuracy[name] for name in ("drop_pct", "drop_low_pct", "drop_high_pct"))
    return (
        f", {abs(drop):.2f} points {'less' if drop > 0 else 'more'} than as trained ({low:.2f} to {high:.2f})"
    )
