"""A network's file: whole or not there, and never a program."""

import pickle
import resource
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mbsweep.accuracy.training.checkpoint import (
    BEST,
    OPTIMIZER,
    WEIGHT,
    Checkpoint,
    open_checkpoint,
    resumed,
    write_checkpoint,
)
from mbsweep.base.errors import MbsweepError
from mbsweep.space.variant import Variant

ABOUT = {
    "variant": {"width": 0.25, "stage_channels": [64, 128, 8, 8, 8]},
    "seed": 7,
    "classes": ["naïve", "1"],
}
CURVE = [{"epoch": 1, "validation_top1_pct": 100 / 3, "seconds": 0.1 + 0.2}]


def made(value=1.0):
    """A checkpoint with tensors of several kinds."""
    tensors = {
        WEIGHT + "a": torch.full((3, 2, 1, 1), value).to(memory_format=torch.channels_last),
        WEIGHT + "b": torch.tensor(17),
        BEST + "a": torch.arange(6.0).reshape(2, 3).T,  # not contiguous
        OPTIMIZER + "0/step": torch.tensor(2.0),
    }
    return Checkpoint(ABOUT, CURVE, tensors)


def refused(path):
    """The message with which a file is refused, one line that names it; for training it does not exist."""
    with pytest.raises(MbsweepError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert resumed(path, ABOUT).curve == []
    return message


def test_what_is_written_is_read_again(tmp_path):
    """All tensors, bit for bit, in any memory format; and text and numbers to the last digit."""
    path = tmp_path / "some" / "folder" / "net.safetensors"
    write_checkpoint(path, made())
    found = open_checkpoint(path)
    assert found.about == ABOUT
    assert found.curve == CURVE
    assert set(found.tensors) == set(made().tensors)
    for name, tensor in made().tensors.items():
        assert torch.equal(found.tensors[name], tensor)
        assert found.tensors[name].dtype == tensor.dtype
    assert [each.name for each in path.parent.iterdir()] == ["net.safetensors"]


def test_a_checkpoint_of_another_training_is_not_gone_on_with(tmp_path):
    """Where anything that the file tells differs, it begins at the beginning."""
    write_checkpoint(tmp_path / "net", made())
    assert resumed(tmp_path / "net", ABOUT).curve == CURVE
    wider = {"variant": ABOUT["variant"] | {"width": 0.5}}
    less = {name: value for name, value in ABOUT.items() if name != "seed"}
    for other in (ABOUT | {"seed": 8}, ABOUT | wider, less):
        begun = resumed(tmp_path / "net", other)
        assert (begun.about, begun.curve, begun.tensors) == (other, [], {})


def test_a_checkpoint_of_an_earlier_version_is_gone_on_with(tmp_path):
    """What is told only since the file was written, of the whole or of the variant, changes nothing."""
    write_checkpoint(tmp_path / "net", made())
    grown = Variant().as_dict() | ABOUT["variant"]
    more = ABOUT | {"more": 1, "variant": grown}
    assert resumed(tmp_path / "net", more).curve == CURVE
    other = more | {"variant": grown | {"stem_stride": 1}}  # not as it was when nobody could say it
    assert resumed(tmp_path / "net", other).curve == []


def test_a_file_that_is_not_there_is_told_as_such(tmp_path):
    """The message is the path and the fault."""
    assert refused(tmp_path / "net") == f"{tmp_path / 'net'}: there is no such file"


def test_a_folder_is_refused(tmp_path):
    """As any file that is no network."""
    refused(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, kept):
    """Wherever it was cut off."""
    path = tmp_path / "net"
    write_checkpoint(path, made())
    path.write_bytes(path.read_bytes()[:kept])
    assert "is damaged, or no network of mbsweep: " in refused(path)


@pytest.mark.parametrize(
    "content",
    [b"no network\n\n" * 9, b"\xff" * 64, struct.pack("<Q", 2**62) + b"{}", struct.pack("<Q", 2) + b"[]"],
    ids=["text", "ones", "endless head", "head is a list"],
)
def test_a_file_of_something_else_is_refused(tmp_path, content):
    """Text, noise, and heads that claim too much."""
    path = tmp_path / "net"
    path.write_bytes(content)
    assert "is damaged, or no network of mbsweep: " in refused(path)


@pytest.mark.parametrize(
    "head",
    [None, {"other": "1"}, {"mbsweep": "{"}, {"mbsweep": "[]"}, {"mbsweep": "{}"}, {"mbsweep": "null"}],
)
def test_a_foreign_safetensors_file_is_refused(tmp_path, head):
    """It holds tensors, but not what mbsweep must know of them."""
    path = tmp_path / "net"
    save_file({"a": torch.zeros(2)}, path, head)
    assert "is damaged, or no network of mbsweep: " in refused(path)


class Payload:
    """What runs when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [lambda payload, path: path.write_bytes(pickle.dumps(payload)), torch.save])
def test_nothing_is_unpickled(tmp_path, save):
    """A pickle is refused, and what it would run is not run."""
    path, trace = tmp_path / "net", tmp_path / "trace"
    save(Payload(trace), path)
    refused(path)
    assert not trace.exists()


def test_a_full_disk_leaves_the_old_file_whole(tmp_path):
    """The kernel lets no file grow: the one of before stays, alone, and the error is one line."""
    path = tmp_path / "net"
    write_checkpoint(path, made())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(MbsweepError) as caught:
            write_checkpoint(path, Checkpoint({}, [], {WEIGHT + "a": torch.zeros(100_000)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == f"{path}: cannot be written: File too large"
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["net"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """A file stands where the folder of the network should be."""
    (tmp_path / "weights").write_text("")
    with pytest.raises(MbsweepError, match="cannot be written"):
        write_checkpoint(tmp_path / "weights" / "net", made())
