"""ONNX files written from descriptions: how long that takes, and how near their logits are to eager ones."""

import sys
import time

import numpy as np
import onnxruntime
import torch

from mbsweep import Variant
from mbsweep.formats import onnx_graph
from mbsweep.formats.exact import off_by
from mbsweep.formats.quantization import INT8
from mbsweep.profiler.calibration import arrays, quantised
from mbsweep.profiler.prepare import build
from mbsweep.space.families import FAMILIES, architecture

ALLOWED_S, ALLOWED = 0.3, 1e-4
TIMED = ("mobilenet", "resnet50")  # what of the families must be written so fast
REPEATS = 5


def main() -> None:
    """A line for each family at its usual settings; exit with an error where one is too slow or far off."""
    torch.set_num_threads(1)
    failed = []
    for name in FAMILIES:
        variant = Variant(name)
        net = build(architecture(variant).layers, batch=1)
        image = np.random.default_rng(0).standard_normal((1, 3, *[variant.resolution] * 2), dtype=np.float32)
        weights = arrays(net)
        times_s = []
        for _ in range(REPEATS):
            start = time.process_time()
            model = onnx_graph.write(net.layers, weights, image.shape)
            times_s.append(time.process_time() - start)
        with torch.inference_mode():
            expected = net(torch.from_numpy(image)).numpy()
        seconds, error = min(times_s), off_by(_run(model, image), expected)
        of_int8 = off_by(_run(quantised(net, image, INT8), image, in_floats=True), expected)
        print(
            f"{name}: {len(model):,} bytes written in {seconds:.3f} s; off by {error:.1g} of the largest "
            f"logit, at int8 with random weights by {of_int8:.2g}",
            flush=True,
        )
        if error > ALLOWED or (name.startswith(TIMED) and seconds > ALLOWED_S):
            failed.append(name)
    print(f"MobileNets and ResNet-50 within {ALLOWED_S} s of CPU time, all within {ALLOWED}: {not failed}")
    sys.exit(bool(failed))


def _run(model: bytes, image: np.ndarray, in_floats: bool = False) -> np.ndarray:
    """in_floats: without optimisations an int8 file is calculated in floats, alike on every processor."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if in_floats:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": image})[0])


if __name__ == "__main__":
    main()
