"""One step of a scheme, done to one trained network: its file, what it answers, its table of layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch

from mbsweep.accuracy.compressing.files import network_in, tensors_of
from mbsweep.accuracy.compressing.holding import UPDATES, Held, Pruned, Shared, bits_of, sparsity_of
from mbsweep.accuracy.compressing.learning_on import learn_on
from mbsweep.accuracy.compression import Scheme
from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.training.checkpoint import (
    WEIGHT,
    Checkpoint,
    load_weights,
    open_checkpoint,
    write_checkpoint,
)
from mbsweep.accuracy.training.evaluating import Outcome, evaluate
from mbsweep.accuracy.training.loop import Job, OnStep
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file
from mbsweep.formats.compressed.file import packed, read, written
from mbsweep.formats.compressed.layers import LayerSize, layer_sizes
from mbsweep.nets import Network, build
from mbsweep.space.variant import Variant

# Of the highest rate of the recipe: where the network learns on without weights, and with shared ones.
PRUNED_RATE, SHARED_RATE = 0.3, 0.1
ABOUT = ("variant", "seed", "dataset", "classes", "mean", "std")  # of the trained network, that a file tells


class Done(NamedTuple):
    """A step that was done."""

    file_bytes: int
    layers: list[LayerSize]
    outcome: Outcome | None  # None: as that of the step before, whose weights it has to the last bit


def learn(
    before: Path, after: Path, file: Path, scheme: Scheme, dataset: Dataset, device: str, on_step: OnStep
) -> Done:
    """Prune the network of a file, or let its weights share values; the network after it to `after`.

    before: a trained network, or one of the step before. scheme: up to this step. file: of the compressed
    network, without Huffman coding.
    """
    state = open_checkpoint(before)
    about = state.about
    job = Job(Variant(**about["variant"]), Recipe.model_validate(about["recipe"]), about["seed"])
    net, moments = build(job.variant, job.recipe.dropout), (about["mean"], about["std"])
    assert isinstance(net, Network)  # noqa: S101  (one that is code is refused before)
    load_weights(net, state.tensors, WEIGHT)
    net.to(device)  # before it is held: masks and clusters lie where the weights do
    held, rate = _held(net, scheme)
    if scheme.epochs:
        learn_on(net, held, job, dataset, moments, scheme.epochs, rate, device, on_step)
    else:
        held.begin(1.0)
    net = net.to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    content = _file(net, state, scheme)
    found = network_in(read(content, str(file)), str(file))
    outcome = evaluate(found.to(device), dataset.part("test", job.variant.resolution), moments, device)
    tensors = {WEIGHT + name: tensor for name, tensor in net.state_dict().items()}
    test = {"test_top1_pct": outcome.top1_pct, "compressed": scheme.settings}
    write_checkpoint(after, Checkpoint(about | test, state.curve, tensors, state.origin))
    write_file(file, content)
    return Done(len(content), layer_sizes(tensors_of(net)), outcome)


def _held(net: Network, scheme: Scheme) -> tuple[Held, float]:
    if scheme.bits:
        return Shared(bits_of(net, scheme.bits.by_kind)), SHARED_RATE
    assert scheme.sparsity is not None  # noqa: S101
    ramp = scheme.prune_epochs / scheme.epochs
    asked = sparsity_of(net, scheme.sparsity.by_kind)
    return Pruned(asked, ramp, UPDATES * scheme.prune_epochs), PRUNED_RATE


def _file(net: Network, state: Checkpoint, scheme: Scheme) -> bytes:
    said = {name: state.about[name] for name in ABOUT} | {"compressed": scheme.settings}
    said["images"] = {"settings": state.origin.settings, "reading": state.origin.reading}
    return written(said, packed(tensors_of(net), scheme.huffman))


def code(before: Path, file: Path, scheme: Scheme) -> Done:
    """Write a compressed network once more, Huffman coded. before: its file."""
    found = read(before.read_bytes(), str(before))
    content = written(found.about | {"compressed": scheme.settings}, packed(found.tensors, scheme.huffman))
    again = read(content, str(file)).tensors
    for name, tensor in found.tensors.items():
        if again[name].tobytes() != tensor.tobytes():
            raise MbsweepError(f"{file}: {name} did not come back as it was written; please report it")
    write_file(file, content)
    return Done(len(content), layer_sizes(found.tensors), None)


def as_dict(done: Done) -> dict[str, Any]:
    """For JSON, without the outcome."""
    return {"file_bytes": done.file_bytes, "layers": [list(layer) for layer in done.layers]}
