"""A trained network as a file: how long its export and its evaluation take, and whether both say the same."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ALLOWED_S = 20  # of CPU time: other work on the machine makes both last longer
SWEEP = """\
space: {width: 0.5, resolution: 32, stem_stride: 1}
accuracy:
  source: trained
  dataset: {name: digits, train: 2000}
  recipe: {epochs: 3}
  seeds: [0]
"""
FILES = (  # name, and what else is said
    ("net.safetensors", ()),
    ("net.onnx", ()),
    ("whole.onnx", ("--self-contained",)),
    ("int8.onnx", ("--precision", "int8")),
    ("net.pte", ()),
    ("int8.pte", ("--precision", "int8")),
)


def main() -> None:
    """A line for each kind of file of a network for digits; exit with an error where one takes too long."""
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        # What was lowered before is kept there: in a new cache nothing is.
        environment = {**os.environ, "MBSWEEP_CACHE": f"{folder}/cache"}

        def timed(*words: str) -> tuple[float, float, str]:
            before, start = os.times(), time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "mbsweep", *words],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                cwd=folder,
            )
            after = os.times()
            cpu_s = sum(after[2:4]) - sum(before[2:4])
            return time.perf_counter() - start, cpu_s, done.stdout

        Path(folder, "sweep.yaml").write_text(SWEEP, encoding="utf-8")
        timed("run", "sweep.yaml", "--out", "run", "-q")
        for name, more in FILES:
            exported_s, export_cpu_s, said = timed("export", "run", "0.5-32", "-o", name, *more)
            evaluated_s, evaluate_cpu_s, answer = timed("evaluate", name, "--json")
            found = json.loads(answer)
            (told,) = re.findall(r" top-1 ([0-9.]+) % ", said)
            is_same = told == f"{found['top1_pct']:.2f}"
            print(
                f"{' '.join((name, *more))}: exported in {exported_s:.1f} s ({export_cpu_s:.1f} s of CPU), "
                f"evaluated on {found['images']:,} images in {evaluated_s:.1f} s ({evaluate_cpu_s:.1f}); "
                f"{'the same' if is_same else 'ANOTHER'} accuracy, {told} %",
                flush=True,
            )
            if export_cpu_s + evaluate_cpu_s > ALLOWED_S or not is_same:
                failed.append(name)
    print(f"each within {ALLOWED_S} s of CPU time, and as good as it says: {not failed}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
