"""What measuring costs beside the timed calls, and what the harness adds to each of them."""

import inspect
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np

import mbsweep
from mbsweep.profiler import timing
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepared import Prepared
from mbsweep.profiler.subject import Subject
from mbsweep.profiler.workbench import Workbench
from mbsweep.space.variant import Variant
from mbsweep.sweep.sweep import parse_sweep

CALLS = 100_000
ROUNDS = 60
SWEEP = """\
space: {width: [1.0, 0.75, 0.5, 0.25], resolution: [224, 192, 160, 128]}
latency: [{backend: onnxruntime, threads: 1}]
"""


def main() -> None:
    """Print the share of timed calls, the cost per call, and the headline against a bare loop."""
    print_share()
    print_cost()
    print_parity()


def print_share() -> None:
    """Timed calls, the yardstick's included, as a share of the measuring phase's wall time."""
    with tempfile.TemporaryDirectory() as folder:
        mbsweep.run(parse_sweep(SWEEP, "overhead.yaml"), folder)
        with closing(sqlite3.connect(Path(folder) / "run.sqlite")) as connection:
            rows = connection.execute(
                "SELECT ended_utc, samples FROM visits UNION ALL SELECT ended_utc, samples FROM yardsticks "
                "ORDER BY ended_utc"
            ).fetchall()
    ended = [datetime.fromisoformat(row[0]).timestamp() for row in rows]
    timed = [np.frombuffer(row[1], dtype="<i8").sum() / 1e9 for row in rows]
    # From the end of the first visit, since the beginning of the first is not known.
    share = sum(timed[1:]) / (ended[-1] - ended[0])
    print(f"timed calls are {share:.1%} of the measuring phase's wall time (at least 80 %)")


def print_cost() -> None:
    """What a call that does nothing is said to take, and what it costs."""
    nothing = Prepared(call=lambda: None, file_bytes=0)
    start = time.perf_counter_ns()
    samples = timing.visit(nothing, 0, calls=CALLS)
    whole_ns = (time.perf_counter_ns() - start) / CALLS
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        nothing.call()
    bare_ns = (time.perf_counter_ns() - start) / CALLS
    print(
        f"harness: {whole_ns - bare_ns:.0f} ns a call, {np.median(samples) - bare_ns:.0f} ns of them "
        "within the timed part (less than 2000 ns)"
    )


def print_parity() -> None:
    """The headline against a bare loop around the same session, in turns."""
    config = LatencyConfig(backend="onnxruntime")
    bench = Workbench(config)
    for variant in (Variant(), Variant(width=0.25, resolution=128)):
        bench.prepare(Subject.of(variant))
        prepared = bench._prepared[variant.id]
        session, feed = (
            inspect.getclosurevars(prepared.call).nonlocals[name] for name in ("session", "feed")
        )
        harness: list[int] = []
        bare: list[int] = []
        for _ in range(ROUNDS):
            samples = bench.visit(variant.id)
            harness.append(min(samples))
            session.run(None, feed)
            calls = []
            for _ in samples:
                start = time.perf_counter_ns()
                session.run(None, feed)
                calls.append(time.perf_counter_ns() - start)
            bare.append(min(calls))
        difference = np.median(harness) / np.median(bare) - 1
        print(f"{variant.id}: headline {difference:+.2%} against a bare loop's best-of (within 2 %)")


if __name__ == "__main__":
    main()
