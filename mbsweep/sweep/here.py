"""What this mbsweep and this machine lack for a sweep or a run. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mbsweep.base.cache import cache_dir
from mbsweep.base.cores import usable_cores, usable_cpus, usable_words
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import did_you_mean
from mbsweep.profiler.backends import BACKENDS, check_installed, lacking
from mbsweep.profiler.device import this_device, versions
from mbsweep.storage.store import Store
from mbsweep.sweep.sweep import Sweep


def check(sweep: Sweep) -> None:
    """MbsweepError where the sweep asks for what this mbsweep does not have."""
    for place, config in enumerate(sweep.latency):
        _check_name(sweep, ("latency", place, "backend"), config.backend, BACKENDS)
        for name, given, has in lacking(config):
            what = f"is {given!r}; {config.backend} has {' and '.join(has)}"
            raise sweep.problem(("latency", place, name), what + did_you_mean(given, has))
    if sweep.accuracy:
        with sweep.blamed():
            sweep.accuracy.check()


def _check_name(sweep: Sweep, keys: tuple[str | int, ...], given: str, allowed: Iterable[str]) -> None:
    names = list(allowed)
    if given not in names:
        raise sweep.problem(
            keys, f"is {given!r}; expected one of {', '.join(names)}{did_you_mean(given, names)}"
        )


def check_machine(sweep: Sweep) -> None:
    """MbsweepError where this machine or what is installed on it cannot do what the sweep asks for."""
    for _, lack in machine_lacks(sweep):
        raise lack
    if sweep.latency:
        cache_dir()  # which tells where it cannot be had
    for message in sweep.accuracy.missing() if sweep.accuracy else ():
        raise MbsweepError(message)


def machine_lacks(sweep: Sweep) -> Iterator[tuple[int, MbsweepError]]:
    """What this machine lacks for the latencies of a sweep, each with its configuration's place.

    `run` refuses it; `plan`, which may be made for another machine, tells it.
    """
    usable = usable_cpus()
    for place, config in enumerate(sweep.latency):
        if missing := sorted(set(config.cpus) - set(usable)):
            told = f"names core {missing[0]}; this process may use {usable}"
            yield place, sweep.problem(("latency", place, "cpus"), told)
        cores = len(config.cpus or usable)
        if config.threads > min(cores, usable_cores()):
            few = f"`cpus` names {cores}" if config.cpus and config.threads > cores else usable_words()
            told = f"is {config.threads}; {few}"
            yield place, sweep.problem(("latency", place, "threads"), told)
        try:
            check_installed(config.backend)
        except MbsweepError as error:
            yield place, error


def check_same_device(store: Store, sweep: Sweep, folder: Path) -> None:
    """MbsweepError where a run was measured elsewhere: samples of one variant mix no machines or runtimes.

    Trainings may be of several machines, as a cluster has them; the run tells which.
    """
    sessions = [session for session in store.sessions() if session["is_timed"]]
    if not sessions:
        return
    then = sessions[-1]
    names = ("processor", "cores", "machine")
    runtimes = {BACKENDS[config.backend].packages[0] for config in sweep.latency}
    now: dict[str, dict[str, Any]] = {"device": this_device().as_dict(), "versions": dict(versions())}
    for part, compared in (("device", names), ("versions", sorted(runtimes & set(then["versions"])))):
        for name in compared:
            if then[part].get(name) != now[part].get(name):
                raise MbsweepError(
                    f"{folder} was measured with {name} {then[part].get(name)!r}, and here it is "
                    f"{now[part].get(name)!r}; choose another --out, so that the two do not mix"
                )
