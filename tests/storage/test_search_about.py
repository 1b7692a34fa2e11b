"""What is kept of a search is read as it was written, or not at all."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from console import call, execute, query, refusal
from search_runs import search_run

from mbsweep.storage.store import Store


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that has come to its end, of which a row is altered."""
    return Path(search_run(tmp_path_factory.mktemp("search") / "run"))


@pytest.fixture(scope="module")
def about(run: Path) -> Any:
    """What is kept of it."""
    return json.loads(query(run, "SELECT about FROM searches")[0][0])


def altered(about: Any, where: str, value: object) -> str:
    """The same as JSON, with one part replaced. where: `settings.objectives.1`."""
    found = copy.deepcopy(about)
    *parts, last = [int(part) if part.isdigit() else part for part in where.split(".")]
    at = found
    for part in parts:
        at = at[part]
    at[last] = value
    return json.dumps(found)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("settings.objectives", "rubbish"),
        ("settings.objectives", ["top1_pct"]),
        ("settings.objectives", ["macs", "params"]),
        ("settings.objectives.1", "speed"),
        ("settings.objectives.1", 3),
        ("settings.budgets.latency_ms", 5),
        ("settings.budgets", {"speed": {"max": 5}}),
        ("settings.evaluations", -1),
        ("settings.start", "all"),
        ("space.feasible", "many"),
        ("space.feasible", 10**30),
        ("space.budgets", [1]),
        ("reference", None),
        ("account.0.points", "much"),
        ("account.0", []),
        ("confirm.0.top1", [1, 2]),
        ("confirm.0.latency", {"onnxruntime-fp32-b1-t1": ["fast"]}),
        ("reached", [0.9]),
        ("expected", [{"cost": 1}]),
    ],
)
def test_what_was_altered_is_told_in_one_line(run: Path, about: Any, where: str, value: object) -> None:
    """Which part of what is kept is wrong, where, and what to do: no traceback from whoever needs it."""
    execute(run, "UPDATE searches SET about = ?", [altered(about, where, value)])
    told = refusal(call("table", run, "--search"))
    assert str(run) in told
    assert f"of its search has a wrong {where}" in told or f"of its search has no {where}" in told
    assert "the file is damaged; restore it" in told


def test_what_was_not_altered_is_read(run: Path, about: Any) -> None:
    """With parts that a later mbsweep may add, and with unknown numbers."""
    with_more = altered(about, "later", {"a": 1})
    execute(run, "UPDATE searches SET about = ?", [altered(json.loads(with_more), "account.0.low", None)])
    with Store.read(run) as store:
        found = store.search()
    assert found is not None
    assert found["later"] == {"a": 1}
    assert found["account"][0] == about["account"][0] | {"low": None}
    with Store.write(run) as store:
        store.set_search(about)
        assert store.search() == about
