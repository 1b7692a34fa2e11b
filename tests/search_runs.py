"""Runs of a search with made-up outcomes: real files, nothing is trained, measured or searched for."""

import json
from functools import cache

import numpy as np
from reporter_runs import write_run

from mbsweep.accuracy.value import Accuracy
from mbsweep.statistics.pareto import front, hypervolume
from mbsweep.storage.search_tables import CHOSEN, DONE, FAILED, EvaluationRow
from mbsweep.storage.store import Store
from mbsweep.storage.sweep_tables import insert_sweep
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep

SPACE = (
    "space: {width: 0.5, stage_widths: {each: [0.25, 0.5, 1]}, stage_depths: {each: [1, 2]}, "
    "kernels: {each: [3, 5]}, resolution: [32, 48]}\n"
)
LATENCY = "latency: [{backend: onnxruntime, kind: predicted}, {backend: onnxruntime, rounds: 3}]\n"
WHOLE = "onnxruntime-fp32-b1-t1"  # measures what is confirmed
CONFIG = f"{WHOLE}-predicted"
OFF = (1.02, 0.97, 1.12)  # what is measured over what was said
MOST_MS = 0.9
BOX = (MOST_MS * 1.1, 0)  # the reference point of the hypervolume
START, BATCH = 8, 2
FAILURE = "RuntimeError: the loss is not a number"
SOURCE = "one network whose weights all variants share, trained on digits-101a5075, 30 epochs (recipe 1a2b3c)"
PENDING = "not tested yet; run the sweep again to go on"
AXES = [  # axis, from, to, points, low, high
    ("stage_widths, stage 5", "0.5", "1", 1.9, 1.2, 2.6),
    ("resolution", "32", "48", 1.4, 0.9, 1.9),
    ("stage_depths, stage 4", "1", "2", 0.8, 0.3, 1.3),
    ("kernels, stage 2", "3", "5", 0.1, -0.4, 0.6),
    ("kernels, stage 5", "3", "5", -0.5, -0.9, -0.1),
]


@cache
def _space():
    """The space, made-up latencies of all of it in ms, and what each network is worth in percent."""
    space = count_space(parse_sweep(SPACE, "made_up"))
    share = np.array(space.macs, float) / max(space.macs)
    worth = 98 - 14 * np.exp(-3 * share**0.5) + np.random.default_rng(1).normal(0, 0.7, len(space))
    return space, 0.05 + 1.6 * share, worth


@cache
def _choices(count):
    """Places of the variants that are evaluated: by chance, then the best of some for their time."""
    _, latency_ms, worth = _space()
    draw = np.random.default_rng(2)
    able = np.flatnonzero(latency_ms <= MOST_MS)
    found = list(draw.choice(able, START, replace=False))
    while len(found) < count:
        wanted_ms = draw.uniform(0.1, MOST_MS)
        some = draw.choice(able[np.abs(latency_ms[able] - wanted_ms) < 0.05], 40)
        found.append(some[worth[some].argmax()])
    return [int(place) for place in found[:count]]


