"""How a network does on a part of a data set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (as everyone calls it)
from numpy.typing import NDArray
from torch import Tensor, nn

from mbsweep.accuracy.datasets import Part
from mbsweep.accuracy.training.batches import Moments, normalised
from mbsweep.nets import Network, folded

TEST_BATCH = 64  # on CPUs; of images of 48 and 64 px, batches of 256 take a quarter longer


@dataclass(frozen=True)
class Outcome:
    """How a network does on one part."""

    loss: float
    correct: NDArray[np.bool_]  # (images,): whether the likeliest class was right
    top5_pct: float  # NaN below six classes
    # (images,): the likeliest class; none where nobody has told
    guessed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)

    @property
    def top1_pct(self) -> float:
        """Share of the images whose likeliest class was right."""
        return float(100 * self.correct.mean())


def layout_of(net: nn.Module) -> torch.memory_format:
    """Channels last, which is sooner; but code of the user's own may take a map for what it usually is."""
    return torch.channels_last if isinstance(net, Network) else torch.contiguous_format


@torch.inference_mode()
def evaluate(net: nn.Module, part: Part, moments: Moments, device: str = "cpu") -> Outcome:
    """How a network does on a part. The network is in evaluation mode afterwards."""
    layout = layout_of(net)
    net = folded(net.eval())

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(part.labels), TEST_BATCH):
            stop = start + TEST_BATCH
            levels = torch.from_numpy(np.ascontiguousarray(part.images[start:stop])).to(device)
            x = normalised(levels, moments).contiguous(memory_format=layout)
            yield net(x).float(), torch.from_numpy(part.labels[start:stop]).to(device)

    return outcome(batches())


def outcome(batches: Iterable[tuple[Tensor, Tensor]]) -> Outcome:
    """How a network does that gives such logits, (images, classes), for images of such labels, (images,)."""
    loss, hits, hits5, guessed = 0.0, [], 0, []
    for logits, y in batches:
        loss += float(F.cross_entropy(logits, y, reduction="sum"))
        places = logits.topk(min(5, logits.shape[1])).indices
        best = places == y[:, None]
        guessed.append(places[:, 0].cpu().numpy())
        hits.append(best[:, 0].cpu().numpy())
        hits5 += int(best.any(1).sum())
    correct, classes = np.concatenate(hits), logits.shape[1]
    top5 = 100 * hits5 / len(correct) if classes > 5 else math.nan
    return Outcome(loss / len(correct), correct, top5, np.concatenate(guessed))
