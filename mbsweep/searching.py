"""A search in a run: every cost first, then evaluations, batch after batch, at the end a few networks whole.

What is chosen is in the run before it is evaluated, and what came of it before the next is chosen. A method
chooses by the problem, the seed and what came of its earlier choices alone: a search that was killed goes on
as it would have without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.source import Opened
from mbsweep.accuracy.training.pool import Pool
from mbsweep.accuracy.value import NAN, Accuracy
from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress
from mbsweep.confirming import confirmed, evenly
from mbsweep.latency.whole_space import latencies_ns
from mbsweep.search.budgets import Budgets, Columns
from mbsweep.search.learnt import learnt
from mbsweep.search.methods import METHODS
from mbsweep.search.note import Watched, search_note
from mbsweep.search.problem import Evaluation, Problem, front_of, hypervolumes
from mbsweep.search.settings import SearchSettings
from mbsweep.space.space import Space
from mbsweep.storage.search_tables import CHOSEN, DONE, FAILED, EvaluationRow
from mbsweep.storage.store import Store
from mbsweep.sweep.entering import AccuracyRow, enter_sweep, precisions, variant_rows
from mbsweep.sweep.searched import began, check_budgets, known_columns, start_places, whole_configs
from mbsweep.sweep.sweep import Sweep
from mbsweep.table import search_words

Floats = NDArray[np.float64]
NOT_EVALUATED = "not evaluated by the search"


def search(
    store: Store,
    sweep: Sweep,
    settings: SearchSettings,
    space: Space,
    opened: Opened,
    pool: Pool,
    progress: Progress,
    more: int = 0,
    retry: bool = False,
) -> None:
    """Do what is left of the search of a sweep, in its run.

    settings: its `search`. opened: its accuracy source. pool: as of `Opened.work`. more: evaluations beyond
    those that were asked for before. retry: evaluate again what failed.

    Raises MbsweepError where the run's search is another one, and where nothing keeps the budgets.
    """
    running = _Search(store, sweep, settings, space, opened, pool, progress)
    try:
        if retry:
            running.retry()
        running.begin(more, retry)
        running.evaluate()
        running.end()
    finally:
        opened.close()


class _Search:
    def __init__(
        self,
        store: Store,
        sweep: Sweep,
        settings: SearchSettings,
        space: Space,
        opened: Opened,
        pool: Pool,
        progress: Progress,
    ) -> None:
        self._store, self._sweep, self._settings, self._space = store, sweep, settings, space
        self._opened, self._pool, self._progress = opened, pool, progress
        self._about: dict[str, Any] = store.search() or {}
        self._latency_ns = dict[str, Floats]()  # configuration -> (3, variants): latency and its interval

    def retry(self) -> None:
        """Let what failed be measured and evaluated again."""
        self._store.forget_failures()
        failed = [row for row in self._store.evaluations() if row.state == FAILED]
        if failed:
            self._store.end_evaluations(
                row._replace(state=CHOSEN, reason="", hypervolume=None) for row in failed
            )

    def begin(self, more: int, retry: bool) -> None:
        """Find out all costs, which variants keep the budgets, and what was asked for."""
        self._enter_sweep()
        for config in self._sweep.latency:
            found = latencies_ns(self._store, config, self._space, self._progress, retry)
            self._latency_ns[config.id] = found
        settings, space = self._settings, self._space
        columns = known_columns(self._sweep, settings, space, self._store)
        self._check_known(columns)
        check_budgets(self._sweep, settings, space, columns)
        budgets = Budgets.of(settings, columns, len(space))
        costs = np.stack([columns[amount] for amount in settings.costs], axis=1)
        names = tuple(amount.words for amount in settings.costs)
        self._problem = Problem(space, costs, names, budgets.kept, settings.least_pct)
        start = start_places(self._sweep, settings, space)
        self._method = METHODS[settings.method](self._problem, settings.seed, start)
        for place in start if isinstance(start, list) else ():
            if not budgets.kept[place]:
                self._progress.say(f"start: {space.variant(place).id} is beyond the budgets, and is left out")
        self._about |= {
            "settings": settings.settings,
            "began": began(self._sweep, self._settings, self._space, self._opened),
            "space": {"variants": len(space), "feasible": len(self._problem.open), "budgets": budgets.counts},
            "reference": _reference(self._problem),
            "asked": max(settings.evaluations, self._about.get("asked", 0)) + more,
            "batch": self._about.get("batch") or self._opened.at_once(self._pool),
            "whole": [config.id for config in whole_configs(self._sweep).values()],
        }
        self._store.set_search(self._about)
        rows = [row for row in self._store.evaluations() if row.state != CHOSEN]
        self._keep(rows, self._rated(rows))  # a latency that was measured after all may move the reference

    def evaluate(self) -> None:
        """Choose and evaluate until as many are evaluated as were asked for, or nothing is left."""
        rows = self._store.evaluations()
        if len(rows) < self._about["asked"] or any(row.state == CHOSEN for row in rows):
            self._opened.prepare(self._store, self._pool, self._progress)
        watched: Watched | None = None
        while True:
            rows = self._store.evaluations()
            before = [row for row in rows if row.state != CHOSEN]
            pending = [row for row in rows if row.state == CHOSEN] or self._chosen(rows)
            if not pending:
                if len(rows) < self._about["asked"]:
                    self._progress.say(
                        f"nothing is left to evaluate after {len(rows):,} of {self._about['asked']:,}"
                    )
                return
            watched = watched or Watched(self._progress, self._about["asked"], len(before))
            # The whole batch, also where a part of it is done: how large it is decides the threads.
            self._evaluate(before, pending, watched)

    def _chosen(self, rows: Sequence[EvaluationRow]) -> list[EvaluationRow]:
        """The choices of the next batch, kept in the run with all that is known of them beforehand."""
        count = min(self._about["batch"], self._about["asked"] - len(rows))
        choices = self._method.next(history_of(rows), count) if count > 0 else []
        batch = rows[-1].batch + 1 if rows else 0
        chosen = [
            EvaluationRow(
                len(rows) + number,
                batch,
                self._space.variant(choice.place).id,
                choice.why,
                _known(choice.predicted_pct),
                _known(choice.low_pct),
                _known(choice.high_pct),
                _known(choice.gain),
                place=choice.place,
            )
            for number, choice in enumerate(choices)
        ]
        self._enter([row.place for row in chosen])
        if chosen:
            if self._about.pop("confirm", None) is not None:  # of a front that may move
                self._store.set_search(self._about)
            self._store.add_evaluations(chosen)
        return chosen

    def _evaluate(
        self, before: Sequence[EvaluationRow], batch: Sequence[EvaluationRow], watched: Watched
    ) -> None:
        watched.batch(len(batch))
        variants = [self._space.variant(row.place) for row in batch]
        self._store.set_accuracies(self._accuracy_rows([row.place for row in batch]))
        self._opened.evaluate(variants, self._store, self._pool, watched)
        seen = self._opened.seen_pct(variants, self._store).tolist()
        reasons = self._store.figures(self._opened.name)
        ended = []
        for row, value in zip(batch, seen, strict=True):
            if np.isnan(value):
                reason = reasons.get(row.variant, (NAN, ""))[1] or "no accuracy came of it"
                ended.append(row._replace(state=FAILED, reason=reason))
            else:
                ended.append(row._replace(state=DONE, value_pct=value))
        ended = self._rated(sorted([*before, *ended]))  # what failed and is tried again stands between others
        self._keep(before, ended)
        numbers = {row.number for row in batch}
        for row in ended:
            if row.number in numbers:
                came = f"failed: {row.reason}" if row.value_pct is None else f"{row.value_pct:.2f} %"
                watched.say(f"{row.number + 1} of {self._about['asked']}: {row.variant}: {came}; {row.why}")
        failed = sum(row.state == FAILED for row in ended)
        watched.ended(
            search_note(ended[-1].hypervolume or 0.0, len(front_of(self._problem, history_of(ended))), failed)
        )

    def _rated(self, rows: Sequence[EvaluationRow]) -> list[EvaluationRow]:
        """Evaluated rows, in order, with the hypervolume after each."""
        found = hypervolumes(self._problem, history_of(rows)).tolist()
        return [row._replace(hypervolume=share) for row, share in zip(rows, found, strict=True)]

    def _keep(self, before: Sequence[EvaluationRow], now: Sequence[EvaluationRow]) -> None:
        known = set(before)
        if changed := [row for row in now if row not in known]:
            self._store.end_evaluations(changed)

    def end(self) -> None:
        """Measure some of the front whole, and train them alone; finish what the accuracy source has to."""
        rows = self._store.evaluations()
        history = history_of(rows)
        ended = [[row.value_pct, row.hypervolume] for row in rows]
        if self._about.get("learnt_of") != ended:  # it takes seconds in a space of a million
            self._about |= learnt(self._problem, history) | {"learnt_of": ended}
        places = evenly(front_of(self._problem, history), self._settings.confirm)
        said_ns = {name: latency_ns[:, places] for name, latency_ns in self._latency_ns.items()}
        asked = self._store, self._sweep, self._space.select(places), self._opened, said_ns
        self._about["confirm"] = confirmed(*asked, self._pool, self._progress) if len(places) else []
        done = [row for row in rows if row.state == DONE]
        if variants := [self._space.variant(row.place) for row in done]:
            # Behind those that are trained alone: how far the others can be trusted is told by them.
            self._opened.finish(self._store, variants, self._pool, self._progress)
        self._store.set_search(self._about)

    # What is known before anything is evaluated

    def _check_known(self, columns: Columns) -> None:
        """MbsweepError where a latency could not be had, with the reason."""
        for amount in (*self._settings.costs, *self._settings.bounds):
            if amount.is_cost and amount not in columns:
                config = self._sweep.latency_of(amount)
                failures = self._store.failures()
                failure = failures.get(("", config.id))
                if failure is None:
                    failure = next((one for (_, id_), one in failures.items() if id_ == config.id), None)
                why = failure.reason if failure else "every variant failed"
                raise MbsweepError(
                    f"the search needs {amount.words}, which cannot be had: {config.id}: {why}; once that is "
                    "mended, run it with --retry"
                )

    def _enter_sweep(self) -> None:
        """With those variants that are known from the beginning: all where all are measured, else none."""
        rows = self._store.evaluations()
        measures = any(config.kind == "measured" for config in self._sweep.latency)
        places = np.arange(len(self._space)) if measures else np.array([row.place for row in rows], np.int64)
        ended = {row.place for row in rows if row.state != CHOSEN}
        left = [place for place in places.tolist() if place not in ended]
        accuracies = self._accuracy_rows(left, NOT_EVALUATED)
        space = self._space.select(places)
        whole = list(whole_configs(self._sweep).values())
        enter_sweep(self._store, self._sweep, space, self._opened, self._progress, whole, accuracies)

    def _accuracy_rows(self, places: Sequence[int], reason: str = "") -> Iterator[AccuracyRow]:
        """What the source knows of some variants; with a reason, that it is not known, and why."""
        for precision in precisions(self._sweep):
            known = self._opened.known(precision)
            for place in places:
                one = known.at(place)
                if reason:
                    one = Accuracy(NAN, NAN, one.kind, one.source, one.dataset, reason=reason)
                yield (self._space.variant(place).id, precision, *one.row)

    def _enter(self, places: Sequence[int]) -> None:
        """Let some variants be of the run, with their latencies."""
        chosen = self._space.select(np.array(places, np.int64))
        self._store.add_variants(variant_rows(chosen), self._accuracy_rows(places, NOT_EVALUATED))
        for config in self._sweep.latency:
            if config.kind == "measured":
                continue
            rows = zip(chosen.ids(), *self._latency_ns[config.id][:, places].tolist(), strict=True)
            self._store.add_predictions(config.id, rows)


def _reference(problem: Problem) -> str:
    """Up to where hypervolume counts, in words."""
    costs, pct = problem.reference
    return search_words.reference(problem.names, costs.tolist(), pct)


def history_of(rows: Sequence[EvaluationRow]) -> list[Evaluation]:
    """What a method is told of choices that have come to their end."""
    return [Evaluation(row.batch, row.place, NAN if row.value_pct is None else row.value_pct) for row in rows]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
