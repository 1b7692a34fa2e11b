"""A million variants, counted only: how long `pick` and `report` take, and whether the page, which has a
sample, answers as `pick` does, which has all.
"""

import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.page import DRAWN
from mbsweep import count_space, load_sweep
from mbsweep.reporter.pictures import BROWSERS

SWEEP = "sweeps/space_1m.yaml"
MBSWEEP = [sys.executable, "-m", "mbsweep"]
COSTS = ("macs", "params", "weight_bytes", "peak_activation_bytes")
BUDGETS = 20
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def main() -> None:
    """Print the figures; exit with an error where the page answers otherwise than `pick`."""
    with tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/space_1m"
        _timed("run", SWEEP, "--out", run)
        _timed("pick", run, "--minimize", "macs", "--max-params", "3e6", most_s=5)
        _timed("front", run, "--cost", "macs", "--value", "top1_pct", expected=2)
        _timed("table", run, "--sort", "macs", "-o", f"{folder}/table.csv")
        _timed("report", run, "--html", folder, most_s=15)
        agree = _agreeing(Path(f"{run}.html"))
    print(f"{agree} of {BUDGETS} budgets: the page answers as `pick` does")
    if agree < BUDGETS:
        sys.exit(1)


def _timed(*words: str, most_s: float | None = None, expected: int = 0) -> None:
    """Run a command, and print what it took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*MBSWEEP, *words], capture_output=True, check=False)
    wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != expected:
        sys.exit(done.stderr.decode())
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    asked = f" (at most {most_s:g})" if most_s else ""
    print(f"{words[0]}: {wall_s:.1f} s{asked}, of the processor {cpu_s:.1f} s", flush=True)


def _agreeing(page: Path) -> int:
    """Of how many budgets the page names the best of all, or tells the `pick` that does."""
    path = next(filter(None, map(shutil.which, BROWSERS)))
    space = count_space(load_sweep(SWEEP))
    ids, sizes = np.array(list(space.ids())), {name: getattr(space, name) for name in COSTS}
    chance = random.Random(0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(page.as_uri())
        tab.wait_for_function(DRAWN)
        agree = 0
        for number in range(BUDGETS):
            goal = chance.choice(COSTS)
            named = {goal} if number % 2 else {goal, *chance.sample(COSTS, 2)}
            limits = {name: float(chance.choice(sizes[name])) for name in COSTS if name in named}
            fits = np.logical_and.reduce([sizes[name] <= limit for name, limit in limits.items()])
            keys = [sizes[name][fits] for name in ("params", "macs", goal)]
            best = ids[fits][np.lexsort(keys)[0]] if fits.any() else ""
            options = [f"--max-{name.replace('_', '-')}={limit!r}" for name, limit in limits.items()]
            picked = _picked("mbsweep", "pick", str(page.with_suffix("")), "--minimize", goal, *options)
            agree += best == picked == _of_page(tab, goal, limits)
        browser.close()
    return agree


def _picked(*words: str) -> str:
    """The id that a `pick` names; empty where nothing fits."""
    done = subprocess.run([*MBSWEEP, *words[1:], "-q"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _of_page(tab: Page, goal: str, limits: dict[str, float]) -> str:
    """The id that the page names under a budget, or that the command does which it gives in its place."""
    tab.locator("#reset").click()
    tab.locator("#by").select_option(goal)
    for name, limit in limits.items():
        tab.locator(f"#budget-{name}").fill(repr(limit / (1e3 if name.endswith("bytes") else 1e6)))
    tab.evaluate(PAINTED)
    sentence = tab.locator("#answer .sentence")
    if re.match("No best is named", sentence.inner_text()):
        return _picked(*shlex.split(tab.locator("#answer pre").inner_text()))
    return sentence.locator("button.variant").first.get_attribute("title") or ""


if __name__ == "__main__":
    main()
