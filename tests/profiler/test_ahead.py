"""The second preparing process: what it does in advance, and that nothing is left of it."""

import time
from pathlib import Path

import pytest
import stand_in

from mbsweep import Variant
from mbsweep.profiler import worker
from mbsweep.profiler.ahead import Ahead
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.subject import Subject

SUBJECTS = [Subject.of(Variant(width=0.25, resolution=resolution)) for resolution in (32, 33, 34)]
NAMES = [subject.name for subject in SUBJECTS]


@pytest.mark.parametrize("fault", [None, "raises"])
def test_networks_are_prepared_from_the_other_end(fault, tmp_path, monkeypatch):
    """The last first; one that fails is told where it counts, and the next is prepared."""
    log = tmp_path / "log"
    spoils = {NAMES[2]: fault} if fault else {}
    monkeypatch.setattr(worker, "COMMAND", stand_in.toy(spoils, log=log))
    with Ahead(LatencyConfig(backend="executorch"), SUBJECTS):
        _wait_for(lambda: _logged(log) == NAMES[::-1])


@pytest.mark.parametrize("fault", ["hangs", "segfault"])
def test_nothing_is_left_when_its_context_ends(fault, tmp_path, monkeypatch):
    """At once and without an error, also in the middle of a long preparation or after a crash."""
    log = tmp_path / "log"
    monkeypatch.setattr(worker, "COMMAND", stand_in.toy({NAMES[2]: fault}, log=log))
    start = time.monotonic()
    with Ahead(LatencyConfig(backend="executorch"), SUBJECTS) as ahead:
        _wait_for(lambda: _logged(log)[:1] == NAMES[:1:-1])
    assert time.monotonic() - start < 60
    assert not ahead._thread.is_alive()
    assert ahead._worker._process.poll() is not None


def _logged(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def _wait_for(condition, timeout_s=30):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)
