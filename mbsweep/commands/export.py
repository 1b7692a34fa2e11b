"""`mbsweep export`: a network as a file for another device."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import say
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.base.suggest import command, path_word
from mbsweep.commands.options import Config, Network, TrainedOn, path, takes_network
from mbsweep.space.counting import count
from mbsweep.space.families import architecture
from mbsweep.space.families.factory import without_layers
from mbsweep.space.variant import Variant

if TYPE_CHECKING:
    from mbsweep.commands._wanted import Wanted

EXAMPLE = "mbsweep export --width 0.5 --resolution 160 -o net.onnx"


@takes_network(or_run=True)
def export(
    network: Network,
    run: list[str],
    file: Annotated[
        str,
        typer.Option("-o", "--output", help="The file: .onnx, .pte for ExecuTorch, .safetensors if trained."),
    ],
    precision: Annotated[str, typer.Option(help="fp32 or int8.")] = "fp32",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="tensorboard: -o is a log directory, and gets the network's graph. Of --front: onnx, pte, "
            "safetensors.",
            show_default="by the file's ending; logs/ is tensorboard, a front onnx",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(help="Of a run: onnxruntime or openvino.", show_default="onnxruntime, of .onnx"),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(help="Of a run: best by its validation accuracy, or a seed.", show_default="best"),
    ] = None,
    self_contained: Annotated[
        bool,
        typer.Option(
            "--self-contained",
            help="Of a run: normalisation and softmax in the file; it takes levels 0 to 255.",
        ),
    ] = False,
    scheme: Annotated[
        str | None,
        typer.Option(help="Of a run that compresses: a scheme in its words; -o is a .mbz file."),
    ] = None,
    front: Annotated[
        bool, typer.Option("--front", help="Of a run: every network on its front; -o is a folder.")
    ] = False,
    config: Config = None,
    dataset: TrainedOn = None,
) -> None:
    """Write a network as a file for a device: trained, or random.

    Or, with --format tensorboard, its graph for TensorBoard.
    """
    output = path(file)
    of_run = {"--seed": seed, "--self-contained": self_contained, "--front": front, "--config": config}
    of_run |= {"--dataset": dataset, "--backend": backend, "--scheme": scheme}
    if run:
        from mbsweep.commands._wanted import Wanted  # loads torch

        wanted = Wanted("best" if seed is None else seed, precision, backend, self_contained, dataset, scheme)
        if front:
            _export_front(run, output, form or "onnx", config, wanted)
        elif config is not None:
            raise MbsweepError("--config says whose front is meant: say --front, or leave it out")
        else:
            _export_of_run(run, output, form or _by_ending(file), wanted)
        return
    form = form or _by_ending(file)
    if said := [option for option, value in of_run.items() if value not in (None, False)]:
        raise MbsweepError(
            f"{said[0]} is for trained networks: name the run first, `mbsweep export RUN VARIANT ...`, or "
            "leave it out"
        )
    if form is not None:
        say(export_graph(Variant(**network), form, precision, output))
        return
    from mbsweep.commands._exporting import export_network  # loads torch

    say(export_network(Variant(**network), precision, output))


def _by_ending(file: str) -> str | None:
    """The format that a folder, `logs/`, asks for."""
    return "tensorboard" if file.endswith("/") else None


def _export_front(words: list[str], folder: Path, form: str, config: str | None, wanted: Wanted) -> None:
    from mbsweep.commands._exporting_front import export_front
    from mbsweep.commands._run_networks import RunNetworks
    from mbsweep.table.results import open_run

    if len(words) > 1:
        raise MbsweepError(
            f"{shown(' '.join(words[1:]))} and --front are both said; say one network, or --front"
        )
    for line in export_front(RunNetworks.of(open_run(words[0])), folder, form, config, wanted):
        say(line)


def _export_of_run(words: list[str], output: Path, form: str | None, wanted: Wanted) -> None:
    from mbsweep.commands._run_networks import RunNetworks
    from mbsweep.table.results import open_run

    run = open_run(words[0])
    if len(words) < 2:
        raise MbsweepError(
            f"{run.path}: say which network, by its id or short name: "
            f"`{command('export', run.path, 'VARIANT', '-o', 'net.onnx')}`"
        )
    from mbsweep.commands._exporting_trained import export_trained

    networks = RunNetworks.of(run)
    id_ = networks.variant(" ".join(words[1:]))
    if form is not None:
        wanted.check_no_weights(output, run.path)
        say(export_graph(networks.fields(id_), form, wanted.precision, output))
        return
    say(export_trained(networks, id_, wanted, output).words)


def export_graph(variant: Variant, form: str, precision: str, folder: Path) -> str:
    """Write a network's graph into a log directory; return in a line what was written, and what opens it.

    Raises MbsweepError for another format, for a precision (a graph has no weights), and as `write_log`.
    """
    from mbsweep.formats.tensorboard import write_log

    if form != "tensorboard":
        raise MbsweepError(
            f"--format is {shown(form)}; expected tensorboard{did_you_mean(form, ['tensorboard'])}; "
            "for a file, its ending says it: -o net.onnx"
        )
    if precision != "fp32":
        raise MbsweepError("a graph for TensorBoard has no weights, and so no --precision; leave it out")
    if variant.is_code:
        raise without_layers("--format tensorboard", variant.family)
    net, counts = architecture(variant), count(variant)
    path = write_log(folder, variant.id, net)
    opens = shlex.join(["tensorboard", "--logdir", path_word(folder)])
    return (
        f"{path}: {len(net.layers)} layers of {variant.id}, {counts.params:,} parameters, "
        f"{counts.macs:,} mult-adds; open it with: {opens}"
    )
