"""Trained accuracies: what is said of trainings that are done, stalled, stopped, failed or missing."""

import math

import numpy as np
import pytest

from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.guessing import Guessing
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.trained import TrainedSource
from mbsweep.accuracy.training.outcomes import PENDING, Outcomes
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.statistics.seeds import SeedNoise, seed_noise, spread
from mbsweep.storage.training_tables import EpochRow, TrainingRow

A, B, C = (Variant(width=width, resolution=32, num_classes=10) for width in (0.25, 0.5, 1.0))
SOURCE, DATASET = (
    "trained on digits-1234abcd, 8 epochs, batch 64, rate 0.8 (recipe 99aa00)",
    "digits-1234abcd",
)


def config(seeds=(0, 1), epochs=8):
    recipe = Recipe(epochs=epochs).complete(8000)
    return TrainedSource(source="trained", recipe=recipe, seeds=list(seeds))


def done(variant, seed, right, attempt=0, epochs=8, images=100, top5=90.0):
    """A training with so many of the test images right, the first ones."""
    correct = np.packbits(np.arange(images) < right).tobytes()
    return TrainingRow(variant.id, seed, attempt, 1, 1, "done", epochs, top5, images, correct)


def ended(variant, seed, state, epochs, attempt=0):
    return TrainingRow(variant.id, seed, attempt, 1, 1, state, epochs, None, 0, b"")


def epoch(variant, seed, number, validation, attempt=0, loss=1.0):
    return EpochRow(variant.id, seed, attempt, number, 0.1, loss, 50.0, 1.0, validation, 2.0)


def found(trainings, epochs=(), pending=None, variants=(A,), seeds=(0, 1)):
    guessing = Guessing(loss=2.3, top1_pct=14.0)
    known = Outcomes(config(seeds), SOURCE, DATASET, guessing, trainings, epochs)
    return known.accuracies(variants, pending or {})


def test_a_variant_with_all_its_seeds_has_mean_interval_and_no_note():
    """80 and 84 of 100: 82 %, sd 2.83, the interval that `spread` gives with the noise of all networks."""
    trainings = [done(A, 0, 80), done(A, 1, 84, top5=94.0), done(B, 0, 90), done(B, 1, 92)]
    first, second = found(trainings, variants=(A, B))
    hits = {"A": [row.hits for row in trainings[:2]], "B": [row.hits for row in trainings[2:]]}
    assert first.top1_pct == pytest.approx(82)
    assert first.top5_pct == pytest.approx(92)
    assert first.top1_sd_pct == pytest.approx(4 / math.sqrt(2))
    expected = spread(hits["A"], seed_noise(hits))
    assert (first.top1_low_pct, first.top1_high_pct) == (expected.low_pct, expected.high_pct)
    assert seed_noise(hits).total == 2
    assert (first.seeds, first.epochs, first.note, first.reason) == ("0, 1", 8, "", "")
    assert (first.kind, first.source, first.dataset) == ("trained", SOURCE, DATASET)
    assert second.top1_pct == pytest.approx(91)


def test_top5_is_unknown_where_one_seed_does_not_know_it():
    """Below six classes it is None in the store."""
    (accuracy,) = found([done(A, 0, 80, top5=None), done(A, 1, 80, top5=None)])
    assert accuracy.top1_pct == pytest.approx(80)
    assert math.isnan(accuracy.top5_pct)


def test_one_seed_of_two_is_a_point_that_says_what_is_missing():
    """Of one seed there is no sd; the noise of another network gives its interval, by t = 12.7."""
    first, _ = found([done(A, 0, 80), done(B, 0, 90), done(B, 1, 92)], variants=(A, B))
    assert first.top1_pct == pytest.approx(80)
    assert math.isnan(first.top1_sd_pct)
    assert 45 < first.top1_low_pct < 70 < 85 < first.top1_high_pct < 99
    assert first.seeds == "0"
    assert first.note == "not trained yet; run the sweep again to go on: seed 1"


