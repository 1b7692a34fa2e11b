"""`mbsweep pick`: what it prints of runs whose latencies are known beforehand."""

import json
import re
import shlex

import pytest
from console import call, refusal
from made_runs import made_run
from reporter_runs import write_run

from mbsweep import open_run
from mbsweep.storage.marks import Failure, FailureKind
from mbsweep.storage.store import Store
from mbsweep.table.panels import panels

TORCH, ONNX = "torch-fp32-b1-t1", "onnxruntime-fp32-b1-t1"
SWEEP = """\
space: {{width: [0.25], resolution: [160, 128, 32]}}
latency: [{latency}]
accuracy: {{source: published, table: tf-slim-2018-08-02}}
"""  # which knows 45.5 %, 41.5 %, and nothing at 32 px
W160, W128, W32 = (f"mobilenet_v1_w0.25_r{resolution}_d5" for resolution in (160, 128, 32))


THREE_VISITS = {"torch-fp32-b1-t1": [[[5.0]] * 3, [[4.0]] * 3, [[2.0]] * 3]}


def a_run(folder, **latencies_ms):
    """A run of runtimes: of each, the latency of the three variants; 0: never visited."""
    sweep = SWEEP.format(latency=", ".join(f"{{backend: {name}, rounds: 12}}" for name in latencies_ms))
    visits = {
        f"{name}-fp32-b1-t1": [[[ms]] * 12 if ms else [] for ms in values]
        for name, values in latencies_ms.items()
    }
    return made_run(folder, sweep, visits)


def counted(folder):
    return made_run(folder, "space: {width: [0.25, 0.5]}\n")


def picked(*words, exit_code=0):
    """What `mbsweep pick` prints, line by line, without the spaces at the ends."""
    result = call("pick", *words)
    assert (result.exit_code, result.stderr) == (exit_code, ""), result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


def cells(line):
    """Of a row of a table."""
    return re.split(r"\s{2,}", line.strip())


SOURCE = "  top-1 accuracy: published, tf-slim-2018-08-02"


def test_the_picks_of_a_run(tmp_path):
    """For each configuration: the best, what just misses and by how much, the counts; then who they are."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2], onnxruntime=[3, 2, 0])
    assert picked(run, "--max-latency-ms", "4.6") == [
        f"{TORCH}: torch, fp32, batch 1, 1 thread; measured on Abacus, 2 cores, 4 GiB, Linux wood",
        "   network   top-1 %  ms    95 %  of 4.6 ms",
        "1  0.25-128     41.5   4  4 to 4     87.0 %",
        "just missed (better, and at most 10 % over):",
        "-  0.25-160     45.5   5  5 to 5     +8.7 %",
        SOURCE,
        "  1 of 3 fit, 1 do not; of 1 a needed number is unknown",
        "",
        f"{ONNX}: onnxruntime, fp32, batch 1, 1 thread; measured on Abacus, 2 cores, 4 GiB, Linux wood",
        "   network   top-1 %  ms    95 %  of 4.6 ms",
        "1  0.25-160     45.5   3  3 to 3     65.2 %",
        "2  0.25-128     41.5   2  2 to 2     43.5 %",
        SOURCE,
        "  2 of 3 fit, 0 do not; of 1 a needed number is unknown, 1 of these with an error",
        "",
        f"0.25-128 is {W128}",
        "  mbsweep show mobilenet_v1 width=0.25 resolution=128",
        f"0.25-160 is {W160}",
        "  mbsweep show mobilenet_v1 width=0.25 resolution=160",
    ]


def test_the_command_that_is_printed_shows_the_best(tmp_path):
    """Typed as it stands; its first line is the id."""
    line = picked(a_run(tmp_path / "run", torch=[5, 4, 2]), "--max-latency-ms", "4.6")[-1]
    _, *words = shlex.split(line)
    assert call(*words).stdout.splitlines()[0] == W128


def test_ids_alone(tmp_path):
    """`-q`: the best of each configuration in which anything fits, behind its name; of one, the id alone."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2], onnxruntime=[3, 2, 0])
    assert picked(run, "--max-latency-ms", "4.6", "-q") == [f"{TORCH} {W128}", f"{ONNX} {W160}"]
    assert picked(run, "--max-latency-ms", "3", "-q") == [f"{ONNX} {W160}"]
    assert picked(run, "--config", ONNX, "--quiet") == [W160]
    assert picked(run, "--max-latency-ms", "1", "-q", exit_code=1) == []


