"""What takes long to make and is not changed: made once, by the worker of a session that needs it first."""

import fcntl
import os
import shutil
from pathlib import Path


def made_once(tmp_path_factory, name, make):
    """The folder that `make(folder)` has filled; the other workers wait for it. `make` makes the folder."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / "made_once" / name, base / "made_once" / f"{name}.done"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


def copy_of(tmp_path_factory, name, make):
    """The same as a copy of this worker's own, for what others must not open at the same time."""
    made = made_once(tmp_path_factory, name, make)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("copies") / name))
