"""What `mbsweep run` ends with, of runs whose latencies are known beforehand."""

import re
import shlex

import pytest
from console import call
from made_runs import made_run
from reporter_runs import write_run

from mbsweep import open_run
from mbsweep.commands._ending import print_ending

SWEEP = """\
space: {{width: [{widths}], resolution: [{resolutions}]}}
latency: [{latency}]
accuracy: {{source: published, table: tf-slim-2018-08-02}}
"""
ALL = "224, 192, 160, 128"


def ending(capsys, run):
    """What is printed at the end of a run, line by line."""
    print_ending(open_run(run))
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def a_run(folder, latencies_ms, widths="0.25", resolutions="160, 128, 32", calls=12):
    """A run of runtimes: of each, the latency of its variants, in so many visits."""
    latency = ", ".join(f"{{backend: {name}, rounds: 12}}" for name in latencies_ms)
    sweep = SWEEP.format(widths=widths, resolutions=resolutions, latency=latency)
    visits = {
        f"{name}-fp32-b1-t1": [[[ms]] * calls if ms else [] for ms in values]
        for name, values in latencies_ms.items()
    }
    return made_run(folder, sweep, visits)


def test_the_front_how_sure_and_what_next(tmp_path, capsys):
    """Of the fastest runtime first; 2.4 ms is the middle of 2 and 3, in round numbers 2."""
    run = a_run(tmp_path / "run", {"torch": [5, 4, 2], "onnxruntime": [3, 2, 0]})
    assert ending(capsys, run) == [
        "",
        "onnxruntime-fp32-b1-t1; top-1 accuracy: published, tf-slim-2018-08-02",
        "network   ms    95 %  top-1 %  on front %",
        "0.25-128   2  2 to 2     41.5       100.0",
        "0.25-160   3  3 to 3     45.5       100.0",
        "  95 % intervals 0.0 % wide in the median, at most 0.0 %; every place on the front is settled",
        "",
        "torch-fp32-b1-t1; top-1 accuracy: published, tf-slim-2018-08-02",
        "network   ms    95 %  top-1 %  on front %",
        "0.25-128   4  4 to 4     41.5       100.0",
        "0.25-160   5  5 to 5     45.5       100.0",
        "  95 % intervals 0.0 % wide in the median, at most 0.0 %; every place on the front is settled",
        "",
        "next:",
        f"  mbsweep open {run}",
        f"  mbsweep pick {run} --config onnxruntime-fp32-b1-t1 --max-latency-ms 2",
        f"  mbsweep table {run}",
    ]


def test_the_budget_to_try_is_written_out(tmp_path, capsys):
    """45 ms is the middle of 40 and 50, in round numbers 40; not 4e+01."""
    run = a_run(tmp_path / "run", {"torch": [50, 40, 20]})
    assert ending(capsys, run)[-2] == f"  mbsweep pick {run} --max-latency-ms 40"


@pytest.mark.parametrize(("latencies_ms", "budget"), [([40, 10], 20), ([5.6, 5.0], 5), ([0.71, 0.69], 0.7)])
def test_the_budget_to_try_is_round_and_something_fits(latencies_ms, budget, tmp_path, capsys):
    """The middle of the front's ends on a log scale; the command, as it stands, finds a network."""
    run = a_run(tmp_path / "run", {"torch": [*latencies_ms, 0]})
    *_, pick, _ = ending(capsys, run)
    assert float(pick.split()[-1]) == budget
    assert call(*shlex.split(pick)[1:]).exit_code == 0


def test_a_single_network_has_a_budget_that_it_fits(tmp_path, capsys):
    """1.23456789 ms would be beyond 1.2."""
    run = a_run(tmp_path / "run", {"torch": [1.234567, 0, 0]})
    *_, pick, _ = ending(capsys, run)
    assert call(*shlex.split(pick)[1:]).exit_code == 0


def test_what_is_not_settled_is_named(tmp_path, capsys):
    """Two networks within each other's interval: how likely each is on the front, and how wide they are."""
    text = SWEEP.format(widths="0.5, 0.25", resolutions="160, 128", latency="{backend: torch, rounds: 12}")
    run = write_run(
        tmp_path / "run",
        text,
        latency_ms=lambda config, variant: {160: 4.0, 128: 3.9}[variant.resolution] * variant.width,
        rounds=lambda variant: 12,
        spread=0.1,
    )
    (how,) = [line for line in ending(capsys, run) if "95 % intervals" in line]
    assert re.search(r"; on the front or not is open of 0\.25-128 \(\d+ %\)", how)
    few = a_run(tmp_path / "few", {"torch": [5, 4, 2]}, calls=3)
    assert "  how sure is unknown: too few visits for an interval" in ending(capsys, few)


