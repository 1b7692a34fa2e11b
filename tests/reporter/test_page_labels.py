"""The labels along the axes, read where they stand: the explorer, the figures, pictures and `Run.figure`."""

import math
from itertools import pairwise

import pytest
from axis_labels import check_labels
from browsing import NARROW, WIDE, Pages
from reporter_runs import WIDTH_RES, write_run

from mbsweep.table.results import open_run

# Runtime -> the fastest and the slowest latency in ms. Plotly adds some space beyond both.
SPANS = {
    "onnxruntime": (2.2, 20.0),  # less than a decade, and with that space more
    "torch": (3.0, 25.0),  # less than a decade, and little more with it
    "openvino": (5.0, 5.6),
    "executorch": (0.004, 70.0),  # several decades
    "torch_compile": (0.5, 20.0),
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


DRAW = "async (wish) => { change(wish); await drawExplorer(); }"
ZOOM = """async (ends) => {
  await Plotly.relayout(plot, { 'xaxis.range': ends, 'yaxis.range': ends });
  await chooseTicks(plot);
}"""


def test_every_label_of_the_presets_is_the_number_of_its_place(view, pages):
    """Of every ready-made view, those of latencies in every configuration: over less than a decade, over
    several, and over less but for the space around them; narrow and wide; zoomed in, out, and between two
    labels.
    """
    with view(pages("spans")) as tab:
        presets = tab.evaluate("Object.values(PRESETS).filter(({ view }) => view === 'scatter')")
        plot = tab.locator("#explorer-plot")
        views = [
            {**p, "group": n} for p in presets for n in range(len(SPANS) if "latency_ms" in p.values() else 1)
        ]
        assert len(views) == 2 * len(SPANS) + 2
        for width in (NARROW, WIDE):
            tab.set_viewport_size({"width": width, "height": 900})
            for wish in views:
                tab.evaluate(DRAW, wish)
                assert check_labels(tab, "#explorer-plot") == wish["logX"] + wish["logY"]
        for ends in ([0.5, 20], [3, 25], [0.9, 1.1], [2.1, 4.6], [0.3, 900], [12, 13], [1, 1.9]):
            tab.evaluate(ZOOM, [math.log10(end) for end in ends])
            assert check_labels(tab, "#explorer-plot") == 2
            ticks, labels = (plot.locator(one).count() for one in (".xtick.ticks", ".xtick > text"))
            assert ticks > labels


def test_every_label_of_any_number_is_the_number_of_its_place(view, pages):
    """Each number across on a log axis, and up as it is; so the latencies of each other device."""
    with view(pages("spans")) as tab:
        keys = tab.evaluate("axes().map(({ key }) => key)")
        assert len([key for key in keys if "@" in key]) > len(SPANS)  # published devices, too
        for x, y in pairwise([*keys, keys[0]]):
            tab.evaluate(DRAW, {"x": x, "y": y, "logX": True, "logY": False})
            if tab.evaluate("located().length > 0"):
                check_labels(tab, "#explorer-plot")


def test_every_label_of_the_figures_is_the_number_of_its_place(view, pages):
    """All panels of the page; and each of them as `Run.figure` gives it, drawn without a script of ours."""
    with view(pages("spans"), figures=True) as tab:
        for figure in ("accuracy_latency", "latency_macs", "accuracy_macs", "accuracy_params"):
            assert check_labels(tab, f"#{figure}") > 0
        run = open_run(pages.folder / "spans" / "spans")
        tab.evaluate("document.querySelector('main').prepend(make('div', { id: 'alone' }))")
        for config in run.table()["config"].unique():
            figure = run.figure("top1_pct", "latency_ms", config).to_json()
            tab.evaluate("(figure) => Plotly.newPlot('alone', JSON.parse(figure))", figure)
            assert check_labels(tab, "#alone") == (0 if config.startswith("openvino") else 1)
