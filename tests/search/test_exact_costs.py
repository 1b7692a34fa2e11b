"""mbsweep's own search: its surrogate and gains against plain computations, and what it chooses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbsweep.search import surrogate as surrogates
from mbsweep.search.exact_costs import ExactCosts
from mbsweep.search.gain import Front
from mbsweep.search.problem import Evaluation, Problem, hypervolumes
from mbsweep.search.surrogate import Settings, Surrogate, logit, percent
from mbsweep.search.terms import terms_of
from mbsweep.space.grid import Each, grids_of
from mbsweep.space.space import Space
from mbsweep.statistics.terraces import hypervolume_of_rows

NAN = float("nan")
# 4,096 networks.
SPACE = Space.of(
    [],
    grids_of(
        "mobilenet_v1",
        {
            "stage_depths": Each((1, 2)),
            "stage_widths": Each((0.5, 1.0)),
            "width": (0.25,),
            "resolution": (32, 48, 64, 96),
        },
    ),
)
PIXELS = SPACE.column("resolution")
BLOCKS = sum(SPACE.spread(lambda grid, n=n: grid.values["stage_depths"][n]) for n in range(5))
# Many pixels and blocks are good, and together a little better still: no one number tells.
TOP1_PCT = percent(np.log(SPACE.macs / 1e5) / 3 + 0.1 * BLOCKS + 0.2 * np.log(PIXELS) * (BLOCKS > 7))
PROBLEM = Problem(SPACE, SPACE.macs[:, None] / 1e6, ("macs",), np.ones(len(SPACE), dtype=bool))


def _searched(problem, evaluations, fails=(), at_once=1, seed=0):
    method, history = ExactCosts(problem, seed, 8), []
    while len(history) < evaluations:
        batch = len(history)
        history += [
            Evaluation(batch, one.place, NAN if one.place in fails else TOP1_PCT[one.place])
            for one in method.next(history, at_once)
        ]
    return history


POINT = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 9))


@settings(max_examples=100)
@given(st.integers(1, 2), st.lists(POINT, max_size=8), POINT)
def test_a_gain_is_what_the_hypervolume_grows_by(count, points, new):
    """Of one more point, with one cost and two, below the front and beyond it; on average over what it may be
    it is that of many draws.
    """
    rows = np.array([*points, new], dtype=float)
    costs, pct, largest = rows[:, :count], rows[:, 2], np.full(count, 4.5)
    front = Front.of(costs[:-1], pct[:-1], largest, 2.0)
    before, after = (hypervolume_of_rows(costs[:n], pct[:n], (largest, 2.0)) for n in (-1, len(rows)))
    assert front.gains(costs[-1:], pct[-1:])[0] == pytest.approx(after - before)
    had = [value for cost, value in zip(costs[:-1], pct[:-1], strict=True) if (cost <= costs[-1]).all()]
    if (costs[-1] < 4.5).all():
        assert front.heights(costs[-1:])[0] == max([2.0, *had])
    draws = pct[-1] + 1.5 * np.random.default_rng(0).standard_normal(4000)
    average = front.gains(np.repeat(costs[-1:], 4000, axis=0), draws).mean()
    expected = front.expected_gains(costs[-1:], pct[-1:], np.array([1.5]))[0]
    assert expected == pytest.approx(average, rel=0.15, abs=0.15)


def test_a_surrogate_is_the_conditional_of_a_normal_distribution():
    """Mean and deviation of each place are those of the textbook, from one covariance of all of them; that of
    millions, in half the precision, is the same.
    """
    terms = terms_of(PROBLEM)
    places = np.random.default_rng(0).choice(len(SPACE), 40, replace=False)
    known, unknown = terms[places[:25]], terms[places[25:]]
    surrogate = Surrogate.fit(known, TOP1_PCT[places[:25]])
    means, deviations = surrogate.predict(unknown)
    every = terms[places]
    lengths = surrogate.settings.lengths[every.fields]
    far = np.sqrt(5) * np.linalg.norm(
        (every.coordinates[:, None] - every.coordinates[None]) / lengths, axis=2
    )
    covariance = surrogate.settings.rest**2 * (1 + far + far**2 / 3) * np.exp(-far) + surrogates.LEVEL_SD**2
    weighted = every.linear * surrogate.settings.weights[every.kinds]
    covariance += weighted @ weighted.T
    noise = surrogate.settings.noise**2 * np.eye(25)
    gain = covariance[25:, :25] @ np.linalg.inv(covariance[:25, :25] + noise)
    values = logit(TOP1_PCT[places[:25]])
    np.testing.assert_allclose(means, np.median(values) + gain @ (values - np.median(values)), atol=1e-5)
    left = covariance[25:, 25:] - gain @ covariance[:25, 25:]
    np.testing.assert_allclose(deviations, np.sqrt(np.diag(left)), atol=1e-4)
    np.testing.assert_allclose(surrogate.means(unknown), means, atol=1e-3)
    np.testing.assert_allclose(surrogate.jointly(unknown)[1], left, atol=1e-4)


def test_intervals_hold_what_they_should():
    """Of networks that were not seen about 95 % lie in their intervals of 95 %, on average over draws."""
    terms = terms_of(PROBLEM)
    for count in (8, 20, 40):
        is_in = []
        for seed in range(6):
            places = np.random.default_rng(seed).choice(len(SPACE), count + 300, replace=False)
            surrogate = Surrogate.fit(terms[places[:count]], TOP1_PCT[places[:count]])
            means, deviations = surrogate.predict(terms[places[count:]])
            half = surrogate.reach * np.hypot(deviations, surrogate.settings.noise)
            is_in.append((abs(logit(TOP1_PCT[places[count:]]) - means) <= half).mean())
        assert np.mean(is_in) > 0.88


def test_percents_are_logits_and_back():
    """From 0 to 100, which are finite."""
    pct = np.array([0.0, 0.1, 50.0, 99.9, 100.0])
    np.testing.assert_allclose(percent(logit(pct)), pct, atol=1e-9)
    assert percent(np.array([-99.0, 99.0])).tolist() == [0, 100]


def test_settings_are_the_likeliest():
    """No change of one of them by a quarter makes the evaluations and what is usual likelier."""
    terms = terms_of(PROBLEM)[np.random.default_rng(2).choice(len(SPACE), 30, replace=False)]
    values = logit(TOP1_PCT[np.random.default_rng(2).choice(len(SPACE), 30, replace=False)])
    values = values - np.median(values)
    found = surrogates._likeliest(terms, values)
    logs = np.log(np.r_[found.weights, found.rest, found.lengths, found.noise])
    usual = surrogates.USUAL[[0, 1, 2, 3, 4, *[5] * len(found.lengths), 6]]
    usual[:5] *= values.std()
    usual[-1] *= values.std()
    spread = np.r_[[1.0] * 5, [0.7] * len(found.lengths), 1.0]

    def likelihood(logs):
        settings = Settings.of(logs)
        noise = settings.noise**2 + surrogates.LEAST_NOISE**2
        covariance = surrogates._covariance(terms, terms, settings) + noise * np.eye(30)
        _, size = np.linalg.slogdet(covariance)
        fit = values @ np.linalg.solve(covariance, values)
        return -0.5 * (fit + size + (((logs - np.log(usual)) / spread) ** 2).sum())

    best = likelihood(logs)
    for place in range(len(logs)):
        for change in (-0.25, 0.25):
            assert likelihood(logs + change * np.eye(len(logs))[place]) < best + 1e-3


@pytest.mark.parametrize("at_once", [1, 4])
def test_few_evaluations_find_the_front(at_once):
    """Of 4,096 variants 50 give 99 % of the true hypervolume in its own scale; 50 at random do not."""
    front_pct = np.maximum.accumulate(TOP1_PCT[np.argsort(PROBLEM.costs[:, 0])])
    low, high = front_pct.min(), front_pct.max()
    box = (np.array([PROBLEM.costs.max() * 1.1]), low - 0.1 * (high - low))
    whole = hypervolume_of_rows(PROBLEM.costs, TOP1_PCT, box)

    def share(places):
        return hypervolume_of_rows(PROBLEM.costs[places], TOP1_PCT[places], box) / whole

    assert share([one.place for one in _searched(PROBLEM, 50, at_once=at_once)]) > 0.99
    assert share(np.random.default_rng(0).choice(len(SPACE), 50, replace=False)) < 0.97


def test_it_turns_from_where_evaluations_fail():
    """Where all networks of 96 px fail, few of them are tried."""
    fails = set(np.flatnonzero(PIXELS == 96).tolist())
    history = _searched(PROBLEM, 40, fails)
    failed = [np.isnan(one.value_pct) for one in history]
    assert sum(failed[:8]) >= 1
    assert sum(failed[20:]) <= 6
    assert hypervolumes(PROBLEM, history)[-1] > hypervolumes(PROBLEM, history)[8]


def test_all_may_fail():
    """It goes on, with others each time."""
    history = _searched(PROBLEM, 15, fails=range(len(SPACE)))
    assert len({one.place for one in history}) == 15


def test_a_budget_on_accuracy_moves_the_search():
    """What is below it is no gain: its front is found sooner than by a search that does not know of it."""
    strict = Problem(SPACE, PROBLEM.costs, ("macs",), PROBLEM.feasible, float(np.quantile(TOP1_PCT, 0.9)))
    lost = []
    for problem in (strict, PROBLEM):
        searches = [_searched(problem, 25, seed=seed) for seed in range(3)]
        lost.append(1 - np.mean([hypervolumes(strict, history)[12:] for history in searches]))
    best = 1 - hypervolume_of_rows(strict.costs, TOP1_PCT, strict.reference) / strict.box
    assert lost[0] - best < 0.8 * (lost[1] - best)


def test_a_large_space_is_looked_at_in_part(monkeypatch):
    """With fewer contenders than variants the front is found all the same, and a search goes on as before."""
    monkeypatch.setattr("mbsweep.search.exact_costs.CONTENDERS", 300)
    monkeypatch.setattr("mbsweep.search.exact_costs.SHORT_LIST", 1000)
    whole = _searched(PROBLEM, 24)
    assert hypervolumes(PROBLEM, whole)[-1] > 0.99 * hypervolumes(PROBLEM, _searched(PROBLEM, 24, seed=1))[-1]
    for known in (11, 17, 23):
        (choice,) = ExactCosts(PROBLEM, 0, 8).next(whole[:known], 1)
        assert choice.place == whole[known].place
