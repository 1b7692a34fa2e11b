"""On which kinds of processor a run's networks were trained: on another, the last digits are others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mbsweep.storage.store import Store


def trained_on(store: Store) -> dict[str, int]:
    """Kind -> how many trainings, or tests of a supernet's networks, ended on one; the most first."""
    counts, found = store.trained_in(), Counter[str]()
    for session in store.sessions():
        if count := counts.get(session["id"]):
            found[_kind(session["device"])] += count
    return dict(found.most_common())


def _kind(device: Mapping[str, Any]) -> str:
    """`AMD EPYC (avx2, avx512f)`, or the name of a GPU."""
    if gpu := device.get("gpu"):
        return str(gpu)
    processor = str(device.get("processor", device["description"]))
    instructions = device.get("instructions")  # runs of before do not know them
    return f"{processor} ({', '.join(instructions)})" if instructions else processor


def kinds_words(kinds: Mapping[str, int]) -> str:
    """That they are several, in a sentence; empty where they are not."""
    if len(kinds) < 2:
        return ""
    counted = "; ".join(f"{kind}: {count:,}" for kind, count in kinds.items())
    return (
        f"Trainings (of a supernet: tests) were done by {len(kinds)} kinds of processor, whose last digits "
        f"differ; counted where they ended: {counted}."
    )
