"""`mbsweep export --format tensorboard`: what TensorBoard's own reader finds in the log directory."""

import importlib.util

import pytest
from console import call, contents, refusal
from google.protobuf.json_format import MessageToDict
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mbsweep.space.families import FAMILIES


def exported(folder, *words):
    """What was said, and the graph: name -> node."""
    result = call("export", *words, "--format", "tensorboard", "-o", folder)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    (run,) = folder.iterdir()
    log = EventAccumulator(str(run))
    log.Reload()
    return result.stdout, {node.name: node for node in log.Graph().node}


def shape(node):
    (given,) = MessageToDict(node.attr["_output_shapes"])["list"]["shape"]
    return [int(dim["size"]) for dim in given["dim"]]


def test_the_graph_is_the_network(tmp_path):
    """MobileNet v2's nodes: shapes and residuals of Table 2 of arXiv:1801.04381, and mult-adds in all."""
    said, nodes = exported(tmp_path / "log", "mobilenet_v2")
    assert said.endswith(f"open it with: tensorboard --logdir {tmp_path}/log\n")
    assert sum(node.attr["mult_adds"].i for node in nodes.values()) == 300_774_272
    assert sum(node.attr["parameters"].i for node in nodes.values()) == 3_504_872
    assert sum(node.op == "Add" for node in nodes.values()) == 10
    assert (nodes["image"].op, shape(nodes["image"])) == ("Placeholder", [1, 3, 224, 224])
    assert (list(nodes["stem"].input), shape(nodes["stem"])) == (["image"], [1, 32, 112, 112])
    assert list(nodes["block3/add"].input) == ["block2/project", "block3/project"]
    assert shape(nodes["block3/add"]) == [1, 24, 56, 56]
    assert list(nodes["block4/expand"].input) == ["block3/add"]
    assert shape(nodes["classifier"]) == [1, 1000, 1, 1]
    assert nodes["block3/dw"].op == "Conv DW 3x3"
    assert nodes["block3/dw"].attr["then"].s == b"relu6"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_node_reads_what_is_there_before(tmp_path, family):
    """From the image to the logits, each once; all that is made is read."""
    _, nodes = exported(tmp_path / "log", family)
    seen, read = set(), set()
    for name, node in nodes.items():
        assert set(node.input) <= seen
        seen.add(name)
        read |= set(node.input)
    assert set(nodes) - read == {list(nodes)[-1]}


def test_networks_lie_side_by_side(tmp_path):
    """A second one is another run of the log directory; the same again takes its own place."""
    folder = tmp_path / "my log"
    for width in (0.5, 0.25, 0.5):
        result = call("export", f"--width={width}", "--format", "tensorboard", "-o", folder)
        assert f"tensorboard --logdir '{folder}'" in result.stdout
    assert sorted(contents(folder)) == [
        "mobilenet_v1_w0.25_r224_d5/events.out.tfevents.0.mbsweep",
        "mobilenet_v1_w0.5_r224_d5/events.out.tfevents.0.mbsweep",
    ]


def test_without_the_package_nothing_is_written(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorboard" else find(name)
    )
    assert refusal(call("export", "--format", "tensorboard", "-o", tmp_path / "log")) == (
        "a log for TensorBoard needs tensorboard, which is not installed; run: "
        "pip install 'mbsweep[tensorboard]'"
    )
    assert contents(tmp_path) == {}


REFUSED = [
    (
        ["--format", "tensorbord"],
        "--format is 'tensorbord'; expected tensorboard; did you mean 'tensorboard'?; for a file, its ending "
        "says it: -o net.onnx",
    ),
    (
        ["--format", "tensorboard", "--precision", "int8"],
        "a graph for TensorBoard has no weights, and so no --precision; leave it out",
    ),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_is_refused(tmp_path, words, message):
    assert refusal(call("export", *words, "-o", tmp_path / "log")) == message


def test_a_file_in_the_way_is_said(tmp_path):
    (tmp_path / "log").write_text("mine")
    message = refusal(call("export", "--format", "tensorboard", "-o", tmp_path / "log"))
    assert message.startswith(f"{tmp_path}/log/mobilenet_v1_w1.0_r224_d5: cannot be written: ")
    assert contents(tmp_path) == {"log": b"mine"}
