"""What takes long to make and is not changed: made once, by the worker of a session that needs it first."""

import fcntl
import os
import shutil
from pathlib import Path


def shared_folder(tmp_path_factory):
    """One for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made_once"
    folder.mkdir(exist_ok=True)
    return folder


def made_once(tmp_path_factory, name, make):
    """The folder that `make(folder)` has filled; the other workers wait for it. `make` makes the folder."""
    folder = shared_folder(tmp_path_factory) / name
    done = folder.with_name(f"{folder.name}.done")
    folder.parent.mkdir(exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
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
