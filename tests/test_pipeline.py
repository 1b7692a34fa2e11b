"""The order of a run: what is measured, what is not measured twice, and what happens when something fails."""

import json
import os
import signal

import numpy as np
import pytest
from commands import (
    call,
    contents,
    copied,
    execute,
    finish,
    query,
    refusal,
    rewritten,
    start,
    visit_count,
    visits,
    wait_until,
)

import mbsweep
from mbsweep import MbsweepError, load_sweep, open_run, pipeline
from mbsweep.profiler import prepare
from mbsweep.profiler.backends import BACKENDS

ORT, TORCH = "onnxruntime-fp32-b1-t1", "torch-fp32-b1-t1"
R160, R128, R32, R64 = (f"mobilenet_v1_w0.25_r{resolution}_d5" for resolution in (160, 128, 32, 64))
ORT_LINE = "  - {backend: onnxruntime, rounds: 3, visit_ms: 1}\n"
EVERY_VISIT = {(c, v, n) for c in (ORT, TORCH) for v in (R160, R128, R32) for n in range(3)}


class Told:
    """Keeps what a run tells."""

    def __init__(self):
        self.messages = []

    def say(self, message):
        """One line for the user."""
        self.messages.append(message)

    def begin(self, task, total):
        """A part of the run begins."""

    def advance(self, done):
        """One more step is done."""


def go_on(sweep, folder, **options):
    """Run a sweep file into a folder; return what was said."""
    told = Told()
    pipeline.run(load_sweep(sweep), folder, progress=told, **options)
    return told.messages


def test_every_variant_is_visited_in_every_round_of_every_configuration(tiny_run):
    """3 variants x 2 configurations x 3 rounds, each of at least visit_ms, every sample kept."""
    measured = visits(tiny_run)
    assert set(measured) == EVERY_VISIT
    for _, _, samples in measured.values():
        samples_ns = np.frombuffer(samples, dtype="<i8")
        assert (samples_ns > 0).all()
        assert samples_ns.sum() >= 1_000_000  # visit_ms: 1


def test_the_order_is_another_in_every_round(tiny_sweep, tmp_path):
    """No variant is visited twice before each was visited once, and none has a fixed place."""
    sweep = rewritten(tiny_sweep, tmp_path, (ORT_LINE, ""), ("rounds: 3", "rounds: 8"))
    go_on(sweep, tmp_path / "run")
    rows = query(tmp_path / "run", "SELECT round, variant FROM visits ORDER BY rowid")
    rounds = [rows[place : place + 3] for place in range(0, len(rows), 3)]
    assert [{number for number, _ in visited} for visited in rounds] == [{number} for number in range(8)]
    assert all({variant for _, variant in visited} == {R160, R128, R32} for visited in rounds)
    assert len({tuple(variant for _, variant in visited) for visited in rounds}) > 1


def test_device_versions_and_sweep_text_are_stored(tiny_run, tiny_sweep):
    """The machine, the packages and the sweep file stand beside the numbers."""
    about = open_run(tiny_run).about()
    assert about["text"] == tiny_sweep.read_text(encoding="utf-8")
    assert (about["name"], about["title"]) == ("tiny", "Tiny")
    (session,) = about["sessions"]
    assert session["device"]["cores"] == len(os.sched_getaffinity(0))
    assert session["versions"]["torch"] == __import__("torch").__version__
    assert {"python", "mbsweep", "onnxruntime", "onnx", "numpy", "fvcore"} < set(session["versions"])


def test_a_second_run_measures_nothing(tiny_run, tiny_sweep, tmp_path):
    """The file of a finished run stays the same, byte for byte."""
    folder = copied(tiny_run, tmp_path)
    before = (folder / "run.sqlite").read_bytes()
    assert go_on(tiny_sweep, folder) == []
    assert (folder / "run.sqlite").read_bytes() == before


def test_more_rounds_add_only_the_missing_visits(tiny_run, tiny_sweep, tmp_path):
    """From 3 to 5 rounds: rounds 3 and 4 are measured, the rows of rounds 0 to 2 stay as they are."""
    folder = copied(tiny_run, tmp_path)
    go_on(rewritten(tiny_sweep, tmp_path, ("rounds: 3", "rounds: 5")), folder)
    after = visits(folder)
    assert set(after) == {(c, v, n) for c, v, _ in EVERY_VISIT for n in range(5)}
    assert {key: after[key] for key in EVERY_VISIT} == visits(tiny_run)
    assert open_run(folder).table()["error"].isna().all()


