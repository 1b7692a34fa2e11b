"""The base of every mapping in a sweep file."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator

from mbsweep.space.rules import Rule


class Strict(BaseModel):
    """A mapping in which unknown keys are refused, and whose plain values follow `rules`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: ClassVar[dict[str, Rule]] = {}

    @field_validator("*", mode="before")
    @classmethod
    def _follow_rules(cls, value: Any, info: Any) -> Any:
        rule = cls.rules.get(info.field_name)
        return rule(value) if rule else value
