"""Runs that are ended: nothing goes on without them, nothing is lost."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from brightness import on_cores, sweep_text
from clusters import processes, soon, trainers, trainings
from console import contents, curves, finish, query, wait_until

import mbsweep
from mbsweep.sweep.sweep import parse_sweep

SCRIPT = """\
import pathlib, signal, sys
sys.path += sys.argv[4:]
signal.signal(signal.SIGINT, signal.default_int_handler)
import clusters
clusters.run(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3])
"""


@pytest.fixture
def started():
    """Call it for a run in a process of its own, which does not outlive the test."""
    processes = []

    def start(text, folder, address):
        words = [sys.executable, "-c", SCRIPT, text, folder, address, *sys.path]
        processes.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


def epochs(folder):
    """How many are in the store."""
    with suppress(Exception):
        return query(folder, "SELECT count(*) FROM epochs")[0][0]
    return 0


def bridges(cache):
    """Processes that speak with Ray for runs that have this cache."""
    name, module = f"MBSWEEP_CACHE={cache}", "mbsweep.accuracy.cluster.bridge"
    return processes(lambda environ, parent, words: name in environ and module in words)


def test_a_run_that_is_ended_goes_on_with_and_without_the_cluster(
    cluster, nodes, started, images, undisturbed, own_cache, tmp_path
):
    """By Ctrl-C, then by SIGKILL: each time all that ran for it ends, there and here."""
    there, text, folder = nodes()["cache"], sweep_text(images), tmp_path / "run"
    for sent, so_many in ((signal.SIGINT, 2), (signal.SIGKILL, 5)):
        process = started(text, folder, cluster.address)
        wait_until(lambda so_many=so_many: epochs(folder) >= so_many, process)
        process.send_signal(sent)
        _, _, err = finish(process)
        assert ("KeyboardInterrupt" in err) == (sent == signal.SIGINT)
        soon(lambda: not trainers(there) and not bridges(own_cache))
        assert so_many <= epochs(folder) < 12
        assert curves(folder).items() <= curves(undisturbed).items()
    with on_cores(2):
        mbsweep.run(parse_sweep(text, "trained"), folder, jobs=2)
    assert curves(folder) == curves(undisturbed)
    assert trainings(folder) == trainings(undisturbed)


def test_a_cluster_of_its_own_goes_with_the_run(started, images, undisturbed, own_cache, tmp_path):
    """Killed, it takes all of Ray with it, and Ray's files, which were never in the run's folder."""
    folder = tmp_path / "run"
    process = started(sweep_text(images), folder, "local")
    wait_until(lambda: epochs(folder) >= 2, process)
    (bridge,) = bridges(own_cache)
    place = Path(json.loads(Path(f"/proc/{bridge}/cmdline").read_text().split("\0")[-2])["folder"])
    assert users(place)
    process.kill()
    finish(process)
    soon(lambda: not trainers(own_cache) and not bridges(own_cache))
    soon(lambda: not place.exists() and not users(place))
    assert {path.partition("/")[0] for path in contents(folder)} <= {
        "lock",
        "run.sqlite",
        "run.sqlite-wal",
        "run.sqlite-shm",
        "run.sqlite-journal",
        "weights",
    }
    assert curves(folder).items() <= curves(undisturbed).items()


def users(folder):
    """Processes that have a file open there."""
    files = Path("/proc").glob("[0-9]*/fd/*")
    return [file for file in files if read_link(file).startswith(f"{folder}/")]


def read_link(path):
    """Where it leads; nowhere where its process has ended meanwhile."""
    with suppress(OSError):
        return os.readlink(path)
    return ""
