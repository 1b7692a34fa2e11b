"""Start-up: `--help` against bare typer and rich, and what the light commands import."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 15
SWEEP = """
variants: [{width: 0.25, resolution: 32}]
space: {width: [0.25, 0.5, 0.75, 1.0], resolution: [128, 160, 192, 224]}
accuracy: {source: published, table: paper}
"""
IMPORTS_TORCH = """
import sys
from mbsweep.commands.app import app
try:
    app(sys.argv[1:])
finally:
    print("torch imported:", "torch" in sys.modules, file=sys.stderr)
"""


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the ratio of medians, taken in turns, and which commands import torch."""
    bare, help_ = [], []
    for _ in range(REPEATS):
        bare.append(seconds([sys.executable, "-c", "import typer, rich"]))
        help_.append(seconds([sys.executable, "-m", "mbsweep", "--help"]))
    ratio = statistics.median(help_) / statistics.median(bare)
    print(
        f"--help takes {statistics.median(help_) * 1000:.0f} ms, bare typer and rich "
        f"{statistics.median(bare) * 1000:.0f} ms: ratio {ratio:.2f} (at most 3)"
    )
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / "sweep.yaml"
        sweep.write_text(SWEEP)
        run = str(Path(folder) / "run")
        subprocess.run(
            [sys.executable, "-m", "mbsweep", "run", sweep, "--out", run], check=True, capture_output=True
        )
        for arguments in (
            ["--help"],
            ["plan", sweep],
            ["table", run],
            ["report", run, "--html", f"{folder}/html"],
        ):
            command = [sys.executable, "-c", IMPORTS_TORCH, *map(str, arguments)]
            found = (
                subprocess.run(command, check=True, capture_output=True, text=True)
                .stderr.strip()
                .splitlines()[-1]
            )
            print(f"mbsweep {arguments[0]}: {found} ({seconds(command):.2f} s)")


if __name__ == "__main__":
    main()
