"""What a run keeps of what its search looks for, and of what that has learnt: the shape of it.

A reader relies on it: whoever has altered the file is told which part is not as it was written.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mbsweep.base.rules import shown
from mbsweep.space.counting import Counts

_TOP1, _COSTS = "top1_pct", ("latency_ms", *Counts.__slots__)


def _column(amount: str) -> str:
    """Of `latency_ms@onnxruntime-fp32-b1-t1` what stands in front."""
    return amount.partition("@")[0]


def _amount(found: str) -> str:
    if _column(found) not in (_TOP1, *_COSTS):
        raise ValueError
    return found


def _objectives(found: list[str]) -> list[str]:
    """Accuracy once, and one or two costs."""
    if [_column(one) for one in found].count(_TOP1) != 1:
        raise ValueError
    return found


_Amount = Annotated[str, AfterValidator(_amount)]
_Number = float | None  # None: unknown
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Three = Annotated[list[_Number], Field(min_length=3, max_length=3)]
_Six = Annotated[list[_Number], Field(min_length=6, max_length=6)]
_Five = Annotated[list[_Number], Field(min_length=5, max_length=5)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Settings(_Part):
    objectives: Annotated[list[_Amount], Field(min_length=2, max_length=3), AfterValidator(_objectives)]
    budgets: dict[_Amount, dict[str, _Number]] = {}
    evaluations: _Count
    method: str
    start: int | list[Any] = 0
    confirm: int = 0


class _Space(_Part):
    variants: _Count
    feasible: _Count
    budgets: dict[_Amount, _Count] = {}


class _Axis(_Part):
    axis: str
    points: _Number
    low: _Number
    high: _Number
    costs: list[_Number] = []


class _Step(_Part):
    cost: float
    best: _Number
    low: _Number
    high: _Number


class _Confirmed(_Part):
    variant: str
    latency: dict[str, _Six] | None = None
    top1: _Five | None = None


class _About(_Part):
    settings: _Settings
    began: dict[str, Any]
    space: _Space
    reference: str
    asked: _Count
    batch: _Count
    whole: list[str] = []
    # Once it has come to its end.
    account: list[_Axis] = []
    expected: list[_Step] = []
    reached: _Three | None = None
    confirm: list[_Confirmed] = []


def checked(found: Any) -> dict[str, Any]:
    """What is kept of a search, as it is. ValueError where it is not what this program writes."""
    if not isinstance(found, dict):
        raise ValueError("what is kept of its search is no mapping")
    try:
        _About.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        if first["type"] == "missing":
            raise ValueError(f"what is kept of its search has no {where}") from None
        raise ValueError(f"what is kept of its search has a wrong {where}, {shown(first['input'])}") from None
    return found
