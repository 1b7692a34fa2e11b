"""A small model of accuracy, fitted on the points of one published table or of one run.

The logit of top-1 is linear in the logarithm of the mult-adds, with a bend over the width and one over the
resolution, both in logarithms from the paper's network (1.0, 224); where the points differ in depth, also in
log (depth + 1). Of the forms of as few terms this had the smallest leave-one-out error on the published
networks among those in which more mult-adds never lower the accuracy: with log width and log resolution as
terms of their own the mult-adds get a negative weight, and a width that is rounded up by a few channels loses
20 points of top-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray

from mbsweep.accuracy.published import accuracy_figures
from mbsweep.accuracy.value import IMAGENET, NAN
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import as_text, expanded
from mbsweep.space.families import FAMILIES, family_of
from mbsweep.space.space import count_macs
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store

Floats = NDArray[np.float64]

SPARE = 2  # points beyond the model's terms, at least
NEW_PCT = 1  # a term of which the terms before it explain all but so much tells nothing new
ALONE = 0.99  # the leverage of a point on which a term hangs alone: no other point can check it
LEVELS = 9  # values of a field, from the points' least to their most, at which a model must not fall
SLACK_PCT = 0.1  # of top-1 that it may: channels are rounded
EDGE_PCT = 0.05  # a top-1 of 0 or 100 % counts as so far from it, since its logit has no end
VARIED = ("width", "resolution", "depth")  # in which a model's networks may differ: in no other field
RANGES = (*VARIED, "macs")  # within those of the points


@dataclass(frozen=True)
class Points:
    """Networks of known accuracy, on one data set."""

    origin: str  # "tf-slim-2018-08-02", or a run's name
    dataset: str
    variants: tuple[Variant, ...]
    top1_pct: Floats

    @classmethod
    def of(cls, table: str | None, run: str | None) -> Points:
        """Those of a table, or else of a run. Raises MbsweepError where the run has none, or is none."""
        return cls.of_table(table) if table is not None else cls.of_run(str(run))

    @classmethod
    def of_table(cls, table: str) -> Points:
        """The fp32 networks of a published table, each as it stands there first."""
        known: dict[Variant, float] = {}
        for figure in accuracy_figures():
            if figure.table == table and figure.precision == "fp32":
                known.setdefault(figure.variant, figure.top1_pct)
        return cls(table, IMAGENET, tuple(known), np.array(list(known.values())))

    @classmethod
    def of_run(cls, folder: str) -> Points:
        """What a run trained at fp32 for its sweep; or for an earlier one, where this trains nothing."""
        path = expanded(folder)
        with Store.read(path) as store:
            rows = [row for row in store.trained() if not row[0].is_code]
        if not rows:
            raise MbsweepError(f"{folder} has no trained accuracies to fit a model on")
        variants, top1_pct, datasets = zip(*rows, strict=True)
        return cls(as_text(path.resolve().name), datasets[0], variants, np.array(top1_pct, dtype=float))


def body_of(variant: Variant) -> tuple[object, ...]:
    """What a model does not look at."""
    return family_of(variant.family).key(variant.values, VARIED)


def body_names(family: str) -> list[str]:
    """What each part of a family's body is: "family", and fields."""
    return ["family", *(name for name in FAMILIES[family].fields if name not in VARIED)]


class Model:
    """Least squares on the logit of top-1, for networks that differ in width, resolution and depth alone.

    A point that alone decides a term (the only one of its depth, say) is left out with that term. Raises
    MbsweepError where there are too few points.
    """

    def __init__(self, variants: Sequence[Variant], top1_pct: Floats) -> None:
        numbers, known_pct = numbers_of(variants), top1_pct
        while True:
            self.terms = _telling(_candidates(numbers))
            if len(known_pct) < len(self.terms) + SPARE:
                raise MbsweepError(
                    f"too few points: {len(known_pct)}, for a model of {len(self.terms)} terms that takes "
                    f"{len(self.terms) + SPARE}"
                )
            design = _candidates(numbers)[:, self.terms]
            orthogonal, self._triangle = np.linalg.qr(design)
            leverage = (orthogonal**2).sum(axis=1)
            if (leverage < ALONE).all():
                break
            numbers, known_pct = numbers[leverage < ALONE], known_pct[leverage < ALONE]
        self.count = len(known_pct)
        self.low, self.high = numbers.min(axis=0), numbers.max(axis=0)  # (RANGES,)
        logits = _logit(known_pct)
        self._weights = np.linalg.solve(self._triangle, orthogonal.T @ logits)
        residuals = logits - design @ self._weights
        freedom = self.count - len(self.terms)
        self._sd = float(np.sqrt(residuals @ residuals / freedom))
        self._reach = float(scipy.special.stdtrit(freedom, 0.975))
        # What each point would have got from a model of all the others.
        self.left_out_pct = _percent(logits - residuals / (1 - leverage)) - known_pct

    def predict(self, numbers: Floats) -> tuple[Floats, Floats, Floats]:
        """Top-1 of each network in percent, and its 95 % prediction interval. numbers: (networks, RANGES)."""
        design = _candidates(numbers)[:, self.terms]
        logits = design @ self._weights
        leverage = (np.linalg.solve(self._triangle.T, design.T) ** 2).sum(axis=0)
        half = self._reach * self._sd * np.sqrt(1 + leverage)
        return _percent(logits), _percent(logits - half), _percent(logits + half)

    def beyond(self, numbers: Floats) -> NDArray[np.int64]:
        """Of each network, how it is outside the points, for `beyond_words`; 0 where it is not.

        In the first of RANGES in which it is: 2 column + 1 below the least, 2 column + 2 above the most.
        """
        found = np.zeros(len(numbers), np.int64)
        for column in reversed(range(len(RANGES))):
            found[numbers[:, column] > self.high[column]] = 2 * column + 2
            found[numbers[:, column] < self.low[column]] = 2 * column + 1
        return found

    def beyond_words(self, how: int, numbers: Floats) -> str:
        """The same of one network in words. numbers: (RANGES,)."""
        column, is_above = divmod(how - 1, 2)
        word, end = ("above", self.high) if is_above else ("below", self.low)
        given, bare = _quantity(RANGES[column], numbers[column], end[column])
        return f"{given} is {word} the points' {bare}"

    @property
    def note(self) -> str:
        """How good it is, in words."""
        errors = abs(self.left_out_pct)
        return (
            f"fitted on {self.count} points; each predicted from the others is {errors.mean():.2f} points of "
            f"top-1 off on average, {errors.max():.2f} at worst"
        )