def test_one_configuration_and_the_best_alone(tmp_path):
    """--config and --count; every budget's number in full, and the share of the one that is nearest."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2], onnxruntime=[3, 2, 0])
    words = ["--config", ONNX, "--count", "1", "--max-macs", "25e6", "--max-params", "5e5"]
    words += ["--max-weight-bytes", "2e6", "--max-peak-activation-bytes", "7e5", "--min-top1", "40"]
    titles, row, source, counts, *_ = picked(run, *words)[1:]
    assert cells(titles) == [
        *("network", "top-1 %", "ms", "95 %", "mult-adds", "params", "weight bytes", "peak bytes"),
        "of budget",
    ]
    sizes = ["21,059,200", "470,072", "1,880,288", "614,400"]  # 84.2, 94.0, 94.0 and 87.8 %
    assert cells(row) == ["1", "0.25-160", "45.5", "3", "3 to 3", *sizes, "94.0 %"]
    assert source == SOURCE
    assert counts == "  2 of 3 fit, 0 do not; of 1 a needed number is unknown, 1 of these with an error"


def test_where_nothing_fits_the_nearest_is_named_and_the_exit_code_is_1(tmp_path):
    """In no configuration, as grep; in one of two, whichever it is, it is 0."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2], onnxruntime=[3, 2, 0])
    words = [run, "--max-latency-ms", "3", "--min-top1", "43"]
    lines = picked(*words, "--config", TORCH, exit_code=1)
    assert lines[1:] == [
        "  nothing fits",
        "   network   top-1 %  ms    95 %  of 3 ms",
        "nearest:",
        "-  0.25-128     41.5   4  4 to 4  +33.3 %",
        SOURCE,
        "  0 of 3 fit, 2 do not; of 1 a needed number is unknown",
        "",
        f"0.25-128 is {W128}",
        "  mbsweep show mobilenet_v1 width=0.25 resolution=128",
    ]
    both = picked(*words)
    assert both[:7] == lines[:7]
    assert "1  0.25-160     45.5   3  3 to 3  100.0 %" in both
    turned = a_run(tmp_path / "turned", onnxruntime=[3, 2, 0], torch=[5, 4, 2])
    assert "  nothing fits" in picked(turned, *words[1:])


def test_what_is_below_the_floor_says_by_how_much(tmp_path):
    """45.5 % of 46 % asked for, within the latency: half a point."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2])
    lines = picked(run, "--max-latency-ms", "9", "--min-top1", "46", exit_code=1)
    assert cells(lines[lines.index("nearest:") + 1])[-1] == "-0.5 points"


def test_what_else_is_near_stands_below_the_nearest(tmp_path):
    """Where nothing fits, each variant that just misses is named once."""
    run = a_run(tmp_path / "run", torch=[5, 4.8, 2])
    lines = picked(run, "--max-latency-ms", "4.7", exit_code=1)
    place = lines.index("nearest:")
    assert [cells(line)[:2] for line in lines[place + 1 : place + 4]] == [
        ["-", "0.25-128"],
        ["just missed (at most 10 % over):"],
        ["-", "0.25-160"],
    ]


def test_accuracies_of_two_tables_are_compared_with_a_warning(tmp_path):
    """ResNet-18 of torchvision (69.758 %) behind the paper's 1.0-224 (70.6 %): said above both."""
    space = "space: {family: [mobilenet_v1, resnet18]}\n"
    both = made_run(
        tmp_path / "both", f"{space}accuracy: {{source: published, table: [paper, torchvision-v1]}}\n"
    )
    lines = picked(both)
    assert lines[1:5] == [
        "  caution: accuracies of several sources are compared: paper, torchvision-v1",
        "   network             top-1 %",
        "1  mobilenet_v1 1-224     70.6",
        "2  resnet18 1-224        69.76",
    ]
    assert lines[5:7] == [
        "  top-1 accuracy of mobilenet_v1 1-224: published, paper",
        "  top-1 accuracy of resnet18 1-224: published, torchvision-v1",
    ]
    one = made_run(tmp_path / "one", f"{space}accuracy: {{source: published, table: [torchvision-v1]}}\n")
    assert picked(one)[2] == "1  resnet18 1-224    69.76"


