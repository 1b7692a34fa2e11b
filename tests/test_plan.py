"""`mbsweep plan`: what a run would do, for any file that it is given."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from console import call, contents, copied, execute, query, refusal, rewritten
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_runs import made_run

from mbsweep import count_space, load_sweep
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.device import this_device, versions
from mbsweep.space.space import Space
from mbsweep.storage.store import Store

SWEEPS = Path(__file__).parents[1] / "sweeps"


def plan(*words):
    """The lines that `mbsweep plan` prints, each without the spaces around it."""
    result = call("plan", *words)
    assert result.exit_code == 0, result.output
    return [line.strip() for line in result.stdout.splitlines()]


def test_the_papers_grid(tmp_path):
    """16 variants from 0.25-128 to 1.0-224 (470,072 to 4,231,976 parameters), all with published accuracy."""
    lines = plan(SWEEPS / "width_res.yaml", "--out", tmp_path / "run")
    assert lines[1:4] == [
        "variants   16",
        "params     470,072 to 4,231,976",
        "mult-adds  13,570,048 to 568,740,352",
    ]
    assert lines[4] == "accuracy   published, tf-slim-2018-08-02: known for 16 of 16"
    blank, titles, *latencies, after, time, run = lines[5:]
    assert (blank, titles.split("  ")[0], after) == ("", "latency configuration", "")
    names = [config.id for config in load_sweep(SWEEPS / "width_res.yaml").latency]
    assert amounts(latencies) == [[name, "0 of 16", "40 x 30 ms", "2 % wide"] for name in names]
    assert time.startswith("time       at most about ")
    assert time.endswith(" (estimated, not measured)")
    assert run == f"run        {tmp_path / 'run'} (new)"
    assert contents(tmp_path) == {}


def amount(config, done):
    """A configuration's line, without the time at its end."""
    return [config, f"{done} of 3", "3 x 1 ms", "2 % wide"]


def amounts(lines):
    """Of each configuration."""
    return [re.split(r"\s{2,}", line)[:4] for line in lines if " % wide" in line]


def test_what_is_done_is_told(tiny_run, tiny_sweep, tmp_path):
    """Nothing, a part, all: finished variants are counted per configuration, and the time is for the rest."""
    done = plan(tiny_sweep, "--out", tiny_run)
    assert amounts(done) == [amount("onnxruntime-fp32-b1-t1", 3), amount("torch-fp32-b1-t1", 3)]
    assert [line.split()[-2:] for line in done if "% wide" in line] == [["0", "s"]] * 2
    assert done[-2:] == ["time       nothing is left to measure", f"run        {tiny_run}"]
    folder = copied(tiny_run, tmp_path)
    execute(folder, "DELETE FROM visits WHERE config LIKE 'torch%' AND round = 2 AND variant LIKE '%_r32_%'")
    before = contents(folder)
    partly = plan(rewritten(tiny_sweep, tmp_path, ("160, 128, 32", "128, 32, 64")), "--out", folder)
    assert amounts(partly) == [amount("onnxruntime-fp32-b1-t1", 2), amount("torch-fp32-b1-t1", 1)]
    assert any(line.startswith("time       at most about ") for line in partly)
    assert contents(folder) == before


def made_here(*words):
    """The folder of a made run that says it was measured on this machine."""
    run = made_run(*words)
    here = json.dumps(this_device().as_dict() | {"id": "here"}), json.dumps(versions())
    execute(run, "UPDATE sessions SET device = ?, versions = ?", here)
    return run


ASKED = """\
space: {width: [0.25], resolution: [160, 128, 32]}
latency:
  - {backend: torch, rounds: 12, target_pct: 5}
"""
PREDICTED = """\
space: {width: [0.25], resolution: {from: 32, to: 384, step: 32}}
latency:
  - {backend: torch, kind: predicted, rounds: 12}
"""


SHORT = "{width: [0.25], resolution: [160, 128, 32]}"
MANY = "{width: [0.25, 0.5, 1], resolution: {from: 32, to: 384, step: 32}}"
TIMED = [  # The plan guesses 5 s once, 0.2 s to prepare a network, 3 ms around a visit, and 20 GMAC/s.
    # 3 variants and 4 yardsticks, each of at most 40 million mult-adds, which are 2 ms:
    # 5 + 7 x 0.2 + 12 rounds x 7 x (30 + 3 ms) = 9.2 s, and at most 12 x 7 x 2 ms = 0.2 s of untimed calls.
    (SHORT, "rounds: 12", "9 s"),
    # 64 images of 568,740,352 mult-adds are 1.82 s, 1,001 calls of them in 10 rounds 18,218 s. Of at most 8
    # yardsticks, which are no larger, a round makes two calls: at most 291 s.
    ("{}", "batch: 64, rounds: 10, visit_calls: 1000", "5.1 h"),
    # 100 blocks, 12 networks and 8 yardsticks, 12 rounds of 8 + 3 ms: 15.84 s; 20 networks x 0.2 and 100
    # blocks x 0.06 s to prepare: 10 s; 5 s once.
    (MANY, "kind: predicted, rounds: 12, max_blocks: 100, networks: 12", "31 s"),
]


