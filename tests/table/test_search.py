"""The table of a search: what was evaluated, the front among it, and the sentences about it."""

import math

import pandas as pd
import pytest
from made_runs import made_run
from search_runs import CONFIG, FAILURE, PENDING, WHOLE, search_run

from mbsweep.storage.search_tables import CHOSEN, DONE, FAILED, EvaluationRow
from mbsweep.table import search_words
from mbsweep.table.results import open_run
from mbsweep.table.search import NOT_CHOSEN, NOT_YET, tabulate_search

ABOUT = {
    "settings": {"objectives": ["top1_pct", "macs"], "budgets": {}, "evaluations": 6, "method": "random"}
    | {"seed": 0, "start": 2},
    "space": {"variants": 2000, "feasible": 500, "budgets": {}},
    "reference": "5 million mult-adds and 0 % top-1",
    "asked": 6,
    "account": [],
    "confirm": [],
}
MACS = {"a": 4e6, "b": 1e6, "c": 2e6, "d": 2e6, "e": 3e6}


def table(**more):
    """A run's table of five networks that are only counted."""
    rows = [
        {"variant": name, "family": "mobilenet_v1", "width": 1.0, "resolution": 32 + place, "config": None}
        | {"macs": macs, "params": 1000.0, "top1_pct": math.nan, "top1_low_pct": math.nan}
        | {"top1_high_pct": math.nan}
        for place, (name, macs) in enumerate(MACS.items())
    ]
    return pd.DataFrame(rows).assign(**more)


