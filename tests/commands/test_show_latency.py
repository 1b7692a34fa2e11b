"""`mbsweep show --latency`: where a network's time goes, and whether the printed numbers fit together."""

import re
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest
from console import call, refusal

from mbsweep.base.errors import MbsweepError
from mbsweep.commands._layer_times import Machine, pairs_sentence, print_layer_times
from mbsweep.profiler import peak, timing
from mbsweep.profiler.backends import BACKENDS, TellsLayers
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import this_device
from mbsweep.space.families import architecture
from mbsweep.space.variant import Variant

TYPES = "Conv 3x3|Conv DW 3x3|Conv 1x1|Avg Pool|Fully Connected"
# name, type, output, mult-adds, time, %, then what only layers with mult-adds have: GMAC/s, % of peak
ROW = re.compile(
    rf"(?P<name>\S+) +(?P<type>{TYPES}) +(?P<output>\d+ x \d+ x \d+) +(?P<macs>[\d,]+) +(?P<us>[\d,.]+) +"
    r"(?P<share>[\d.]+)(?: +(?P<rate>[\d,.]+) +(?P<peak>[\d.]+))? +(?P<bound>mult-adds|memory)"
)


@pytest.fixture(scope="module", autouse=True)
def short():
    """What the machine can do at best is looked for in a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peak, "BUDGET_S", peak.BUDGET_S / 10)
        yield


def printed(variant, backend, threads, precision):
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        print_layer_times(variant, LatencyConfig(backend=backend, threads=threads, precision=precision))
    assert err.getvalue() == ""
    return out.getvalue()


@pytest.fixture(scope="module")
def of_default():
    """What is printed of the default network in eager."""
    return printed(Variant(), "torch", 1, "fp32")


def rows(text):
    return [match.groupdict() for line in text.splitlines() if (match := ROW.fullmatch(line.strip()))]


def number(text):
    return float(text.replace(",", ""))


def found(pattern, text):
    match = re.search(pattern, text)
    assert match, text
    return [number(group) for group in match.groups()]


def test_the_default_network_in_eager(of_default):
    """The 29 layers of Table 1: mult-adds, times and shares add up, and the rates follow from them."""
    text = of_default
    layers = rows(text)
    assert text.splitlines()[0] == "mobilenet_v1_w1.0_r224_d5"
    assert len(layers) == 29
    assert layers[2] | {"us": "", "share": "", "rate": "", "peak": "", "bound": ""} == {
        "name": "block1.pw",
        "type": "Conv 1x1",
        "output": "112 x 112 x 64",
        "macs": "25,690,112",
        "us": "",
        "share": "",
        "rate": "",
        "peak": "",
        "bound": "",
    }
    assert sum(number(row["macs"]) for row in layers) == 568_740_352
    macs, total_us = found(r"total +([\d,]+) +([\d,.]+) +100\.0", text)
    assert macs == 568_740_352
    assert sum(number(row["us"]) for row in layers) == pytest.approx(total_us, abs=0.05 * 30)
    assert sum(number(row["share"]) for row in layers) == pytest.approx(100, abs=0.05 * 29)
    peak, bandwidth = found(r"Peak: ([\d,.]+) GMAC/s in dense fp32 work, ([\d,.]+) GB/s", text)
    assert 0 < bandwidth < 1000
    for row in layers:
        if row["type"] == "Avg Pool":
            assert row["macs"] == "0"
            assert row["rate"] is None
            assert row["bound"] == "memory"
            continue
        rate = number(row["macs"]) / number(row["us"]) / 1000  # per µs -> 1e9 per s
        assert number(row["rate"]) == pytest.approx(rate, rel=0.01, abs=0.06)
        assert number(row["peak"]) == pytest.approx(100 * rate / peak, rel=0.01, abs=0.1)
    assert str(this_device()) in text


def test_depthwise_and_pointwise_shares_are_told(of_default):
    """Of the mult-adds 3.06 % and 94.86 %, as Table 2 of the paper says; of the time what the rows say."""
    text = of_default.replace("\n", " ")
    dw_macs, dw_time, pw_macs, pw_time, ratio = found(
        r"Depthwise layers have ([\d.]+) % of the mult-adds and take ([\d.]+) % of the time, "
        r"pointwise layers have ([\d.]+) % and take ([\d.]+) %: a depthwise mult-add takes ([\d.]+) times",
        text,
    )
    assert (dw_macs, pw_macs) == (3.1, 94.9)
    assert ratio == pytest.approx((dw_time / 3.06) / (pw_time / 94.86), rel=0.02, abs=0.06)


def test_the_layers_are_set_against_the_whole(monkeypatch):
    """Both are the lower fifth over five rounds of each round's fastest call. Whole: 10, 20 .. 50 µs, so
    10 + 0.8 x 10 = 18 µs. Each of 29 layers: 1 µs, in one round half of it, so 0.9 µs: 26.1 µs, 145 %.
    """
    wholes, layers = iter(range(10, 60, 10)), iter([1000, 500, 1000, 1000, 1000])

    def layer_times(net, image, config, calls):
        fastest = next(layers)
        return {name: [fastest + 7, *[fastest] * (calls - 1)] for name, _ in net.named_children()}

    monkeypatch.setattr(BACKENDS["torch"], "layer_times", layer_times)
    monkeypatch.setattr(timing, "visit", lambda *_: [1000 * next(wholes), 99_000])
    text = printed(Variant(width=0.25, resolution=32), "torch", 1, "fp32")
    assert "The layers take 26.1 µs; the whole network, timed in the same run, 18.0 µs" in text
    assert "the sum is 145.0 % of it" in text


def test_onnx_runtime_tells_its_layers():
    """Every layer that it runs is one of the network's; what belongs to none has nothing but its time."""
    text = printed(Variant(width=0.25, resolution=128), "onnxruntime", 1, "fp32")
    body = text.split("Bound by")[1].split("\n\n")[0].strip().splitlines()
    names = {layer.name for layer in architecture(Variant(width=0.25, resolution=128)).layers}
    assert len(body) > len(names)  # and the total
    for line in body:
        if line.split()[0] not in names | {"total"}:
            assert re.fullmatch(r"\(.+\) +[\d,.]+ +[\d.]+", line.strip())