@pytest.mark.parametrize(("space", "settings", "expected"), TIMED, ids=["short", "long", "predicted"])
def test_the_estimated_time_by_hand(space, settings, expected, tmp_path):
    """From the mult-adds, the rounds and what each visit has around its calls."""
    path = tmp_path / "s.yaml"
    path.write_text(f"space: {space}\nlatency: [{{backend: torch, {settings}}}]\n", encoding="utf-8")
    assert f"time       at most about {expected} (estimated, not measured)" in plan(path)


def test_settled_variants_are_done_before_their_budget(tmp_path):
    """Ten of twelve rounds are there: done where the kept interval is narrow enough, and of them all."""
    run = made_here(tmp_path / "run", ASKED, {"torch-fp32-b1-t1": [[[5]] * 10, [[4]] * 10, [[3]] * 10]})
    sweep = tmp_path / "made.yaml"
    sweep.write_text(ASKED, encoding="utf-8")
    ids = [variant.id for variant in count_space(load_sweep(sweep)).variants()]
    kept = [(ids[0], 10, {"width_pct": 4.9}), (ids[1], 10, {"width_pct": 5.1}), (ids[2], 9, {"width_pct": 1})]
    kept[1][2]["settled_pct"] = 5.2  # a wider target than this one
    with Store.write(run) as store:
        store.set_summaries("torch-fp32-b1-t1", kept)
    assert amounts(plan(sweep, "--out", run)) == [["torch-fp32-b1-t1", "1 of 3", "12 x 30 ms", "5 % wide"]]


def test_predicted_variants_are_done_once(tmp_path):
    """Two of twelve have a prediction, and one of them was visited for it, too: two are done."""
    config = "torch-fp32-b1-t1-predicted"
    run = made_here(tmp_path / "run", PREDICTED, {config: [[[5]] * 12, *([[]] * 11)]})
    sweep = tmp_path / "made.yaml"
    sweep.write_text(PREDICTED, encoding="utf-8")
    ids = [variant.id for variant in count_space(load_sweep(sweep)).variants()]
    with Store.write(run) as store:
        rows = [(name, 1.0, 1.0, 1.0) for name in (*ids[:2], "a variant of an older sweep")]
        store.set_predictions(config, 1, {"summary": "s"}, rows)
    lines = plan(sweep, "--out", run)
    assert amounts(lines) == [[config, "2 of 12", "12 x 8 ms", "2 % wide"]]
    assert "predicted from at most 400 blocks and 24 networks" in lines


MILLION = (SWEEPS / "space_1m.yaml").read_text(encoding="utf-8")
# The zoo's sixteen are in the space, its widths 0.25 to 1.0 at 128 to 224 px and depth 5: 151 x 97 variants.
KNOWN = [
    ("published", "published, tf-slim-2018-08-02", "16"),
    ("predicted", "predicted from tf-slim-2018-08-02", "14,647"),
]


@pytest.mark.parametrize(("source", "name", "known"), KNOWN)
def test_what_is_known_of_a_million_variants_takes_no_million_variants(
    source, name, known, tmp_path, monkeypatch
):
    """Their arrays are looked at: making each variant would take half a minute."""
    monkeypatch.setattr(Space, "variants", lambda space: pytest.fail("variants are made"))
    sweep = tmp_path / "million.yaml"
    sweep.write_text(f"{MILLION}accuracy: {{source: {source}, table: tf-slim-2018-08-02}}\n")
    (line,) = [line for line in plan(sweep, "--out", tmp_path / "run") if line.startswith("accuracy")]
    assert line == f"accuracy   {name}: known for {known} of 1,028,700"


def test_visits_of_so_many_calls_are_told(tmp_path):
    """With `visit_calls` a visit is so many calls, not so many milliseconds."""
    sweep = tmp_path / "calls.yaml"
    sweep.write_text(
        "space: {width: [0.25]}\nlatency: [{backend: torch, visit_calls: 7}]\n", encoding="utf-8"
    )
    lines = plan(sweep, "--out", tmp_path / "run")
    assert amounts(lines) == [["torch-fp32-b1-t1", "0 of 1", "40 x 7 calls", "2 % wide"]]


