"""What `mbsweep plan` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mbsweep.base.printing import Table, say
from mbsweep.commands._nodes import node_lines
from mbsweep.plan import ConfigPlan, Plan, duration


def print_plan(plan: Plan) -> None:
    """Print it: what is counted, a line for each latency configuration, how long it takes."""
    say(plan.title, "bold")
    for name, words in _facts(plan):
        say(f"  {name:10} {words}")
    if plan.latency:
        _print_latency(plan)
    say(f"  time       {plan.time}")
    say(f"  run        {plan.folder}{' (new)' if plan.is_new else ''}")


def _print_latency(plan: Plan) -> None:
    say()
    table = Table(["latency configuration", "done", "rounds", "until", "at most"])
    for of_one in plan.latency:
        config = of_one.config
        rounds, until = f"{config.rounds} x {of_one.visit}", f"{config.target_pct:g} % wide"
        done = f"{of_one.done:,} of {of_one.variants:,}"
        table.add(config.id, done, rounds, until, duration(of_one.left_s))
        for note in _notes(of_one):
            table.add_words(f"  {note}")
    table.print()
    say()


def _facts(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "variants", f"{plan.variants:,} {plan.narrowed}".rstrip()
    for name, ends in (("params", plan.params), ("mult-adds", plan.macs)):
        yield name, "unknown" if ends is None else f"{ends[0]:,} to {ends[1]:,}"
    yield from (("", words) for words in plan.uncounted)
    if plan.accuracy:
        yield "accuracy", plan.accuracy
    yield from (("" if place else "images", words) for place, words in enumerate(plan.images))
    yield from (("" if place else "search", words) for place, words in enumerate(plan.search))
    if plan.compression:
        yield "compress", plan.compression
    if plan.seats:
        yield "cluster", f"trains {plan.seats:,} network{'' if plan.seats == 1 else 's'} at once"
        yield from (("", words) for words in node_lines(plan.nodes))


def _notes(of_one: ConfigPlan) -> Iterator[str]:
    config = of_one.config
    if config.kind == "predicted":
        yield f"predicted from at most {config.max_blocks} blocks and {config.networks} networks"
    yield from of_one.notes


def as_json(plan: Plan) -> str:
    """The same for programs; what is unknown is null."""
    told = {
        "title": plan.title,
        "variants": plan.variants,
        "params": plan.params,
        "macs": plan.macs,
        "accuracy": plan.accuracy or None,
        "compression": plan.compression or None,
        "search": list(plan.search) or None,
        "cluster": {"at_once": plan.seats, "nodes": list(map(asdict, plan.nodes))} if plan.seats else None,
        "latency": [_told(of_one) for of_one in plan.latency],
        "left_s": plan.left_s,
        "run": str(plan.folder),
        "is_new": plan.is_new,
        "notes": [*plan.uncounted, *plan.images],
    }
    return json.dumps(told, indent=1)


def _told(of_one: ConfigPlan) -> dict[str, Any]:
    config = of_one.config
    return {
        "config": config.id,
        "kind": config.kind,
        "variants": of_one.variants,
        "done": of_one.done,
        "rounds": config.rounds,
        "target_pct": config.target_pct,
        "yardsticks": of_one.yardsticks,
        "left_s": of_one.left_s,
        "notes": list(of_one.notes),
    }
