"""Stand-ins for the worker process, each a process of its own that answers through the real `serve`.

`spoiled`: the real workbench and runtimes, but one runtime goes wrong at some resolutions.
`toy`: loads no torch, so it starts at once: it makes nothing, and makes the samples of its visits up.
"""

import ctypes
import gc
import hashlib
import json
import os
import random
import resource
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from warm import Starter

from mbsweep.base import child
from mbsweep.profiler import worker

# -- for tests ------------------------------------------------------------------------------------------


def spoiled(backend, spoils, wrong_network=None):
    """Command line of a worker whose backend has faults (below). spoils: resolution -> name of the fault.

    wrong_network: a resolution at which another network is built than the variant's.
    """
    return _command("worker", {"backend": backend, "spoils": spoils, "wrong_network": wrong_network})


def toy(spoils=None, at_visit=0, spread_pct=None, visit_s=0.0, log=None, pace=1, weights="", until=None):
    """Command line of a toy worker. spoils: name of a network -> name of its fault (below).

    at_visit: the faults happen at this visit to the network, counted from 1; 0: while it is prepared.
    spread_pct: name of a network -> how much its visits differ; others take a millisecond each time.
    visit_s: time that a visit takes. log: a file to which the names of the networks prepared are added.
    pace: what all calls are said to take, in milliseconds.
    weights: how onnxruntime's int8 weights are held, where it is not told how they were before.
    until: a file; from the sixth visit to a network on, a visit waits until it is there.
    """
    spec = {"spoils": spoils or {}, "at_visit": at_visit, "spread_pct": spread_pct or {}}
    spec |= {"visit_s": visit_s, "log": str(log) if log else None, "pace": pace, "weights": weights}
    spec["until"] = str(until) if until else None
    return _command("toy", spec)


def start(worker_command, *words, **options):
    """Start an mbsweep command as a process of its own, which uses this worker."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([*_command("mbsweep", worker_command), *map(str, words)], **pipes)


class Loaded:
    """A process that has loaded mbsweep, and forks for each command: it begins at once with the command.

    Their workers are forked, too, as those of this process, see warm.py: unless it has an mbsweep of its own.
    worker_command: that of the worker, if it is none of mbsweep's own. modules: what else it has loaded.
    own: the folder that has the mbsweep to be loaded, if it is not this process's.
    """

    def __init__(self, worker_command=None, modules=(), own=None):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": own}
        forks = child.subprocess.descriptor() if own is None else None
        pipes |= {"env": os.environ | {"PYTHONPATH": str(own)}} if own else {"pass_fds": [forks]}
        command = _command("loaded", [worker_command, modules, forks])
        self._parent = subprocess.Popen(command, **pipes)

    def start(self, *words, prints_to=os.devnull, says_to=None):
        """A process that runs an mbsweep command. prints_to, says_to: what its stdout and stderr are."""
        streams = [str(prints_to), says_to and str(says_to)]
        self._parent.stdin.write(json.dumps([*streams, *map(str, words)]) + "\n")
        self._parent.stdin.flush()
        return Forked(int(self._parent.stdout.readline()), self._parent.stdout)

    def close(self):
        """End it."""
        self._parent.communicate(timeout=60)


class Forked:
    """A process that a `Loaded` has forked. It is there until it is waited for."""

    def __init__(self, pid, told):
        self.pid, self._told = pid, told

    def poll(self):
        """Its code, once it has ended; None before."""
        return None if not select.select([self._told], [], [], 0)[0] else self.wait()

    def wait(self):
        """Its code as subprocess has it: below 0 for a signal."""
        return int(self._told.readline())


def _command(program, argument):
    return [sys.executable, __file__, program, json.dumps(argument)]


# -- faults ---------------------------------------------------------------------------------------------


def raises():
    """An error of a runtime, in several lines."""
    raise RuntimeError("no kernel\nfor  this network")


def segfault():
    """What a bug in native code does."""
    ctypes.string_at(0)


def aborts():
    """What native code does where it finds its own bug."""
    print("Assertion `ok' failed.", file=sys.stderr, flush=True)
    os.abort()


def killed():
    """What the kernel does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def leaves():
    """A runtime that ends the process."""
    os._exit(3)


def exits():
    """A runtime that ends the process by Python's means."""
    sys.exit("licence expired")


def breaks_off():
    """Killed while the answer is on its way."""
    for number in range(3, 20):  # the answers' pipe is one of these
        try:
            os.write(number, b'{"value": 17')
        except OSError:
            continue
    killed()


def chatters():
    """Writes to standard output as Python, as native code and as a child process, as much as pipes hold."""
    print('{"value": 666}', flush=True)
    for _ in range(100):
        os.write(1, b'{"value": 666}\n' * 1000)
    subprocess.run(["echo", '{"value": 666}'], check=True)


def hangs():
    """A lock that nobody gives back."""
    time.sleep(600)


POOL = ThreadPoolExecutor(32)


def spins():
    """Thirty-two native threads."""
    list(POOL.map(hashlib.sha256, [bytes(2_000_000)] * 64))


def binds():
    """What OMP_PROC_BIND does to the threads of others: all are kept on one core."""
    core = min(os.sched_getaffinity(0))
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), {core})