def test_a_runtime_that_is_missing_is_told_before_the_run(tmp_path, monkeypatch):
    """The plan is made, with the command that installs what the run will need."""
    monkeypatch.setattr(BACKENDS["torch"], "packages", ("no-such-package",), raising=False)
    sweep = tmp_path / "made.yaml"
    sweep.write_text("space: {width: [0.25]}\nlatency: [{backend: torch}]\n", encoding="utf-8")
    assert (
        "latency backend 'torch' needs no-such-package, which is not installed; run: pip install torch"
    ) in plan(sweep, "--out", tmp_path / "run")


def test_what_this_machine_lacks_is_told(tmp_path):
    """Cores, threads and memory that are not here, which a plan for another machine need not know."""
    sweep = tmp_path / "made.yaml"
    sweep.write_text(
        "space: {width: [0.25, 4.0], resolution: 4096}\n"
        "latency:\n"
        "  - {backend: torch, threads: 1024}\n"
        "  - {backend: torch, cpus: [4095], batch: 4096}\n",
        encoding="utf-8",
    )
    lines = plan(sweep, "--out", tmp_path / "run")
    usable = sorted(os.sched_getaffinity(0))
    first, second = (place for place, line in enumerate(lines) if " % wide" in line)
    told = f"{sweep}:3: latency[0].threads is 1024; this process may use {len(usable)} cores"
    assert lines[first + 1] == told
    assert lines[second + 1] == f"{sweep}:4: latency[1].cpus names core 4095; this process may use {usable}"
    # 2 x 4 bytes x 4096 images x (128 + 256) channels x 2048 x 2048 pixels, and less than 1 GiB of weights
    assert re.fullmatch(
        r"2 of 2 do not fit into memory now: needed are up to 49,152\.\d GiB, free are [\d.,]+ GiB",
        lines[second + 2],
    )


def test_a_run_of_another_machine_is_refused(tiny_run, tiny_sweep, tmp_path):
    """As `run` refuses it."""
    folder = copied(tiny_run, tmp_path)
    (device,) = query(folder, "SELECT device FROM sessions ORDER BY id DESC LIMIT 1")[0]
    execute(folder, "UPDATE sessions SET device = ?", [json.dumps(json.loads(device) | {"cores": 999})])
    refused = [refusal(call(command, tiny_sweep, "--out", folder)) for command in ("plan", "run")]
    assert refused[0] == refused[1]
    assert refused[0].startswith(f"{folder} was measured with cores 999, and here it is ")


def test_the_plan_for_programs(tmp_path):
    """`--json`: the same in numbers; what is not asked for is null."""
    words = ["plan", SWEEPS / "width_res.yaml", "--out", tmp_path / "run", "--json"]
    told = json.loads(call(*words).stdout)
    assert (told["variants"], told["params"], told["macs"][1]) == (16, [470_072, 4_231_976], 568_740_352)
    assert (told["run"], told["is_new"]) == (str(tmp_path / "run"), True)
    first, second = told["latency"]
    assert (first["config"], first["kind"], first["done"]) == ("onnxruntime-fp32-b1-t1", "measured", 0)
    assert (first["rounds"], first["target_pct"], first["yardsticks"]) == (40, 2, 6)
    assert told["left_s"] == pytest.approx(first["left_s"] + second["left_s"] + 5)  # 5 s: loading PyTorch
    sweep = tmp_path / "counted.yaml"
    sweep.write_text("space: {width: [0.25]}\n", encoding="utf-8")
    told = json.loads(call("plan", sweep, "--json").stdout)
    assert (told["accuracy"], told["latency"], told["left_s"]) == (None, [], 0)


def test_limits_and_sample_are_told(tmp_path):
    """Of 16 variants, those up to 100 M mult-adds, 3 of them drawn; without latency nothing is timed."""
    sweep = tmp_path / "narrow.yaml"
    sweep.write_text(
        "space: {width: [1.0, 0.75, 0.5, 0.25], resolution: [224, 192, 160, 128]}\n"
        "limits: {macs: {max: 1e8}}\nsample: {count: 3}\n",
        encoding="utf-8",
    )
    lines = plan(sweep, "--out", tmp_path / "run")
    assert lines[0] == "narrow"
    assert lines[1] == "variants   3 of 16, after limits and sample"
    assert "time       nothing is timed; counting takes seconds" in lines


