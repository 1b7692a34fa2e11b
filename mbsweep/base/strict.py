"""The base of every mapping in a sweep file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, field_validator

from mbsweep.base.rules import Rule

# Begins the part of an error's place that says which of several mappings was meant. No key of a file has it.
CHOSEN = "\0"


class Strict(BaseModel):
    """A mapping in which unknown keys are refused, and whose plain values follow `rules`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: ClassVar[dict[str, Rule]] = {}
    added: ClassVar[frozenset[str]] = frozenset()  # fields that what earlier versions wrote does not have

    @field_validator("*", mode="before")
    @classmethod
    def _follow_rules(cls, value: Any, info: Any) -> Any:
        rule = cls.rules.get(info.field_name)
        return rule(value) if rule else value

    @property
    def settings(self) -> dict[str, Any]:
        """All fields, for JSON; `model_validate` reads them back."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def identity(self) -> dict[str, Any]:
        """The same without added fields that have their default: equal to what earlier versions wrote."""
        found = self.settings
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name in self.added and value == field.default:
                found.pop(name, None)
            elif name in self.added and value is None:
                found[name] = None
            elif isinstance(value, Strict):
                found[name] = value.identity
        return found


def fingerprint(config: Strict, length: int, without: Collection[str] = ()) -> str:
    """A short hash of settings: two configurations have the same if they ask for the same.

    without: settings that do not matter.
    """
    settings = {name: value for name, value in config.identity.items() if name not in without}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:length]


def one_of(key: str, models: Mapping[str, type[Strict]]) -> Any:
    """A type: the mapping that its own `key` names.

    Errors have CHOSEN and the name in their place; or the type "union_tag_invalid" without such a name.
    """

    def chosen(value: Any) -> str:
        name = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
        return CHOSEN + (name if isinstance(name, str) else "")

    tagged = tuple(Annotated[model, Tag(CHOSEN + name)] for name, model in models.items())
    return Annotated[Union[tagged], Discriminator(chosen)]  # noqa: UP007  (of a tuple)
