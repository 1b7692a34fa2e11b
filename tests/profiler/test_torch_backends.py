"""PyTorch's two backends, eager and compiled, against networks worked out by hand in NumPy."""

import copy
import itertools
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from every_kind import SIZE, every_kind
from torch import nn

from mbsweep.base.cache import cache_dir
from mbsweep.base.files import read_kept
from mbsweep.nets import assemble
from mbsweep.profiler.backends import TellsLayers
from mbsweep.profiler.backends.torch_compile import TorchCompile, compiled
from mbsweep.profiler.backends.torch_eager import TorchEager, reference, training_step
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepare import build as assembled
from mbsweep.profiler.prepare import prepare
from mbsweep.space.blocks import separable

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
EPSILON = 1e-5  # of nn.BatchNorm2d


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def config(**settings):
    return LatencyConfig(**({"backend": "torch", "threads": 1} | settings))


def part():
    """A separable pair, 8 -> 16 channels at 10 pixels, with running statistics that matter."""
    torch.manual_seed(3)
    net = assemble(separable((8, 16), 1, 10).layers).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return net


def image(batch=2):
    return np.random.default_rng(1).standard_normal((batch, 8, 10, 10), dtype=np.float32)


def by_hand(net, x, is_training=False):
    """The pair in NumPy, at double precision: depthwise, normalised, ReLU, pointwise, normalised, ReLU."""
    weights = {name: tensor.double().numpy() for name, tensor in net.state_dict().items()}
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    kernel = weights["dw.conv.weight"][:, 0]
    taps = [(row, column) for row in range(3) for column in range(3)]
    x = sum(kernel[:, r, c, None, None] * padded[:, :, r : r + 10, c : c + 10] for r, c in taps)
    x = normalised(x, weights, "dw.bn", is_training)
    x = np.einsum("oi,bihw->bohw", weights["pw.conv.weight"][:, :, 0, 0], x)
    return normalised(x, weights, "pw.bn", is_training)


def normalised(x, weights, name, is_training):
    """Batch normalisation, by the batch's statistics or the running ones, and ReLU."""
    mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    if is_training:
        mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    shape = (1, -1, 1, 1)
    x = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + EPSILON)
    x = x * weights[f"{name}.weight"].reshape(shape) + weights[f"{name}.bias"].reshape(shape)
    return np.maximum(x, 0)


def difference(output, expected):
    """The largest difference, as a part of the largest expected value."""
    return np.abs(output.float().numpy() - expected).max() / np.abs(expected).max()


# -- eager ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize(
    ("precision", "dtype", "tolerance"), [("fp32", torch.float32, 1e-6), ("bf16", torch.bfloat16, 0.03)]
)
def test_eager_gives_the_networks_output(precision, dtype, tolerance, memory_format):
    """In each precision and memory format, the output is that of the sums done by hand."""
    net = part()
    prepared = TorchEager().prepare(net, image(), config(precision=precision, memory_format=memory_format))
    output = prepared.call()
    assert output.dtype == dtype
    assert difference(output, by_hand(net, image())) < tolerance
    assert prepared.time_ns is None


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_a_training_step_normalises_by_the_batch(memory_format):
    """The step's output is that of the batch's own statistics, the same in every step."""
    net = part()
    step_config = config(mode="forward_backward", memory_format=memory_format)
    call = TorchEager().prepare(net, image(), step_config).call
    expected = by_hand(net, image(), is_training=True)
    for _ in range(3):
        assert difference(call(), expected) < 1e-5
    assert difference(torch.from_numpy(reference(net, image(), "forward_backward")), expected) < 1e-5
    assert difference(call(), by_hand(net, image())) > 0.1  # in eval mode it is another output


def test_the_reference_is_the_forward_output():
    """Without a step, eager and the sums done by hand agree."""
    net = part()
    assert difference(torch.from_numpy(reference(net, image(), "forward")), by_hand(net, image())) < 1e-6


