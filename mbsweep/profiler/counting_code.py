"""Networks of the user's own, counted in another process: what their code does costs no more than it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mbsweep.base import child
from mbsweep.base.child import AnswerError, Child, CrashError, command_of
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.progress import Progress, Silent
from mbsweep.profiler.device import is_gpu_lost
from mbsweep.space.counting import Counts, Found
from mbsweep.space.families.factory import check_code, code_allowed
from mbsweep.space.variant import Variant

COMMAND = command_of(__name__)
HUNG_S = 600.0  # the largest networks take seconds
OWN_WORDS = ("FactoryError",)  # errors whose words say all


class Counter(Child):
    """Runs factories, one after another."""

    def __init__(self) -> None:
        super().__init__(COMMAND, "the factory")

    def found(self, variant: Variant) -> Found:
        """What a network's code gives. Raises AnswerError; CrashError where the process ended."""
        self.tell("count", variant.as_dict())
        told = self.answer(HUNG_S)
        return Found(Counts(**told["counts"]), told["note"], code=told["code"])


def count_code(variants: Iterable[Variant], progress: Progress | None = None) -> dict[Variant, Found]:
    """Find out the counts of networks that are code; what goes wrong with one is noted of it.

    progress: told how far it is. Raises MbsweepError where their code may not be run.
    """
    left = list(dict.fromkeys(variants))
    for variant in left:
        check_code(variant.family)
    known: dict[Variant, Found] = {}
    counter: Counter | None = None
    progress = progress or Silent()
    progress.begin("count networks that are code", len(left))
    try:
        for variant in left:
            counter = counter or Counter()
            try:
                known[variant] = counter.found(variant)
            except AnswerError as error:
                told = error.words if error.kind in OWN_WORDS else f"{variant.family}: {error}"
                reason = one_line(told, 500)
                known[variant] = Found(failure=reason.encode("utf-8", "backslashreplace").decode())
                if isinstance(error, CrashError):
                    counter.close()
                    counter = None
            progress.advance(variant.id)
    finally:
        if counter is not None:
            counter.close()
    return known


def counted(variant: Variant) -> Found:
    """What a network's code gives, of one that a command is asked for. MbsweepError where it gives none."""
    (found,) = count_code([variant]).values()
    if found.failure:
        raise MbsweepError(found.failure)
    return found


class _Answers:
    """What the other process does."""

    def __call__(self, method: str, argument: Any) -> Any:
        from dataclasses import asdict

        from mbsweep.profiler.factory_counts import found

        with code_allowed():  # or nobody would have told us to
            told = found(Variant(**argument))
        return {"counts": asdict(told.counts), "note": told.note, "code": told.code}


def serve() -> None:
    """Be the other process."""
    child.serve(_Answers(), is_gpu_lost)


if __name__ == "__main__":
    serve()
