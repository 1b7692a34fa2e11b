"""Nobody is waited for who is not there."""

import socket

import pytest

from mbsweep.accuracy.cluster import connecting
from mbsweep.base.errors import MbsweepError


def test_a_cluster_that_has_gone_is_not_waited_for(monkeypatch):
    """Ray keeps the address of the last cluster of a machine, also of one that has gone without a word.

    It would ask there for two minutes.
    """
    from ray._private import services

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        gone = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setattr(services, "get_ray_address_from_environment", lambda address, folder: gone)
        with pytest.raises(MbsweepError, match="no Ray cluster runs on this machine; start one with"):
            connecting.connect("auto", None)