def falls(model: Model, like: Variant) -> str:
    """Where a model gives more width or resolution less accuracy, within its points; empty where nowhere.

    More depth may give less, as it does in short trainings, but not here less and there more. like: any
    network of the points' body.
    """
    levels: list[list[float]] = []
    for low, high, is_whole in zip(model.low, model.high, (False, True, True), strict=False):
        between = np.linspace(low, high, LEVELS)
        levels.append(np.unique(between.round() if is_whole else between).tolist())
    has_depth = "depth" in like.values
    variants = [
        like.but(width=width, resolution=int(resolution), **({"depth": int(depth)} if has_depth else {}))
        for width in levels[0]
        for resolution in levels[1]
        for depth in levels[2]
    ]
    numbers = numbers_of(variants)
    top1_pct = model.predict(numbers)[0]
    top1_pct[model.beyond(numbers) > 0] = NAN
    shape = [len(values) for values in levels]
    places = np.arange(len(variants)).reshape(shape)
    for axis, name in enumerate(VARIED):
        lines = np.moveaxis(top1_pct.reshape(shape), axis, 0).reshape(shape[axis], -1).T
        for line, along in zip(lines, np.moveaxis(places, axis, 0).reshape(shape[axis], -1).T, strict=True):
            fall = _fall(line)
            if fall is None or (name == "depth" and _fall(-line) is None):
                continue
            before, after = (variants[along[place]] for place in fall)
            given = [f"{top1_pct[along[place]]:.1f} %" for place in fall]
            return (
                f"the model of {model.count} points falls between them, from {given[0]} at {before.id} to "
                f"{given[1]} at {after.id}; it needs more points"
            )
    return ""


def _fall(line: Floats) -> tuple[int, int] | None:
    """The places of a peak and of the value that is the farthest below it behind it; None where none is."""
    known = np.flatnonzero(~np.isnan(line))
    fallen = np.maximum.accumulate(line[known]) - line[known]
    if not (fallen > SLACK_PCT).any():
        return None
    last = int(fallen.argmax())
    return int(known[line[known][:last].argmax()]), int(known[last])


def numbers_of(variants: Sequence[Variant]) -> Floats:
    """(variants, RANGES); 0 for a field that their family lacks."""
    rows = [[variant.values.get(name, 0) for name in VARIED] for variant in variants]
    return np.column_stack([np.array(rows, dtype=float).reshape(-1, 3), count_macs(variants)])


def _candidates(numbers: Floats) -> Floats:
    """(networks, terms), before those that tell nothing are dropped."""
    width, resolution, depth, macs = numbers.T
    bends = np.log(width) ** 2, np.log(resolution / 224) ** 2
    return np.column_stack([np.ones(len(numbers)), np.log(macs / 1e8), *bends, np.log1p(depth)])


def _telling(candidates: Floats) -> list[int]:
    """The terms that vary, and that those before them do not tell already: nothing is singular."""
    chosen = [0]
    for term in range(1, candidates.shape[1]):
        values, known = candidates[:, term], candidates[:, chosen]
        new = values - known @ np.linalg.lstsq(known, values, rcond=None)[0]
        spread = np.linalg.norm(values - values.mean())
        if spread > 1e-9 and np.linalg.norm(new) > NEW_PCT / 100 * spread:
            chosen.append(term)
    return chosen


def _quantity(name: str, value: float, end: float) -> tuple[str, str]:
    """A value with its name, and the end that it is beyond."""
    if name == "macs":
        return f"mult-adds {value / 1e6:,.2f} M", f"{end / 1e6:,.2f} M"
    return f"{name} {value:g}", f"{end:g}"


def _logit(top1_pct: Floats) -> Floats:
    share = np.clip(top1_pct, EDGE_PCT, 100 - EDGE_PCT) / 100
    return cast("Floats", np.log(share / (1 - share)))


def _percent(logits: Floats) -> Floats:
    return cast("Floats", 50 * (1 + np.tanh(logits / 2)))
