"""`mbsweep show --latency`: where a network's time goes, layer by layer, against what the machine can do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from mbsweep.base.errors import MbsweepError, one_line
from mbsweep.base.printing import Table, say
from mbsweep.base.quiet import quiet
from mbsweep.profiler import timing
from mbsweep.profiler.backends import BACKENDS, ChoosesWeights, TellsLayers
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import this_device
from mbsweep.profiler.int8_probe import remark
from mbsweep.profiler.peak import bandwidth_bytes_per_s, peak_macs_per_s
from mbsweep.profiler.prepare import network, prepare
from mbsweep.profiler.workbench import set_torch_up
from mbsweep.space.architecture import IMAGE_CHANNELS
from mbsweep.space.families import architecture
from mbsweep.space.layers import KINDS, Layer, kind_name
from mbsweep.space.variant import Variant
from mbsweep.statistics.summary import headline

ROUNDS, CALLS = 5, 10  # each round times so many calls of every layer, and of the whole network
BYTES = {"fp32": 4, "bf16": 2, "int8": 1}  # of one number
NS_PER_US = 1000


@dataclass(frozen=True)
class Machine:
    """What the machine can do at best, as measured; fp32."""

    macs_per_s: float
    bytes_per_s: float

    def binds(self, layer: Layer, number_bytes: int) -> str:
        """What sets the layer's least time: its multiply-adds, or moving its input, output and weights once.

        Memory is that beyond the caches; what a layer finds in a cache moves faster.
        """
        moved_bytes = number_bytes * (layer.in_scalars + layer.out_scalars + layer.weights)
        return "mult-adds" if layer.macs / self.macs_per_s > moved_bytes / self.bytes_per_s else "memory"


def print_layer_times(variant: Variant, config: LatencyConfig) -> None:
    """Print the time of each layer in a runtime.

    Raises MbsweepError where the runtime does not tell the times of layers, or cannot run the network.
    """
    backend, precision, threads = config.backend, config.precision, config.threads
    if not isinstance(BACKENDS[backend], TellsLayers):
        telling = ", ".join(name for name, known in BACKENDS.items() if isinstance(known, TellsLayers))
        raise MbsweepError(f"{backend} does not tell the times of layers; these do: {telling}")
    with quiet(), _ready_for_timing(threads):
        try:
            times, whole_ns = _measure(variant, config)
        except MbsweepError:
            raise
        except (
            Exception
        ) as error:  # a runtime's, or too little memory: as in `bench`, where a process tells it
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise MbsweepError(f"{variant.id}: {one_line(reason, 500)}") from error
        machine = Machine(peak_macs_per_s(), bandwidth_bytes_per_s())
    layers = architecture(variant).layers
    total_ns = sum(times.values())
    say(variant.id, style="bold")
    say(f"{backend}, {precision}, batch 1, threads: {threads}; {ROUNDS} rounds of {CALLS} calls")
    known = BACKENDS[backend]
    if precision == "int8" and isinstance(known, ChoosesWeights):
        say(remark(backend, known.int8_weights().name))
    say()
    _table(layers, times, machine, BYTES[precision]).print()
    say(
        f"\nThe layers take {total_ns / NS_PER_US:,.1f} µs; the whole network, timed in the same run, "
        f"{whole_ns / NS_PER_US:,.1f} µs: the sum is {100 * total_ns / whole_ns:.1f} % of it."
    )
    say(
        f"Peak: {machine.macs_per_s / 1e9:,.1f} GMAC/s in dense fp32 work, "
        f"{machine.bytes_per_s / 1e9:,.1f} GB/s in copies, on {this_device()}."
    )
    if sentence := pairs_sentence(layers, times):
        say(sentence)


def pairs_sentence(layers: tuple[Layer, ...], times: dict[str, float]) -> str:
    """Depthwise and pointwise layers' shares of mult-adds and time; empty without depthwise ones."""
    macs, spent = (dict.fromkeys(KINDS, 0.0) for _ in range(2))
    for layer in layers:
        macs[layer.kind] += layer.macs
        spent[layer.kind] += times.get(layer.child, 0.0)
    dw, pw = "conv_dw", "conv_pw"
    if not (macs[dw] and macs[pw] and spent[dw] and spent[pw]):
        return ""
    ratio = (spent[dw] / macs[dw]) / (spent[pw] / macs[pw])
    of_macs = {kind: f"{100 * macs[kind] / sum(macs.values()):.1f} %" for kind in (dw, pw)}
    of_time = {kind: f"{100 * spent[kind] / sum(times.values()):.1f} %" for kind in (dw, pw)}
    return (
        f"Depthwise layers have {of_macs[dw]} of the mult-adds and take {of_time[dw]} of the time,\n"
        f"pointwise layers have {of_macs[pw]} and take {of_time[pw]}: "
        f"a depthwise mult-add takes {ratio:.1f} times as long as a pointwise one."
    )