def test_sizes_alone_need_no_latency(tmp_path):
    """A run that only counted: the fewest parameters within 60 million mult-adds."""
    assert picked(counted(tmp_path / "run"), "--max-macs", "6e7", "--minimize", "params")[:-2] == [
        "only counted: no latency",
        "   network    params   mult-adds  of 60,000,000",
        "1  0.25-224  470,072  41,030,272         68.4 %",
        "  1 of 2 fit, 1 do not",
        "",
    ]


def test_what_was_never_timed_is_read_once(tmp_path, monkeypatch):
    """Of a million variants each reading takes seconds; their sizes beside visits that are not there do not
    count.
    """
    run, read = counted(tmp_path / "run"), []
    for name in ("variants", "variant_columns"):
        made = getattr(Store, name)
        monkeypatch.setattr(Store, name, lambda store, made=made: read.append(store) or made(store))
    picked(run, "--max-macs", "6e7", "--minimize", "params")
    assert len(read) == 1


def test_the_fastest_with_at_least_so_much_accuracy(tmp_path):
    """Of 45.5 % in 3 ms and 41.5 % in 2 ms the first, where 43 % are asked for; without that the second."""
    run = a_run(tmp_path / "run", onnxruntime=[3, 2, 0])
    lines = picked(run, "--minimize", "latency_ms", "--min-top1", "43")
    assert cells(lines[1]) == ["network", "ms", "95 %", "top-1 %", "of budget"]
    assert cells(lines[2]) == ["1", "0.25-160", "3", "3 to 3", "45.5"]
    assert cells(picked(run, "--minimize", "latency_ms")[2])[:2] == ["1", "0.25-128"]


