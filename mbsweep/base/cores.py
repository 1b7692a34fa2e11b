"""Which cores this process may use, whatever settings of OpenMP a shell has.

PyTorch brings an OpenMP that binds the thread which loads it to one core, where OMP_PROC_BIND or one of its
kin is set. Every thread that a runtime starts from there is kept on that core, too, and who then asks which
cores there are is told of one. `threads` and `cpus` say what runs where; nothing is left to such settings.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
# They bind threads, make them fewer than they were told to be, or say how they wait for one another.
_SETTINGS = (
    *_BINDING,
    "OMP_THREAD_LIMIT",
    "OMP_DYNAMIC",
    "OMP_MAX_ACTIVE_LEVELS",
    "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
    "KMP_BLOCKTIME",
)
_AT_FIRST = os.sched_getaffinity(0)  # `mbsweep` imports this before anything can load PyTorch


def usable_cpus() -> list[int]:
    """Numbers of the cores that this process may run on."""
    is_bound = any(name in os.environ for name in _BINDING)
    return sorted(_AT_FIRST if is_bound else os.sched_getaffinity(0))


def usable_cores() -> int:
    """How many threads of this process can be busy: its cores, or fewer where a quota allows less time.

    A quota of one and a half cores is one: two threads would be held up for a quarter of the time.
    """
    return max(1, int(min(len(usable_cpus()), quota_cores())))


def threads_each(processes: int = 1, cores: int | None = None) -> int:
    """Threads of each of so many processes, where all threads of one share the work of one network.

    cores: those of all of them; None: all that this process may use.

    They wait for each other at every layer, and where another process is on the core of one, all wait. So a
    core is left to what else the machine does.
    """
    return max(1, ((usable_cores() if cores is None else cores) - 1) // processes)


def usable_words() -> str:
    """`this process may use 2 cores`, and why no more where a quota says so."""
    cores, quota = usable_cores(), quota_cores()
    why = f": its control group's quota is {quota:g}" if quota < len(usable_cpus()) else ""
    return f"this process may use {cores} core{'' if cores == 1 else 's'}{why}"


def quota_cores(root: Path = Path("/")) -> float:
    """Cores' worth of time that this process's control groups leave it; infinite where none limits it."""
    found = [math.inf]
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 2 has no controllers here. In a container the group's own folder may be the mount itself.
        names = ("", "unified") if not controllers else (controllers, "cpu")
        for name in names:
            mount = root / "sys/fs/cgroup" / name
            group = mount / path.strip("/")
            found += [_quota(folder) for folder in (group, *group.parents) if folder.is_relative_to(mount)]
    return min(found)


def _quota(folder: Path) -> float:
    """What one group says."""
    both = _text(folder / "cpu.max").split() or [
        _text(folder / "cpu.cfs_quota_us").strip(),
        _text(folder / "cpu.cfs_period_us").strip(),
    ]
    try:
        quota_us, period_us = map(int, both)
        return quota_us / period_us if quota_us > 0 else math.inf
    except (ValueError, ZeroDivisionError):  # "max", or no such file
        return math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def environment() -> dict[str, str]:
    """This process's environment without settings of OpenMP: for a process that this one starts."""
    return {name: value for name, value in os.environ.items() if name not in _SETTINGS}


def forget_settings() -> None:
    """Take them out of this process's environment: a command does so before it loads PyTorch."""
    for name in _SETTINGS:
        os.environ.pop(name, None)


@contextmanager
def unbound() -> Iterator[None]:
    """What is started meanwhile may use all cores that this process was given, though OpenMP has bound it."""
    now = os.sched_getaffinity(0)
    os.sched_setaffinity(0, usable_cpus())
    try:
        yield
    finally:
        os.sched_setaffinity(0, now)
