"""Predicted accuracies: as good as they say, with intervals that hold, and none beyond the points."""

import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import made_run
from reporter_runs import merged, write_run
from strategies import any_variants

from mbsweep import MbsweepError, Variant, count, open_run
from mbsweep.accuracy.model import Model, Points, falls, numbers_of
from mbsweep.accuracy.predicted import PredictedAccuracy
from mbsweep.accuracy.published import PublishedAccuracy
from mbsweep.accuracy.source import Opened
from mbsweep.accuracy.value import Accuracies, Accuracy
from mbsweep.plan import plan
from mbsweep.reporter.figures import FIGURES
from mbsweep.space.space import Space
from mbsweep.sweep.here import check
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.results import combine

TF_SLIM = "tf-slim-2018-08-02"
NOTE = "fitted on 16 points; each predicted from the others is 0.29 points of top-1 off on average, 1.00 at "
NOTE += "worst"


def _predict(*variants, precision="fp32", **origin):
    config = PredictedAccuracy(source="predicted", **(origin or {"table": TF_SLIM}))
    return list(config.open(Space.of(variants), print).known(precision))


def _one(extrapolate=False, table=TF_SLIM, **fields):
    (accuracy,) = _predict(Variant(**fields), table=table, extrapolate=extrapolate)
    return accuracy


# -- the model --------------------------------------------------------------------------------------------

# numpy.linalg.lstsq on the sixteen networks, apart from mbsweep; scipy's t(0.975, 12); by hand else.
BY_LSTSQ = [
    (1.0, 224, 71.2972, 70.6259, 71.9593),
    (0.6, 176, 63.6429, 62.9323, 64.3476),
    (0.35, 144, 51.7645, 51.0056, 52.5226),
    (0.25, 128, 42.0756, 41.2638, 42.8917),
]


@pytest.mark.parametrize(("width", "resolution", "top1_pct", "low_pct", "high_pct"), BY_LSTSQ)
def test_predictions_are_those_of_least_squares(width, resolution, top1_pct, low_pct, high_pct):
    """Top-1 and its 95 % prediction interval; top-5 stays unknown; the row says what it is."""
    accuracy = _one(width=width, resolution=resolution)
    found = (accuracy.top1_pct, accuracy.top1_low_pct, accuracy.top1_high_pct)
    assert found == pytest.approx((top1_pct, low_pct, high_pct), abs=1e-4)
    assert math.isnan(accuracy.top5_pct)
    assert (accuracy.kind, accuracy.source) == ("predicted", f"predicted from {TF_SLIM}")
    assert (accuracy.dataset, accuracy.shared_note) == ("ImageNet, validation part", NOTE)
    assert (accuracy.note, accuracy.marks) == ("", "")
    assert accuracy.reason == ""


def _left_out(points, place):
    """One network, its accuracy, and what a model of all the others gives it."""
    others = [variant for other, variant in enumerate(points.variants) if other != place]
    model = Model(others, np.delete(points.top1_pct, place))
    variant = points.variants[place]
    numbers = np.array([[variant.width, variant.resolution, variant.depth, count(variant).macs]], dtype=float)
    return points.top1_pct[place], *(float(value[0]) for value in model.predict(numbers))


def test_leave_one_out_error_is_at_most_one_point():
    """Refitted without each of the sixteen: 0.29 points off on average, 1.00 at worst, as the model says."""
    points = Points.of_table(TF_SLIM)
    refitted = [_left_out(points, place) for place in range(16)]
    errors = [predicted - known for known, predicted, _, _ in refitted]
    assert np.abs(errors).mean() == pytest.approx(0.28953, abs=1e-4)  # numpy.linalg.lstsq, apart from mbsweep
    assert np.abs(errors).max() == pytest.approx(0.99948, abs=1e-4)
    assert Model(points.variants, points.top1_pct).left_out_pct == pytest.approx(errors)


