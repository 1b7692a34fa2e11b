"""What a search has learnt, as a run keeps it: which axes matter, how far the front is from the true one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mbsweep.search.account import account, outlook
from mbsweep.search.problem import Evaluation, Problem


def learnt(problem: Problem, history: Sequence[Evaluation]) -> dict[str, Any]:
    """Parts of what `SearchTables.search` gives: `account`, `expected` and `reached`, for JSON."""
    found = outlook(problem, history)
    return {
        "account": [
            {
                "axis": row.axis,
                "from": row.before,
                "to": row.after,
                "points": row.points,
                "low": row.low,
                "high": row.high,
                "costs": row.costs,
            }
            for row in account(problem, history)
        ],
        "expected": [step._asdict() for step in found.steps] if found else [],
        "reached": found.reached if found else None,
    }
