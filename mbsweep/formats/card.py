"""What a network's file tells of the network: its card, in the file where it has room, and beside it as JSON.

A card is plain data, keys as documented in docs/export.md; what is unknown is null.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file
from mbsweep.formats.onnx_graph import field

KEY = "mbsweep"  # of the metadata of an ONNX file; the value is the card as JSON
CARD_KEY = "card"  # of the metadata of a safetensors file, where KEY is a checkpoint's
FORMAT = 1  # raised when an mbsweep could not read what another writes
_METADATA_PROPS = 14  # field of onnx.ModelProto


def as_json(card: Mapping[str, Any], indent: int | None = None) -> str:
    """A card as JSON; NaN is null."""
    return json.dumps(_plain(card), indent=indent, ensure_ascii=indent is None, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def in_onnx(content: bytes, card: Mapping[str, Any]) -> bytes:
    """An ONNX file with a card among its metadata: a field that is appended to the others."""
    entry = [*field(1, [KEY.encode()]), *field(2, [as_json(card).encode()])]
    return b"".join([content, *field(_METADATA_PROPS, entry)])


def beside(file: Path) -> Path:
    """Where the card of a file lies: `net.onnx.json`, so that `net.pte` beside it has its own."""
    return file.with_name(f"{file.name}.json")


def write_beside(file: Path, content: bytes, card: Mapping[str, Any]) -> None:
    """Write the card beside a file of this content. MbsweepError where that is not possible."""
    told = {"file": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    text = as_json(dict(card) | told, indent=1)
    write_file(beside(file), f"{text}\n".encode("utf-8", "backslashreplace"))


def check_beside(file: Path) -> None:
    """MbsweepError where the place of a file's card has something that is none."""
    path = beside(file)
    if path.exists() and not _is_card(path):
        raise MbsweepError(
            f"{path} is there and is no card of a network; its place is needed: move it, or choose another -o"
        )


def _is_card(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes())["mbsweep"], str)
    except (OSError, ValueError, TypeError, KeyError):
        return False


def read_beside(file: Path, content: bytes) -> dict[str, Any]:
    """The card beside a file of this content. MbsweepError where there is none, or it is of another file."""
    path = beside(file)
    try:
        card = json.loads(path.read_bytes())
        digest = card["file"]["sha256"]
    except FileNotFoundError:
        raise MbsweepError(
            f"{file}: its card {path.name} is not beside it, which says what its classes are; copy both, or "
            "export the network again with `mbsweep export RUN VARIANT`"
        ) from None
    except (OSError, ValueError, TypeError, KeyError):
        raise MbsweepError(f"{path}: is damaged; export the network again") from None
    if digest != hashlib.sha256(content).hexdigest():
        raise MbsweepError(
            f"{file} is not the file that {path.name} is about: it is damaged, or another; export it again"
        )
    return dict(card)
