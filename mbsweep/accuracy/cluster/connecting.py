"""Reaching a cluster, and one line where that fails."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import secrets
import socket
from contextlib import suppress
from typing import Any

from mbsweep.base.cores import usable_cores
from mbsweep.base.errors import MbsweepError, one_line

LOCAL, AUTO = "local", "auto"
INSTALL = "pip install 'mbsweep[ray]'"
_OLDEST = (2, 40)
CLIENT, _CLIENT_PORT = "ray://", 10001
_REACHED_S = 5.0
_STORE_BYTES = 200_000_000  # of a cluster of our own: checkpoints pass through it

_NONE_HERE = (
    "no Ray cluster runs on this machine; start one with `ray start --head`, name the HOST:PORT of another, "
    "or say local"
)

_AUTH, _TOKEN = "RAY_AUTH_MODE", "token"
# How a client of HTTP/2 begins, and then each server: with settings. Ray's ports speak gRPC, which is HTTP/2.
_SETTINGS = 4
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0])

# Of the process that connects.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # or what is asked of a cluster that has gone starts another, here
    # A run that has gone does not come back: what it has on a cluster behind ray:// ends at once.
    "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "0",
    "RAY_GCS_SERVER_REQUEST_TIMEOUT_SECONDS": "20",  # in place of a minute
    # Of each log of a cluster of our own, in place of half a gigabyte.
    "RAY_ROTATION_MAX_BYTES": str(10_000_000),
    "RAY_ROTATION_BACKUP_COUNT": "1",
}


def environment(address: str) -> dict[str, str]:
    """What the process that connects has besides this one's environment."""
    if address != LOCAL:
        return _ENVIRONMENT
    # Its ports are open to all who reach this machine, so there is a token, of this run alone. Ray would
    # write one into the user's home: from then on every `ray start` asks for it, and no ADDRESS sends it.
    return _ENVIRONMENT | {_AUTH: _TOKEN, "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def check_installed() -> None:
    """MbsweepError where Ray is not here, or too old."""
    if importlib.util.find_spec("ray") is None:
        raise MbsweepError(f"--ray needs Ray, which is not installed; run: {INSTALL}")
    version = importlib.metadata.version("ray")
    if tuple(map(int, version.split(".")[:2])) < _OLDEST:
        raise MbsweepError(
            f"--ray needs Ray {'.'.join(map(str, _OLDEST))}, and has {version}; run: {INSTALL}"
        )


def reach(address: str) -> None:
    """MbsweepError where nobody listens at an address, or not Ray: that would try for minutes itself."""
    if address in (LOCAL, AUTO):
        return
    host, colon, port = address.removeprefix(CLIENT).rpartition(":")
    if not colon and address.startswith(CLIENT):
        host, port = port, str(_CLIENT_PORT)
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise MbsweepError(
            f"--ray is {address!r}; expected {LOCAL}, {AUTO}, or a cluster's HOST:PORT or ray://HOST:PORT"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACHED_S) as there:
            is_ray = "RAY_USE_TLS" in os.environ or _is_ray(there)
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or error
        raise MbsweepError(
            f"nobody is at {address}: {reason}; start a cluster there with `ray start --head`, or name "
            "another"
        ) from None
    if not is_ray:
        raise MbsweepError(
            f"what is at {address} is no Ray cluster; name the port of `ray start --head --port=..`, or with "
            f"ray:// its --ray-client-server-port ({_CLIENT_PORT} unless it was told another)"
        )


def _is_ray(there: socket.socket) -> bool:
    """Whether who is there speaks as Ray does. OSError where nothing is said in time."""
    there.sendall(_HELLO)
    said = b""
    while len(said) <= 3 and (more := there.recv(64)):
        said += more
    return said[3:4] == bytes([_SETTINGS])


def connect(address: str, folder: str | None) -> None:
    """Be a driver of the cluster. folder: for the files of one of our own. MbsweepError where that fails."""
    import ray

    asked: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        asked |= {"num_cpus": usable_cores(), "object_store_memory": _STORE_BYTES}
        asked |= {"include_dashboard": False, "_temp_dir": folder}
    if address == AUTO and not _is_there(_last_here()):
        raise MbsweepError(_NONE_HERE)
    try:
        ray.init(**asked)
    except Exception as error:
        raise MbsweepError(_failed(address, error)) from None


def _last_here() -> str:
    """Where Ray would look for the cluster that runs here, and for minutes: also for one that ended without a
    word. Empty where that is not known.
    """
    with suppress(Exception):  # no part of Ray's interface
        from ray._private import services

        return str(services.get_ray_address_from_environment(AUTO, None))
    return ""


def _is_there(address: str) -> bool:
    """Whether somebody listens there, as far as that is known."""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdecimal():
        return True
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHED_S).close()
    except OSError:
        return False
    return True


def _failed(address: str, error: Exception) -> str:
    is_let_in = "Traceback" in str(error)  # of what went wrong there, behind ray://
    said = one_line(str(error).strip().splitlines()[-1] if is_let_in else error, 400)
    if address == AUTO and isinstance(error, ConnectionError):
        return _NONE_HERE
    if "ersion mismatch" in said:
        return f"the cluster at {address} has another version of Ray or Python: {said}"
    if address != LOCAL and ("No node info" in said or "this IP address" in said):
        return (
            f"this machine is no node of the cluster at {address}: run `ray start --address={address} "
            f"--num-cpus=0` here, or say ray://HOST:{_CLIENT_PORT}"
        )
    if type(error).__name__ == "AuthenticationError":
        return (
            f"{_AUTH} is {_TOKEN}, and there is no token on this machine; copy ~/.ray/auth_token from the "
            f"head of the cluster at {address}"
        )
    hint = ""
    if isinstance(error, ConnectionError) and address != LOCAL and not is_let_in:
        hint = "; " + _hint(address)
    return f"the Ray cluster at {address} cannot be used: {type(error).__name__}: {said}{hint}"


def _hint(address: str) -> str:
    """What may keep Ray from a cluster though somebody is there: Ray does not say which."""
    hint = f"does it ask for another token than ~/.ray/auth_token here? {_AUTH} is {_TOKEN}"
    if os.environ.get(_AUTH, "").lower() != _TOKEN:
        hint = f"if it asks for a token, set {_AUTH}={_TOKEN} here, too"
    if address.startswith(CLIENT):
        hint += f"; ray:// has a port of its own, {_CLIENT_PORT} unless `ray start` was told another"
    return hint
