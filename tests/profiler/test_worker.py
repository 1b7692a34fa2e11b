"""The worker: networks timed in a process of their own, and what is left when that process ends."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
import stand_in
import torch
from hypothesis import given, settings
from strategies import small_variants

from mbsweep import MbsweepError, Variant
from mbsweep.base.child import AnswerError, CrashError
from mbsweep.profiler import workbench, worker
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.subject import Subject
from mbsweep.profiler.threads import Work
from mbsweep.profiler.worker import Worker

R32, R33, R34 = (Subject.of(Variant(width=0.25, resolution=resolution)) for resolution in (32, 33, 34))
QUICK = LatencyConfig(backend="torch", visit_ms=1)


@pytest.fixture
def with_worker(monkeypatch):
    """Call it with a command line of `stand_in`: workers are started with that."""
    return lambda command: monkeypatch.setattr(worker, "COMMAND", command)


def prepare_and_visit(one, subject):
    """All that may be done with a network; it is visited twice."""
    one.prepare(subject)
    one.visit(subject.name)
    one.visit(subject.name)


def is_gone(pid):
    """Whether a process has ended; one that nobody has asked for its exit code counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for(condition, timeout_s=30):
    """Fail where a condition does not come true in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


# -- the real thing -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("own_start")
def test_networks_are_prepared_and_visited_in_another_process():
    """A network that is confirmed and one that need not be: sizes of files in bytes, durations in ns."""
    config = LatencyConfig(backend="torch", visit_calls=3)
    checked = Subject.of(Variant(width=0.25, resolution=32), is_checked=False)
    with closing(Worker(config)) as real:
        assert (real.unavailable, real.hardware) == ("", {})
        for subject in (checked, R33):
            file_bytes = real.prepare(subject)
            # 470,072 parameters at four bytes each, the running statistics, and some words around them.
            assert 1_880_288 < file_bytes < 2_000_000
        for _ in range(2):
            samples = real.visit(R33.name)
            assert len(samples) == 3
            assert all(type(sample) is int and sample > 0 for sample in samples)
        with pytest.raises(AnswerError, match="KeyError"):
            real.visit(R34.name)  # was not prepared
        assert real.visit(checked.name)


def test_a_yardstick_makes_as_few_calls_as_tell_the_drift(monkeypatch):
    """Beside variants that are visited for 40 calls of a millisecond each: what 3 ms hold."""
    real = BACKENDS["torch"].prepare

    def prepare(*words):
        return replace(real(*words), time_ns=lambda: 1_000_000)

    monkeypatch.setattr(BACKENDS["torch"], "prepare", prepare)
    monkeypatch.setattr(workbench, "set_torch_up", lambda threads: None)  # this process is the tests'
    monkeypatch.setattr(workbench, "check_threads", lambda *_, **__: None)
    threads = torch.get_num_threads()
    bench = workbench.Workbench(LatencyConfig(backend="torch", threads=threads, visit_calls=40, visit_ms=3))
    for name, is_yardstick in (("variant", False), ("yardstick", True)):
        bench.prepare(replace(R33, name=name, is_yardstick=is_yardstick))
    assert [len(bench.visit(name)) for name in ("variant", "yardstick")] == [40, 3]


PROBE = """\
import os, json, numpy as np, torch
from mbsweep.profiler.workbench import Workbench
from mbsweep.profiler.config import LatencyConfig
exists = [bool(np.float64(5e-324) * 1.0 > 0)]
Workbench(LatencyConfig(backend="torch", threads=1, cpus=[int(os.environ["CORE"])]))
exists.append(bool(np.float64(5e-324) * 1.0 > 0))
print(json.dumps([exists, torch.get_num_threads(), sorted(os.sched_getaffinity(0))]))
"""


def test_a_workbench_takes_its_process_over():
    """Denormals (5e-324 is the smallest) are flushed, threads are set, and the cores are those of `cpus`."""
    core = max(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=os.environ | {"CORE": str(core)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[True, False], 1, [core]]


AT_WORK = [  # threads asked for; cores busy, threads at work, the same by what ran, cores; big?; the fault
    (1, (0.1, 0.1, 1.0, 1), False, ""),
    (1, (1.2, 1.2, 1.2, 1), False, ""),
    (1, (0.4, 0.4, 1.0, 1), True, ""),  # one thread that reads its file meanwhile
    (1, (1.3, 1.3, 1.3, 2), False, "kept 1.3 cores busy"),
    (1, (1.0, 1.6, 1.6, 2), False, "had 1.6 threads at work"),  # as busy as one may be, beside others
    (1, (0.5, 2.0, 1.01, 2), False, ""),  # another thread waited for neighbours, and had nothing to do
    (1, (1.3, nan, nan, 2), False, "kept 1.3 cores busy"),  # a kernel that does not tell
    (2, (2.2, 2.2, 2.2, 2), True, ""),
    (2, (1.1, 2.1, 2.1, 2), True, ""),  # two threads beside a process that is busy, too
    (2, (1.0, 1.0, 1.0, 2), False, ""),  # too small a network for two
    (2, (1.0, 1.0, 1.0, 2), True, "had 1.0 threads at work"),
    (2, (1.0, nan, nan, 2), True, ""),
    (2, (0.6, 1.3, 1.3, 2), True, ""),  # beside neighbours, of which one waits for the other
    (8, (1.0, 1.0, 1.0, 8), True, "had 1.0 threads at work"),
    (8, (3.0, 3.2, 3.2, 8), True, ""),  # eight that wait for one another: what the runtime makes of them
    (2, (1.0, 2.0, 2.0, 1), False, "kept 2.0 threads on 1 core"),
    (8, (4.0, 8.0, 8.0, 4), True, "kept 8.0 threads on 4 cores"),
]


@pytest.mark.parametrize(("threads", "work", "is_big", "wrong"), AT_WORK)
def test_as_many_threads_are_at_work_as_were_asked_for(threads, work, is_big, wrong):
    """Too many are an error, and too few for a network that has work for all, and too few cores for them."""
    config = LatencyConfig(backend="onnxruntime", threads=threads)
    if not wrong:
        workbench.check_threads(config, Work(*work), is_big)
        return
    with pytest.raises(RuntimeError, match=f"^onnxruntime {wrong}, with threads: {threads}$"):
        workbench.check_threads(config, Work(*work), is_big)


def test_threads_that_share_a_core_are_no_threads(with_worker):
    """Two threads of a runtime that something has bound to one core are an error, not half as fast."""
    with_worker(stand_in.spoiled("onnxruntime", {33: "binds"}))
    said = r"onnxruntime kept \d\.\d threads on 1 core, with threads: 2$"
    config = LatencyConfig(backend="onnxruntime", threads=2)
    with closing(Worker(config)) as real, pytest.raises(AnswerError, match=said):
        real.prepare(R33)


BOUND = """\
import json, os, sys
import mbsweep, torch
from mbsweep.profiler.device import this_device
from mbsweep.profiler.worker import Worker
from mbsweep.profiler.config import LatencyConfig
mine = sorted(os.sched_getaffinity(0))
worker = Worker(LatencyConfig(backend="torch"))  # it has loaded torch, too
print(json.dumps([mine, this_device().cores, sorted(os.sched_getaffinity(worker._process.pid))]))
worker.close()
"""


@pytest.mark.parametrize(
    "setting", ["OMP_PROC_BIND=true", f"GOMP_CPU_AFFINITY={min(os.sched_getaffinity(0))}"]
)
def test_openmp_binds_neither_workers_nor_what_the_machine_is(setting):
    """OpenMP has bound the process that loaded torch to one core. What is timed may use all cores, and they
    are what is stored with it: a run that was made without the setting can go on.
    """
    cores = sorted(os.sched_getaffinity(0))
    name, value = setting.split("=")
    done = subprocess.run(
        [sys.executable, "-c", BOUND],
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [cores[:1], len(cores), cores]


@settings(max_examples=30)
@given(small_variants())
def test_what_is_timed_survives_the_way_to_the_worker(variant):
    """A network's layers are the same after JSON, and so is the variant that is to be confirmed."""
    for subject in (Subject.of(variant), Subject.of(variant, is_checked=False)):
        assert Subject.from_dict(json.loads(json.dumps(subject.as_dict()))) == subject