def test_limits_that_leave_nothing_are_refused(tmp_path):
    """A sweep without a single variant is a mistake in the file, not an empty plan."""
    sweep = tmp_path / "none.yaml"
    sweep.write_text("space: {width: [0.25]}\nlimits: {macs: {max: 1}}\n", encoding="utf-8")
    assert str(sweep) in refusal(call("plan", sweep, "--out", tmp_path / "run"))


ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BASE = """\
title: Mutated
description: "What may go wrong: anything"
space:
  - {width: [0.25, 1.0], resolution: [32, 64], depth: {from: 0, to: 2, step: 1}}
  - width: {from: 0.25, to: 0.75, step: 0.25}
    stage_channels: [[64, 128, 256, 512, 512]]
variants:
  - {width: 0.5, block: standard, num_classes: 10, divisor: 1}
limits: {params: {min: 1000, max: 5e6}, macs: {max: 6e8}}
sample: {count: 5, seed: 1}
latency:
  - {backend: torch, batch: 2, threads: 1, rounds: 3, visit_ms: 0.5, mode: forward_backward, cpus: [0, 1]}
accuracy: {source: published, table: paper}
"""


@pytest.fixture(scope="session")
def sweep_path(tmp_path_factory):
    return tmp_path_factory.mktemp("random") / "random.yaml"


def planned_or_refused(path, content):
    """`plan` prints a plan and exits with 0, or one message and exits with 2; it makes no file."""
    path.write_bytes(content)
    result = call("plan", path, "--out", path.parent / "run")
    if result.exit_code == 0:
        assert "variants" in result.stdout
        assert result.stderr == ""
    else:
        assert str(path) in refusal(result)
    assert list(path.parent.iterdir()) == [path]


@settings(max_examples=150)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(BASE)), st.integers(0, 12), st.binary(max_size=6)),
        min_size=1,
        max_size=4,
    )
)
def test_any_mutated_file_is_planned_or_refused(edits, sweep_path):
    """A valid sweep file with random bytes put in, taken out and replaced."""
    content = BASE.encode()
    for place, length, new in edits:
        content = content[:place] + new + content[place + length :]
    planned_or_refused(sweep_path, content)


TOKENS = [
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    "\n",
    "  ",
    "&a",
    "*a",
    "!!int ",
    "!x ",
    "|",
    ">",
    "#",
    "'",
    '"',
    "%",
    "?",
]
TOKENS += [
    "1e400",
    ".inf",
    ".nan",
    "-1",
    "0x10",
    "1_000",
    "2026-11-24",
    "null",
    "~",
    "true",
    "9" * 400,
    "\\ud800",
]
TOKENS += ["\t", "\0", "\x1b[31m", "\u2028", "\ufeff", "\xa0", "<<: ", "--- ", "..."]


@settings(max_examples=150)
@given(edits=st.lists(st.tuples(st.integers(0, len(BASE)), st.sampled_from(TOKENS)), min_size=1, max_size=4))
@example(edits=[(len("title: "), '"\\ud800" #')])
@example(edits=[(BASE.index("sample:"), '"a\\nb": 1\n')])
def test_any_file_with_stray_yaml_is_planned_or_refused(edits, sweep_path):
    """A valid sweep file with pieces of YAML put into it at random places."""
    text = BASE
    for place, new in edits:
        text = text[:place] + new + text[place:]
    planned_or_refused(sweep_path, text.encode())


WORDS = (
    "title description space variants limits sample latency accuracy width resolution depth block family "
    "stage_channels num_classes divisor from to step min max params macs count seed backend precision batch "
    "threads rounds visit_ms source table kind mode device memory_format cpus visit_calls warmup_calls "
    "target_pct max_blocks networks"
)
KEYS = st.text(max_size=5) | st.sampled_from(WORDS.split())
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 300)
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["torch", "onnxruntime", "fp32", "published", "paper", "separable", "standard", "mobilenet_v1"]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)
AXES = st.fixed_dictionaries(
    {},
    optional={
        "width": st.lists(st.floats(-1, 5), max_size=3) | VALUES,
        "resolution": st.lists(st.integers(-1, 5000), max_size=3) | VALUES,
        "depth": st.lists(st.integers(-1, 20), max_size=3) | VALUES,
        "block": st.sampled_from(["separable", "standard", "seperable"]) | VALUES,
        "divisor": st.integers(0, 20) | VALUES,
    },
)
SWEEP_LIKE = st.fixed_dictionaries(
    {"space": AXES | VALUES},
    optional={
        "title": VALUES,
        "variants": st.lists(AXES, max_size=2) | VALUES,
        "limits": VALUES,
        "sample": st.fixed_dictionaries({"count": st.integers(-1, 9)}, optional={"seed": VALUES}) | VALUES,
        "latency": st.lists(
            st.fixed_dictionaries(
                {"backend": st.sampled_from(["torch", "onnxruntime", "openvino"])},
                optional={
                    "rounds": st.integers(-1, 9),
                    "threads": VALUES,
                    "precision": VALUES,
                    "kind": st.sampled_from(["measured", "predicted", "published"]),
                    "mode": st.sampled_from(["forward", "forward_backward", 1]),
                    "memory_format": st.sampled_from(["contiguous", "channels_last"]) | VALUES,
                    "cpus": st.lists(st.integers(-1, 5), max_size=3) | VALUES,
                    "target_pct": SCALARS,
                    "visit_calls": SCALARS,
                },
            ),
            max_size=3,
        )
        | VALUES,
        "accuracy": st.fixed_dictionaries({"source": st.just("published"), "table": SCALARS}) | VALUES,
    },
)


