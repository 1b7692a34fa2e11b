"""Three separate processes measure width_res in ONNX Runtime: how far are their headlines apart?

Beside it, in the same processes, what most tools do: network after network, the median of three repeats.
First on the machine as it is, then with a noisy neighbour: another process that streams memory now and then.
"""

import itertools
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

import mbsweep
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.subject import Subject
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.ratios import rank_agreement

PROCESSES = 3
REPEATS, CALLS = 3, 20  # of the network-after-network way
NEIGHBOUR = """\
import random, time, numpy
chance, memory = random.Random(0), numpy.ones(2**24)
while True:
    until = time.monotonic() + chance.uniform(0.5, 8)
    while time.monotonic() < until:
        memory *= 1.0
    time.sleep(chance.uniform(0.5, 8))
"""
STATISTICS = ("latency_ms", "latency_p50_ms", "latency_mean_ms")
SWEEP = """\
space: {width: [1.0, 0.75, 0.5, 0.25], resolution: [224, 192, 160, 128]}
latency: [{backend: onnxruntime, threads: 1}]
"""


def main() -> None:
    """Print spreads and Kendall's tau, twice."""
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    print("on the machine as it is:")
    compare()
    print("with a noisy neighbour:")
    neighbour = subprocess.Popen([sys.executable, "-c", NEIGHBOUR])
    try:
        compare()
    finally:
        neighbour.kill()
        neighbour.wait()


def compare() -> None:
    """Let the processes measure, and print how far they are apart."""
    with tempfile.TemporaryDirectory() as folder:
        tables = []
        for number in range(PROCESSES):
            out = Path(folder) / str(number)
            subprocess.run([sys.executable, "-m", "benchmarks.repeatability", out], check=True)
            table = mbsweep.open_run(out / "run").table().set_index("variant")
            naive = pd.read_csv(out / "naive.csv", index_col="variant")
            tables.append(table.join(naive))
    spreads = {name: report(name, [table[name] for table in tables]) for name in (*STATISTICS, "naive_ms")}
    print(
        f"headline: {spreads['latency_ms']:.1%} on average (at most 3 %); network after network, median of "
        f"{REPEATS} repeats: {spreads['naive_ms'] / spreads['latency_ms']:.1f} times as much (at least 4)"
    )


def measure(out: Path) -> None:
    """Measure both ways in this process."""
    sweep = parse_sweep(SWEEP, "repeatability.yaml")
    variants = count_space(sweep).variants()
    config = LatencyConfig(backend="onnxruntime", visit_calls=CALLS)
    naive = {}
    with closing(Bench(config, lambda name, reason: sys.exit(f"{name}: {reason}"))) as bench:
        for variant in variants:
            bench.prepare([Subject.of(variant)], lambda subject, file_bytes: None)
            repeats = [float(np.mean(bench.visit(variant.id) or [])) for _ in range(REPEATS)]
            naive[variant.id] = float(np.median(repeats)) / 1e6
    mbsweep.run(sweep, out / "run")
    pd.Series(naive, name="naive_ms").rename_axis("variant").to_csv(out / "naive.csv")


def report(name: str, columns: "list[pd.Series[float]]") -> float:
    """Print how far the processes are apart; return the mean over the networks of (max - min) / mean."""
    frame = pd.concat(columns, axis=1)
    spread = (frame.max(axis=1) - frame.min(axis=1)) / frame.mean(axis=1)
    taus = [rank_agreement(a, b)[0] for a, b in itertools.combinations(columns, 2)]
    print(
        f"{name:24s} (max - min) / mean: {spread.mean():.1%} on average, {spread.max():.1%} at worst; "
        f"Kendall's tau at least {min(taus):.3f}"
    )
    return float(spread.mean())


if __name__ == "__main__":
    main()
