"""What training needs that does not come with mbsweep itself."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

from mbsweep.accuracy.settings import SupernetAccuracy, TrainedAccuracy
from mbsweep.base.errors import MbsweepError

FILES = "a network's file"
# who needs it -> the module, and what it is called
NEEDS = {
    "the data set digits": ("sklearn", "scikit-learn"),
    "the data set imagefolder": ("PIL", "Pillow"),
    FILES: ("safetensors", "safetensors"),
    "a budget with halving": ("optuna", "Optuna"),
}


def missing_packages(config: Any) -> Iterator[str]:
    """For each package that a sweep's `accuracy` needs and that is not installed, what to do about it."""
    if isinstance(config, TrainedAccuracy | SupernetAccuracy):
        needed = [f"the data set {config.dataset.name}", FILES]
        if isinstance(config, TrainedAccuracy) and config.budget.halving:
            needed.append("a budget with halving")
        for who in needed:
            yield from _missing(who)


def check_package(who: str) -> None:
    """MbsweepError where what somebody needs is not installed."""
    for message in _missing(who):
        raise MbsweepError(message)


def _missing(who: str) -> Iterator[str]:
    module, package = NEEDS.get(who, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        yield f"{who} needs {package}, which is not installed; run: pip install 'mbsweep[train]'"
