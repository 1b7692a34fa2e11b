"""A page's table -> the data that its script works with, as compact JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.base.suggest import command, path_word
from mbsweep.profiler.config import LatencyConfig
from mbsweep.reporter.drawing import LOG_AXIS, MINOR
from mbsweep.reporter.parts import Part
from mbsweep.reporter.style import COLOURS, SYMBOLS, family_symbols
from mbsweep.reporter.verdicts import verdicts
from mbsweep.space.families import architecture, family_of
from mbsweep.space.layers import Layer, kind_name
from mbsweep.space.variant import Variant
from mbsweep.statistics.summary import RESAMPLES
from mbsweep.table import trust
from mbsweep.table.columns import COLUMNS, FIELDS, OF_STAGES
from mbsweep.table.decide import ACCURACIES, COSTS
from mbsweep.table.hand_over import export_options
from mbsweep.table.hover import ORIGIN, setting
from mbsweep.table.odds import SAFE_PCT
from mbsweep.table.panels import panels

MAX_LAYERED = 10_000  # variants whose layers are put into the page; `mbsweep show` prints those of any
MAX_SPREADS = 2_000  # rows whose visits are
MAX_CHANCES = 500  # rows whose resampled latencies are; of others a page takes the interval as normal

# What the table on the page leaves out; the details of a variant have it.
_NOT_SHOWN = {"stage_channels", "num_classes", "divisor", "stem_stride", "top1_reason", "device_id"}
_NOT_SHOWN |= {"weight_bytes_int8", "peak_activation_bytes_int8", *OF_STAGES}
_NOT_SHOWN |= {"top1_low_pct", "top1_high_pct", "top1_drop_low_pct", "top1_drop_high_pct"}
_NOT_SHOWN |= {f"latency_{part}_{end}_ms" for part in ("p50", "p90") for end in ("low", "high")}
_OF_NETWORKS = {**FIELDS, **OF_STAGES}  # empty where a network's family lacks it
_COMPARED = {*COSTS, *ACCURACIES}  # with budgets, and with each other
_SHOWN_ALWAYS = {"width", "resolution", "depth"}  # other fields where networks of a family differ in them
_SHOWN_IF_SEVERAL = {"run", "family", "mode", "memory_format", "dataset"}  # where they differ
# What it shows first, so that a row is understood without scrolling; the others follow in COLUMNS' order.
_SHOWN_FIRST = [
    *("variant", "run", "backend", "precision", "mode", "latency_ms", "latency_low_ms", "latency_high_ms"),
    *("top1_pct", "macs", "params", "front_pct", "latency_kind", "device", "width", "resolution", "depth"),
]
# column -> what it is divided by where a reader sees or types it, and the unit of that
_SCALES = {"macs": (1e6, "million"), "params": (1e6, "million")}
_SCALES |= dict.fromkeys((name for name in COLUMNS if COLUMNS[name].unit == "bytes"), (1e3, "kB"))


def payload(parts: Sequence[Part], every: pd.DataFrame, table: pd.DataFrame) -> str:
    """The rows of a page, its groups of comparable rows, layers and visits.

    every: all rows of the page's runs. table: those that the page has.
    """
    whole = panels(every)
    comparable = [rows[rows.index.isin(table.index)] for rows in whole]
    number = pd.Series(0, index=table.index)
    for place, rows in reversed(list(enumerate(comparable))):
        number[rows.index] = place
    data = {
        "columns": _columns(table),
        "rows": {name: _values(table[name]) for name in COLUMNS if name in table},
        "group": number.tolist(),
        "groups": [
            _group(parts, whole[place]) | {"total": len(whole[place]), "shared": _shared(number, rows, place)}
            for place, rows in enumerate(comparable)
        ],
        "total": len(every),
        "families": {
            name: {"symbol": symbol} | _family(name)
            for name, symbol in family_symbols(table["family"].unique()).items()
        },
        "colours": COLOURS,
        "symbols": SYMBOLS,
        "log": LOG_AXIS,
        "compared": verdicts(whole),
        "minor": MINOR,
        "cautions": {name: _values(pd.Series(words)) for name, words in trust.of_each(table).items()},
        "layers": _layers(table),
        "visits": _visits(parts, table),
        "chances": _chances(parts, table),
        "safe": SAFE_PCT,
    }
    return json.dumps(data, allow_nan=False, separators=(",", ":"))


def _columns(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The columns, in the order in which the table shows them; what it does not show is marked."""
    order = [*_SHOWN_FIRST, *(name for name in COLUMNS if name not in _SHOWN_FIRST)]
    found = []
    for name in (name for name in order if name in table):
        column, (scale, unit) = COLUMNS[name], _SCALES.get(name, (1, COLUMNS[name].unit))
        about = {"name": name, "label": column.label, "unit": column.unit, "better": column.better}
        varies = name in _SHOWN_ALWAYS or name not in FIELDS or _differs(table, name)
        is_shown = name not in _NOT_SHOWN and varies and table[name].nunique() > (name in _SHOWN_IF_SEVERAL)
        look = {"shown": bool(is_shown), "scale": scale, "scaled_unit": unit}
        found.append(about | look | {"field": name in _OF_NETWORKS})
    return found


