"""Every family and block as it is built, against fvcore and its own tensors, at 50 random settings."""

import random
import sys
from collections.abc import Iterator
from typing import Any

from mbsweep import Variant, build, count
from mbsweep.profiler.crosscheck import measured_counts
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.families import FAMILIES

SETTINGS = 50
# field -> a value that is quickly built; all other fields stay as they are
FEW: dict[str, Any] = {
    "width": lambda chance: chance.choice([0.1, 0.25, 0.35, 0.5, chance.uniform(0.05, 0.6)]),
    "num_classes": lambda chance: chance.randint(1, 60),
    "divisor": lambda chance: chance.choice([1, 2, 4, 8, 16]),
    "expansion": lambda chance: chance.randint(1, 8),
    "kernel": lambda chance: chance.choice([3, 5, 7]),
    "stem_stride": lambda chance: chance.choice([1, 2]),
    "minimalistic": lambda chance: chance.random() < 0.5,
}


def main() -> None:
    """Print how many were equal; exit with an error at the first that is not."""
    chance = random.Random(0)
    for name in FAMILIES:
        _check(name, (_picked(chance, name) for _ in range(SETTINGS)))
    for block in BLOCKS:
        _check(block, (_picked(chance, "mobilenet_v1", block) for _ in range(SETTINGS)))


def _check(name: str, variants: Iterator[Variant]) -> None:
    for variant in variants:
        counts = count(variant)
        found = measured_counts(build(variant), variant.resolution)
        if found != (counts.params, counts.macs):
            sys.exit(f"{variant.id}: counted {counts.params, counts.macs}, built and by fvcore {found}")
    print(
        f"{name}: {SETTINGS} random settings equal fvcore and the built network to the last unit", flush=True
    )


def _picked(chance: random.Random, name: str, block: str = "") -> Variant:
    family = FAMILIES[name]
    said = {field: pick(chance) for field, pick in FEW.items() if field in family.fields}
    said["resolution"] = family.least_resolution + chance.randint(0, 48)
    for field, few in (("stage_depths", [1, 2, 3]), ("kernels", [3, 5, 7])):
        if field in family.fields:
            said[field] = tuple(chance.choice(few) for _ in range(family.fields[field].stages))
    return Variant(name, **said | ({"block": block} if block else {}))


if __name__ == "__main__":
    main()
