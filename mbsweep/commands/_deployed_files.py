"""The file that a trained network is deployed as: the one that the run has tested, or made now."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mbsweep.accuracy.datasets import Part
from mbsweep.accuracy.deploying import testing
from mbsweep.accuracy.deploying.runtimes import Runtime, is_kept
from mbsweep.accuracy.training.checkpoint import WEIGHT, Checkpoint, checkpoint_bytes
from mbsweep.accuracy.training.kept import Kept
from mbsweep.accuracy.training.loop import use_threads
from mbsweep.base.cores import threads_each
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.commands._exporting import WEIGHTS, made
from mbsweep.commands._images import asked_images, judged
from mbsweep.commands._run_networks import RunNetworks
from mbsweep.commands._wanted import Wanted
from mbsweep.formats import card as cards
from mbsweep.formats.compressed.file import read
from mbsweep.formats.onnx_ends import with_ends
from mbsweep.nets import folded
from mbsweep.profiler.backends import BACKENDS, Deploys
from mbsweep.space.variant import Variant
from mbsweep.statistics.drops import DropNoise, paired_drop
from mbsweep.statistics.seeds import NO_SEED_NOISE, spread


@dataclass(frozen=True)
class Made:
    """A file. content: its bytes, with a card in them where the format has room for it.

    accuracy: what a card says of it. quantization: how it was calibrated; None at fp32.
    """

    content: Callable[[Mapping[str, Any]], bytes]
    accuracy: dict[str, Any]
    quantization: dict[str, Any] | None = None


def made_file(
    networks: RunNetworks, kept: Kept, state: Checkpoint, variant: Variant, wanted: Wanted, output: Path
) -> Made:
    """The file of a network. At int8 the very one that the run has tested, where it keeps it.

    Else it is calibrated with images of the train part, as the run's sweep says or as usual, and tested.
    Raises MbsweepError where images that are needed are not there, FactoryError as the network.
    """
    runtime = Runtime(wanted.backend_for(output), wanted.precision, "cpu")
    if wanted.scheme is not None:
        return _compressed(networks, kept, wanted.scheme)
    if wanted.precision == "int8":
        return _int8(networks, kept, state, variant, wanted, runtime)
    tested = networks.tested(kept, runtime)
    net = _network(kept, state, variant, wanted, 1 if tested else threads_each())
    moments = state.about["mean"], state.about["std"]
    if output.suffix == WEIGHTS:
        weights = {WEIGHT + name: tensor for name, tensor in net.state_dict().items()}
        about = {name: value for name, value in state.about.items() if name not in ("supernet", "networks")}
        whole = Checkpoint(about | {"variant": variant.as_dict()}, state.curve, weights, state.origin)
        accuracy = _accuracy(kept, kept.row.hits, kept.row.top5, "as trained, in PyTorch")
        return Made(lambda card: checkpoint_bytes(whole, {cards.CARD_KEY: cards.as_json(card)}), accuracy)
    if tested is None:
        accuracy = _accuracy(kept, kept.row.hits, kept.row.top5, "as trained, in PyTorch")
    else:
        accuracy = _accuracy(kept, tested.hits, tested.top5, runtime.words)
    if output.suffix == ".pte":
        lowered = _pte(net, variant, moments, wanted, output)
        return Made(lambda card: lowered, accuracy)
    return Made(_with_card(made(net, variant, "fp32", output), moments, wanted), accuracy)


def _compressed(networks: RunNetworks, kept: Kept, scheme: str) -> Made:
    """The very file that the run has tested."""
    row = networks.compressed(kept, scheme)
    path, content = networks.run.path / row.file, networks.content(row.file, row.file_bytes)
    if not content:
        raise MbsweepError(f"{path} is not there, or not whole: run the sweep again into another --out")
    read(content, str(path))  # which finds out whether it was altered
    top5 = float("nan") if row.top5_pct is None else row.top5_pct
    return Made(lambda card: content, _accuracy(kept, row.hits, top5, "compressed, in PyTorch"))


def _int8(
    networks: RunNetworks,
    kept: Kept,
    state: Checkpoint,
    variant: Variant,
    wanted: Wanted,
    runtime: Runtime,
) -> Made:
    moments = state.about["mean"], state.about["std"]
    quantization = networks.quantization
    tested = networks.tested(kept, runtime)
    content = networks.content(tested.file, tested.file_bytes) if tested else b""
    if tested and is_kept(tested.file, content):
        accuracy = _accuracy(kept, tested.hits, tested.top5, runtime.words)
    else:
        net = _network(kept, state, variant, wanted, 1)
        backend = BACKENDS[runtime.backend]
        assert isinstance(backend, Deploys)  # noqa: S101  (those that have files do)
        train, test = (_part(kept, state, variant, wanted, name) for name in ("train", "test"))
        given = testing.calibration(train, moments, quantization)
        try:
            found = backend.deployed(net.eval(), variant.resolution, runtime.config, given)
        except Exception as error:
            if not variant.is_code:
                raise
            # What a runtime cannot take of a stranger's network is no fault of ours.
            raise MbsweepError(f"{variant.id}: {one_line(error, 500)}") from error
        content = found.content
        outcome = testing.answers(found.classify, test, moments)
        accuracy = _accuracy(
            kept, outcome.correct, outcome.top5_pct, f"{runtime.words}, when it was exported"
        )
    told = quantization.settings
    if runtime.backend == "executorch":
        return Made(lambda card: content, accuracy, told)
    return Made(_with_card(content, moments, wanted), accuracy, told)


def _with_card(
    content: bytes, moments: tuple[list[float], list[float]], wanted: Wanted
) -> Callable[[Mapping[str, Any]], bytes]:
    whole = with_ends(content, *moments) if wanted.is_self_contained else content
    return lambda card: cards.in_onnx(whole, card)


def _accuracy(kept: Kept, hits: NDArray[np.bool_], top5_pct: float, tested_in: str) -> dict[str, Any]:
    """What a card says of the accuracy of a file."""
    ends = spread([hits], NO_SEED_NOISE)
    drop = None
    if len(hits) == len(kept.row.hits):
        drop = paired_drop([(kept.row.hits, hits)], DropNoise(float("nan"), 0))
    return {
        "top1_pct": ends.mean_pct,
        "top1_low_pct": ends.low_pct,
        "top1_high_pct": ends.high_pct,
        "top5_pct": top5_pct,
        "drop_pct": drop and drop.mean_pct,
        "drop_low_pct": drop and drop.low_pct,
        "drop_high_pct": drop and drop.high_pct,
        "images": len(hits),
        "part": "test",
        "tested_in": tested_in,
    }


def _pte(
    net: nn.Module,
    variant: Variant,
    moments: tuple[list[float], list[float]],
    wanted: Wanted,
    output: Path,
) -> bytes:
    if not wanted.is_self_contained:
        return made(net, variant, wanted.precision, output)
    try:
        return made(WithEnds(net, *moments), variant, wanted.precision, output)
    except RuntimeError as error:
        raise MbsweepError(
            f"--self-contained: this ExecuTorch cannot have it in a .pte file: {one_line(error, 300)}; leave "
            "it out, or export .onnx"
        ) from None


class WithEnds(nn.Module):
    """A network with its normalisation in front and a softmax behind.

    (1, 3, height, width) levels from 0 to 255 -> (1, classes) probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.net = folded(copy.deepcopy(net).eval())
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities of the classes."""
        return torch.softmax(self.net((pixels - self.mean) / self.std), dim=1)


def _network(kept: Kept, state: Checkpoint, variant: Variant, wanted: Wanted, threads: int) -> nn.Module:
    """The network with its weights; a supernet's needs images of the train part.

    threads: as where it was tested, of which others give other last digits: one for runtimes, else all.
    """
    if kept.kind != "supernet":
        return kept.network(state, variant, None)
    train = _part(kept, state, variant, wanted, "train")
    use_threads(threads)
    return kept.network(state, variant, train)


def _part(kept: Kept, state: Checkpoint, variant: Variant, wanted: Wanted, name: str) -> Part:
    """Images of what the network was trained on."""
    images = asked_images(wanted.dataset, kept.file, state).open(variant.resolution)
    return judged(kept.file, state, images, name, variant.resolution).part
