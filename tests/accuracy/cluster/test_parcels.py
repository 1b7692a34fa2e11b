"""What nodes are sent: once, by content."""

import os
import time
from pathlib import Path

import pytest

from mbsweep.accuracy.cluster.parcels import Receiver, Sender
from mbsweep.base.errors import MbsweepError


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
