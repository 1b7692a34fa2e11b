"""Workers that need not load their packages: a process that has loaded them forks for each.

Only what starts a worker is replaced, and only in the tests' own process: what is forked is a process of its
own, with the environment, folder, cores and files that it is given, and runs the very module. To load torch
takes two seconds each time, to load NumPy and pydantic a third of one.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import secrets
import select
import socket
import subprocess
import sys
import threading

LOADED = (
    "torch._dynamo",  # by the first optimizer
    "fvcore.nn",
    "onnxruntime",
    "onnx",
    "mbsweep.profiler.workbench",
    "mbsweep.profiler.factory_counts",
    "mbsweep.accuracy.datasets",
    "mbsweep.accuracy.training.loop",
    "mbsweep.accuracy.training.supernet",
    "mbsweep.accuracy.settings",
)
HIGH = 500  # from here on descriptors are put until they get their numbers

# -- for tests ------------------------------------------------------------------------------------------


class Starter:
    """Stands in for the module `subprocess`, as `mbsweep.base.child` uses it."""

    PIPE = subprocess.PIPE

    def __init__(self, number=None):
        """number: the descriptor of a socket to a process that another has begun, see `descriptor`."""
        self._lock, self._parent = threading.Lock(), None
        self._socket = None if number is None else socket.socket(fileno=number)

    def Popen(self, command, **options):  # noqa: N802  (as there)
        """A process that was forked, where the command runs a module or a file of ours; else a new one."""
        if command[:1] != [sys.executable] or not (command[1] == "-P" or os.path.dirname(command[1]) == HERE):
            return subprocess.Popen(command, **options)
        with self._lock:
            self._be_there()
            return Forked(self._socket, command[1:], **options)

    def descriptor(self):
        """Of the socket to the process that forks, for a process that is started: it may ask there, too."""
        with self._lock:
            self._be_there()
            return self._socket.fileno()

    def _be_there(self):
        if self._socket is None or (self._parent is not None and self._parent.poll() is not None):
            self._begin()

    def _begin(self):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            self._parent = subprocess.Popen(
                [sys.executable, __file__, str(number)],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),  # as a worker
                    "TORCHINDUCTOR_COMPILE_THREADS": "1",  # which the backend would say too late
                },
            )
        atexit.register(self._end)

    def _end(self):
        self._socket.close()
        self._parent.wait()


class Forked:
    """What of a Popen `mbsweep.base.child` uses, of a process that is not this one's child."""

    def __init__(self, control, words, stdin, stdout, stderr, pass_fds, text, env, start_new_session):
        assert (stdin, stdout, text, start_new_session) == (subprocess.PIPE, subprocess.PIPE, True, True)
        self.returncode = None
        (asked, to), (answers, out), (self._told, told) = os.pipe(), os.pipe(), os.pipe()
        given = [asked, out, stderr.fileno(), told, *pass_fds]
        about = {"words": words, "env": env, "folder": os.getcwd(), "numbers": list(pass_fds)}
        about["cores"] = sorted(os.sched_getaffinity(0))
        about["asked"] = asked_as = secrets.token_hex(8)
        socket.send_fds(control, [json.dumps(about).encode()], given)
        answer_to = None
        while answer_to != asked_as:  # what one has asked who was killed then is not answered to anybody
            answer_to, pid = control.recv(100).decode().split()
        self.pid = int(pid)
        for number in (asked, out, told):
            os.close(number)
        self.stdin, self.stdout = open(to, "w"), open(answers)  # noqa: SIM115  (as a Popen's)

    def poll(self):
        """Its code, once it has ended; None before."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            return self.wait()
        return self.returncode

    def wait(self):
        """Its code, below 0 for a signal."""
        if self.returncode is None:
            self.returncode = int(os.read(self._told, 100))
            os.close(self._told)
        return self.returncode

    def communicate(self):
        """Let it read to its end, and wait for that; more than once."""
        if self.stdout.closed:
            return "", None
        with contextlib.suppress(BrokenPipeError), self.stdin:
            pass
        with self.stdout:
            said = self.stdout.read()
        self.wait()
        return said, None


HERE = os.path.dirname(os.path.abspath(__file__))

# -- the process that has loaded them -------------------------------------------------------------------


def forked(control):
    """Fork for each message until there is nobody left to send one: None. In the child, what it is to run."""
    ended = {}  # descriptor of a process -> (its number, where its end is told)
    while True:
        ready, _, _ = select.select([control, *ended], [], [])
        for number in set(ready) & set(ended):
            pid, told = ended.pop(number)
            os.close(number)
            with contextlib.suppress(BrokenPipeError):  # who has started it was killed
                os.write(told, str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
            os.close(told)
        if control not in ready:
            continue
        message, given, _, _ = socket.recv_fds(control, 1 << 20, 20)
        if not message:
            return None
        about = json.loads(message)
        if not (pid := os.fork()):
            os.setsid()
            control.close()
            for number in (*ended, *(told for _, told in ended.values()), given.pop(3)):
                os.close(number)
            become(about, given)
            return about["words"]
        control.send(f"{about['asked']} {pid}".encode())
        ended[os.pidfd_open(pid)] = (pid, given[3])
        for place, number in enumerate(given):
            if place != 3:
                os.close(number)


def become(about, given):
    """Have the files, cores, folder and environment that a process was to be started with."""
    for place, number in enumerate(given):
        os.dup2(number, HIGH + place)
        os.close(number)
    for place, number in enumerate((0, 1, 2, *about["numbers"])):
        os.dup2(HIGH + place, number)
        os.close(HIGH + place)
    os.sched_setaffinity(0, about["cores"])
    os.chdir(about["folder"])
    os.environ.clear()
    os.environ.update(about["env"])
    sys.path[:] = about["env"]["PYTHONPATH"].split(os.pathsep)
    importlib.invalidate_caches()


def leave():
    """End at once: as they end, libraries wait for threads of theirs, which a fork does not have."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(CODES[-1])


CODES = [0]  # the last is that of the process


def main(number):
    """Load, fork, and in the child run the module or the file."""
    atexit.register(leave)  # first, so that it is called last
    gc.disable()
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # no fork looks through what is loaded, or copies it for that
    gc.enable()
    with socket.socket(fileno=int(number)) as control:
        words = forked(control)
    if words is None:
        return
    try:
        if words[0] == "-P":
            _, _, module, *rest = words
            sys.argv = [module, *rest]
            sys.modules.pop(module, None)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as ended:
        CODES.append(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
        raise
    except BaseException:
        CODES.append(1)
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
