"""The Pareto front of a million points."""

import time

import numpy as np
import pandas as pd

from mbsweep import pareto_front

POINTS = 1_000_000


def main() -> None:
    """Print the time for points without structure, and for points that nearly all lie on the front."""
    rng = np.random.default_rng(0)
    cost = rng.random(POINTS)
    for name, value in (
        ("random", rng.random(POINTS)),
        ("nearly all on the front", cost + 1e-9 * rng.random(POINTS)),
    ):
        frame = pd.DataFrame({"cost": cost, "value": value})
        start = time.perf_counter()
        mask = pareto_front(frame, cost="cost", value="value")
        duration = time.perf_counter() - start
        print(f"{POINTS:,} points, {name}: {mask.sum():,} on the front, {duration:.2f} s (at most 1)")


if __name__ == "__main__":
    main()
