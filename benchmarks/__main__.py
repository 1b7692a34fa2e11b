"""Every benchmark, one after another: python -m benchmarks. Above its figures each has its command, and the
processor, with what it can do that matters.
"""

import subprocess
import sys

from benchmarks.machine import heading

NAMES = (
    "startup",
    "counting",
    "million",
    "built",
    "onnx_files",
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
    "neighbour",
    "beginnings",
    "supernet",
    "supernet_sets",
    "real_images",
    "search_truth",
    "foreign_weights",
    "compression",
    "pruned_latency",
    "int8_drop",
    "handing_over",
    "search",
    "cluster",
)

for name in NAMES:
    print(f"\n{heading(f'python -m benchmarks.{name}')}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