def search_run(
    folder, count=30, failed=(4, 17), waiting=0, confirmed=3, asked=None, least_pct=None, others=0
):
    """A run of a search that has chosen so many variants; return its folder.

    failed: numbers of those that failed. waiting: how many of the last are not evaluated yet. confirmed: how
    many of its front were measured and trained alone. least_pct: the least accuracy that is asked for.
    others: how many variants the run has that the search has not chosen.
    """
    space, latency_ms, worth = _space()
    places = _choices(count + others)
    ms = {space.variant(place).id: float(latency_ms[place]) for place in places}
    listed = "".join(f"  - {json.dumps(space.variant(place).as_dict())}\n" for place in places)
    seen, rows, draw = {}, [], np.random.default_rng(3)
    for number, (id_, place) in enumerate(zip(ms, places[:count], strict=False)):
        rows.append(_chosen(number, id_, place))
        if number in failed:
            rows[-1] = rows[-1]._replace(state=FAILED, reason=FAILURE)
        elif number < count - waiting:
            seen[id_] = float(worth[place] + draw.normal(0, 0.3))
            rows[-1] = rows[-1]._replace(state=DONE, value_pct=seen[id_])
        if rows[-1].state != CHOSEN:
            known = [one for one in seen if seen[one] >= (least_pct or 0)]
            area = hypervolume([ms[one] for one in known], [seen[one] for one in known], BOX)
            rows[-1] = rows[-1]._replace(hypervolume=area / (BOX[0] * 100))
    best = [
        one for one, on in zip(seen, front([ms[i] for i in seen], list(seen.values())), strict=True) if on
    ]
    whole = {id_: ms[id_] * off for id_, off in zip(best[:confirmed], OFF, strict=False)}

    def latency_ms(config, variant):
        return ms[variant.id] if config.id == CONFIG else whole.get(variant.id)

    write_run(folder, f"title: A search\nvariants:\n{listed}{LATENCY}", latency_ms)
    with Store.write(folder) as store:
        store.set_search(_about(asked or count, least_pct, best[:confirmed], ms, seen))
        nothing = {"value_pct": None, "state": CHOSEN, "reason": "", "hypervolume": None}
        store.add_evaluations(row._replace(**nothing) for row in rows)
        store.end_evaluations(row for row in rows if row.state != CHOSEN)
        with store._transaction() as sql:
            insert_sweep(sql, store.last_sweep() | {"accuracy_sources": [SOURCE]})
        store.set_accuracies((id_, "fp32", *_tested(seen.get(id_)).row) for id_ in ms)
    return folder


def _chosen(number, id_, place):
    _, latency_ms, worth = _space()
    if number < START:
        return EvaluationRow(number, 0, id_, "to begin with", place=place)
    why = f"may beat what is known at {latency_ms[place]:.2f} ms"
    expected = (float(worth[place] + off) for off in (0.2, -1.5, 1.9))
    return EvaluationRow(number, 1 + (number - START) // BATCH, id_, why, *expected, 0.013, place=place)


def _tested(pct):
    about = ("supernet", SOURCE, "digits-101a5075")
    if pct is None:
        return Accuracy(np.nan, np.nan, *about, reason=PENDING)
    return Accuracy(pct - 0.4, 99.5, *about, pct - 1.2, pct + 0.4)


def _about(asked, least_pct, best, ms, seen):
    space, latency_ms, _ = _space()
    is_fast, is_small = latency_ms <= MOST_MS, space.params <= 1e6
    budgets = {"latency_ms": {"max": MOST_MS}, "params": {"max": 1e6}}
    budgets |= {"top1_pct": {"min": least_pct}} if least_pct else {}
    settings = {"objectives": ["top1_pct", "latency_ms"], "budgets": budgets, "evaluations": asked}
    fitting = {"latency_ms": int(is_fast.sum()), "params": int(is_small.sum())}
    names = ("axis", "from", "to", "points", "low", "high")
    found = {
        "settings": settings | {"method": "exact_costs", "seed": 0, "start": START, "confirm": 3},
        "space": {"variants": len(space), "feasible": int((is_fast & is_small).sum()), "budgets": fitting},
        "reference": "0.99 ms and 0 % top-1",
        "began": {},
        "asked": asked,
        "batch": BATCH,
        "whole": [WHOLE],
        "account": [dict(zip(names, axis, strict=True), costs=[0.01]) for axis in AXES[: len(seen)]],
    }
    confirmed = [
        {
            "variant": id_,
            "latency": {CONFIG: [ms[id_] * by for by in (1, 0.95, 1.05, off, 0.99 * off, 1.01 * off)]},
            "top1": [seen[id_] + more for more in (0, -0.4, 0.6, -0.2, 1.4)],
        }
        for id_, off in zip(best, OFF, strict=False)
    ]
    return found | ({"confirm": confirmed} if confirmed else {})
