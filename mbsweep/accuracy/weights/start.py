"""`recipe: {start: ...}`: the weights that trainings begin with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import PrivateAttr, model_validator

from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.weights.files import WeightsFile, look_at
from mbsweep.accuracy.weights.mapping import Mapped, mapped
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import expanded
from mbsweep.base.rules import Rule, shown, text
from mbsweep.base.strict import Strict
from mbsweep.space.variant import Variant

_PLACE = re.compile(r"\{([^{}]*)\}")
_LONGEST = 4096  # of a path, in characters


def _said(value: object) -> object:
    """A file or folder by itself, or a mapping."""
    if isinstance(value, str) and value:
        return {"path": value}
    if isinstance(value, dict | Start):
        return value
    raise ValueError


START = Rule("a file or folder of weights, or {dir: weights/, pattern: '{variant}.safetensors'}", _said)


class Start(Strict):
    """The weights of every variant in one place, or a file for each."""

    rules: ClassVar[dict[str, Rule]] = dict.fromkeys(("path", "dir", "pattern", "sha256"), text(_LONGEST))

    path: str = ""  # a file or folder, for all variants
    dir: str = ""  # else a folder, in which each variant has a file or folder
    pattern: str = ""  # called so: "{variant}.safetensors"; {width} and other fields are known, too
    sha256: str = ""  # of what is in the files of the variants; empty as long as nobody has looked
    _here: Path | None = PrivateAttr(None)  # where a variant's weights lie, if not where it was said

    @model_validator(mode="after")
    def _is_one(self) -> Start:
        if bool(self.path) == bool(self.dir or self.pattern) or bool(self.dir) != bool(self.pattern):
            raise ValueError("expected a file or folder, or a mapping with both `dir` and `pattern`")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """Which weights they are, not where they lie."""
        return {"sha256": self.sha256} if self.sha256 else self.settings

    @property
    def words(self) -> str:
        """Where they are, as it was said."""
        return self.path or f"{self.dir}, {self.pattern}"

    def beside(self, folder: Path) -> Start:
        """The same with paths that are relative to a folder."""
        name = "path" if self.path else "dir"
        return self.model_copy(update={name: str(folder / expanded(getattr(self, name)))})

    def lying_at(self, path: Path) -> Start:
        """The same on another machine, to which the weights of a variant were sent."""
        moved = self.model_copy()
        moved._here = path
        return moved

    def path_of(self, variant: Variant) -> Path:
        """The file or folder of a variant's weights."""
        if self._here:
            return self._here
        if self.path:
            return expanded(self.path)
        fields = {} if variant.is_code else {"family": variant.family, **variant.values}
        known = {"variant": variant.id, **fields}

        def filled(match: re.Match[str]) -> str:
            if match[1] not in known:
                raise MbsweepError(
                    f"pattern has {shown(match[0])}; known are {', '.join(f'{{{name}}}' for name in known)}"
                )
            value = known[match[1]]
            return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)

        return expanded(self.dir) / _PLACE.sub(filled, self.pattern)

    def mapped(self, variant: Variant, classes: Sequence[str] = ()) -> Mapped:
        """What a variant gets of them. MbsweepError where its weights are missing, or do not fit."""
        return mapped(look_at(self.path_of(variant)), variant, classes)

    def looked_at(self, variants: Iterable[Variant]) -> tuple[Start, list[str]]:
        """With the hash of these variants' weights; and what is to be known of them.

        MbsweepError where those of a variant are missing, do not fit, or are not finite.
        """
        found = [(variant.id, self.mapped(variant)) for variant in variants]
        files = {one.file.file: one for _, one in found}
        for one in files.values():
            one.values()
        hashes = {path: one.file.sha256() for path, one in files.items()}
        notes = dict.fromkeys(f"{one.file.path}: {note}" for _, one in found for note in one.notes)
        if self.path:
            whole = next(iter(hashes.values()), "")
        else:
            lines = sorted(f"{name} {hashes[one.file.file]}" for name, one in found)
            whole = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return self.model_copy(update={"sha256": whole}), list(notes)


def check_fresh(
    file: WeightsFile, dataset: str, test: NDArray[np.int64], advice: str = "begin from other weights"
) -> None:
    """MbsweepError where a network that is trained further would be tested on what it has learnt before.

    dataset: the id of the images. test: what the images of its test part are. advice: what else to do.
    """
    if not file.about or file.about.get("dataset") == dataset:
        return
    if seen := int(np.isin(test, learnt(file)).sum()):
        raise MbsweepError(
            f"{file.path} was trained on, or chosen by, {seen:,} of the {len(test):,} images of the test "
            f"part of {dataset}; {advice}, or name other images"
        )


def learnt(file: WeightsFile) -> NDArray[np.int64]:
    """What the images are that a network of mbsweep's own was trained on, or chosen by."""
    from safetensors import safe_open

    names = [f"split/{part}" for part in PARTS if part != "test" and f"split/{part}" in file.shapes]
    with safe_open(file.file, "np") as opened:
        return np.concatenate([np.zeros(0, np.int64), *(opened.get_tensor(name) for name in names)])
