"""What `make run` does after installation: its wall time, and the share of timed network calls in it."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mbsweep import open_run


def main() -> None:
    """Print wall time of run and report, and the share of timed calls in it."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "width_res"
        start = time.perf_counter()
        mbsweep = [sys.executable, "-m", "mbsweep"]
        subprocess.run(
            [*mbsweep, "run", "sweeps/width_res.yaml", "--out", run], check=True, capture_output=True
        )
        subprocess.run([*mbsweep, "report", run, "--html", f"{folder}/html"], check=True, capture_output=True)
        wall = time.perf_counter() - start
        table = open_run(run).table()
    timed = float((table["latency_mean_ms"] * table["latency_samples"]).sum()) / 1000
    print(
        f"{len(table)} rows in {wall:.1f} s (at most 90), of which "
        f"timed calls {timed:.1f} s: {timed / wall:.0%} (at least 60 %)"
    )


if __name__ == "__main__":
    main()
