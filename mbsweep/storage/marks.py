"""What code must know of what a run keeps, apart from the words that tell it to people."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Mark(StrEnum):
    """What is to be known of an accuracy: its notes, or the reason why it is unknown, say it in words."""

    UNRELIABLE = "unreliable"  # of a supernet whose ranking is not to be relied on
    EXTRAPOLATED = "extrapolated"  # predicted beyond the points of its model
    # Of one or more of the trainings behind it:
    STALLED = "stalled"  # no better than guessing, also when begun anew
    LATE = "late"  # no better than guessing for half of its epochs
    WEAK = "weak"  # has learnt next to nothing
    STOPPED = "stopped"  # by halving
    BEGUN_ANEW = "begun anew"


def marked(marks: Iterable[Mark]) -> str:
    """Marks as a run keeps them, each once: `stalled, late`."""
    given = set(marks)
    return ", ".join(mark for mark in Mark if mark in given)


def marks_of(kept: object) -> tuple[Mark, ...]:
    """The marks of what `marked` has made; none of what is empty or unknown."""
    return tuple(map(Mark, kept.split(", "))) if isinstance(kept, str) and kept else ()


class FailureKind(StrEnum):
    """What became of what is not there."""

    SKIPPED = "skipped"  # on purpose: this machine lacks what the configuration needs
    # It lies in the network, the runtime or the recipe: with the same weights, seeds and versions it comes
    # again.
    LASTING = "lasting"
    PASSING = "passing"  # a process that died, short memory, a busy machine: may go another way


# Exceptions, by name, that follow from weights, seeds and versions alone.
_LASTING = frozenset({"ValueError", "TypeError", "NotImplementedError", "CountMismatchError"})


class Failure(NamedTuple):
    """Why something was not measured or trained."""

    reason: str
    kind: FailureKind = FailureKind.PASSING

    @classmethod
    def of(cls, error: str, reason: str) -> Failure:
        """That of an exception. error: its name; empty where there was none."""
        return cls(reason, FailureKind.LASTING if error in _LASTING else FailureKind.PASSING)

    @property
    def words(self) -> str:
        """The reason, for people."""
        return f"skipped: {self.reason}" if self.kind is FailureKind.SKIPPED else self.reason
