"""Where a run keeps the networks that were trained alone."""

from __future__ import annotations

from pathlib import Path

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.settings import Recipe


def weights_folder(run: Path, recipe: Recipe, dataset: Dataset) -> Path:
    """Where a run keeps the networks of a recipe and a data set."""
    return run / "weights" / f"{dataset.id}_{recipe.key}"


def weights_of(run: Path, recipe: Recipe, dataset: Dataset, variant: str, seed: int) -> Path:
    """Where a run keeps a network that was trained alone. recipe: complete. variant: its id."""
    return weights_folder(run, recipe, dataset) / weights_name(variant, seed)


def weights_name(variant: str, seed: int) -> str:
    """What the file of a network that was trained alone is called."""
    return f"{network_name(variant, seed)}.safetensors"


def network_name(variant: str, seed: int) -> str:
    """How the names of all files of a trained network begin."""
    return f"{variant}_seed{seed}"
