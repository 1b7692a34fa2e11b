"""Prepared files are made once per content, and found again only where nothing that matters has changed."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from console import as_a_plain_user, contents
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mbsweep.base.cache import cache_dir, cached, content_key, lasting_cache_dir


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of this test's own."""
    monkeypatch.setenv("MBSWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def network(stride=1, bias=True):
    """A small network, always with the same weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=stride, bias=bias), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
    )


IMAGE = np.zeros((1, 3, 8, 8), np.float32)
KEY = "0123abcd"


def test_a_key_is_the_same_again():
    """The same network built twice, or built by another process, has the same key; so has another image
    of the same shape, whose values do not matter."""
    key = content_key(network(), IMAGE, "int8", "onnxruntime 1.23")
    assert content_key(network(), IMAGE + 1, "int8", "onnxruntime 1.23") == key
    script = (
        "import sys; sys.path.insert(0, 'tests/base'); import test_cache as t\n"
        "print(t.content_key(t.network(), t.IMAGE, 'int8', 'onnxruntime 1.23'))"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    path = os.pathsep.join([root, os.path.join(root, "tests")])
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == key


def names_and_places():
    return [
        (name, place) for name, tensor in network().state_dict().items() for place in range(tensor.numel())
    ]


@settings(max_examples=60)
@given(st.sampled_from(names_and_places()))
def test_any_weight_changes_the_key(name_and_place):
    """Also a bias, a running statistic or a counter, by the least bit."""
    name, place = name_and_place
    changed = network()
    flat = changed.state_dict()[name].view(-1)
    with torch.no_grad():
        if flat.is_floating_point():
            flat[place] = torch.nextafter(flat[place], torch.tensor(torch.inf))
        else:
            flat[place] += 1
    assert content_key(changed, IMAGE) != content_key(network(), IMAGE)


CHANGES = {
    "batch": (network(), np.zeros((2, 3, 8, 8), np.float32), ("int8",)),
    "resolution": (network(), np.zeros((1, 3, 9, 9), np.float32), ("int8",)),
    "a setting": (network(), IMAGE, ("bf16",)),
    "one setting more": (network(), IMAGE, ("int8", "")),
    "settings put together": (network(), IMAGE, ("int", "8")),
    "no setting": (network(), IMAGE, ()),
    "a stride, with the same weights": (network(stride=2), IMAGE, ("int8",)),
    "no bias": (network(bias=False), IMAGE, ("int8",)),
    "a layer without weights": (nn.Sequential(*network(), nn.Flatten()), IMAGE, ("int8",)),
    "another activation": (
        nn.Sequential(*list(network())[:2], nn.ReLU6(), nn.Flatten()),
        IMAGE,
        ("int8",),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_shape_structure_or_setting_changes_the_key(change):
    """Whatever the prepared file depends on beside the weights."""
    module, image, words = CHANGES[change]
    assert content_key(module, image, *words) != content_key(network(), IMAGE, "int8")


def test_all_these_keys_are_different():
    """No two of the changed networks share a key."""
    assert len({content_key(module, image, *words) for module, image, words in CHANGES.values()}) == len(
        CHANGES
    )


def test_a_file_is_made_once(cache):
    """The second time it is read; another key or ending is another file; nothing else is left behind."""
    made = []

    def make():
        made.append(len(made))
        return b"made %d" % made[-1]

    assert [cached(KEY, "onnx", make) for _ in range(3)] == [b"made 0"] * 3
    assert cached(KEY, "pte", make) == b"made 1"
    assert cached("4567", "onnx", make) == b"made 2"
    assert cached(KEY, "onnx", make) == b"made 0"
    assert {name: content.partition(b"\n")[2] for name, content in contents(cache).items()} == {
        f"files/{KEY}.onnx": b"made 0",
        f"files/{KEY}.pte": b"made 1",
        "files/4567.onnx": b"made 2",
    }


@settings(max_examples=20)
@given(st.binary(max_size=2000))
def test_files_come_back_as_they_were_made(data):
    """Any bytes, none included."""
    key = f"k{len(data)}-{hash(data)}"
    assert cached(key, "bin", lambda: data) == data
    assert cached(key, "bin", lambda: pytest.fail("made again")) == data


def test_a_network_that_cannot_be_made_leaves_nothing(cache):
    """The error is the maker's own, and the next time it is tried again."""

    def fails():
        raise ValueError("cannot be quantised")

    with pytest.raises(ValueError, match="cannot be quantised"):
        cached(KEY, "onnx", fails)
    assert contents(cache) == {}
    assert cached(KEY, "onnx", lambda: b"made") == b"made"


def test_the_cache_may_be_deleted_at_any_time(cache):
    """Also while files are made: they are made again."""
    assert cached(KEY, "onnx", lambda: b"first") == b"first"
    (cache / "files" / f"{KEY}.onnx").unlink()
    (cache / "files").rmdir()
    assert cached(KEY, "onnx", lambda: b"second") == b"second"


def test_threads_that_make_the_same_file_all_have_a_whole_one(cache):
    """Eight at once, each with bytes of its own: each gets a whole file, one stays, no half is ever seen."""
    barrier = threading.Barrier(8)
    whole = {bytes([number]) * 1_000_000 for number in range(8)}
    found = []

    def one(number):
        def make():
            barrier.wait()  # all have looked before any has written
            return bytes([number]) * 1_000_000

        found.append(cached(KEY, "onnx", make))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) <= whole
    assert list(contents(cache)) == [f"files/{KEY}.onnx"]
    assert cached(KEY, "onnx", lambda: b"again") in whole


