"""A cluster: what its nodes cost beside processes of one machine, and whether the process that holds a run
keeps up with 1,000 of them. The former train; the latter are simulated: made-up trainings, but the real queue
and store. Nodes are lost, and nothing may be lost with them, or done twice.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.simulated_run import simulate
from benchmarks.two_nodes import compared

TRAININGS, NODES, EPOCHS, LOST_PCT_PER_HOUR = 10_000, 1000, 50, 1.0
SPEED = 120  # two minutes of the nodes are a second here: as hard for the driver as 120,000 nodes


def main() -> None:
    """Print the figures; exit with an error where something was lost or done twice."""
    with tempfile.TemporaryDirectory() as folder:
        found = simulate(Path(folder), TRAININGS, NODES, EPOCHS, LOST_PCT_PER_HOUR, SPEED)
        for line in found.words():
            print(line, flush=True)
        if wrong := found.faults():
            sys.exit("\n".join(wrong))
        print(f"nothing is lost or kept twice: {TRAININGS:,} trainings are done, with {EPOCHS} epochs each")
    for line in compared():
        print(line, flush=True)


if __name__ == "__main__":
    main()