def test_intervals_hold_for_networks_left_out():
    """15 of the 16 lie in the 95 % interval of a model that has not seen them: 94 %."""
    points = Points.of_table(TF_SLIM)
    refitted = [_left_out(points, place) for place in range(16)]
    assert sum(low <= known <= high for known, _, low, high in refitted) == 15


def test_more_width_or_resolution_is_never_less_accuracy():
    """Everywhere within the points, though the channels are rounded: a step more never predicts less."""
    widths, resolutions = [0.25 + 0.01 * step for step in range(76)], range(128, 225, 8)
    found = _predict(*(Variant(width=w, resolution=r) for w in widths for r in resolutions))
    top1_pct = np.array([accuracy.top1_pct for accuracy in found]).reshape(len(widths), len(resolutions))
    assert not np.isnan(top1_pct).any()
    assert (np.diff(top1_pct, axis=0) > -1e-9).all()
    assert (np.diff(top1_pct, axis=1) > -1e-9).all()


@settings(max_examples=50)
@given(any_variants(), st.booleans())
def test_a_prediction_is_a_percentage_or_has_a_reason(variant, extrapolate):
    """Whatever is asked: an accuracy with an interval around it, or none and why."""
    (accuracy,) = _predict(variant, table=TF_SLIM, extrapolate=extrapolate)
    assert math.isnan(accuracy.top1_pct) == bool(accuracy.reason) == (accuracy.shared_note == "")
    if not accuracy.reason:
        assert 0 <= accuracy.top1_pct <= 100
        is_beyond = accuracy.marks == "extrapolated"
        assert is_beyond or accuracy.top1_low_pct < accuracy.top1_pct < accuracy.top1_high_pct
        assert extrapolate or not is_beyond


def test_a_term_that_hangs_on_one_point_is_left_out_with_it():
    """The paper's only network of another depth tells nothing that another point could check."""
    paper = Points.of_table("paper")
    separable = [place for place, one in enumerate(paper.variants) if one.values.get("block") == "separable"]
    model = Model([paper.variants[place] for place in separable], paper.top1_pct[separable])
    assert (len(separable), model.count) == (9, 8)
    assert (model.low[2], model.high[2]) == (5, 5)


def test_depth_is_a_term_where_the_points_differ_in_it():
    """Made-up points that follow the model with a depth of their own are met exactly."""
    variants = [
        Variant(width=width, resolution=resolution, depth=depth)
        for width in (0.25, 0.5, 1.0)
        for resolution in (128, 224)
        for depth in (0, 3, 8)
    ]
    log_macs = np.log([count(variant).macs for variant in variants])
    bend = np.array([math.log(variant.width) ** 2 for variant in variants])
    deep = np.log1p([variant.depth for variant in variants])
    logits = 0.2 * log_macs - 0.1 * bend + 0.4 * deep - 3.7
    model = Model(variants, 100 / (1 + np.exp(-logits)))
    assert np.abs(model.left_out_pct).max() < 1e-6


def test_points_of_0_and_100_percent_are_finite():
    """A logit of either has no end: they count as 0.05 and 99.95 %."""
    variants = [Variant(resolution=resolution) for resolution in (96, 128, 160, 192, 224)]
    model = Model(variants, np.array([0, 10, 50, 90, 100.0]))
    assert np.isfinite(model.left_out_pct).all()


# -- what it refuses --------------------------------------------------------------------------------------

BEYOND = [
    ({"width": 0.1}, "width 0.1 is below the points' 0.25"),
    ({"width": 1.01}, "width 1.01 is above the points' 1"),
    ({"resolution": 127}, "resolution 127 is below the points' 128"),
    ({"resolution": 256}, "resolution 256 is above the points' 224"),
    ({"depth": 0}, "depth 0 is below the points' 5"),
    ({"depth": 6}, "depth 6 is above the points' 5"),
]


