"""`mbsweep show`: one network in print, its layers as in the paper's Table 1, its resources as in Table 2."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file
from mbsweep.base.printing import Table, say
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.commands.options import Backend, Network, Precision, path, takes_network
from mbsweep.space.architecture import Architecture
from mbsweep.space.blocks import standard
from mbsweep.space.counting import UNKNOWN, count
from mbsweep.space.families import FAMILIES, architecture
from mbsweep.space.families.factory import without_layers
from mbsweep.space.layers import KINDS, Layer, kind_name
from mbsweep.space.variant import Variant

EXAMPLE = "mbsweep show --width 0.75 --resolution 192"

# Table 2 of arXiv:1704.04861: percent of the mult-adds and of the parameters of MobileNet 1.0-224.
PAPER_TABLE_2 = {
    "Conv 1x1": (94.86, 74.59),
    "Conv DW 3x3": (3.06, 1.06),
    "Conv 3x3": (1.19, 0.02),
    "Fully Connected": (0.18, 24.33),
}
TABLE_2_NOTE = """\
The paper's parameter shares count kernels and the classifier's matrix, without batch normalisation and bias:
the column "weights" has that sum. Its mult-add shares add up to 99.29 %; with 1.91 % for Conv 3x3, which is
what the shapes give, they add up to 100.01 %: the printed 1.19 % has two digits exchanged."""


@takes_network()
def show(
    network: Network,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure each layer: time, GMAC/s, share of the peak.")
    ] = False,
    backend: Backend = "onnxruntime",
    precision: Precision = "fp32",
    threads: Annotated[int, typer.Option(help="Threads of one call.")] = 1,
    graph: Annotated[
        bool, typer.Option("--graph", help="Draw the layers as a picture, into the file of -o.")
    ] = False,
    cost: Annotated[str, typer.Option(help="The picture's colour: macs or params.")] = "macs",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", parser=path, help="The picture: .svg, or .html.")
    ] = None,
) -> None:
    """Print a network's layers and what each kind of them costs.

    As in the paper's Tables 1 and 2; or draw them.
    """
    variant = Variant(**network)
    if graph or output is not None:
        if not graph or output is None or latency:
            raise MbsweepError(
                "a picture needs --graph and -o FILE, such as --graph -o graph.svg; no --latency"
            )
        draw_network(variant, cost, output)
    elif variant.is_code:
        if latency:
            raise without_layers("--latency", variant.family)
        print_code(variant)
    elif latency:
        from mbsweep.commands._layer_times import print_layer_times
        from mbsweep.profiler.backends import asked

        print_layer_times(variant, asked(backend=backend, precision=precision, threads=threads))
    else:
        print_network(variant)


def print_code(variant: Variant) -> None:
    """Print what is known of a network that is code. MbsweepError where it gives none."""
    from mbsweep.profiler.counting_code import counted

    found = counted(variant)
    macs = "an unknown number of" if found.counts.macs == UNKNOWN else f"{found.counts.macs:,}"
    say(variant.id, style="bold")
    say(
        f"{found.counts.params:,} parameters, {macs} mult-adds; at fp32 {found.counts.weight_bytes:,} bytes "
        "of weights"
    )
    if found.note:
        say(found.note)
    say(f"{variant.family} is code: its layers, and the bytes of its activations, are not known")


def draw_network(variant: Variant, cost: str, output: Path) -> None:
    """Write a picture of the layers: an SVG file, or a page on which the cost can be chosen.

    Raises MbsweepError for another ending or cost, and where the file cannot be written.
    """
    from mbsweep.reporter.graph import COSTS, graph_page, graph_svg

    if cost not in COSTS:
        raise MbsweepError(
            f"--cost is {shown(cost)}; expected one of {', '.join(COSTS)}{did_you_mean(cost, COSTS)}"
        )
    if output.suffix not in (".svg", ".html"):
        raise MbsweepError(f"{output}: the ending {output.suffix!r} is none of .svg, .html")
    if variant.is_code:
        raise without_layers("--graph", variant.family)
    net = architecture(variant)
    text = graph_svg(variant.id, net, cost) if output.suffix == ".svg" else graph_page(variant.id, net)
    write_file(output, text.encode())
    say(f"{output}: {variant.id}, {len(net.layers)} layers")


def print_network(variant: Variant) -> None:
    """Print the layers, the shares per layer type and the saving of each separable pair."""
    net, counts = architecture(variant), count(variant)
    say(variant.id, style="bold")
    say(
        f"{counts.params:,} parameters, {counts.macs:,} mult-adds; at fp32 and for one image "
        f"{counts.weight_bytes:,} bytes of weights and {counts.peak_activation_bytes:,} bytes of "
        "activations where most are alive\n"
    )
    family = FAMILIES[variant.family]
    say(f"Layers ({family.cite})", style="bold")
    _layer_table(net).print()
    say("\nResource per layer type (Table 2 of arXiv:1704.04861)", style="bold")
    _share_table(net, is_papers=variant == Variant()).print()
    if variant == Variant():
        say(f"\n{TABLE_2_NOTE}")
    pairs = _pair_table(net)
    if pairs.rows:
        say(
            "\nSeparable pairs against the standard convolution (section 3.1: ratio = 1/N + 1/K²)",
            style="bold",
        )
        pairs.print()


def _layer_table(net: Architecture) -> Table:
    table = Table(
        [
            "Name",
            "Type / Stride",
            "Filter Shape",
            "Input Size",
            "Output Size",
            "Params",
            "%",
            "Mult-adds",
            "%",
        ],
        left=range(5),
    )
    for layer in net.layers:
        table.add(
            layer.name,
            f"{_type(layer)} / s{layer.stride}",
            filter_shape(layer),
            f"{layer.in_size} x {layer.in_size} x {layer.in_channels}",
            f"{layer.out_size} x {layer.out_size} x {layer.out_channels}",
            f"{layer.params:,}",
            _percent(layer.params, net.params),
            f"{layer.macs:,}",
            _percent(layer.macs, net.macs),
        )
    table.add("total", "", "", "", "", f"{net.params:,}", "100.00", f"{net.macs:,}", "100.00", style="bold")
    return table


def _type(layer: Layer) -> str:
    """As Table 1 of arXiv:1704.04861 calls it."""
    return {"conv_dw": "Conv dw", "fc": "FC"}.get(layer.kind, KINDS[layer.kind])


def filter_shape(layer: Layer) -> str:
    """As in Table 1: `3 x 3 x 32 dw`, `1 x 1 x 32 x 64`, `Pool 7 x 7`, `1024 x 1000`; empty of a junction."""
    high, wide = layer.kernel
    if layer.kind in ("avg_pool", "squeeze", "max_pool"):
        return f"Pool {high} x {wide}"
    if layer.kind == "fc":
        return f"{layer.in_channels * layer.in_size**2} x {layer.out_channels}"
    if layer.kind == "conv_dw":
        return f"{high} x {wide} x {layer.in_channels} dw"
    return (
        f"{high} x {wide} x {layer.in_channels // layer.groups} x {layer.out_channels}"
        if layer.is_conv
        else ""
    )


def shares(net: Architecture) -> dict[str, tuple[int, int, int]]:
    """Kind of layer -> (mult-adds, parameters, weights) of all of that kind, for the kinds that have any."""
    found: dict[str, tuple[int, int, int]] = {}
    for layer in net.layers:
        if layer.params:
            before = found.get(kind_name(layer), (0, 0, 0))
            mine = layer.macs, layer.params, layer.weights
            found[kind_name(layer)] = tuple(map(sum, zip(before, mine, strict=True)))  # type: ignore[assignment]
    return found


def _share_table(net: Architecture, is_papers: bool) -> Table:
    columns = ["Type", "Mult-adds", "%", "Parameters", "%", "Weights", "%"]
    columns += ["paper: mult-adds %", "paper: parameters %"] if is_papers else []
    table = Table(columns)
    found = shares(net)
    totals = [sum(row[place] for row in found.values()) for place in range(3)]
    for kind, row in sorted(found.items(), key=lambda item: -item[1][0]):
        cells = [kind]
        for number, total in zip(row, totals, strict=True):
            cells += [f"{number:,}", _percent(number, total)]
        papers = PAPER_TABLE_2[kind] if is_papers else ()
        table.add(*cells, *(f"{share:.2f}" for share in papers))
    return table


def _pair_table(net: Architecture) -> Table:
    table = Table(["Pair", "N", "K", "Pair's mult-adds", "Standard", "Ratio", "1/N + 1/K²"])
    for first, second in zip(net.layers, net.layers[1:], strict=False):
        if (first.kind, second.kind) == ("conv_dw", "conv_pw"):
            channels = (first.in_channels, second.out_channels)
            (full,) = standard(channels, first.stride, first.in_size, first.kernel[0]).layers
            pair, n, k = first.macs + second.macs, second.out_channels, first.kernel[0]
            table.add(
                first.name.removesuffix(".dw"),
                str(n),
                str(k),
                f"{pair:,}",
                f"{full.macs:,}",
                f"{pair / full.macs:.5f}",
                f"{1 / n + 1 / k**2:.5f}",
            )
    return table


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}"
