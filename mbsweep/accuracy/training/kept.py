"""The trained networks that a run has kept: whose weights lie in which file, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from mbsweep.accuracy.datasets import Part
from mbsweep.accuracy.training.checkpoint import Checkpoint, open_checkpoint
from mbsweep.accuracy.training.extracting import extract
from mbsweep.accuracy.training.files import weights_name
from mbsweep.accuracy.training.learning import best_validation
from mbsweep.accuracy.training.loop import trained_network
from mbsweep.accuracy.training.supernets import file_name
from mbsweep.base.errors import MbsweepError
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store
from mbsweep.storage.training_tables import TrainingRow


@dataclass(frozen=True)
class Kept:
    """A network that came to the end of its training.

    file: its weights; a supernet's, where its accuracy is that of one. validation_top1_pct: of the epoch that
    was kept; None of a supernet's network, which was not tested on the validation part.
    """

    kind: str  # "trained" or "supernet"
    source: str  # the name of its accuracies
    dataset: str
    row: TrainingRow
    validation_top1_pct: float | None
    file: Path

    def check_there(self) -> None:
        """MbsweepError where its file is not there any more."""
        if not self.file.is_file():
            raise MbsweepError(
                f"{self.file}: the weights are not there any more; restore the file from a copy, or choose "
                "another --seed"
            )

    def state(self) -> Checkpoint:
        """What its file holds. MbsweepError where that is not there, or cannot be read."""
        self.check_there()
        return open_checkpoint(self.file)

    def network(self, state: Checkpoint, variant: Variant, train: Part | None) -> nn.Module:
        """The network of `state`, for use. train: images from which a supernet's has its statistics."""
        if train is None:
            return trained_network(state)
        return extract(state, variant, train).eval()


def kept_networks(store: Store, variant: str, sources: Sequence[str]) -> list[Kept]:
    """Those of a variant in the first of some sources that has any, by seed."""
    for source in sources:
        rows = [row for row in store.trainings(source) if row.variant == variant and row.state == "done"]
        names, accuracies = store.rows("accuracies")
        told = [dict(zip(names, one, strict=True)) for one in accuracies]
        about = [
            (one["kind"], one["dataset"], one["seeds"].split(", "))
            for one in told
            if (one["variant"], one["source"], one["precision"]) == (variant, source, "fp32")
        ]
        if not rows or not about:  # a run that was killed may have entered the one without the other
            continue
        ((kind, dataset, seeds),) = about
        if kind == "trained":  # not of seeds that the sweep no longer has
            rows = [row for row in rows if str(row.seed) in seeds]
        best = best_validation(store, source) if kind == "trained" else {}
        return [
            Kept(
                kind,
                source,
                dataset,
                row,
                best.get(row.key[:2]),
                _file(store.folder, kind, source, dataset, row),
            )
            for row in rows
        ]
    return []


def _file(run: Path, kind: str, source: str, dataset: str, row: TrainingRow) -> Path:
    """Where its weights are, or would be: see `weights_folder`, whose last word the source's name has."""
    weights = run / "weights"
    folders = sorted(weights.glob(f"{dataset}_*"))
    if kind == "supernet":
        name = file_name(source)
        found = [folder for folder in folders if (folder / name).exists()]
    else:
        name = weights_name(row.variant, row.seed)
        found = [folder for folder in folders if f"(recipe {folder.name.rpartition('_')[2]})" in source]
    return (found[0] if found else weights / dataset) / name
