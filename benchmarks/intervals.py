"""Twenty repeats of one measurement: how often does a repeat's 95 % interval cover what all of them say?"""

import sys
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from mbsweep.drift import Drift
from mbsweep.measuring import YARDSTICKS
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.subject import Subject
from mbsweep.space.latency import LatencyConfig
from mbsweep.space.variant import Variant
from mbsweep.summary import fastest_ms, summarize

REPEATS, ROUNDS, VISIT_MS = 20, 40, 10
SUBJECTS = {
    subject.name: subject
    for subject in (Subject.of(Variant(width=width, resolution=128)) for width in (1.0, 0.75, 0.5, 0.25))
}


def main() -> None:
    """Print the share of intervals of p50, and of the headline, that cover the pooled value."""
    visits = measure()
    rounds = range(REPEATS * ROUNDS)
    whole = drift_in(visits, rounds)
    p50_covers, headline_covers = [], []
    for name, subject in SUBJECTS.items():
        keys = [(0, number) for number in rounds]
        slower = whole.at(subject.size, keys)
        undrifted = [visit / factor for visit, factor in zip(visits[name], slower, strict=True)]
        pooled_p50 = float(np.median(np.concatenate(undrifted))) / 1e6
        pooled_headline = float(np.median(fastest_ms(visits[name], slower)))
        for start in range(0, REPEATS * ROUNDS, ROUNDS):
            mine = range(start, start + ROUNDS)
            # A repeat sees its own yardsticks only, and is told at the speed of all, as runs of a device are.
            drift = drift_in(visits, mine, whole.calm_ns)
            slower = drift.at(subject.size, [(0, number) for number in mine])
            found = summarize(visits[name][start : start + ROUNDS], slower, drift.error(subject.size))
            p50_covers.append(found["latency_p50_low_ms"] <= pooled_p50 <= found["latency_p50_high_ms"])
            headline_covers.append(found["latency_low_ms"] <= pooled_headline <= found["latency_high_ms"])
    print(
        f"{REPEATS} repeats x {len(SUBJECTS)} networks: the 95 % interval of p50 covers the pooled p50 in "
        f"{np.mean(p50_covers):.0%} (at least 85 %), that of the headline in {np.mean(headline_covers):.0%}"
    )


def measure() -> dict[str, list[NDArray[np.int64]]]:
    """Name -> the samples of each visit, to the networks and the yardsticks, in rounds."""
    config = LatencyConfig(backend="onnxruntime", visit_ms=VISIT_MS)
    visits: dict[str, list[NDArray[np.int64]]] = {name: [] for name in (*SUBJECTS, *YARDSTICKS)}
    order = np.random.default_rng(0)
    with closing(Bench(config, lambda name, reason: sys.exit(f"{name}: {reason}"))) as bench:
        bench.prepare([*SUBJECTS.values(), *YARDSTICKS.values()], lambda subject, file_bytes: None)
        for _ in range(REPEATS * ROUNDS):
            for name in order.permutation(list(visits)):
                visits[str(name)].append(np.array(bench.visit(str(name)), dtype=np.int64))
    return visits


def drift_in(
    visits: dict[str, list[NDArray[np.int64]]], rounds: range, reference_ns: dict[str, float] | None = None
) -> Drift:
    """The drift in some rounds, as their yardsticks tell it."""
    fastest = {
        name: {(0, number): float(visits[name][number].min()) for number in rounds} for name in YARDSTICKS
    }
    return Drift(fastest, {name: subject.size for name, subject in YARDSTICKS.items()}, reference_ns)


if __name__ == "__main__":
    main()
