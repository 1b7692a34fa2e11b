"""What the nodes of a cluster are, and which of them can train. Loads neither Ray nor torch."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbsweep.base.cores import usable_cores
from mbsweep.profiler.device import INSTRUCTIONS

_NEEDED = ("mbsweep", "torch", "numpy", "safetensors")  # packages without which a node cannot train
_ALIKE = ("mbsweep", "torch", "python")  # whose versions decide what a training gives, or whether it can be
SEATS = "seats"  # the folder of a node's cache for what is trained there
# What runs there has the environment of `ray start`.
_NO_CACHE = (
    "has no cache that can be written; "
    "start Ray there anew with MBSWEEP_CACHE set to a folder that can be written"
)


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, or this one."""

    name: str  # its host; its address where two have the same
    processor: str  # in words, with the instructions that numbers may depend on
    cpus: int  # that Ray gives out
    gpus: int
    versions: dict[str, str]  # of Python and the packages that trainings need; without those that it lacks
    why_not: str  # empty: it trains


def looked(is_node: bool = True) -> Callable[[], dict[str, Any]]:
    """What a node calls to tell of itself: processor, versions, and whether its cache can be written, from
    which it removes what seats have left that were killed.

    It is sent as code, because mbsweep may be missing there: so it needs nothing but Python's own library.
    """
    flags, needed, seats = INSTRUCTIONS, _NEEDED, SEATS

    def look() -> dict[str, Any]:
        import importlib.metadata
        import importlib.util
        import platform

        try:
            with open("/proc/cpuinfo", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            lines = []
        told = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model"))]
        said = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
        processor = told[0] if told else platform.processor() or platform.machine()
        if known := [flag for flag in flags if flag in said]:
            processor += f" ({', '.join(known)})"
        found = {"python": platform.python_version()}
        for name in needed:
            if importlib.util.find_spec(name) is not None:
                try:
                    found[name] = importlib.metadata.version(name)
                except importlib.metadata.PackageNotFoundError:
                    found[name] = "unknown"
        has_cache = True
        if is_node and "mbsweep" in found:
            try:
                from mbsweep.base.cache import lasting_cache_dir
                from mbsweep.base.errors import MbsweepError
                from mbsweep.base.files import remove_dead
            except ImportError:  # another version, which is told
                pass
            else:
                try:
                    remove_dead(lasting_cache_dir() / seats)
                except MbsweepError:
                    has_cache = False
        return {"processor": processor, "versions": found, "has_cache": has_cache}

    return look


def this_machine() -> Node:
    """The machine that this runs on."""
    found = looked(is_node=False)()
    return Node(platform.node(), found["processor"], usable_cores(), 0, found["versions"], "")


def versions_here() -> dict[str, str]:
    """Of Python and the packages that trainings need, on this machine."""
    return dict(looked(is_node=False)()["versions"])


def none_left(address: str, nodes: Sequence[Node]) -> str:
    """That no node of a cluster can train, and why."""
    if not nodes:
        return f"the cluster at {address} has no node with a CPU; add one: `ray start --address=HOST:PORT`"
    more = f" (and {len(nodes) - 1} more)" if len(nodes) > 1 else ""
    return f"no node of the cluster at {address} can train: {nodes[0].name} {nodes[0].why_not}{more}"


def why_not(there: Mapping[str, str], here: Mapping[str, str], has_cache: bool = True) -> str:
    """Why a node with these versions cannot train for a run that has those; empty where it can."""
    mbsweep = f"pip install 'mbsweep[train]=={here['mbsweep']}'"
    for name in _NEEDED:
        if name not in there:
            return f"lacks {name}; run there: {mbsweep}"
    for name in _ALIKE:
        # 2.9.1+cu130 trains as 2.9.1+cpu does; of Python, 3.11.7 as 3.11.9.
        one, other = (_public(name, found[name]) for found in (there, here))
        if one != other:
            what = {"mbsweep": mbsweep, "torch": f"pip install torch=={other}"}
            todo = what.get(name, f"use Python {other}")
            return f"has {name} {there[name]}, and this machine {here[name]}; there: {todo}"
    return "" if has_cache else _NO_CACHE


def _public(name: str, version: str) -> str:
    return ".".join(version.split(".")[:2]) if name == "python" else version.partition("+")[0]
