"""`mbsweep export`: a network as a file for another device, the same that a backend here would load."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.files import check_writable, write_file
from mbsweep.base.rules import did_you_mean
from mbsweep.nets.factories import FactoryError
from mbsweep.profiler.backends import asked
from mbsweep.profiler.backends.executorch import pte_file
from mbsweep.profiler.backends.onnx_runtime import OnnxRuntime
from mbsweep.profiler.counting_code import counted
from mbsweep.profiler.prepare import network
from mbsweep.space.architecture import IMAGE_CHANNELS
from mbsweep.space.counting import UNKNOWN, count
from mbsweep.space.variant import Variant

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

# ending of a file -> the backend that loads it, and what makes its content at a precision
FORMATS: dict[str, tuple[str, Callable[[nn.Module, NDArray[np.float32], str], bytes]]] = {
    ".onnx": ("onnxruntime", OnnxRuntime().file),
    ".pte": ("executorch", pte_file),
}
WEIGHTS = ".safetensors"  # of trained networks: no backend loads them


def export_network(variant: Variant, precision: str, output: Path) -> str:
    """Write a network for one image, with the weights that all runs have; return in a line what was written.

    Raises MbsweepError where no format has the file's ending, its backend lacks the precision or is not
    installed, the network does not fit into memory, or the file cannot be written; of code, whatever goes
    wrong with it.
    """
    backend = backend_of(output, FORMATS)
    asked(backend=backend, precision=precision)
    check_writable(output)
    counts = counted(variant).counts if variant.is_code else count(variant)
    try:
        net = network(variant)
    except (MemoryError, FactoryError) as error:
        raise MbsweepError(f"{variant.id}: {error}") from None
    content = made(net, variant, precision, output)
    write_file(output, content)
    macs = "an unknown number of" if counts.macs == UNKNOWN else f"{counts.macs:,}"
    return (
        f"{output}: {variant.id} at {precision}, {len(content):,} bytes, {counts.params:,} parameters, "
        f"{macs} mult-adds; {_where_right(backend, precision)}"
        "its weights are random: right for latency, not for accuracy"
    )


def backend_of(output: Path, endings: Collection[str]) -> str:
    """The backend that loads a file of such a name. MbsweepError where no format has its ending."""
    if output.suffix not in endings:
        hint = did_you_mean(output.suffix, endings)
        raise MbsweepError(f"{output}: the ending {output.suffix!r} is none of {', '.join(endings)}{hint}")
    return FORMATS[output.suffix][0] if output.suffix in FORMATS else ""


def made(net: nn.Module, variant: Variant, precision: str, output: Path) -> bytes:
    """What a file of such a name is to hold. MbsweepError where a stranger's network cannot be written so."""
    shape = (1, IMAGE_CHANNELS, variant.resolution, variant.resolution)
    image = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    try:
        return FORMATS[output.suffix][1](net, image, precision)
    except Exception as error:
        if not variant.is_code:
            raise
        # What a runtime cannot take of a stranger's network is no fault of ours.
        raise MbsweepError(f"{variant.id}: {one_line(error, 500)}") from error


def _where_right(backend: str, precision: str) -> str:
    """Of an int8 ONNX file: where it is calculated right. It is the one that this processor gets right."""
    if (backend, precision) != ("onnxruntime", "int8"):
        return ""
    return f"with {OnnxRuntime().int8_weights().where_right('export it there')}; "
