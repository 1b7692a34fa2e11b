"""Validation errors of a sweep file in words that say where, what was given and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from mbsweep.accuracy import SOURCES
from mbsweep.accuracy.datasets import DATASETS
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.base.strict import CHOSEN
from mbsweep.space.families import FAMILIES
from mbsweep.sweep.document import Document, Keys


class PlaceError(ValueError):
    """A refused value within a mapping, with its place there.

    is_whole: whether the message does without the value.
    """

    def __init__(self, place: Keys, value: object, message: str, is_whole: bool = False) -> None:
        super().__init__(message)
        self.place, self.value, self.is_whole = place, value, is_whole

    def within(self, key: str) -> PlaceError:
        """The same, told of the mapping around it."""
        return PlaceError((key, *self.place), self.value, str(self), self.is_whole)


def explain(error: ErrorDetails, doc: Document, model: type[BaseModel]) -> MbsweepError:
    """Pydantic's error in our words: where, what was given, what is allowed. `model` is the whole file's."""
    place: Keys = error["loc"]
    keys = tuple(key for key in place if not str(key).startswith(CHOSEN))
    if keys[:1] == ("space",) and isinstance(doc.data["space"], dict):
        keys = ("space", *keys[2:])  # a single mapping was put into a list of one
    given = error["input"]
    cause = error.get("ctx", {}).get("error")
    if error["type"] == "extra_forbidden":
        allowed = _keys_at(model, place[:-1])
        hint = _is_of_networks(keys) or did_you_mean(keys[-1], allowed)
        return doc.problem(keys, f"is an unknown key; allowed here: {', '.join(allowed)}{hint}")
    if error["type"] == "missing":
        return doc.problem(keys[:-1], f"lacks the key {keys[-1]!r}")
    if error["type"] == "union_tag_invalid":
        return _no_such_mapping(given, keys, doc)
    if isinstance(cause, PlaceError):
        keys, given = (*keys, *cause.place), cause.value
        if cause.is_whole:
            return doc.problem(keys, str(cause))
    if isinstance(cause, ValueError):
        return doc.problem(keys, f"is {shown(given)}; {cause}")
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        allowed = _keys_at(model, place)
        return doc.problem(
            keys, f"is {shown(given)}; expected a mapping with keys out of {', '.join(allowed)}"
        )
    if keys == ("space",):
        return doc.problem(
            keys, f"is {shown(given)}; expected a mapping such as {{width: [0.5, 1.0]}}, or a list of them"
        )
    if error["type"] in ("tuple_type", "list_type"):
        return doc.problem(keys, f"is {shown(given)}; expected a list")
    return doc.problem(keys, f"is {shown(given)}; {error['msg']}")


def _is_of_networks(keys: Keys) -> str:
    """Where a key belongs that is a field of networks, and stands elsewhere."""
    if not any(keys[-1] in family.keys for family in FAMILIES.values()):
        return ""
    by_itself = "; where networks are trained, the data set says it" if keys[-1] == "num_classes" else ""
    return f"; it is a field of networks, and stands in `space`{by_itself}"


# where one of several mappings may stand -> the key that says which it is, and the mappings
_SEVERAL: dict[str, tuple[str, Mapping[str, type[BaseModel]]]] = {
    "accuracy": ("source", SOURCES),
    "dataset": ("name", DATASETS),
}


def _no_such_mapping(given: Any, keys: Keys, doc: Document) -> MbsweepError:
    """One of several mappings is expected, and the key that says which does not name one of them."""
    key, models = _SEVERAL[str(keys[-1])]
    names = ", ".join(models)
    if not isinstance(given, dict):
        return doc.problem(
            keys, f"is {shown(given)}; expected a mapping such as {{{key}: {next(iter(models))}}}"
        )
    if key not in given:
        return doc.problem(keys, f"lacks the key {key!r}: one of {names}")
    hint = did_you_mean(given[key], models)
    return doc.problem((*keys, key), f"is {shown(given[key])}; expected one of {names}{hint}")


def _keys_at(model: type[BaseModel], place: Keys) -> list[str]:
    """The keys allowed in the mapping at a place of a sweep file."""
    for key in place:
        if str(key).startswith(CHOSEN):
            model = _MAPPINGS[str(key)[len(CHOSEN) :]]
        elif isinstance(key, str) and key in model.model_fields:
            model = _model_in(model.model_fields[key].annotation) or model
    return list(model.model_fields)


_MAPPINGS: dict[str, type[BaseModel]] = {**DATASETS, **SOURCES}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model_in(inner))), None)