def test_several_missing_seeds_are_named():
    """With the reason that is known of them."""
    (accuracy,) = found([done(A, 0, 80)], pending={A.id: "seed 1: out of memory"}, seeds=(0, 1, 2))
    assert accuracy.note == (
        "seed 1: out of memory: seeds 1, 2; "
        "no network has two seeds: their noise is unknown, and so is the interval"
    )
    assert math.isnan(accuracy.top1_low_pct)
    assert math.isnan(accuracy.top1_high_pct)


def test_only_the_seeds_asked_for_count():
    """A seed of an earlier sweep file stays in the store, not in the mean."""
    (accuracy,) = found([done(A, 0, 80), done(A, 1, 84), done(A, 7, 10)])
    assert accuracy.top1_pct == pytest.approx(82)
    assert accuracy.seeds == "0, 1"


def test_nothing_trained_is_nan_with_its_reason():
    """The reason is the general one, or the known one."""
    first, second = found([], pending={B.id: "seed 0: no kernel"}, variants=(A, B))
    for accuracy in (first, second):
        assert math.isnan(accuracy.top1_pct)
        assert math.isnan(accuracy.epochs)
        assert (accuracy.seeds, accuracy.note) == ("", "")
    assert first.reason == PENDING == "not trained yet; run the sweep again to go on"
    assert second.reason == "seed 0: no kernel"


def test_a_variant_that_only_stalled_is_no_point():
    """NaN; the reason has each seed with the validation accuracy of its last epoch."""
    trainings = [ended(A, 0, "stalled", 4, attempt=2), ended(A, 1, "stalled", 5, attempt=1)]
    epochs = [epoch(A, 0, 3, 9.0), epoch(A, 0, 4, 11.25, attempt=2), epoch(A, 1, 5, 10.0, attempt=1)]
    (accuracy,) = found(trainings, epochs)
    assert math.isnan(accuracy.top1_pct)
    assert accuracy.epochs == 5
    assert accuracy.reason == (
        "seed 0 stalled at chance with 11.2 % on the validation part, also when begun anew 2 times; "
        "seed 1 stalled at chance with 10.0 % on the validation part, also when begun anew once; "
        "what helps: `stem_stride: 1`, a higher resolution, more epochs"
    )


def curve(seed, losses, validation):
    """Epochs of A."""
    both = zip(losses, validation, strict=True)
    return [epoch(A, seed, place, value, loss=loss) for place, (loss, value) in enumerate(both, 1)]


def test_a_network_that_started_late_has_its_accuracy_and_a_flag():
    """Four of eight epochs above the loss of guessing, 2.3, and below its 14 % of the validation part; seed 1
    left it after three, and seed 2 by its validation accuracy alone.
    """
    epochs = curve(0, [2.4, 2.36, 2.32, 2.31, 2.2, 2.1, 1.9, 1.8], [10, 10, 9, 12, 20, 40, 50, 62])
    epochs += curve(1, [2.4, 2.36, 2.32, 2.29, 2.2, 2.1, 1.9, 1.8], [10, 10, 9, 12, 20, 40, 50, 62])
    epochs += curve(2, [2.4, 2.36, 2.32, 2.31, 2.2, 2.1, 1.9, 1.8], [10, 14, 9, 12, 20, 40, 50, 62])
    trainings = [done(A, 0, 62), done(A, 1, 62), done(A, 2, 62)]
    (accuracy,) = found(trainings, epochs, seeds=(0, 1, 2))
    assert accuracy.top1_pct == pytest.approx(62)
    assert accuracy.note == (
        "seed 0 started late: no better than guessing for 4 of 8 epochs; "
        "what helps: `stem_stride: 1`, a higher resolution, more epochs"
    )


def test_a_network_that_has_learnt_a_little_has_its_accuracy_and_a_flag():
    """Its loss has left that of guessing, its validation accuracy has not. Stem stride 1 is not advised."""
    fine = Variant(width=0.25, resolution=32, num_classes=10, stem_stride=1)
    epochs = [epoch(fine, 0, number, 11.0, loss=2.25) for number in range(1, 9)]
    (accuracy,) = found([done(fine, 0, 12)], epochs, variants=[fine], seeds=(0,))
    assert accuracy.top1_pct == pytest.approx(12)
    assert accuracy.note.startswith(
        "seed 0 has learnt next to nothing: no better than guessing on the validation part; "
        "what helps: a higher resolution, more epochs; "
    )


