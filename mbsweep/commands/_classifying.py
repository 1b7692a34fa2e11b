"""`mbsweep classify`: pictures, read as a network's file says, and the classes it takes them for."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mbsweep.accuracy.datasets.picture import printable
from mbsweep.accuracy.packages import Need, check_package
from mbsweep.base.printing import Table, say
from mbsweep.commands._evaluating import safe_name
from mbsweep.commands._network_files import NetworkFile, open_network

LIKELIEST = 3
PICTURES = Need("reading pictures", "PIL", "Pillow")


def print_classes(path: Path, pictures: Sequence[Path], in_json: bool) -> bool:
    """Print the likeliest classes of each picture; whether all could be read.

    Raises MbsweepError where the network cannot be used.
    """
    check_package(PICTURES)
    file = open_network(path)
    told: list[dict[str, Any]] = []
    settings = file.dataset
    for picture in pictures:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about pictures that are large or have damaged EXIF
            image = settings.picture(picture, file.resolution)
        likeliest = None if isinstance(image, str) else _likeliest(file, image[None])
        if likeliest is None:
            print(f"error: {printable(str(picture))}: {image}", file=sys.stderr)
        elif not in_json:
            if any(one["classes"] for one in told):
                say()
            _print(picture, likeliest)
        told.append(
            {"picture": str(picture), "error": image if likeliest is None else None, "classes": likeliest}
        )
    if in_json:
        print(json.dumps(told, indent=1))
    return all(one["error"] is None for one in told)


def _likeliest(file: NetworkFile, images: Any) -> list[dict[str, Any]]:
    """Classes and their probabilities in percent, the likeliest first."""
    (found,) = file.probabilities(images)
    names = file.classes
    places = np.argsort(-found, kind="stable")[:LIKELIEST].tolist()
    return [{"class": names[place], "probability_pct": 100 * float(found[place])} for place in places]


def _print(picture: Path, likeliest: Sequence[dict[str, Any]]) -> None:
    say(printable(str(picture)), "bold")
    table = Table(["", ""])
    for one in likeliest:
        table.add(f"  {safe_name(one['class'])}", f"{one['probability_pct']:.1f} %")
    for line, style in list(table.lines(None))[1:]:
        say(line, style)
