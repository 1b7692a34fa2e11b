"""A trained network learns on while some of its weights are held."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812  (as everyone calls it)
from torch import nn

from mbsweep.accuracy.compressing.holding import Held
from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.training.batches import Moments, augmented, normalised
from mbsweep.accuracy.training.evaluating import layout_of
from mbsweep.accuracy.training.loop import Job, OnStep, check_finite, mixed_precision
from mbsweep.accuracy.training.optimizer import FINAL_SHARE, clip_gradients, make_optimizer, set_rate
from mbsweep.nets import for_training


def learn_on(
    net: nn.Module,
    held: Held,
    job: Job,
    dataset: Dataset,
    moments: Moments,
    epochs: int,
    rate: float,
    device: str,
    on_step: OnStep,
) -> None:
    """Train for some more epochs by the recipe of a job, its rate falling along a cosine from a new one.

    rate: the first, as a share of the recipe's. on_step: told how much of all epochs is done.

    The same job gives the same numbers. The weights are those of the last step. Raises DivergedError where a
    loss is not a number.
    """
    recipe, part = job.recipe, dataset.part("train", job.variant.resolution)
    layout = layout_of(net)
    net.to(device, memory_format=layout)  # type: ignore[call-overload]
    learner = for_training(net) if device == "cpu" else net
    optimizer = make_optimizer(net, recipe)
    images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    steps = max(1, len(labels) // recipe.batch)
    for epoch in range(epochs):
        place = recipe.epochs + epoch  # no order of images that it has had
        chance = torch.Generator().manual_seed(job.random_state(place))
        torch.manual_seed(job.random_state(place, 1))  # of the dropout
        order = torch.randperm(len(labels), generator=chance)
        losses = torch.zeros(steps)
        learner.train()
        for step in range(steps):
            progress = (epoch * steps + step) / (epochs * steps)
            held.begin(progress)
            places = order[step * recipe.batch : (step + 1) * recipe.batch]
            x = normalised(augmented(images, places, recipe, chance).to(device), moments)
            y = labels[places].to(device)
            falling = FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * progress)) / 2
            set_rate(optimizer, job.learning_rate * rate * falling)
            with mixed_precision(device):
                logits = learner(x.contiguous(memory_format=layout))
                loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            held.lead()
            clip_gradients(net, recipe)
            optimizer.step()
            held.hold()
            losses[step] = loss.detach()
            on_step((epoch + (step + 1) / steps) / epochs)
        check_finite(losses, epoch)
