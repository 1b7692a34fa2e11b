"""A cluster of 1,000 nodes: does the process that holds a run keep up with them? They are simulated: made-up
trainings, but the real queue and store. Nodes are lost, and nothing may be lost with them, or done twice.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.simulated_run import faults, simulate

TRAININGS, NODES, EPOCHS, LOST_PCT_PER_HOUR = 10_000, 1000, 50, 1.0
SPEED = 60  # a minute of the nodes is a second here: as hard for the driver as 60,000 nodes


def main() -> None:
    """Print the figures; exit with an error where something was lost or done twice."""
    with tempfile.TemporaryDirectory() as folder:
        found = simulate(Path(folder), TRAININGS, NODES, EPOCHS, LOST_PCT_PER_HOUR, SPEED)
        for line in found.words():
            print(line, flush=True)
        if wrong := faults(Path(folder), TRAININGS, EPOCHS):
            sys.exit("\n".join(wrong))
        print(f"nothing is lost or kept twice: {TRAININGS:,} trainings are done, with {EPOCHS} epochs each")


if __name__ == "__main__":
    main()
