"""What fits a budget: against a second reading of the rules, row by row."""

import math

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbsweep import MbsweepError
from mbsweep.table.columns import COLUMNS
from mbsweep.table.decide import ACCURACIES, COSTS, Budget, decide

NAN = math.nan
NAMES = ["latency_ms", "macs", "params", "weight_bytes", "peak_activation_bytes", "top1_pct", "top5_pct"]


def table(*rows):
    """Rows of (latency_ms, macs, top1_pct); all else is the same in all of them."""
    same = {"params": 5, "weight_bytes": 20, "peak_activation_bytes": 7, "top5_pct": NAN, "error": None}
    return pd.DataFrame(
        [
            same | {"latency_ms": latency_ms, "macs": macs, "top1_pct": top1_pct}
            for latency_ms, macs, top1_pct in rows
        ]
    )


def by_the_rules(rows, limits, floor, goal):
    """The decision as its rules say it, of a list of dicts."""

    def worth(row):
        return row[goal] if goal.startswith("top") else -row[goal]

    def is_unknown(row):
        needed = [goal, *limits, *([] if floor is None else ["top1_pct"])]
        return any(math.isnan(row[name]) for name in needed)

    def fits(row, wider=1.0):
        return (
            not is_unknown(row)
            and all(row[name] <= limit * wider for name, limit in limits.items())
            and (floor is None or row["top1_pct"] >= floor)
        )

    def rank(place):
        row = rows[place]
        latency = (1, 0.0) if math.isnan(row["latency_ms"]) else (0, row["latency_ms"])
        return -worth(row), latency, row["macs"], row["params"], place

    def shortfall(place):
        row = rows[place]
        floors = [0 if not floor else (floor - row["top1_pct"]) / floor]
        return max([(row[name] - limit) / limit for name, limit in limits.items()] + floors)

    places = range(len(rows))
    known = [place for place in places if not is_unknown(rows[place])]
    fitting = sorted((place for place in places if fits(rows[place])), key=rank)
    missed = [place for place in places if not fits(rows[place]) and fits(rows[place], 1.1)]
    if fitting:
        missed = [place for place in missed if worth(rows[place]) > worth(rows[fitting[0]])]
    least = min(map(shortfall, known)) if known and not fitting else NAN
    return {
        "fitting": tuple(fitting),
        "missed": tuple(sorted(missed, key=rank)),
        "least": least,
        "beyond": len(known) - len(fitting),
        "unknown": len(rows) - len(known),
        "failed": sum(is_unknown(row) and row["error"] is not None for row in rows),
    }, shortfall


FEW = st.sampled_from([0.9, 1.0, 1.05, 1.1, 1.2, 2.0])  # few values, so that many rows tie, fit and just miss
ROW = st.fixed_dictionaries(
    {
        "latency_ms": FEW | st.just(NAN),
        "macs": st.integers(9, 12),
        "params": st.integers(9, 12),
        "weight_bytes": st.integers(36, 48),
        "peak_activation_bytes": st.integers(1, 3),
        "top1_pct": st.sampled_from([0.0, 40.0, 50.0, 60.0, NAN]),
        "top5_pct": st.sampled_from([70.0, 80.0, NAN]),
        "error": st.sampled_from([None, None, "it broke"]),
    }
)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "latency_ms": FEW,
        "macs": st.sampled_from([9.5, 10.0, 11.0]),
        "params": st.sampled_from([9.0, 10.0, 12.0]),
        "weight_bytes": st.sampled_from([1e-3, 40.0]),
        "peak_activation_bytes": st.just(2.0),
    },
)
FLOOR = st.sampled_from([None, None, 0.0, 45.0, 50.0, 100.0])
GOAL = st.sampled_from(["top1_pct", "top1_pct", "top5_pct", "latency_ms", "macs", "weight_bytes"])


@settings(max_examples=400)
@given(st.lists(ROW, max_size=9), LIMITS, FLOOR, GOAL)
@example([], {"macs": 1.0}, None, "top1_pct")
def test_the_decision_is_that_of_its_rules(rows, limits, floor, goal):
    """Ranks, near misses and counts of random small tables, with ties and unknown numbers of every kind."""
    expected, shortfall = by_the_rules(rows, limits, floor, goal)
    labels = [f"row {place}" for place in range(len(rows))][::-1]
    frame = pd.DataFrame(rows, index=labels, columns=[*NAMES, "error"])
    found = decide(frame, Budget(limits, floor, goal))
    assert found.fitting == expected["fitting"]
    assert found.missed == expected["missed"]
    assert (found.beyond, found.unknown, found.failed) == (
        expected["beyond"],
        expected["unknown"],
        expected["failed"],
    )
    assert len(found.fitting) + found.beyond + found.unknown == len(rows)
    if math.isnan(expected["least"]):
        assert found.nearest is None
    else:
        assert shortfall(found.nearest) == pytest.approx(expected["least"])


def test_a_decision_by_hand():
    """5 ms at most: the best is 70 % at 4 ms; 72 % at 5.5 ms just misses, 75 % at 5.51 ms does not."""
    rows = table((4, 10, 70), (5.5, 11, 72), (5.51, 12, 75), (3, 9, 60), (5.2, 8, 65), (NAN, 7, 80))
    rows.loc[5, "error"] = "it broke"
    budget = Budget({"latency_ms": 5})
    found = decide(rows, budget)
    assert (found.fitting, found.missed, found.nearest) == ((0, 3), (1,), None)
    assert (found.beyond, found.unknown, found.failed) == (3, 1, 1)
    assert budget.over_pct(rows.loc[1]) == {"latency_ms": pytest.approx(10)}
    assert budget.over_pct(rows.loc[0]) == {}


