"""What a network sees of the images: moved, flipped and coloured as the recipe says, and normalised."""

import numpy as np
import pytest
import torch

from mbsweep.accuracy.datasets import Part
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training.batches import augmented, channel_moments, normalised


def pictures(count=6, size=7):
    chance = np.random.default_rng(0)
    return torch.from_numpy(chance.integers(0, 256, (count, size, size, 3), dtype=np.uint8))


def test_where_nothing_is_asked_for_the_images_are_seen_as_they_are():
    """In the order of the places, to the bit."""
    images, places = pictures(), torch.tensor([3, 3, 0])
    found = augmented(images, places, Recipe(), torch.Generator().manual_seed(1))
    assert torch.equal(found, images[places])


def shifted(image, down, right, is_flipped):
    """Pixel by pixel: what is beyond an edge is its nearest pixel; flipped after it was moved."""
    size = len(image)
    found = torch.empty_like(image)
    for row in range(size):
        for column in range(size):
            seen = size - 1 - column if is_flipped else column
            found[row, column] = image[min(max(row + down, 0), size - 1), min(max(seen + right, 0), size - 1)]
    return found


@pytest.mark.parametrize(("flip", "crop_pct", "most"), [(True, 0, 0), (False, 30, 2), (True, 30, 2)])
def test_images_are_moved_and_flipped_as_the_recipe_says(flip, crop_pct, most):
    """Each of 60 draws is one of all possible movements of its image, and together they are all of them.

    30 % of 7 pixels are 2, in either direction.
    """
    images = pictures(1)
    places = torch.zeros(400, dtype=torch.int64)
    recipe = Recipe(flip=flip, crop_pct=crop_pct)
    seen = augmented(images, places, recipe, torch.Generator().manual_seed(2))
    moves = range(-most, most + 1)
    possible = [
        shifted(images[0], down, right, is_flipped)
        for down in moves
        for right in moves
        for is_flipped in ([False, True] if flip else [False])
    ]
    found = [[place for place, image in enumerate(possible) if torch.equal(image, each)] for each in seen]
    assert all(len(places) == 1 for places in found)
    counts = np.bincount([places[0] for places in found], minlength=len(possible))
    assert (counts > 0).all()
    if flip and not crop_pct:
        assert 160 < counts[1] < 240  # half of 400, give or take four standard deviations


def test_colour_changes_contrast_and_brightness_alone():
    """Each image becomes a * image + b, for the same a and b in all of its pixels and channels; a and the
    change of the mean are within 20 %.
    """
    images = pictures(40) // 4 + 90  # so that nothing is cut off
    found = augmented(images, torch.arange(40), Recipe(colour_pct=20), torch.Generator().manual_seed(3))
    contrasts = []
    for before, after in zip(images.double(), found.double(), strict=True):
        a, b = np.polyfit(before.flatten(), after.flatten(), 1)
        assert after.flatten() == pytest.approx(a * before.flatten() + b, abs=1e-3)
        assert 0.8 <= after.mean() / before.mean() <= 1.2
        contrasts.append(a)
    assert 0.8 <= min(contrasts) < 0.9 < 1.1 < max(contrasts) <= 1.2


def test_colours_stay_grey_levels():
    """From 0 to 255."""
    recipe = Recipe(colour_pct=100)
    found = augmented(pictures(60), torch.arange(60), recipe, torch.Generator().manual_seed(4))
    assert found.min() == 0
    assert found.max() == 255


def test_the_same_generator_gives_the_same_images():
    """What is seen depends on nothing else."""
    recipe = Recipe(flip=True, crop_pct=20, colour_pct=20)
    first, second = (
        augmented(pictures(), torch.arange(6), recipe, torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(first, second)


# Moments


def test_moments_are_those_of_each_channel():
    """Of two images: red 0 and 200, green 10 throughout; a deviation below 1 grey level counts as 1."""
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[1, ..., 0], images[..., 1] = 200, 10
    mean, std = channel_moments(Part(images, np.zeros(2, np.int64)))
    assert mean == [100, 10, 0]
    assert std == [100, 1, 1]


def test_of_many_images_some_are_taken_evenly():
    """Of 6000 images every third."""
    images = np.zeros((6000, 1, 1, 3), np.uint8)
    images[::3] = 90
    assert channel_moments(Part(images, np.zeros(6000, np.int64)))[0] == [90, 90, 90]


def test_normalised_images_have_mean_0_and_deviation_1():
    """And channels come second."""
    images = pictures(50)
    found = normalised(images, channel_moments(Part(images.numpy(), np.zeros(50, np.int64))))
    assert found.shape == (50, 3, 7, 7)
    assert found.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert found.std(dim=(0, 2, 3), correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-4)
