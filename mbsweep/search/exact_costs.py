"""mbsweep's own search: every cost is known, so only variants that can move the front are evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice

import numpy as np

from mbsweep.search.gain import Front
from mbsweep.search.method import Choice, Method
from mbsweep.search.problem import BEYOND, Evaluation, Floats, Places
from mbsweep.search.surrogate import Surrogate, percent
from mbsweep.search.terms import Terms, terms_of

CONTENDERS = 10_000  # looked at closely
REFRESHED = 5  # evaluations from one look at the whole space to the next
FEWEST = 3  # values; with fewer there is nothing to fit
OPTIMISM = 2.0  # standard deviations
# By turns, how many times as uncertain as it says the surrogate is taken to be. One of few points is surer
# than it should be; taken at its word, some searches stay for long with the combinations that they know.
DOUBTS = (1, 2, 4)
SHORT_LIST = 100_000  # of which the gain is computed, with optimism
SAMPLE = 4000  # places of a random part of the space


class ExactCosts(Method):
    """Evaluates where the expected gain in hypervolume is the largest, of all variants that keep the budgets.

    A surrogate of accuracy is fitted on what was evaluated, again after each batch. To begin with, the
    cheapest are evaluated, the costliest, and some that are far from each other. Within a batch each choice
    counts as if it had come out as expected. Where evaluations failed, what is near them is put off.
    """

    _looked: tuple[tuple[Evaluation, ...], Places] | None = None

    @cached_property
    def terms(self) -> Terms:
        """Of each place that is open."""
        return terms_of(self.problem)

    def _next(self, history: Sequence[Evaluation], count: int) -> list[Choice]:
        known = {one.place for one in history}
        values = len(self.problem.seen(history)[0])
        wanted = min(count, max(self.start_count - len(history), FEWEST - values))
        unknown = ((place, why) for place, why in self._beginning() if place not in known)
        begun = [Choice(place, why) for place, why in islice(unknown, max(wanted, 0))]
        if begun or not len(self.left(history)):
            return begun
        return self._by_gain(history, count)

    def _beginning(self) -> Iterator[tuple[int, str]]:
        """Places to begin with, each as far as can be from those before, and why."""
        places, costs = self.problem.open, self.problem.costs[self.problem.open]
        if not len(places):
            return
        named = {
            int(costs[:, column].argmin()): f"the least {name}"
            for column, name in enumerate(self.problem.names)
        }
        named.setdefault(int(costs[:, 0].argmax()), f"the largest {self.problem.names[0]}")
        for at, why in named.items():
            yield int(places[at]), f"to begin with: {why}"
        some = np.random.default_rng(self.seed).permutation(len(places))[:SAMPLE]
        linear = self.terms.linear
        distance = np.full(len(some), np.inf)
        for at in named:
            distance = np.minimum(distance, np.square(linear[some] - linear[at]).sum(axis=1))
            distance[some == at] = -1  # never twice, where terms are alike
        for _ in range((distance >= 0).sum()):
            far = int(distance.argmax())
            yield int(places[some[far]]), "to begin with: far from the others"
            distance = np.minimum(distance, np.square(linear[some] - linear[some[far]]).sum(axis=1))
            distance[far] = -1

    def _by_gain(self, history: Sequence[Evaluation], count: int) -> list[Choice]:
        surrogate, front = self.fitted(history)
        contenders = self._contenders(history)
        chance = self._chance(contenders, history)
        costs = self.problem.costs[self.problem.open]
        chosen: list[Choice] = []
        while len(contenders) and len(chosen) < count:
            logits, deviations = surrogate.predict(self.terms[contenders])
            doubt = DOUBTS[(len(history) + len(chosen)) % len(DOUBTS)]
            gains = front.expected_gains(costs[contenders], *_normal(logits, doubt * deviations)) * chance
            best = int(gains.argmax())
            at, mean = contenders[[best]], logits[[best]]
            half = surrogate.reach * np.hypot(deviations[best], surrogate.settings.noise)
            low, pct, high = (float(percent(mean + off)[0]) for off in (-half, 0, half))
            so_far = front.heights(costs[at])[0]
            why = f"may move the front, so far {so_far:.1f} % at this cost"
            why += f"; {doubt} times as uncertain as predicted" if doubt > 1 else ""
            gain = front.expected_gains(costs[at], *_normal(mean, deviations[[best]]))[0]
            share = float(gain / self.problem.box)
            chosen.append(Choice(int(self.problem.open[at[0]]), why, pct, low, high, share))
            if len(chosen) < count:  # as if it had come out as expected
                surrogate, front = (
                    surrogate.but_with(self.terms[at], mean),
                    front.and_then(costs[at], percent(mean)),
                )
                contenders, chance = np.delete(contenders, best), np.delete(chance, best)
        return chosen

    def fitted(self, history: Sequence[Evaluation]) -> tuple[Surrogate, Front]:
        """The surrogate of what was evaluated, and its front."""
        places, pct = self.problem.seen(history)
        surrogate = Surrogate.fit(self.terms[self._at(places)], pct)
        places, pct = self.problem.admitted(history)
        # More of a cheap variant's accuracy is a gain from a tenth below the front's lowest end on, which is
        # that of the cheapest, evaluated or not.
        costs = self.problem.costs[self.problem.open]
        ends = self.terms[np.unique(costs.argmin(axis=0))]
        logits, deviations = surrogate.predict(ends)
        worst = min(percent(logits - OPTIMISM * deviations).min(), pct.min(initial=100))
        floor = worst - BEYOND * (pct.max(initial=worst) - worst)
        front = Front.of(
            self.problem.costs[places], pct, self.problem.reference[0], max(floor, self.problem.least_pct)
        )
        return surrogate, front

    def hopeful(self, history: Sequence[Evaluation], count: int) -> tuple[Places, Surrogate]:
        """At most `count` of those left, as numbers among those that are open, by the expected gain."""
        surrogate, front = self.fitted(history)
        contenders = self._contenders(history)
        costs = self.problem.costs[self.problem.open[contenders]]
        gains = front.expected_gains(costs, *_normal(*surrogate.predict(self.terms[contenders])))
        return contenders[np.argsort(-gains, kind="stable")[:count]], surrogate

    def _contenders(self, history: Sequence[Evaluation]) -> Places:
        """What is left and, looked at with optimism, may move the front the most."""
        left = self._at(self.left(history))
        if len(left) <= CONTENDERS:
            return left
        last = tuple(history[: len(history) - len(history) % REFRESHED])
        if len(self.problem.seen(last)[0]) < FEWEST:
            last = tuple(history)
        if self._looked is None or self._looked[0] != last:
            self._looked = last, self._look(last)
        return self._looked[1][np.isin(self._looked[1], left)]

    def _look(self, history: Sequence[Evaluation]) -> Places:
        """The same of the whole space, from less of the history."""
        surrogate, front = self.fitted(history)
        left = self._at(self.left(history))
        logits = surrogate.means(self.terms)[left]
        some = self.terms[np.random.default_rng(self.seed).choice(left, SAMPLE)]
        deviation = np.sqrt(np.square(surrogate.predict(some)[1]).mean())
        pct = percent(logits + OPTIMISM * deviation)
        costs = self.problem.costs[self.problem.open[left]]
        above = pct - front.heights(costs)
        most = np.argsort(-above, kind="stable")[:SHORT_LIST]
        gains = front.gains(costs[most], pct[most])
        return left[np.sort(most[np.argsort(-gains, kind="stable")[:CONTENDERS]])]

    def _chance(self, at: Places, history: Sequence[Evaluation]) -> Floats:
        """That an evaluation does not fail, by a surrogate of its own: 0 % where one did, 100 % where not."""
        failed = np.isnan([one.value_pct for one in history])
        if not failed.any():
            return np.ones(len(at))
        known = self._at(np.array([one.place for one in history], np.int64))
        found = Surrogate.fit(self.terms[known], np.where(failed, 0.0, 100.0))
        return percent(found.predict(self.terms[at])[0]) / 100

    def _at(self, places: Places) -> Places:
        """Places as numbers among those that are open."""
        return np.searchsorted(self.problem.open, places)


def _normal(logits: Floats, deviations: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation in percent, where logits are normally distributed."""
    return percent(logits), (percent(logits + deviations) - percent(logits - deviations)) / 2
