"""What a page says and draws of accuracies that were trained: words, bars, hovering, learning curves."""

import re

import numpy as np
import pandas as pd
import pytest
from reporter_runs import DEVICE, TRAINED, report, trained_run, write_run

from mbsweep import open_run
from mbsweep.accuracy.value import source_words
from mbsweep.reporter import facts
from mbsweep.reporter.accuracies import accuracy_doubts, how_obtained
from mbsweep.reporter.curves import MAX_LINES, combined, learning_curves, thinned_words
from mbsweep.reporter.figures import scatter
from mbsweep.reporter.parts import open_parts

SOURCE = r"trained on digits-[0-9a-f]{8}, 4 epochs, batch 32, rate 0\.4 \(recipe [0-9a-f]{6}\)"
STALLED, PARTLY = "mobilenet_v1_w0.5_r32_d5_n10", "mobilenet_v1_w0.5_r48_d5_n10"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Four variants with two seeds: two done, one stalled with a seed, one stalled and not begun again."""
    return open_run(trained_run(tmp_path_factory.mktemp("trained") / "run"))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """Entered and timed, nothing was trained."""
    return open_run(trained_run(tmp_path_factory.mktemp("untrained") / "run", outcomes={}))


def parts_of(run):
    return open_parts([run])


def traces(figure):
    return [trace for trace in figure.data if trace.customdata is not None]


def test_the_fact_names_data_set_recipe_and_how_many_are_known(trained):
    """Three of four: one stalled with its only seed."""
    said = dict(facts.facts(*parts_of(trained)))
    assert re.fullmatch(rf"{SOURCE}: known for 3 of 4 variants", said["Accuracy"])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ([470_072, 4_231_976], "0.47 to 4.23 million"),
        ([213_843], "0.21 million"),
        ([2_775, 213_843], "0.0028 to 0.21 million"),
    ],
)
def test_the_parameters_of_small_networks_are_not_told_as_none(params, words, trained):
    """With two digits they were 0.00 million."""
    parts, table = parts_of(trained)
    (row,) = table.index[:1]
    rows = pd.concat([table.loc[[row]].assign(variant=f"v{n}", params=n) for n in params])
    assert dict(facts.facts(parts, rows))["Parameters"] == words


def test_what_is_not_trained_is_told_with_the_reason(trained, untrained):
    """Stalled, counted; of a run that has not trained yet, what to do."""
    (said,) = facts.gaps(*parts_of(trained), {"measured"})
    assert re.fullmatch(
        rf"T{SOURCE[1:]}: accuracy known of 3 of 4 variants; of the others: 1 stalled at chance\.", said
    )
    (said,) = facts.gaps(*parts_of(untrained), {"measured"})
    assert said.endswith(
        "accuracy known of no variant (not trained yet, run the sweep again to go on), "
        "so no figure shows accuracy."
    )


def test_beside_another_run_only_its_own_accuracy_is_not_shown(trained, untrained):
    """The figures show that of the other run."""
    said = facts.gaps(*open_parts([trained, untrained]), {"measured"})
    (lacking,) = [sentence for sentence in said if "known of no variant" in sentence]
    assert lacking.endswith(", so no figure shows its accuracy.")
    assert not any("shows accuracy" in sentence for sentence in said)


def test_reasons_of_all_kinds_are_counted(trained):
    """Stopped by halving, a failure, and more kinds than one sentence takes."""
    parts, table = parts_of(trained)
    reasons = [
        ("one of two kinds", "stopped"),
        ("and one of both", "stalled, stopped"),
        *((f"seed 0: Error {number}", None) for number in range(4)),
    ]
    words, marks = zip(*reasons, strict=True)
    names = [f"v{place}" for place in range(len(reasons))]
    rows = table.iloc[[3] * len(reasons)].assign(variant=names, top1_reason=words, top1_marks=marks)
    (said,) = facts.gaps(parts, pd.concat([table.iloc[:1], rows]), {"measured"})
    told = said.partition("of the others: ")[2]
    assert told == (
        "1 stopped by halving; 1 stalled at chance or stopped by halving; 1 seed 0: Error 0; "
        "1 seed 0: Error 1; 2 for other reasons."
    )


def test_advice_that_all_reasons_have_is_given_once(trained):
    """Behind them; where one has it not, each keeps its own."""
    parts, table = parts_of(trained)
    words = ["too wide; try harder", "too deep; try harder", "too wide; try harder"]

    def told(words):
        names = [f"v{place}" for place in range(len(words))]
        rows = table.iloc[[3] * len(words)].assign(variant=names, top1_reason=words, top1_marks=None)
        (said,) = facts.gaps(parts, pd.concat([table.iloc[:1], rows]), {"measured"})
        return said.partition("of the others: ")[2]

    assert told(words) == "2 too wide; 1 too deep; try harder."
    assert told([*words, "no reason"]) == "2 too wide, try harder; 1 too deep, try harder; 1 no reason."


def test_a_remark_about_an_accuracy_is_a_doubt(trained):
    """The network of which one seed stalled has an accuracy, of the other."""
    parts, table = parts_of(trained)
    assert accuracy_doubts(parts, table) == ["accuracy of 1 variant: a seed stalled at chance."]
    assert accuracy_doubts(parts, table.assign(top1_note="in whatever words", top1_marks="late")) == [
        "accuracy of 3 variants: a seed started late."
    ]


def test_how_accuracies_were_obtained(trained):
    """Data set with its parts, seeds, who sees what, what the interval covers, and every setting."""
    (found,) = how_obtained(*parts_of(trained))
    text = " ".join(found["sentences"])
    for words in (
        "(100 images to train on, 100 for validation, 100 to test), with seeds 0, 1.",
        "Training was given 5 minutes.",
        "early stopping and halving see the validation part only, and the detection of stalls the training",
        "the table reports the test part",
        "which images happen to be in the test part and which seeds happened to be drawn",
    ):
        assert words in text
    assert found["recipe"].startswith("4 epochs, batch 32, optimizer sgd, learning rate 0.4,")
    assert "warmup 20 %" in found["recipe"]
    assert "bn shift 0.5, clip 2 %" in found["recipe"]
    assert "flip yes" in found["recipe"]


def test_what_is_to_be_known_of_the_images_is_told(trained, tmp_path):
    """As text, whatever a file is called; nothing where there is nothing."""
    noted = trained_run(tmp_path / "run", notes=["1 file cannot be read, left out: '<i>.png'", "2 are twice"])
    (found,) = how_obtained(*parts_of(open_run(noted)))
    assert "Of the images: 1 file cannot be read, left out: '<i>.png'; 2 are twice." in found["sentences"]
    page = report(tmp_path / "pages", noted)[-1].read_text(encoding="utf-8")
    assert "left out: &#39;&lt;i&gt;.png&#39;; 2 are twice." in page
    (found,) = how_obtained(*parts_of(trained))
    assert not any("Of the images" in sentence for sentence in found["sentences"])


def test_one_seed_has_no_interval_and_the_page_says_so(tmp_path):
    """Nothing tells how much another seed would differ."""
    text = TRAINED.replace("seeds: [0, 1]", "seeds: [7]")
    parts, table = parts_of(open_run(write_run(tmp_path / "run", text)))
    (found,) = how_obtained(parts, table)
    assert "with seed 7." in found["sentences"][0]
    assert found["sentences"][-1].startswith("With one seed of each network")


def test_published_accuracies_were_not_obtained_here(tmp_path):
    """No such section."""
    assert how_obtained(*parts_of(open_run(write_run(tmp_path / "run")))) == []


def test_accuracies_have_bars_to_the_ends_of_their_intervals(trained):
    """Upright where they are on the y axis, level on the x axis; top-5 has none."""
    table = trained.table()
    for x, y, name in (("macs", "top1_pct", "error_y"), ("top1_pct", "macs", "error_x")):
        drawn = {}
        for trace in traces(scatter(table, x, y)):
            bar = trace[name]
            values = trace.y if name == "error_y" else trace.x
            for place, data in enumerate(trace.customdata):
                drawn[data[0]] = (values[place] - bar.arrayminus[place], values[place] + bar.array[place])
        assert len(drawn) == 3
        for variant, ends in drawn.items():
            row = table[table["variant"] == variant].iloc[0]
            assert ends == pytest.approx((row["top1_low_pct"], row["top1_high_pct"]))
    assert all(trace.error_y.array is None for trace in traces(scatter(table, "macs", "top5_pct")))


def hovered(figure, variant):
    """What hovering over a variant's point tells, its numbers not formatted."""
    for trace in traces(figure):
        for data in trace.customdata:
            if data[0] == variant:
                template = trace.hovertemplate.replace("<extra></extra>", "")
                places = {int(place) for place in re.findall(r"customdata\[(\d+)\]", template)}
                for place in places:
                    template = re.sub(rf"%\{{customdata\[{place}\][^}}]*\}}", str(data[place]), template)
                return template
    raise AssertionError(variant)