def test_fewer_rounds_take_nothing_away(tiny_run, tiny_sweep, tmp_path):
    """From 3 rounds to 1: nothing is measured, nothing is lost."""
    folder = copied(tiny_run, tmp_path)
    go_on(rewritten(tiny_sweep, tmp_path, ("rounds: 3", "rounds: 1")), folder)
    assert visits(folder) == visits(tiny_run)


def test_a_changed_sweep_adds_what_is_new_and_keeps_the_rest(tiny_run, tiny_sweep, tmp_path):
    """64 px instead of 32: the new variant is measured, the old one keeps its rows, and the user is told."""
    folder = copied(tiny_run, tmp_path)
    messages = go_on(rewritten(tiny_sweep, tmp_path, ("160, 128, 32", "64, 128, 160")), folder)
    assert messages == [
        "tiny has changed since the last run: 1 variants are new; 1 that it no longer names stay in the run"
    ]
    after = visits(folder)
    new = {(config, R64, number) for config in (ORT, TORCH) for number in range(3)}
    assert set(after) == EVERY_VISIT | new
    assert {key: after[key] for key in EVERY_VISIT} == visits(tiny_run)
    table = open_run(folder).table()
    assert list(table["variant"]) == [R64, R128, R160, R32] * 2  # the new order; what was left last
    assert table["error"].isna().all()


def test_what_a_sweep_no_longer_names_is_not_said_to_be_unfinished(tiny_run, tiny_sweep, tmp_path):
    """What no sweep file asks for is not missing: neither a dropped variant in a new configuration nor a new
    variant in a dropped one says "run the sweep again".
    """
    folder = copied(tiny_run, tmp_path)
    sweep = rewritten(
        tiny_sweep,
        tmp_path,
        ("[160, 128, 32]", "[64]"),
        ("{backend: torch, rounds: 3", "{backend: torch, batch: 2, rounds: 3"),
    )
    go_on(sweep, folder)
    assert {key for key in visits(folder) if key not in EVERY_VISIT} == {
        (config, R64, number) for config in (ORT, "torch-fp32-b2-t1") for number in range(3)
    }
    table = open_run(folder).table()
    assert table["latency_ms"].notna().sum() == 6 + 2
    assert not table["error"].str.contains("run the sweep again").any()