@pytest.mark.usefixtures("own_start")
def test_files_in_the_current_folder_are_not_taken_for_modules(tmp_path, monkeypatch):
    """`queue.py`, `json.py` or `torch.py` of the user's, beside the sweep, do not get into the worker."""
    for name in ("queue", "json", "torch", "calendar", "mbsweep"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with closing(Worker(QUICK)) as real:
        assert real.unavailable == ""


# -- what goes wrong ------------------------------------------------------------------------------------

DEATHS = [  # a fault, and what is said of it
    ("segfault", "the runtime's process ended: SIGSEGV"),
    ("aborts", "the runtime's process ended: SIGABRT; Assertion `ok' failed."),
    ("killed", "the runtime's process ended: SIGKILL (out of memory?)"),
    ("breaks_off", "the runtime's process ended: SIGKILL (out of memory?)"),
    ("leaves", "the runtime's process ended: exit code 3"),
    ("exits", "the runtime's process ended: exit code 1; licence expired"),
]


@pytest.mark.parametrize("at_visit", [0, 2])
@pytest.mark.parametrize(("fault", "said"), DEATHS, ids=[fault for fault, _ in DEATHS])
def test_the_end_of_the_process_is_told_from_an_error(fault, said, at_visit, with_worker):
    """However the process ends, while a network is prepared or visited: how, and its last words."""
    with_worker(stand_in.toy({R33.name: fault}, at_visit=at_visit))
    with closing(Worker(QUICK)) as toy:
        toy.prepare(R32)
        with pytest.raises(CrashError) as caught:
            prepare_and_visit(toy, R33)
        assert str(caught.value) == said
        with pytest.raises(CrashError):  # nobody is there any more, and that is said, too
            toy.visit(R32.name)


@pytest.mark.parametrize("at_visit", [0, 2])
def test_a_runtime_that_hangs_is_stopped(at_visit, with_worker, monkeypatch):
    """While a network is prepared or visited: it is told as a crash after the limit, and nothing is left."""
    with_worker(stand_in.toy({R33.name: "hangs"}, at_visit=at_visit))
    with closing(Worker(QUICK)) as toy:
        toy.prepare(R32)
        monkeypatch.setattr(worker, "HUNG_S", 2)
        with pytest.raises(CrashError) as caught:
            prepare_and_visit(toy, R33)
        assert str(caught.value) == "the runtime did not answer within 2 s; its process was stopped"
        wait_for(lambda: is_gone(toy._process.pid))


def test_a_visit_of_many_calls_takes_as_long_as_it_takes(with_worker, monkeypatch):
    """Where the sweep says how many calls a visit makes, a long one is no sign of a runtime that hangs."""
    with_worker(stand_in.toy(visit_s=1))
    with closing(Worker(LatencyConfig(backend="torch", visit_calls=2))) as toy:
        toy.prepare(R32)
        monkeypatch.setattr(worker, "HUNG_S", 0.1)
        assert toy.visit(R32.name) == [1_001_000, 1_000_000]


def test_a_gpu_that_is_lost_costs_one_network(with_worker):
    """After an illegal access a process can do nothing more on its GPU: the others get a new process."""
    with_worker(stand_in.spoiled("torch", {33: "loses_its_gpu"}))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = LatencyConfig(backend="torch", device=device, visit_calls=2)
    failures = []
    with closing(Bench(config, lambda *failure: failures.append(failure))) as bench:
        bench.prepare([R32, R33, R34], lambda subject, file_bytes: None)
        assert [len(bench.visit(subject.name) or ()) for subject in (R32, R33, R34)] == [2, 0, 2]
    assert [(name, type(error)) for name, error in failures] == [(R33.name, CrashError)]
    assert str(failures[0][1]).startswith("the runtime's process ended: exit code 1; CUDA error: ")
    assert "\n" not in str(failures[0][1])


@pytest.mark.parametrize("at_visit", [0, 1])
def test_an_exception_concerns_one_network(at_visit, with_worker):
    """Its type and message are told on one line, in an error that is no crash; the process goes on."""
    with_worker(stand_in.toy({R33.name: "raises"}, at_visit=at_visit))
    with closing(Worker(QUICK)) as toy:
        toy.prepare(R32)
        with pytest.raises(AnswerError) as caught:
            prepare_and_visit(toy, R33)
        assert not isinstance(caught.value, CrashError)
        assert str(caught.value) == "RuntimeError: no kernel for this network"
        assert toy.visit(R32.name) == [1_001_000, 1_000_000]


@pytest.mark.parametrize("at_visit", [0, 1])
def test_what_a_runtime_prints_does_not_come_between_the_answers(at_visit, with_worker, capfd):
    """Megabytes on standard output, from Python, native code and a child, like answers: none is taken."""
    with_worker(stand_in.toy({R32.name: "chatters"}, at_visit=at_visit))
    with closing(Worker(QUICK)) as toy:
        assert toy.prepare(R32) == 1000
        for _ in range(2):
            assert toy.visit(R32.name) == [1_001_000, 1_000_000]
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_does_not_start_is_said_and_leaves_nothing(with_worker):
    """An import that fails, say: the reason is its last line, and pipes and files are closed."""
    open_files = len(os.listdir("/proc/self/fd"))
    with_worker([sys.executable, "-c", "import sys; sys.exit('ImportError: libgomp.so.1')"])
    with pytest.raises(MbsweepError) as caught:
        Bench(QUICK, lambda name, reason: None)
    assert str(caught.value) == (
        "torch-fp32-b1-t1: cannot be measured: the runtime's process ended: exit code 1; "
        "ImportError: libgomp.so.1"
    )
    assert len(os.listdir("/proc/self/fd")) == open_files


def test_cores_that_cannot_be_had_are_said():
    """`cpus` that the system refuses to the real worker: one message, with the configuration."""
    config = LatencyConfig(backend="torch", cpus=(4095,))
    with pytest.raises(MbsweepError, match=r"^torch-fp32-b1-t1-cpu4095: cannot be measured: OSError: "):
        Bench(config, lambda name, reason: None)


# -- a worker that is started anew ----------------------------------------------------------------------


@pytest.mark.parametrize("at_visit", [0, 1])
def test_a_crash_costs_one_network(at_visit, with_worker, tmp_path):
    """It is told once and dropped; those before it are prepared again, those after it as well as ever."""
    log = tmp_path / "log"
    with_worker(stand_in.toy({R33.name: "segfault"}, at_visit=at_visit, log=log))
    failures, prepared = [], []
    with closing(Bench(QUICK, lambda *failure: failures.append(failure))) as bench:
        bench.prepare([R32, R33, R34], lambda subject, file_bytes: prepared.append(subject.name))
        for _ in range(2):
            assert bench.visit(R32.name) == [1_001_000, 1_000_000]
            assert bench.visit(R33.name) is None
            assert bench.visit(R34.name) == [1_001_000, 1_000_000]
        assert [bench.is_ready(subject.name) for subject in (R32, R33, R34)] == [True, False, True]
    assert [(name, str(error)) for name, error in failures] == [
        (R33.name, "the runtime's process ended: SIGSEGV")
    ]
    if at_visit:
        assert prepared == [R32.name, R33.name, R34.name]
        assert log.read_text().split() == [*prepared, R32.name, R34.name]
    else:
        assert prepared == [R32.name, R34.name]
        assert log.read_text().split() == [R32.name, R33.name, R32.name, R34.name]


def test_every_network_may_crash(with_worker):
    """Each is told once, none is ready, and the next would still find a process."""
    with_worker(stand_in.toy(dict.fromkeys([R32.name, R33.name], "aborts"), at_visit=1))
    failures = []
    with closing(Bench(QUICK, lambda *failure: failures.append(failure))) as bench:
        bench.prepare([R32, R33, R34], lambda subject, file_bytes: None)
        assert [bench.visit(subject.name) is None for subject in (R32, R33, R34)] == [True, True, False]
    assert [name for name, _ in failures] == [R32.name, R33.name]


def test_a_process_that_is_not_to_be_had_again_ends_the_run(with_worker):
    """After a crash no new process starts: that concerns the run, and everything is closed behind it."""
    with_worker(stand_in.toy({R32.name: "segfault"}))
    with closing(Bench(QUICK, lambda name, reason: None)) as bench:
        with_worker(["false"])
        with pytest.raises(
            MbsweepError, match="cannot be measured: the runtime's process ended: exit code 1"
        ):
            bench.prepare([R32], lambda subject, file_bytes: None)


# -- the parent -----------------------------------------------------------------------------------------

PARENT = """\
import json, sys
from mbsweep.profiler import worker
from mbsweep.profiler.subject import Subject
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.variant import Variant
worker.COMMAND = json.loads(sys.argv[1])
started = worker.Worker(LatencyConfig(backend="torch"))
subject = Subject.of(Variant(width=0.25, resolution=32))
started.prepare(subject)
print(started._process.pid, flush=True)
while True:
    try:
        started.visit(subject.name)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        print(len(started.visit(subject.name)), flush=True)
"""


def _parent(command, **options):
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, json.dumps(command)], stdout=subprocess.PIPE, text=True, **options
    )


@pytest.mark.parametrize("command", [worker.COMMAND, stand_in.toy()], ids=["real", "toy"])
def test_a_worker_ends_when_its_parent_is_killed(command):
    """SIGKILL, which the parent cannot answer: seconds later its worker is gone, too."""
    with _parent(command) as parent:
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
        wait_for(lambda: is_gone(pid))


def test_ctrl_c_does_not_reach_the_worker():
    """SIGINT to the process group, as a terminal sends it: the parent is told, the worker answers on."""
    with _parent(stand_in.toy(visit_s=0.05), start_new_session=True) as parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.5)  # it is in its loop by then
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.stdout.readline() == "interrupted\n"
        assert parent.stdout.readline() == "2\n"
        assert not is_gone(pid)
        parent.kill()
        wait_for(lambda: is_gone(pid))