def loses_its_gpu():
    """An index out of bounds on a GPU, after which CUDA gives errors alone; without a GPU, such errors."""
    import torch

    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")[torch.ones(1, dtype=torch.int64, device="cuda")]
        torch.cuda.synchronize()

    def answer():
        raise RuntimeError("CUDA error: device-side assert triggered\nSearch for it in the documentation.")

    torch.cuda.is_initialized, torch.cuda.synchronize = lambda: True, answer
    answer()


FAULTS = {fault.__name__: fault for fault in (raises, segfault, aborts, killed, leaves, exits)}
FAULTS |= {fault.__name__: fault for fault in (breaks_off, chatters, hangs, spins, binds, loses_its_gpu)}

OUTPUTS = {  # of a network -> another one
    "wrong_by_a_percent": lambda output: output * 1.01,
    "not_a_number": lambda output: output * float("nan"),
    "infinite": lambda output: output + float("inf"),
    "of_another_shape": lambda output: output[:, :-1],
}


# -- the processes --------------------------------------------------------------------------------------


class Spoiled:
    """A real backend that has faults at some resolutions."""

    def __init__(self, backend, spoils):
        self.backend, self.spoils = backend, spoils

    def prepare(self, module, image, config):
        """The real network; its calls have the fault."""
        prepared = self.backend.prepare(module, image, config)
        fault = self.spoils.get(str(image.shape[-1]))
        if fault is None:
            return prepared

        def call():
            if fault in FAULTS:
                FAULTS[fault]()
                return prepared.call()
            return OUTPUTS[fault](prepared.call())

        return replace(prepared, call=call)


def serve_spoiled(backend, spoils, wrong_network):
    """Be the real worker, but for one backend."""
    from mbsweep.profiler.backends import BACKENDS

    BACKENDS[backend] = Spoiled(BACKENDS[backend], spoils)
    if wrong_network:
        from mbsweep.profiler import workbench
        from mbsweep.space.families import architecture
        from mbsweep.space.variant import Variant

        build = workbench.build
        wrong = architecture(Variant(width=0.35, resolution=wrong_network)).layers
        workbench.build = lambda layers, batch: build(
            wrong if layers[0].in_size == wrong_network else layers, batch
        )
    worker.serve()


class Toy:
    """The methods of Workbench, without any network."""

    spec: dict

    def __init__(self, config, weights=""):
        self.unavailable, self.hardware = "", {}
        if self.spec["weights"]:
            self.hardware = {"onnxruntime int8": weights or self.spec["weights"]}
        self.visits = {}

    def prepare(self, subject):
        """Nothing, or the fault."""
        if self.spec["log"]:
            with Path(self.spec["log"]).open("a", encoding="utf-8") as file:
                file.write(f"{subject.name}\n")
        self.visits[subject.name] = 0
        self.perhaps_fail(subject.name)
        return 1000

    def visit(self, name):
        """Two calls; the faster takes a millisecond, or what `pace` says, more or less."""
        time.sleep(self.spec["visit_s"])
        self.visits[name] += 1
        while self.spec["until"] and self.visits[name] > 5 and not os.path.exists(self.spec["until"]):
            time.sleep(0.01)
        self.perhaps_fail(name)
        spread = self.spec["spread_pct"].get(name, 0) / 100
        chance = random.Random(f"{name}/{self.visits[name]}")
        fastest_ns = int(1_000_000 * self.spec["pace"] * (1 + spread * chance.uniform(-0.5, 0.5)))
        return [fastest_ns + 1000, fastest_ns]

    def perhaps_fail(self, name):
        """The fault, when its time has come."""
        fault = self.spec["spoils"].get(name)
        if fault and self.visits[name] == self.spec["at_visit"]:
            FAULTS[fault]()


def serve_toy(spec):
    """Be a toy worker."""
    Toy.spec = spec
    module = type(sys)("mbsweep.profiler.workbench")
    module.Workbench = Toy
    sys.modules[module.__name__] = module
    worker.serve()


def be_loaded(modules, forks):
    """Fork for each line on stdin, two files and words: tell the child's number, run the command there, tell
    its code.
    """
    from mbsweep.commands.app import app, loaded

    if forks is not None:
        child.subprocess = Starter(forks)
    loaded("run")
    for name in ("mbsweep.pipeline", *modules):  # what is loaded when the command is called
        import_module(name)
    gc.freeze()  # no fork looks through what is loaded, or copies it for that
    for line in sys.stdin:
        if not (pid := os.fork()):
            prints_to, says_to, *words = json.loads(line)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, file in ((1, prints_to), (2, says_to)):
                if file is not None:
                    os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.argv = ["mbsweep", *words]
            app()
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def main(program, argument, *words):
    """Be one of the programs."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no file behind
    spec = json.loads(argument)
    if program == "worker":
        serve_spoiled(**spec)
    elif program == "toy":
        serve_toy(spec)
    elif program == "loaded":
        command, modules, forks = spec
        worker.COMMAND = command or worker.COMMAND
        be_loaded(modules, forks)
    else:
        from mbsweep.commands.app import app

        worker.COMMAND = spec
        sys.argv = ["mbsweep", *words]
        app()


if __name__ == "__main__":
    main(*sys.argv[1:])
