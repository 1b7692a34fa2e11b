"""Sets of real images, one folder per class, made of what Debian's packages hold.

`python -m benchmarks.image_sets FOLDER` writes them all; a package that is missing is named.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from PIL import Image, ImageEnhance

SHARE = Path("/usr/share")
SIDE = 96  # pixels of a picture; sprites and icons are as large as they come
MOST = 400  # images of a class

UNITS = "games/wesnoth/1.16/data/core/images/units", "wesnoth-1.16-data"
FLAGS = (
    *("ad", "ar", "au", "br", "ca", "ch", "cl", "cn", "cu", "de", "es", "fr"),
    *("gb", "gr", "in", "it", "jp", "ke", "kr", "mx", "no", "se", "us", "za"),
)
PHOTOGRAPHS = {  # package -> where it keeps them, and which
    "mate-backgrounds": (
        "backgrounds/mate/nature/{}.jpg",
        ("Aqua", "Blinds", "Dune", "FreshFlower", "Garden", "GreenMeadow", "LadyBird", "RainDrops", "Storm"),
    ),
    "plasma-workspace-wallpapers": (
        "wallpapers/{}/contents/images/2560x1600.jpg",
        (
            "Autumn",
            "BytheWater",
            "FallenLeaf",
            "ColorfulCups",
            "Kite",
            "ColdRipple",
            "EveningGlow",
            "OneStandsOut",
        ),
    ),
}

Named = tuple[str, Image.Image]  # class, picture


def sprites(share: Path) -> Iterator[Named]:
    """Units of Battle for Wesnoth, by their people; 72 px, transparent, each in several postures."""
    units = _found(share, *UNITS)
    for people in sorted(path for path in units.iterdir() if path.is_dir()):
        yield from ((people.name, Image.open(path)) for path in _some(people.rglob("*.png")))


def cards(share: Path) -> Iterator[Named]:
    """The same units, 600 pictures of each of ten peoples: other sizes and hues, on a colour each."""
    units, chance = _found(share, *UNITS), random.Random(0)
    of = {people.name: sorted(people.rglob("*.png")) for people in units.iterdir() if people.is_dir()}
    for people in sorted(of, key=lambda name: (-len(of[name]), name))[:10]:
        for _ in range(600):
            unit = _hued(Image.open(chance.choice(of[people])).convert("RGBA"), chance.randrange(-20, 21))
            scale = chance.uniform(0.7, 1.3)
            unit = unit.resize((round(unit.width * scale), round(unit.height * scale)))
            left, top = (chance.randint(0, max(0, SIDE - length)) for length in unit.size)
            card = Image.new("RGB", (SIDE, SIDE), tuple(chance.randrange(256) for _ in range(3)))
            card.paste(unit, (left, top), unit)
            yield people, card


def icons(share: Path) -> Iterator[Named]:
    """Icons of three themes, by what they stand for: actions, applications, devices, moods, ..."""
    themes = (
        ("oxygen/base", "oxygen-icon-theme"),
        ("gnome", "gnome-icon-theme"),
        ("Faenza", "faenza-icon-theme"),
    )
    kinds: dict[str, list[Path]] = {}
    for theme, package in themes:
        for path in _found(share, f"icons/{theme}", package).rglob("*.png"):
            if not path.is_symlink() and (size := re.search(r"/(48|64|96|128|256)(x\1)?/", str(path))):
                kind = (set(path.parts[-3:-1]) - {size[0].strip("/")}).pop()
                kinds.setdefault(kind, []).append(path)
    for kind, paths in kinds.items():
        yield from ((kind, Image.open(path)) for path in _some(paths))


def flags(share: Path) -> Iterator[Named]:
    """Flags of 24 countries, each seen 200 times: small or large, oblique, in another light, on a colour."""
    folder, chance = _found(share, "iso-flags-png-320x240", "iso-flags-png-320x240"), random.Random(0)
    for country in FLAGS:
        whole = Image.open(folder / f"{country}.png").convert("RGB")
        yield from ((country, _seen(whole, chance)) for _ in range(200))


def tiles(share: Path) -> Iterator[Named]:
    """Photographs, cut: 250 squares of each of 17, 5 to 25 % as wide as it is high."""
    chance = random.Random(0)
    wanted = [
        (name, place.format(name), package) for package, (place, of) in PHOTOGRAPHS.items() for name in of
    ]
    for name, place, package in wanted:
        whole = Image.open(_found(share, place, package)).convert("RGB")
        for _ in range(250):
            side = round(min(whole.size) * chance.uniform(0.05, 0.25))
            left, top = (chance.randrange(length - side) for length in whole.size)
            square = (left, top, left + side, top + side)
            yield name, whole.resize((SIDE, SIDE), box=square)


def _hued(image: Image.Image, turn: int) -> Image.Image:
    """Its hues turned, by so many 256ths of the circle."""
    hue, saturation, value = image.convert("RGB").convert("HSV").split()
    hue = hue.point([(level + turn) % 256 for level in range(256)])
    found = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    found.putalpha(image.getchannel("A"))
    return found


def _seen(flag: Image.Image, chance: random.Random) -> Image.Image:
    """A flag, somewhere in a picture."""
    places = [(chance.uniform(-0.1, 0.4), chance.uniform(-0.1, 0.4)) for _ in range(4)]
    width, height = flag.size
    # Where each corner of the picture lies on the flag; beyond the flag is the background.
    quad = []
    for (x, y), (right, below) in zip(places, ((0, 0), (0, 1), (1, 1), (1, 0)), strict=True):
        quad += [width * (right + (x if right else -x)), height * (below + (y if below else -y))]
    colour = tuple(chance.randrange(256) for _ in range(3))
    seen = flag.convert("RGBA").transform((SIDE, SIDE), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)
    seen = seen.rotate(chance.uniform(-25, 25), Image.Resampling.BILINEAR)
    found = Image.alpha_composite(Image.new("RGBA", seen.size, (*colour, 255)), seen).convert("RGB")
    return ImageEnhance.Brightness(found).enhance(chance.uniform(0.5, 1.3))


def _some(paths: Iterable[Path]) -> list[Path]:
    """At most MOST of them, whichever they are, in an order of their own."""
    ordered = sorted(paths)
    return random.Random(0).sample(ordered, min(MOST, len(ordered)))


def _found(share: Path, name: str, package: str) -> Path:
    if not (share / name).exists():
        sys.exit(f"{share / name} is missing; run: apt-get install {package}")
    return share / name


SETS: dict[str, Callable[[Path], Iterator[Named]]] = {
    "sprites": sprites,
    "cards": cards,
    "icons": icons,
    "flags": flags,
    "tiles": tiles,
}
LEAST = 80  # images of a class; smaller ones are left out


def write_sets(folder: Path, share: Path = SHARE) -> None:
    """Write each set that is not there yet into a folder of its name, one folder per class."""
    for name, images in SETS.items():
        if (folder / name).exists():
            continue
        begun = folder / f".{name}"  # whole, or not there
        of: dict[str, list[Image.Image]] = {}
        for kind, image in images(share):
            of.setdefault(kind, []).append(image)
        kept = {kind: found for kind, found in of.items() if len(found) >= LEAST}
        for kind, found in kept.items():
            (begun / kind).mkdir(parents=True, exist_ok=True)
            for place, image in enumerate(found):
                image.save(begun / kind / f"{place:03}.png")
        begun.rename(folder / name)
        print(f"{name}: {sum(map(len, kept.values())):,} images of {len(kept)} classes", flush=True)


if __name__ == "__main__":
    write_sets(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else SHARE)
