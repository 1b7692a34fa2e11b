"""Files of weights: safetensors alone, or in a folder as `save_pretrained` or timm's hub leave them.

Nothing is unpickled: a pickle is a program, which may do anything to whoever reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.packages import FILES, check_package
from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.rules import shown

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".tar")
OTHERS = (".h5", ".keras", ".tflite", ".pb", ".msgpack", ".onnx")
FILE, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"
# What is written -> how numpy reads it; numpy has no bfloat16, which is the upper half of a float32.
_FLOATS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8"}
_LONGEST = 1 << 20  # bytes of a config.json


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights, as far as it is known before any is read."""

    path: Path  # as it was named
    file: Path  # the safetensors file
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str] = field(repr=False)  # as safetensors calls them
    about: Mapping[str, Any] = field(default_factory=dict, repr=False)  # what mbsweep says of its own
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of config.json; empty without one

    def sha256(self) -> str:
        """Of its content."""
        digest = hashlib.sha256()
        try:
            with self.file.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        return digest.hexdigest()

    def values(self) -> dict[str, NDArray[np.float32]]:
        """Every tensor in float32. MbsweepError where one is no floats, or not finite."""
        from safetensors import SafetensorError, deserialize

        try:
            found: list[tuple[str, Any]] = deserialize(self.file.read_bytes())  # type: ignore[no-untyped-call]
        except (OSError, SafetensorError, ValueError) as error:
            raise _unreadable(self.path, error) from None
        kept = {}
        for name, tensor in found:
            kind = tensor["dtype"]
            if kind not in _FLOATS:
                continue  # counters; what a network takes has been looked at
            raw = np.frombuffer(tensor["data"], _FLOATS[kind])
            if kind == "BF16":
                raw = (raw.astype(np.uint32) << 16).view(np.float32)
            with np.errstate(over="ignore"):
                value = raw.astype(np.float32).reshape(tensor["shape"])
            if not np.isfinite(value).all():
                raise MbsweepError(f"{self.path}: {shown(name)} has values that are not finite numbers")
            kept[name] = value
        return kept


def look_at(path: Path) -> WeightsFile:
    """What a file, or a folder with one, has of weights. MbsweepError, with what to do, where it has none."""
    check_package(FILES)
    file = _file_of(path)
    config = _config(file.parent / CONFIG) if path.is_dir() or file.name == FILE else {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "np") as opened:
            about = json.loads((opened.metadata() or {}).get("mbsweep", "{}")).get("about", {})
            if not isinstance(about, dict) or not isinstance(about.get("variant", {}), dict):
                raise ValueError("what it says of its network is no mapping")
            views = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118  (no mapping)
            shapes = {name: tuple(view.get_shape()) for name, view in views.items()}
            dtypes = {name: view.get_dtype() for name, view in views.items()}
    except (OSError, SafetensorError, ValueError, AttributeError) as error:
        raise _unreadable(path, error) from None
    if not shapes:
        raise MbsweepError(f"{path}: is empty: it has no tensors")
    return WeightsFile(path, file, shapes, dtypes, about, config)


def _file_of(path: Path) -> Path:
    """The safetensors file of a path."""
    try:
        if not path.is_dir():
            path.stat()
            _check_ending(path)
            return path
        names = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError:
        raise MbsweepError(f"{path}: there is no such file or folder") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if FILE in names:
        return path / FILE
    found = [name for name in names if name.endswith(".safetensors")]
    if INDEX in names:
        raise MbsweepError(
            f"{path}: its weights are in {len(found)} files; save them as one, such as by "
            "save_pretrained(..., max_shard_size='10GB')"
        )
    if len(found) == 1:
        return path / found[0]
    if found:
        raise MbsweepError(f"{path}: has {len(found)} files of weights; name one of them")
    for name in names:
        _check_ending(path / name)
    raise MbsweepError(f"{path}: is a folder without weights; expected {FILE} in it")


def _check_ending(path: Path) -> None:
    """MbsweepError where a name says that a file is a pickle, or of another format."""
    ending = path.suffix.lower()
    if ending in PICKLES:
        raise MbsweepError(
            f"{path}: is a pickle, which may run any program when it is read, so it is not; if you trust it, "
            "load it in PyTorch and save its state_dict with safetensors.torch.save_file"
        )
    if ending in OTHERS:
        raise MbsweepError(f"{path}: is of a format that is not read; weights are to be .safetensors")


def _config(path: Path) -> dict[str, Any]:
    """What stands in a config.json; nothing where there is none."""
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(_LONGEST))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise MbsweepError(f"{path}: cannot be read as JSON: {one_line(error, 200)}") from None
    if not isinstance(said, dict):
        raise MbsweepError(f"{path}: is {shown(said)}; expected a mapping")
    return said


def _unreadable(path: Path, error: Exception) -> MbsweepError:
    if isinstance(error, OSError):
        return MbsweepError(f"{path}: cannot be read: {error.strerror or one_line(error, 200)}")
    reason = one_line(error, 200)
    return MbsweepError(f"{path}: is no safetensors file, or damaged: {reason}")
