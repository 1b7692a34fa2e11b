"""What all tests share: how hypothesis runs here, and one small real run."""

import pytest
from hypothesis import HealthCheck, settings

import mbsweep

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


@pytest.fixture(scope="session")
def tiny_sweep(tmp_path_factory):
    """A sweep file of 3 networks x 2 backends x 3 rounds. Not to be changed."""
    path = tmp_path_factory.mktemp("sweeps") / "tiny.yaml"
    path.write_text(TINY_SWEEP, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_sweep, tmp_path_factory):
    """The folder of a finished, measured run of `tiny_sweep`. Not to be changed: copy it first."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    done = mbsweep.run(mbsweep.load_sweep(tiny_sweep), folder)
    assert done.failures() == {}
    return folder
