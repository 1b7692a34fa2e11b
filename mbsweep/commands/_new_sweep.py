"""The text of a sweep file to begin with."""

from __future__ import annotations

import json
from pathlib import Path

from mbsweep.accuracy.published import accuracy_figures
from mbsweep.base.files import expanded
from mbsweep.base.rules import choice
from mbsweep.base.suggest import command
from mbsweep.profiler.backends import BACKENDS
from mbsweep.space.families import FAMILIES
from mbsweep.space.families.family import Family

PUBLISHED, DIGITS, NONE = "published", "digits", "none"

Grid = tuple[list[float], list[int]]  # widths and resolutions, the largest first
USUAL: Grid = [1.0, 0.75, 0.5, 0.25], [224, 192, 160, 128]
# As small as can be trained within minutes: images of digits have 8 pixels, those of a folder any number.
OF_DIGITS: Grid = [0.5, 0.25], [64, 48]
OF_IMAGES: Grid = [0.5, 0.25], [128, 96]


def check_family(said: str) -> None:
    """ValueError where it is none."""
    choice(FAMILIES)(said)


def check_backends(said: str) -> None:
    """ValueError where one of them is none, or none is said, or one twice."""
    names = backends(said)
    for name in names:
        choice(BACKENDS)(name)
    if len(set(names)) < len(names):
        raise ValueError("expected each runtime once")


def check_accuracy(said: str) -> None:
    """ValueError where it is none of the words, and no folder."""
    if said not in (PUBLISHED, DIGITS, NONE) and not expanded(said).is_dir():
        raise ValueError(f"expected {PUBLISHED}, {DIGITS}, {NONE}, or a folder of images that is there")


def backends(said: str) -> list[str]:
    """`torch, onnxruntime` -> each by itself."""
    return [name.strip() for name in said.split(",")]


def text(path: Path, family: str, backend: str, accuracy: str) -> str:
    """A sweep file at a path, of answers that were checked."""
    found = FAMILIES[family]
    table, published = _published(found)
    if accuracy == PUBLISHED:
        (widths, resolutions), title = published, "what published accuracies cost here"
    elif accuracy == NONE:
        (widths, resolutions), title = USUAL, "what networks cost here"
    else:
        (widths, resolutions), title = OF_DIGITS if accuracy == DIGITS else OF_IMAGES, "trained here"
    resolutions = [size for size in resolutions if size >= found.least_resolution]
    others = [name for name in found.keys if name not in ("width", "resolution", "num_classes")]
    lines = [
        "# Question: what do you want to know? Say it here.",
        f"# Command:  {' '.join(command('run', path).splitlines())}",  # a comment is one line
        f"title: {json.dumps(f'{path.stem}: {family}, {title}', ensure_ascii=False)}",
        "space:",
        f"  family: {family}",
        f"  width: {widths}  # scales the channels; or {{from: 0.25, to: 1, step: 0.25}}",
        f"  resolution: {resolutions}  # height and width of the image in pixels",
    ]
    if others:
        lines.append(f"  # more of its fields, each a list or one value: {', '.join(others)}")
    lines += [
        "# limits: {macs: {max: 200e6}, params: {max: 3e6}}  # leaves out what has more",
        "# sample: {count: 20, seed: 0}  # a random choice of what is left",
        "latency:  # each line is measured; further keys: precision: int8, batch: 8, kind: predicted",
        *(f"  - {{backend: {name}, threads: 1}}" for name in backends(backend)),
    ]
    lines += _accuracy(accuracy, table)
    return "\n".join(lines) + "\n"


def _published(family: Family) -> tuple[str, Grid]:
    """The table that knows most networks of a family that differ in width and resolution alone, and which."""
    known: dict[str, set[tuple[float, int]]] = {}
    for figure in accuracy_figures():
        values = figure.variant.values
        rest = {name: values[name] for name in values if name not in ("width", "resolution")}
        is_asked = figure.variant.family == family.name and figure.precision == "fp32"
        if is_asked and all(value == family.fields[name].usual(values) for name, value in rest.items()):
            known.setdefault(figure.table, set()).add((figure.variant.width, figure.variant.resolution))
    # Of equally many, TF-Slim's latest: one recipe for all of them.
    table = max(known, key=lambda name: (len(known[name]), name.startswith("tf-slim"), name))
    widths, resolutions = (sorted(set(values), reverse=True) for values in zip(*known[table], strict=True))
    return table, (widths, resolutions)


def _accuracy(accuracy: str, table: str) -> list[str]:
    if accuracy == NONE:
        return ["# accuracy: {source: published, table: " + table + "}  # none is asked for"]
    if accuracy == PUBLISHED:
        return [
            f"accuracy: {{source: published, table: {table}}}  # looked up by exact match; others are unknown"
        ]
    if accuracy == DIGITS:
        dataset = "{name: digits}  # handwritten digits that come with mbsweep"
    else:
        name = json.dumps(accuracy, ensure_ascii=False)
        dataset = (
            f"{{name: imagefolder, path: {name}}}  # one folder per class, or folders such as train and test"
        )
    return [
        "accuracy:",
        "  source: trained",
        f"  dataset: {dataset}",
        "  recipe: {epochs: 8}  # more for few images: an epoch sees each of them once",
        "  seeds: [0, 1]  # two at least: their difference is part of the 95 % interval",
    ]
