"""One latency configuration: prepare its networks, visit them in rounds until their intervals are narrow."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mbsweep.cache import cache_dir
from mbsweep.drift import Drift, Key, calibrate
from mbsweep.errors import MbsweepError
from mbsweep.profiler.ahead import Ahead
from mbsweep.profiler.backends import BACKENDS, keeps_files
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.device import device_id, this_device, versions
from mbsweep.profiler.subject import Subject
from mbsweep.space.latency import LatencyConfig
from mbsweep.space.variant import Variant
from mbsweep.store import SKIPPED, Store
from mbsweep.summary import MIN_VISITS, fastest_ms, headline_interval, noisy_words, summarize
from mbsweep.training_pace import Standing

# Their names are no variants' ids, so that the same networks may be among the variants, too.
YARDSTICKS = {
    f"yardstick {width:g}": replace(
        Subject.of(Variant(width=width, resolution=160)), name=f"yardstick {width:g}", is_yardstick=True
    )
    for width in (0.25, 0.5, 0.75, 1.0)
}
SLOW_S = 1  # of preparing a network: from here on a second process is worth its start
CHECK_EVERY = 5  # rounds between two looks at the intervals


class Progress(Protocol):
    """What a run tells while it goes on."""

    def say(self, message: str) -> None:
        """One line for the user."""

    def begin(self, task: str, total: int) -> None:
        """A part of the run with so many steps begins."""

    def advance(self, done: str, steps: int = 1) -> None:
        """So many more steps are done."""

    def reach(self, standing: Standing) -> None:
        """So far the part is now, where its steps differ in what they cost."""


def begin(store: Store, config: LatencyConfig, bench: Bench, progress: Progress) -> tuple[int, str] | None:
    """A session, and the device's id; None, with a word, where this machine cannot run the configuration.

    Raises MbsweepError where the run was measured on another GPU.
    """
    if bench.unavailable:
        store.add_failure("", config.id, SKIPPED + bench.unavailable)
        progress.say(f"{config.id}: {SKIPPED}{bench.unavailable}")
        return None
    store.forget_skip(config.id)
    device, found = device_of(config, bench)
    for then in store.sessions():
        if (other := then["device"].get("gpu", device.get("gpu"))) != device.get("gpu", other):
            raise MbsweepError(
                f"{store.folder} was measured with gpu {other!r}, and here it is {device['gpu']!r}; "
                "choose another --out, so that the two do not mix"
            )
    return store.begin_session(device, found), device["id"]


def device_of(config: LatencyConfig, bench: Bench) -> tuple[dict[str, Any], dict[str, str]]:
    """The device that a configuration is measured on, its id included, and the versions."""
    device, found = this_device().as_dict() | bench.hardware, versions()
    if gpu := device.get("gpu"):
        device["description"] = f"{gpu} in {device['description']}"
    runtime = found[BACKENDS[config.backend].packages[0]]
    return device | {"id": device_id(device, config.backend, runtime)}, found


class Measurement:
    """The state of one configuration in one run while it is measured."""

    def __init__(
        self, store: Store, config: LatencyConfig, subjects: Sequence[Subject], progress: Progress
    ) -> None:
        self._store, self._config, self._progress = store, config, progress
        failed = {variant for variant, failed_in in store.failures() if failed_in in ("", config.id)}
        self._sizes = {subject.name: subject.size for subject in subjects}
        self._subjects = {subject.name: subject for subject in subjects if subject.name not in failed}
        self._visits: dict[
            str, dict[int, tuple[int, NDArray[np.int64]]]
        ] = {}  # name -> round -> session, samples
        for row in store.visits(config.id):
            samples = np.frombuffer(row.samples, dtype="<i8")
            self._visits.setdefault(row.variant, {})[row.round] = (row.session, samples)
        self._yardsticks: dict[str, dict[Key, float]] = {name: {} for name in YARDSTICKS}
        for config_id, name, number, session, blob in store.yardsticks():
            if config_id == config.id:
                self._yardsticks[name][session, number] = min(np.frombuffer(blob, dtype="<i8"))
        self._reference_ns: dict[str, float] = {}
        self._session = 0

    def pending(self) -> list[str]:
        """The networks that need more visits."""
        drift = self._drift()
        return [
            name
            for name in self._subjects
            if len(self._done(name)) < self._config.rounds and not self._is_settled(name, drift)
        ]

    def run(self, bench: Bench, session: int, device: str) -> None:
        """Measure what is pending on a device. Every visit is on the disk before the next begins."""
        self._session = session
        names = self.pending()
        self._prepare_all(bench, names)
        self._visit_in_rounds(bench, [name for name in names if bench.is_ready(name)])
        self._calibrate(device)
        self._summarize()

    def _prepare_all(self, bench: Bench, names: list[str]) -> None:
        """Prepare the yardsticks and some networks; with a second process where each takes long."""
        self._progress.begin(f"{self._config.id}: prepare", len(names))
        first, second, *others = YARDSTICKS.values()
        bench.prepare([first], lambda subject, file_bytes: None)  # which also loads the runtime
        start = time.monotonic()
        bench.prepare([second], lambda subject, file_bytes: None)
        is_slow = keeps_files(self._config) and time.monotonic() - start > SLOW_S
        with Ahead(self._config, [self._subjects[name] for name in names]) if is_slow else nullcontext():
            bench.prepare(others, lambda subject, file_bytes: None)
            self._store.set_calibration(self._config.id, self._calibration())
            for name in names:
                bench.prepare([self._subjects[name]], self._prepared)
                self._progress.advance(name)

    def _calibration(self) -> list[tuple[str, int, int, float | None]]:
        return [(name, *subject.size, self._reference_ns.get(name)) for name, subject in YARDSTICKS.items()]

    def _calibrate(self, device: str) -> None:
        """Bring this run's headlines to the device's reference speed."""
        path = cache_dir() / "yardsticks" / device / f"{self._config.id}.json"
        drift = self._drift()
        found = calibrate(path, drift.calm_ns, len(drift.overall) >= MIN_VISITS)
        self._reference_ns = found.reference_ns
        self._store.set_calibration(self._config.id, self._calibration())
        self._store.set_remark(self._config.id, "speed", found.remark)
        if words := "; ".join(filter(None, [found.remark, found.advice])):
            self._progress.say(f"{self._config.id}: {words}")

    def _drift(self) -> Drift:
        sizes = {name: subject.size for name, subject in YARDSTICKS.items()}
        return Drift(self._yardsticks, sizes, self._reference_ns)

    def _prepared(self, subject: Subject, file_bytes: int) -> None:
        if subject.variant is not None:
            self._store.set_checked(subject.name)
        self._store.set_file_bytes(self._config.id, subject.name, file_bytes)

    def _visit_in_rounds(self, bench: Bench, active: list[str]) -> None:
        self._progress.begin(f"{self._config.id}: measure", len(active) * self._config.rounds)
        for name in active:
            self._progress.advance(name, len(self._done(name)))
        for number in range(self._config.rounds):
            due = [name for name in active if number not in self._done(name)]
            if not due:
                continue
            if number >= MIN_VISITS and number % CHECK_EVERY == 0:
                # The yardsticks first: drift is smoothed over neighbours, and only with these is it final
                # for the visits until now. What is settled here is so whenever it is looked at again.
                for name in YARDSTICKS:
                    self._visit(bench, name, number)
                active = self._without_settled(active, number)
                order = [name for name in active if number not in self._done(name)]
            else:
                order = [*YARDSTICKS, *due]
            random.Random(f"{self._config.id}/{number}").shuffle(order)  # noqa: S311  (needs no secrecy)
            for name in order:
                if not self._visit(bench, name, number) and name in active:
                    active.remove(name)
                if name not in YARDSTICKS:
                    self._progress.advance(name)

    def _visit(self, bench: Bench, name: str, number: int) -> bool:
        samples = bench.visit(name)
        if samples is not None:
            self._keep(name, number, samples)
        return samples is not None

    def _without_settled(self, active: list[str], number: int) -> list[str]:
        drift = self._drift()
        settled = {name for name in active if self._is_settled(name, drift)}
        for name in settled:
            self._progress.advance(name, self._config.rounds - number)
        return [name for name in active if name not in settled]

    def _keep(self, name: str, number: int, samples_ns: list[int]) -> None:
        samples = np.array(samples_ns, dtype="<i8")
        if name in YARDSTICKS:
            self._store.add_yardstick(self._config.id, name, number, self._session, samples.tobytes())
            self._yardsticks[name][self._session, number] = min(samples_ns)
        else:
            self._store.add_visit(self._config.id, name, number, self._session, samples.tobytes())
            self._visits.setdefault(name, {})[number] = (self._session, samples)

    def _done(self, name: str) -> dict[int, tuple[int, NDArray[np.int64]]]:
        return self._visits.get(name, {})

    def _samples(self, name: str, drift: Drift) -> tuple[list[NDArray[np.int64]], NDArray[np.float64]]:
        """A network's visits, and the machine's drift at each."""
        done = sorted(self._done(name).items())
        keys = [(session, number) for number, (session, _) in done]
        return [samples for _, (_, samples) in done], drift.at(self._sizes[name], keys)

    def _is_settled(self, name: str, drift: Drift) -> bool:
        if len(self._done(name)) < MIN_VISITS:
            return False
        fastest = fastest_ms(*self._samples(name, drift))
        low, high = headline_interval(fastest)
        return (high - low) <= self._config.target_pct / 100 * float(np.median(fastest))

    def _summarize(self) -> None:
        """Keep the statistics of everything measured, and say where the machine was too noisy."""
        drift = self._drift()
        measured = [name for name in self._visits if name in self._sizes]
        rows = [
            (
                name,
                len(self._done(name)),
                summarize(*self._samples(name, drift), drift.error(self._sizes[name])),
            )
            for name in measured
        ]
        self._store.set_summaries(self._config.id, rows)
        if words := noisy_words([found for _, _, found in rows], "networks"):
            self._progress.say(f"{self._config.id}: {words}")
        if drift.remark:
            self._progress.say(f"{self._config.id}: {drift.remark}")

    def failed(self, name: str, reason: str) -> None:
        """Record that a network failed; the others go on."""
        if name in YARDSTICKS:
            remark = f"{name} failed, and drift is told without it: {' '.join(reason.split())}"
            self._store.set_remark(self._config.id, name, remark)
            self._progress.say(f"{self._config.id}: {remark}")
            return
        reason = " ".join(reason.split())[:500]
        reason = reason.encode("utf-8", "backslashreplace").decode()  # a file name in it may be no text
        self._store.add_failure(name, self._config.id, reason)
        self._progress.say(f"{name} failed in {self._config.id}: {reason}")
