"""int8 weights are held in a way that the processor at hand calculates right, and that is told."""

import json
import os
import platform
import shutil
import subprocess
import sys
from contextlib import contextmanager
from operator import truediv
from pathlib import Path

import numpy as np
import pytest
import torch

from mbsweep.base.errors import MbsweepError
from mbsweep.formats.exact import calculate, off_by
from mbsweep.formats.quantization import WEIGHTS
from mbsweep.profiler import bench, calibration, int8_probe
from mbsweep.profiler.backends import BACKENDS, onnx_file
from mbsweep.profiler.calibration import quantised
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepare import network, prepare
from mbsweep.space.variant import Variant

INT8, UINT8, INT7 = "8-bit weights", "unsigned 8-bit weights", "7-bit weights"
CONFIG = LatencyConfig(backend="onnxruntime", precision="int8")


@pytest.fixture(autouse=True)
def unknown(tmp_path, monkeypatch):
    """Nothing has been chosen yet, neither in this process nor in the cache."""
    monkeypatch.setenv("MBSWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(int8_probe, "_chosen", {})


# -- on a processor that has AVX2 alone -----------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """(what was chosen on a Haswell, weights -> exact logits, weights -> logits there) of a small network."""
    if not (qemu := shutil.which("qemu-x86_64")):
        message = (
            "no qemu-x86_64 on the PATH, which runs int8 as another processor does: apt install qemu-user"
        )
        could_be = os.environ.get("CI") and platform.machine() == "x86_64"  # whose Python it can run
        pytest.fail(message) if could_be else pytest.skip(message)
    folder, net = tmp_path_factory.mktemp("elsewhere"), network(Variant(resolution=32, depth=0))
    image = np.random.default_rng(0).standard_normal((1, 3, 32, 32), dtype=np.float32)
    exact = {}
    for name, weights in WEIGHTS.items():
        model = quantised(net, image, weights)
        (folder / f"{name}.onnx").write_bytes(model)
        on_steps, exact[name], _ = calculate(model, image, truediv)
    np.save(folder / "image.npy", on_steps)
    script = Path(__file__).with_name("int8_elsewhere.py")
    run = subprocess.run(
        [qemu, "-cpu", "Haswell", sys.executable, str(script), str(folder), "onnxruntime"],
        env=os.environ | {"MBSWEEP_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    given = {name: np.load(folder / f"onnxruntime {name}.npy") for name in WEIGHTS}
    return json.loads(run.stdout)["onnxruntime"], exact, given


def test_without_vnni_weights_are_held_so_that_nothing_is_clipped(elsewhere):
    """There 8-bit weights give a wrong network: not they are chosen, and what is gives the exact integers."""
    chosen, exact, given = elsewhere
    assert off_by(given[INT8], exact[INT8]) > 0.05
    assert chosen in (UINT8, INT7)
    for right in (UINT8, INT7):
        assert off_by(given[right], exact[right]) < 1e-6


# -- on this one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_what_is_chosen_here_is_right(backend):
    """To the last integer, for the largest sums that there are."""
    weights = BACKENDS[backend].int8_weights()
    model, image = int8_probe.largest_sums(weights)
    call = BACKENDS[backend].load(model, image, LatencyConfig(backend=backend, precision="int8"))
    assert off_by(call(), calculate(model, image, BACKENDS[backend].factor).logits) < 1e-6


def test_the_largest_sums_overflow_16_bits():
    """255 x 127 twice is 64,770, and 16 bits hold 32,767; with 7 bits it is 32,130."""
    for name, top in ((INT8, 127), (UINT8, 127), (INT7, 63)):
        model, image = int8_probe.largest_sums(WEIGHTS[name])
        assert (image == 255).all()
        logits = calculate(model, image, truediv).logits
        # The convolution gives 128 x 255, pooling leaves it, the linear layer adds 128 of it up or subtracts.
        assert logits[0, :2] == pytest.approx([128 * 128 * 255, -128 * 128 * 255], rel=1e-6)
        assert (2 * 255 * top > 32_767) == (name != INT7)


@pytest.mark.parametrize(
    ("times_ns", "best"),
    [
        ({INT8: 100, UINT8: 150, INT7: 99}, INT8),  # VNNI: equal but for noise, so the whole eight bits
        ({INT8: 108, UINT8: 150, INT7: 99}, INT8),
        ({UINT8: 120, INT7: 100}, INT7),  # AVX2
        ({UINT8: 109, INT7: 100}, UINT8),
        ({INT7: 100}, INT7),
    ],
)
def test_the_fastest_is_taken_and_of_equally_fast_ones_the_best(times_ns, best):
    """Within 10 % two are equally fast: noise must not decide between runs."""
    assert int8_probe.best(times_ns) == best


def runtime(*right, loaded=None):
    """A stand-in that gets these right and others wrong by half; the first of them has 200 us less to do."""

    def load(model, image):
        (name,) = (name for name, it in WEIGHTS.items() if int8_probe.largest_sums(it)[0] == model)
        output = calculate(model, image, truediv).logits * (1 if name in right else 0.5)
        if loaded is not None:
            loaded.append(name)

        def call():
            if name != right[0]:
                torch.ones(300_000).cumsum(0)
            return output

        return call

    return load


def test_what_is_wrong_is_never_chosen_however_fast():
    """Of right ones the fastest."""
    assert int8_probe.choose("onnxruntime", runtime(INT7, UINT8)).name == INT7


def test_a_choice_is_kept_in_the_cache_and_checked_again(monkeypatch):
    """The next process does not time anew; a processor of the same name is not given what it gets wrong."""
    assert int8_probe.choose("onnxruntime", runtime(INT7, UINT8)).name == INT7
    monkeypatch.setattr(int8_probe, "_chosen", {})
    loaded = []
    assert int8_probe.choose("onnxruntime", runtime(UINT8, INT7, loaded=loaded)).name == INT7
    assert loaded == [INT7]
    monkeypatch.setattr(int8_probe, "_chosen", {})
    assert int8_probe.choose("onnxruntime", runtime(UINT8)).name == UINT8


def test_a_run_goes_on_with_what_it_was_begun_with():
    """Also where something else would be chosen now; but not where it is wrong."""
    assert int8_probe.choose("onnxruntime", runtime(INT7, UINT8), UINT8).name == UINT8


def test_what_a_run_was_begun_with_is_not_kept_where_it_is_wrong():
    """Then something that is right is chosen; the run refuses to mix the two."""
    assert int8_probe.choose("onnxruntime", runtime(INT7), INT8).name == INT7


def test_a_runtime_that_gets_nothing_right_is_not_used():
    """No latency of a wrong network."""
    with pytest.raises(MbsweepError, match="calculates no kind of int8 weights right on this processor"):
        int8_probe.choose("onnxruntime", runtime("none"))


@pytest.mark.parametrize(
    ("precision", "kept", "is_quiet"), [("int8", "", True), ("int8", INT7, False), ("fp32", "", False)]
)
def test_ways_are_timed_while_nothing_is_trained(precision, kept, is_quiet, monkeypatch):
    """As latencies are: where a process begins that may have to choose. Not where the choice is known: one
    that takes the place of another, which crashed, begins while its run holds the machine. Told is what the
    wait is for, and whose it is.
    """
    seen = []

    class Begun:
        unavailable, hardware = "", {}

        def __init__(self, config, weights):
            seen.append("begins")

    @contextmanager
    def quiet(say):
        say("waits")
        yield
        seen.append("over")

    monkeypatch.setattr(bench, "Worker", Begun)
    monkeypatch.setattr(bench, "quiet", quiet)
    config = LatencyConfig(backend="onnxruntime", precision=precision)
    bench.Bench(config, pytest.fail, kept, seen.append)
    assert seen == ([f"{config.id}: waits", "begins", "over"] if is_quiet else ["begins"])


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_network_that_is_calculated_wrong_is_not_timed(backend, monkeypatch):
    """Held to its own rounding, an output that is off by 3 % fails; its distance to fp32 is as large."""
    real = BACKENDS[backend].load
    monkeypatch.setattr(
        BACKENDS[backend],
        "load",
        lambda model, image, config: lambda: 1.03 * np.asarray(real(model, image, config)()),
    )
    monkeypatch.setitem(int8_probe._chosen, backend, WEIGHTS[INT8])
    config = LatencyConfig(backend=backend, precision="int8")
    with pytest.raises(
        ValueError, match=r"differs from its own rounding to integers by 0\.03 of the largest"
    ):
        prepare(network(Variant(width=0.25, resolution=32, depth=0)), (3, 32, 32), config)


def test_files_of_other_weights_are_kept_apart(tmp_path, monkeypatch):
    """In the cache: a network with 7-bit weights is not taken for one with 8."""
    net = network(Variant(width=0.25, resolution=32, depth=0))
    image = np.zeros((1, 3, 32, 32), np.float32)
    files = {}
    for name in (INT8, INT7, INT8):
        monkeypatch.setitem(int8_probe._chosen, "onnxruntime", WEIGHTS[name])
        assert files.setdefault(name, found := BACKENDS["onnxruntime"].file(net, image, "int8")) == found
    assert files[INT8] != files[INT7]
    assert len(list((tmp_path / "cache" / "files").glob("*.onnx"))) == 2


def test_a_network_is_not_calibrated_on_the_image_that_is_measured(monkeypatch):
    """What the activations' ranges are taken from is none of the images that are checked and timed, and does
    not depend on them.
    """
    given, calibrated = [], []
    real_prepare, real_ranges = onnx_file.LoadsOnnx.prepare, calibration.ranges

    def told(self, module, image, config):
        given.extend(image)
        return real_prepare(self, module, image, config)

    def ranges(net, found, image, calibration):
        with net.stem.register_forward_pre_hook(lambda _, args: calibrated.extend(args[0].numpy().copy())):
            return real_ranges(net, found, image, calibration)

    net = network(Variant(width=0.25, resolution=32, depth=0))
    monkeypatch.setattr(onnx_file.LoadsOnnx, "prepare", told)
    monkeypatch.setattr(calibration, "ranges", ranges)
    prepare(net, (3, 32, 32), CONFIG.model_copy(update={"batch": 3}))
    assert (len(given), len(calibrated)) == (3, 4 * 16)  # 4 batches of 3 x 128 x 128 values
    assert not any(np.array_equal(one, other) for one in given for other in calibrated)
    images = np.stack(given)
    assert quantised(net, images, WEIGHTS[INT8]) == quantised(net, images * 2, WEIGHTS[INT8])
