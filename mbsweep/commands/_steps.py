"""`mbsweep bench`: one network as training codes time it, mean and standard deviation over steps in a row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np

from mbsweep.base import rules
from mbsweep.base.child import AnswerError
from mbsweep.base.cores import usable_cores
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.quiet import quiet
from mbsweep.base.rules import Rule
from mbsweep.profiler.backends import BACKENDS, asked
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.counting_code import counted
from mbsweep.profiler.device import this_device
from mbsweep.profiler.subject import Subject
from mbsweep.space.counting import NOT_COUNTED
from mbsweep.space.variant import Variant
from mbsweep.sweep.possible import lonely_layer, no_step

NS_PER_S = 1_000_000_000
FAR = 1.5  # times the median, or the median so many times: what other work on the machine does to a step


def time_steps(
    variant: Variant,
    backend: str,
    precision: str,
    batch: int,
    threads: int | None,
    steps: int,
    burn_in: int,
) -> Iterator[str]:
    """Lines that say what is timed, then one for each mode that the backend has, as it is done.

    Raises MbsweepError where something asked for is not allowed or not to be had, or the network fails.
    """
    counts = counted(variant).counts if variant.is_code else NOT_COUNTED
    subject = Subject.of(variant, is_checked=False, counts=counts)
    _check("steps", steps, rules.integer(1, 100_000, 100))
    _check("burn-in", burn_in, rules.integer(0, 10_000, 10))
    first = asked(
        backend=backend,
        precision=precision,
        batch=batch,
        threads=usable_cores() if threads is None else threads,
        visit_calls=steps,
        warmup_calls=burn_in,
    )
    yield f"{variant.id}, {first.id}, {burn_in} burn-in steps, on {this_device()}"
    modes = BACKENDS[backend].options.get("mode", (first.mode,))
    if "forward_backward" in modes and (layer := lonely_layer(variant, batch)):
        yield f"forward_backward is left out: {no_step(layer)}; with --batch 2 it has two"
        modes = tuple(mode for mode in modes if mode != "forward_backward")
    for mode in modes:
        config = first.model_copy(update={"mode": mode})
        with closing(Bench(config, _fail)) as bench:
            bench.prepare([subject], lambda subject, file_bytes: None)
            with quiet():
                samples_s = np.array(bench.visit(subject.name)) / NS_PER_S
        yield f"{mode} across {steps} steps, {spread(samples_s)} sec/batch"
        if words := far_off(samples_s):
            yield f"  {words}"


def _check(name: str, value: int, rule: Rule) -> None:
    try:
        rule(value)
    except ValueError as error:
        raise MbsweepError(f"{name} is {value}; {error}") from None


def _fail(name: str, error: AnswerError) -> None:
    raise MbsweepError(f"{name}: {one_line(error, 500)}")


def far_off(samples_s: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    """How many steps are far from the median, and the farthest; empty where none is."""
    median = float(np.median(samples_s))
    times = np.maximum(samples_s / median, median / samples_s)
    count = int((times > FAR).sum())
    if not count:
        return ""
    farthest = float(samples_s[times.argmax()])
    return (
        f"{count} of {len(times)} steps far off, by more than {FAR:g} times the median of {median:.4g} s, "
        f"up to {farthest:.4g} s: the mean is theirs, too; is the machine busy?"
    )


def spread(samples_s: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    """`0.123 +/- 0.004`: mean and standard deviation, to the deviation's first digit but at least to 1 ms.

    Nor beyond the 15 digits that a double is sure of: what equal steps deviate by is rounding.
    """
    mean = float(samples_s.mean())
    sd = float(samples_s.std(ddof=1)) if len(samples_s) > 1 else float("nan")
    sure = 15 - int(np.ceil(np.log10(samples_s.max())))
    digits = 3 if not sd > 0 else max(3, min(sure, int(np.ceil(-np.log10(sd)))))
    return f"{mean:.{digits}f} +/- {sd:.{digits}f}"
