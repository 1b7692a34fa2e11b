"""The networks of one step of a supernet, each on a thread of its own.

Threads that share the work of one network wait for each other at every layer, thousands of times a second;
where another process is on the core of one, all wait. Networks side by side wait for each other once a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  (as everyone calls it)
from torch import Tensor, nn

from mbsweep.base.cores import threads_each
from mbsweep.space.variant import Variant

Found = TypeVar("Found")


class Lanes:
    """As many as there are networks at most. Where there are cores for more, threads share a network's work.

    What is computed does not depend on how many lanes there are, only on the threads within each.
    """

    def __init__(self, threads: int, networks: int) -> None:
        self._before = torch.get_num_threads()
        self._each = threads_each(networks, threads)
        lanes = min(threads, networks) - 1  # besides this thread
        self._pool = ThreadPoolExecutor(lanes, initializer=self._begin) if lanes else None

    def __enter__(self) -> Self:
        torch.set_num_threads(self._each)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._before)

    def _begin(self) -> None:
        """Both are settings of each thread."""
        torch.set_num_threads(self._each)
        torch.set_flush_denormal(True)

    def start(self, task: Callable[[], Found]) -> Future[Found]:
        """Compute something beside what this thread does; at once where there is only this thread."""
        if self._pool:
            return self._pool.submit(task)
        done: Future[Found] = Future()
        done.set_result(task())
        return done


@dataclass(frozen=True)
class Batch:
    """What one network sees in a step, and what dropout keeps of it: all that is random is drawn before."""

    variant: Variant
    images: Tensor
    kept: Tensor  # factors of what the classifier sees


def gradients(
    net: nn.Module,
    batches: Sequence[Batch],
    labels: Tensor,
    label_smoothing: float,
    labels_share: float,
    lanes: Lanes,
) -> tuple[Tensor, Tensor]:
    """Let the weights have the gradients of all networks together; the logits and the loss of the largest.

    The first batch is the largest's, which learns from the labels; so do the others by a share, and by the
    rest from its answers. Each network's gradients are made on their own and added in the order of the
    batches, whichever is there first.
    """
    weights = list(net.parameters())
    logits = net(batches[0].variant, batches[0].images, batches[0].kept)
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    answers = logits.detach().softmax(1)

    def of(batch: Batch) -> tuple[Tensor | None, ...]:
        own = net(batch.variant, batch.images, batch.kept)
        by_labels = F.cross_entropy(own, labels, label_smoothing=label_smoothing)
        told = labels_share * by_labels + (1 - labels_share) * F.cross_entropy(own, answers)
        return torch.autograd.grad(told, weights, allow_unused=True)

    others = [lanes.start(partial(of, batch)) for batch in batches[1:]]
    found = [torch.autograd.grad(loss, weights, allow_unused=True), *(other.result() for other in others)]
    for weight, *parts in zip(weights, *found, strict=True):
        assert weight.grad is not None  # noqa: S101
        weight.grad.zero_()
        for part in parts:
            if part is not None:
                weight.grad.add_(part)
    return logits.detach(), loss.detach()
