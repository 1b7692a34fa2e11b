"""Modules of which mbsweep has no description, as ONNX files: by PyTorch's own exporters."""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from mbsweep.base.errors import one_line
from mbsweep.formats.onnx_graph import INPUT, OUTPUT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn


@contextmanager
def _quiet() -> Iterator[None]:
    """Within, exporters say nothing but errors."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(before)


def exported(module: nn.Module, image: NDArray[np.float32], precision: str) -> bytes:
    """A module in eval mode as an ONNX file for inputs of the image's shape.

    The exporter that traces is taken first: it needs no other package. Raises RuntimeError, with the reasons,
    where none can export the module, or where it would have to be quantised.
    """
    import torch

    if precision == "int8":
        raise RuntimeError("int8 ONNX files are made of networks that mbsweep describes; this module is none")
    reasons = []
    for name, is_dynamo in (("tracing", False), ("dynamo", True)):
        if is_dynamo and importlib.util.find_spec("onnxscript") is None:
            reasons.append("dynamo: needs onnxscript; run: pip install onnxscript")
            continue
        file = io.BytesIO()
        try:
            with _quiet(), torch.no_grad():
                torch.onnx.export(
                    module,
                    (torch.from_numpy(image),),
                    file,  # type: ignore[arg-type]  # its tracing writes to one, too
                    input_names=[INPUT],
                    output_names=[OUTPUT],
                    dynamo=is_dynamo,
                )
            return file.getvalue()
        except Exception as error:  # whatever a stranger's module does
            reasons.append(f"{name}: {one_line(error, 200) or type(error).__name__}")
    raise RuntimeError(f"PyTorch cannot export this module to ONNX ({'; '.join(reasons)})")
