"""ExecuTorch against eager PyTorch, in the real runtime."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from every_kind import SIZE, every_kind
from torch import nn

from mbsweep.base.files import read_kept
from mbsweep.formats.exact import off_by
from mbsweep.nets import build
from mbsweep.profiler.backends.executorch import ExecuTorch
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepare import build as assembled
from mbsweep.profiler.prepare import prepare
from mbsweep.space.variant import Variant

pytest.importorskip("executorch")


def config(**settings):
    return LatencyConfig(backend="executorch", **settings)


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def network():
    torch.manual_seed(0)
    return build(Variant(width=0.25, resolution=64, depth=0)).eval()


def pair():
    """The tenth and eleventh layer of a network, depthwise and pointwise, as the predictor takes them."""
    torch.manual_seed(0)
    children = list(build(Variant(width=0.25, resolution=224)).eval().children())
    return nn.Sequential(*children[9:11])


def head():
    torch.manual_seed(0)
    return nn.Sequential(*list(build(Variant(width=0.25, resolution=224)).eval().children())[-2:])


def difference(module, images, **settings):
    """Largest difference from eager PyTorch's output, as a share of its largest value."""
    with torch.inference_mode():
        expected = module(torch.from_numpy(images)).numpy()
    output = np.asarray(ExecuTorch().prepare(module, images, config(**settings)).call())
    assert output.shape == expected.shape
    return np.abs(output - expected).max() / np.abs(expected).max()


def test_a_network_gives_the_logits_of_eager_pytorch():
    """fp32: BN folded and all else as it was, to rounding."""
    assert difference(network(), image(1, 3, 64, 64)) < 1e-5


def test_int8_is_near_eager_pytorch_and_a_quarter_of_the_size():
    """Static quantisation changes the logits by some percent, not by nothing and not beyond recognition."""
    module, images = network(), image(1, 3, 64, 64)
    assert 0.01 < difference(module, images, precision="int8") < 0.08
    prepared = ExecuTorch().prepare(module, images, config(precision="int8"))
    # Its own rounding, to the last integer; of larger networks one may come out otherwise.
    assert off_by(np.asarray(prepared.call()), prepared.rounded) < 0.02
    assert prepared.rounded_within == 0.02
    fp32, int8 = (
        ExecuTorch().prepare(module, images, config(precision=p)).file_bytes for p in ("fp32", "int8")
    )
    assert int8 < fp32 / 3


def test_int8_cuts_off_no_rare_value_of_a_small_network():
    """At 32 px histograms of a few images, which leave out what is rare, gave logits off by half."""
    torch.manual_seed(0)
    module = build(Variant(width=0.25, resolution=32, num_classes=10)).eval()
    assert difference(module, image(1, 3, 32, 32), precision="int8") < 0.1


@pytest.mark.parametrize(
    ("part", "shape"), [(pair, (2, 64, 14, 14)), (head, (1, 256, 7, 7))], ids=["separable pair", "head"]
)
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("int8", 0.1)])
def test_parts_and_batches_run_too(part, shape, precision, tolerance):
    """A part of a network is a network, and two images are answered at once."""
    assert difference(part(), image(*shape), precision=precision, batch=shape[0]) < tolerance


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_kind_of_layer_runs(precision):
    """In XNNPACK alone; its output checked by `prepare` against eager PyTorch and its own rounding."""
    net = assembled(every_kind(), batch=1)
    prepared = prepare(net, (3, SIZE, SIZE), config(precision=precision))
    assert np.asarray(prepared.call()).shape == (1, 10)


def test_the_image_is_read_in_place_and_the_output_outlives_the_network():
    """A call copies nothing, and what it returned stays readable."""
    module, images = head(), image(1, 256, 7, 7)
    prepared = ExecuTorch().prepare(module, images, config())
    first = np.array(prepared.call())
    images *= 2
    output = prepared.call()
    del prepared
    bias = module[1].linear.bias.detach().numpy()
    np.testing.assert_allclose(output, 2 * first - bias, rtol=1e-4, atol=1e-5)


def test_a_kept_file_is_loaded_again(tmp_path, monkeypatch):
    """The second preparation of a network runs the file that the first one kept."""
    monkeypatch.setenv("MBSWEEP_CACHE", str(tmp_path))
    images = image(1, 4)
    one, two = (nn.Linear(4, 4).eval() for _ in range(2))
    files = []
    for module in (one, two):
        before = set(tmp_path.rglob("*.pte"))
        prepared = ExecuTorch().prepare(module, images, config())
        (file,) = set(tmp_path.rglob("*.pte")) - before
        assert len(read_kept(file)) == prepared.file_bytes
        files.append(file)
    files[0].write_bytes(files[1].read_bytes())
    output = ExecuTorch().prepare(one, images, config()).call()
    np.testing.assert_allclose(output, two(torch.from_numpy(images)).detach().numpy(), rtol=1e-4, atol=1e-5)


class Sorted(nn.Module):
    """An operator that XNNPACK does not have."""

    def forward(self, x):
        """Relu, then sort."""
        return torch.sort(x.relu())[0]


def test_what_xnnpack_cannot_run_is_an_error():
    """A latency is XNNPACK's alone, or there is none."""
    with pytest.raises(RuntimeError, match="not all of the network runs in XNNPACK"):
        ExecuTorch().prepare(Sorted().eval(), image(1, 4), config())


TINY = """
import numpy as np
import torch
from mbsweep.profiler.backends.executorch import ExecuTorch
from mbsweep.profiler.config import LatencyConfig

torch.set_flush_denormal(True)
conv = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False).eval()
torch.nn.init.constant_(conv.weight, 1e-20)
image = np.full((1, 64, 64, 64), 1e-20, dtype=np.float32)
ExecuTorch().prepare(conv, image, LatencyConfig(backend="executorch"))
"""
COUNT = """
import sys
from pathlib import Path

def cpu_ns():
    return {t.name: int((t / "schedstat").read_text().split()[0]) for t in Path("/proc/self/task").iterdir()}

for threads in (1, 2):
    call = ExecuTorch().prepare(conv, image, LatencyConfig(backend="executorch", threads=threads)).call
    before = cpu_ns()
    for _ in range(10):  # beside busy neighbours one thread may do the other's work for a while
        for _ in range(200):
            output = call()
        spent = [now - before.get(name, 0) for name, now in cpu_ns().items()]
        at_work = sum(ns > max(spent) / 5 for ns in spent)
        if at_work == threads:
            break
    print(at_work, np.abs(output).max())
assert not any(name.startswith("executorch.exir") for name in sys.modules)
"""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="reads Linux's CPU time of each thread")
def test_a_call_runs_on_the_asked_threads_and_all_flush_denormals():
    """So many threads spend CPU time; 1e-20 * 1e-20 is a denormal, and nought in all of the output. Where the
    network is kept, nothing is loaded of what lowers others.
    """
    exec(TINY, {})  # noqa: S102  (lowered here, to be found there)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", TINY + COUNT], capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("1 0.0\n2 0.0\n", "")
