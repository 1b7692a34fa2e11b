"""Twenty repeats of one measurement: how often does a repeat's 95 % interval cover what all of them say?

Of four networks of 128 px, and of four that take tens of microseconds. In one process and the same rounds;
each repeat has rounds of its own, and sees no others but for the speed at which headlines are told.
"""

import sys
from contextlib import closing
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mbsweep.latency.yardsticks import choose, yardstick
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.subject import Subject
from mbsweep.space.variant import Variant
from mbsweep.statistics.drift import Drift
from mbsweep.statistics.summary import fastest_ms, headline, summarize

REPEATS, ROUNDS, VISIT_MS = 20, 40, 8
NETWORKS = {
    "of 128 px": [Variant(width=width, resolution=128) for width in (1.0, 0.75, 0.5, 0.25)],
    "of tens of microseconds": [
        Variant(width=0.25, resolution=32),
        Variant(width=0.25, resolution=32, depth=0, num_classes=10),
        Variant(width=0.25, resolution=16, depth=0, num_classes=2),
        Variant(width=0.05, resolution=24, depth=0, num_classes=2),
    ],
}
SUBJECTS = {v.id: Subject.of(v) for v in chain.from_iterable(NETWORKS.values())}
YARDSTICKS = {
    name: yardstick(name) for name in choose([subject.size for subject in SUBJECTS.values()], threads=1)
}
Visits = dict[str, list[NDArray[np.int64]]]


def main() -> None:
    """Print the share of intervals of p50, and of the headline, that cover the pooled value."""
    visits = measure()
    whole = drift_in(visits, range(REPEATS * ROUNDS))
    for words, variants in NETWORKS.items():
        repeats = [
            repeat for variant in variants for repeat in repeats_of(SUBJECTS[variant.id], visits, whole)
        ]
        p50_covers, covers, width_pct = zip(*repeats, strict=True)
        took_ms = [float(np.median(fastest_ms(visits[v.id], np.ones(REPEATS * ROUNDS)))) for v in variants]
        print(
            f"{REPEATS} repeats x {len(variants)} networks {words} ({min(took_ms):.3f} to {max(took_ms):.3f} "
            f"ms): the 95 % interval of p50 covers the pooled p50 in {np.mean(p50_covers):.0%}, that of the "
            f"headline in {np.mean(covers):.0%} (at least 85 %), which is {np.median(width_pct):.1f} % wide"
        )


def repeats_of(subject: Subject, visits: Visits, whole: Drift) -> list[tuple[bool, bool, float]]:
    """Of each repeat: whether its intervals of p50 and of the headline cover, and the latter's width in %."""
    mine = visits[subject.name]
    slower = whole.at(subject.size, [(0, number) for number in range(len(mine))])
    undrifted = [visit / factor for visit, factor in zip(mine, slower, strict=True)]
    pooled_p50 = float(np.median(np.concatenate(undrifted))) / 1e6
    pooled_headline = headline(fastest_ms(mine, slower))
    found = []
    for start in range(0, REPEATS * ROUNDS, ROUNDS):
        rounds = range(start, start + ROUNDS)
        # A repeat sees its own yardsticks only, and is told at the speed of all, as runs of a device are.
        drift = drift_in(visits, rounds, whole.calm_ns)
        slower = drift.at(subject.size, [(0, number) for number in rounds])
        row = summarize(mine[start : start + ROUNDS], slower, drift.error(subject.size))
        is_p50_in = row["latency_p50_low_ms"] <= pooled_p50 <= row["latency_p50_high_ms"]
        is_in = row["latency_low_ms"] <= pooled_headline <= row["latency_high_ms"]
        found.append((is_p50_in, is_in, row["width_pct"]))
    return found


def measure() -> Visits:
    """Name -> the samples of each visit, to the networks and the yardsticks, in rounds."""
    config = LatencyConfig(backend="onnxruntime", visit_ms=VISIT_MS)
    visits: Visits = {name: [] for name in (*SUBJECTS, *YARDSTICKS)}
    order = np.random.default_rng(0)
    with closing(Bench(config, lambda name, reason: sys.exit(f"{name}: {reason}"))) as bench:
        bench.prepare([*SUBJECTS.values(), *YARDSTICKS.values()], lambda subject, file_bytes: None)
        for _ in range(REPEATS * ROUNDS):
            for name in order.permutation(list(visits)):
                visits[str(name)].append(np.array(bench.visit(str(name)), dtype=np.int64))
    return visits


def drift_in(visits: Visits, rounds: range, reference_ns: dict[str, float] | None = None) -> Drift:
    """The drift in some rounds, as their yardsticks tell it."""
    fastest = {
        name: {(0, number): float(visits[name][number].min()) for number in rounds} for name in YARDSTICKS
    }
    return Drift(fastest, {name: subject.size for name, subject in YARDSTICKS.items()}, reference_ns)


if __name__ == "__main__":
    main()
