"""`mbsweep export RUN VARIANT`: a network that a run has trained, as a file, with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file
from mbsweep.commands._deployed_files import Made, made_file
from mbsweep.commands._run_networks import RunNetworks, in_words
from mbsweep.commands._wanted import Wanted
from mbsweep.formats import card as cards
from mbsweep.formats.onnx_ends import PIXELS, PROBABILITIES
from mbsweep.formats.onnx_graph import INPUT, OUTPUT
from mbsweep.formats.quantization import held
from mbsweep.nets.factories import FactoryError
from mbsweep.space.architecture import IMAGE_CHANNELS
from mbsweep.space.variant import Variant


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
    wanted.check(output, networks.run.path)
    kept = networks.kept(id_, wanted.seed)
    state, variant = kept.state(), networks.fields(id_)
    try:
        made = made_file(networks, kept, state, variant, wanted, output)
    except FactoryError as error:
        raise MbsweepError(f"{id_}: {error}") from None
    card = networks.card(id_, kept, state, variant) | _of_file(made, state.about, variant, wanted, output)
    content = made.content(card)
    write_file(output, content)
    cards.write_beside(output, content, card)
    words = (
        f"{output}: {id_} at {wanted.precision}, {kept.kind}, seed {kept.row.seed}, {len(content):,} bytes, "
        f"{in_words(card)}; {_where_right(content, wanted, output)}all about it: {cards.beside(output).name}"
    )
    return Exported(words, len(content), card)


def _of_file(
    made: Made, about: dict[str, Any], variant: Variant, wanted: Wanted, output: Path
) -> dict[str, Any]:
    """What of a card is so of this file."""
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
    return {
        "input": image,
        "output": {
            "name": PROBABILITIES if is_pixels else OUTPUT,
            "shape": [1, len(about["classes"])],
            "are_probabilities": is_pixels,
        },
        "runtime": {
            "backend": wanted.backend_for(output),
            "precision": wanted.precision,
            "quantization": made.quantization,
        },
        "accuracy": made.accuracy,
    }


def _where_right(content: bytes, wanted: Wanted, output: Path) -> str:
    """Of an int8 ONNX file: which weights it has, and where it is calculated right."""
    if (output.suffix, wanted.precision) != (".onnx", "int8"):
        return ""
    # A file that the run has tested is the same wherever it is exported.
    return f"with {held(content).where_right('run the sweep there')}; "
