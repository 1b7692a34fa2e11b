"""Every command and every sweep that the page's details suggest, typed as it stands."""

import shlex

import pytest
from browsing import Pages, opened
from console import call
from page_runs import written

from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import load_sweep
from mbsweep.table.results import open_run

GRID = """\
variants:
  - {width: 0.3333333333333333, resolution: 32, depth: 1, stem_stride: 1}
  - {width: 1.0e-7, resolution: 32, block: standard}
  - {width: 0.5, resolution: 20, depth: 0, stage_channels: [48, 50, 52, 54, 56], num_classes: 10, divisor: 3}
latency:
  - {backend: onnxruntime, rounds: 12}
  - {backend: torch, mode: forward_backward, batch: 16, cpus: [0], rounds: 12}
  - {backend: onnxruntime, kind: predicted, max_blocks: 30}
"""
FEW = "{name: digits, train: 100, validation: 50, test: 50}"  # images, which the run reads
GRIDS = {
    "published": GRID + "accuracy: {source: published, table: tf-slim-2018-08-02}\n",
    "trained": GRID + f"accuracy: {{source: trained, dataset: {FEW}, seeds: [3, 1]}}\n",
}
MADE = {name: {"its run": written(text, rounds=lambda _: 12)} for name, text in GRIDS.items()}
UNUSUAL = [
    "mobilenet_v1_w0.3333333333333333_r32_d1_s1",
    "mobilenet_v1_w0.5_r20_d0_c48-50-52-54-56_n10_div3",
]
RANDOM = "The file is right for latency, not for accuracy."


@pytest.fixture(scope="module")
def suggestions(tmp_path_factory, browser):
    """Page -> variant -> what the details suggest in each configuration, and what is said of the export."""
    pages = Pages(tmp_path_factory, "page_commands", MADE)
    found = {}
    for name in MADE:
        with opened(browser, pages(name)) as tab:
            variants = dict.fromkeys(open_run(pages.folder / name / "its run").table()["variant"])
            found[name] = tab.evaluate(
                """async (variants) => {
                  const found = {};
                  for (const variant of variants) {
                    found[variant] = [];
                    for (const group of [0, 1, 2]) {
                      change({ variant, group });
                      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
                      const told = [...document.querySelectorAll("#details .snippet")];
                      const texts = told.map((one) => one.querySelector("pre").textContent);
                      found[variant].push([...texts, told.at(-1).querySelector("p").textContent]);
                    }
                  }
                  return found;
                }""",
                list(variants),
            )
    return found


@pytest.mark.parametrize("name", GRIDS)
def test_every_sweep_is_planned_and_has_its_variant(name, suggestions, tmp_path):
    """In each configuration: `plan` accepts it, and it builds the variant of the details alone."""
    sweep = tmp_path / "copied.yaml"
    assert len(suggestions[name]) == 3
    for variant, of_groups in suggestions[name].items():
        backends = []
        for text, *_ in of_groups:
            sweep.write_text(text, encoding="utf-8")
            asked = load_sweep(sweep)
            assert list(count_space(asked).ids()) == [variant]
            backends += [config.id for config in asked.latency]
            planned = call("plan", sweep, "--out", tmp_path / "run")
            assert (planned.exit_code, planned.stderr) == (0, ""), text
        measured = "onnxruntime-fp32-b1-t1"
        assert backends == [measured, "torch-fp32-b16-t1-forward_backward-cpu0", measured]


def test_every_command_shows_its_variant(suggestions):
    """`mbsweep show` with what is unusual of it: width 1/3, stem stride 1, block, divisor, channels."""
    for variant, ((_, show, _, _), *_) in suggestions["published"].items():
        _, *words = shlex.split(show)
        shown = call(*words)
        assert (shown.exit_code, shown.stderr) == (0, ""), show
        assert shown.stdout.splitlines()[0] == variant


def test_a_command_exports_its_variant_and_its_words_say_with_which_weights(
    suggestions, tmp_path, monkeypatch
):
    """The most unusual ones. Where a network is not trained yet, no weights are said to lie in the run."""
    monkeypatch.chdir(tmp_path)
    unusual = [
        "mobilenet_v1_w0.3333333333333333_r32_d1_s1",
        "mobilenet_v1_w0.5_r20_d0_c48-50-52-54-56_n10_div3",
    ]
    for variant in unusual:
        (_, _, export, words), *_ = suggestions["published"][variant]
        assert words == RANDOM
        _, *typed = shlex.split(export)
        done = call(*typed)
        assert (done.exit_code, done.stderr) == (0, ""), export
        assert done.stdout.startswith(f"{variant}.onnx: {variant} at fp32, ")
        assert (tmp_path / f"{variant}.onnx").stat().st_size > 10_000
    for page in suggestions.values():
        assert {words for of in page.values() for *_, words in of} == {RANDOM}