@contextmanager
def _ready_for_timing(threads: int) -> Iterator[None]:
    """PyTorch as a workbench has it; afterwards as it was."""
    before = torch.get_num_threads()
    set_torch_up(threads)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def _measure(variant: Variant, config: LatencyConfig) -> tuple[dict[str, float], float]:
    """Layer -> nanoseconds; and those of the whole network, measured in turns.

    Each is the lower fifth over the rounds of each round's fastest call, as a headline is. What else the
    machine does lengthens a call of the whole network more often than one of a layer: medians would not add
    up.
    """
    backend = BACKENDS[config.backend]
    assert isinstance(backend, TellsLayers)  # noqa: S101  (_config has seen to it)
    shape = (IMAGE_CHANNELS, variant.resolution, variant.resolution)
    net = network(variant)
    prepared = prepare(net, shape, config)
    timing.warm_up(prepared.call, config.warmup_calls)
    image = np.random.default_rng(0).standard_normal((1, *shape), dtype=np.float32)
    whole: list[int] = []
    fastest: dict[str, list[int]] = {}
    for _ in range(ROUNDS):
        whole.append(min(timing.visit(prepared, config.visit_ms, CALLS)))
        for name, durations in backend.layer_times(net, image, config, CALLS).items():
            fastest.setdefault(name, []).append(min(durations))
    times = {name: headline(np.array(durations)) for name, durations in fastest.items()}
    return times, headline(np.array(whole))


def _table(layers: tuple[Layer, ...], times: dict[str, float], machine: Machine, number_bytes: int) -> Table:
    """A row for each layer, then for what the runtime does beside them, then the total."""
    table = Table(
        ["Layer", "Type", "Output", "Mult-adds", "Time µs", "%", "GMAC/s", "% of peak", "Bound by"],
        left=range(3),
    )
    total_ns = sum(times.values())
    for layer in layers:
        spent_ns = times.get(layer.child)
        table.add(
            layer.name,
            kind_name(layer),
            f"{layer.out_size} x {layer.out_size} x {layer.out_channels}",
            f"{layer.macs:,}",
            *_time_cells(spent_ns, total_ns),
            *_rate_cells(layer.macs, spent_ns, machine),
            machine.binds(layer, number_bytes),
        )
    names = {layer.child for layer in layers}
    for name, spent_ns in times.items():
        if name not in names:
            table.add(name, "", "", "", *_time_cells(spent_ns, total_ns), "", "", "")
    macs = sum(layer.macs for layer in layers)
    rates = _rate_cells(macs, total_ns, machine)
    table.add("total", "", "", f"{macs:,}", *_time_cells(total_ns, total_ns), *rates, "", style="bold")
    return table


def _time_cells(spent_ns: float | None, total_ns: float) -> tuple[str, str]:
    """Microseconds and share; blank for a layer that the runtime has made part of another."""
    if spent_ns is None:
        return "", ""
    return f"{spent_ns / NS_PER_US:,.1f}", f"{100 * spent_ns / total_ns:.1f}"


def _rate_cells(macs: int, spent_ns: float | None, machine: Machine) -> tuple[str, str]:
    """GMAC/s, which is mult-adds per nanosecond, and the share of the peak; blank where there is no rate."""
    if not macs or not spent_ns:
        return "", ""
    return f"{macs / spent_ns:,.1f}", f"{100 * macs / spent_ns * 1e9 / machine.macs_per_s:.1f}"
