"""Design-space exploration of MobileNet networks: count, measure, compare. Importing this loads no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import mbsweep.base.cores  # noqa: F401  (notes the cores before PyTorch binds anything)

if TYPE_CHECKING:
    from mbsweep.base.errors import MbsweepError
    from mbsweep.nets import build
    from mbsweep.pipeline import run
    from mbsweep.space.architecture import Architecture
    from mbsweep.space.counting import Counts, count
    from mbsweep.space.families import architecture
    from mbsweep.space.families.factory import code_allowed
    from mbsweep.space.space import Space
    from mbsweep.space.variant import Variant
    from mbsweep.statistics.pareto import pareto_front
    from mbsweep.sweep.counted import count_space
    from mbsweep.sweep.sweep import Sweep, load_sweep
    from mbsweep.table.results import Run, open_run

# name -> the module that has it; loaded when it is first asked for (PEP 562)
_API = {
    "Architecture": "mbsweep.space.architecture",
    "Counts": "mbsweep.space.counting",
    "MbsweepError": "mbsweep.base.errors",
    "Run": "mbsweep.table.results",
    "Space": "mbsweep.space.space",
    "Sweep": "mbsweep.sweep.sweep",
    "Variant": "mbsweep.space.variant",
    "architecture": "mbsweep.space.families",
    "build": "mbsweep.nets",
    "code_allowed": "mbsweep.space.families.factory",
    "count": "mbsweep.space.counting",
    "count_space": "mbsweep.sweep.counted",
    "load_sweep": "mbsweep.sweep.sweep",
    "open_run": "mbsweep.table.results",
    "pareto_front": "mbsweep.statistics.pareto",
    "run": "mbsweep.pipeline",
}

__all__ = [  # noqa: RUF022  (in the order of the flow)
    "Variant",
    "architecture",
    "Architecture",
    "count",
    "Counts",
    "count_space",
    "Space",
    "build",
    "code_allowed",
    "load_sweep",
    "Sweep",
    "run",
    "open_run",
    "Run",
    "pareto_front",
    "MbsweepError",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # takes as long as all else here: only when asked

        return version("mbsweep")
    if name not in _API:
        raise AttributeError(f"module 'mbsweep' has no attribute {name!r}")
    return getattr(importlib.import_module(_API[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
