"""Trained accuracies: what the trainings of a run say of each variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mbsweep.accuracy.guessing import Guessing
from mbsweep.accuracy.settings import TrainedAccuracy
from mbsweep.accuracy.value import NAN, Accuracy
from mbsweep.space.variant import Variant
from mbsweep.statistics.seeds import Hits, seed_noise, spread
from mbsweep.storage.marks import Mark, marked
from mbsweep.storage.training_tables import EpochRow, TrainingRow

Curves = dict[tuple[str, int, int], list[EpochRow]]  # variant, seed, attempt -> its epochs

PENDING = "not trained yet; run the sweep again to go on"


def trained_accuracies(
    config: TrainedAccuracy,
    source: str,
    dataset: str,
    variants: Sequence[Variant],
    trainings: Sequence[TrainingRow],
    epochs: Sequence[EpochRow],
    guessing: Guessing,
    pending: Mapping[str, str],
) -> list[Accuracy]:
    """The accuracy of each variant, from those of its trainings that came to their end.

    pending: variant -> why some of its trainings did not, where that is known.
    """
    of: dict[str, dict[int, TrainingRow]] = {}
    for row in trainings:
        if row.seed in config.seeds:
            of.setdefault(row.variant, {})[row.seed] = row
    curves: Curves = {}
    for epoch in epochs:
        curves.setdefault(epoch.key[:3], []).append(epoch)
    noise = seed_noise({variant: _hits(rows) for variant, rows in of.items()})

    def unknown(reasons: Sequence[_Told], epochs: float = NAN) -> Accuracy:
        reason = "; ".join(told.words for told in reasons)
        blank = Accuracy(NAN, NAN, "trained", source, dataset)
        return replace(blank, epochs=epochs, reason=reason, marks=_marks(reasons))

    found = []
    for variant in variants:
        rows = of.get(variant.id, {})
        if hits := _hits(rows):
            is_done = [row for row in rows.values() if row.state == "done"]
            over_seeds = spread(hits, noise)
            top5 = [row.top5 for row in is_done]
            notes = _notes(config, variant, rows, curves, guessing, noise.total, pending.get(variant.id))
            found.append(
                Accuracy(
                    over_seeds.mean_pct,
                    sum(top5) / len(top5),
                    "trained",
                    source,
                    dataset,
                    over_seeds.low_pct,
                    over_seeds.high_pct,
                    over_seeds.sd_pct,
                    ", ".join(str(row.seed) for row in is_done),
                    max(row.epochs for row in is_done),
                    note="; ".join(told.words for told in notes),
                    marks=_marks(notes),
                )
            )
        elif rows:
            row = max(rows.values(), key=lambda row: row.epochs)
            said = [_ended(row, curves) for row in rows.values()]
            if any(row.state == "stalled" for row in rows.values()):
                said.append(_Told(what_helps(variant)))
            found.append(unknown(said, row.epochs))
        else:
            found.append(unknown([_Told(pending.get(variant.id, PENDING))]))
    return found


class _Told(NamedTuple):
    """Something that is to be known of an accuracy."""

    words: str
    mark: Mark | None = None


def _marks(told: Iterable[_Told]) -> str:
    return marked(one.mark for one in told if one.mark)


def _hits(rows: Mapping[int, TrainingRow]) -> Hits:
    return [row.hits for row in rows.values() if row.state == "done"]


def _notes(
    config: TrainedAccuracy,
    variant: Variant,
    rows: Mapping[int, TrainingRow],
    curves: Curves,
    guessing: Guessing,
    freedom: int,
    pending: str | None,
) -> list[_Told]:
    """What a reader must know of a known accuracy."""
    notes = [_ended(row, curves) for row in rows.values() if row.state != "done"]
    is_done = [row for row in rows.values() if row.state == "done"]
    notes += [
        _Told(
            f"seed {row.seed} stalled or diverged {_times(row.attempt)} and was begun anew", Mark.BEGUN_ANEW
        )
        for row in is_done
        if row.attempt
    ]
    late = [told for row in is_done if (told := _late(row, curves.get(row.key, ()), guessing))]
    notes += [*late, _Told(what_helps(variant))] if late else []
    if missing := [seed for seed in config.seeds if seed not in rows]:
        seeds = f"seed{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"
        notes.append(_Told(f"{pending or PENDING}: {seeds}"))
    if not freedom:
        notes.append(_Told("no network has two seeds: their noise is unknown, and so is the interval"))
    return notes


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


def _ended(row: TrainingRow, curves: Curves) -> _Told:
    """How a training ended that is not worth a point."""
    curve = curves.get(row.key)
    at = f" with {curve[-1].validation_top1_pct:.1f} % on the validation part" if curve else ""
    if row.state == "stalled":
        words = f"seed {row.seed} stalled at chance{at}, also when begun anew {_times(row.attempt)}"
        return _Told(words, Mark.STALLED)
    return _Told(f"seed {row.seed} was stopped by halving after epoch {row.epochs}{at}", Mark.STOPPED)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