def _differs(table: pd.DataFrame, name: str) -> bool:
    """Whether networks of one family differ in a field."""
    return bool((table.groupby("family")[name].nunique() > 1).any())


def _values(column: pd.Series[Any]) -> Any:
    """Numbers as a list, floats to seven digits, but fields of a variant and what budgets are held against in
    full; texts by their places in a list of the distinct ones.
    """
    # Of 17 a float can be read back: 1/3 is no 0.333, and a budget is met to its last digit.
    digits = 17 if column.name in _OF_NETWORKS or column.name in _COMPARED else 7
    values = [_plain(value, digits) for value in column.astype(object)]
    if any(isinstance(value, str) for value in values):
        texts = list(dict.fromkeys(value for value in values if value is not None))
        place: dict[Any, int | None] = {text: number for number, text in enumerate(texts)}
        place[None] = None
        return {"texts": texts, "at": [place[value] for value in values]}
    return values[0] if len(set(values)) == 1 else values


def _plain(value: Any, digits: int = 7) -> Any:
    """A value for JSON; None where it is unknown."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, str | int | bool) else (None if pd.isna(value) else value.item())


def _shared(number: pd.Series[int], rows: pd.DataFrame, group: int) -> list[int]:
    """Places of a group's rows that are another's: what has no latency stands with each device of its run."""
    others = rows.index[number[rows.index] != group]
    return [int(place) for place in number.index.get_indexer(others)]


def _group(parts: Sequence[Part], rows: pd.DataFrame) -> dict[str, Any]:
    """Rows that one budget can be held against: what they have in common, and how a sweep asks for it."""
    timed = rows[rows["latency_kind"].notna()]
    first = rows.iloc[0] if timed.empty else timed.iloc[0]
    part = next((part for part in parts if part.name == first["run"]), None)
    has_config = isinstance(first["config"], str)
    words = setting(first) if isinstance(first["backend"], str) else "counted only"
    whose = f"{first['run']}: " if len(parts) > 1 and part else ""
    return {
        "words": whose + words,
        "isOwn": part is not None,
        "device": "" if timed.empty else f"{ORIGIN[first['latency_kind']]} {first['device']}",
        "latency": _asked(part.settings[first["config"]]) if part and has_config else None,
        "accuracy": part.accuracy_settings if part else None,
        "pick": _pick(part, first["config"]) if part else None,
        "export": _export(part, first) if part else None,
        "cautions": {
            "latency": trust.of_latencies(rows, part.remarks.get(first["config"], ()) if part else ()),
            "accuracy": trust.of_accuracies(rows),
        },
    }


def _pick(part: Part, config: Any) -> str:
    """The command that answers from all of its rows, before any budget."""
    return command("pick", part.run.path, *(["--config", config] if isinstance(config, str) else []))


def _export(part: Part, first: pd.Series[Any]) -> dict[str, Any]:
    """What the command says that writes a trained network for the runtime of its rows."""
    options, ending = export_options(first["backend"], first["precision"])
    return {"run": path_word(part.run.path), "options": options, "ending": ending}


def _asked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's settings without those that are as they are if nobody says so."""
    usual = LatencyConfig(backend=settings["backend"], kind=settings["kind"]).settings
    keep = ("backend", "kind") if settings["kind"] != "measured" else ("backend",)
    return {name: value for name, value in settings.items() if name in keep or usual.get(name) != value}


