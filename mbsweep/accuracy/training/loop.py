"""One network, trained: the loop, its beginning and its end."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (as everyone calls it)
from torch import Tensor, nn

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training.batches import Moments, augmented, channel_moments, normalised
from mbsweep.accuracy.training.beginning import beginning
from mbsweep.accuracy.training.checkpoint import (
    BEST,
    WEIGHT,
    Checkpoint,
    Origin,
    load_weights,
    open_checkpoint,
    resumed,
    write_checkpoint,
)
from mbsweep.accuracy.training.evaluating import Outcome, evaluate, layout_of
from mbsweep.accuracy.training.optimizer import (
    clip_gradients,
    is_depthwise,
    make_optimizer,
    schedule,
    set_rate,
    train_mode,
)
from mbsweep.accuracy.weights.mapping import classifier_of
from mbsweep.nets import build, for_training
from mbsweep.space.variant import Variant

LITTLE = 0.25  # of a unit, as long as the rest of a pointwise row is that begins as a copy


class DivergedError(Exception):
    """The loss is not a number any more."""


@dataclass(frozen=True)
class Job:
    """One network to be trained."""

    variant: Variant
    recipe: Recipe
    seed: int
    attempt: int = 0  # after a stall it is tried again, from another beginning and at a lower rate

    @property
    def learning_rate(self) -> float:
        """The highest of the schedule: half of it at each further attempt."""
        return self.recipe.learning_rate / float(2**self.attempt)

    def random_state(self, *place: int) -> int:
        """A seed for one place of the training, the same in every process."""
        return int(np.random.SeedSequence([self.seed, self.attempt, *place]).generate_state(1)[0])


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; train figures are means while the network learns, on augmented images."""

    epoch: int  # from 1
    learning_rate: float  # of its last step
    train_loss: float
    train_top1_pct: float
    validation_loss: float
    validation_top1_pct: float
    seconds: float  # of training and validation


OnStep = Callable[[float], None]  # told after each step how much of the epoch is done


def no_step(share: float) -> None:
    """Nobody wants to know."""


def use_threads(threads: int) -> None:
    """Set this process up for training: threads, and the same numbers from the same seed."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    # As `use_deterministic_algorithms`, which loads PyTorch's compiler to tell it, too: 1.5 s.
    torch.set_deterministic_debug_mode("warn")
    # Nothing here reads memory before it is written; to fill all of it first costs a pass over every tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def train(
    job: Job,
    dataset: Dataset,
    checkpoint: Path,
    device: str = "cpu",
    start: nn.Module | None = None,
    on_step: OnStep = no_step,
    before: Origin | None = None,
) -> Iterator[Epoch]:
    """Train a network, or go on from its checkpoint; yield each epoch, also those of before.

    start: the network to begin with, for fine-tuning; default that of the recipe's weights, or a new one,
        whose weights follow the seed.
    before: what that one has learnt.

    checkpoint: written after every epoch, before it is yielded. In the end it has the weights of the epoch
    with the best validation accuracy (the last of equals) under `best`; see `training.checkpoint`.

    The same job gives the same numbers on the same device with the same number of threads, wherever it was
    interrupted: all that is random is drawn anew from the seed and the number of the epoch.

    Raises DivergedError where the loss is not a number.
    """
    recipe, resolution = job.recipe, job.variant.resolution
    train_part, validation = (dataset.part(name, resolution) for name in ("train", "validation"))
    moments = channel_moments(train_part)
    classifier, begun_from = "", dict[str, Any]()
    if recipe.start and start is None:
        start, begun_from, before = beginning(job.variant, recipe, job.random_state(), dataset.classes)
    if recipe.has_body:
        classifier = classifier_of(job.variant)
    net = start or initialised(job)
    layout = layout_of(net)
    net.to(device, memory_format=layout)  # type: ignore[call-overload]
    learner = for_training(net) if device == "cpu" else net
    optimizer = make_optimizer(net, recipe, classifier)
    images, labels = torch.from_numpy(train_part.images), torch.from_numpy(train_part.labels)
    steps = max(1, len(labels) // recipe.batch)  # an epoch leaves out what does not fill a batch

    origin = Origin.of(dataset).and_before(before) if before else Origin.of(dataset)
    this = about(job, dataset, moments) | {"start": start and weights_hash(start)} | begun_from
    state = resumed(checkpoint, this, origin)
    state.restore(net, optimizer)
    yield from (Epoch(**row) for row in state.curve)
    for epoch in range(len(state.curve), recipe.epochs):
        if has_lost_patience(state.curve, recipe):
            return
        begun = time.monotonic()
        chance = torch.Generator().manual_seed(job.random_state(epoch))
        torch.manual_seed(job.random_state(epoch, 1))  # of the dropout
        order = torch.randperm(len(labels), generator=chance)
        losses, hits = torch.zeros(steps), 0
        train_mode(learner, classifier, epoch < recipe.freeze_epochs)
        for step in range(steps):
            places = order[step * recipe.batch : (step + 1) * recipe.batch]
            x = normalised(augmented(images, places, recipe, chance).to(device), moments)
            x = x.contiguous(memory_format=layout)
            y = labels[places].to(device)
            rate = job.learning_rate * schedule((epoch * steps + step) / (recipe.epochs * steps), recipe)
            set_rate(optimizer, rate)
            with mixed_precision(device):
                logits = learner(x)
                loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            clip_gradients(net, recipe)
            optimizer.step()
            losses[step] = loss.detach()
            hits += int((logits.argmax(1) == y).sum())
            on_step((step + 1) / steps)
        check_finite(losses, epoch)
        found = evaluate(net, validation, moments, device)
        if not math.isfinite(found.loss):  # the last step, or the running statistics, did it
            raise DivergedError(f"the validation loss is not a number in epoch {epoch + 1}")
        row = Epoch(
            epoch + 1,
            rate,
            float(losses.mean()),
            100 * hits / (steps * len(places)),
            found.loss,
            found.top1_pct,
            time.monotonic() - begun,
        )
        state.add(asdict(row), net, optimizer)
        write_checkpoint(checkpoint, state)
        yield row


def weights_hash(net: nn.Module) -> str:
    """Short hash of a network's weights."""
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def check_finite(losses: Tensor, epoch: int) -> None:
    """DivergedError where a loss of an epoch, counted from 0, is not a number."""
    if not torch.isfinite(losses).all():
        raise DivergedError(f"the loss is not a number in epoch {epoch + 1}")