def test_hovering_tells_interval_seeds_and_note(trained):
    """Of a network with one seed of two; the other stalled."""
    said = hovered(trained.figure("top1_pct", "latency_ms"), PARTLY)
    row = trained.table().set_index("variant").loc[PARTLY]
    ends = f"{row['top1_low_pct']:.1f} to {row['top1_high_pct']:.1f} &#37;"
    assert f"95 % interval: {ends}" in said
    assert "Seeds: 0<br>" in said
    note = said.partition("<br>Note: ")[2].replace("<br>", " ")
    assert note.startswith("seed 1 stalled at chance with 10.0 &#37; on the validation part")
    both = hovered(trained.figure("top1_pct", "latency_ms"), "mobilenet_v1_w1.0_r48_d5_n10")
    assert "Seeds: 0, 1; standard deviation 2.83 &#37;" in both  # of 90 and 94
    assert "Note" not in both.replace("Note: 95 &#37; interval", "")  # of the latency


def test_points_of_two_data_sets_are_neither_joined_nor_called_alike(trained):
    """Two runs of the same recipe and the same name of a source, on different images."""
    table = trained.table().assign(top1_source="trained")
    other = table.assign(dataset="digits-ffffffff", run="other", top1_pct=table["top1_pct"] - 5)
    figure = scatter(pd.concat([table, other], ignore_index=True), "macs", "top1_pct")
    lines = [trace for trace in figure.data if trace.mode == "lines" and trace.name is None]
    assert len(lines) == 2
    assert "Source: trained, on digits-" in hovered(figure, PARTLY)


