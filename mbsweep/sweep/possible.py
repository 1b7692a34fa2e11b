"""What a sweep's variants allow on no machine: known from their shapes and number. Loads no torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from mbsweep.latency.predictor import MIN_FITTED, MIN_HELD_OUT, shared_out
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.architecture import Architecture
from mbsweep.space.families import architecture
from mbsweep.space.layers import Layer
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.sweep.searched import check_search
from mbsweep.sweep.sweep import Sweep

MAX_MEASURED = 10_000  # networks of one configuration are held in memory together


def check_space(sweep: Sweep, space: Space) -> None:
    """MbsweepError where what a sweep asks for cannot be had of its variants."""
    if sweep.accuracy:
        with sweep.blamed():
            sweep.accuracy.check_space(space)
            if sweep.compress:
                sweep.accuracy.check_compression(space)
    if sweep.search:
        check_search(sweep, sweep.search, space)
    for place, config in enumerate(sweep.latency):
        if config.kind == "measured" and len(space) > MAX_MEASURED:
            raise sweep.problem(
                ("latency",),
                f"would measure {len(space)} variants; at most {MAX_MEASURED}: narrow it by limits or "
                "sample, or predict them with `kind: predicted`",
            )
        if config.kind == "predicted" and (code := space.code()):
            raise sweep.problem(
                ("latency", place, "kind"),
                f"is 'predicted', and {code[0].family} is code, whose layers mbsweep does not know: leave "
                "`kind` out to measure all",
            )
        fitted, held_out = shared_out(config.networks, len(space))
        if config.kind == "predicted" and (fitted < MIN_FITTED or held_out < MIN_HELD_OUT):
            raise sweep.problem(
                ("latency", place, "kind"),
                f"is 'predicted', and the sweep has {len(space)} variants; a prediction is learnt from at "
                f"least {MIN_FITTED + MIN_HELD_OUT} that are measured: leave `kind` out to measure all",
            )
        if config.mode == "forward_backward":
            _check_steps(sweep, place, config, space)


def _check_steps(sweep: Sweep, place: int, config: LatencyConfig, space: Space) -> None:
    failing = space.spread(
        lambda grid: np.False_ if grid.family.is_code else _is_lonely(grid.architecture, config.batch)
    )
    if failing.any():
        example = space.variant(int(failing.argmax()))
        layer = lonely_layer(example, config.batch)
        assert layer is not None  # noqa: S101
        others = f" and {failing.sum() - 1:,} more" if failing.sum() > 1 else ""
        raise sweep.problem(
            ("latency", place, "mode"),
            f"is 'forward_backward' with batch 1; {no_step(layer)} in {example.id}{others}; "
            "say `batch: 2`, or build variants of higher resolutions only",
        )


def lonely_layer(variant: Variant, batch: int) -> Layer | None:
    """The first layer of which a batch gives one value per channel: no deviation to be normalised by.

    A training step needs two: it fails there.
    """
    layers = () if variant.is_code else architecture(variant).layers
    return next((layer for layer in layers if layer.norm and batch * layer.out_size**2 == 1), None)


def _is_lonely(net: Architecture, batch: int) -> Any:
    """Of each network of a grid whether it has such a layer."""
    found: Any = False
    for stage in net.stages:
        for block, often in ((stage.first, 1), (stage.rest, stage.more)):
            for layer in block.layers if block else ():
                if layer.norm:
                    found = found | ((batch * layer.out_size**2 == 1) & (np.asarray(often) > 0))
    return found


def no_step(layer: Layer) -> str:
    """Why a network has no training step with one image."""
    return f"batch normalisation needs more than one value per channel, and {layer.name} gives one"
