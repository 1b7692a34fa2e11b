"""The report page of 16 to 100,000 variants in a real browser; their latencies and accuracies are made up.

How long `mbsweep report` takes, how large the page is, how soon it is drawn, how fast it answers a slider; of
20,000 variants that are only counted, how fast parallel coordinates are drawn.
"""

import math
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from mbsweep.base.progress import Silent
from mbsweep.reporter.pictures import BROWSERS
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.entering import enter_sweep
from mbsweep.sweep.sweep import parse_sweep

LIMITS = {  # variants -> most MB, s until it is drawn, ms for a slider at the median, and at worst
    16: (6, 1.5, 50, 100),
    1_000: (15, 3, 50, 100),
    10_000: (15, 3, 50, 100),
    100_000: (math.inf, math.inf, 100, 100),
}
LINES, LINES_MS = 20_000, 1000  # of parallel coordinates, and the most they may take
COUNTED = """
title: {count} variants
space:
  width: {{from: 0.2, to: 1.19, step: 0.001}}
  resolution: {{from: 128, to: 228, step: 4}}
  depth: [2, 4, 6, 8]
sample: {{count: {count}}}
"""
SWEEP = (
    COUNTED.replace("variants", "variants, latencies and accuracies MADE UP")
    + """\
latency: [{{backend: onnxruntime, kind: predicted}}]
accuracy: {{source: published, table: paper}}
"""
)
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
# Until its lines have been painted: a pixel is read, and frames come in time again.
PARALLEL = """async (wish) => {
  const frame = () => new Promise(requestAnimationFrame);
  const painted = () => {
    for (const canvas of plot.querySelectorAll('.gl-canvas')) {
      const gl = canvas.getContext('webgl');
      gl?.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    }
  };
  await frame();
  const start = performance.now();
  delete plot.dataset.drawn;
  change(wish);
  while (plot.dataset.drawn !== 'yes') await new Promise((done) => setTimeout(done));
  let last = start;
  for (let calm = 0; calm < 3; ) {
    const before = performance.now();
    painted();
    await frame();
    const now = performance.now();
    calm = now - before < 34 ? calm + 1 : 0;
    if (!calm || last === start) last = now;
  }
  return last - start;
}"""


def main() -> None:
    """Print a line for each size."""
    path = next(filter(None, map(shutil.which, BROWSERS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for count in LIMITS:
            report(count, Path(folder), browser)
        parallel(Path(folder), browser)
        browser.close()


def report(count: int, folder: Path, browser: Browser) -> None:
    """Write a run and its page, open it, move a slider; print what that took."""
    make_run(count, folder / str(count))
    page, written_s = write_page(folder / str(count))
    tab = open_page(page, browser)
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


def parallel(folder: Path, browser: Browser) -> None:
    """The same of a run that only counts: turn to parallel coordinates, then set a budget."""
    sweep = parse_sweep(COUNTED.format(count=LINES), "counted.yaml")
    with Store.write(folder / "counted") as store:
        enter_sweep(store, sweep, count_space(sweep), None, Silent())
    page, _ = write_page(folder / "counted")
    tab = open_page(page, browser)
    took_ms = [tab.evaluate(PARALLEL, wish) for wish in ({"view": "parallel"}, {"limits": {"macs": 4e8}})]
    said = tab.locator("#explorer-remark").inner_text().partition(":")[0]
    tab.close()
    print(
        f"{LINES:7,} counted variants: parallel coordinates are drawn in {took_ms[0]:.0f} ms, and under a "
        f"budget in {took_ms[1]:.0f} (at most {LINES_MS} each); {said}"
    )


def write_page(run: Path) -> tuple[Path, float]:
    """The page of a run, beside it, and how many seconds that took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "mbsweep", "report", str(run), "--html", str(run.parent)]
    subprocess.run(command, check=True, capture_output=True)
    return run.parent / f"{run.name}.html", time.perf_counter() - start


def open_page(page: Path, browser: Browser) -> Page:
    """In a tab, once its first figure is drawn."""
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(page.as_uri(), wait_until="commit")
    tab.wait_for_function(DRAWN)
    return tab


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
