"""The process that ends what is left of a cluster of a run's own, however the run ended.

Where everything is killed at once, some of Ray's processes wait for others that have gone. Those are told by
the files that they have open in the cluster's folder, which is removed, too. Loads nothing of mbsweep's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

_LIMIT_S = 10.0


def watched(folder: str) -> subprocess.Popen[bytes]:
    """Start it: it waits until the process that has called this has ended."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", __file__, folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def clear(folder: str) -> None:
    """End what has files open there, and remove it."""
    until = time.monotonic() + _LIMIT_S
    while (left := _users(folder)) and time.monotonic() < until:
        for process in left:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


def _users(folder: str) -> list[int]:
    """Numbers of the processes that have a file open in a folder."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # macOS has none
        if name.isdigit() and int(name) != os.getpid():
            with suppress(OSError):  # it has ended meanwhile, or is another user's
                for number in os.listdir(f"/proc/{name}/fd"):
                    if os.readlink(f"/proc/{name}/fd/{number}").startswith(folder + "/"):
                        found.append(int(name))
                        break
    return found


if __name__ == "__main__":
    sys.stdin.buffer.read()  # until its other end is closed
    time.sleep(0.5)  # Ray ends most by itself
    clear(sys.argv[1])
