"""`mbsweep front`: what it prints of runs whose latencies are known beforehand."""

import json
import re

import pytest
from console import call, refusal
from made_runs import made_run
from reporter_runs import many_run, write_run

from mbsweep.table.results import Run

TORCH, ONNX = "torch-fp32-b1-t1", "onnxruntime-fp32-b1-t1"
SWEEP = """\
space: {width: [0.25], resolution: [224, 160, 128, 32]}
latency: [{backend: torch, rounds: 12}, {backend: onnxruntime, rounds: 12}]
accuracy: {source: published, table: tf-slim-2018-08-02}
"""  # which knows 49.8 %, 45.5 %, 41.5 %, and nothing at 32 px
W224, W160, W128 = (f"mobilenet_v1_w0.25_r{resolution}_d5" for resolution in (224, 160, 128))
SOURCE = "top-1 accuracy: published, tf-slim-2018-08-02"


def a_run(folder, torch_ms=(8, 4, 5, 1), onnxruntime_ms=(3, 2, 1, 1)):
    """A run in two runtimes: of each, the latency of the four variants; 0: never visited."""
    visits = {
        config: [[[ms]] * 12 if ms else [] for ms in values]
        for config, values in ((TORCH, torch_ms), (ONNX, onnxruntime_ms))
    }
    return made_run(folder, SWEEP, visits)


def counted(folder):
    return made_run(folder, "space: {width: [0.25, 0.5]}\n")


