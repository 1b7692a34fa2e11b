"""Successive halving over epochs: which trainings are not worth their next epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbsweep.accuracy.settings import Halving
from mbsweep.storage.training_tables import EpochRow


class Rungs:
    """Asynchronous successive halving (Li et al., arXiv:1810.05934), by Optuna's pruner.

    A small network is always less accurate than a large one, and yet the best of its size. So a training is
    not judged by its validation accuracy but by its lead: how far it is above the best network that costs no
    more and was trained for as many epochs.
    """

    def __init__(self, halving: Halving, macs: Mapping[str, int]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = optuna.pruners.SuccessiveHalvingPruner(
            min_resource=halving.min_epochs, reduction_factor=halving.factor
        )
        self._study = optuna.create_study(direction="maximize", pruner=pruner)
        self._trials: dict[tuple[str, int, int], Any] = {}
        self._macs = macs
        self._reached: dict[int, dict[str, float]] = {}  # epoch -> variant -> validation accuracy

    def is_weak(self, row: EpochRow) -> bool:
        """Note an epoch, and say whether its training should end with it."""
        trial = self._trials.setdefault((row.variant, row.seed, row.attempt), None) or self._study.ask()
        self._trials[row.variant, row.seed, row.attempt] = trial
        reached = self._reached.setdefault(row.epoch, {})
        cheaper = [
            value
            for variant, value in reached.items()
            if variant != row.variant and self._macs[variant] <= self._macs[row.variant]
        ]
        reached[row.variant] = max(row.validation_top1_pct, reached.get(row.variant, 0.0))
        trial.report(row.validation_top1_pct - max(cheaper, default=0.0), step=row.epoch)
        return bool(trial.should_prune())
