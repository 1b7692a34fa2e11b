"""The recipe of a training: what follows from the number of images where the sweep does not say it."""

import pytest

from mbsweep.accuracy.settings import Alone, Recipe, SupernetAccuracy, TrainedAccuracy


@pytest.mark.parametrize(
    ("images", "settings", "batch", "rate"),
    [
        (8000, {"epochs": 8}, 64, 0.8),  # the digits: 1,000 steps
        (2134, {"epochs": 6}, 64, 0.8),  # 200.06 steps
        (2133, {"epochs": 6}, 32, 0.4),  # of 64 they were 199.97
        (3, {"epochs": 1}, 32, 0.4),
        (170, {"epochs": 30, "batch": 48}, 48, 0.6),  # what is said stays; the rate follows it
        (170, {"epochs": 30, "learning_rate": 0.3}, 32, 0.3),
        (10**6, {"batch": 4096}, 4096, 1.6),  # a rate of 51.2 would be refused
        (8000, {"optimizer": "adamw"}, 64, 0.01),
        (170, {"optimizer": "adamw"}, 32, 0.01),
    ],
)
def test_batch_and_rate_follow_the_number_of_images(images, settings, batch, rate):
    """64, or 32 where there are not 200 steps of 64; the rate in proportion up to 1.6, but for adamw."""
    asked = Recipe(**settings)
    found = asked.complete(images)
    assert (found.batch, found.learning_rate) == (batch, pytest.approx(rate))
    assert found.complete(10**6) == found  # what is complete follows nothing any more
    assert Recipe.model_validate(found.settings) == found
    found = found.settings | {"batch": 0, "learning_rate": 0}
    assert found == asked.settings | {"batch": 0, "learning_rate": 0}


def test_a_source_completes_all_of_its_recipes():
    """Of the supernet those of the networks trained alone, too."""
    small = Recipe(epochs=1)
    assert TrainedAccuracy(source="trained", recipe=small).complete(500).recipe.batch == 32
    asked = SupernetAccuracy(source="supernet", recipe=Recipe(epochs=200), alone=Alone(recipe=small))
    found = asked.complete(500)
    assert (found.recipe.batch, found.alone.recipe.batch) == (64, 32)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(epochs=6), "6 epochs, batch and rate by the number of images"),
        (Recipe(epochs=1, batch=32), "1 epoch, batch 32, rate by the number of images"),
        (Recipe(epochs=6).complete(5000), "6 epochs, batch 64, rate 0.8"),
    ],
)
def test_a_recipe_in_words(recipe, words):
    """What a plan says, and the source of an accuracy."""
    assert recipe.words == words
