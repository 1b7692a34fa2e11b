"""What int8 costs in accuracy: digits' nine networks and one on real images, in ONNX Runtime and ExecuTorch.

Each way of calibration on 256 training images, and noise, with the drop against fp32 and its paired 95 %
interval. ONNX Runtime's weights are held in the way for processors with VNNI (8 bits) and in that for those
without (7 bits), which every processor calculates right: both are tested here, whatever it has.

`python -m benchmarks.int8_drop [FOLDER]` trains what the folder does not have yet (20 minutes on two cores),
then tests for an hour and a half of one core; without a folder it keeps nothing.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from benchmarks.image_sets import write_sets
from mbsweep import load_sweep, run
from mbsweep.accuracy.datasets import Dataset, open_dataset
from mbsweep.accuracy.deploying.runtimes import Runtime
from mbsweep.accuracy.deploying.testing import answers, calibration
from mbsweep.accuracy.settings import Quantization
from mbsweep.accuracy.trained import TrainedSource
from mbsweep.accuracy.training.batches import Moments
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.accuracy.training.loop import trained_network, use_threads
from mbsweep.base.progress_bar import RichProgress
from mbsweep.formats.quantization import INT7, INT8, Weights
from mbsweep.formats.ranges import METHODS
from mbsweep.profiler import int8_probe
from mbsweep.profiler.backends import BACKENDS, Deploys
from mbsweep.statistics.drops import Pairs, drop_noise, paired_drop
from mbsweep.storage.store import Store
from mbsweep.sweep.sweep import Sweep, parse_sweep

DIGITS = Path(__file__).parents[1] / "sweeps/digits.yaml"
SET = "tiles"  # pieces of photographs
REAL = """\
space: {{width: 0.5, resolution: 64}}
accuracy: {{source: trained, dataset: {{name: imagefolder, path: "{}"}}, recipe: {{epochs: 12}}}}
"""
RUNTIMES: dict[str, tuple[str, Weights | None]] = {
    "ONNX Runtime, 8-bit weights": ("onnxruntime", INT8),
    "ONNX Runtime, 7-bit weights": ("onnxruntime", INT7),
    "ExecuTorch": ("executorch", None),
}
NOISE = "noise"


class Trained(NamedTuple):
    """A network of a run, and which images of the test part it got right."""

    variant: str
    resolution: int
    net: nn.Module
    moments: Moments
    hits: NDArray[np.bool_]


def main() -> None:
    """Train, test, and print a line for each data set, runtime and way of calibration."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        write_sets(folder / "sets")
        real = parse_sweep(REAL.format(folder / "sets" / SET), "real.yaml")
        use_threads(1)
        for name, sweep in (("digits", load_sweep(DIGITS)), (SET, real)):
            trained, dataset = train(sweep, folder / name)
            for words, (backend, weights) in RUNTIMES.items():
                with held(weights):
                    for method in (*METHODS, NOISE):
                        print(
                            f"{name}, {words}, {method}: {drops(trained, dataset, backend, method)}",
                            flush=True,
                        )


def train(sweep: Sweep, folder: Path) -> tuple[list[Trained], Dataset]:
    """The networks of a sweep, by variant and seed."""
    with RichProgress() as progress:
        run(sweep, folder, progress=progress)
    assert isinstance(sweep.accuracy, TrainedSource)  # noqa: S101
    with Store.read(folder) as store:
        last = store.last_sweep()
        assert last  # noqa: S101
        rows = store.trainings(last["accuracy_sources"][0])
    found, resolutions = [], set()
    for row in rows:
        (path,) = folder.glob(f"weights/*/{row.variant}_seed{row.seed}.safetensors")
        state = open_checkpoint(path)
        resolution = state.about["variant"]["resolution"]
        resolutions.add(resolution)
        moments = state.about["mean"], state.about["std"]
        found.append(Trained(row.variant, resolution, trained_network(state), moments, row.hits))
    return found, open_dataset(sweep.accuracy.dataset, sorted(resolutions))


@contextmanager
def held(weights: Weights | None) -> Iterator[None]:
    """ONNX Runtime's weights are held in a way, whichever this processor would get."""
    before = dict(int8_probe._chosen)
    if weights is not None:
        int8_probe._chosen["onnxruntime"] = weights
    yield
    int8_probe._chosen.clear()
    int8_probe._chosen.update(before)


def drops(trained: list[Trained], dataset: Dataset, backend: str, method: str) -> str:
    """Of each network, and their mean."""
    pairs: dict[str, Pairs] = {}
    for one in trained:
        given = None
        if method != NOISE:
            asked = Quantization(calibration=method)
            given = calibration(dataset.part("train", one.resolution), one.moments, asked)
        runtime = BACKENDS[backend]
        assert isinstance(runtime, Deploys)  # noqa: S101
        config = Runtime(backend, "int8", "cpu").config
        classify = runtime.deployed(one.net, one.resolution, config, given).classify
        found = answers(classify, dataset.part("test", one.resolution), one.moments)
        pairs[one.variant] = [*pairs.get(one.variant, []), (one.hits, found.correct)]
    noise = drop_noise(pairs)
    each = {variant: paired_drop(some, noise) for variant, some in pairs.items()}
    mean = np.mean([drop.mean_pct for drop in each.values()])
    words = (
        f"{variant} {drop.mean_pct:+.2f} ({drop.low_pct:+.2f} to {drop.high_pct:+.2f})"
        for variant, drop in each.items()
    )
    return f"drop {mean:+.2f} points on average; {', '.join(words)}"


if __name__ == "__main__":
    main()
