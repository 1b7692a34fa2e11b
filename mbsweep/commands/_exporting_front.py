"""`mbsweep export RUN --front`: every network on a run's front, each a file, and an index of them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.commands import _fronts
from mbsweep.commands._exporting import FORMATS, WEIGHTS
from mbsweep.commands._exporting_trained import Exported, export_trained
from mbsweep.commands._run_networks import RunNetworks
from mbsweep.commands._wanted import Wanted
from mbsweep.formats import card as cards
from mbsweep.table.asked import of_config
from mbsweep.table.columns import INTERVALS
from mbsweep.table.decide import LATENCY, TOP1
from mbsweep.table.names import Names
from mbsweep.table.panels import as_number

INDEX = "index.csv"


class OnFront(NamedTuple):
    """A network on the front of one configuration."""

    config: str | None
    row: pd.Series[Any]


def export_front(
    networks: RunNetworks, folder: Path, form: str, config: str | None, wanted: Wanted
) -> Iterator[str]:
    """Write the networks on the fronts of a run at a precision, or on that of one configuration.

    Yields a line for each file, as it is written, and one for the index. form: the files' ending, without its
    dot. Nothing that is in the folder is written over. Raises MbsweepError, before anything is written, for
    what can be known: a network that was not trained, files that are there, a configuration the run lacks.
    """
    endings = [ending.removeprefix(".") for ending in (*FORMATS, WEIGHTS)]
    if form not in endings:
        raise MbsweepError(
            f"--format is {shown(form)}; expected one of {', '.join(endings)}{did_you_mean(form, endings)}"
        )
    found = _on_front(networks, config, wanted, form)
    ids = list(dict.fromkeys(str(one.row["variant"]) for one in found))
    files = {id_: folder / f"{id_}.{form}" for id_ in ids}
    _check_new(folder, [*files.values(), *map(cards.beside, files.values()), folder / INDEX])
    for id_, file in files.items():
        wanted.backend_for(file)
        networks.kept(id_, wanted.seed).check_there()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MbsweepError(f"{folder}: cannot be made: {error.strerror}; name another folder") from None
    written: dict[str, Exported] = {}
    for id_, file in files.items():
        written[id_] = export_trained(networks, id_, wanted, file)
        yield written[id_].words
    write_file(folder / INDEX, _index(found, files, written, Names(networks.table)).encode())
    networks_words = f"{len(files)} network{'s' if len(files) > 1 else ''}"
    yield f"{folder / INDEX}: {networks_words}, {len(found)} place{'s' if len(found) > 1 else ''} on fronts"


def _on_front(networks: RunNetworks, config: str | None, wanted: Wanted, form: str) -> list[OnFront]:
    """As `mbsweep front` says; against mult-adds where no latency is known. At int8 in the files' runtime."""
    precision, backend = wanted.precision, wanted.backend_for(Path(f"x.{form}"))
    run = networks.run
    table = of_config(run, config)
    cost = LATENCY if table[LATENCY].notna().any() else "macs"
    panels = _fronts.fronts(run, cost, TOP1, config, None).panels
    found = [
        OnFront(panel.facts.get("config"), row)
        for panel in panels
        for front in panel.fronts
        for _, row in front.best.iterrows()
        if pd.isna(row["precision"])
        or (row["precision"] == precision and (precision == "fp32" or row["backend"] == backend))
    ]
    if not found:
        where = "" if precision == "fp32" else f" in {backend}"
        has = ", ".join(dict.fromkeys(table["backend"].fillna("") + " " + table["precision"].fillna("")))
        raise MbsweepError(
            f"{run.path}: no front is at {precision}{where}; the run has {has}: say which with --precision "
            "and --backend; ExecuTorch's files are of --format pte"
        )
    return found


def _check_new(folder: Path, paths: list[Path]) -> None:
    if folder.exists() and not folder.is_dir():
        raise MbsweepError(f"{folder} is a file; name a folder with -o")
    if there := [path for path in paths if os.path.lexists(path)]:
        raise MbsweepError(
            f"{there[0]} is there already, and is not written over; name another folder with -o"
        )


def _index(found: list[OnFront], files: dict[str, Path], written: dict[str, Exported], names: Names) -> str:
    """A row for each place on a front: the file, what it is worth, and what the table says of the network."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    numbers = [name for number in (LATENCY, TOP1) for name in (number, *INTERVALS[number])]
    own = ["seed", "file_top1_pct", "file_top1_low_pct", "file_top1_high_pct"]
    table.writerow(["file", "variant", "name", "config", *numbers, "macs", "params", "bytes", *own])
    for config, row in found:
        id_ = str(row["variant"])
        one = written[id_]
        accuracy = one.card["accuracy"]
        cells: list[Any] = [files[id_].name, id_, names.of(row), config]
        cells += [as_number(row[name]) for name in numbers]
        cells += [row["macs"], row["params"], one.file_bytes, one.card["training"]["seed"]]
        cells += [accuracy[name.removeprefix("file_")] for name in own[1:]]
        table.writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()