def test_the_epochs_of_another_attempt_are_not_a_late_start():
    """The first stalled, the second learnt at once."""
    epochs = [*curve(0, [2.4] * 8, [10] * 8), epoch(A, 0, 1, 60.0, attempt=1)]
    (accuracy,) = found([done(A, 0, 80, attempt=1), done(A, 1, 80)], epochs)
    assert accuracy.note == "seed 0 stalled or diverged once and was begun anew"


def test_a_variant_that_halving_stopped_is_no_point():
    """The reason says after which epoch, and how far it was."""
    (accuracy,) = found([ended(A, 0, "stopped", 2)], [epoch(A, 0, 2, 61.0)], seeds=(0,))
    assert math.isnan(accuracy.top1_pct)
    assert accuracy.reason == "seed 0 was stopped by halving after epoch 2 with 61.0 % on the validation part"


def test_a_stalled_seed_beside_a_good_one_is_not_in_the_mean():
    """It is in the note."""
    (accuracy,) = found(
        [done(A, 0, 80), ended(A, 1, "stalled", 4, attempt=2)], [epoch(A, 1, 4, 10.0, attempt=2)]
    )
    assert accuracy.top1_pct == pytest.approx(80)
    assert accuracy.seeds == "0"
    assert accuracy.note == (
        "seed 1 stalled at chance with 10.0 % on the validation part, also when begun anew 2 times; "
        "no network has two seeds: their noise is unknown, and so is the interval"
    )


def test_a_seed_that_was_begun_anew_says_so():
    """It counts, and the note tells."""
    (accuracy,) = found([done(A, 0, 80, attempt=2), done(A, 1, 84, attempt=1)])
    assert accuracy.top1_pct == pytest.approx(82)
    assert accuracy.note == (
        "seed 0 stalled or diverged 2 times and was begun anew; "
        "seed 1 stalled or diverged once and was begun anew"
    )


def test_the_source_names_data_set_epochs_and_recipe():
    """Seeds do not matter to it; any setting of the recipe does."""
    name = config().name_on(DATASET)
    assert name.startswith("trained on digits-1234abcd, 8 epochs, batch 64, rate 0.8 (recipe ")
    assert config(seeds=(5, 6, 7)).name_on(DATASET) == name
    assert config().name_on("digits-ffffffff") != name
    assert config(epochs=9).name_on(DATASET) != name
    changed = config().model_copy(update={"recipe": Recipe(epochs=8, momentum=0.8).complete(8000)})
    assert changed.name_on(DATASET) != name
    assert changed.name_on(DATASET)[:-7] == name[:-7]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_before_training_every_variant_has_its_reason(precision):
    """Also at other precisions than networks are trained at; nothing is invented for them."""
    small = Digits(name="digits", train=60, validation=60, test=60)
    asked = TrainedSource(source="trained", dataset=small)
    accuracies = list(asked.open(Space.of([A, B]), print).known(precision))
    assert len(accuracies) == 2
    for accuracy in accuracies:
        assert math.isnan(accuracy.top1_pct)
        assert accuracy.kind == "trained"
        # 60 images, 12 epochs: 720 / 64 are 11 steps, too few
        expected = f"trained on {accuracy.dataset}, 12 epochs, batch 32, rate 0.4 (recipe "
        assert accuracy.source.startswith(expected)
        assert accuracy.dataset.startswith("digits-")
        assert accuracy.reason == PENDING


def test_of_no_known_noise_there_is_no_interval():
    """The same as `spread` with NaN: one seed each."""
    (accuracy,) = found([done(A, 0, 80)], seeds=(0,))
    assert math.isnan(spread([np.arange(100) < 80], SeedNoise(math.nan, 0, 0)).low_pct)
    assert math.isnan(accuracy.top1_low_pct)
    assert accuracy.note == "no network has two seeds: their noise is unknown, and so is the interval"