def test_the_answer_for_programs(tmp_path):
    """`--json`: of each panel the same as is printed, in numbers; what is unknown is null."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2], onnxruntime=[3, 2, 0])
    result = call("pick", run, "--max-latency-ms", "4.6", "--count", "1", "--json")
    first, second = json.loads(result.stdout)
    assert (first["config"], first["latency_kind"]) == (TORCH, "measured")
    assert (first["goal"], first["limits"], first["min_top1_pct"]) == ("top1_pct", {"latency_ms": 4.6}, None)
    said = {"latency_low_ms": 4, "latency_high_ms": 4, "fits_pct": 100, "best_pct": 100}
    assert first["fitting"] == [
        {"variant": W128, "name": "0.25-128", "top1_pct": 41.5, "latency_ms": 4} | said
    ]
    assert first["safe"] == first["fitting"][0]
    assert [one["variant"] for one in first["missed"]] == [W160]
    assert (first["step"]["variant"], first["nearest"]) == (W160, None)
    assert first["counts"] == {"fitting": 1, "beyond": 1, "unknown": 1, "failed": 0}
    assert second["fitting"][0]["variant"] == W160  # --count 1 of two
    assert second["counts"] == {"fitting": 2, "beyond": 0, "unknown": 1, "failed": 1}
    few = made_run(tmp_path / "few", SWEEP.format(latency="{backend: torch, rounds: 3}"), THREE_VISITS)
    (panel,) = json.loads(call("pick", few, "--max-latency-ms", "9", "--json").stdout)
    assert panel["fitting"][0]["fits_pct"] is None  # three visits make no interval
    assert panel["safe"] is None


def test_a_step_more_is_told_where_nothing_just_misses(tmp_path):
    """5 ms is 25 % over 4 ms, and 4 points better than the best within it."""
    lines = picked(a_run(tmp_path / "run", torch=[5, 4, 2]), "--max-latency-ms", "4")
    place = lines.index("a step more:")
    assert cells(lines[place + 1]) == ["-", "0.25-160", "45.5", "5", "5 to 5", "+25.0 %"]


def test_what_fits_is_told_with_its_chance_where_the_interval_holds_the_limit(tmp_path):
    """Of what fits and of what just misses; a prediction's interval is from 5 % below to 10 % above. 4.2 ms
    is a factor of 1.05 above 4: 1.96 ln 1.05 / ln 1.1 = 1.003 standard deviations, 84.2 %. 4.9 is 1.96 ln (5
    / 4.9) / ln (1 / 0.95) = 0.772 below 5: 22.0 %.
    """
    text = SWEEP.format(latency="{backend: torch, kind: predicted}")
    fixed = {160: 5.0, 128: 4.0, 32: 1.0}
    run = write_run(tmp_path / "run", text, latency_ms=lambda config, variant: fixed[variant.resolution])
    lines = picked(run, "--max-latency-ms", "4.2")
    assert "; predicted for " in lines[0]
    assert cells(lines[1])[-3:] == ["of 4.2 ms", "fits", "best"]
    assert cells(lines[2])[2:7] == ["41.5", "4", "3.8 to 4.4", "95.2 %", "84 %"]
    lines = picked(run, "--max-latency-ms", "4.9")
    (first,) = [cells(line) for line in lines if "41.5" in line]
    (missed,) = [cells(line) for line in lines if "45.5" in line]
    assert (first[-2], first[-1][0], len(first[-1])) == ("100 %", "7", 4)
    assert missed[-3:] == ["+2.0 %", "22 %", "22 %"]
    assert "to be safe, the best that fits with 97.5 %:" not in lines  # it is the best already


def test_a_measured_latency_fits_with_the_share_of_its_resamples_and_the_safe_one_is_named(tmp_path):
    """The limit lies between the headline and the upper end of its interval: 50 to 97.5 %."""
    run = write_run(
        tmp_path / "run",
        SWEEP.format(latency="{backend: torch, rounds: 12}"),
        rounds=lambda variant: 12,
        spread=0.02,
    )
    row = open_run(run).table().iloc[0]
    limit = (row["latency_ms"] + row["latency_high_ms"]) / 2
    lines = picked(run, "--max-latency-ms", limit)
    assert cells(lines[1])[-2:] == ["fits", "best"]
    first = cells(lines[2])
    assert first[:2] == ["1", "0.25-160"]
    assert 50 <= int(first[-2].removesuffix(" %")) < 98
    place = lines.index("to be safe, the best that fits with 97.5 %:")
    assert cells(lines[place + 1])[:2] == ["2", "0.25-128"]


def test_an_unknown_interval_is_told_as_unknown(tmp_path):
    """Three visits make no interval."""
    text = SWEEP.format(latency="{backend: torch, rounds: 3}")
    lines = picked(write_run(tmp_path / "run", text), "--max-latency-ms", "50")
    assert cells(lines[2])[4:] == ["unknown", "7.7 %"]
    assert "nan" not in "".join(lines)


def test_a_tiny_excess_is_an_excess(tmp_path):
    """0.01 % over is not "0.0 %"."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2])
    lines = picked(run, "--max-latency-ms", "4.9995")
    assert cells(lines[4])[-1] == "+<0.1 %"


def test_a_skipped_configuration_says_why(tmp_path):
    """Its sizes and accuracies are known all the same."""
    reason = "skipped: torch is not installed"
    run = write_run(
        tmp_path / "run",
        SWEEP.format(latency="{backend: torch, rounds: 3}, {backend: onnxruntime, rounds: 3}"),
        latency_ms=lambda config, variant: None if config.backend == "torch" else 1.0,
        failures={("", TORCH): Failure("torch is not installed", FailureKind.SKIPPED)},
    )
    lines = picked(run, "--max-macs", "2e7")
    assert lines[0] == f"{TORCH}: torch, fp32, batch 1, 1 thread; no latency, {reason}"
    assert cells(lines[2]) == ["1", "0.25-128", "41.5", "13,570,048", "67.9 %"]
    lines = picked(run, "--max-latency-ms", "2")
    assert lines[1:3] == [
        f"  nothing can be judged: latency is known of no variant ({reason})",
        "  0 of 3 fit, 0 do not; of 3 a needed number is unknown, 3 of these with an error",
    ]


def test_text_of_a_run_is_text_not_markup(tmp_path):
    """A device called "[red]:warning:" is printed as it is called."""
    text = SWEEP.format(latency="{backend: torch, rounds: 3}")
    lines = picked(write_run(tmp_path / "[red]run[/red]", text, device="[red]:warning:[/red]"))
    assert lines[0].endswith("; measured on [red]:warning:[/red]")


