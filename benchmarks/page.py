"""The report page of 16 to 100,000 variants in a real browser; their latencies and accuracies are made up.

How long `mbsweep report` takes, how large the page is, how soon it is drawn, how fast it answers a slider.
"""

import math
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from mbsweep.base.progress import Silent
from mbsweep.pipeline import enter_sweep
from mbsweep.reporter.pictures import BROWSERS
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep

LIMITS = {  # variants -> most MB, s until it is drawn, ms for a slider at the median, and at worst
    16: (6, 1.5, 50, 100),
    1_000: (15, 3, 50, 100),
    10_000: (15, 3, 50, 100),
    100_000: (math.inf, math.inf, 100, 100),
}
SWEEP = """
title: {count} variants, latencies and accuracies MADE UP
space:
  width: {{from: 0.2, to: 1.19, step: 0.001}}
  resolution: {{from: 128, to: 228, step: 4}}
  depth: [2, 4, 6, 8]
sample: {{count: {count}}}
latency: [{{backend: onnxruntime, kind: predicted}}]
accuracy: {{source: published, table: paper}}
"""
DRAWN = "document.querySelector('#explorer-plot').dataset.drawn === 'yes'"
# Two frames after the slider has moved, what it changes has been painted.
SLIDE = """async () => {
  const slider = document.querySelector('#slider-latency_ms');
  const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const top = () => document.querySelector('#explorer-plot').getBoundingClientRect().top;
  const took = [], tops = new Set();
  for (let step = 950; step >= 150; step -= 50) {
    await painted();
    const start = performance.now();
    slider.value = step;
    slider.dispatchEvent(new Event('input'));
    await painted();
    took.push(performance.now() - start);
    tops.add(top());
  }
  return [took, Math.max(...tops) - Math.min(...tops)];
}"""


def main() -> None:
    """Print a line for each size."""
    path = next(filter(None, map(shutil.which, BROWSERS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for count in LIMITS:
            report(count, Path(folder), browser)
        browser.close()


def report(count: int, folder: Path, browser: Browser) -> None:
    """Write a run and its page, open it, move a slider; print what that took."""
    make_run(count, folder / str(count))
    start = time.perf_counter()
    command = [sys.executable, "-m", "mbsweep", "report", f"{folder}/{count}", "--html", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    written_s = time.perf_counter() - start
    page = folder / f"{count}.html"
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(page.as_uri(), wait_until="commit")
    tab.wait_for_function(DRAWN)
    drawn_s = tab.evaluate("performance.now()") / 1000
    took_ms, shift = tab.evaluate(SLIDE)
    points = tab.locator("#explorer-remark").inner_text().partition(";")[0]
    tab.close()
    most_mb, most_s, usual_ms, most_ms = LIMITS[count]
    print(
        f"{count:7,} variants: written in {written_s:.1f} s, {page.stat().st_size / 1e6:.1f} MB "
        f"(at most {most_mb}), drawn after {drawn_s:.1f} s (at most {most_s}), a slider answers in "
        f"{np.median(took_ms):.0f} ms (at most {usual_ms}), at worst {max(took_ms):.0f} (at most {most_ms}), "
        f"the figure moves by {shift:.0f} pixels (0); {points}"
    )


def make_run(count: int, folder: Path) -> None:
    """A run whose latencies follow from mult-adds and accuracies from their logarithm, with some noise."""
    sweep = parse_sweep(SWEEP.format(count=count), "made_up.yaml")
    space = count_space(sweep)
    chance = np.random.default_rng(0)
    ns = (space.macs / 100 + 5e4) * chance.lognormal(0, 0.05, count)
    top1 = 20 + 8 * np.log10(space.macs / 1e6) + chance.normal(0, 1, count)
    opened = sweep.accuracy.open(space, print) if sweep.accuracy else None
    with Store.write(folder) as store:
        enter_sweep(store, sweep, space, opened, Silent())
        session = store.begin_session({"description": "MADE UP, no device"}, {"mbsweep": "made up"})
        rows = zip(space.ids(), ns.tolist(), (0.97 * ns).tolist(), (1.03 * ns).tolist(), strict=True)
        store.set_predictions(sweep.latency[0].id, session, {"summary": "MADE UP"}, rows)
        values = [(value, id_) for value, id_ in zip(top1.tolist(), space.ids(), strict=True)]
        with store._transaction() as sql:
            sql.executemany(
                "UPDATE accuracies SET top1_pct = ?, kind = 'MADE UP', reason = '' WHERE variant = ?",
                values,
            )


if __name__ == "__main__":
    main()
