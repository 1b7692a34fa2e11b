"""A YAML file as data, with the line of every value kept for error messages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import shown

Keys = tuple[str | int, ...]  # the way to a value: ("space", "width", 2)

MAX_BYTES = 1 << 18
MAX_VALUES = (
    200_000  # counted with aliases expanded, so that ten lines of aliases cannot become a billion values
)


class _Loader(yaml.SafeLoader):
    """Safe, and with the scalars of YAML 1.2: `2e6` is a number, `010` is ten, `yes` and `on` are text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML's own name; a copy of 1.1's table would stay behind)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), [*"~nN", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:[Tt]rue|TRUE|[Ff]alse|FALSE)$"), [*"tTfF"]
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), [*"-+0123456789"])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    [*"-+.0123456789"],
)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


def dotted(keys: Keys) -> str:
    """('space', 'width', 2) -> 'space.width[2]'."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{_plain(key)}" for key in keys).removeprefix(
        "."
    )


def _plain(key: str) -> str:
    """A key as a message quotes it: on one line, and short."""
    return key if len(key) <= 60 and key.isprintable() else shown(key)


@dataclass(frozen=True)
class Document:
    """One YAML file: its text, its data, and where each value stands."""

    name: str  # as the user gave it
    text: str
    data: dict[str, Any]
    _root: yaml.Node
    path: Path | None = None  # of the file; None of a text that was in none

    def find(self, keys: Keys) -> tuple[Keys, int]:
        """The part of the way that the file really has, and the line (from 1) on which that value stands."""
        node = self._root
        line = node.start_mark.line
        for depth, key in enumerate(keys):
            child = None
            if isinstance(node, yaml.MappingNode):
                for key_node, value_node in node.value:
                    if key_node.value == key:
                        child, line = value_node, key_node.start_mark.line
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                child = node.value[key]
                line = child.start_mark.line
            if child is None:
                return keys[:depth], line + 1
            node = child
        return keys, line + 1

    def problem(self, keys: Keys, message: str) -> MbsweepError:
        """An error that names the file, the line and the key: `v1.yaml:7: space.width[2] <message>`."""
        found, line = self.find(keys)
        return MbsweepError(" ".join(filter(None, [f"{self.name}:{line}:", dotted(found), message])))


def read(path: Path) -> Document:
    """A file's Document. MbsweepError where it cannot be read or is not a YAML mapping."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MbsweepError(
            f"{path}: no such file; give the path of a sweep file, such as sweeps/width_res.yaml"
        ) from None
    except IsADirectoryError:
        raise MbsweepError(f"{path} is a directory; give the path of a sweep file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise MbsweepError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(raw) > MAX_BYTES:
        raise MbsweepError(f"{path}: is larger than {MAX_BYTES} bytes; a sweep file is a few lines of YAML")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise MbsweepError(
            f"{path}:{line}: byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None
    return replace(parse(text, str(path)), path=path.absolute())


def parse(text: str, name: str) -> Document:
    """The Document of a text that was read from the file `name`."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
                raise MbsweepError(f"{name}: is empty; a sweep file needs at least `space:` or `variants:`")
            _check_nodes(root, name)
            data = loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise MbsweepError(f"{name}:{line}: not valid YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise MbsweepError(
            f"{name}:{line}: not valid YAML: character {error.character!r} is not allowed"
        ) from None
    except RecursionError:
        raise MbsweepError(f"{name}: is nested too deeply for a sweep file") from None
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
        # PyYAML lets through what Python says to a value that its tag does not fit: !!int x, 2000-99-99
        raise MbsweepError(
            f"{name}: not valid YAML: a value does not fit its tag, or is too long a number"
        ) from None
    if not isinstance(data, dict):
        raise MbsweepError(
            f"{name}:1: expected a mapping with keys such as `space:`, got {type(data).__name__}"
        )
    return Document(name, text, data, root)


def _check_nodes(root: yaml.Node, name: str) -> None:
    """Refuse what YAML allows and a sweep does not: repeated keys, keys not of text, endless aliases."""
    seen = 0

    def visit(node: yaml.Node) -> None:
        nonlocal seen
        seen += 1
        if seen > MAX_VALUES:
            raise MbsweepError(f"{name}: has more than {MAX_VALUES} values (aliases expanded)")
        if isinstance(node, yaml.SequenceNode):
            for child in node.value:
                visit(child)
        elif isinstance(node, yaml.MappingNode):
            keys = set()
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.tag != "tag:yaml.org,2002:str":
                    raise MbsweepError(f"{name}:{line}: a key is not text; keys are names such as `width`")
                if not key.value.isprintable():
                    raise MbsweepError(
                        f"{name}:{line}: key {shown(key.value)} has a character that cannot be printed"
                    )
                if key.value in keys:
                    raise MbsweepError(f"{name}:{line}: key {shown(key.value)} stands twice in one mapping")
                keys.add(key.value)
                visit(value)

    visit(root)
