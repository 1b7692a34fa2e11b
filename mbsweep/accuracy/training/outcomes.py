"""Trained accuracies: what the trainings of a run say of each variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mbsweep.accuracy.guessing import Guessing
from mbsweep.accuracy.settings import TrainedAccuracy
from mbsweep.accuracy.value import NAN, Accuracy
from mbsweep.space.variant import Variant
from mbsweep.statistics.seeds import Hits, OwnNoise, pooled_noise, spread
from mbsweep.storage.marks import Mark, marked
from mbsweep.storage.training_tables import EpochRow, TrainingRow

PENDING = "not trained yet; run the sweep again to go on"


class Outcomes:
    """What the trainings of a source that came to their end say of each variant; they may become more.

    epochs: those of these trainings; others are not looked at.
    """

    def __init__(
        self,
        config: TrainedAccuracy,
        source: str,
        dataset: str,
        guessing: Guessing,
        trainings: Iterable[TrainingRow],
        epochs: Iterable[EpochRow],
    ) -> None:
        self._config, self._source, self._dataset, self._guessing = config, source, dataset, guessing
        self._of: dict[str, dict[int, _Ended]] = {}  # variant -> seed -> how that ended
        self._noises: dict[str, OwnNoise] = {}  # of variants with several seeds
        self._noise = pooled_noise([])
        rows = list(trainings)
        curves: dict[tuple[str, int, int], list[EpochRow]] = {row.key: [] for row in rows}
        for epoch in epochs:
            if (key := epoch.key[:3]) in curves:
                curves[key].append(epoch)
        for row in rows:
            self.add(row, curves.pop(row.key))

    def add(self, row: TrainingRow, curve: Sequence[EpochRow]) -> None:
        """One more has come to its end. curve: its epochs."""
        if row.seed not in self._config.seeds:
            return
        rows = self._of.setdefault(row.variant, {})
        rows[row.seed] = _Ended(row, _ended(row, curve), _late(row, curve, self._guessing))
        self._of[row.variant] = dict(sorted(rows.items()))
        if len(hits := _hits(self._of[row.variant])) > 1:
            self._noises[row.variant] = OwnNoise.of(hits)

    def accuracies(self, variants: Iterable[Variant], pending: Mapping[str, str]) -> list[Accuracy]:
        """The accuracy of each variant, with the noise of all.

        pending: variant -> why some of its trainings have not come to their end, where that is known.
        """
        self._noise = pooled_noise(list(self._noises.values()))
        return [self.accuracy(variant, pending) for variant in variants]

    def accuracy(self, variant: Variant, pending: Mapping[str, str]) -> Accuracy:
        """That of one, with the noise as it was when those of all were asked for."""
        id_ = variant.id
        rows = self._of.get(id_, {})
        if hits := _hits(rows):
            is_done = [ended.row for ended in rows.values() if ended.row.state == "done"]
            over_seeds = spread(hits, self._noise)
            top5 = [row.top5 for row in is_done]
            notes = self._notes(variant, rows, pending.get(id_))
            return Accuracy(
                over_seeds.mean_pct,
                sum(top5) / len(top5),
                "trained",
                self._source,
                self._dataset,
                over_seeds.low_pct,
                over_seeds.high_pct,
                over_seeds.sd_pct,
                ", ".join(str(row.seed) for row in is_done),
                max(row.epochs for row in is_done),
                note="; ".join(told.words for told in notes),
                marks=_marks(notes),
            )
        if rows:
            said = [ended.words for ended in rows.values()]
            if any(ended.row.state == "stalled" for ended in rows.values()):
                said.append(_Told(what_helps(variant)))
            return self._unknown(said, max(ended.row.epochs for ended in rows.values()))
        return self._unknown([_Told(pending.get(id_, PENDING))])

    def _unknown(self, reasons: Sequence[_Told], epochs: float = NAN) -> Accuracy:
        reason = "; ".join(told.words for told in reasons)
        blank = Accuracy(NAN, NAN, "trained", self._source, self._dataset)
        return replace(blank, epochs=epochs, reason=reason, marks=_marks(reasons))

    def _notes(self, variant: Variant, rows: Mapping[int, _Ended], pending: str | None) -> list[_Told]:
        """What a reader must know of a known accuracy."""
        notes = [ended.words for ended in rows.values() if ended.row.state != "done"]
        is_done = [ended for ended in rows.values() if ended.row.state == "done"]
        notes += [
            _Told(
                f"seed {row.seed} stalled or diverged {_times(row.attempt)} and was begun anew",
                Mark.BEGUN_ANEW,
            )
            for row, _, _ in is_done
            if row.attempt
        ]
        late = [ended.late for ended in is_done if ended.late]
        notes += [*late, _Told(what_helps(variant))] if late else []
        if missing := [seed for seed in self._config.seeds if seed not in rows]:
            seeds = f"seed{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"
            notes.append(_Told(f"{pending or PENDING}: {seeds}"))
        if not self._noise.total:
            notes.append(_Told("no network has two seeds: their noise is unknown, and so is the interval"))
        return notes


class _Told(NamedTuple):
    """Something that is to be known of an accuracy."""

    words: str
    mark: Mark | None = None


def _marks(told: Iterable[_Told]) -> str:
    return marked(one.mark for one in told if one.mark)


class _Ended(NamedTuple):
    """A training that came to its end, and what its curve says of it."""

    row: TrainingRow
    words: _Told  # how it ended, where that is not worth a point
    late: _Told | None


def _hits(rows: Mapping[int, _Ended]) -> Hits:
    return [ended.row.hits for ended in rows.values() if ended.row.state == "done"]


def _late(row: TrainingRow, curve: Sequence[EpochRow], guessing: Guessing) -> _Told | None:
    """What is to be said of a network that has learnt late, or next to nothing."""
    if not curve:
        return None
    if max(epoch.validation_top1_pct for epoch in curve) < guessing.top1_pct:
        words = f"seed {row.seed} has learnt next to nothing: no better than guessing on the validation part"
        return _Told(words, Mark.WEAK)
    if 2 * (guessed := guessing.epochs(curve)) >= row.epochs:
        words = f"seed {row.seed} started late: no better than guessing for {guessed} of {row.epochs} epochs"
        return _Told(words, Mark.LATE)
    return None


def what_helps(variant: Variant, stride: str | None = "stem_stride: 1") -> str:
    """Against a stall and a late start. stride: how the user says it; None where the network is given."""
    if stride is None:
        return "what helps: more epochs"
    finer = f"`{stride}`, " if variant.values.get("stem_stride", 1) > 1 else ""
    return f"what helps: {finer}a higher resolution, more epochs"


def _ended(row: TrainingRow, curve: Sequence[EpochRow]) -> _Told:
    """How a training ended that is not worth a point."""
    at = f" with {curve[-1].validation_top1_pct:.1f} % on the validation part" if curve else ""
    if row.state == "stalled":
        words = f"seed {row.seed} stalled at chance{at}, also when begun anew {_times(row.attempt)}"
        return _Told(words, Mark.STALLED)
    return _Told(f"seed {row.seed} was stopped by halving after epoch {row.epochs}{at}", Mark.STOPPED)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
