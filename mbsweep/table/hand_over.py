"""How a network that a run has trained is handed over: the command that writes its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mbsweep.base.suggest import command

TRAINED = ("trained", "supernet")  # kinds of accuracies whose networks a run keeps
# backend -> ending of the file that it loads; PyTorch has the weights
_ENDINGS = {"onnxruntime": ".onnx", "openvino": ".onnx", "executorch": ".pte"}


def export_options(backend: object, precision: object) -> tuple[list[str], str]:
    """What `mbsweep export` must be told of a backend and a precision, and how the file's name ends."""
    ending = ".onnx" if not isinstance(backend, str) else _ENDINGS.get(backend, ".safetensors")
    if backend == "openvino":  # both runtimes load .onnx: their files are called apart
        options, ending = ["--backend", "openvino"], f"_openvino{ending}"
    else:
        options = []
    if precision == "int8" and not ending.endswith(".safetensors"):
        return [*options, "--precision", "int8"], f"_int8{ending}"
    return options, ending


def export_command(run: Path, row: Mapping[str, Any] | pd.Series[Any]) -> str:
    """The command that writes the network of a row; empty where the run has no weights of it."""
    if row["top1_kind"] not in TRAINED or pd.isna(row["top1_pct"]):
        return ""
    variant, (options, ending) = str(row["variant"]), export_options(row["backend"], row["precision"])
    return command("export", run, variant, *options, "-o", f"{variant}{ending}")