def has_lost_patience(curve: list[dict[str, Any]], recipe: Recipe) -> bool:
    """Whether validation has not got better for as many epochs as the recipe allows."""
    if recipe.patience is None or len(curve) <= recipe.patience:
        return False
    values: list[float] = [row["validation_top1_pct"] for row in curve]
    return max(values[-recipe.patience :]) <= max(values[: -recipe.patience])


def about(job: Job, dataset: Dataset, moments: Moments) -> dict[str, Any]:
    """What a network's file says of it: all that one needs to use it, and that it depends on."""
    return {
        "variant": job.variant.as_dict(),
        "recipe": job.recipe.settings,
        "seed": job.seed,
        "attempt": job.attempt,
        "dataset": dataset.id,
        "classes": list(dataset.classes),
        "mean": moments[0],
        "std": moments[1],
    }


def finish(checkpoint: Path, weights: Path, dataset: Dataset, device: str = "cpu") -> Outcome:
    """Test the best epoch of a training on the test part, and write its network to a file."""
    state = open_checkpoint(checkpoint)
    net = trained_network(state, BEST)
    net.to(device, memory_format=layout_of(net))  # type: ignore[call-overload]
    variant, moments = Variant(**state.about["variant"]), (state.about["mean"], state.about["std"])
    found = evaluate(net, dataset.part("test", variant.resolution), moments, device)
    best = {
        name.replace(BEST, WEIGHT): tensor for name, tensor in state.tensors.items() if name.startswith(BEST)
    }
    test = {"test_top1_pct": found.top1_pct, "test_images": len(found.correct)}
    write_checkpoint(weights, Checkpoint(state.about | test, state.curve, best, state.origin))
    return found


def trained_network(state: Checkpoint, prefix: str = WEIGHT) -> nn.Module:
    """The network of a file, with its weights; for use, not for training."""
    net = build(Variant(**state.about["variant"]))
    load_weights(net, state.tensors, prefix)
    return net.eval()


def initialised(job: Job) -> nn.Module:
    """The network before its training."""
    torch.manual_seed(job.random_state())
    net = build(job.variant, job.recipe.dropout)
    if job.variant.is_code:
        return net  # how it begins is its factory's affair
    copies = job.recipe.pointwise_init == "identity"
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Above zero, ReLU lets more than half of the values through: 27 layers lose less of the image.
            nn.init.constant_(module.bias, job.recipe.bn_shift)
        elif isinstance(module, nn.Conv2d) and is_depthwise(module.weight):
            if job.recipe.depthwise_init == "identity":
                lean_to_identity(module)
        elif isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and copies:
            lean_to_copies(module)
    return net


def lean_to_identity(conv: nn.Conv2d) -> None:
    """Let each channel begin as itself, blurred a little, so that the image reaches the last layer."""
    height, width = conv.weight.shape[2:]
    with torch.no_grad():
        conv.weight.mul_(0.3)
        conv.weight[:, :, height // 2, width // 2] += 1


def lean_to_copies(conv: nn.Conv2d) -> None:
    """Let each output channel begin as a copy of an input channel, in turn, and a little of all.

    After 27 layers of He's kernels an image and the same with a little noise are hardly more alike than two
    others, and backwards the gradient grows a hundredfold: what one layer learns, the next ones scramble.
    """
    outputs, inputs = conv.weight.shape[:2]
    he = math.sqrt(2 * inputs / outputs)  # length of a row
    rows = torch.arange(outputs)
    with torch.no_grad():
        conv.weight.mul_(LITTLE / he)[rows, rows % inputs] += 1


def mixed_precision(device: str) -> torch.autocast:
    """bf16 on GPUs that have it; on CPUs fp32, which is faster there for these networks."""
    is_on = device != "cpu" and torch.cuda.is_bf16_supported()
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=is_on)