def made(values, **about):
    """A search that has seen these accuracies; None: it is not evaluated yet, "": it failed."""
    rows = [
        EvaluationRow(
            number, number // 2, name, "by chance", value_pct=value or None, hypervolume=0.1 * number
        )
        ._replace(state=CHOSEN if value is None else FAILED if value == "" else DONE)
        ._replace(**({"hypervolume": None} if value is None else {}))
        for number, (name, value) in enumerate(zip(MACS, values, strict=False))
    ]
    return tabulate_search(ABOUT | about, rows, table())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A search that was stopped: 24 choices, of which 2 failed and 2 wait; two other networks."""
    folder = tmp_path_factory.mktemp("search") / "run"
    return open_run(search_run(folder, 24, waiting=2, asked=60, others=2))


@pytest.fixture(scope="module")
def search(run):
    """What that run tells of it."""
    return run.search()


def test_evaluations_are_counted_from_one(search):
    """The first eight are one batch, then two each; what waits has no number but what was expected."""
    rows = search.rows
    assert rows["evaluation"].tolist() == list(range(1, 25))
    assert rows["batch"].tolist() == [1] * 8 + [batch for batch in range(2, 10) for _ in range(2)]
    assert rows["state"].value_counts().to_dict() == {"done": 20, "failed": 2, "chosen": 2}
    waiting = rows[rows["state"] == "chosen"]
    assert waiting["reason"].tolist() == [NOT_YET] * 2
    assert waiting[["seen_pct", "top1_pct", "hypervolume_pct"]].isna().to_numpy().all()
    assert waiting["predicted_pct"].notna().all()
    assert rows.loc[rows["state"] == "failed", "reason"].tolist() == [FAILURE] * 2
    assert rows.loc[rows["state"] == "done", "reason"].isna().all()


def test_costs_and_what_was_tested_are_those_of_the_run(run, search):
    """Latency with its interval, and the accuracy on the test part."""
    rows, table = search.rows.set_index("variant"), run.table()
    ours = table[table["config"] == CONFIG].set_index("variant").loc[rows.index]
    for name in ("latency_ms", "latency_low_ms", "top1_pct", "top1_high_pct"):
        pd.testing.assert_series_equal(rows[name], ours[name])


def test_the_front_is_what_nothing_else_beats(search):
    """Every pair is compared, and some of both sorts are there."""
    rows = search.rows
    points = list(zip(rows["latency_ms"], rows["seen_pct"], strict=True))
    beaten = [
        any(ms <= own_ms and pct >= own and (ms, pct) != (own_ms, own) for ms, pct in points)
        for own_ms, own in points
    ]
    known = rows["seen_pct"].notna()
    assert rows["on_front"].tolist() == [
        is_known and not by for is_known, by in zip(known, beaten, strict=True)
    ]
    assert 2 < rows["on_front"].sum() < known.sum()
    assert search.front["latency_ms"].is_monotonic_increasing


def test_two_costs_have_a_front_in_space():
    """d has the mult-adds of c, fewer parameters and less accuracy; e is no smaller than c, and worse."""
    several = ABOUT["settings"] | {"objectives": ["top1_pct", "macs", "params"]}
    rows = [
        EvaluationRow(number, 0, name, "", value_pct=value, state=DONE)
        for number, (name, value) in enumerate(zip(MACS, (90, 50, 80, 70, 60), strict=True))
    ]
    small = table(params=[1000.0, 1000.0, 1000.0, 900.0, 1000.0])
    found = tabulate_search(ABOUT | {"settings": several}, rows, small)
    assert found.costs == ("macs", "params")
    assert found.rows["on_front"].tolist() == [True, True, True, True, False]


def test_what_is_below_the_least_accuracy_is_on_no_front():
    """65 % asked: a alone; 95 %: none, and it is said how near the best comes."""
    budgets = {"settings": ABOUT["settings"] | {"budgets": {"top1_pct": {"min": 65}}}}
    assert made([70, 60], **budgets).rows["on_front"].tolist() == [True, False]
    budgets = {"settings": ABOUT["settings"] | {"budgets": {"top1_pct": {"min": 95}}}}
    found = made([70, 60], **budgets)
    assert found.front.empty
    assert search_words.nothing_yet(found) == (
        "No variant that was evaluated has the 95 % top-1 that is the least asked for; "
        "the best so far has 70.00 %."
    )


def test_what_the_search_has_not_evaluated_says_so(run, search):
    """Not that its accuracy is yet to come; what waits does, and what failed has its reason."""
    rows = run.table().query("config == @CONFIG").set_index("variant")
    states = search.rows.set_index("variant")["state"]
    others = rows.index.difference(states.index)
    assert rows.loc[others, "top1_reason"].tolist() == [NOT_CHOSEN] * 2
    assert set(rows.loc[states.index[states == "chosen"], "top1_reason"]) == {NOT_YET}
    assert set(rows.loc[states.index[states == "failed"], "top1_reason"]) == {FAILURE}
    assert rows.loc[states.index[states == "done"], "top1_reason"].isna().all()
    assert PENDING not in set(rows["top1_reason"])
    assert not rows["on_front"][rows["top1_pct"].isna()].any()


def test_what_is_not_confirmed_lacks_no_measurement(run, search):
    """Three were measured whole; the other 23 of the run are not asked for there, and nothing is missing."""
    table = run.table()
    assert table["config"].value_counts().to_dict() == {CONFIG: 26, WHOLE: 3}
    confirmed = {one.variant for one in search.confirmed}
    assert set(table.loc[table["config"] == WHOLE, "variant"]) == confirmed
    assert table["error"].isna().all()


def test_a_run_without_a_search_has_none(tmp_path):
    """And its reasons are its source's own."""
    sweep = "space: {width: [0.3, 1]}\naccuracy: {source: published, table: tf-slim-2018-08-02}\n"
    made_run(tmp_path / "run", sweep)
    assert open_run(tmp_path / "run").search() is None
    assert NOT_CHOSEN not in set(open_run(tmp_path / "run").table()["top1_reason"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "0 of 6 evaluations"),
        ([None, None], "0 of 6 evaluations; 2 chosen and not evaluated yet"),
        (
            [70, "", 60, None],
            "3 of 6 evaluations, 1 of which failed; 2 on the front; 1 chosen and not evaluated yet",
        ),
        (["", ""], "2 of 6 evaluations, 2 of which failed"),
    ],
)
def test_how_far_it_is(values, words):
    """What failed counts as evaluated; c has half of a's mult-adds and is worse, so both are on the front."""
    assert search_words.standing(made(values)) == f"random: {words}; run the sweep again to go on."


def test_a_search_that_has_evaluated_all_goes_on_no_more():
    """All that were asked for; or all that its budgets leave."""
    assert search_words.standing(made([70, 60], asked=2)) == "random: 2 of 2 evaluations; 2 on the front."
    space = ABOUT["space"] | {"feasible": 2}
    assert search_words.standing(made([70, 60], space=space)) == "random: 2 of 6 evaluations; 2 on the front."


