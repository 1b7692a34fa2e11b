"""A network as a log directory whose graph TensorBoard opens."""

from __future__ import annotations

import importlib.util
import io
import time
from pathlib import Path
from typing import Any

from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file
from mbsweep.space.architecture import Architecture
from mbsweep.space.layers import Layer, kind_name

IMAGE = "image"
# TensorBoard reads files with "tfevents" in their names. It is always the same, so that a second export takes
# the place of the first.
EVENTS = "events.out.tfevents.0.mbsweep"


def write_log(folder: Path, run: str, net: Architecture) -> Path:
    """Write the graph of a network as a run of a log directory; return the file.

    A layer is a node, `block3.dw` as `block3/dw`, so that blocks can be opened and closed; edges have shapes.
    Raises MbsweepError where the package tensorboard is missing, or the file cannot be written.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise MbsweepError(
            "a log for TensorBoard needs tensorboard, which is not installed; run: "
            "pip install 'mbsweep[tensorboard]'"
        )
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    now, log = time.time(), io.BytesIO()
    records = RecordWriter(log)
    records.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
    records.write(Event(wall_time=now, graph_def=_graph(net).SerializeToString()).SerializeToString())
    path = folder / run / EVENTS
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MbsweepError(f"{path.parent}: cannot be written: {reason}; choose another folder") from None
    write_file(path, log.getvalue())
    return path


def _graph(net: Architecture) -> Any:
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    graph, layers = GraphDef(), net.layers
    names = [IMAGE, *(layer.name.replace(".", "/") for layer in layers)]
    channels, high, wide = net.stages[0].first.in_shape
    _shape(graph.node.add(name=IMAGE, op="Placeholder"), (1, channels, high, wide))
    for place, layer in enumerate(layers):
        reads = [names[place + 1 + back] for back in layer.reads]
        node = graph.node.add(name=names[place + 1], op=kind_name(layer), input=reads)
        _shape(node, (1, layer.out_channels, layer.out_size, layer.out_size))
        for key, value in _facts(layer).items():
            if isinstance(value, str):
                node.attr[key].s = value.encode()
            else:
                node.attr[key].i = value
    return graph


def _facts(layer: Layer) -> dict[str, str | int]:
    """What TensorBoard tells of a node that is chosen."""
    high, wide = layer.kernel
    counts: dict[str, str | int] = {"parameters": int(layer.params), "mult_adds": int(layer.macs)}
    kernel: dict[str, str | int] = {"kernel": f"{high} x {wide}", "stride": layer.stride}
    return (
        counts | (kernel if layer.is_conv else {}) | ({"then": layer.activation} if layer.activation else {})
    )


def _shape(node: Any, sizes: tuple[int, ...]) -> None:
    """What a node gives, where TensorBoard looks for it."""
    shape = node.attr["_output_shapes"].list.shape.add()
    for size in sizes:
        shape.dim.add(size=int(size))