def test_ties_are_broken_by_latency_then_size_then_place():
    """Of equal accuracy: lower latency, an unknown one last; fewer mult-adds, fewer parameters, first row."""
    rows = table((NAN, 1, 70), (5, 9, 70), (4, 9, 70), (4, 8, 70), (4, 8, 70), (4, 8, 70))
    rows.loc[5, "params"] = 4
    assert decide(rows, Budget({"macs": 10})).fitting == (5, 3, 4, 2, 1, 0)


def test_a_limit_and_a_floor_are_themselves_allowed():
    """At most 5 ms and at least 70 % hold 5 ms and 70 %; nothing below the floor just misses."""
    rows = table((5, 10, 70), (5, 10, 69.9), (5.4, 10, 69.9), (5.4, 10, 71))
    found = decide(rows, Budget({"latency_ms": 5}, min_top1_pct=70))
    assert (found.fitting, found.missed) == ((0,), (3,))


def test_the_least_of_a_cost():
    """The fastest with at least 65 %, and the fewest mult-adds, which needs no accuracy."""
    rows = table((5, 100, 70), (4, 300, 66), (3, 90, 60), (9, 80, NAN))
    assert decide(rows, Budget({}, 65, "latency_ms")).fitting == (1, 0)
    assert decide(rows, Budget({"latency_ms": 6}, goal="macs")).fitting == (2, 0, 1)
    assert decide(rows, Budget({"latency_ms": 6})).unknown == 1


def test_a_step_more_is_the_least_over_the_budget_of_what_is_better():
    """Beyond 5 ms the next better than 70 % is 71 % at 8 ms; 69 % at 6 ms is none, nor 75 % at 9 ms."""
    rows = table((5, 10, 70), (9, 10, 75), (8, 10, 71), (6, 10, 69))
    found = decide(rows, Budget({"latency_ms": 5}))
    assert (found.fitting, found.missed, found.step) == ((0,), (), 2)
    assert decide(rows, Budget({"latency_ms": 9})).step is None
    assert decide(rows, Budget({"latency_ms": 1})).step is None


def test_where_nothing_fits_the_nearest_is_named():
    """What misses by the least share: 20 % over 5 ms is nearer than 30 %, and than half of the floor."""
    rows = table((6.5, 10, 80), (6, 10, 75), (4, 10, 35), (NAN, 10, 90))
    found = decide(rows, Budget({"latency_ms": 5}, min_top1_pct=70))
    assert (found.fitting, found.missed, found.nearest) == ((), (), 1)
    assert decide(rows.iloc[3:], Budget({"latency_ms": 5})).nearest is None


def test_where_nothing_fits_all_that_is_near_just_misses():
    """There is no best that it has to beat."""
    rows = table((5.2, 10, 60), (5.4, 10, 70), (9, 10, 80))
    found = decide(rows, Budget({"latency_ms": 5}))
    assert (found.missed, found.nearest) == ((1, 0), 0)


def test_unknown_numbers_of_every_kind_are_unknown():
    """None in a column of objects and NA in a nullable column are NaN."""
    for unknown in (pd.Series([70.0, None], dtype=object), pd.Series([70.0, pd.NA], dtype="Float64")):
        found = decide(table((5, 1, 0), (4, 1, 0)).assign(top1_pct=unknown), Budget({"latency_ms": 5}))
        assert (found.fitting, found.unknown) == ((0,), 1)


@pytest.mark.parametrize("limit", [0, -1, -0.0, NAN, math.inf, -math.inf])
@pytest.mark.parametrize("name", COSTS)
def test_a_limit_is_a_finite_number_above_0(name, limit):
    """Anything else is refused by the option's name, with its value and what is allowed."""
    with pytest.raises(MbsweepError) as refused:
        Budget({name: limit})
    option = "--max-" + name.replace("_", "-")
    assert str(refused.value) == f"{option} is {limit!r}; expected a finite number above 0, such as 5 or 2e6"


REFUSED = [
    ({"min_top1_pct": 101}, "--min-top1 is 101; expected a number in [0, 100], such as 60"),
    ({"min_top1_pct": NAN}, "--min-top1 is nan; expected a number in [0, 100], such as 60"),
    ({"goal": "latency_sd_ms"}, "a goal is 'latency_sd_ms'; expected one of top1_pct, top5_pct, latency_ms"),
    ({"limits": {"flops": 5}}, "a limited column is 'flops'; expected one of latency_ms, params, macs"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_no_budget_can_be_is_refused(given, message):
    """A floor is a percentage, a goal an accuracy or a cost."""
    with pytest.raises(MbsweepError) as refused:
        Budget(**({"limits": {}} | given))
    assert str(refused.value).startswith(message)


def test_costs_and_goals_are_columns():
    """What can be limited is better where it is lower, what can be maximized where it is higher."""
    assert all(COLUMNS[name].better == "higher" for name in ACCURACIES)
    assert all(COLUMNS[name].better == "lower" for name in COSTS)


def test_a_limit_next_to_0_is_a_limit():
    """What is infinitely far over it is the nearest all the same, without a warning."""
    budget = Budget({"macs": 5e-324})
    rows = table((5, 10, 70))
    assert decide(rows, budget).nearest == 0
    assert budget.over_pct(rows.loc[0]) == {"macs": math.inf}