def test_what_has_no_latency_stands_with_every_device_of_its_configuration(tmp_path):
    """Two devices in one configuration are two panels; the variant that failed is counted in both."""
    table = open_run(a_run(tmp_path / "run", torch=[5, 4, 0])).table()
    assert [rows.index.to_list() for rows in panels(table)] == [[0, 1, 2]]
    table.loc[1, "device_id"] = "another"
    assert [rows.index.to_list() for rows in panels(table)] == [[0, 2], [1, 2]]


BAD = [
    (["--max-latency-ms", "nan"], "--max-latency-ms is nan; expected a finite number above 0"),
    (["--max-macs", "-2e6"], "--max-macs is -2000000.0; expected a finite number above 0"),
    (["--max-params", "0"], "--max-params is 0.0; expected a finite number above 0"),
    (["--max-weight-bytes", "inf"], "--max-weight-bytes is inf; expected a finite number above 0"),
    (["--max-peak-activation-bytes", "0"], "--max-peak-activation-bytes is 0.0; expected a finite number"),
    (["--min-top1", "100.5"], "--min-top1 is 100.5; expected a number in [0, 100], such as 60"),
    (["--count", "0"], "--count is 0; expected a whole number from 1 to 1000000, such as 3"),
    (["--maximize", "top1"], "--maximize is 'top1'; expected one of top1_pct, top5_pct"),
]


@pytest.mark.parametrize(("words", "message"), BAD)
def test_what_no_budget_can_be_is_refused(words, message, tmp_path):
    """Which option, what was given, what is allowed."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2])
    assert refusal(call("pick", run, *words)).startswith(message)


def test_an_unknown_configuration_is_refused(tmp_path):
    """With those that there are, and the nearest; a run that only counted has none."""
    run = a_run(tmp_path / "run", torch=[5, 4, 2], onnxruntime=[3, 2, 0])
    assert refusal(call("pick", run, "--config", "torch-fp32-b1-t2")) == (
        f"{run} has no latency configuration 'torch-fp32-b1-t2'; it has {TORCH}, {ONNX}; "
        f"did you mean '{TORCH}'?"
    )
    run = counted(tmp_path / "counted")
    assert refusal(call("pick", run, "--config", "x\ny")) == (
        f"{run} has no latency configuration 'x\\ny'; it has none: its variants are only counted"
    )


def test_what_is_known_of_no_variant_cannot_be_asked_for(tmp_path):
    """Latencies of what is only counted, accuracies without a source: what to do instead."""
    run = counted(tmp_path / "counted")
    assert refusal(call("pick", run, "--max-latency-ms", "5", "--minimize", "macs")) == (
        f"{run} has no latency that --max-latency-ms could limit, or --minimize compare; leave it out, "
        "or say macs in its place"
    )
    assert refusal(call("pick", run, "--max-macs", "2e8")) == (
        f"{run}: top1_pct is known of no variant; --minimize macs picks without it"
    )
    assert refusal(call("pick", run, "--minimize", "macs", "--min-top1", "60")) == (
        f"{run}: top1_pct is known of no variant; leave --min-top1 out"
    )
    assert refusal(call("pick", run, "--minimize", "macs", "--maximize", "top1_pct")) == (
        "--maximize and --minimize are both given; say one of them, the other as a limit"
    )
    assert refusal(call("pick", run, "--maximize", "macs")) == (
        "--maximize is 'macs'; expected one of top1_pct, top5_pct"
    )
    run = a_run(tmp_path / "run", torch=[5, 4, 2], onnxruntime=[0, 0, 0])
    assert refusal(call("pick", run, "--config", ONNX, "--max-latency-ms", "5")).startswith(
        f"{run}, {ONNX} has no latency that --max-latency-ms could limit"
    )


def test_what_is_no_run_is_refused(tmp_path):
    """The message names the file that is missing."""
    for command in ("pick", "front"):
        assert refusal(call(command, tmp_path)) == (
            f"{tmp_path} is not an mbsweep run (it has no run.sqlite); `mbsweep run SWEEP` makes one"
        )


def test_the_help_names_every_budget():
    """--max- for each column that can be limited."""
    text = call("pick", "--help").stdout
    assert set(re.findall(r"--max-[a-z-]+", text)) == {
        "--max-latency-ms",
        "--max-macs",
        "--max-params",
        "--max-weight-bytes",
        "--max-peak-activation-bytes",
    }
