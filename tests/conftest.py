"""What all tests share: how hypothesis runs here, caches of their own, and one small real run."""

import atexit
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Where memory has room for them and TMPDIR does not say otherwise, temporary files lie there: each visit of a
# run is committed, and a disk takes up to 20 ms for that. A process that is killed loses no more for it.
MEMORY, ROOM_BYTES = Path("/dev/shm"), 6 << 30  # noqa: S108


def has_room(folder):
    """Is it there, may programs be started from it, and is it large?"""
    if not os.access(folder, os.W_OK):
        return False
    found = os.statvfs(folder)
    return not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize > ROOM_BYTES


if "TMPDIR" not in os.environ and has_room(MEMORY):  # set for xdist's workers, too
    os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(dir=MEMORY, prefix="mbsweep-tests-")
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)

# A machine either trains or measures; what has the same temporary folder is on the same machine. A worker is
# not to wait for the tests of another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix=os.environ["PYTEST_XDIST_WORKER"])
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)

gc.disable()  # while so much is loaded: it is enabled before the first test

# Hundreds of processes are started: each would compile mbsweep anew, and each worker the tests, where the
# environment forbids to keep what Python compiles.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Two threads of NumPy's would share a core with another worker, each spinning while it waits for the other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Nor are two of torch's to spin, where a test is the first to load it, or starts a command that does: beside
# another worker, 1,000 images took ten times as long. Workers that time and train have settings of their own.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# What is slow to make and kept by content, so that whoever made it does not matter: of all workers.
SLOW_TO_MAKE = ("files", "inductor")
if "MBSWEEP_TESTS_MADE" not in os.environ:  # set for xdist's workers, too
    os.environ["MBSWEEP_TESTS_MADE"] = tempfile.mkdtemp(prefix="mbsweep-tests-")
    atexit.register(shutil.rmtree, os.environ["MBSWEEP_TESTS_MADE"], ignore_errors=True)


def new_cache(folder):
    """A cache that has what is slow to make, whoever makes it, and else nothing."""
    for name in SLOW_TO_MAKE:
        made = Path(os.environ["MBSWEEP_TESTS_MADE"], name)
        made.mkdir(exist_ok=True)
        (folder / name).symlink_to(made)
    return folder


# No test reads or writes the user's cache. This one is that of the fixtures that several tests share; it is
# set before mbsweep is imported, and what a test starts inherits it.
CACHE = new_cache(Path(tempfile.mkdtemp(prefix="mbsweep-tests-")))
os.environ["MBSWEEP_CACHE"] = str(CACHE)
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)

from brightness import on_cores, sweep_text, write_images  # noqa: E402
from sharing import copy_of, made_once  # noqa: E402
from warm import Starter  # noqa: E402

import mbsweep  # noqa: E402
from mbsweep.base import child  # noqa: E402
from mbsweep.sweep.sweep import parse_sweep  # noqa: E402

child.subprocess = Starter()

# A shell starts its background jobs with SIGINT ignored, and so would start what is interrupted in a test.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Without a deadline, because a shared machine may stall for seconds.
settings.register_profile("mbsweep", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mbsweep")

# Two networks with a published accuracy and, at 32 px, one without.
TINY_SWEEP = """\
title: Tiny
description: Three networks, as small as they come.
space:
  width: [0.25]
  resolution: [160, 128, 32]
latency:
  - {backend: onnxruntime, rounds: 3, visit_ms: 1}
  - {backend: torch, rounds: 3, visit_ms: 1}
accuracy: {source: published, table: tf-slim-2018-08-02}
"""


# Begun first: at the end the other workers would wait for them.
LONGEST = ("test_docs.py", "test_kill.py")


def pytest_collection_modifyitems(items):
    """The longest first, then what lowers networks for ExecuTorch: one worker loads that for all of them, in
    5 s. The others stay in their order.
    """
    lowering = [item for item in items if {"executorch", "pte"} & set(re.split(r"[^a-z]", item.nodeid))]
    items.sort(key=lambda item: (item.path.name not in LONGEST, item not in lowering))
    gc.freeze()  # what is loaded by now is there to the end: no need to look through it again and again
    gc.set_threshold(50_000, 20, 20)  # nor so often through the rest: a twentieth of the time
    gc.enable()


@pytest.fixture
def own_denormals():
    """ONNX Runtime flushes denormals in the thread that makes a session, here that of all further tests: not
    for those, please. Hypothesis, for one, makes floats next to 0. Nor are they to be as exact as a training.
    """
    yield
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_flush_denormal(False)
        torch.set_deterministic_debug_mode("default")


@pytest.fixture(autouse=True)
def one_thread():
    """Each core has a worker: torch in a test's own process has one thread, unless the test asks for more."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def own_start(monkeypatch):
    """Workers are started as for a user, and load for themselves what they need: see warm.py."""
    monkeypatch.setattr(child, "subprocess", subprocess)


@pytest.fixture
def one_core():
    """Other tests are busy on the other cores: two threads of one call would wait for each other there."""
    cores = sorted(os.sched_getaffinity(0))
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.sched_setaffinity(0, {cores[place % len(cores)]})
    yield
    os.sched_setaffinity(0, cores)


@pytest.fixture(autouse=True)
def own_cache(own_denormals, monkeypatch):  # in this order: what a test has patched is put right first
    """A cache of the test's own, so that no test knows what another has measured: blocks, yardsticks.

    Only what is slow to make and the same for all is shared. Not in `tmp_path`: that is the test's. A module
    that has set a cache for all of its tests keeps it.
    """
    if (of_module := os.environ["MBSWEEP_CACHE"]) != str(CACHE):
        return Path(of_module)
    folder = new_cache(Path(tempfile.mkdtemp(dir=CACHE, prefix="of-a-test-")))
    monkeypatch.setenv("MBSWEEP_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_sweep(tmp_path_factory):
    """A sweep file of 3 networks x 2 backends x 3 rounds. Not to be changed."""
    path = tmp_path_factory.mktemp("sweeps") / "tiny.yaml"
    path.write_text(TINY_SWEEP, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_sweep, tmp_path_factory):
    """The folder of a finished, measured run of `tiny_sweep`. Not to be changed: copy it first."""

    def measure(folder):
        done = mbsweep.run(mbsweep.load_sweep(tiny_sweep), folder)
        assert done.failures() == {}

    return copy_of(tmp_path_factory, "tiny", measure)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder of images that are learnt at once. Not to be changed."""
    return made_once(tmp_path_factory, "brightness", write_images)


@pytest.fixture(scope="session")
def undisturbed(images, tmp_path_factory):
    """The folder of a finished run of two networks with two seeds, trained on them by two processes of one
    thread. Not to be changed.
    """

    def train(folder):
        with on_cores(2):
            mbsweep.run(parse_sweep(sweep_text(images), "trained"), folder, jobs=2)

    return copy_of(tmp_path_factory, "undisturbed", train)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Headless Chromium, not started before it is needed."""
    from browsing import Chromium

    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def browser(chromium):
    """The same, for a module."""
    return chromium


@pytest.fixture
def open_page(browser):
    """`with open_page(path) as tab`: in the end, the page has raised, asked and loaded nothing."""
    from browsing import opened

    return partial(opened, browser)


@pytest.fixture(scope="module")
def view(browser):
    """The same in a tab that stays open for the next test of the page, where opening it is not the claim."""
    from browsing import Views

    views = Views(browser)
    yield views
    views.close()
