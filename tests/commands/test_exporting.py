"""`mbsweep export`: the file is the network, in the runtimes of other devices."""

import importlib.metadata
import re

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from console import as_a_plain_user, call, contents, finish, refusal, start

from mbsweep import Variant, count
from mbsweep.formats.exact import off_by
from mbsweep.profiler.backends import onnx_runtime
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepare import build
from mbsweep.space.families import architecture

SMALL = ["--width", "0.25", "--resolution", "64", "--depth", "0"]
ODD = ["--width", 0.5, "--resolution", 65, "--block", "standard", "--stage-channels", "8,16,24,32,40"]
NETWORKS = [  # words of the command, the variant that they name
    (SMALL, Variant(width=0.25, resolution=64, depth=0)),
    (
        [*ODD, "--num-classes", 10, "--divisor", 4],
        Variant(
            width=0.5,
            resolution=65,
            block="standard",
            stage_channels=(8, 16, 24, 32, 40),
            num_classes=10,
            divisor=4,
        ),
    ),
]


def images(variant):
    return np.random.default_rng(7).standard_normal((1, 3, *[variant.resolution] * 2), dtype=np.float32)


def expected(variant):
    """The logits of the built network of the same seed, in eager PyTorch."""
    with torch.inference_mode():
        return build(architecture(variant).layers, batch=1)(torch.from_numpy(images(variant))).numpy()


def difference(output, variant):
    """Largest, as a share of the largest logit."""
    logits = expected(variant)
    assert output.shape == logits.shape
    return np.abs(output - logits).max() / np.abs(logits).max()


def written(result):
    """What a command said that it has written."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert result.stdout.count("\n") == 1
    return result.stdout


@pytest.mark.parametrize(("words", "variant"), NETWORKS, ids=["separable", "standard"])
def test_an_onnx_file_is_the_built_network(words, variant, tmp_path):
    """ONNX Runtime's logits are those of the network of the same seed, for images not seen before."""
    path = tmp_path / "net.onnx"
    said = written(call("export", *words, "-o", path))
    counts = count(variant)
    assert said == (
        f"{path}: {variant.id} at fp32, {path.stat().st_size:,} bytes, {counts.params:,} parameters, "
        f"{counts.macs:,} mult-adds; its weights are random: right for latency, not for accuracy\n"
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(it.name, it.shape) for it in session.get_inputs()] == [
        ("image", [1, 3, *[variant.resolution] * 2])
    ]
    assert difference(session.run(None, {"image": images(variant)})[0], variant) < 1e-3
    assert list(tmp_path.iterdir()) == [path]


def test_an_int8_file_is_a_quarter_of_the_size(tmp_path):
    """As near the built network as its rounding lets it be: with nothing fused ONNX Runtime calculates in
    floats what the file says, which is 3.5 % (7-bit weights) or 4.4 % of the largest logit away from it.
    """
    words, variant = NETWORKS[0]
    files = {precision: tmp_path / f"{precision}.onnx" for precision in ("fp32", "int8")}
    said = {}
    for precision, path in files.items():
        said[precision] = written(call("export", *words, "--precision", precision, "-o", path))
        assert f" at {precision}, " in said[precision]
    told = {
        "8-bit weights": (
            "with 8-bit weights, which x86 without VNNI calculates wrong: for such, export it there"
        ),
        "unsigned 8-bit weights": "with unsigned 8-bit weights, which every processor calculates right",
        "7-bit weights": "with 7-bit weights, which every processor calculates right",
    }
    assert f"mult-adds; {told[onnx_runtime.OnnxRuntime().int8_weights().name]}; its weights" in said["int8"]
    assert files["int8"].stat().st_size < files["fp32"].stat().st_size / 3
    as_it_is, plain = onnxruntime.SessionOptions(), onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    fused, floats = (
        onnxruntime.InferenceSession(files["int8"], options, providers=["CPUExecutionProvider"]).run(
            None, {"image": images(variant)}
        )[0]
        for options in (as_it_is, plain)
    )
    assert off_by(fused, floats) < 0.04  # a value between two steps may go to either, see formats/exact.py
    assert 0.03 < difference(floats, variant) < 0.05