def test_a_run_leaves_the_process_as_it_was(tiny_sweep, tmp_path):
    """Denormals are flushed and threads are set while networks are timed, not for what comes after."""
    torch = __import__("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    torch.set_flush_denormal(False)
    try:
        go_on(tiny_sweep, tmp_path / "run")
        assert torch.get_num_threads() == threads + 1
        assert np.float64(5e-324) * 1.0 > 0  # the smallest denormal
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


class Spoiled:
    """A real backend, with one resolution that goes wrong."""

    def __init__(self, backend, resolution, spoil):
        self.backend, self.resolution, self.spoil = backend, resolution, spoil
        self.precisions = backend.precisions
        self.prepared = []

    def prepare(self, module, image, config):
        """The real call, unless the image has the spoiled resolution."""
        self.prepared.append(image.shape[-1])
        call = self.backend.prepare(module, image, config)
        return self.spoil(call) if image.shape[-1] == self.resolution else call


def raises(call):
    raise RuntimeError("no kernel\nfor  this network")


def wrong_by_a_percent(call):
    return lambda: np.asarray(call()) * np.float32(1.01)


def not_a_number(call):
    return lambda: np.asarray(call()) * np.float32("nan")


def infinite(call):
    return lambda: np.asarray(call()) + np.float32("inf")


def of_another_shape(call):
    return lambda: np.asarray(call())[:, :-1]


SPOILS = [  # and what the reason begins with
    (raises, "RuntimeError: no kernel for this network"),
    (wrong_by_a_percent, "ValueError: output differs from eager PyTorch by 0.01 of the largest logit"),
    (not_a_number, "ValueError: output differs from eager PyTorch by nan of the largest logit"),
    (infinite, "ValueError: output differs from eager PyTorch by inf of the largest logit"),
    (of_another_shape, "ValueError: "),
]


@pytest.mark.parametrize(("spoil", "reason"), SPOILS, ids=[spoil.__name__ for spoil, _ in SPOILS])
def test_a_variant_that_fails_is_recorded_and_the_others_go_on(
    spoil, reason, tiny_sweep, tmp_path, monkeypatch
):
    """One network that runs wrong or not at all in one of two runtimes: its row says why, five are timed."""
    monkeypatch.setitem(BACKENDS, "torch", Spoiled(BACKENDS["torch"], 128, spoil))
    messages = go_on(tiny_sweep, tmp_path / "run")
    ((failed, recorded),) = open_run(tmp_path / "run").failures().items()
    assert failed == (R128, TORCH)
    assert recorded.startswith(reason)
    assert messages == [f"{R128} failed in {TORCH}: {recorded}"]
    assert set(visits(tmp_path / "run")) == {key for key in EVERY_VISIT if key[:2] != (TORCH, R128)}
    table = open_run(tmp_path / "run").table().set_index(["backend", "variant"])
    assert len(table) == 6
    assert table.loc[("torch", R128), "error"] == recorded
    assert np.isnan(table.loc[("torch", R128), "latency_ms"])
    assert table.drop(index=("torch", R128))["error"].isna().all()


def test_what_failed_is_tried_again_only_when_told(tiny_sweep, tmp_path, monkeypatch):
    """Exit code 1 and the reason, also when nothing is left to do; --retry measures what is missing."""
    folder = tmp_path / "run"
    words = ["run", tiny_sweep, "--out", folder]
    spoiled = Spoiled(BACKENDS["torch"], 128, raises)
    monkeypatch.setitem(BACKENDS, "torch", spoiled)
    first = call(*words)
    assert first.exit_code == 1
    assert f"1 failed; `mbsweep run {tiny_sweep} --retry` tries them again:" in first.stderr
    assert f"  {R128} {TORCH}: RuntimeError: no kernel for this network" in first.stderr.splitlines()
    assert spoiled.prepared == [160, 128, 32]
    before = visits(folder)

    second = call(*words)
    assert second.exit_code == 1
    assert "RuntimeError: no kernel for this network" in second.stderr
    assert spoiled.prepared == [160, 128, 32]
    assert visits(folder) == before

    spoiled.resolution = None
    third = call(*words, "--retry")
    assert third.exit_code == 0
    assert spoiled.prepared == [160, 128, 32, 128]
    after = visits(folder)
    assert set(after) == EVERY_VISIT
    assert {key: after[key] for key in before} == before
    assert open_run(folder).table()["error"].isna().all()


def test_a_call_that_fails_in_a_later_round_keeps_what_it_gave(tiny_sweep, tmp_path, monkeypatch):
    """A network dies in its third visit: the two before it stay, beside the reason; no other is touched."""

    def dies_later(call):
        def dying():
            if len([key for key in visits(tmp_path / "run") if key[1] == R128]) == 2:
                raise RuntimeError("out of luck")
            return call()

        return dying

    sweep = rewritten(tiny_sweep, tmp_path, (ORT_LINE, ""))
    monkeypatch.setitem(BACKENDS, "torch", Spoiled(BACKENDS["torch"], 128, dies_later))
    go_on(sweep, tmp_path / "run")
    assert set(visits(tmp_path / "run")) == {
        key for key in EVERY_VISIT if key[0] == TORCH and key != (TORCH, R128, 2)
    }
    row = open_run(tmp_path / "run").table().set_index("variant").loc[R128]
    assert row["error"] == "RuntimeError: out of luck"
    assert row["latency_ms"] > 0


def test_a_network_that_does_not_fit_is_recorded_and_the_others_go_on(tmp_path):
    """549 GB of activations (2048 x 2048 x 32768 x 4 bytes): refused before anything is allocated."""
    sweep = tmp_path / "huge.yaml"
    sweep.write_text(
        "variants:\n"
        "  - {width: 4, resolution: 4096, block: standard, stage_channels: [8192, 8192, 8192, 8192, 8192]}\n"
        "  - {width: 0.25, resolution: 32}\n"
        "latency:\n"
        "  - {backend: torch, rounds: 2, visit_ms: 1}\n"
        "  - {backend: torch, batch: 2, rounds: 2, visit_ms: 1}\n",
        encoding="utf-8",
    )
    result = call("run", sweep, "--out", tmp_path / "run")
    assert result.exit_code == 1
    ((failed, reason),) = open_run(tmp_path / "run").failures().items()
    assert failed == ("mobilenet_v1_w4.0_r4096_d5_standard_c8192-8192-8192-8192-8192", "")
    assert reason.startswith("MemoryError: needs about ")
    table = open_run(tmp_path / "run").table()
    assert list(table["error"].fillna("")) == [reason, "", reason, ""]
    assert set(visits(tmp_path / "run")) == {
        (config, R32, number) for config in (TORCH, "torch-fp32-b2-t1") for number in range(2)
    }


def test_a_network_with_other_counts_than_its_variant_is_an_error(tiny_sweep, tmp_path, monkeypatch):
    """One variant is built as another network: it fails in every configuration, and is never timed."""
    build = prepare.build

    def mistaken(variant):
        wrong = mbsweep.Variant(width=0.35, resolution=128)
        return build(wrong if variant.resolution == 128 else variant)

    monkeypatch.setattr(prepare, "build", mistaken)
    go_on(tiny_sweep, tmp_path / "run")
    ((failed, reason),) = open_run(tmp_path / "run").failures().items()
    assert failed == (R128, "")
    assert reason == (  # the given variant is 0.25-128, the built one 0.35-128
        f"CountMismatchError: {R128}: closed form gives 470072 params and 13570048 mult-adds, "
        f"the built network 763752 and fvcore 26497472"
    )
    assert set(visits(tmp_path / "run")) == {key for key in EVERY_VISIT if key[1] != R128}
    table = open_run(tmp_path / "run").table().set_index("variant")
    assert table.loc[R128, "latency_ms"].isna().all()
    assert table.loc[R128, "error"].notna().all()
    monkeypatch.undo()
    assert call("run", tiny_sweep, "--out", tmp_path / "run", "--retry").exit_code == 0
    assert set(visits(tmp_path / "run")) == EVERY_VISIT


ELSEWHERE = [
    ("device", "processor", "Cray-1"),
    ("device", "cores", 999),
    ("device", "machine", "pdp11"),
    ("versions", "torch", "1.0.0"),
    ("versions", "onnxruntime", "1.0.0"),
]


@pytest.mark.parametrize(("part", "name", "value"), ELSEWHERE)
def test_two_machines_or_runtimes_do_not_mix(part, name, value, tiny_run, tiny_sweep, tmp_path):
    """A run measured elsewhere is refused with both values, and left as it is."""
    folder = copied(tiny_run, tmp_path)
    ((stored,),) = query(folder, f"SELECT {part} FROM sessions")  # noqa: S608
    here = json.loads(stored)[name]
    execute(folder, f"UPDATE sessions SET {part} = ?", [json.dumps(json.loads(stored) | {name: value})])  # noqa: S608
    before = (folder / "run.sqlite").read_bytes()
    more = rewritten(tiny_sweep, tmp_path, ("rounds: 3", "rounds: 4"))
    assert refusal(call("run", more, "--out", folder)) == (
        f"{folder} was measured with {name} {value!r}, and here it is {here!r}; "
        "choose another --out, so that the two do not mix"
    )
    assert (folder / "run.sqlite").read_bytes() == before


def test_more_threads_than_cores_are_refused(tiny_sweep, tmp_path):
    """1024 threads (the most that a file may say) are refused with the line, before anything is made."""
    sweep = rewritten(tiny_sweep, tmp_path, ("{backend: torch,", "{backend: torch, threads: 1024,"))
    cores = len(os.sched_getaffinity(0))
    assert refusal(call("run", sweep, "--out", tmp_path / "run")) == (
        f"{sweep}:8: latency[1].threads is 1024; this machine has {cores} cores"
    )
    assert not (tmp_path / "run").exists()


def test_more_networks_than_fit_are_refused(tmp_path):
    """10,002 networks to time in one run: the message says how many are allowed and how to narrow it."""
    sweep = tmp_path / "many.yaml"
    sweep.write_text(
        "space: {resolution: {from: 1, to: 3334, step: 1}, width: [0.25, 0.5, 1.0]}\n"
        "latency: [{backend: torch}]\n",
        encoding="utf-8",
    )
    message = refusal(call("run", sweep, "--out", tmp_path / "run"))
    assert message.endswith("would measure 10002 variants; at most 10000: narrow it by limits or sample")
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_folder_lies_under_runs(tmp_path, monkeypatch):
    """`mbsweep run some/name.yaml` writes runs/name, here of a sweep that times nothing."""
    monkeypatch.chdir(tmp_path)
    sweep = tmp_path / "elsewhere" / "counted.yaml"
    sweep.parent.mkdir()
    sweep.write_text("space: {width: [0.25, 0.5]}\n", encoding="utf-8")
    done = mbsweep.run(load_sweep(sweep))
    assert str(done.path) == "runs/counted"
    assert len(open_run("runs/counted").table()) == 2


def test_the_python_api_raises_what_the_command_line_says(tiny_sweep, tmp_path):
    """`mbsweep.run` refuses by MbsweepError, with the same words."""
    (tmp_path / "foreign.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(MbsweepError, match="is not empty and holds no mbsweep run; choose another --out"):
        mbsweep.run(load_sweep(tiny_sweep), tmp_path)


@pytest.fixture(scope="module")
def long_sweep(tiny_sweep, tmp_path_factory):
    """About ten seconds of visits, of one network."""
    folder = tmp_path_factory.mktemp("long")
    replacements = ("[160, 128, 32]", "[32]"), ("rounds: 3", "rounds: 2000")
    return rewritten(tiny_sweep, folder, *replacements)


def test_ctrl_c_ends_a_run_within_seconds_and_loses_nothing(long_sweep, tmp_path):
    """SIGINT while visits are made: exit code 130, advice on stderr, every visit stays, the run goes on."""
    folder = tmp_path / "run"
    process = start("run", long_sweep, "--out", folder)
    wait_until(lambda: visit_count(folder) >= 20, process)
    before = visits(folder)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process, timeout_s=10)
    assert (code, out) == (130, "")
    assert err.endswith("\nstopped; what was measured is kept: run the same command again to go on\n")
    assert "Traceback" not in err
    stopped = visits(folder)
    assert stopped.items() >= before.items()
    assert sorted(contents(folder)) == ["lock", "run.sqlite"]

    more = len(stopped) + 10
    again = start("run", long_sweep, "--out", folder)
    wait_until(lambda: visit_count(folder) >= more, again)
    again.send_signal(signal.SIGINT)
    assert finish(again, timeout_s=10)[0] == 130
    assert visits(folder).items() >= stopped.items()


def maps(process, library):
    """Whether a process has loaded a shared library."""
    with open(f"/proc/{process.pid}/maps", encoding="utf-8") as file:
        return library in file.read()


LIBRARIES = ["multiarray_umath", "libtorch_cpu.so", "libtorch_python.so", "onnx_cpp2py"]  # as they are loaded


@pytest.mark.parametrize("library", LIBRARIES)
def test_ctrl_c_ends_a_run_that_is_still_loading(library, long_sweep, tmp_path):
    """SIGINT while the runtimes are loaded or the networks prepared: the same words, 130 in a shell."""
    process = start("run", long_sweep, "--out", tmp_path / "run")
    wait_until(lambda: maps(process, library), process)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process, timeout_s=10)
    assert "Traceback" not in err
    # Interrupted within an import, Python may end itself by the signal: shells call that 130, too.
    assert code in (130, -signal.SIGINT)
    assert out == ""
    assert err.endswith("\nstopped; what was measured is kept: run the same command again to go on\n")


def test_a_second_run_into_the_same_folder_is_refused_and_the_first_goes_on(tiny_sweep, tmp_path):
    """Two commands at once: one message that names the first process; reading beside it is allowed."""
    folder = tmp_path / "run"
    sweep = rewritten(tiny_sweep, tmp_path, ("[160, 128, 32]", "[32]"), ("rounds: 3", "rounds: 400"))
    first = start("run", sweep, "--out", folder)
    wait_until(lambda: visit_count(folder) >= 5, first)
    assert refusal(finish(start("run", sweep, "--out", folder))) == (
        f"{folder} is in use by another mbsweep run (process {first.pid}); wait for it or choose --out"
    )
    assert first.poll() is None
    assert call("table", folder).exit_code == 0
    assert call("plan", sweep, "--out", folder).exit_code == 0
    code, _, err = finish(first)
    assert code == 0, err
    assert set(visits(folder)) == {(config, R32, number) for config in (ORT, TORCH) for number in range(400)}