@pytest.mark.parametrize(
    ("kind", "source", "words"),
    [
        ("published", "tf-slim-2018-08-02", "published, tf-slim-2018-08-02"),
        ("trained", "trained on digits", "trained on digits"),
        ("supernet", "one supernet trained on digits", "one supernet trained on digits"),
    ],
)
def test_a_kind_is_not_said_twice(kind, source, words):
    """Where the source says it."""
    assert source_words(kind, source) == words


def test_curves_have_every_epoch_and_how_each_attempt_ended(trained, untrained, tmp_path):
    """Five trainings done, two that stalled three times; nothing where nothing was trained."""
    curves = trained.curves()
    attempts = curves.groupby(["variant", "seed", "attempt"], sort=False)
    assert attempts.size().tolist() == [4] * 11
    stalled = curves[curves["variant"] == STALLED]
    assert stalled.groupby("attempt")["state"].first().tolist() == ["begun anew", "begun anew", "stalled"]
    assert (curves.loc[curves["state"] == "done", "attempt"] == 0).all()
    assert curves["resolution"].isin([32, 48]).all()
    for run in (untrained, open_run(write_run(tmp_path / "run"))):
        assert run.curves().empty
        assert list(run.curves()) == list(curves)
        assert learning_curves(combined(["run"], [run.curves()])) is None


def test_learning_curves_have_a_line_for_each_attempt(trained):
    """What stalled, or was begun anew, is dotted and says so; the axes have units."""
    figure = learning_curves(combined(["run"], [trained.curves()]))
    lines = traces(figure)
    assert len(lines) == 11
    dotted = [trace for trace in lines if trace.line.dash == "dot"]
    assert len(dotted) == 6
    said = {trace.customdata[0][-1] for trace in dotted}
    assert "<br>Attempt 3, stalled at chance" in said
    assert "<br>Attempt 1, stalled or diverged, and was begun anew" in said
    assert {trace.customdata[0][-1] for trace in lines if trace not in dotted} == {""}
    assert figure.layout.yaxis.title.text == "Top-1 accuracy on the validation part (%)"
    assert [trace.name for trace in figure.data if trace.name] == [
        *("width 0.5", "width 1", "32 px", "48 px"),
        "begun anew or stalled",
    ]
    assert list(lines[0].y) == [35, 50, 65, 80]


def test_learning_curves_of_several_runs_stand_below_each_other(trained):
    """Each under its name."""
    curves = trained.curves()
    figure = learning_curves(combined(["one", "two"], [curves, curves]))
    assert [title.text for title in figure.layout.annotations] == ["<b>one</b>", "<b>two</b>"]
    assert len(traces(figure)) == 22


def test_too_many_curves_are_thinned_and_it_is_said(trained):
    """A hundred of 130, the first and the last among them."""
    one = trained.curves().query("state == 'done'").head(4)
    many = combined([str(seed) for seed in range(1)], [pd.concat([one.assign(seed=s) for s in range(130)])])
    figure = learning_curves(many)
    seeds = [trace.customdata[0][1] for trace in traces(figure)]
    assert len(seeds) == MAX_LINES
    assert (seeds[0], seeds[-1]) == (0, 129)
    assert thinned_words(many) == "100 of 130 trainings are drawn, evenly over the sweep."
    assert thinned_words(many[many["seed"] < 100]) == ""


def test_the_page_has_them(trained, tmp_path):
    """Figure and section; where nothing was timed, it does not say how that was done."""
    _, page = report(tmp_path / "pages", trained.path)
    text = page.read_text()
    assert 'id="curves"' in text
    assert "How accuracies were obtained" in text
    assert "How it was measured" in text
    head, tail = TRAINED[: TRAINED.index("latency:")], TRAINED[TRAINED.index("accuracy:") :]
    untimed = trained_run(tmp_path / "untimed", head + tail)
    _, page = report(tmp_path / "pages", untimed)
    text = page.read_text()
    assert "Where it was trained" in text
    assert "timed in rounds" not in text
    assert DEVICE in text
    table = open_run(untimed).table()
    assert table["front_pct"].notna().sum() == 3
    assert not np.isclose(table["front_pct"].dropna() % 100, 0).all()
