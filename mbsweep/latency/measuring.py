"""One latency configuration: prepare its networks, visit them in rounds until their intervals are narrow."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.base.cache import cache_dir
from mbsweep.base.child import AnswerError
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.progress import Progress
from mbsweep.base.quiet import quiet
from mbsweep.formats.quantization import INT8
from mbsweep.latency.yardsticks import choose, is_yardstick, yardstick
from mbsweep.profiler.ahead import Ahead
from mbsweep.profiler.backends import BACKENDS, keeps_files
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import device_id, this_device, versions
from mbsweep.profiler.int8_probe import remark
from mbsweep.profiler.subject import Subject
from mbsweep.statistics.drift import Drift, Key, calibrate, calibrated
from mbsweep.statistics.summary import (
    MIN_VISITS,
    fastest_ms,
    is_noisy,
    narrow_words,
    noisy_words,
    summarize,
    width_pct,
)
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store

SLOW_S = 1  # of preparing a network: from here on a second process is worth its start
CHECK_EVERY = 5  # rounds between two looks at the intervals


def begin(store: Store, config: LatencyConfig, bench: Bench, progress: Progress) -> tuple[int, str] | None:
    """A session, and the device's id; None, with a word, where this machine cannot run the configuration.

    Raises MbsweepError where the run was measured on another GPU, or with int8 weights held otherwise.
    """
    if bench.unavailable:
        skipped = Failure(bench.unavailable, FailureKind.SKIPPED)
        store.add_failure("", config.id, skipped)
        progress.say(f"{config.id}: {skipped.words}")
        return None
    store.forget_skip(config.id)
    device, found = device_of(config, bench)
    for then in (session for session in store.sessions() if session["is_timed"]):
        for name, now in bench.hardware.items():
            if (other := then["device"].get(name, now)) != now:
                raise MbsweepError(
                    f"{store.folder} was measured with {name} {other!r}, and here it is {now!r}; "
                    "choose another --out, so that the two do not mix"
                )
    store.set_remark(config.id, "weights", remark(config.backend, bench.weights) if bench.weights else "")
    return store.begin_session(device, found), device["id"]


def device_of(config: LatencyConfig, bench: Bench) -> tuple[dict[str, Any], dict[str, str]]:
    """The device that a configuration is measured on, its id included, and the versions."""
    device, found = this_device().as_dict() | bench.hardware, versions()
    if gpu := device.get("gpu"):
        device["description"] = f"{gpu} in {device['description']}"
    id_ = device_id(device, config.backend, found[BACKENDS[config.backend].packages[0]])
    if bench.weights not in ("", INT8.name):
        id_ += "_" + bench.weights.replace(" ", "-")  # what is timed so is kept apart
    return device | {"id": id_}, found


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
        self._settled = {
            name: (visits, found.get("settled_pct", np.nan))
            for (config_id, name), (visits, found) in store.summaries().items()
            if config_id == config.id
        }
        kept = store.calibration(config.id)
        self._yardsticks = {
            name: yardstick(name) for name in choose(self._sizes.values(), config.threads, kept)
        }
        self._reference_ns = {name: ns for name, ns in kept.items() if ns is not None}
        self._fastest_ns: dict[str, dict[Key, float]] = {name: {} for name in self._yardsticks}
        for config_id, name, number, session, blob in store.yardsticks():
            if config_id == config.id and name in self._fastest_ns:
                self._fastest_ns[name][session, number] = min(np.frombuffer(blob, dtype="<i8"))
        self._session = 0

    def pending(self) -> list[str]:
        """The networks that need more visits."""
        drift = self._drift()
        return [
            name
            for name in self._subjects
            if len(self._done(name)) < self._config.rounds and not self._is_settled(name, drift)
        ]

    def finished(self, noisy_only: bool) -> list[str]:
        """The networks that have been measured to the end; of these, where asked, those that are noisy."""
        drift = self._drift()
        return [
            name
            for name in self._subjects
            if name in self._visits
            and not (noisy_only and not is_noisy(self._row(name, drift)[2], self._config.target_pct))
        ]

    def run(self, bench: Bench, session: int, device: str) -> None:
        """Measure what is pending on a device. Every visit is on the disk before the next begins."""
        self._session = session
        self._path = cache_dir() / "yardsticks" / device / f"{self._config.id}.json"
        self._reference_ns = calibrated(self._path) | self._reference_ns
        names = self.pending()
        self._prepare_all(bench, names)
        with quiet(self._say):
            self._visit_in_rounds(bench, [name for name in names if bench.is_ready(name)])
        self._calibrate()
        self._summarize()

    def _prepare_all(self, bench: Bench, names: list[str]) -> None:
        """Prepare the yardsticks and some networks; with a second process where each takes long."""
        self._progress.begin(f"{self._config.id}: prepare", len(names))
        first, second, *others = self._yardsticks.values()
        bench.prepare([first], lambda subject, file_bytes: None)  # which also loads the runtime
        start = time.monotonic()
        bench.prepare([second], lambda subject, file_bytes: None)
        is_slow = keeps_files(self._config) and time.monotonic() - start > SLOW_S
        ahead = [self._subjects[name] for name in names]
        with Ahead(self._config, ahead, bench.weights) if is_slow else nullcontext():
            bench.prepare(others, lambda subject, file_bytes: None)
            self._store.set_calibration(self._config.id, self._calibration())
            for name in names:
                bench.prepare([self._subjects[name]], self._prepared)
                self._progress.advance(name)

    def _calibration(self) -> list[tuple[str, int, int, float | None]]:
        return [
            (name, *subject.size, self._reference_ns.get(name)) for name, subject in self._yardsticks.items()
        ]

    def _calibrate(self) -> None:
        """Bring this run's headlines to the device's reference speed."""
        drift = self._drift()
        found = calibrate(self._path, drift.calm_ns, len(drift.overall) >= MIN_VISITS)
        self._reference_ns = found.reference_ns
        self._store.set_calibration(self._config.id, self._calibration())
        self._store.set_remark(self._config.id, "speed", found.remark)
        if words := "; ".join(filter(None, [found.remark, found.advice])):
            self._say(words)

    def _drift(self) -> Drift:
        sizes = {name: subject.size for name, subject in self._yardsticks.items()}
        return Drift(self._fastest_ns, sizes, self._reference_ns)

    def _prepared(self, subject: Subject, file_bytes: int) -> None:
        if subject.variant is not None:
            self._store.set_checked(subject.name)
        self._store.set_file_bytes(self._config.id, subject.name, file_bytes)

    def _visit_in_rounds(self, bench: Bench, active: list[str]) -> None:
        before = sum(len(self._done(name)) for name in active)
        self._progress.begin(f"{self._config.id}: measure", len(active) * self._config.rounds, before)
        for number in range(self._config.rounds):
            due = [name for name in active if number not in self._done(name)]
            if not due:
                continue
            if number >= MIN_VISITS and (number - MIN_VISITS) % CHECK_EVERY == 0:
                # The yardsticks first: only with these is the drift known at all visits until now.
                for name in self._yardsticks:
                    self._visit(bench, name, number)
                active = self._without_settled(active, number)
                order = [name for name in active if number not in self._done(name)]
            else:
                order = [*self._yardsticks, *due]
            random.Random(f"{self._config.id}/{number}").shuffle(order)  # noqa: S311  (needs no secrecy)
            for name in order:
                if not self._visit(bench, name, number) and name in active:
                    active.remove(name)
                if name not in self._yardsticks:
                    self._progress.advance(name)

    def _visit(self, bench: Bench, name: str, number: int) -> bool:
        samples = bench.visit(name)
        if samples is not None:
            self._keep(name, number, samples)
        return samples is not None

    def _without_settled(self, active: list[str], number: int) -> list[str]:
        drift = self._drift()
        settled = {name for name in active if self._is_settled(name, drift)}
        rows = [self._row(name, drift) for name in sorted(settled)]
        self._store.set_summaries(self._config.id, rows)
        for name, visits, _ in rows:
            self._settled[name] = visits, self._config.target_pct
            self._progress.advance(name, self._config.rounds - number)
        still = [name for name in active if name not in settled]
        self._progress.note(f"{len(still)} still wider than {self._config.target_pct:g} %")
        return still

    def _keep(self, name: str, number: int, samples_ns: list[int]) -> None:
        samples = np.array(samples_ns, dtype="<i8")
        if name in self._yardsticks:
            self._store.add_yardstick(self._config.id, name, number, self._session, samples.tobytes())
            self._fastest_ns[name][self._session, number] = min(samples_ns)
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
        visits, settled_pct = self._settled.get(name, (0, np.nan))
        if visits == len(self._done(name)) and settled_pct <= self._config.target_pct:
            return True  # what is known of the drift later does not reopen it
        if len(self._done(name)) < MIN_VISITS:
            return False
        found_pct = width_pct(fastest_ms(*self._samples(name, drift)), drift.error(self._sizes[name]))
        return found_pct <= self._config.target_pct

    def _row(self, name: str, drift: Drift) -> tuple[str, int, dict[str, float]]:
        """Statistics of a network, as they are kept. settled_pct: the target at which it was done, or NaN."""
        found = summarize(*self._samples(name, drift), drift.error(self._sizes[name]))
        visits, target_pct = len(self._done(name)), self._config.target_pct
        before, settled_pct = self._settled.get(name, (0, np.nan))
        if before != visits or not settled_pct <= target_pct:
            settled_pct = target_pct if found["width_pct"] <= target_pct else np.nan
        return name, visits, found | {"settled_pct": settled_pct}

    def _summarize(self) -> None:
        """Keep the statistics of everything measured, and say where the machine was too noisy."""
        drift = self._drift()
        rows = [self._row(name, drift) for name in self._visits if name in self._sizes]
        self._store.set_summaries(self._config.id, rows)
        found = [of_one for _, _, of_one in rows]
        said = [narrow_words(found, self._config.target_pct), noisy_words(found, "networks"), drift.remark]
        for words in filter(None, said):
            self._say(words)

    def _say(self, words: str) -> None:
        self._progress.say(f"{self._config.id}: {words}")

    def failed(self, name: str, error: AnswerError) -> None:
        """Record that a network failed; the others go on."""
        reason = one_line(error)
        if is_yardstick(name):
            remark = f"{name} failed, and drift is told without it: {reason}"
            self._store.set_remark(self._config.id, name, remark)
            self._say(remark)
            return
        reason = reason[:500].encode("utf-8", "backslashreplace").decode()  # a file name in it may be no text
        self._store.add_failure(name, self._config.id, Failure.of(error.kind, reason))
        self._progress.say(f"{name} failed in {self._config.id}: {reason}")


def set_aside(
    store: Store, config: LatencyConfig, subjects: Sequence[Subject], noisy_only: bool, progress: Progress
) -> None:
    """Let what has been measured of a configuration be measured again; old samples enter nothing any more.

    Nothing is set aside while something is still to be measured: whoever was stopped and asks again goes on.
    """
    measurement = Measurement(store, config, subjects, progress)
    if measurement.pending():
        progress.say(f"{config.id}: is not finished, and goes on; what is done is not measured again yet")
    elif names := measurement.finished(noisy_only):
        store.set_aside(config.id, names)
        progress.say(f"{config.id}: {len(names)} of {len(subjects)} are measured again")
    else:
        progress.say(f"{config.id}: there is nothing to measure again")
