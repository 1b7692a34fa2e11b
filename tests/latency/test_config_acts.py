"""Each setting of a latency configuration acts: on the real workbench, with a runtime that is made up.

What a runtime makes of threads, precision, layout, batch and mode is in tests/profiler/test_backends_act.py.
"""

import os
from collections import Counter
from itertools import cycle

import pytest
import torch

from mbsweep import Variant, count_space, pipeline
from mbsweep.base.progress import Silent
from mbsweep.latency.measuring import Measurement
from mbsweep.latency.predicting import measure_parts
from mbsweep.profiler import workbench
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.prepared import Prepared
from mbsweep.profiler.subject import Subject
from mbsweep.profiler.workbench import Workbench
from mbsweep.space.blocks import separable
from mbsweep.space.fused import space_blocks
from mbsweep.storage.store import Store
from mbsweep.sweep.sweep import parse_sweep

PART = Subject("part", separable((4, 4), 1, 6).layers)
NETWORKS = [Subject.of(Variant(width=0.25, resolution=size)) for size in (32, 33)]
SPACE = "space: {width: [0.1, 0.25, 0.5], resolution: [32, 48, 64, 80], depth: [0, 1, 2]}\n"


class MadeUp:
    """A runtime that keeps what it is told. A call takes a millisecond by its own clock."""

    packages, install = ("torch",), "torch"
    options = {name: LatencyConfig.rules[name] for name in ("mode", "device")}  # noqa: RUF012

    def __init__(self, factor=1.0, always=None):
        """factor: what its output is off by. always: the mode that it has, whatever it is told."""
        self.factor, self.always, self.told, self.calls = factor, always, [], 0

    def prepare(self, module, image, config):
        """The module itself, in eager PyTorch."""
        self.told.append((image.shape, config))
        module.train((self.always or config.mode) == "forward_backward")
        with torch.no_grad():
            output = self.factor * module(torch.from_numpy(image)).numpy()

        def call():
            self.calls += 1
            return output

        return Prepared(call, 1, lambda: int(call() is output) * 1_000_000)


@pytest.fixture
def bench(monkeypatch):
    """Call it with settings: a workbench on which the part is prepared, and the runtime that it asked."""
    threads = torch.get_num_threads()
    # What takes no time at all, in the process of the tests, tells nothing of threads.
    monkeypatch.setattr(workbench, "check_threads", lambda *_, **__: None)

    def prepared(runtime=None, **settings):
        runtime = runtime or MadeUp()
        monkeypatch.setitem(BACKENDS, "made_up", runtime)
        found = Workbench(LatencyConfig(**{"backend": "made_up"} | settings))
        if not found.unavailable:
            found.prepare(PART)
        return found, runtime

    yield prepared
    torch.set_num_threads(threads)


def visits(bench, **settings):
    """How many calls a visit times."""
    return len(bench(**settings)[0].visit(PART.name))


class Rounds:
    """A bench for a measurement: all is ready, and a visit takes 1 ms, half a percent more or less."""

    hardware, weights = {}, ""

    def __init__(self):
        self.visits, self.times = Counter(), cycle([1_000_000, 1_005_000, 995_000])

    def prepare(self, subjects, on_prepared):
        """All can be."""

    def is_ready(self, name):
        """All are."""
        return True

    def visit(self, name):
        """One call."""
        self.visits[name] += 1
        return [next(self.times)]


def rounds(folder, **settings):
    """How often each network is visited in a measurement."""
    config, bench = LatencyConfig(backend="torch", **settings), Rounds()
    with Store.write(folder) as store:
        Measurement(store, config, NETWORKS, Silent()).run(bench, 1, "abacus")
    (count,) = {bench.visits[subject.name] for subject in NETWORKS}
    return count


def parts(**settings):
    """How many blocks and how many networks are measured for a prediction."""
    space, bench = count_space(parse_sweep(SPACE, "s.yaml")), Rounds()
    config = LatencyConfig(backend="torch", kind="predicted", rounds=1, **settings)
    measure_parts(config, bench, space_blocks(space), [], Silent())
    names = [name for name in bench.visits if not name.startswith("yardstick")]
    networks = set(space.ids()) & set(names)
    return len(names) - len(networks), len(networks)


# -- what each does -------------------------------------------------------------------------------------


def backend(bench, monkeypatch, folder):
    """The runtime of that name is asked, and no other."""
    other = MadeUp()
    monkeypatch.setitem(BACKENDS, "other", other)
    _, first = bench(backend="other")
    assert (len(first.told), len(other.told)) == (0, 1)


