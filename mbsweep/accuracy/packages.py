"""What training needs that does not come with mbsweep itself."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import NamedTuple

from mbsweep.base.errors import MbsweepError


class Need(NamedTuple):
    """A package that somebody needs."""

    who: str  # begins the message
    module: str
    package: str


FILES = Need("a network's file", "safetensors", "safetensors")
HALVING = Need("a budget with halving", "optuna", "Optuna")


def missing_packages(*needs: Need) -> Iterator[str]:
    """For each package that is needed and not installed, what to do about it."""
    for who, module, package in needs:
        if importlib.util.find_spec(module) is None:
            yield f"{who} needs {package}, which is not installed; run: pip install 'mbsweep[train]'"


def check_package(*needs: Need) -> None:
    """MbsweepError where a package that is needed is not installed."""
    for message in missing_packages(*needs):
        raise MbsweepError(message)
