"""What a node gives to one training at a time: a Ray actor that owns a training process.

An actor, not a task for each training: after every epoch the run decides whether the training goes on
(halving, the budget, stalls), and a process that has loaded PyTorch is worth keeping. It loads no torch
itself: what crashes or fills the memory takes the training's process, as on the run's own machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import ray

from mbsweep.accuracy.cluster.looking import SEATS
from mbsweep.accuracy.cluster.parcels import PIECE_BYTES, Receiver
from mbsweep.accuracy.training.worker import TrainingWorker
from mbsweep.base.cache import cache_dir, lasting_cache_dir
from mbsweep.base.child import AnswerError, CrashError
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import temporary_folder

# {"value": .., "bytes": of the file that goes with it, "piece": its beginning}, {"error": [kind, words]}, or
# {"crash": words}
Answer = dict[str, Any]

# Ray calls what is of one group in one thread, which lives as long as the actor: the training's process ends
# with the thread that has started it.
WORK, FILES, LOOK = "work", "files", "look"
GROUPS = {WORK: 1, FILES: 1, LOOK: 1}

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _in(group: str) -> Callable[[_Method], _Method]:
    decorate: Callable[[_Method], _Method] = ray.method(concurrency_group=group)
    return decorate


class Seat:
    """threads, device: of the training process."""

    def __init__(self, threads: int, device: str) -> None:
        self._threads, self._device = threads, device
        self._stack, self._receiver = ExitStack(), Receiver()
        self._worker: TrainingWorker | None = None
        self._state: tuple[int, ...] = ()  # of the checkpoint, as the run has it

    @_in(WORK)
    def open(self) -> Answer:
        """Start the training process. Value: what it works on."""

        def start() -> Answer:
            # Ray says there how many threads; so does a training itself, and nobody else has to.
            os.environ.pop("OMP_NUM_THREADS", None)
            # What is sent to a node once, all of its seats use, also those to come.
            root = lasting_cache_dir() / SEATS
            root.mkdir(parents=True, exist_ok=True)
            folder = self._stack.enter_context(temporary_folder(root, "seat"))
            self._checkpoint, self._weights = folder / "net.checkpoint", folder / "net.safetensors"
            self._worker = TrainingWorker(self._threads, self._device)
            self._worker.tell("describe", self._device)
            return {"value": self._worker.answer()}

        return _answered(start)

    @_in(WORK)
    def put(self, piece: bytes, offset: int) -> Answer:
        """A part of the checkpoint from which the next training goes on, before its last."""

        def write() -> Answer:
            self._write(piece, offset)
            return {"value": None}

        return _answered(write)

    @_in(WORK)
    def begin(self, told: dict[str, Any], piece: bytes, offset: int) -> Answer:
        """A network; `piece` ends its checkpoint, and is empty where there is none."""

        def begin() -> Answer:
            if piece:
                self._write(piece, offset)
            else:
                self._checkpoint.unlink(missing_ok=True)
            self._weights.unlink(missing_ok=True)
            self._state = self._stat()
            files = {"checkpoint": str(self._checkpoint), "weights": str(self._weights)}
            return self._begin("begin", told, files)

        return _answered(begin)

    @_in(WORK)
    def epoch(self) -> Answer:
        """See `TrainingWorker.epoch`. File: the checkpoint, where it is another than before."""

        def train() -> Answer:
            found = self._ask("epoch")
            before, self._state = self._state, self._stat()
            return {"value": found} if self._state == before else {"value": found, **_begun(self._checkpoint)}

        return _answered(train)

    @_in(WORK)
    def finish(self) -> Answer:
        """See `TrainingWorker.finish`. File: the weights."""
        return _answered(lambda: {"value": self._ask("finish"), **_begun(self._weights)})

    @_in(WORK)
    def open_supernet(self, told: dict[str, Any]) -> Answer:
        """See `TrainingWorker.open_supernet`. checkpoint: where it lies in the cache."""
        files = {"checkpoint": str(cache_dir() / told["checkpoint"])}
        return _answered(lambda: self._begin("open_supernet", told, files))

    @_in(WORK)
    def measure(self, told: dict[str, Any]) -> Answer:
        """See `TrainingWorker.measure`."""
        return _answered(lambda: {"value": self._ask("measure", told)})

    @_in(WORK)
    def rest(self, name: str, offset: int) -> bytes:
        """More of a file that goes with an answer: of `epoch` or `finish`."""
        with (self._checkpoint if name == "epoch" else self._weights).open("rb") as file:
            file.seek(offset)
            return file.read(PIECE_BYTES)

    @_in(LOOK)
    def share(self) -> float:
        """How much of the epoch is done."""
        return self._worker.share() if self._worker else 0.0

    @_in(LOOK)
    def clear(self) -> None:
        """Remove its files, whatever it is about: it is ended next, by force."""
        self._stack.close()

    @_in(FILES)
    def lacks(self, parcel: dict[str, Any]) -> Answer:
        """See `Receiver`, also of the next two."""
        return self._received(lambda: self._receiver.lacks(parcel))

    @_in(FILES)
    def take(self, piece: bytes) -> Answer:
        """The next piece of a file."""
        return self._received(lambda: self._receiver.take(piece))

    @_in(FILES)
    def keep(self) -> Answer:
        """That was all of it."""
        return self._received(self._receiver.keep)

    def _received(self, step: Callable[[], Any]) -> Answer:
        found = _answered(lambda: {"value": step()})
        if "value" not in found:
            self._receiver.forget()
        return found

    def _told(self) -> TrainingWorker:
        assert self._worker is not None  # noqa: S101  (`open` was first)
        return self._worker

    def _ask(self, method: str, argument: Any = None) -> Any:
        worker = self._told()
        worker.tell(method, argument)
        return worker.answer()

    def _begin(self, method: str, told: dict[str, Any], files: dict[str, str]) -> Answer:
        """files: where they lie here."""
        folder = cache_dir() / "datasets" / told["dataset"]["id"]
        if "start" in told:
            files["start"] = str(cache_dir() / told["start"])
        worker = self._told()
        worker.ask(method, told | files | {"dataset": told["dataset"] | {"folder": str(folder)}})
        return {"value": worker.answer()}

    def _write(self, piece: bytes, offset: int) -> None:
        with self._checkpoint.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(piece)

    def _stat(self) -> tuple[int, ...]:
        try:
            stat = self._checkpoint.stat()
        except OSError:
            return ()
        return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _begun(path: Path) -> Answer:
    with path.open("rb") as file:
        return {"piece": file.read(PIECE_BYTES), "bytes": path.stat().st_size}


def _answered(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except CrashError as error:
        return {"crash": str(error)}
    except AnswerError as error:
        return {"error": [error.kind, error.words]}
    except OSError as error:  # as of files that mbsweep writes anywhere: the user can put it right
        return {
            "error": [MbsweepError.__name__, f"{error.filename or 'its disk'}: {error.strerror or error}"]
        }
    except MbsweepError as error:
        return {"error": [MbsweepError.__name__, str(error)]}