def test_a_search_that_has_not_confirmed_goes_on():
    """All is evaluated, and three were to be confirmed: it was stopped before."""
    about = {name: value for name, value in ABOUT.items() if name != "confirm"}
    settings = ABOUT["settings"] | {"confirm": 3}
    rows = [EvaluationRow(0, 0, "a", "", value_pct=70, state=DONE)]
    for asked, is_open in ((about, True), (about | {"confirm": []}, False)):
        found = tabulate_search(asked | {"settings": settings, "asked": 1}, rows, table())
        assert found.is_open is is_open


def test_hypervolume_in_words():
    """0, 10, 20, 30 and 40 % of the box; after the two that it began with a quarter of that."""
    assert search_words.hypervolume(made([10, 20, 30, 40, 50])) == (
        "Hypervolume 40.0 % of the box up to 5 million mult-adds and 0 % top-1; 25.0 % of that after the 2 "
        "that it began with, 99 % after 5."
    )
    assert search_words.hypervolume(made([10], reached=[0.925, 0.897, 0.954])).endswith(
        "0 % top-1. As the surrogate has it, that is 92.5 % (95 %: 89.7 to 95.4 %) of what is to be had."
    )
    assert search_words.hypervolume(made([])) == "Hypervolume is unknown before the first evaluation."


def test_what_the_budgets_leave_in_words(search):
    """Each alone, then both; shares of the whole space."""
    told = list(search_words.budgets(search))
    assert [words for words, *_ in told] == [
        "latency at most 0.9 ms",
        "parameters at most 1,000,000",
        "all together",
    ]
    assert all(pct == pytest.approx(100 * count / 497_664) for _, count, pct in told)
    assert told[-1][1] <= min(count for _, count, _ in told)
    assert search_words.space(made([])) == "2,000 variants; no budget leaves any out."


def test_how_far_its_word_was_off(search):
    """2 % more, 3 % less and 12 % more than said, the last beyond both intervals; alone 0.6 points better."""
    assert search_words.confirmed(search) == [
        "Latency of 3, measured whole: +2.0 % against what was said in the median, +12.0 % at worst; "
        "the intervals meet of 2 of 3.",
        "Accuracy of 3, trained alone: +0.60 points against what the search saw in the median, "
        "+0.60 at worst; ranked the same.",
    ]
    assert {one.config for one in search.confirmed} == {CONFIG}
    unknown = {"variant": "a", "latency": {}, "top1": [70, 69, None, None, None]}
    assert made([70], confirm=[unknown]).confirmed == []
    alone = {"variant": "a", "latency": {}, "top1": [70, 69, 68.5, None, None]}
    assert search_words.confirmed(made([70], confirm=[alone])) == [
        "Accuracy of 1, trained alone: -1.50 points against what the search saw."
    ]
    two = [alone, {"variant": "b", "latency": {}, "top1": [60, 60, 69, None, None]}]
    assert search_words.confirmed(made([70, 60], confirm=two)) == [
        "Accuracy of 2, trained alone: +3.75 points against what the search saw in the median, "
        "+9.00 at worst; of their order Kendall's tau is -1.00."
    ]
    assert search_words.confirmed(made([70])) == []


def test_which_axes_matter(search):
    """The largest step first, what harms by name, and how many are sure."""
    assert search_words.axes(search) == (
        "Most is gained by stage widths, stage 5 from 0.5 to 1: +1.90 points (95 %: +1.20 to +2.60), then by "
        "resolution from 32 to 48: +1.40 points (95 %: +0.90 to +1.90). Lost by kernels, stage 5 from 3 to "
        "5: -0.50 points (95 %: -0.90 to -0.10). Of 5 steps 3 help for sure, 1 harm, of 1 it is open."
    )
    unsure = {"axis": "width", "from": 1, "to": 2, "points": 0.5, "low": -1, "high": 2}
    assert search_words.axes(made([70], account=[unsure])) == (
        "Of none of 1 steps is it sure that it helps or harms."
    )
    sure = unsure | {"low": 0.2}
    assert search_words.axes(made([70], account=[sure])).endswith("+2.00). Of 1 steps 1 help for sure.")
    assert search_words.axes(made([70])) == ""


def test_a_reference_has_units_and_names():
    """Costs to four digits; the configuration of a latency is said elsewhere."""
    names = ["latency_ms@torch-fp32-b1-t1", "macs"]
    assert search_words.reference(names, [0.98765, 356_583_016.0], -10.0) == (
        "0.9877 ms, 356,600,000 mult-adds and -10 % top-1"
    )
