"""Every benchmark, one after another: python -m benchmarks."""

import subprocess
import sys

NAMES = (
    "startup",
    "counting",
    "front",
    "page",
    "make_run",
    "preparation",
    "repeatability",
    "intervals",
    "overhead",
    "prediction",
    "accuracy_prediction",
    "training",
    "beginnings",
    "supernet",
)

for name in NAMES:
    print(f"\n{name}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
