"""What every search method keeps to, whatever it chooses."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mbsweep.search.methods import METHODS
from mbsweep.search.problem import Evaluation, Problem, front_of, hypervolumes
from mbsweep.search.samplers import Sampled
from mbsweep.space.grid import Each, grids_of
from mbsweep.space.space import Space

NAN = float("nan")
QUICK = [name for name in METHODS if name != "gp"]  # which takes half a second for each choice
SPACE = Space.of(
    [], grids_of("mobilenet_v1", {"stage_depths": Each((1, 2)), "width": (0.25, 0.5), "resolution": (32, 64)})
)
COSTS = np.column_stack([SPACE.macs, SPACE.params]) / 1e6
TOP1_PCT = 100 * (1 - 1 / (2 + np.log1p(SPACE.macs / 1e6) + SPACE.column("width")))


def _problem(costs=1, feasible=(), least_pct=-np.inf):
    mask = np.zeros(len(SPACE), dtype=bool)
    mask[list(feasible) if len(feasible) else slice(None)] = True
    return Problem(SPACE, COSTS[:, :costs], ("macs", "params")[:costs], mask, least_pct)


def _searched(method, evaluations, batches, fails=(), history=()):
    """The history of a search, which asks for 1, 2, ... at a time, as told, again and again."""
    history = list(history)
    batch = history[-1].batch + 1 if history else 0
    while len(history) < evaluations:
        chosen = method.next(history, min(batches[batch % len(batches)], evaluations - len(history)))
        if not chosen:
            break
        history += [
            Evaluation(batch, one.place, NAN if one.place in fails else TOP1_PCT[one.place]) for one in chosen
        ]
        batch += 1
    return history


@pytest.fixture(autouse=True)
def few_refusals(monkeypatch):
    """The samplers' history grows with each: it is quick all the same."""
    monkeypatch.setattr(Sampled, "most_refused", 2)


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_search_takes_each_feasible_place_once_and_ends(name, data):
    """In batches of any size, from any start, with evaluations that fail: no other place is ever chosen."""
    feasible = data.draw(st.sets(st.integers(0, len(SPACE) - 1), min_size=1, max_size=12))
    fails = data.draw(st.sets(st.sampled_from(sorted(feasible))))
    batches = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    start = data.draw(st.integers(0, 5) | st.lists(st.sampled_from(sorted(feasible)), max_size=3))
    problem = _problem(data.draw(st.integers(1, 2)), feasible)
    history = _searched(METHODS[name](problem, 1, start), 99, batches, fails)
    assert sorted(one.place for one in history) == sorted(feasible)
    if isinstance(start, list):
        assert [one.place for one in history][: len(set(start))] == list(dict.fromkeys(start))


@pytest.mark.parametrize("name", QUICK)
def test_a_search_goes_on_as_if_it_had_not_ended(name):
    """At each boundary of its batches another process chooses what the first would have; so does another
    object of the same seed, from the beginning.
    """
    problem = _problem(2, range(100))
    whole = _searched(METHODS[name](problem, 3, 4), 14, [3, 1, 2], fails={7, 20})
    assert whole == _searched(METHODS[name](problem, 3, 4), 14, [3, 1, 2], fails={7, 20})
    for batch in {one.batch for one in whole}:
        before = [one for one in whole if one.batch < batch]
        assert whole == _searched(METHODS[name](problem, 3, 4), 14, [3, 1, 2], {7, 20}, before)


def test_a_gaussian_process_of_optuna_goes_on_too():
    """From the values that are known, not from chance alone; and nothing infeasible is evaluated."""
    problem = _problem(1, range(0, 64, 2))
    whole = _searched(METHODS["gp"](problem, 3, 4), 5, [4, 1], fails={2})
    assert whole == _searched(METHODS["gp"](problem, 3, 4), 5, [4, 1], {2}, whole[:4])
    assert all(one.place in range(0, 64, 2) for one in whole)
    assert len({one.place for one in whole}) == 5


@pytest.mark.parametrize("name", QUICK)
def test_an_unknown_cost_is_never_evaluated(name):
    """A place of which one cost is NaN is as good as infeasible."""
    costs = COSTS[:, :1].copy()
    costs[5] = NAN
    problem = Problem(SPACE, costs, ("macs",), np.arange(len(SPACE)) < 8, -np.inf)
    history = _searched(METHODS[name](problem, 0, 2), 99, [2])
    assert sorted(one.place for one in history) == [0, 1, 2, 3, 4, 6, 7]


@pytest.mark.parametrize("name", QUICK)
def test_nothing_feasible_is_nothing_to_evaluate(name):
    """It ends at once."""
    assert METHODS[name](Problem(SPACE, COSTS, ("macs", "params"), COSTS[:, 0] < 0), 0, 4).next([], 3) == []


def test_all_by_cost():
    """The exhaustive method begins with the cheapest."""
    history = _searched(METHODS["exhaustive"](_problem(), 0, 0), 99, [5])
    assert (np.diff(COSTS[[one.place for one in history], 0]) >= 0).all()
    assert COSTS[history[0].place, 0] == COSTS[:, 0].min()


def test_chance_is_the_seeds():
    """Another seed evaluates others."""
    first, second = (_searched(METHODS["random"](_problem(), seed, 0), 9, [3]) for seed in (0, 1))
    assert first != second


# Of a space of four: 10, 20, 30 and 50 of a cost.
FOUR = Problem(
    SPACE.select(np.arange(4)), np.array([[10.0], [20], [30], [50]]), ("macs",), np.ones(4, dtype=bool), 60.0
)
SEEN = [
    Evaluation(0, 1, 70.0),
    Evaluation(0, 2, NAN),
    Evaluation(1, 0, 50.0),
    Evaluation(2, 3, 90.0),
    Evaluation(2, 2, 65.0),
]


def test_a_hypervolume_after_each_evaluation():
    """Up to 50 + a tenth of 40, and 60 - a tenth of 40: the box is 44 by 44. What failed, and what is below
    the budget on accuracy, adds nothing.
    """
    costs, pct = FOUR.reference
    assert (costs.tolist(), pct) == ([54.0], 56.0)
    after = np.array([34 * 14, 34 * 14, 34 * 14, 34 * 14 + 4 * 20, 34 * 14 + 4 * 20]) / 44**2
    np.testing.assert_allclose(hypervolumes(FOUR, SEEN), after)


def test_the_front_of_what_was_evaluated():
    """By cost: without what is beaten, failed, or below the budget on accuracy."""
    assert front_of(FOUR, SEEN).tolist() == [1, 3]
    assert front_of(FOUR, []).tolist() == []


@pytest.mark.parametrize("name", ["exact_costs", "exhaustive"])
def test_a_front_of_100_percent_alone(name):
    """A share of the volume is a number also where the least accuracy leaves no range."""
    found = Problem(FOUR.space, FOUR.costs, FOUR.names, FOUR.feasible, 100.0)
    history: list[Evaluation] = []
    while chosen := METHODS[name](found, 0, 1).next(history, 1):
        assert np.isfinite(chosen[0].gain) or np.isnan(chosen[0].gain)
        history.append(Evaluation(len(history), chosen[0].place, 100.0 if len(history) == 1 else 99.0))
    shares = hypervolumes(found, history)
    assert shares[0] == 0
    assert 0 < shares[1] == shares[-1] <= 1
