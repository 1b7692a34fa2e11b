"""Bytes against accuracy: a line per network from step to step, and what others have published."""

import pandas as pd
import pytest

from mbsweep.accuracy.published import compression_figures
from mbsweep.reporter.compressed import bytes_accuracy, published_bytes


def row(width, step, scheme, before, size, top1):
    network = {
        "run": "run",
        "variant": f"v{width}",
        "family": "mobilenet_v1",
        "width": width,
        "resolution": 64,
    }
    told = {"step": step, "scheme": scheme, "goes_on_from": before, "bytes": size, "ratio": 4000 / size}
    intervals = {"top1_low_pct": top1 - 1, "top1_high_pct": top1 + 2}
    drop = {"top1_drop_pct": 0.5, "top1_drop_low_pct": 0.25, "top1_drop_high_pct": 0.75}
    return network | told | {"top1_pct": top1} | intervals | drop


ROWS = pd.DataFrame(
    [
        row(0.5, "trained", "as trained", None, 4000, 97),
        row(0.5, "pruned", "80 % pruned", "as trained", 1000, 96),
        row(0.5, "shared", "80 % pruned, 5 bits", "80 % pruned", 400, 95),
        row(0.5, "int8", "onnxruntime int8", "as trained", 1100, 94),
        row(0.25, "trained", "as trained", None, 1000, 93),
    ]
)


def test_a_line_goes_from_each_step_to_the_next():
    """Pruned and int8 from the trained network, shared from pruned; a network with one point has none."""
    lines = [trace for trace in bytes_accuracy(ROWS).data if trace.mode == "lines"]
    assert list(lines[0].x) == [4000, 1000, None, 1000, 400, None, 4000, 1100, None]
    assert list(lines[0].y) == [97, 96, None, 96, 95, None, 97, 94, None]
    assert list(lines[1].x) == []


def test_points_have_intervals_and_markers_of_their_step():
    """One below, two above; bytes on a log axis; the legend has the steps that there are."""
    figure = bytes_accuracy(ROWS)
    (points, _) = [trace for trace in figure.data if trace.mode == "markers" and trace.customdata is not None]
    assert list(points.error_y.array) == [2] * 4
    assert list(points.error_y.arrayminus) == [1] * 4
    assert len(set(points.marker.symbol)) == 4
    assert points.customdata[1][4] == "<br>Drop: 0.50 points (0.25 to 0.75)"
    assert figure.layout.xaxis.type == "log"
    named = [trace.name for trace in figure.data if trace.name]
    assert named == ["width 0.25", "width 0.5", "trained", "pruned", "shared", "int8"]


def test_runs_stand_below_each_other():
    """Two panels."""
    figure = bytes_accuracy(pd.concat([ROWS, ROWS.assign(run="other")]))
    assert {trace.xaxis for trace in figure.data if trace.mode == "lines"} == {"x", "x2"}


@pytest.mark.parametrize("figure", [bytes_accuracy, published_bytes])
def test_a_run_without_them_has_no_figure(figure):
    """Nor one whose networks are not compressed yet."""
    assert figure(ROWS.assign(top1_pct=float("nan"))) is None
    assert figure(ROWS.head(0)) is None


def test_published_networks_have_their_sources():
    """AlexNet of Table 1 of arXiv:1510.00149: 6.9 MB, 57.22 %; LeNets learnt other images."""
    traces = {trace.marker.symbol: trace for trace in published_bytes(ROWS).data if trace.text is not None}
    texts = [text for trace in traces.values() for text in trace.text]
    assert len(texts) == 35
    (alexnet,) = [text for text in texts if "AlexNet" in text]
    assert "arXiv:1510.00149" in alexnet
    assert not any("LeNet" in text and "AlexNet" not in text for text in texts)
    assert all(figure["source"] and figure["size_mb"] > 0 for figure in compression_figures())
    (row_,) = [figure for figure in compression_figures() if figure["model"] == "VGG-16"]
    assert (row_["top1_pct"], row_["size_mb"], row_["ratio"]) == (68.83, 11.3, 49)