WRITE_MANY = """
import contextlib, sys
from mbsweep.base.cache import cache_dir, cached
key, byte = sys.argv[1], bytes([int(sys.argv[2])])
for _ in range(50):
    data = cached(key, "onnx", lambda: byte * 300_000)
    assert len(data) == 300_000
    assert len(set(data)) == 1
    with contextlib.suppress(FileNotFoundError):
        (cache_dir() / "files" / f"{key}.onnx").unlink()
"""


def test_processes_that_make_and_delete_the_same_file_see_whole_ones(cache):
    """Four processes, while the file is deleted under them: no error, no half file, no rest."""
    words = [sys.executable, "-c", WRITE_MANY, KEY]
    processes = [subprocess.Popen([*words, str(number)]) for number in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert set(contents(cache)) <= {f"files/{KEY}.onnx"}


def test_the_cache_is_where_it_was_told(monkeypatch, tmp_path):
    """MBSWEEP_CACHE before XDG_CACHE_HOME before ~/.cache; empty is not set."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "cache"
    cached(KEY, "onnx", lambda: b"made")
    assert list(contents(tmp_path)) == [f"cache/files/{KEY}.onnx"]
    monkeypatch.setenv("MBSWEEP_CACHE", "")
    assert cache_dir() == tmp_path / "xdg" / "mbsweep"
    monkeypatch.delenv("MBSWEEP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_dir() == tmp_path / "home" / ".cache" / "mbsweep"


DAMAGES = {
    "a bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "the first 100 bytes": lambda data: data[:100],
    "a byte less": lambda data: data[:-1],
    "a byte more": lambda data: data + b" ",
    "nothing": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "of an earlier mbsweep": lambda data: data.partition(b"\n")[2],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_made_anew(damage, cache):
    """Whatever became of it, nobody gets it; and the next time the new one is found."""
    content = bytes(range(256)) * 4
    assert cached(KEY, "onnx", lambda: content) == content
    path = cache / "files" / f"{KEY}.onnx"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert cached(KEY, "onnx", lambda: b"anew") == b"anew"
    assert cached(KEY, "onnx", lambda: pytest.fail("made again")) == b"anew"


UNUSABLE = """
import sys
from mbsweep.base.cache import cache_dir, cached
for key in ("one", "two"):
    print(cached(key, "onnx", lambda: b"made").decode(), cached(key, "onnx", lambda: b"anew").decode())
print(cache_dir())
"""


def unusable(before=(), **environment):
    """What a process says whose cache cannot be had; it makes two files, and finds both again."""
    environment = {name: text for name, text in (os.environ | environment).items() if text is not None}
    done = subprocess.run(
        [*before, sys.executable, "-c", UNUSABLE], capture_output=True, text=True, check=True, env=environment
    )
    *lines, folder = done.stdout.splitlines()
    assert lines == ["made made"] * 2
    assert not os.path.exists(folder)  # it went with the process
    assert done.stderr.count("\n") == 1
    return done.stderr


ADVICE = "; what takes long is made anew by each command: set MBSWEEP_CACHE to a writable folder\n"


def test_a_cache_that_is_a_file_costs_time_only(cache):
    """It stays as it is; what is made is kept for the process."""
    cache.write_bytes(b"mine")
    assert unusable() == f"warning: the cache {cache} cannot be used: File exists{ADVICE}"
    assert cache.read_bytes() == b"mine"


def test_a_cache_that_cannot_be_made_costs_time_only():
    """Where the system lets nobody write."""
    said = unusable(MBSWEEP_CACHE="/proc/mbsweep")
    assert said == f"warning: the cache /proc/mbsweep cannot be used: No such file or directory{ADVICE}"


@pytest.mark.parametrize("place", ["", "files"])
def test_a_read_only_cache_costs_time_only(place, cache):
    """It, or a folder in it, has no write permission: nothing changes there."""
    cached("kept", "onnx", lambda: b"kept")
    (cache / place).chmod(0o555)
    before = contents(cache)
    said = unusable(before=as_a_plain_user())
    assert said == f"warning: the cache {cache} cannot be used: Permission denied{ADVICE}"
    assert contents(cache) == before
    (cache / place).chmod(0o755)


def test_a_read_only_home_costs_time_only(tmp_path):
    """No cache can be made in it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o555)
    said = unusable(as_a_plain_user(), MBSWEEP_CACHE=None, XDG_CACHE_HOME=None, HOME=str(tmp_path / "home"))
    folder = tmp_path / "home" / ".cache" / "mbsweep"
    assert said == f"warning: the cache {folder} cannot be used: Permission denied{ADVICE}"


