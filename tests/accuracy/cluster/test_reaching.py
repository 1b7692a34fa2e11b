"""Nobody is waited for who is not there, and what is not let in is told what to do."""

import http.server
import socket
import threading

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


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_what_is_not_ray_is_not_waited_for(scheme):
    """Something else listens at the port: Ray would ask there for two minutes."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        address = f"{scheme}127.0.0.1:{server.server_port}"
        with pytest.raises(MbsweepError, match=f"what is at {address} is no Ray cluster; name the port of"):
            connecting.reach(address)


def test_a_cluster_is_known_by_how_it_begins(cluster):
    """A real head's port passes."""
    connecting.reach(cluster.address)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("", "if it asks for a token, set RAY_AUTH_MODE=token here, too"),
        ("token", "does it ask for another token than ~/.ray/auth_token here"),
    ],
)
def test_who_is_not_let_in_hears_of_the_token(mode, words, monkeypatch):
    """Ray says of a cluster that asks for a token only that it cannot be connected to."""

    def refuse(**asked):
        raise ConnectionError(f"Failed to connect to Ray cluster at {asked['address']}")

    monkeypatch.setattr("ray.init", refuse)
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with pytest.raises(MbsweepError, match=rf"cluster at head:6379 cannot be used: .* at head:6379; {words}"):
        connecting.connect("head:6379", None)


def test_what_goes_wrong_behind_the_door_is_no_matter_of_tokens(monkeypatch):
    """The last line of what Ray 2.60 says where the head is too busy to start a process for ray://."""
    traceback = (
        "Initialization failure from server:\nTraceback (most recent call last):\n"
        '  File "proxier.py", line 772, in Datapath\n    raise RuntimeError(\n'
        "RuntimeError: Starting Ray client server failed. See ray_client_server_23000.err for logs.\n"
    )

    def fail(**asked):
        raise ConnectionAbortedError(traceback)

    monkeypatch.setattr("ray.init", fail)
    with pytest.raises(MbsweepError) as raised:
        connecting.connect("ray://head:10001", None)
    assert str(raised.value) == (
        "the Ray cluster at ray://head:10001 cannot be used: ConnectionAbortedError: RuntimeError: "
        "Starting Ray client server failed. See ray_client_server_23000.err for logs."
    )
