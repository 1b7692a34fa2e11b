"""Configurations and devices of a page against each other: what `mbsweep compare` says of the same two."""

import json

import pytest
from browsing import Pages, rest, show
from console import call
from page_runs import FAILED, MADE

OURS = "ours: onnxruntime"
PIXEL = 3  # the first published device, behind the three configurations


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Name of a page -> its file; shared with test_page_edges."""
    return Pages(tmp_path_factory, "page_edges", MADE)


@pytest.fixture(scope="module")
def compared(pages):
    """What `compare` says of a run of three configurations: its second and third against its first."""
    pages("rich")
    run = pages.folder / "rich" / "rich"
    found = json.loads(call("compare", run, "--json").stdout)["pairs"]
    printed = call("compare", run).stdout.splitlines()
    lines = [line for line in printed if line.startswith("B is")]
    assert lines == [f"B is {pair['words']}" for pair in found]
    assert [len(pair["variants"]) for pair in found] == [20, 21]  # one has failed in the second
    return found


def test_two_devices_are_compared_as_compare_does(view, pages, compared):
    """In the line below the figure of the two and in the table of devices: the words and numbers of the
    command, for each further configuration of three against the first.
    """
    with view(pages("rich"), at="tab=devices") as tab:
        lines = tab.locator("#everywhere tbody tr")
        assert "the chosen one" in lines.nth(0).inner_text()
        assert tab.locator("#compared").is_hidden()
        for number, pair in enumerate(compared, start=1):
            cells = lines.nth(number).locator("td").all_inner_texts()
            median, differ = pair["words"].split("; ")[:2]
            assert cells[3].split(" (")[0] == median.split(" in the median")[0]
            assert cells[3].split(" (")[1] == median.split(" (")[1]
            assert differ.startswith(f"{cells[4]} differ beyond their intervals")
            assert cells[5] == f"{pair['tau']:.3f}"
            # The other is across, the chosen one up; so B is the chosen one.
            lines.nth(number).get_by_role("button", name="Against the latencies").click()
            said = tab.locator("#compared").inner_text()
            assert said.endswith(f" (across): {tab.evaluate(f'payload.compared[0][{number}].words')}.")
            tab.evaluate("[state.x, state.y] = [state.y, state.x]; showCompared()")
            assert tab.locator("#compared").inner_text().endswith(f" (across): {pair['words']}.")


def test_each_networks_ratio_is_that_of_compare(view, pages, compared):
    """With its interval and the verdict: in the point's words, and in the details of a network."""
    with view(pages("rich")) as tab:
        for number, pair in enumerate(compared, start=1):
            key = tab.evaluate(f"`latency_ms@${{groups[{number}].key}}`")
            tab.evaluate("(y) => change({ x: 'latency_ms', y, logY: true })", key)
            told = tab.evaluate(
                "Object.fromEntries(ordered.map((point) => [point.row.variant, hoverWords(point)]))"
            )
            assert len(told) == len(pair["variants"])
            for row in pair["variants"]:
                ends = f"(95 &#37;: {row['ratio_low']:.3f} to {row['ratio_high']:.3f})"
                assert f"Up / across: {row['ratio']:.3f} {ends}, {row['b_is']}" in told[row["variant"]]
        (row,) = [row for row in pair["variants"] if row["variant"] == "mobilenet_v1_w0.5_r160_d5"]
        tab.evaluate("(variant) => change({ variant })", row["variant"])
        items = tab.locator("#details li").all_inner_texts()
        assert f"{row['ratio']:.3f} (95 %: {row['ratio_low']:.3f} to {row['ratio_high']:.3f})" in items[2]
        assert items[PIXEL].rstrip().endswith(", interval unknown")


def test_intervals_of_both_devices_are_drawn(view, pages):
    """Across and up, each reaching from the low to the high end of its own configuration; y = x between; no
    front, for nobody chooses between the two.
    """
    with view(pages("rich"), at="x=latency_ms") as tab:
        key = tab.evaluate("`latency_ms@${groups[1].key}`")
        tab.evaluate("(y) => change({ x: 'latency_ms', y, logY: true })", key)
        for group, axis in enumerate("xy"):
            reach = tab.evaluate(
                """([group, axis]) => plot.data.filter((one) => one.customdata).flatMap((trace) => {
                  const bar = trace[`error_${axis}`];
                  const of = (variant) => groups[group].rows.find((row) => row.variant === variant);
                  return trace.customdata.map((variant, at) => {
                    const row = of(variant);
                    return [trace[axis][at] + bar.array[at], row.latency_high_ms,
                            trace[axis][at] - bar.arrayminus[at], row.latency_low_ms];
                  });
                })""",
                [group, axis],
            )
            assert len(reach) == 20
            for high, known_high, low, known_low in reach:
                assert (high, low) == pytest.approx((known_high, known_low))
                assert low < high
        titles = tab.locator("#explorer-plot .xtitle, #explorer-plot .ytitle").all_text_contents()
        first, second = tab.evaluate("wordsOfGroups.slice(0, 2)")
        assert titles == [f"Latency (ms, log scale): {words}" for words in (first, second)]
        assert FAILED not in tab.evaluate("ordered.map(({ row }) => row.variant)")
        assert tab.locator("#explorer-underlay path[stroke-dasharray]").count() == 1
        assert tab.evaluate("marks.hasFront") is False


def test_the_devices_tell_how_far_variants_are_apart(view, pages):
    """10.33733 ms over 0.34426 ms in ONNX Runtime; of mult-adds 568,740,352 over 13,570,048. What cannot be
    compared, because the runs have no network in common, is unknown.
    """
    with view(pages("disjoint"), at="tab=devices") as tab:
        lines = tab.locator("#everywhere tbody tr")
        (found,) = [
            cells for line in lines.all() if (cells := line.locator("td").all_inner_texts())[0] == OURS
        ]
        assert found[7:10] == ["0.344 to 10.3 ms", "30.0 x", "41.9 x"]
        tab.evaluate("change({ group: 0 })")
        rest(tab)
        (found,) = [
            cells for line in lines.all() if (cells := line.locator("td").all_inner_texts())[0] == OURS
        ]
        assert found[3:6] == ["unknown", "", ""]


def test_published_devices_have_ratios_without_a_verdict(view, pages):
    """They print no interval: whether they differ is unknown. They are called by what tells them apart."""
    with view(pages("rich")) as tab:
        show(tab, "devices")
        cells = tab.locator("#everywhere tbody tr").nth(PIXEL).locator("td").all_inner_texts()
        assert cells[0] == "Pixel 3, CPU, 4 threads"
        assert "times as " in cells[3]
        assert cells[4] == "unknown"
        words = tab.evaluate(f"payload.compared[{PIXEL}][0].words")
        assert "; whether they differ is unknown: no interval is;" in words
