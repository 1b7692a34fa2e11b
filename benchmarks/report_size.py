"""The report of 10,000 variants, with made-up latencies that say so."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mbsweep.pipeline import Silent, enter_sweep
from mbsweep.space.counting import count_space
from mbsweep.space.sweep import parse_sweep
from mbsweep.store import Store
from mbsweep.summary import summarize

VISITS = 10  # the fewest that have an interval
UNIT_MACS = 1e9

SWEEP = """
title: 10,000 variants, latencies MADE UP from their mult-adds
space:
  width: {from: 0.2, to: 1.19, step: 0.01}
  resolution: {from: 128, to: 224, step: 4}
  depth: [2, 4, 6, 8]
latency: [{backend: onnxruntime, rounds: 10}]
accuracy: {source: published, table: tf-slim-2018-08-02}
"""


def main() -> None:
    """Print how long `mbsweep report` takes as a whole process, and the size of the page."""
    sweep = parse_sweep(SWEEP, "made_up.yaml")
    space = count_space(sweep)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        run, pages = Path(folder) / "made_up", Path(folder) / "html"
        with Store.write(run) as store:
            enter_sweep(store, sweep, space, Silent())
            store._connection.execute("PRAGMA synchronous = OFF")  # nobody mourns this run
            session = store.begin_session({"description": "MADE UP, no device"}, {"mbsweep": "made up"})
            visits = list(rng.uniform(0.010, 0.011, (VISITS, 20)) * UNIT_MACS)  # nanoseconds of so many
            of_unit = summarize([visit.astype("<i8") for visit in visits], np.ones(VISITS))
            config, summaries = sweep.latency[0].id, []
            for id_, macs in zip(space.ids(), space.macs, strict=True):
                share = macs / UNIT_MACS
                for number, visit in enumerate(visits):
                    store.add_visit(config, id_, number, session, (visit * share).astype("<i8").tobytes())
                summary = {name: x * (share if name.endswith("_ms") else 1) for name, x in of_unit.items()}
                summaries.append((id_, VISITS, summary))
            store.set_summaries(config, summaries)
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "mbsweep", "report", run, "--html", pages], check=True, capture_output=True
        )
        duration = time.perf_counter() - start
        size_mb = (pages / "made_up.html").stat().st_size / 1e6
        print(f"report of {len(space):,} variants: {duration:.1f} s (at most 10), page of {size_mb:.1f} MB")


if __name__ == "__main__":
    main()
