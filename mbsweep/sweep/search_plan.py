"""What a search would do, and what it has done, before it is started. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mbsweep.latency.predicting import fingerprint
from mbsweep.search.budgets import Budgets
from mbsweep.search.settings import TOP1, SearchSettings
from mbsweep.space.grid import Places
from mbsweep.space.space import Space
from mbsweep.storage.database import EmptyRunError
from mbsweep.storage.folder import holds_run
from mbsweep.storage.search_tables import CHOSEN, EvaluationRow
from mbsweep.storage.store import Store
from mbsweep.sweep.searched import check_budgets, known_columns, whole_configs
from mbsweep.sweep.sweep import Sweep


@dataclass(frozen=True)
class SearchPlan:
    """What is known of a search beforehand.

    lines: in words. chosen: where those stand that were evaluated, and others in place of those that will be.
    confirm: how many of the front are measured whole and trained alone; is_confirmed: they were already.
    known: the latency configurations of which the run knows every variant.
    """

    lines: tuple[str, ...]
    chosen: Places
    confirm: int
    is_confirmed: bool
    known: frozenset[str]


def plan_search(sweep: Sweep, search: SearchSettings, space: Space, folder: Path) -> SearchPlan:
    """That of a sweep, in the run in a folder if there is one.

    Raises MbsweepError where no variant keeps the budgets, as far as they are known.
    """
    rows: list[EvaluationRow] = []
    known: list[str] = []
    about: dict[str, Any] = {}
    asked = search.evaluations
    columns = known_columns(sweep, search, space, None)
    with suppress(EmptyRunError), Store.read(folder) if holds_run(folder) else nullcontext() as store:
        if store is not None:
            rows, about = store.evaluations(), store.search() or about
            asked = max(asked, about.get("asked", 0))
            columns = known_columns(sweep, search, space, store)
            for config in sweep.latency:
                if store.search_costs(config.id, fingerprint(config, space)) is not None:
                    known.append(config.id)
    check_budgets(sweep, search, space, columns)
    budgets = Budgets.of(search, columns, len(space))
    is_left = budgets.kept.copy()
    done = [row.place for row in rows]
    is_left[done] = False
    left = np.flatnonzero(is_left)
    count = min(max(0, asked - len(done)), len(left))
    others = np.random.default_rng(0).choice(left, count, replace=False)
    ended = sum(row.state != CHOSEN for row in rows)
    lines = [*_lines(search, space, budgets, asked, ended)]
    confirm = min(search.confirm, len(done) + count)
    is_confirmed = ended == len(rows) and not count and "confirm" in about
    whole = ["measured whole"] if whole_configs(sweep) else []
    alone = ["trained alone"] if sweep.accuracy and sweep.accuracy.trains_alone else []
    if confirm and (whole or alone):
        lines.append(f"at the end {confirm} of the front are {_and([*whole, *alone])}")
    chosen = np.concatenate([np.array(done, np.int64), others])
    if is_confirmed:
        confirm = len(about["confirm"])  # the front may have fewer
    return SearchPlan(tuple(lines), chosen, confirm, is_confirmed, frozenset(known))


def _lines(search: SearchSettings, space: Space, budgets: Budgets, asked: int, ended: int) -> Iterator[str]:
    kept = int(budgets.kept.sum())
    yield (
        f"{min(asked, kept):,} evaluations by {search.method} (seed {search.seed}) for "
        f"{_and(search.objectives)}; {ended:,} done"
    )
    said = [f"{words}: {count:,}" for words, count in budgets.fit.items()]
    if budgets.fit:
        yield f"{kept:,} of {len(space):,} variants keep the budgets ({'; '.join(said)})"
    if budgets.unknown:
        yield f"how many keep {_and(budgets.unknown)} is known once that is measured or predicted"
    if search.least_pct > 0:
        yield f"{TOP1} at least {search.least_pct:g} is asked of the front; each evaluation tells it of one"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
