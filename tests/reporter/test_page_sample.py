"""Of a run that is too large for a page, it has a sample: nothing of it is named as the best of all."""

import shlex

import numpy as np
import pytest
from browsing import NARROW, Pages
from console import call
from reporter_runs import write_run

from mbsweep import count_space
from mbsweep.sweep.sweep import parse_sweep

FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
BIG = """\
space: {width: {from: 0.1, to: 2.0, step: 0.005}, resolution: {from: 96, to: 320, step: 1}}
sample: {count: 12000}
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """2,000 rows for a run of 12,000 counted variants, in a folder that a shell must be told of with care,
    and for one of sixteen that were measured.
    """
    made = {"both": {"big's $run": lambda folder: write_run(folder, BIG), "small": write_run}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mbsweep.reporter.thinning.MAX_ROWS", 2000)
        yield Pages(tmp_path_factory, "page_sample", made)


@pytest.fixture(scope="module")
def space():
    return count_space(parse_sweep(BIG, "made_up.yaml"))


def picked(command):
    """The best of all rows, as the command that the page suggests names it."""
    words = shlex.split(command)
    assert words[:2] == ["mbsweep", "pick"]
    result = call(*words[1:], "--quiet")
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_sample_names_no_best_but_the_command_that_does(open_page, pages, space):
    """Asked for one cost, it has the best of all 12,000: the least of it, at a tie the fewest mult-adds, then
    parameters. Asked for two: no variant in the answer or on the figure; the command, run as it stands there,
    gives it.
    """
    sizes = {"macs": space.macs, "params": space.params, "peak_activation_bytes": space.peak_activation_bytes}
    ids = np.array(list(space.ids()))
    with open_page(pages("both"), at="x=macs&y=params") as tab:
        big = tab.locator("#group option", has_text="big's $run").get_attribute("value")
        tab.locator("#group").select_option(big)
        assert tab.evaluate("groupRows().length") < 2000
        for by, limits in (
            ("macs", {"macs": 200e6}),
            ("macs", {"params": 3e6, "peak_activation_bytes": 900e3}),
            ("peak_activation_bytes", {"macs": 350e6, "peak_activation_bytes": 1200e3}),
        ):
            tab.locator("#reset").click()
            tab.locator("#by").select_option(by)
            for name, limit in limits.items():
                scale = 1e3 if name.endswith("bytes") else 1e6
                tab.locator(f"#budget-{name}").fill(repr(limit / scale))
            tab.evaluate(FRAME)
            assert "of a sample of 12,000 rows, " in tab.locator("#explorer-remark").inner_text()
            assert "there are 12,000" in tab.locator("#counts").inner_text()
            fits = np.logical_and.reduce([sizes[name] <= limit for name, limit in limits.items()])
            best = ids[fits][np.lexsort([sizes[name][fits] for name in ("params", "macs", by)])[0]]
            if {by, *limits} == {by}:  # of one cost
                named = tab.locator("#answer .sentence button.variant")
                assert named.get_attribute("title") == best
                continue
            assert tab.locator("#answer .sentence").inner_text() == "No best is named."
            assert tab.locator("#answer button.variant").count() == 0
            assert tab.locator("#explorer-overlay text").count() == 0
            assert picked(tab.locator("#answer pre").inner_text()) == best


def test_the_ends_of_a_sample_are_those_of_all(open_page, pages, space):
    """Sliders end where the whole run does."""
    with open_page(pages("both")) as tab:
        tab.locator("#group").select_option(label="big's $run: counted only")
        for name, values in (("macs", space.macs), ("params", space.params)):
            assert tab.evaluate("(name) => span(name)", name) == [values.min(), values.max()]
        assert f", a sample of {12_000 + 16 * 2:,}" in tab.locator("#count").inner_text()


def test_what_a_page_has_whole_it_judges(open_page, pages):
    """The sixteen measured ones beside the sample: all on the page, the best of them named, also narrow."""
    with open_page(pages("both"), width=NARROW) as tab:
        small = tab.locator("#group option", has_text="small: onnxruntime").get_attribute("value")
        tab.locator("#group").select_option(small)
        assert tab.locator("#answer .sentence button").inner_text() == "1-224"
        assert tab.locator("#counts").inner_text() == "16 variants."
        assert "sample" not in tab.locator("#explorer-remark").inner_text()
