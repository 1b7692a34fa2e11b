"""What nodes are sent: a supernet's file, weights to begin with; once, by content."""

import os
import shutil
import time
from pathlib import Path

import pytest
from brightness import RECIPE, SMALL, SPACE, on_cores, sweep_text
from clusters import run, trainings
from console import curves, execute, query

import mbsweep
from mbsweep.accuracy.cluster.parcels import Receiver, Sender
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.base.errors import MbsweepError
from mbsweep.sweep.sweep import parse_sweep


def taken_in(parcel, receiver=None, pieces=2):
    """Whether it had to be sent, as a seat and the bridge do it."""
    receiver = receiver or Receiver()
    if not receiver.lacks(parcel.as_dict()):
        return False
    content = Path(parcel.source).read_bytes()
    size = -(-len(content) // pieces)
    for start in range(0, len(content), size):
        receiver.take(content[start : start + size])
    receiver.keep()
    return True


@pytest.fixture
def parcel(tmp_path):
    """A file that is to be sent."""
    path = tmp_path / "net.safetensors"
    path.write_bytes(bytes(range(256)) * 100)
    return Sender().of_files([path])[0]


def test_a_file_is_sent_once(parcel, own_cache):
    """It lies under its content's hash with its own name; damaged or lost, it is sent again."""
    there = own_cache / "sent" / parcel.sha256 / "net.safetensors"
    assert taken_in(parcel)
    assert there.read_bytes() == Path(parcel.source).read_bytes()
    assert not taken_in(parcel)
    damaged = bytearray(there.read_bytes())
    damaged[1000] ^= 1
    there.write_bytes(damaged)
    assert taken_in(parcel)
    there.unlink()
    assert taken_in(parcel)
    assert there.read_bytes() == Path(parcel.source).read_bytes()
    assert [path.name for path in there.parent.iterdir()] == ["net.safetensors"]


def test_what_is_cut_short_or_damaged_on_its_way_does_not_count(parcel, own_cache):
    """Nothing of it is left."""
    receiver = Receiver()
    assert receiver.lacks(parcel.as_dict())
    receiver.take(b"beginning")
    with pytest.raises(MbsweepError, match="what arrived is damaged"):
        receiver.keep()
    receiver.forget()
    assert list((own_cache / "sent" / parcel.sha256).iterdir()) == []
    assert taken_in(parcel, receiver)


def test_what_nobody_has_asked_for_in_a_month_is_removed(parcel, own_cache, tmp_path):
    """When the next file arrives; not a data set."""
    taken_in(parcel)
    other = tmp_path / "other"
    other.write_text("another")
    known = own_cache / "sent" / f"{parcel.sha256}.json"
    os.utime(known, (time.time() - 40 * 24 * 3600,) * 2)
    taken_in(Sender().of_files([other])[0])
    assert not known.exists()
    assert not (own_cache / "sent" / parcel.sha256).exists()


def test_a_supernet_is_tested_there(cluster, nodes, images, tmp_path):
    """With the numbers of a local run, as is what it is compared with."""
    cache = Path(nodes()["cache"])
    text = f"""\
space: {{{SPACE}}}
accuracy:
  source: supernet
  dataset: {{name: imagefolder, path: "{images}"}}
  recipe: {{{RECIPE}}}
  alone: {{count: 1, recipe: {{{RECIPE}}}}}
"""
    local, there = tmp_path / "local", tmp_path / "there"
    with on_cores(2):
        mbsweep.run(parse_sweep(text, "trained"), local, jobs=2)
    shutil.copytree(local, there)
    for rows in ("trainings", "validations", "accuracies", "epochs WHERE source NOT LIKE 'one supernet%'"):
        execute(there, f"DELETE FROM {rows}")  # noqa: S608
    run(text, there, cluster.address)
    tested = "SELECT source, variant, seed, state, epochs, threads, correct FROM trainings"
    assert sorted(query(there, tested)) == sorted(query(local, tested))
    assert len(query(there, tested)) == 3
    values = "SELECT * FROM validations"
    assert sorted(query(there, values)) == sorted(query(local, values))
    (sent,) = (cache / "sent").glob("*/*")
    assert sent.name.startswith("supernet_")


def test_trainings_begin_there_from_weights_that_were_sent(cluster, nodes, images, undisturbed, tmp_path):
    """With the numbers of a local run; what their files say of the weights is the same, too. The run comes
    through ray://.
    """
    cache = Path(nodes()["cache"])
    (weights,) = (undisturbed / "weights").glob(f"*/{SMALL}_seed0.safetensors")
    start = shutil.copy(weights, tmp_path / "begin.safetensors")
    space = "width: 0.1, resolution: 16, depth: 0, num_classes: 3"
    text = sweep_text(images, seeds="[5]", recipe=f'{RECIPE}, start: "{start}"', space=space)
    local, there = tmp_path / "local", tmp_path / "there"
    with on_cores(2):
        mbsweep.run(parse_sweep(text, "trained"), local, jobs=2)
    run(text, there, cluster.client_address)
    assert curves(there) == curves(local)
    assert trainings(there) == trainings(local)
    one, other = (open_checkpoint(next(folder.glob("weights/*/*"))).about for folder in (there, local))
    assert one == other
    assert [path.name for path in (cache / "sent").glob("*/*")] == ["begin.safetensors"]
