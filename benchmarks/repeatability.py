"""Two separate runs of width_res.yaml: how alike they rank the sixteen networks, how far latencies differ."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from scipy.stats import kendalltau

from mbsweep import open_run

STATISTICS = ("latency_ms", "latency_p50_ms", "latency_mean_ms")


def main() -> None:
    """Print Kendall's tau and the relative differences for the headline and, beside it, other statistics."""
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, 2):
            run = Path(folder) / str(number)
            command = [sys.executable, "-m", "mbsweep", "run", "sweeps/width_res.yaml", "--out", str(run)]
            subprocess.run(command, check=True, capture_output=True)
            tables.append(open_run(run).table().set_index(["backend", "variant"]))
    for backend in tables[0].index.unique("backend"):
        first, second = (table.loc[backend] for table in tables)
        for name in STATISTICS:
            report(f"{backend}, {name}", first[name], second[name])


def report(what: str, first: "pd.Series[float]", second: "pd.Series[float]") -> None:
    """Print how alike two measurements of the same networks are."""
    tau = kendalltau(first, second[first.index]).statistic
    difference = (first - second).abs() / ((first + second) / 2)
    print(
        f"{what}: Kendall's tau {tau:.3f} (headline of onnxruntime at least 0.98), "
        f"difference {difference.mean():.1%} on average, {difference.max():.1%} at worst"
    )


if __name__ == "__main__":
    main()
