"""No process of a run is busy with a network while latencies are measured on its machine."""

import fcntl
import os
import select
import tempfile
from contextlib import closing
from pathlib import Path

import brightness
import pytest

from mbsweep.accuracy.compressing.worker import CompressingWorker
from mbsweep.accuracy.compression import Scheme
from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.deploying.runtimes import Runtime
from mbsweep.accuracy.deploying.worker import DeployingWorker
from mbsweep.accuracy.settings import Quantization, Recipe, SupernetAccuracy
from mbsweep.accuracy.training.loop import Job
from mbsweep.accuracy.training.worker import TrainingWorker
from mbsweep.base.quiet import quiet
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

NET = Variant(width=0.1, resolution=16, depth=0, num_classes=3)
RECIPE = Recipe(epochs=1, batch=16, learning_rate=0.05)


@pytest.fixture
def dataset(tmp_path):
    """Three classes that differ in brightness, 20 training images each."""
    root = brightness.write_images(tmp_path / "images", train=20)
    return open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16])


def waits_its_turn(worker, tell):
    """Whether a worker that is told something begins with it only when nothing is measured any more. The
    answer is given back.
    """
    with quiet(pytest.fail):
        tell()
        assert select.select([worker], [], [], 0.3)[0] == [], "it did not wait"
    return worker.answer()


def test_trainings_and_tests_wait_until_latencies_are_measured(dataset, tmp_path):
    """An epoch, the test behind the last, a test in a runtime and a step of compression; what is no work is
    done at once.
    """
    checkpoint, weights = tmp_path / "net.checkpoint", tmp_path / "net.safetensors"
    with closing(TrainingWorker(1, "cpu")) as worker:
        with quiet(pytest.fail):
            worker.begin(Job(NET, RECIPE, 0), dataset, checkpoint, weights)
            assert worker.answer(60) is None
        assert waits_its_turn(worker, worker.epoch)["epoch"] == 1
        assert waits_its_turn(worker, worker.finish)["images"] > 0
    with closing(DeployingWorker()) as worker:
        asked = weights, NET, dataset, Runtime("onnxruntime", "fp32", "cpu"), Quantization(), None, ""
        assert waits_its_turn(worker, lambda: worker.test(*asked))["file_bytes"] > 0
    scheme = Scheme(bits={"conv": 4, "fc": 4}, share_epochs=1, huffman=False)
    with closing(CompressingWorker(1, "cpu")) as worker:
        asked = scheme.steps[0], weights, tmp_path / "after", tmp_path / "file", dataset
        assert waits_its_turn(worker, lambda: worker.do(*asked))["file_bytes"] > 0


def test_a_supernet_and_its_tests_wait_too(dataset, tmp_path):
    """An epoch of the shared weights, and a test of one of its networks."""
    config = SupernetAccuracy(source="supernet", recipe=RECIPE, calibration_images=64).complete(60)
    space, file = Space.of([NET, NET.but(width=0.2)]), tmp_path / "supernet.safetensors"
    with closing(TrainingWorker(1, "cpu")) as worker:
        worker.begin_supernet(config, space, dataset, file)
        assert worker.answer(60) is None
        assert waits_its_turn(worker, worker.epoch)["epoch"] == 1
        worker.epoch()
        assert worker.answer(60) is None
        worker.open_supernet(dataset, file)
        assert worker.answer(60) is None
        assert waits_its_turn(worker, lambda: worker.measure(NET))["images"] > 0


def test_an_epoch_is_not_measured_beside(dataset, tmp_path):
    """While one is on its way, who measures has to wait; when its answer is there, the machine is free."""
    machine = Path(tempfile.gettempdir(), f"mbsweep-{os.getuid()}.machine")
    machine.touch()

    def is_free():
        with machine.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    recipe = RECIPE.model_copy(update={"epochs": 2})
    with closing(TrainingWorker(1, "cpu")) as worker:
        worker.begin(Job(NET, recipe, 0), dataset, tmp_path / "c", tmp_path / "w")
        assert worker.answer(60) is None
        assert is_free()
        for _ in range(2):
            worker.epoch()
            seen = []
            while not select.select([worker], [], [], 0.001)[0]:
                seen.append(is_free())
            assert False in seen
            assert worker.answer()["seconds"] > 0
            assert is_free()