def test_dropout_is_left_out_of_a_training_step():
    """With half of the features dropped, every step would give another output."""
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(800, 3))
    call = TorchEager().prepare(net, image(), config(mode="forward_backward")).call
    assert torch.equal(call(), call())


def test_a_step_makes_the_gradients_of_the_mean_square():
    """For logits y = W x + b of N images and K classes: dL/dW = 2 / (N K) y' x, not added up over steps."""
    net = nn.Linear(5, 3)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 5), dtype=np.float32))
    step = training_step(net, x)
    for _ in range(2):
        logits = step().numpy()
        np.testing.assert_allclose(net.weight.grad, 2 / 12 * logits.T @ x.numpy(), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(net.bias.grad, 2 / 12 * logits.sum(axis=0), rtol=1e-4, atol=1e-6)


class Unused(nn.Module):
    """Has a parameter that its output does not depend on."""

    def __init__(self):
        super().__init__()
        self.used = nn.Linear(10, 2)
        self.forgotten = nn.Parameter(torch.ones(1))

    def forward(self, x):
        """Without `forgotten`."""
        return self.used(x)


def test_gradients_are_checked():
    """A step that leaves a parameter without gradient, or with one that is not finite, is refused."""
    with pytest.raises(ValueError, match="gives forgotten no gradient"):
        TorchEager().prepare(Unused(), image(), config(mode="forward_backward"))
    net = nn.Linear(10, 2)
    nn.init.constant_(net.weight, 3e38)  # the logits overflow
    with pytest.raises(ValueError, match="gives weight a gradient that is not finite"):
        TorchEager().prepare(net, image(), config(mode="forward_backward"))


@pytest.mark.parametrize("settings", [{"precision": "bf16"}, {"mode": "forward_backward"}])
def test_the_given_module_stays_as_it_was(settings):
    """It may be shared: mode, types, weights and running statistics are those from before."""
    net = part()
    before = copy.deepcopy(net.state_dict())
    TorchEager().prepare(net, image(), config(**settings)).call()
    assert not any(module.training for module in net.modules())
    after = net.state_dict()
    assert all(after[name].dtype == tensor.dtype for name, tensor in before.items())
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_size_is_that_of_the_saved_weights():
    """1000 x 800 weights and 1000 biases: 3,204,000 bytes at fp32, half at bf16, and some for the file."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(800, 1000))
    sizes = {
        name: TorchEager().prepare(net, image(), config(precision=name)).file_bytes
        for name in ("fp32", "bf16")
    }
    assert 3_204_000 < sizes["fp32"] < 3_208_000
    assert 1_602_000 < sizes["bf16"] < 1_606_000


def test_the_threads_are_those_asked_for():
    """Of the whole process."""
    for threads in (2, 1):
        TorchEager().prepare(part(), image(), config(threads=threads))
        assert torch.get_num_threads() == threads


def test_layers_are_timed_one_by_one():
    """One duration per call for each child; a convolution of 118 million mult-adds is slower than nothing."""
    net = nn.Sequential()
    net.add_module("nothing", nn.Identity())
    net.add_module("heavy", nn.Conv2d(8, 16384, 3, padding=1))
    backend = TorchEager()
    assert isinstance(backend, TellsLayers)
    times = backend.layer_times(net, image(1), config(), 5)
    assert list(times) == ["nothing", "heavy"]
    assert all(len(durations) == 5 for durations in times.values())
    assert 0 < min(times["nothing"]) < min(times["heavy"])


# -- compiled -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """An empty cache of mbsweep's, for all tests of this file. Its path and that of TMPDIR have spaces."""
    folder = tmp_path_factory.mktemp("it's a cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MBSWEEP_CACHE", str(folder))
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder / "i"))
        patch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
        temporary = str(tmp_path_factory.mktemp("for a while"))
        patch.setenv("TMPDIR", temporary)
        patch.setattr("tempfile.tempdir", temporary)
        yield folder