@pytest.mark.parametrize(("fields", "words"), BEYOND, ids=str)
def test_beyond_the_points_is_predicted_only_when_asked(fields, words):
    """NaN with the reason; `extrapolate` predicts it, says so in the note, and gives no interval."""
    accuracy = _one(**fields)
    assert math.isnan(accuracy.top1_pct)
    assert math.isnan(accuracy.top1_low_pct)
    assert accuracy.reason == f"{words}; `extrapolate: true` predicts it all the same"
    accuracy = _one(extrapolate=True, **fields)
    assert 0 < accuracy.top1_pct < 100
    assert math.isnan(accuracy.top1_low_pct)
    assert math.isnan(accuracy.top1_high_pct)
    assert (accuracy.reason, accuracy.shared_note) == ("", NOTE)
    assert (accuracy.note, accuracy.marks) == (f"extrapolated: {words}", "extrapolated")


def test_fewer_mult_adds_than_any_point_are_beyond_them():
    """The paper's points have width 0.25 and 128 px, but not both: 13.57 M is below its 41.03 M mult-adds."""
    accuracy = _one(table="paper", width=0.25, resolution=128)
    assert accuracy.reason.startswith("mult-adds 13.57 M is below the points' 41.03 M; `extrapolate")


OTHERS = [
    ({"block": "standard"}, "block standard is not that of the points, separable"),
    ({"num_classes": 10}, "num_classes 10 is not that of the points, 1000"),
    ({"divisor": 16}, "divisor 16 is not that of the points, 8"),
    ({"stem_stride": 1}, "stem_stride 1 is not that of the points, 2"),
    (
        {"stage_channels": (64, 128, 256, 512, 512)},
        "stage_channels [64, 128, 256, 512, 512] is not that of the points, [64, 128, 256, 512, 1024]",
    ),
]


@pytest.mark.parametrize("extrapolate", [False, True])
@pytest.mark.parametrize(("fields", "reason"), OTHERS, ids=str)
def test_other_networks_than_the_points_have_none(fields, reason, extrapolate):
    """What the model does not look at must be the same, whether or not it may extrapolate."""
    accuracy = _one(extrapolate, **fields)
    assert math.isnan(accuracy.top1_pct)
    assert accuracy.reason == reason


@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_nothing_is_predicted_at_other_precisions(precision):
    """The points are fp32 networks: another precision has NaN, and the reason names it."""
    (accuracy,) = _predict(Variant(), precision=precision)
    assert math.isnan(accuracy.top1_pct)
    assert accuracy.reason == f"the points of {TF_SLIM} are fp32; nothing is predicted at {precision}"


# Top-1 of widths 0.25 and 0.5 at 32, 48 and 64 px, as short trainings give them.
SIX = [Variant(width=w, resolution=r, num_classes=10) for w in (0.25, 0.5) for r in (32, 48, 64)]


def test_a_model_that_falls_between_its_points_is_refused(monkeypatch):
    """Six points that rise with width and resolution are met within 4 points by a model that turns between
    them: every network is refused, with two that it would give the wrong way round.
    """
    top1_pct = np.array([70, 96, 96.4, 75, 97, 97.3])
    model = Model(SIX, top1_pct)
    assert np.abs(model.predict(numbers_of(SIX))[0] - top1_pct).max() < 4
    monkeypatch.setattr(Points, "of_table", lambda table: Points("six", "digits", tuple(SIX), top1_pct))
    found = re.fullmatch(
        r"the model of 6 points falls between them, from ([\d.]+) % at (\S+) to ([\d.]+) % at (\S+); "
        "it needs more points",
        _one(width=0.3, resolution=40, num_classes=10).reason,
    )
    high, narrow, low, wide = found.groups()
    assert float(high) > float(low)
    assert (narrow, wide) == ("mobilenet_v1_w0.28125_r32_d5_n10", "mobilenet_v1_w0.375_r32_d5_n10")
    assert math.isnan(_one(width=0.25, resolution=32, num_classes=10).top1_pct)


