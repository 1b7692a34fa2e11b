"""What training needs that does not come with mbsweep itself."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from mbsweep.base.errors import MbsweepError

FILES = "a network's file"
HALVING = "a budget with halving"
# who needs it -> the module, and what it is called
NEEDS = {
    "the data set digits": ("sklearn", "scikit-learn"),
    "the data set imagefolder": ("PIL", "Pillow"),
    FILES: ("safetensors", "safetensors"),
    HALVING: ("optuna", "Optuna"),
}


def missing_packages(*needing: str) -> Iterator[str]:
    """For each package that somebody needs and that is not installed, what to do about it."""
    for who in needing:
        module, package = NEEDS.get(who, ("", ""))
        if module and importlib.util.find_spec(module) is None:
            yield f"{who} needs {package}, which is not installed; run: pip install 'mbsweep[train]'"


def check_package(who: str) -> None:
    """MbsweepError where what somebody needs is not installed."""
    for message in missing_packages(who):
        raise MbsweepError(message)
