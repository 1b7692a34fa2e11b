"""The labels along the axes, read where they stand: the explorer, the figures, pictures and `Run.figure`."""

import math

import pytest
from browsing import NARROW, WIDE, Pages, check_labels
from reporter_runs import WIDTH_RES, write_run

from mbsweep.table.results import open_run

# Runtime -> the fastest and the slowest latency in ms. Plotly adds some space beyond both.
SPANS = {
    "onnxruntime": (2.2, 20.0),  # less than a decade, and with that space more
    "torch": (3.0, 21.0),  # less than a decade, and little more with it
    "openvino": (5.0, 5.6),
    "executorch": (0.004, 70.0),  # several decades
    "torch_compile": (11.0, 650.0),
}


def spanning_ms(config, variant):
    """From the fastest to the slowest, evenly on a log axis by width and resolution."""
    fast, slow = SPANS[config.backend]
    place = ((variant.width / 0.25 - 1) * 4 + (variant.resolution - 128) / 32) / 15
    return fast * (slow / fast) ** place


def spans(folder):
    """The paper's sixteen networks, in a configuration of each span."""
    head, tail = WIDTH_RES[: WIDTH_RES.index("latency:")], WIDTH_RES[WIDTH_RES.index("accuracy:") :]
    latency = ", ".join(f"{{backend: {name}, rounds: 1}}" for name in SPANS)
    return write_run(folder, f"{head}latency: [{latency}]\n{tail}", spanning_ms, lambda variant: 1)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Name of a page -> its file."""
    return Pages(tmp_path_factory, "page_labels", {"spans": {"spans": spans}})


VIEWS = [  # across and up, each with whether it is log
    ("latency_ms", True, "top1_pct", False),
    ("params", True, "latency_ms", True),
    ("weight_bytes", False, "macs", True),
    ("latency_ms", False, "peak_activation_bytes", False),
]


def test_every_label_of_the_explorer_is_the_number_of_its_place(open_page, pages):
    """In every view, for latencies over less than a decade, over several, and over less but for the space
    around them; wide and narrow; zoomed in, out, and between two labels.
    """
    with open_page(pages("spans")) as tab:
        counted = 0
        for width in (WIDE, NARROW):
            tab.set_viewport_size({"width": width, "height": 900})
            for group in range(len(SPANS)):
                for x, log_x, y, log_y in VIEWS[: 4 if width == WIDE else 2]:
                    wish = {"group": group, "x": x, "y": y, "logX": log_x, "logY": log_y}
                    tab.evaluate("async (wish) => { change(wish); await drawExplorer(); }", wish)
                    counted += check_labels(tab, "#explorer-plot")
        assert counted == len(SPANS) * (4 + 3)
        tab.evaluate("async () => { change({ ...INITIAL, logY: true }); await drawExplorer(); }")
        for ends in ([2.1, 4.6], [0.3, 900], [12, 13]):
            change = {"xaxis.range": [math.log10(end) for end in ends]}
            tab.evaluate(
                "async (change) => { await Plotly.relayout(plot, change); await chooseTicks(plot); }", change
            )
            assert check_labels(tab, "#explorer-plot") == 2


def test_every_label_of_the_figures_is_the_number_of_its_place(open_page, pages):
    """All panels of the page; and each of them as `Run.figure` gives it, drawn without a script of ours."""
    with open_page(pages("spans"), figures=True) as tab:
        for figure in ("accuracy_latency", "latency_macs", "accuracy_macs", "accuracy_params"):
            assert check_labels(tab, f"#{figure}") > 0
        run = open_run(pages.folder / "spans" / "spans")
        tab.evaluate("document.querySelector('main').prepend(make('div', { id: 'alone' }))")
        for config in run.table()["config"].unique():
            figure = run.figure("top1_pct", "latency_ms", config).to_json()
            tab.evaluate("(figure) => Plotly.newPlot('alone', JSON.parse(figure))", figure)
            assert check_labels(tab, "#alone") == (0 if config.startswith("openvino") else 1)