def _family(name: str) -> dict[str, Any]:
    """What a page must know of a family: its fields as usual; those that a sweep or a command has to say."""
    family = family_of(name)
    return {
        "isCode": family.is_code,
        "defaults": {field: _plain(value) for field, value in family.defaults.items()},
    }


def _layers(table: pd.DataFrame) -> dict[str, Any]:
    """Variant -> its layers, by their places in a list of the distinct shapes; and their names, by place.

    A shape: type, in and out channels, in and out size, parameters, mult-adds. Networks with as many of the
        same blocks have one list of names.
    """
    place: dict[tuple[Any, ...], int] = {}
    of: dict[str, list[int]] = {}
    names: dict[tuple[str, ...], int] = {}
    named: dict[str, int] = {}
    networks = table.drop_duplicates("variant").head(MAX_LAYERED)
    networks = networks[[not family_of(name).is_code for name in networks["family"]]]
    for row in networks.to_dict("records"):
        variant = Variant.of_row({str(name): value for name, value in row.items()})
        layers = [
            (name, layer) for name, _, block in architecture(variant).blocks() for layer in block.layers
        ]
        of[row["variant"]] = [place.setdefault(_shape(layer), len(place)) for _, layer in layers]
        within = tuple(".".join(filter(None, (name, layer.name))) for name, layer in layers)
        named[row["variant"]] = names.setdefault(within, len(names))
    return {"shapes": list(place), "of": of, "names": list(names), "named": named}


def _shape(layer: Layer) -> tuple[Any, ...]:
    stride = f" / s{layer.stride}" if layer.stride > 1 or layer.is_conv else ""
    sizes = (layer.in_channels, layer.out_channels, layer.in_size, layer.out_size)
    return (f"{kind_name(layer)}{stride}", *sizes, layer.params, layer.macs)


def _visits(parts: Sequence[Part], table: pd.DataFrame) -> dict[int, list[list[float]]]:
    """Place of a measured row -> the fastest, median and slowest call of each of its visits, in ms."""
    found = {}
    for part, rows in _measured(parts, table.assign(place=range(len(table))), MAX_SPREADS):
        spreads = part.run.spreads(set(zip(rows["config"], rows["variant"], strict=True)))
        for place, config, variant in rows[["place", "config", "variant"]].itertuples(index=False):
            found[place] = [_rounded(visit) for visit in spreads[config, variant]]
    return found


def _chances(parts: Sequence[Part], table: pd.DataFrame) -> dict[int, list[float]]:
    """Place of a measured row -> latencies in ms: the least resampled one, then those that 1, 2 ... 99 %, as
    `pick` prints it, are within; what SAFE_PCT are; the largest. As `table.odds` tells whether a row fits.
    """
    ranks = [0, *_RANKS, math.ceil(RESAMPLES * SAFE_PCT / 100) - 1, RESAMPLES - 1]
    found = {}
    placed = table.assign(place=range(len(table)))
    for part, rows in _measured(parts, placed[placed["latency_low_ms"].notna()], MAX_CHANCES):
        with part.run.resampling() as resample:
            for place, config, variant in rows[["place", "config", "variant"]].itertuples(index=False):
                drawn = np.sort(resample(config, variant))
                # To six digits, and never above: what is just a latency that was drawn is within it.
                found[place] = [float(f"{drawn[rank] * (1 - 5e-7):.7g}") for rank in ranks]
    return found


# Of the resampled latencies in order, the first with which a percentage is printed as 1, 2 ... 99.
_PRINTED = [int(f"{100 * (rank + 1) / RESAMPLES:.0f}") for rank in range(RESAMPLES)]
_RANKS = [next(rank for rank, pct in enumerate(_PRINTED) if pct >= wanted) for wanted in range(1, 100)]


def _measured(parts: Sequence[Part], table: pd.DataFrame, most: int) -> Iterator[tuple[Part, pd.DataFrame]]:
    """Each run and its measured rows; at most so many in all, and those on a front come first."""
    measured = table[table["latency_kind"] == "measured"]
    if len(measured) > most:
        measured = pd.concat([measured[measured["on_front"]], measured[~measured["on_front"]]])
        measured = measured.head(most)
    for part in parts:
        if len(rows := measured[measured["run"] == part.name]):
            yield part, rows


def _rounded(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