@settings(max_examples=200)
@given(data=SWEEP_LIKE | VALUES)
@example(data={"space": {}, "title": "\x00\x1b[31m\n"})
def test_any_data_is_planned_or_refused(data, sweep_path):
    """Random data with the keys of a sweep file, right and wrong, as PyYAML writes it."""
    try:
        text = yaml.safe_dump(data, allow_unicode=True)
    except yaml.YAMLError:
        return
    planned_or_refused(sweep_path, text.encode("utf-8", errors="surrogatepass"))


HOSTILE = {
    "empty": b"",
    "one NUL": b"\0",
    "not UTF-8": b"space: {width: \xff}",
    "UTF-16": "space: {}".encode("utf-16"),
    "nested lists": b"[" * 5000,
    "nested mappings": b"{a: " * 5000,
    "nested in an axis": b"space: {width: " + b"[" * 400 + b"]" * 400 + b"}",
    "aliases of aliases": ALIASES.encode(),
    "an alias of itself": b"space: &a [*a]",
    "a Python object": b"space: !!python/object/apply:os.system ['touch pwned']",
    "two documents": b"space: {}\n---\nspace: {}\n",
    "a very long number": b"space: {resolution: " + b"9" * 5000 + b"}",
    "too large": b"#" * 2_000_000,
    "a billion variants": (
        b"space:\n  width: {from: 0.001, to: 4, step: 0.001}\n"
        b"  resolution: {from: 1, to: 4096, step: 1}\n  depth: {from: 0, to: 100, step: 1}\n"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_at_once(name, tmp_path, monkeypatch):
    """Files made to crash, to fill the memory, or to run code: one message, and nothing happens."""
    monkeypatch.chdir(tmp_path)
    sweep = tmp_path / "hostile.yaml"
    sweep.write_bytes(HOSTILE[name])
    assert "hostile.yaml" in refusal(call("plan", sweep))
    assert list(tmp_path.iterdir()) == [sweep]


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        # 8,000 images: 1,000 steps of 64. 100 images: 6 of 64.
        (
            "{source: trained, recipe: {epochs: 8}}",
            "2 trainings of 8 epochs, batch 64, rate 0.8 (seeds 0, 1)",
        ),
        (
            "{source: trained, dataset: {name: digits, train: 100}, recipe: {epochs: 4}}",
            "2 trainings of 4 epochs, batch 32, rate 0.4 (seeds 0, 1)",
        ),
    ],
)
def test_batch_and_rate_are_told_where_the_number_of_images_is_known(accuracy, expected, tmp_path):
    """Of the digits it is."""
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(f"space: {{width: 0.25, resolution: 32, num_classes: 10}}\naccuracy: {accuracy}\n")
    assert f"accuracy   trained on digits: {expected}; 0 of 2 done" in plan(sweep, "--out", tmp_path / "run")


@pytest.mark.parametrize(("widths", "alone"), [(2, 2), (8, 6)])
def test_a_supernet_is_compared_with_no_more_networks_than_there_are(widths, alone, tmp_path):
    """With six unless told otherwise, of two with two."""
    sweep = tmp_path / "sweep.yaml"
    space = f"{{width: {[0.25 + step / 8 for step in range(widths)]}, resolution: 32}}"
    sweep.write_text(f"space: {space}\naccuracy: {{source: supernet}}\n")
    said = "\n".join(plan(sweep, "--out", tmp_path / "run"))
    assert f"; {alone} trainings of single networks to compare, 0 done" in said
