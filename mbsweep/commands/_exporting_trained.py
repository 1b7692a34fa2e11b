"""`mbsweep export RUN VARIANT`: a network that a run has trained, as a file, with its card."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mbsweep.accuracy.packages import FILES, check_package
from mbsweep.accuracy.training.checkpoint import WEIGHT, Checkpoint, checkpoint_bytes
from mbsweep.accuracy.training.kept import Kept
from mbsweep.accuracy.training.loop import use_threads
from mbsweep.base.cores import threads_each
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.files import check_writable, write_file
from mbsweep.commands._exporting import FORMATS, WEIGHTS, backend_of, made
from mbsweep.commands._images import asked_images, judged
from mbsweep.commands._run_networks import RunNetworks, in_words
from mbsweep.formats import card as cards
from mbsweep.formats.onnx_ends import PIXELS, PROBABILITIES, with_ends
from mbsweep.formats.onnx_graph import INPUT, OUTPUT
from mbsweep.nets.factories import FactoryError
from mbsweep.profiler.backends import asked
from mbsweep.space.architecture import IMAGE_CHANNELS
from mbsweep.space.variant import Variant


@dataclass(frozen=True)
class Wanted:
    """How a network is to be handed over."""

    seed: str = "best"  # or a number
    precision: str = "fp32"
    is_self_contained: bool = False  # takes levels as they are, gives probabilities
    dataset: str | None = None  # where the images are, of which a supernet's network needs some

    def check_format(self, output: Path) -> None:
        """MbsweepError where a file of such a name cannot have it."""
        check_package(FILES)
        backend = backend_of(output, (*FORMATS, WEIGHTS))
        if backend:
            asked(backend=backend, precision=self.precision)
        elif self.precision != "fp32":
            raise MbsweepError(f"precision is {self.precision!r}; {WEIGHTS} files have fp32")
        if self.precision != "fp32":
            raise MbsweepError("trained networks are exported at fp32; leave --precision out")
        if self.is_self_contained and not backend:
            raise MbsweepError(
                f"--self-contained: {output.name} holds weights and no graph; name a .onnx or .pte file"
            )

    def check(self, output: Path, networks: RunNetworks) -> None:
        """MbsweepError for what can be known to be wrong before a network is read."""
        self.check_format(output)
        if output.resolve().is_relative_to(networks.run.path.resolve()):
            raise MbsweepError(f"{output} lies in the run's own folder; name a file elsewhere")
        check_writable(output)
        cards.check_beside(output)
        check_writable(cards.beside(output))


class Exported(NamedTuple):
    """A file that was written. words: a line about it."""

    words: str
    file_bytes: int
    card: dict[str, Any]


def export_trained(networks: RunNetworks, id_: str, wanted: Wanted, output: Path) -> Exported:
    """Write a trained network of a run and its card.

    Raises MbsweepError where the network was not trained, its weights are not there, the format lacks what is
    wanted, or the file cannot be written.
    """
    wanted.check(output, networks)
    kept = networks.kept(id_, wanted.seed)
    state = kept.state()
    variant = networks.fields(id_)
    card = networks.card(id_, kept, state, variant)
    try:
        net = _network(kept, state, variant, wanted)
    except FactoryError as error:
        raise MbsweepError(f"{id_}: {error}") from None
    content, card = deployed_file(net, variant, state, card, wanted, output)
    write_file(output, content)
    cards.write_beside(output, content, card)
    words = (
        f"{output}: {id_} at {wanted.precision}, {kept.kind}, seed {kept.row.seed}, {len(content):,} bytes, "
        f"{in_words(card)}; all about it: {cards.beside(output).name}"
    )
    return Exported(words, len(content), card)


def deployed_file(
    net: nn.Module, variant: Variant, state: Checkpoint, card: dict[str, Any], wanted: Wanted, output: Path
) -> tuple[bytes, dict[str, Any]]:
    """The content of the file that a network is deployed as, and its card with what is so of this file."""
    backend = FORMATS[output.suffix][0] if output.suffix in FORMATS else "torch"
    size, is_pixels = variant.resolution, wanted.is_self_contained
    image = {
        "name": PIXELS if is_pixels else INPUT,
        "shape": [1, IMAGE_CHANNELS, size, size],
        "layout": "NCHW",
        "type": "float32",
        "channels": ["red", "green", "blue"],
        "is_normalised": not is_pixels,
        "values": "levels from 0 to 255" if is_pixels else "(level - mean) / std, of levels from 0 to 255",
    }
    if is_pixels and output.suffix == ".onnx":
        image |= {"shape": [1, size, size, IMAGE_CHANNELS], "layout": "NHWC", "type": "uint8"}
    card = {
        **card,
        "input": image,
        "output": {
            "name": PROBABILITIES if is_pixels else OUTPUT,
            "shape": [1, len(card["classes"])],
            "are_probabilities": is_pixels,
        },
        "runtime": {"backend": backend, "precision": wanted.precision},
    }
    if output.suffix == WEIGHTS:
        weights = {WEIGHT + name: tensor for name, tensor in net.state_dict().items()}
        about = {name: value for name, value in state.about.items() if name not in ("supernet", "networks")}
        kept = Checkpoint(about | {"variant": variant.as_dict()}, state.curve, weights, state.origin)
        return checkpoint_bytes(kept, {cards.CARD_KEY: cards.as_json(card)}), card
    moments = state.about["mean"], state.about["std"]
    if output.suffix == ".pte" and is_pixels:
        try:
            return made(WithEnds(net, *moments), variant, wanted.precision, output), card
        except RuntimeError as error:
            raise MbsweepError(
                f"--self-contained: this ExecuTorch cannot have it in a .pte file: {one_line(error, 300)}; "
                "leave it out, or export .onnx"
            ) from None
    content = made(net, variant, wanted.precision, output)
    if output.suffix == ".pte":
        return content, card
    return cards.in_onnx(with_ends(content, *moments) if is_pixels else content, card), card


class WithEnds(nn.Module):
    """A network with its normalisation in front and a softmax behind.

    (1, 3, height, width) levels from 0 to 255 -> (1, classes) probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        from mbsweep.nets import folded

        self.net = folded(copy.deepcopy(net).eval())
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities of the classes."""
        return torch.softmax(self.net((pixels - self.mean) / self.std), dim=1)


def _network(kept: Kept, state: Checkpoint, variant: Variant, wanted: Wanted) -> nn.Module:
    """The network with its weights; a supernet's needs images of the train part."""
    if kept.kind != "supernet":
        return kept.network(state, variant, None)
    images = asked_images(wanted.dataset, kept.file, state).open(variant.resolution)
    use_threads(threads_each())  # as where it was tested: others give other last digits
    return kept.network(state, variant, judged(kept.file, state, images, "train", variant.resolution).part)
