"""What a network sees of the images: some of them, moved and coloured as the recipe says, and normalised."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mbsweep.accuracy.datasets import Part
from mbsweep.accuracy.settings import Recipe

MOMENTS_OF = 2000  # images from which mean and standard deviation of the channels are taken

Moments = tuple[list[float], list[float]]  # mean and standard deviation of each channel, in grey levels


def channel_moments(part: Part) -> Moments:
    """Of images spread evenly over a part."""
    some = part.images[:: max(1, len(part.images) // MOMENTS_OF)]
    levels = np.arange(256)
    counts = np.stack([np.bincount(some[..., channel].ravel(), minlength=256) for channel in range(3)])
    mean = counts @ levels / counts.sum(1)
    std = np.sqrt((counts * (levels - mean[:, None]) ** 2).sum(1) / counts.sum(1))
    return mean.round(3).tolist(), std.clip(min=1).round(3).tolist()


def normalised(images: Tensor, moments: Moments) -> Tensor:
    """(images, size, size, 3) grey levels -> (images, 3, size, size), channels last, of mean 0 and sd 1."""
    mean, std = (torch.tensor(values, device=images.device) for values in moments)
    found: Tensor = images.to(torch.float32, copy=True).sub_(mean).div_(std)
    return found.permute(0, 3, 1, 2)


def augmented(images: Tensor, places: Tensor, recipe: Recipe, chance: torch.Generator) -> Tensor:
    """Some of the images, (images, size, size, 3): moved, flipped, lighter or darker as the recipe says."""
    count, size = len(places), images.shape[1]
    if recipe.flip or recipe.crop_pct:
        # Edges are repeated beyond the image.
        most = round(recipe.crop_pct / 100 * size)
        shifts = torch.randint(-most, most + 1, (2, count, 1), generator=chance)
        rows, columns = (torch.arange(size) + shifts).clamp(0, size - 1)
        if recipe.flip:
            is_flipped = torch.rand(count, 1, generator=chance) < 0.5
            columns = torch.where(is_flipped, columns.flip(1), columns)
        found = images[places[:, None, None], rows[:, :, None], columns[:, None, :]]
    else:
        found = images[places]
    if recipe.colour_pct:
        share = recipe.colour_pct / 100
        contrast, light = (torch.rand(2, count, 1, 1, 1, generator=chance) * 2 - 1) * share
        mean = found.float().mean(dim=(1, 2, 3), keepdim=True)
        found = ((found - mean) * (1 + contrast) + mean * (1 + light)).clamp(0, 255)
    return found