def kind(bench, monkeypatch, folder):
    """Measured or predicted."""
    asked = []
    monkeypatch.setattr(
        pipeline, "measure", lambda store, config, *_: asked.append(("measured", config.kind))
    )
    monkeypatch.setattr(
        pipeline, "predict", lambda store, config, *_: asked.append(("predicted", config.kind))
    )
    latency = "latency: [{backend: torch}, {backend: torch, kind: predicted}]\n"
    pipeline.run(parse_sweep(SPACE + latency, "s.yaml"), folder)
    assert asked == [("measured", "measured"), ("predicted", "predicted")]


def precision(bench, monkeypatch, folder):
    """What is off by a percent is wrong at fp32, and as good as it gets at bf16 (8 bits of mantissa)."""
    with pytest.raises(ValueError, match=r"differs from eager PyTorch by 0.01 of the largest logit"):
        bench(MadeUp(1.01))
    bench(MadeUp(1.01), precision="bf16")


def mode(bench, monkeypatch, folder):
    """In a training step batch normalisation is by the batch: the output of a forward pass is wrong there."""
    bench(MadeUp(always="forward"))
    with pytest.raises(ValueError, match="differs from eager PyTorch"):
        bench(MadeUp(always="forward"), mode="forward_backward")


def batch(bench, monkeypatch, folder):
    """So many images are given to the runtime."""
    assert [bench(batch=images)[1].told[0][0] for images in (1, 3)] == [(1, 4, 6, 6), (3, 4, 6, 6)]


def threads(bench, monkeypatch, folder):
    """torch's, in the process that times."""
    for number in (2, 1):
        bench(threads=number)
        assert torch.get_num_threads() == number


def device(bench, monkeypatch, folder):
    """Without a GPU what asks for one is unavailable, and all else is not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert bench(device="cuda")[0].unavailable == "no CUDA device on this machine"
    assert bench()[0].unavailable == ""


def memory_format(bench, monkeypatch, folder):
    """The runtime is told."""
    for name in ("contiguous", "channels_last"):
        assert bench(memory_format=name)[1].told[0][1].memory_format == name


def cpus(bench, monkeypatch, folder):
    """The process runs on those cores, before a thread is started; unless told, wherever it was."""
    kept = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda process, cores: kept.append((process, tuple(cores))))
    bench()
    bench(cpus=[5, 3])
    assert kept == [(0, (3, 5))]


def visit_ms(bench, monkeypatch, folder):
    """At a millisecond a call."""
    assert [visits(bench, visit_ms=limit) for limit in (1, 7)] == [1, 7]


def visit_calls(bench, monkeypatch, folder):
    """So many, whatever they take."""
    assert [visits(bench, visit_ms=7, visit_calls=calls) for calls in (2, 11)] == [2, 11]


def warmup_calls(bench, monkeypatch, folder):
    """At least so many; of fewer, as many as take 50 ms, at most 1,000. One is checked before."""
    assert bench(warmup_calls=1500)[1].calls == 1501
    assert bench(warmup_calls=3)[1].calls <= 1001


def rounds_(bench, monkeypatch, folder):
    """As many visits to each network, where no interval is narrow enough."""
    found = [rounds(folder / str(number), rounds=number, target_pct=1e-6) for number in (2, 5)]
    assert found == [2, 5]


def target_pct(bench, monkeypatch, folder):
    """Where one is, a look after 12 rounds finds it; visits that differ by 1 % are within 2 %."""
    found = [rounds(folder / str(number), rounds=20, target_pct=number) for number in (2, 0.001)]
    assert found == [12, 20]


def max_blocks(bench, monkeypatch, folder):
    """The space has more. What was measured before is not measured again."""
    assert [parts(max_blocks=number, networks=12) for number in (30, 33)] == [(30, 12), (3, 0)]


def networks(bench, monkeypatch, folder):
    """Of 36. What was measured before is not measured again."""
    assert [parts(max_blocks=30, networks=number) for number in (12, 15)] == [(30, 12), (0, 3)]


ACTS = {"backend": backend, "kind": kind, "precision": precision, "mode": mode, "batch": batch}
ACTS |= {"threads": threads, "device": device, "memory_format": memory_format, "cpus": cpus}
ACTS |= {"rounds": rounds_, "visit_ms": visit_ms, "visit_calls": visit_calls, "warmup_calls": warmup_calls}
ACTS |= {"target_pct": target_pct, "max_blocks": max_blocks, "networks": networks}


def test_each_field_of_a_latency_configuration_is_shown_to_act():
    """A field that is added is added to the table, too."""
    assert set(ACTS) == set(LatencyConfig.model_fields)


@pytest.mark.parametrize("field", ACTS)
def test_a_setting_acts(field, bench, monkeypatch, tmp_path):
    """As the functions above say."""
    ACTS[field](bench, monkeypatch, tmp_path / "run")
