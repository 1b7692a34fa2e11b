"""Counting a million variants: time, memory, speed against fvcore, and exactness of 200 of them."""

import random
import resource
import statistics
import subprocess
import sys
import time

from mbsweep import build, count, count_space, load_sweep

SWEEP = "sweeps/space_1m.yaml"
CHECKED = 200


def count_alone() -> None:
    """In a process of its own: wall time of loading and counting, and the peak memory of the process."""
    start = time.perf_counter()
    space = count_space(load_sweep(SWEEP))
    duration = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(space):,} variants counted in {duration:.2f} s (at most 3), "
        f"peak memory {peak_mb:.0f} MiB (at most 1 GB)"
    )


def main() -> None:
    """Print the figures; exit with an error where a single count differs."""
    subprocess.run(
        [sys.executable, "-c", "from benchmarks.counting import count_alone; count_alone()"], check=True
    )
    from mbsweep.profiler.crosscheck import measured_counts

    start = time.perf_counter()
    space = count_space(load_sweep(SWEEP))
    per_variant = (time.perf_counter() - start) / len(space)
    traced = []
    for place in random.Random(0).sample(range(len(space)), CHECKED):
        variant = space.variant(place)
        net = build(variant).eval()
        start = time.perf_counter()
        params, macs = measured_counts(net, variant.resolution)
        traced.append(time.perf_counter() - start)
        expected = (int(space.params[place]), int(space.macs[place]))
        if (params, macs) != expected or (count(variant).params, count(variant).macs) != expected:
            sys.exit(f"{variant.id}: counted {expected}, built network and fvcore {params, macs}")
    print(f"{CHECKED} random variants equal the built network and fvcore to the last unit")
    trace = statistics.median(traced)
    print(
        f"per variant {per_variant * 1e6:.2f} us, fvcore's trace {trace * 1e3:.1f} ms (median): "
        f"{trace / per_variant:,.0f} times faster (at least 20,000)"
    )


if __name__ == "__main__":
    main()