def test_without_a_home_the_cache_is_temporary(monkeypatch, capsys):
    """HOME is not set, and the system does not know the user, as in a container with a number for one."""

    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("MBSWEEP_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    folder = cache_dir()
    assert folder.is_dir()
    assert capsys.readouterr().err == f"warning: the cache cannot be used: there is no home folder{ADVICE}"
    # What this process starts uses it, too, and nothing is said twice.
    assert os.environ["MBSWEEP_CACHE"] == str(folder)
    assert cache_dir() == folder
    assert capsys.readouterr().err == ""


FULL = f"""
import resource
from mbsweep.base.cache import cached
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
assert len(cached("{KEY}", "onnx", lambda: bytes(5000))) == 5000
"""


def test_a_cache_that_can_be_used_lasts_whatever_was_before(cache, monkeypatch):
    """Also where the same process had to do with a temporary one first."""
    monkeypatch.setenv("MBSWEEP_CACHE", "/dev/null/cache")
    assert cache_dir() != cache
    monkeypatch.setenv("MBSWEEP_CACHE", str(cache))
    assert lasting_cache_dir() == cache


def test_a_full_disk_costs_time_only_and_is_not_filled_further(cache):
    """The kernel refuses the 1001st byte: the file is used and not kept, and nothing of it is left."""
    subprocess.run([sys.executable, "-c", FULL], check=True)
    assert contents(cache) == {}
    assert cached(KEY, "onnx", lambda: b"made") == b"made"