@pytest.fixture(scope="module")
def children_before():
    """The processes that this one had before anything was compiled."""
    return children()


def children():
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def compiled_pair(request, children_before, cache):
    """(precision, the pair, compiled for two images and one thread)."""
    prepared = TorchCompile().prepare(part(), image(), config(precision=request.param))
    return request.param, prepared


def test_compiled_gives_the_networks_output(compiled_pair):
    """In each precision, the output of a part of a network is that of the sums done by hand."""
    precision, prepared = compiled_pair
    output = prepared.call()
    assert output.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    assert difference(output, by_hand(part(), image())) < {"fp32": 1e-5, "bf16": 0.03}[precision]


def test_folders_with_spaces_in_their_paths_are_as_before(compiled_pair, cache):
    """Inductor's command lines quote nothing, so it works elsewhere; the cache has what it made alone."""
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(cache / "i")
    assert os.environ["TMPDIR"] == tempfile.gettempdir()
    assert " " in os.environ["TMPDIR"]
    assert {path.suffix for path in cache.rglob("*") if path.is_file()} == {".pt2"}


def test_where_every_folder_has_a_space_it_is_said(cache, monkeypatch):
    """In one line, with what to do."""

    def refused(*_, **__):
        raise PermissionError

    cache_dir()  # is there, and looked at once
    monkeypatch.setattr("pathlib.Path.mkdir", refused)  # none can be had elsewhere
    with pytest.raises(
        RuntimeError, match=r"cannot work in '.*for a while.*', whose path has a space .* set TMPDIR"
    ):
        compiled(nn.Linear(2, 2).eval(), torch.ones(2, 2))


def test_a_torch_that_cannot_be_linked_with_is_said(cache, monkeypatch):
    """It is installed below a folder with a space."""
    monkeypatch.setattr(torch, "__file__", "/home/me/my nets/torch/__init__.py")
    with pytest.raises(
        RuntimeError, match=r"cannot link with '/home/me/my nets/torch', whose path has a space"
    ):
        compiled(nn.Linear(2, 2).eval(), torch.ones(2, 2))


def operators(call):
    """The names of the operators that a call runs through PyTorch."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        call()
    return {event.key for event in profile.key_averages()}


def test_nothing_falls_back_to_eager(compiled_pair, cache):
    """Eager runs convolution, normalisation and ReLU as operators; compiled code runs none of them."""
    eager = {"aten::conv2d", "aten::batch_norm", "aten::relu_"}
    assert eager <= operators(TorchEager().prepare(part(), image(), config()).call)
    assert not eager & operators(compiled_pair[1].call)
    packages = list((cache / "files").glob("*.pt2"))
    assert compiled_pair[1].file_bytes in [len(read_kept(package)) for package in packages]
    for package in packages:
        assert any(name.endswith(".so") for name in zipfile.ZipFile(package).namelist())


def test_no_compile_workers_live_on(compiled_pair, children_before):
    """They would disturb the timing."""
    assert children() <= children_before


WITHOUT_COMPILER = """
import sys
sys.path[:0] = sys.argv[1:]
from test_torch_backends import TorchCompile, config, difference, by_hand, image, part
kept = TorchCompile().prepare(part(), image(), config())
print(difference(kept.call(), by_hand(part(), image())) < 1e-5)
try:
    TorchCompile().prepare(part(), image(batch=1), config())
except RuntimeError as error:
    print(error)
