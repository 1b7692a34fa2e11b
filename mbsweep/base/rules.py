"""What a value may be: the checks that variants and sweep files share, and the words of a refusal."""

import difflib
import math
import operator
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlist = _SHORT.maxtuple = 8  # a field has seven values at most, and the last may be the wrong one
_SHORT.maxlevel = 3  # a value from a hostile file may nest or repeat itself without end


def shown(value: object) -> str:
    """The value as an error message quotes it: short, on one line, whatever it is."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return "a whole number of over 75 digits"  # Python refuses to print very long ones
    return " ".join(_SHORT.repr(value).split())


def did_you_mean(word: object, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?` where one of the allowed words is near, else nothing."""
    known, said = list(allowed), str(word)[:100]
    within = [one for one in known if len(said) > 3 and said in one.split("_")]  # stage_depths: not depth
    within += [one for one in known if len(said) > 3 and said in one]
    near = within or difflib.get_close_matches(said, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


_WHOLE = re.compile(r"[-+]?[0-9]+")
_BROKEN = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


def number_of(text: str) -> int | float:
    """The number that a text is in a sweep file. ValueError where it is none.

    Python's int and float would take more: `1_0`, ` 1 `, `infinity`, digits of other scripts.
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    if _BROKEN.fullmatch(text):
        return float(text)
    raise ValueError(f"{shown(text)} is no number")


@dataclass(frozen=True)
class Rule:
    """What one field may be. `parse` returns the normalised value or raises ValueError."""

    expected: str  # completes "expected ..." in an error message
    parse: Callable[[Any], Any]

    def __call__(self, value: object) -> Any:
        """The normalised value. ValueError, with what is expected, where the value is not allowed."""
        try:
            return self.parse(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"expected {self.expected}{self._hint(value)}") from None

    def _hint(self, value: object) -> str:
        return ""


@dataclass(frozen=True)
class Choice(Rule):
    """One of a few names."""

    names: tuple[str, ...] = ()

    def _hint(self, value: object) -> str:
        return did_you_mean(value, self.names) if isinstance(value, str) else ""


def number(low: float, high: float, example: float, with_low: bool = False) -> Rule:
    """A number above `low` (or `low` itself, with `with_low`) and up to `high`."""

    def parse(value: object) -> float:
        if isinstance(value, bool | str | bytes):
            raise ValueError
        parsed = float(value)  # type: ignore[arg-type]  # anything else that is a number, NumPy's included
        if not (math.isfinite(parsed) and low <= parsed <= high) or (parsed == low and not with_low):
            raise ValueError
        return parsed

    return Rule(f"a number in {'[' if with_low else '('}{low:g}, {high:g}], such as {example:g}", parse)


def integer(low: int, high: int, example: int) -> Rule:
    """A whole number from `low` to `high`; 224.0 is not one."""

    def parse(value: object) -> int:
        if isinstance(value, bool):
            raise ValueError
        parsed = operator.index(value)  # type: ignore[arg-type]
        if not low <= parsed <= high:
            raise ValueError
        return parsed

    return Rule(f"a whole number from {low} to {high}, such as {example}", parse)


def choice(names: Iterable[str] | Mapping[str, object]) -> Choice:
    """One of the names."""
    allowed = tuple(names)

    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError
        return value

    return Choice(f"one of {', '.join(allowed)}", parse, allowed)


def one_number_of(*allowed: int) -> Rule:
    """One of a few whole numbers."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or operator.index(value) not in allowed:  # type: ignore[arg-type]
            raise ValueError
        return operator.index(value)  # type: ignore[arg-type]

    return Rule(f"one of {', '.join(map(str, allowed))}", parse)


def listed(item: Rule, example: tuple[Any, ...]) -> Rule:
    """A list of as many values as the example has, each as `item` says."""

    def parse(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) != len(example):
            raise ValueError
        return tuple(item(one) for one in value)

    return Rule(f"a list of {len(example)}, each {item.expected}: such as {list(example)}", parse)


def flag() -> Rule:
    """true or false."""

    def parse(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    return Rule("true or false", parse)


def integers(count: int | None, low: int, high: int, example: tuple[int, ...], or_none: bool = True) -> Rule:
    """A list of exactly `count` whole numbers; None: of different ones, as many as one likes, or none."""
    item = integer(low, high, example[0])

    def parse(value: object) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or len(value) != (len(set(value)) if count is None else count):
            raise ValueError
        if not value and not or_none:
            raise ValueError
        return tuple(item(v) for v in value)

    counted = "different" if count is None else count
    return Rule(f"a list of {counted} whole numbers from {low} to {high}, such as {list(example)}", parse)


def one_or_several(item: Rule, words: str) -> Rule:
    """One value as `item` says, or a list of different ones, which is not empty. words: what is expected."""

    def parse(value: object) -> Any:
        if not isinstance(value, list | tuple):
            return item(value)
        found = tuple(item(one) for one in value)
        if not found or len(set(found)) != len(found):
            raise ValueError
        return found

    return Rule(words, parse)


SEED = integer(0, 2**32 - 1, 0)


def text(longest: int) -> Rule:
    """Free text, up to `longest` characters."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise ValueError
        value.encode()  # half a surrogate pair is no text that could be written anywhere
        return value

    return Rule(f"text of up to {longest} characters", parse)
