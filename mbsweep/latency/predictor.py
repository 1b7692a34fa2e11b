"""Latency of a whole space from a few measured blocks and networks: arrays in, arrays out.

The blocks of a network, each timed alone, add up to nearly its latency. What is missing is smooth over the
space: a call and a change of memory layout for each block, paid once by a network; caches that hold a block
but not a network. So blocks that were not measured are interpolated from those that were, the sums are
corrected by a smooth factor that is learnt from whole networks, and the error is stated from others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray

from mbsweep.space.fused import SpaceBlocks
from mbsweep.space.layers import CONVOLUTIONS, KINDS
from mbsweep.statistics.smooth import Smooth

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

HELD_OUT = 1 / 3  # of the measured networks
MIN_FITTED = 8  # networks; with fewer the correction is a guess
MIN_HELD_OUT = 4
LEAST_OF_KIND = 6  # measured blocks of a kind, for a law of its own
SHARE_OF_KIND = 12  # blocks of each kind that are measured before more of any
LEAST_SPREAD = 0.002  # no latency is known better than to 0.2 %
# Runtimes pad channels to their vectors, so that 24 channels cost what 32 do: the candidates.
ALIGNMENTS = (1, 8, 16, 32)
CANDIDATES = 20_000  # networks to choose from at most


def choose_blocks(blocks: SpaceBlocks, max_blocks: int) -> Places:
    """The distinct blocks to measure: all, or `max_blocks` spread over kinds, channels and sizes.

    Each kind first gets what a law of its own needs, as far as that goes: a stem is of a kind that few blocks
    of the space are of, and stands in every network.
    """
    if len(blocks) <= max_blocks:
        return np.arange(len(blocks))
    shapes = _log_shapes(blocks, np.arange(len(blocks)))
    kinds = np.unique(blocks.kind).tolist()
    share = min(SHARE_OF_KIND, max_blocks // len(kinds))
    first: list[int] = []
    for kind in kinds:
        mine = np.flatnonzero(blocks.kind == kind)
        first += mine[_spread(shapes[mine], min(share, len(mine)))].tolist()
    # So far apart that the others are spread over the kinds, too.
    apart = 100.0 * blocks.kind
    return np.sort(_spread(np.column_stack([shapes, apart]), max_blocks, first))


def choose_networks(blocks: SpaceBlocks, count: int) -> tuple[Places, Places]:
    """The variants to measure whole: those to fit the correction on, and those held out, a third.

    The fitted ones reach to the corners of the space. The held-out ones are drawn at random, because their
    errors stand for those of the space. In a space of less than `count` all are taken.
    """
    random = np.random.default_rng(0)
    order = random.permutation(len(blocks.space))
    fitted_count, held_out_count = shared_out(count, len(order))
    held_out, rest = np.split(order[: count + CANDIDATES], [held_out_count])
    features = _network_features(blocks, blocks.macs.astype(np.float64))[rest]
    fitted = rest[_spread(features, fitted_count)]
    return np.sort(fitted), np.sort(held_out)


def shared_out(count: int, variants: int) -> tuple[int, int]:
    """Of `count` networks to be measured in a space: how many to fit on, and how many to hold out."""
    measured = min(count, variants)
    held_out = round(HELD_OUT * measured)
    return measured - held_out, held_out


def _spread(points: Floats, count: int, first: Sequence[int] = ()) -> Places:
    """Places of points far apart, `first` among them: each next one is the farthest from those before."""
    chosen = list(first) or [int(_squared(points, points.mean(axis=0)).argmax())]
    distance = np.full(len(points), np.inf)
    for place in chosen:
        np.minimum(distance, _squared(points, points[place]), out=distance)
    distance[chosen] = -1  # never twice, where points are alike
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        np.minimum(distance, _squared(points, points[chosen[-1]]), out=distance)
        distance[chosen[-1]] = -1
    return np.array(chosen[:count], dtype=np.int64)


def _squared(points: Floats, one: Floats) -> Floats:
    distance: Floats = ((points - one) ** 2).sum(axis=1)
    return distance


def _log_shapes(blocks: SpaceBlocks, places: Places, alignment: int = 1) -> Floats:
    """(places, dimensions): logarithms of what sets some blocks apart: channels and sizes, each once."""
    shapes = [
        blocks.of_layers(name)[places] for name in ("in_channels", "out_channels", "in_size", "out_size")
    ]
    shapes[:2] = [_padded(channels, alignment) for channels in shapes[:2]]
    logs = np.log(np.maximum(np.hstack(shapes), 1))
    columns: list[Floats] = []
    for column in logs.T:
        if (column != column[0]).any() and not any(np.array_equal(column, other) for other in columns):
            columns.append(column)
    return np.stack(columns, axis=1) if columns else np.zeros((len(places), 1))


@dataclass(frozen=True)
class BlockModel:
    """Latency of blocks by their shape, through measured ones.

    Of each kind: a law (multiply-adds, scalars read and written, weights and a call each take their time,
        none less than nothing) times a smooth factor of channels and size. A measured block is smoothed, too:
        what sets it apart from blocks of nearly its shape is mostly its being timed alone, and adding up the
        measured values themselves gave half as much error again. Kinds of which few were measured follow the
        law of all blocks.
    """

    ns: Floats  # of every block

    @classmethod
    def fit(cls, blocks: SpaceBlocks, chosen: Places, ns: Floats) -> BlockModel:
        """From measured blocks of a space, and their latencies.

        Raises ValueError where a block has layers of a kind that no measured one has.
        """
        amounts = {alignment: _amounts(blocks, alignment) for alignment in ALIGNMENTS}
        plain = amounts[1]
        has = plain[:, :CALLS] > 0
        unknown = np.flatnonzero(has.any(axis=0) & ~has[chosen].any(axis=0))
        if len(unknown):
            raise ValueError(
                f"no block with {' or '.join(_AMOUNTS[place] for place in unknown)} was measured"
            )
        found = _law(blocks, np.arange(len(blocks)), chosen, ns, amounts)
        for kind in np.unique(blocks.kind).tolist():
            is_mine = blocks.kind[chosen] == kind
            if is_mine.sum() >= LEAST_OF_KIND:
                mine = np.flatnonzero(blocks.kind == kind)
                found[mine] = _law(blocks, mine, chosen[is_mine], ns[is_mine], amounts)
        return cls(found)


def _law(
    blocks: SpaceBlocks, places: Places, chosen: Places, ns: Floats, amounts: dict[int, Floats]
) -> Floats:
    """The latencies of blocks that are alike, from those of some of them."""
    fits = [(alignment, *_additive(amounts[alignment][chosen], ns)) for alignment in ALIGNMENTS]
    alignment, ns_per, residual = min(fits, key=lambda fit: float(np.abs(fit[2]).mean()))
    shapes = _log_shapes(blocks, places, alignment)
    factor = Smooth.fit(shapes[np.searchsorted(places, chosen)], residual).predict(shapes)[0]
    found: Floats = amounts[alignment][places] @ ns_per * np.exp(factor)
    return found


def _additive(amounts: Floats, ns: Floats) -> tuple[Floats, Floats]:
    """The time per amount that fits best in relative terms, none below 0, and the log of what it leaves."""
    scale = np.maximum(amounts.max(axis=0), 1)
    ns_per = scipy.optimize.nnls(amounts / scale / ns[:, None], np.ones(len(ns)))[0] / scale
    return ns_per, np.log(ns / (amounts @ ns_per))


def _padded(channels: Places, alignment: int) -> Places:
    found: Places = -(-channels // alignment) * alignment
    return found


# What takes time: layers and multiply-adds by kind, scalars read, written and passed on, weights, a call.
_TIMED = list(KINDS)
_AMOUNTS = [f"layers of kind {kind}" for kind in _TIMED]
CALLS = len(_AMOUNTS)


def _amounts(blocks: SpaceBlocks, alignment: int) -> Floats:
    """(blocks, amounts), up to constants."""
    kind = blocks.of_layers("kind")
    inputs, outputs = (_padded(blocks.of_layers(name), alignment) for name in ("in_channels", "out_channels"))
    in_size, out_size = blocks.of_layers("in_size"), blocks.of_layers("out_size")
    groups = np.where(blocks.of_layers("is_grouped") > 0, inputs, np.maximum(blocks.of_layers("groups"), 1))
    area = blocks.of_layers("high") * blocks.of_layers("wide")
    is_fc = kind == _TIMED.index("fc") + 1
    weights = np.where(is_fc, in_size**2, area) * (inputs // groups) * outputs
    has_weights = np.isin(kind, [_TIMED.index(name) + 1 for name in (*CONVOLUTIONS, "fc")])
    weights = np.where(has_weights, weights, 0)
    rows, last = np.arange(len(blocks)), blocks.last
    written = outputs * out_size**2
    read, whole = (inputs * in_size**2)[:, 0], written[rows, last]
    of_kinds = [kind == place + 1 for place in range(len(_TIMED))]
    columns = [mine.sum(axis=1) for mine in of_kinds]
    columns += [(weights * out_size**2 * mine).sum(axis=1) for mine in of_kinds]
    columns += [read, whole, written.sum(axis=1) - whole, weights.sum(axis=1), np.ones(len(blocks))]
    return np.stack(columns, axis=1).astype(np.float64)


@dataclass(frozen=True)
class Errors:
    """Relative errors of predicted latencies, in percent of the measured ones."""

    errors_pct: Floats

    @property
    def mean_pct(self) -> float:
        """Mean absolute error."""
        return float(np.abs(self.errors_pct).mean())

    @property
    def worst_pct(self) -> float:
        """Largest absolute error."""
        return float(np.abs(self.errors_pct).max())

    def within(self, pct: float) -> float:
        """Share of the networks whose error is at most `pct`, from 0 to 1."""
        return float((np.abs(self.errors_pct) <= pct).mean())


@dataclass(frozen=True)
class Prediction:
    """Latencies of all variants of a space in ns, with a 95 % interval, and the error that was found."""

    ns: Floats
    low_ns: Floats
    high_ns: Floats
    held_out: Errors


def predict_space(
    blocks: SpaceBlocks,
    block_ns: Floats,
    networks: Places,
    networks_ns: Floats,
    held_out: Places,
    held_out_ns: Floats,
) -> Prediction:
    """Every variant's latency from that of every distinct block and of some whole networks.

    The error is that of a correction fitted on `networks` alone, for the networks in `held_out`; the
    prediction then learns from both.

    Raises ValueError where there are too few networks for that.
    """
    if len(networks) < MIN_FITTED or len(held_out) < MIN_HELD_OUT:
        raise ValueError(
            f"{len(networks)} networks to fit and {len(held_out)} held out; a prediction needs at least "
            f"{MIN_FITTED} and {MIN_HELD_OUT}"
        )
    sums = blocks.total(block_ns)
    features = _network_features(blocks, block_ns)
    trial = Smooth.fit(features[networks], np.log(networks_ns / sums[networks]))
    log_factor, spread = trial.predict(features[held_out])
    predicted = sums[held_out] * np.exp(log_factor)
    errors = np.log(held_out_ns / predicted) / np.maximum(spread, LEAST_SPREAD)
    wider = max(np.sqrt((errors**2).mean()), 1.0)  # than the model believes
    known = np.concatenate([networks, held_out])
    final = Smooth.fit(features[known], np.log(np.concatenate([networks_ns, held_out_ns]) / sums[known]))
    log_factor, spread = final.predict(features)
    # The final spread knows of the held-out errors, too: widened by them, it would count them twice.
    spread = np.maximum(spread, wider * np.maximum(trial.predict(features)[1], LEAST_SPREAD))
    half = float(scipy.special.stdtrit(len(held_out), 0.975)) * spread
    ns = sums * np.exp(log_factor)
    return Prediction(ns, ns * np.exp(-half), ns * np.exp(half), Errors(100 * (predicted / held_out_ns - 1)))


def _network_features(blocks: SpaceBlocks, cost: Floats) -> Floats:
    """(variants, 4): logs of weights, of scalars between blocks, of a block's mean cost, and of the layers.

    The last takes a fifth off the errors of V3 and V4, whose networks differ in what their blocks are of.
    """
    number = blocks.total(np.ones(len(blocks)))
    layers = blocks.total((blocks.last + 1).astype(np.float64))
    amounts = (
        blocks.total(blocks.params),
        blocks.total(blocks.out_scalars),
        blocks.total(cost) / number,
        layers,
    )
    return np.log(np.stack(amounts, axis=1))