"""


def test_a_kept_network_needs_no_compiler(cache):
    """Another process loads what is in the cache; what is not there needs a compiler, which is told."""
    TorchCompile().prepare(part(), image(), config())  # kept since the tests before
    words = [sys.executable, "-W", "error::UserWarning", "-c", WITHOUT_COMPILER, str(Path(__file__).parent)]
    env = os.environ | {"CXX": "no-such-compiler"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "True",
        "no C++ compiler: 'no-such-compiler' does not run; install g++, or name another in CXX",
    ]


def test_other_settings_are_other_files(compiled_pair, cache):
    """fp32 and bf16 were not mistaken for one another. test_backends_act.py tells what else is in the key."""
    if compiled_pair[0] == "bf16":
        assert len(list((cache / "files").glob("*.pt2"))) == 2


def test_every_kind_of_layer_is_compiled(cache):
    """As one graph; its output checked by `prepare` against eager PyTorch."""
    net = assembled(every_kind(), batch=1)
    assert prepare(net, (3, SIZE, SIZE), config(backend="torch_compile")).call().shape == (1, 10)


class DataDependent(nn.Module):
    """Cannot be compiled as a whole: what it does depends on the values."""

    def forward(self, x):
        """Up or down."""
        return x + 1 if x.sum() > 0 else x - 1


def test_what_cannot_be_compiled_is_refused(cache):
    """A network that would have to run in Python in part is an error, not a slow call."""
    with pytest.raises(Exception, match="data-dependent"):
        compiled(DataDependent(), torch.ones(2, 2))


# -- on a GPU -------------------------------------------------------------------------------------------


@needs_cuda
@pytest.mark.parametrize("mode", ["forward", "forward_backward"])
@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 0.1)])
def test_eager_on_a_gpu(mode, memory_format, precision, tolerance):
    """The replayed graph gives the output, as a tensor on the CPU, and its events a duration."""
    settings = config(device="cuda", mode=mode, memory_format=memory_format, precision=precision)
    prepared = TorchEager().prepare(part(), image(), settings)
    expected = by_hand(part(), image(), is_training=mode == "forward_backward")
    for _ in range(2):
        output = prepared.call()
        assert output.device.type == "cpu"
        assert difference(output, expected) < tolerance
    assert 0 < prepared.time_ns() < 1e9


@needs_cuda
@pytest.mark.parametrize("mode", ["forward", "forward_backward"])
def test_networks_beside_one_another_on_a_gpu(mode):
    """What a graph reads is there as long as the graph: each gives its own output whatever comes after it."""
    images = [image(batch=batch) for batch in (1, 4, 2, 3)]
    ready = [TorchEager().prepare(part(), x, config(device="cuda", mode=mode)) for x in images]
    expected = [by_hand(part(), x, is_training=mode == "forward_backward") for x in images]
    torch.cuda.empty_cache()
    kept = [torch.full((1 << size,), 7.0, device="cuda") for size in range(4, 24)]
    for prepared, logits in zip(ready, expected, strict=True):
        prepared.time_ns()
        assert difference(prepared.call(), logits) < 1e-4
    assert all((one == 7).all() for one in kept)  # nor do they write to what is another's


@needs_cuda
def test_compiled_on_a_gpu(cache):
    """Compiled networks beside one another, more than PyTorch recompiles by default: each its own output."""
    images = [image(batch=batch) for batch in range(1, 11)]
    kinds = list(itertools.product(["contiguous", "channels_last"], [("fp32", 1e-4), ("bf16", 0.1)]))
    cases = list(zip(images, itertools.cycle(kinds)))
    ready = []
    for x, (memory_format, (precision, _)) in cases:
        settings = {"device": "cuda", "memory_format": memory_format, "precision": precision}
        ready.append(TorchCompile().prepare(part(), x, config(backend="torch_compile", **settings)))
    for prepared, (x, (_, (_, tolerance))) in zip(ready, cases, strict=True):
        assert 0 < prepared.time_ns() < 1e9
        assert difference(prepared.call(), by_hand(part(), x)) < tolerance


@needs_cuda
def test_layers_on_a_gpu():
    """One duration per call for each child."""
    times = TorchEager().layer_times(part(), image(), config(device="cuda"), 4)
    assert {name: len(durations) for name, durations in times.items()} == {"dw": 4, "pw": 4}