def printed(*words):
    """What `mbsweep front` prints, line by line, without the spaces at the ends."""
    result = call("front", *words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


def cells(lines):
    return [re.split(r"\s{2,}", line) for line in lines]


def with_front_pct(monkeypatch, values):
    """The table gets the column `front_pct`; None: it has none."""
    made = Run.table

    def changed(run, progress=None):
        table = made(run, progress).drop(columns="front_pct", errors="ignore")
        return table if values is None else table.assign(front_pct=values)

    monkeypatch.setattr(Run, "table", changed)


def test_the_fronts_of_a_run(tmp_path, monkeypatch):
    """Of each configuration: by rising latency, with interval and accuracy; 128 px is beaten in PyTorch."""
    with_front_pct(monkeypatch, None)
    lines = printed(a_run(tmp_path / "run"))
    assert lines[:2] == [
        f"{TORCH}: torch, fp32, batch 1, 1 thread; measured on Abacus, 2 cores, 4 GiB, Linux wood",
        SOURCE,
    ]
    assert cells(lines[2:5]) == [
        ["network", "ms", "95 %", "top-1 %"],
        ["0.25-160", "4", "4 to 4", "45.5"],
        ["0.25-224", "8", "8 to 8", "49.8"],
    ]
    # Up to 8 ms and 41.5 %: (8 - 4) x (45.5 - 41.5).
    assert lines[5:7] == [
        "hypervolume 16 (ms x %), reference point 8 ms, 41.5 % "
        "(the largest latency and the smallest top-1 accuracy here)",
        "",
    ]
    assert lines[7].startswith(f"{ONNX}: onnxruntime, fp32, batch 1, 1 thread; ")
    assert [row[0] for row in cells(lines[10:13])] == ["0.25-128", "0.25-160", "0.25-224"]
    # (3 - 2) x (45.5 - 41.5): 128 px, at 41.5 %, and 224 px, at 3 ms, lie on the edge.
    assert lines[13].startswith("hypervolume 4 (ms x %), reference point 3 ms, 41.5 %")
    # Once for all: what a short name stands for.
    assert lines[14:] == ["", f"0.25-160 is {W160}"]


def test_a_reference_point_can_be_given(tmp_path):
    """(10 - 4) x (45.5 - 40) + (10 - 8) x (49.8 - 45.5) = 41.6; what is beyond it adds nothing."""
    run = a_run(tmp_path / "run")
    lines = printed(run, "--config", TORCH, "--reference", "10,40")
    assert lines[-3] == "hypervolume 41.6 (ms x %), reference point 10 ms, 40 %"
    lines = printed(run, "--config", TORCH, "--reference", "5.5,45.25")
    assert lines[-3] == "hypervolume 0.375 (ms x %), reference point 5.5 ms, 45.25 %"
    assert len(lines) == 8  # the front stays whole


def test_a_front_of_sizes_is_printed_once(tmp_path):
    """What two configurations of one precision share, mult-adds and accuracy, has one front."""
    lines = printed(a_run(tmp_path / "run"), "--cost", "macs")
    assert lines[:2] == ["fp32, the same in every latency configuration", SOURCE]
    assert cells(lines[2:6]) == [
        ["network", "mult-adds", "top-1 %"],
        ["0.25-128", "13,570,048", "41.5"],
        ["0.25-160", "21,059,200", "45.5"],
        ["0.25-224", "41,030,272", "49.8"],
    ]
    # (41,030,272 - 21,059,200) x (45.5 - 41.5)
    assert lines[6:-2] == [
        "hypervolume 79,884,288 (mult-adds x %), reference point 41,030,272 mult-adds, 41.5 % "
        "(the largest mult-adds and the smallest top-1 accuracy here)"
    ]


def test_each_precision_has_a_front_of_its_own(tmp_path):
    """Accuracies at fp32 and int8 are never on one front; at bf16 none is known."""
    lines = printed(many_run(tmp_path / "run"), "--cost", "params")
    shared = ", the same in every latency configuration"
    assert [line for line in lines if line.endswith(shared)] == [
        f"{precision}{shared}" for precision in ("fp32", "int8", "bf16")
    ]
    assert lines[-3] == "  both parameters and top-1 accuracy are known of no variant"
    assert sum(line.startswith("hypervolume ") for line in lines) == 2


def test_a_cost_of_the_runtime_has_a_front_in_each(tmp_path):
    """The p90 latency and top-5 accuracy: no interval is printed but that of the headline."""
    lines = printed(a_run(tmp_path / "run"), "--cost", "latency_p90_ms", "--value", "top5_pct")
    titles = [row for row in cells(lines) if row[0] == "network"]
    assert titles == [["network", "latency p90 ms", "top-5 %"]] * 2


def test_the_probability_of_being_on_the_front(tmp_path, monkeypatch):
    """In percent, unknown where it is not known; of the front of top-1 against latency only."""
    with_front_pct(monkeypatch, [99.96, 51.25, 3.0, None, None, None, None, None])
    run = a_run(tmp_path / "run")
    lines = printed(run)
    assert [row[-1] for row in cells(lines[2:5])] == ["on front %", "51.2", "100.0"]
    assert [row[-1] for row in cells(lines[9:13])] == ["on front %", "unknown", "unknown", "unknown"]
    assert not any("on front" in line for line in printed(run, "--cost", "macs"))


def test_configurations_without_a_front_say_so(tmp_path):
    """One that was never measured, beside one that was."""
    lines = printed(a_run(tmp_path / "run", onnxruntime_ms=(0, 0, 0, 0)))
    assert lines[-3] == "  both latency and top-1 accuracy are known of no variant"


def test_an_unknown_interval_is_told_as_unknown(tmp_path):
    """Three visits make no interval."""
    lines = printed(write_run(tmp_path / "run"))
    assert cells(lines[3:4])[0][:3] == ["0.25-128", "0.3443", "unknown"]
    assert not any("nan" in line for line in lines)


def test_the_networks_alone(tmp_path):
    """`-q`: neither hypervolumes nor cautions."""
    run = a_run(tmp_path / "run")
    brief, whole = printed(run, "-q"), printed(run)
    assert brief == [line for line in whole if not line.startswith("hypervolume")]
    noisy = many_run(tmp_path / "noisy")
    assert any("caution: " in line for line in printed(noisy))
    assert not any("caution: " in line for line in printed(noisy, "-q"))


def test_the_fronts_for_programs(tmp_path):
    """`--json`: of each front its rows with their intervals, and where the hypervolume ends."""
    run = a_run(tmp_path / "run")
    first, second = json.loads(call("front", run, "--json").stdout)
    assert (first["config"], first["latency_kind"]) == (TORCH, "measured")
    assert (first["cost"], first["value"]) == ("latency_ms", "top1_pct")
    assert (first["top1_kind"], first["top1_source"]) == ("published", "tf-slim-2018-08-02")
    assert [row["variant"] for row in first["front"]] == [W160, W224]
    said = {"latency_ms": 4, "latency_low_ms": 4, "latency_high_ms": 4, "front_pct": 100, "top1_pct": 45.5}
    unknown = {"top1_low_pct": None, "top1_high_pct": None}  # published
    assert first["front"][0] == {"variant": W160, "name": "0.25-160"} | said | unknown
    assert first["hypervolume"] == pytest.approx(16)
    assert first["reference"] == [8, 41.5]
    assert first["cautions"] == []
    assert second["config"] == ONNX
    (sizes,) = json.loads(call("front", run, "--json", "--cost", "macs").stdout)
    assert (sizes["precision"], "config" in sizes) == ("fp32", False)
    assert "front_pct" not in sizes["front"][0]


def test_text_of_a_run_is_text_not_markup(tmp_path):
    """A device called "[red]:warning:" is printed as it is called."""
    lines = printed(write_run(tmp_path / "run", device="[red]:warning:[/red]"))
    assert lines[0].endswith("; measured on [red]:warning:[/red]")


COSTS = "expected one of params, macs, weight_bytes, "
BAD = [
    (["--cost", "latncy_ms"], f"--cost is 'latncy_ms'; {COSTS}", "latency_ms"),
    (["--cost", "top1_pct"], f"--cost is 'top1_pct'; {COSTS}", None),
    (["--value", "macs"], "--value is 'macs'; expected one of top1_pct, top5_pct", None),
    (["--value", "top1"], "--value is 'top1'; expected one of top1_pct, top5_pct", "top1_pct"),
]


@pytest.mark.parametrize(("words", "message", "hint"), BAD)
def test_costs_and_values_are_columns_that_have_a_better_way(words, message, hint, tmp_path):
    """Others are refused with those that there are, and the nearest."""
    said = refusal(call("front", a_run(tmp_path / "run"), *words))
    assert said.startswith(message)
    assert hint is None or said.endswith(f"; did you mean '{hint}'?")


@pytest.mark.parametrize("text", ["", "16", "16,", "16,40,1", "ms,40", "nan,40", "16,inf", "16;40"])
def test_a_reference_is_two_numbers(text, tmp_path):
    """What was given, and what is allowed."""
    assert refusal(call("front", a_run(tmp_path / "run"), "--reference", text)) == (
        f"--reference is {text!r}; expected COST,VALUE, two finite numbers, such as 16,41.5"
    )


def test_without_known_numbers_there_is_no_front(tmp_path):
    """What is known of no variant, and whether another cost would do."""
    run = counted(tmp_path / "counted")
    assert refusal(call("front", run)) == (
        f"{run}: latency_ms is known of no variant; --cost macs needs no latency"
    )
    assert refusal(call("front", run, "--cost", "macs")) == f"{run}: top1_pct is known of no variant"
    run = a_run(tmp_path / "run", torch_ms=(0, 0, 0, 1))
    assert refusal(call("front", run, "--config", TORCH)) == (
        f"{run}, {TORCH}: both latency_ms and top1_pct are known of no variant"
    )
    assert refusal(call("front", run, "--config", "tourch")).startswith(
        f"{run} has no latency configuration 'tourch'; it has {TORCH}, {ONNX}"
    )


def test_what_is_only_counted_has_a_front_of_sizes(tmp_path):
    """Without a latency configuration, accuracies are those at fp32."""
    sweep = SWEEP[: SWEEP.index("latency")] + SWEEP[SWEEP.index("accuracy") :]
    lines = printed(made_run(tmp_path / "run", sweep), "--cost", "macs")
    assert lines[:2] == ["only counted: no latency", SOURCE]
    assert [row[0] for row in cells(lines[3:6])] == ["0.25-128", "0.25-160", "0.25-224"]