def test_a_long_front_and_many_configurations_stay_short(tmp_path, capsys):
    """Ten of sixteen networks of a front, its ends among them; of the fourth configuration only the name."""
    wide = "1.0, 0.75, 0.5, 0.25"
    # Each is slower than the next, and better: the order of tf-slim's accuracies.
    text = SWEEP.format(widths=wide, resolutions=ALL, latency="{backend: torch, rounds: 12}")
    known = {}

    def latency_ms(config, variant):
        return known[variant.id]

    accuracies = made_run(
        tmp_path / "counted", text[: text.index("latency")] + text[text.index("accuracy") :]
    )
    table = open_run(accuracies).table().sort_values("top1_pct")
    known.update({name: 1.0 + place for place, name in enumerate(table["variant"])})
    lines = ending(capsys, write_run(tmp_path / "run", text, latency_ms=latency_ms, rounds=lambda v: 12))
    assert "  and 6 more between these" in lines
    shown = [line.split()[0] for line in lines if line.startswith(("0.", "1-"))]
    assert (shown[0], shown[-1], len(shown)) == ("0.25-128", "1-224", 10)
    names = ("torch", "onnxruntime", "openvino", "executorch")
    several = ", ".join(f"{{backend: {name}, rounds: 12}}" for name in names)
    run = write_run(
        tmp_path / "several",
        SWEEP.format(widths=wide, resolutions=ALL, latency=several),
        latency_ms=lambda config, variant: known[variant.id] * (1 + names.index(config.backend)),
    )
    lines = ending(capsys, run)
    assert [line.split(";")[0] for line in lines if "; top-1 accuracy" in line] == [
        *("torch-fp32-b1-t1", "onnxruntime-fp32-b1-t1")
    ]
    assert "fronts of openvino-fp32-b1-t1, executorch-fp32-b1-t1:" in lines
    assert f"  mbsweep front {run}" in lines
    assert len(lines) < 40


def test_what_is_to_be_known_stands_above_the_front(tmp_path, capsys):
    """Noisy latencies, as `front` says it."""
    run = write_run(tmp_path / "run", upper=lambda config, variant: 1.3)
    assert any("  caution: noisy: " in line for line in ending(capsys, run))


def test_without_accuracy_there_is_no_front(tmp_path, capsys):
    """The fastest can be asked for all the same; of what is only counted, nothing."""
    run = made_run(
        tmp_path / "run",
        "space: {width: [0.25, 0.5]}\nlatency: [{backend: torch, rounds: 12}]\n",
        {"torch-fp32-b1-t1": [[[4]] * 12, [[5]] * 12]},
    )
    lines = ending(capsys, run)
    assert lines[0] == "no front: top-1 accuracy is known of no variant"
    pick = f"  mbsweep pick {run} --minimize latency_ms"
    assert pick in lines
    assert call(*shlex.split(pick)[1:]).exit_code == 0
    apart = a_run(tmp_path / "apart", {"torch": [0, 0, 2]})  # 32 px alone are timed, and not published
    assert ending(capsys, apart)[0] == "no front: latency and top-1 accuracy are both known of no variant"
    counted = made_run(tmp_path / "counted", "space: {width: [0.25, 0.5]}\n")
    assert ending(capsys, counted) == ["", "next:", f"  mbsweep open {counted}", f"  mbsweep table {counted}"]


def test_sizes_alone_have_a_front_too(tmp_path, capsys):
    """Of what is counted and known: accuracy against mult-adds, of the table that knows most."""
    space = "space: {family: [mobilenet_v1, resnet18], resolution: 224, width: [1, 0.75]}\n"
    run = made_run(
        tmp_path / "run", f"{space}accuracy: {{source: published, table: [paper, torchvision-v1]}}\n"
    )
    assert ending(capsys, run) == [
        "",
        "only counted: no latency; top-1 accuracy: published, paper",
        "network                  mult-adds  top-1 %",
        "mobilenet_v1 0.75-224  325,400,448     68.4",
        "mobilenet_v1 1-224     568,740,352     70.6",
        "  not joined with it, and not shown: accuracies of torchvision-v1",
        "",
        "next:",
        f"  mbsweep open {run}",
        f"  mbsweep pick {run} --max-macs 400000000",
        f"  mbsweep table {run}",
    ]


def test_a_large_run_is_not_tabulated_unasked(tmp_path, capsys, monkeypatch):
    """Its table would take long."""
    run = a_run(tmp_path / "run", {"torch": [5, 4, 2]})
    monkeypatch.setattr("mbsweep.table.results.MOST_UNASKED", 2)
    assert ending(capsys, run) == ["", "next:", f"  mbsweep open {run}", f"  mbsweep table {run}"]