@pytest.mark.parametrize("table", [TF_SLIM, "tf-slim-2017-06-14", "tflite-hosted"])
def test_models_of_the_published_tables_do_not_fall(table):
    """Nor do those of docs/accuracy.md's digits."""
    points = Points.of_table(table)
    assert falls(Model(points.variants, points.top1_pct), points.variants[0]) == ""
    digits = [Variant(width=w, resolution=r) for w in (0.25, 0.5, 1.0) for r in (32, 48, 64)]
    top1_pct = np.array([90.6, 94.5, 96.9, 92.7, 96.7, 97.7, 94.0, 97.2, 97.7])
    assert falls(Model(digits, top1_pct), digits[0]) == ""


@pytest.mark.parametrize(("depth_weight", "turns"), [(0.2, False), (-0.5, False), (-0.1, True)])
def test_more_depth_may_be_worse_but_not_first_worse_then_better(depth_weight, turns):
    """A short training of a deep network can give less: the points say so, and the model may."""
    known = [
        Variant(width=w, resolution=r, depth=d)
        for w in (0.25, 0.5, 1.0)
        for r in (64, 128)
        for d in (0, 2, 8)
    ]
    numbers = numbers_of(known)
    deep = np.log1p(numbers[:, 2])
    logits = 0.3 * np.log(numbers[:, 3] / 1e8) + depth_weight * deep
    model = Model(known, 100 / (1 + np.exp(-logits)))
    assert (falls(model, known[0]) != "") is turns


def test_too_few_points_predict_nothing():
    """timm has four networks; mult-adds, width and a constant take three terms and two points to spare."""
    assert _one(table="timm").reason == "too few points: 4, for a model of 3 terms that takes 5"
    assert _one(table="paper", block="standard").reason.startswith("too few points: 1, ")


# -- runs and sweeps --------------------------------------------------------------------------------------

COUNTED = "space: {width: [0.25, 0.5, 0.75, 1.0], resolution: [128, 160, 192, 224]}\n"
PUBLISHED = f"{COUNTED}accuracy: {{source: published, table: {TF_SLIM}}}\n"
PREDICTED = COUNTED.replace("0.25,", "0.1, 0.25, 0.6,") + "accuracy: {source: predicted, %s}\n"


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A run whose sixteen variants were trained, all but one, to the accuracies that are published."""

    class Trained(Opened):
        name = "digits, 12 epochs"

        def __init__(self, published):
            self.published = published

        def known(self, precision):
            found = [
                replace(one, kind="trained", source=self.name, dataset="digits 1234")
                for one in self.published.known(precision)
            ]
            found[0] = Accuracy(math.nan, math.nan, "trained", self.name, "", reason="stopped")
            return Accuracies.shared(found, np.arange(len(found)))

    published = PublishedAccuracy.open
    monkeypatch.setattr(PublishedAccuracy, "open", lambda *asked: Trained(published(*asked)))
    return made_run(tmp_path / "trained", PUBLISHED)


def test_points_may_be_those_of_a_run(trained):
    """The variants that a run has trained are the points, on the run's data set; one that failed is not."""
    (accuracy,) = _predict(Variant(width=0.6), run=str(trained))
    assert (accuracy.source, accuracy.dataset) == ("predicted from trained", "digits 1234")
    assert accuracy.shared_note.startswith("fitted on 15 points; ")
    assert accuracy.top1_pct == pytest.approx(_one(width=0.6).top1_pct, abs=0.5)


def _checked(text):
    check(parse_sweep(text, "made.yaml"))


def test_a_run_keeps_its_points_under_another_sweep(trained):
    """What was trained for an earlier sweep of the run is still there, after one that only counts."""
    before = _predict(Variant(width=0.6), run=str(trained))
    made_run(trained, COUNTED)
    assert _predict(Variant(width=0.6), run=str(trained)) == before


def test_a_table_that_is_not_there_is_refused():
    """With line, key, the tables that are there, and the nearest of them."""
    words = (
        r"made.yaml:2: accuracy.table is 'tf-slim-2018-08'; expected one of paper, .+; did you mean 'tf-slim-"
    )
    with pytest.raises(MbsweepError, match=words):
        _checked(PREDICTED % "table: tf-slim-2018-08")