@pytest.mark.parametrize(
    ("place", "number_bytes", "binds"),
    [
        (1, 4, "memory"),  # block1.dw: 3,612,672 / 100e9 = 36 µs; 4 x 803,104 / 20e9 = 161 µs
        (2, 4, "mult-adds"),  # block1.pw: 25,690,112 / 100e9 = 257 µs; 4 x 1,206,272 / 20e9 = 241 µs
        (1, 1, "memory"),  # 36 µs; 40 µs
        (28, 4, "memory"),  # classifier: 1,024,000 / 100e9 = 10 µs; 4 x 1,026,024 / 20e9 = 205 µs
        (27, 4, "memory"),  # the pooling has no mult-adds
    ],
)
def test_what_binds_is_the_slower_of_two(place, number_bytes, binds):
    """Mult-adds at 100 GMAC/s against input, output and weights at 20 GB/s."""
    layer = architecture(Variant()).layers[place]
    assert Machine(macs_per_s=100e9, bytes_per_s=20e9).binds(layer, number_bytes) == binds


def test_the_sentence_follows_from_the_times():
    """Each of 13 depthwise layers 10 ns, each pointwise one 30 ns, the runtime's own work 20 ns: 540 ns."""
    layers = architecture(Variant()).layers
    spent = {"conv_dw": 10.0, "conv_pw": 30.0}
    times = {layer.child: spent[layer.kind] for layer in layers if layer.kind in spent}
    assert pairs_sentence(layers, times | {"(reorder)": 20.0}) == (
        "Depthwise layers have 3.1 % of the mult-adds and take 24.1 % of the time,\n"
        "pointwise layers have 94.9 % and take 72.2 %: "
        "a depthwise mult-add takes 10.3 times as long as a pointwise one."
    )


def test_without_depthwise_layers_there_is_no_sentence():
    """The standard block has none."""
    layers = architecture(Variant(block="standard")).layers
    assert pairs_sentence(layers, {layer.child: 1.0 for layer in layers}) == ""


TELLING = ", ".join(name for name, backend in BACKENDS.items() if isinstance(backend, TellsLayers))


@pytest.mark.parametrize(
    "backend", [name for name, backend in BACKENDS.items() if not isinstance(backend, TellsLayers)]
)
def test_a_runtime_that_does_not_tell_is_refused(backend, capsys):
    """With those that do; nothing is printed."""
    message = f"{backend} does not tell the times of layers; these do: {TELLING}"
    with pytest.raises(MbsweepError, match=re.escape(message)):
        print_layer_times(Variant(), LatencyConfig(backend=backend))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backend", "tflite"], "backend is 'tflite'; expected one of torch, "),
        (["--precision", "int4"], "precision is 'int4'; onnxruntime has fp32 and int8"),
        (["--threads", "0"], "threads is 0; expected a whole number from 1 to 1024, such as 1"),
        (["--threads", "1000"], "threads is 1000; this process may use "),
    ],
)
def test_what_the_command_cannot_measure_is_refused(words, message):
    """One line that says what was given and what is allowed."""
    assert refusal(call("show", "--latency", *words)).startswith(message)


def test_bf16_on_a_processor_without_it_is_refused(monkeypatch):
    """OpenVINO knows what the processor has: one line, as for what is not installed."""
    import openvino

    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "INT8"])  # what such a CPU tells
    message = refusal(call("show", "--latency", "--backend", "openvino", "--precision", "bf16"))
    assert message == "openvino at bf16: this CPU cannot calculate in bf16"


def test_a_network_too_large_for_memory_is_refused(monkeypatch):
    """With how much it needs and how much there is."""
    monkeypatch.setattr("mbsweep.profiler.prepare.available_memory_bytes", lambda: 1 << 20)
    message = refusal(call("show", "--latency", "--width", "0.25", "--resolution", "64"))
    needed = r"MemoryError: needs about \d\.\d GiB; 0\.0 GiB are free"
    assert re.fullmatch(rf"mobilenet_v1_w0\.25_r64_d5: {needed}", message)


def test_what_a_runtime_cannot_do_is_said_in_a_line(monkeypatch):
    """Its own reason, without a traceback."""

    def fails(*_):
        raise RuntimeError("no kernel\nfor  this network")

    monkeypatch.setattr(BACKENDS["onnxruntime"], "load", fails)
    message = refusal(call("show", "--latency", "--width", "0.25", "--resolution", "64"))
    assert message == "mobilenet_v1_w0.25_r64_d5: RuntimeError: no kernel for this network"
