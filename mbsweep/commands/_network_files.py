"""A network's file, opened to be asked: weights in PyTorch, an ONNX or .pte file in the runtime it is for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from mbsweep.accuracy.compressing.files import ENDING, open_compressed
from mbsweep.accuracy.datasets import DATASETS
from mbsweep.accuracy.datasets.source import DatasetSettings
from mbsweep.accuracy.packages import FILES, check_package
from mbsweep.accuracy.training.batches import normalised
from mbsweep.accuracy.training.checkpoint import Checkpoint, Origin, open_checkpoint
from mbsweep.accuracy.training.evaluating import layout_of
from mbsweep.accuracy.training.loop import trained_network, use_threads
from mbsweep.base.cores import threads_each
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.suggest import command
from mbsweep.formats import card as cards
from mbsweep.nets import folded
from mbsweep.profiler.backends import BACKENDS, OpensFiles, asked, check_installed
from mbsweep.profiler.counting_code import counted
from mbsweep.space.variant import Variant

Images = NDArray[np.uint8]  # (images, resolution, resolution, 3)
Scores = NDArray[np.float32]  # (images, classes): logits, or probabilities


class _Input(BaseModel):
    name: str
    shape: tuple[int, int, int, int]
    layout: Literal["NCHW", "NHWC"]
    type: Literal["float32", "uint8"]
    is_normalised: bool


class _Runtime(BaseModel):
    backend: str
    precision: str


class _Output(BaseModel):
    are_probabilities: bool


class _Dataset(BaseModel):
    id: str
    settings: dict[str, Any]


class _Card(BaseModel):
    """What of a card is needed to use its file."""

    format: int
    network: dict[str, Any]
    classes: list[str] = Field(min_length=2)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    reading: dict[str, str]
    dataset: _Dataset
    input: _Input
    output: _Output
    runtime: _Runtime


@dataclass(frozen=True)
class NetworkFile:
    """A network that tells classes apart.

    state: what of its training is known: `about` and `origin`. scores: of some images, one row each.
    """

    path: Path
    name: str
    resolution: int
    state: Checkpoint = field(repr=False)
    scores: Callable[[Images], Scores] = field(repr=False)
    are_probabilities: bool = False

    @property
    def classes(self) -> list[str]:
        """Their names, in the order of the scores."""
        return [str(name) for name in self.state.about["classes"]]

    @property
    def dataset(self) -> DatasetSettings:
        """How its images are read. MbsweepError where the file does not say."""
        settings = self.state.origin.settings
        try:
            return DATASETS[settings["name"]].model_validate(settings)
        except (KeyError, TypeError, ValidationError):
            raise MbsweepError(
                f"{self.path} does not say how its images are read: it is damaged, or of another mbsweep"
            ) from None

    def probabilities(self, images: Images) -> Scores:
        """(images, classes), each row 1 together."""
        found = self.scores(images)
        if self.are_probabilities:
            return found
        powers = np.exp(found - found.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def open_network(path: Path) -> NetworkFile:
    """A file that `train`, `extract` or `export RUN VARIANT` has written.

    Raises MbsweepError where it is none, is damaged, or its runtime is not installed.
    """
    if path.is_dir():
        raise MbsweepError(f"{path}: is a folder; name the file of a network")
    if path.exists() and not path.is_file():  # a pipe would have us wait
        raise MbsweepError(f"{path}: is no file of a network")
    try:
        return _OPENS.get(path.suffix.lower(), _weights)(path)
    except FileNotFoundError:
        raise MbsweepError(f"{path}: there is no such file") from None
    except OSError as error:
        raise MbsweepError(f"{path}: cannot be read: {error.strerror or error}") from None


def _weights(path: Path) -> NetworkFile:
    check_package(FILES)
    state = open_checkpoint(path)
    if state.about.get("supernet"):
        extraction = command("extract", path, "-o", "net.safetensors")
        raise MbsweepError(
            f"{path} is a supernet; `{extraction}` gives its largest network a file of its own"
        )
    variant = Variant(**state.about["variant"])
    if variant.is_code:
        counted(variant)
    use_threads(threads_each())
    return NetworkFile(path, variant.id, variant.resolution, state, _in_torch(trained_network(state), state))


def _compressed(path: Path) -> NetworkFile:
    use_threads(threads_each())
    net, about = open_compressed(path)
    try:
        origin = Origin(about["images"]["settings"], about["images"]["reading"])
        state, variant = Checkpoint(about, [], {}, origin), Variant(**about["variant"])
        scores = _in_torch(net, state)
        str(about["classes"][0])
    except (KeyError, TypeError, IndexError) as error:
        raise MbsweepError(f"{path}: does not say how its network is used: {one_line(error, 100)}") from None
    return NetworkFile(path, variant.id, variant.resolution, state, scores)


def _in_torch(net: torch.nn.Module, state: Checkpoint) -> Callable[[Images], Scores]:
    """What a network gives for images."""
    layout, quick = layout_of(net), folded(net)
    moments = state.about["mean"], state.about["std"]

    @torch.inference_mode()
    def scores(images: Images) -> Scores:
        x = normalised(torch.from_numpy(np.array(images)), moments).contiguous(memory_format=layout)
        return np.asarray(quick(x).float().numpy())

    return scores


def _onnx(path: Path) -> NetworkFile:
    check_installed("onnxruntime")  # and onnx, which reads the card
    from onnx import ModelProto

    content = path.read_bytes()
    try:
        model = ModelProto.FromString(content)
        if len(model.graph.input) != 1:
            raise ValueError(f"it has {len(model.graph.input)} inputs")
        image = model.graph.input[0]
        shape = [size.dim_value for size in image.type.tensor_type.shape.dim]
    except Exception as error:  # whatever protobuf makes of a file that is none
        raise _damaged(path, error) from None
    texts = [one.value for one in model.metadata_props if one.key == cards.KEY]
    if not texts:
        random = (
            "its weights are random" if model.producer_name == "mbsweep" else "it was not written by mbsweep"
        )
        raise MbsweepError(
            f"{path}: {random}: it does not say what its classes are and how images are read; export a "
            "trained network with `mbsweep export RUN VARIANT -o net.onnx`"
        )
    card = _card(path, texts[0])
    if (image.name, tuple(shape)) != (card.input.name, card.input.shape):
        raise MbsweepError(
            f"{path}: takes {image.name!r} of {shape}, and its card says {card.input.name!r} of "
            f"{list(card.input.shape)}; it was changed since: export it again"
        )
    return _opened(path, card, content)


def _pte(path: Path) -> NetworkFile:
    content = path.read_bytes()
    return _opened(path, _card(path, json.dumps(cards.read_beside(path, content))), content)


def _opened(path: Path, card: _Card, content: bytes) -> NetworkFile:
    """In the runtime that the file is for."""
    config = asked(backend=card.runtime.backend, precision=card.runtime.precision)
    backend = BACKENDS[config.backend]
    if not isinstance(backend, OpensFiles):
        raise MbsweepError(f"{path}: its card says that it is for {config.backend}, which loads no files")
    try:
        classify = backend.opened(content, config)
    except Exception as error:  # a runtime's own
        raise _damaged(path, error) from None
    return _run(path, card, classify)


def _damaged(path: Path, error: Exception) -> MbsweepError:
    reason = one_line(error, 200)
    return MbsweepError(f"{path}: is damaged, or no file of a network of one image: {reason}")


_OPENS: dict[str, Callable[[Path], NetworkFile]] = {".onnx": _onnx, ".pte": _pte, ENDING: _compressed}


def _card(path: Path, text: str) -> _Card:
    try:
        card = _Card.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise MbsweepError(
            f"{path}: its card is damaged ({where or 'JSON'}: {one_line(fault['msg'], 100)}); export it again"
        ) from None
    if card.format > cards.FORMAT:
        raise MbsweepError(
            f"{path} is of a newer mbsweep; upgrade mbsweep, or export the network with this one"
        )
    return card


def _run(path: Path, card: _Card, run: Callable[[NDArray[Any]], NDArray[np.float32]]) -> NetworkFile:
    """A file whose runtime takes one image."""
    mean, std = (np.array(values, np.float32) for values in (card.mean, card.std))
    classes, told = len(card.classes), card.input

    def scores(images: Images) -> Scores:
        found = np.empty((len(images), classes), np.float32)
        for place, levels in enumerate(images):
            array: NDArray[Any] = levels.astype(told.type)
            if told.is_normalised:
                array = (array - mean) / std
            array = array.transpose(2, 0, 1) if told.layout == "NCHW" else array
            try:
                given = run(np.ascontiguousarray(array[None]))
            except Exception as error:  # a runtime's own
                raise MbsweepError(f"{path}: cannot be run: {one_line(error, 200)}") from None
            if given.shape != (1, classes):
                raise MbsweepError(f"{path}: gives {given.shape}, and its card says {classes} classes")
            found[place] = given[0]
        return found

    about = {"dataset": card.dataset.id, "classes": card.classes, "mean": card.mean, "std": card.std}
    origin = Origin(card.dataset.settings, card.reading)
    resolution = told.shape[2]
    name = one_line(card.network.get("id", "a network"), 200)
    state = Checkpoint(about, [], {}, origin)
    return NetworkFile(path, name, resolution, state, scores, card.output.are_probabilities)
