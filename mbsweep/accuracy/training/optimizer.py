"""The steps of a training: its optimizer, learning rates, and the clipping of gradients."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from mbsweep.accuracy.settings import Recipe

FINAL_SHARE = 1e-3  # of the highest learning rate, at the end of the schedule


def schedule(progress: float, recipe: Recipe) -> float:
    """The learning rate as a share of the highest, at a share of all steps.

    one_cycle rises and falls along cosines (Smith and Topin, arXiv:1708.07120, in the form that PyTorch has);
    cosine rises in a straight line and falls along one (Loshchilov and Hutter, arXiv:1608.03983).
    """
    warmup = recipe.warmup_pct / 100
    if progress < warmup:
        risen = progress / warmup
        if recipe.schedule == "cosine":
            return max(FINAL_SHARE, risen)
        low = 1 / 25
        return low + (1 - low) * (1 - math.cos(math.pi * risen)) / 2
    fallen = (progress - warmup) / (1 - warmup)
    return FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * fallen)) / 2


def make_optimizer(net: nn.Module, recipe: Recipe, classifier: str = "") -> torch.optim.Optimizer:
    """SGD or AdamW; weight decay on dense weights only.

    MobileNet's paper (section 3.4) advises very little or none on depthwise kernels, of which there are few.
    classifier: the child that is not of the body, where that is trained otherwise. It has groups of its own
    then: a fused SGD takes no group of which some weights have moved before and others have not.
    """
    groups = _groups(net, recipe)
    if recipe.has_body:
        head = set(net.get_submodule(classifier).parameters())
        groups = [
            {**group, "params": some, "share": share}
            for group in groups
            for is_head, share in ((True, 1.0), (False, recipe.body_rate))
            if (some := [weight for weight in group["params"] if (weight in head) == is_head])
        ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True
    )


def _groups(net: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    dense: list[Tensor] = []
    others: list[Tensor] = []
    for weight in net.parameters():
        (others if weight.ndim == 1 or is_depthwise(weight) else dense).append(weight)
    return [{"params": dense, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]


def train_mode(learner: nn.Module, classifier: str, is_frozen: bool) -> None:
    """Bring a network into training mode; where it is frozen, its classifier alone.

    What is frozen learns nothing, nor do the statistics of its batch normalisation.
    """
    learner.train()
    if not classifier:
        return
    for name, child in learner.named_children():
        is_held = is_frozen and name != classifier
        child.train(not is_held)
        child.requires_grad_(not is_held)


@torch.no_grad()
def clip_gradients(net: nn.Module, recipe: Recipe) -> None:
    """Adaptive gradient clipping (Brock et al., arXiv:2102.06171), of the weights of a layer together.

    Backwards through batch normalisation and ReLU gradients grow from layer to layer. Unclipped, the first of
    27 layers take steps so long that for some epochs nothing is learnt.
    """
    if not recipe.clip_pct:
        return
    for weight in net.parameters():
        if weight.ndim > 1 and weight.grad is not None:
            longest = recipe.clip_pct / 100 * weight.norm().clamp(min=1e-3)
            weight.grad.mul_((longest / weight.grad.norm()).clamp(max=1))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def is_depthwise(weight: Tensor) -> bool:
    """Whether a weight is that of a kernel per channel, 3 x 3 or larger."""
    return weight.ndim == 4 and weight.shape[1] == 1 and weight.shape[2] > 1