def test_a_run_without_points_is_refused(tmp_path, trained):
    """A folder that is no run, and a run that trained nothing, are refused at the key; a good one is not."""
    with pytest.raises(MbsweepError, match=r"made.yaml:2: accuracy.run cannot be .+ is not an mbsweep run"):
        _checked(PREDICTED % f"run: {tmp_path}")
    other = made_run(tmp_path / "other", COUNTED)
    with pytest.raises(MbsweepError, match=r"made.yaml:2: accuracy.run .+other has no trained accuracies"):
        _checked(PREDICTED % f"run: {other}")
    _checked(PREDICTED % f"run: {trained}")


def test_plan_says_why_nothing_would_be_predicted():
    """timm's four networks are too few: known before anything is run."""
    said = plan(parse_sweep(PREDICTED % "table: timm", "made.yaml")).accuracy
    assert "known for 0 of 24; too few points: 4, for a model of 3 terms that takes 5" in said


def test_plan_says_what_is_known_at_each_precision():
    """The points of a model are of fp32: of an int8 configuration nothing will be known."""
    text = "latency:\n  - {backend: onnxruntime}\n  - {backend: onnxruntime, precision: int8}\n"
    said = plan(parse_sweep(text + PREDICTED % f"table: {TF_SLIM}", "made.yaml")).accuracy
    assert re.search(r": known for 20 of 24, at int8 known for 0 of 24; \S.*int8", said)


def test_plan_loads_no_torch(tmp_path):
    """Planning predicted accuracies takes no torch, and says how many are known."""
    (tmp_path / "p.yaml").write_text(PREDICTED % f"table: {TF_SLIM}")
    code = (
        "import sys; from mbsweep.plan import plan; from mbsweep.sweep.sweep import load_sweep; "
        "print(plan(load_sweep('p.yaml')).accuracy); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"predicted from {TF_SLIM}: known for 20 of 24\n"


# -- the page ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with measured latencies and predicted accuracies, of which some are extrapolated."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    text = PREDICTED % f"table: {TF_SLIM}, extrapolate: true"
    return write_run(folder, f"{text}latency: [{{backend: onnxruntime, rounds: 3}}]\n")


def _symbols(figure):
    drawn = [trace.marker.symbol for trace in figure.data if trace.mode == "markers" and not trace.name]
    return {symbol for group in drawn for symbol in ([group] if isinstance(group, str) else group)}


HOLLOW = [("accuracy_latency", True), ("accuracy_macs", True), ("latency_macs", False)]


@pytest.mark.parametrize(("name", "is_hollow"), HOLLOW)
def test_points_of_predicted_accuracy_are_hollow(run, name, is_hollow):
    """Where the accuracy is drawn, and only there, though the latencies are measured; the legend says so."""
    figure = FIGURES[name](open_run(run).table())
    symbols = _symbols(figure)
    assert symbols
    assert {symbol.endswith("-open") for symbol in symbols} == {is_hollow}
    assert ("hollow: predicted" in [trace.name for trace in figure.data]) == is_hollow


def test_points_of_several_kinds_are_told_apart(run, tmp_path):
    """Beside a run with published accuracies on one panel, only the predicted ones are hollow."""
    text = f"{PUBLISHED}latency: [{{backend: onnxruntime, rounds: 3}}]\n"
    other = write_run(tmp_path / "other", text)
    figure = FIGURES["accuracy_macs"](combine([open_run(run), open_run(other)]))
    assert {symbol.endswith("-open") for symbol in _symbols(figure)} == {True, False}


def test_the_page_says_how_good_the_model_is(run, tmp_path):
    """The model's error once, with how many variants lie beyond its points."""
    page = merged(tmp_path, run).read_text(encoding="utf-8")
    told = f"accuracy predicted from {TF_SLIM}: {NOTE}; 4 of 24 variants lie beyond the points"
    assert page.count(f"<li>{told}, where the error is unknown</li>") == 1
