"""The cores that a process may use: by its affinity, and by the quota of its control groups."""

from math import inf

import pytest
from console import call, finish, refusal, rewritten, start

from mbsweep.base import cores
from mbsweep.base.cores import quota_cores, threads_each, usable_cores, usable_cpus

GROUPS = {  # files of a machine -> cores' worth of time that they allow
    "version 2": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
    "no limit": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, inf),
    "the least of the groups around it": (
        {
            "proc/self/cgroup": "0::/user.slice/job\n",
            "sys/fs/cgroup/user.slice/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000\n",
            "sys/fs/cgroup/other/cpu.max": "1000 100000\n",
        },
        2.0,
    ),
    "version 1, in a container": (
        {
            "proc/self/cgroup": "4:memory:/docker/1f\n3:cpu,cpuacct:/docker/1f\n2:cpuset:/docker/1f\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/docker/1f/cpu.cfs_quota_us": "1\n",
        },
        0.5,
    ),
    "version 1, no limit": (
        {
            "proc/self/cgroup": "1:cpu:/job\n0::/\n",
            "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
        },
        inf,
    ),
    "no groups": ({}, inf),
    "what nobody knows": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "plenty\n"}, inf),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_quota_is_that_of_the_control_groups(name, tmp_path):
    """As Linux tells it: cgroup v2's cpu.max, cgroup v1's cpu.cfs_quota_us over cpu.cfs_period_us."""
    files, quota = GROUPS[name]
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert quota_cores(tmp_path) == quota


@pytest.mark.parametrize(("quota", "usable"), [(0.5, 1), (1.0, 1), (1.99, 1), (2.0, 2), (7.0, 7), (inf, 8)])
def test_a_quota_leaves_fewer_cores(quota, usable, monkeypatch):
    """Of eight cores: as many as have all of their time, but one at least."""
    monkeypatch.setattr(cores, "usable_cpus", lambda: list(range(8)))
    monkeypatch.setattr(cores, "quota_cores", lambda: quota)
    assert usable_cores() == usable


def test_more_threads_than_a_quota_allows_are_refused(tiny_sweep, tmp_path, monkeypatch):
    """Two threads on one and a half cores would be held up for a quarter of the time: the line, and why."""
    monkeypatch.setattr(cores, "quota_cores", lambda: 1.5)
    monkeypatch.setattr(cores, "usable_cpus", lambda: [0, 1])
    why = "this process may use 1 core: its control group's quota is 1.5"
    sweep = rewritten(tiny_sweep, tmp_path, ("{backend: torch,", "{backend: torch, threads: 2,"))
    refused = refusal(call("run", sweep, "--out", tmp_path / "run"))
    assert refused == f"{sweep}:8: latency[1].threads is 2; {why}"
    assert refusal(call("bench", "--threads", 2)) == f"threads is 2; {why}"
    assert not (tmp_path / "run").exists()


def test_a_command_takes_no_settings_of_openmp():
    """OMP_PROC_BIND leaves OpenVINO one core where it is heeded, and two threads are then refused by it."""
    usable = usable_cpus()
    words = ["show", "--latency", "--width", 0.25, "--resolution", 32]
    process = start(
        *words,
        *["--backend", "openvino", "--threads", len(usable)],
        before=["/usr/bin/env", "OMP_PROC_BIND=true", "OMP_THREAD_LIMIT=1"],
    )
    code, out, err = finish(process)
    assert (code, err) == (0, "")
    assert f"openvino, fp32, batch 1, threads: {len(usable)};" in out


@pytest.mark.parametrize(
    ("cores_", "processes", "threads"),
    [(1, 1, 1), (2, 1, 1), (2, 2, 1), (4, 1, 3), (4, 4, 1), (8, 2, 3), (16, 1, 15), (2, 5, 1)],
)
def test_threads_that_wait_for_each_other_leave_a_core(cores_, processes, threads, monkeypatch):
    """To what else the machine does: a thread that has to wait for its core holds up all others."""
    monkeypatch.setattr(cores, "usable_cores", lambda: cores_)
    assert threads_each(processes) == threads
