"""How a network that a run has trained is handed over: the command that writes its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mbsweep.base.suggest import command

TRAINED = ("trained", "supernet")  # kinds of accuracies whose networks a run keeps
# backend -> ending of the file that it loads
_ENDINGS = {"onnxruntime": ".onnx", "openvino": ".onnx", "executorch": ".pte"}


def ending(backend: object) -> str:
    """Of the file for a backend; of none, and of PyTorch, that of weights."""
    return _ENDINGS.get(backend, ".safetensors") if isinstance(backend, str) else ".onnx"


def export_command(run: Path, row: Mapping[str, Any] | pd.Series[Any]) -> str:
    """The command that writes the network of a row; empty where the run has no weights of it."""
    if row["top1_kind"] not in TRAINED or pd.isna(row["top1_pct"]):
        return ""
    variant = str(row["variant"])
    return command("export", run, variant, "-o", f"{variant}{ending(row['backend'])}")
