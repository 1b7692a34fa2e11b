"""Run on a processor of another kind, by `qemu-x86_64`: how int8 weights are held there, and what files give.

Arguments: a folder, with an image and a file of a network for each way to hold its weights; then backends.
Writes the logits beside them and prints, as JSON, what was chosen. Loads no torch: that takes 20 s there.
"""

import json
import sys
from pathlib import Path

import numpy as np

from mbsweep.formats.quantization import WEIGHTS
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.config import LatencyConfig

folder, *names = sys.argv[1:]
chosen = {}
for name in names:
    backend, config = BACKENDS[name], LatencyConfig(backend=name, precision="int8", threads=1)
    chosen[name] = backend.int8_weights().name
    image = np.load(Path(folder) / "image.npy")
    for held in WEIGHTS:
        call = backend.load((Path(folder) / f"{held}.onnx").read_bytes(), image, config)
        np.save(Path(folder) / f"{name} {held}.npy", call())
assert "torch" not in sys.modules
print(json.dumps(chosen))