def test_the_file_is_the_one_that_is_measured(tmp_path, monkeypatch):
    """The backend loads the same bytes: a latency taken elsewhere is that of the same network."""
    words, variant = NETWORKS[0]
    written(call("export", *words, "-o", tmp_path / "net.onnx"))
    loaded = []
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(
        "onnxruntime.InferenceSession",
        lambda model, *more, **named: (loaded.append(model), session(model, *more, **named))[1],
    )
    net = build(architecture(variant).layers, batch=1)
    onnx_runtime.OnnxRuntime().prepare(net, images(variant), LatencyConfig(backend="onnxruntime"))
    assert loaded == [(tmp_path / "net.onnx").read_bytes()]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_pte_file_runs_in_executorch(precision, tmp_path):
    """Loaded from the file by ExecuTorch's own interface."""
    runtime = pytest.importorskip("executorch.runtime").Runtime.get()
    words, variant = NETWORKS[0]
    path = tmp_path / "net.pte"
    said = written(call("export", *words, "--precision", precision, "-o", path))
    assert said.startswith(f"{path}: {variant.id} at {precision}, {path.stat().st_size:,} bytes, ")
    (output,) = runtime.load_program(path).load_method("forward").execute([torch.from_numpy(images(variant))])
    assert difference(output.numpy(), variant) < (1e-3 if precision == "fp32" else 0.2)


def test_a_file_that_was_damaged_in_the_cache_is_not_exported(tmp_path, monkeypatch):
    """Cut to 100 bytes there, it is quantised anew, and kept whole."""
    monkeypatch.setenv("MBSWEEP_CACHE", str(tmp_path / "cache"))
    words = ["export", *SMALL, "--precision", "int8", "-o"]
    written(call(*words, tmp_path / "first.onnx"))
    (kept,) = (tmp_path / "cache" / "files").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    written(call(*words, tmp_path / "second.onnx"))
    assert (tmp_path / "second.onnx").read_bytes() == (tmp_path / "first.onnx").read_bytes()
    assert kept.stat().st_size > (tmp_path / "first.onnx").stat().st_size


def test_the_same_command_writes_the_same_file(tmp_path):
    """The weights are seeded, whatever torch's own seed is; which stays as it was."""
    torch.manual_seed(5)
    written(call("export", *SMALL, "-o", tmp_path / "one.onnx"))
    drawn = torch.rand(1)
    written(call("export", *SMALL, "-o", tmp_path / "two.onnx"))
    torch.manual_seed(5)
    assert torch.rand(1) == drawn
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


REFUSED = [
    (["-o", "net.tflite"], "net.tflite: the ending '.tflite' is none of .onnx, .pte"),
    (["-o", "net"], "net: the ending '' is none of .onnx, .pte"),
    (["-o", "net.onx"], "net.onx: the ending '.onx' is none of .onnx, .pte; did you mean '.onnx'?"),
    (["-o", "net.onnx", "--precision", "bf16"], "precision is 'bf16'; onnxruntime has fp32 and int8"),
    (["-o", "net.pte", "--precision", "fp16"], "precision is 'fp16'; executorch has fp32 and int8"),
    (["-o", "missing/net.onnx"], "missing/net.onnx: cannot be written: No such file or directory"),
    (["-o", "folder.onnx"], "folder.onnx: cannot be written: Is a directory"),
    (["-o", "net.onnx", "--width", "0"], "Variant: width is 0.0; expected a number in (0, 4], such as 0.75"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_exported_is_refused(words, message, tmp_path, monkeypatch):
    """What was given, what is allowed; and nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.onnx").mkdir()
    assert refusal(call("export", *SMALL, *words)) == message
    assert contents(tmp_path) == {}


def test_a_read_only_folder_is_reported(tmp_path):
    """A folder without write permission."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    process = start("export", *SMALL, "-o", folder / "net.onnx", before=as_a_plain_user())
    message = refusal(finish(process))
    assert message == f"{folder / 'net.onnx'}: cannot be written: Permission denied"


@pytest.mark.parametrize(
    ("ending", "package", "extra"), [("onnx", "onnx", "onnxruntime"), ("pte", "executorch", "executorch")]
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    ending, package, extra, tmp_path, monkeypatch
):
    """Before the network is built."""
    version = importlib.metadata.version

    def without(name):
        if name == package:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("importlib.metadata.version", without)
    message = refusal(call("export", *SMALL, "-o", tmp_path / f"net.{ending}"))
    assert message == (
        f"latency backend '{extra}' needs {package}, which is not installed; "
        f"run: pip install 'mbsweep[{extra}]'"
    )


def test_a_network_that_would_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    """How much it needs, and how much there is."""
    monkeypatch.setattr("mbsweep.profiler.prepare.available_memory_bytes", lambda: 1 << 20)
    message = refusal(call("export", *SMALL, "-o", tmp_path / "net.onnx"))
    assert re.fullmatch(r"mobilenet_v1_w0\.25_r64_d0: needs about \d\.\d GiB; 0\.0 GiB are free", message)
    assert contents(tmp_path) == {}
