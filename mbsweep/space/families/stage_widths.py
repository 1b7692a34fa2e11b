"""Channels of stages, and multipliers of them: the same of every family that has them."""

from __future__ import annotations

from functools import partial
from typing import Any

from mbsweep.base.rules import Rule, integer, integers, listed, number
from mbsweep.space.families.family import Alias
from mbsweep.space.fields import Field

_MOST = 8192
_MULTIPLIER = number(0, 8, 0.75)


def stage_channels(usual: tuple[int, ...]) -> Field:
    """The field `stage_channels`. usual: the channels of each stage at width 1."""
    rule = integers(len(usual), 1, _MOST, usual)
    return Field(
        Rule(rule.expected, partial(_parsed, rule, usual[0])),
        usual,
        "Stage channels at width 1",
        "Channels of the stages at width 1.",
        tag="c",
        stages=len(usual),
        item=integer(1, _MOST, 64),
        elastic="prefix",
    )


def stage_widths(usual: tuple[int, ...]) -> Alias:
    """Its alias `stage_widths`: multipliers."""
    example = tuple(0.75 if stage == 2 else 1.0 for stage in range(len(usual)))
    field = Field(
        listed(_MULTIPLIER, example),
        (1.0,) * len(usual),
        "Width multipliers of the stages",
        "Width multiplier of each stage, beside that of all.",
        stages=len(usual),
        item=_MULTIPLIER,
    )
    return Alias("stage_channels", field, partial(_channels, usual))


def _channels(usual: tuple[int, ...], widths: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of multipliers of each stage its channels at width 1; whole ones as whole numbers."""
    wide = [base * width for base, width in zip(usual, widths, strict=True)]
    return tuple(int(one) if isinstance(one, float) and one.is_integer() else one for one in wide)


def _parsed(whole: Rule, instead: int, value: object) -> tuple[Any, ...]:
    """Whole numbers; or what multipliers make of them, before they are rounded."""
    if not isinstance(value, list | tuple):
        raise ValueError
    split = [one for one in value if isinstance(one, float) and not one.is_integer() and 0 < one <= _MOST]
    parsed = iter(whole.parse([instead if one in split else one for one in value]))
    return tuple(one if one in split else next_ for one, next_ in zip(value, parsed, strict=True))
