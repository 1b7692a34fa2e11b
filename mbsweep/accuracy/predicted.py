"""Accuracies predicted from the points of one published table, or of one run, by a small model."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import model_validator

from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.accuracy.model import VARIED, Model, Points, body_names, body_of, falls
from mbsweep.accuracy.published import check_table
from mbsweep.accuracy.source import LookedUp, Opened, Say, SettingError, Source, check_known
from mbsweep.accuracy.value import NAN, Accuracies, Accuracy
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import Rule, choice, flag, text
from mbsweep.space.space import Space
from mbsweep.storage.marks import Mark


class PredictedAccuracy(Source):
    """A small model fitted on the points of one published table, or of one run."""

    rules: ClassVar[dict[str, Rule]] = {
        "source": choice(["predicted"]),
        "table": text(80),
        "run": text(4096),
        "extrapolate": flag(),
    }

    source: Literal["predicted"]
    table: str | None = None  # a published table; or
    run: str | None = None  # the folder of a run whose sweep trained its variants
    extrapolate: bool = False  # also beyond the widths, resolutions and depths of the points

    @model_validator(mode="after")
    def _one_origin(self) -> PredictedAccuracy:
        if (self.table is None) == (self.run is None):
            raise ValueError("expected either `table: NAME` or `run: FOLDER`, the points to fit the model on")
        return self

    def check(self) -> None:
        """Raises SettingError where there is no such table, or a run without points."""
        if self.table is not None:
            check_table(self.table)
            return
        try:
            Points.of(None, self.run)
        except MbsweepError as error:
            raise SettingError("run", f"cannot be predicted from: {error}") from None

    def check_space(self, space: Space) -> None:
        """Raises SettingError where a network's layers are not known."""
        if code := space.code():
            raise SettingError(
                "source", f"is predicted: {code[0].family} is code, of which no accuracy is predicted"
            )

    def check_search(self, space: Space) -> None:
        """Raises SettingError where it knows none of the variants."""
        check_known(self, space)

    def open(self, space: Space, say: Say, images: ImageSource | None = None) -> Opened:
        """The points. Raises MbsweepError where the run has none, or is none."""
        return _Predictions(Points.of(self.table, self.run), self.extrapolate, space)


OTHER = -1  # of a network: its body is none of the points'


class _Fit(NamedTuple):
    """Of the networks of one of the points' bodies: their model, or why there is none."""

    model: Model | None
    words: str  # how good it is, or the reason


class _Predictions(LookedUp):
    """Of the networks of a space."""

    is_lasting = False  # a run may have more points tomorrow

    def __init__(self, points: Points, extrapolate: bool, space: Space) -> None:
        super().__init__(space)
        self._points, self._extrapolate = points, extrapolate
        self._bodies = [body_of(variant) for variant in points.variants]
        self.name = f"predicted from {points.origin}"

    def _accuracy(self, **known: Any) -> Accuracy:
        values = {"top1_pct": NAN, "top5_pct": NAN, "kind": "predicted", "source": self.name}
        return Accuracy(**{**values, "dataset": self._points.dataset, **known})

    def look_up(self, precision: str) -> Accuracies:
        """What the model gives each network; NaN with a reason where it is not one of the points' kind.

        Top-5 is not predicted, and beyond the points there is no interval.
        """
        count = len(self._space)
        if precision != "fp32":
            origin = self._points.origin
            reason = f"the points of {origin} are fp32; nothing is predicted at {precision}"
            return Accuracies.shared([self._accuracy(reason=reason)], np.zeros(count, np.int64))
        space = self._space
        fields = (np.nan_to_num(space.column(name).astype(float)) for name in VARIED)  # 0: a family lacks it
        numbers = np.column_stack([*fields, space.macs]).astype(float)
        top1 = np.full((3, count), NAN)  # predicted, and the ends of its interval
        beyond = np.zeros(count, np.int64)
        fits: list[_Fit] = []
        which = np.full(count, OTHER)
        for body in dict.fromkeys(self._bodies):
            places = space.having(body, but=VARIED)
            if not len(places):
                continue
            fit = self._fit(body)
            which[places] = len(fits)
            fits.append(fit)
            if fit.model is not None:
                top1[:, places] = fit.model.predict(numbers[places])
                beyond[places] = fit.model.beyond(numbers[places])
        top1[1:, beyond > 0] = NAN  # how wrong it is there, the points cannot tell
        if not self._extrapolate:
            top1[0, beyond > 0] = NAN

        def at(place: int) -> Accuracy:
            if which[place] == OTHER:
                return self._accuracy(reason=_other_body(body_of(space.variant(place)), self._bodies))
            model, words = fits[which[place]]
            if model is None:
                return self._accuracy(reason=words)
            own = {"shared_note": words}
            if how := int(beyond[place]):
                why = model.beyond_words(how, numbers[place])
                if not self._extrapolate:
                    return self._accuracy(reason=f"{why}; `extrapolate: true` predicts it all the same")
                own |= {"note": f"extrapolated: {why}", "marks": Mark.EXTRAPOLATED.value}
            top1_pct, low_pct, high_pct = top1[:, place].tolist()
            return self._accuracy(top1_pct=top1_pct, top1_low_pct=low_pct, top1_high_pct=high_pct, **own)

        return Accuracies(top1[0], at)

    def _fit(self, body: tuple[object, ...]) -> _Fit:
        """The model of the points of one body."""
        places = [place for place, other in enumerate(self._bodies) if other == body]
        variants = [self._points.variants[place] for place in places]
        try:
            model = Model(variants, self._points.top1_pct[places])
        except MbsweepError as error:
            return _Fit(None, str(error))
        words = falls(model, variants[0])
        return _Fit(None, words) if words else _Fit(model, model.note)


def _other_body(body: tuple[object, ...], known: list[tuple[object, ...]]) -> str:
    """What sets a body apart from the nearest of the points'."""
    alike = [points for points in known if points[0] == body[0]]
    if not alike:
        return f"family {body[0]} is not that of the points, {known[0][0]}"
    differences = [[place for place, mine in enumerate(body) if mine != points[place]] for points in alike]
    nearest = min(differences, key=len)
    points = alike[differences.index(nearest)]
    place = nearest[0]
    name = body_names(str(body[0]))[place]
    return f"{name} {_said(body[place])} is not that of the points, {_said(points[place])}"


def _said(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)
