"""What a run keeps of a search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbsweep.base.errors import MbsweepError
from mbsweep.storage.search_tables import CHOSEN, DONE, FAILED, EvaluationRow
from mbsweep.storage.store import Store

ROWS = [
    EvaluationRow(0, 0, "a", "the smallest", place=17),
    EvaluationRow(1, 0, "b", "the largest", 91.5, 88.0, 94.0, 0.03),
]


def test_a_run_without_a_search_has_none(tmp_path: Path) -> None:
    """Nothing is made for runs that search nothing."""
    with Store.write(tmp_path / "run") as store:
        assert store.search() is None
        assert store.evaluations() == []
        assert store.search_costs("c", "f") is None
        tables = {row[0] for row in store._query("SELECT name FROM sqlite_master")}
    assert not {"searches", "evaluations", "search_costs"} & tables


def test_choices_and_what_came_of_them(tmp_path: Path) -> None:
    """Choices are kept before they are evaluated, and keep what was expected of them."""
    with Store.write(tmp_path / "run") as store:
        store.add_evaluations(ROWS)
    with Store.read(tmp_path / "run") as store:
        assert store.evaluations() == ROWS
        assert {row.state for row in store.evaluations()} == {CHOSEN}
    done = ROWS[0]._replace(value_pct=90.25, state=DONE, hypervolume=0.5)
    failed = ROWS[1]._replace(state=FAILED, reason="seed 0: diverged", hypervolume=0.5)
    with Store.write(tmp_path / "run") as store:
        store.end_evaluations([done, failed])
    with Store.read(tmp_path / "run") as store:
        assert store.evaluations() == [done, failed]


def test_choices_of_a_batch_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    """One that was chosen before makes the whole batch fail: no half of it stays."""
    with Store.write(tmp_path / "run") as store:
        store.add_evaluations(ROWS)
        with pytest.raises(MbsweepError):
            store.add_evaluations([EvaluationRow(2, 1, "c", ""), EvaluationRow(3, 1, "a", "")])
        assert store.evaluations() == ROWS


@given(st.lists(st.floats(allow_nan=True), max_size=50))
def test_costs_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    """Those of the space that they were kept for, and of no other."""
    ns = np.array(values)
    with Store.write(tmp_path_factory.mktemp("runs") / "run") as store:
        store.set_search_costs("config", "this space", ns)
        found = store.search_costs("config", "this space")
        assert found is not None
        assert found.tobytes() == ns.tobytes()
        assert store.search_costs("config", "another") is None


def test_damaged_costs_are_told(tmp_path: Path) -> None:
    """One line, no traceback."""
    with Store.write(tmp_path / "run") as store:
        store.set_search_costs("config", "f", np.ones(3))
        with store._transaction() as sql:
            sql.execute("UPDATE search_costs SET ns = ?", [b"nonsense"])
        with pytest.raises(MbsweepError, match="the costs of its search are damaged"):
            store.search_costs("config", "f")
