"""`search` of a sweep: what it may say, and what is refused before any work, with line and key."""

import json
from itertools import pairwise, product

import numpy as np
import pytest
from console import call, refusal

from mbsweep.base.errors import MbsweepError
from mbsweep.sweep.sweep import parse_sweep

SPACE = "space: {width: [0.25, 0.5, 0.75, 1.0], resolution: [128, 160, 192, 224]}\n"
PUBLISHED = "accuracy: {source: published, table: tf-slim-2018-08-02}\n"
LATENCIES = "latency: [{backend: onnxruntime}, {backend: onnxruntime, precision: int8}]\n"
ALLOWED = (
    "top1_pct, latency_ms, params, macs, weight_bytes, peak_activation_bytes, weight_bytes_int8, "
    "peak_activation_bytes_int8"
)


def told(search, before=SPACE + PUBLISHED):
    """What a file with such a search is refused with."""
    with pytest.raises(MbsweepError) as refused:
        parse_sweep(f"{before}search: {search}\n", "s.yaml")
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_what_is_left_out_is_as_usual():
    """60 evaluations, 8 to begin with, 5 confirmed, by the method that knows the costs."""
    found = parse_sweep(f"{SPACE}{PUBLISHED}search: {{objectives: [macs, top1_pct]}}\n", "s.yaml").search
    assert (found.evaluations, found.start, found.confirm, found.seed) == (60, 8, 5, 0)
    assert found.method == "exact_costs"
    assert [amount.name for amount in found.costs] == ["macs"]


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("{objectives: [top1_pct]}", "search.objectives is ['top1_pct']; expected top1_pct and one or two"),
        ("{objectives: [params, macs]}", "search.objectives is ['params', 'macs']; expected top1_pct and"),
        ("{objectives: [top1_pct, macs, macs]}", "search.objectives is ['top1_pct', 'macs', 'macs']; exp"),
        ("{objectives: [top1_pct, speed]}", "search.objectives is ['top1_pct', 'speed']; expected top1_pct"),
        ("{objectives: [top1_pct, top5_pct]}", "search.objectives is ['top1_pct', 'top5_pct']; expected"),
        ("{objectives: [top1_pct, .nan]}", "search.objectives is ['top1_pct', nan]; expected top1_pct and"),
        ("{evaluations: 5}", "search lacks the key 'objectives'"),
        ("{objectives: [top1_pct, macs], evaluations: 0}", "search.evaluations is 0; expected a whole"),
        ("{objectives: [top1_pct, macs], method: exact_cost}", "; did you mean 'exact_costs'?"),
        ("{objectives: [top1_pct, macs], budget: {}}", "did you mean 'budgets'?"),
        (
            "{objectives: [top1_pct, macs], budgets: {mac: {max: 1}}}",
            f"of 'mac' there is no budget; expected {ALLOWED}, or latency_ms@CONFIGURATION; did you mean "
            "'macs'?",
        ),
        ("{objectives: [top1_pct, macs], budgets: {macs: 5}}", "search.budgets.macs is 5; expected a map"),
        (
            "{objectives: [top1_pct, macs], budgets: {macs: {max: .nan}}}",
            "search.budgets.macs.max is nan; expected a number in (0, 1e+18], such as 5",
        ),
        (
            "{objectives: [top1_pct, macs], budgets: {macs: {}}}",
            "search.budgets.macs is {}; expected `max: NUMBER`, `min: NUMBER`, or both",
        ),
        (
            "{objectives: [top1_pct, macs], budgets: {macs: {min: 3, max: 2}}}",
            "search.budgets.macs is {'max': 2, 'min': 3}; min 3 is above max 2",
        ),
        (
            "{objectives: [top1_pct, macs], budgets: {top1_pct: {max: 60}}}",
            "of top1_pct expected `min: NUMBER`, up to 100",
        ),
        (
            "{objectives: [top1_pct, latency_ms]}",
            "search.objectives[1] asks for latency_ms: add `latency:`, measured or predicted, to the sweep",
        ),
        ("{objectives: [top1_pct, macs], start: 0}", "search.start is 0; expected a whole number from 1"),
        ("{objectives: [top1_pct, macs], start: [7]}", "search.start is [7]; expected a whole number"),
        (
            "{objectives: [top1_pct, macs], start: [[[width, 0.5]]]}",
            "search.start is [[['width', 0.5]]]; expected a whole number",
        ),
        (
            "{objectives: [top1_pct, macs], budgets: {macs: {max: 0}}}",
            "search.budgets.macs.max is 0; expected a number in (0, 1e+18], such as 5",
        ),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(search, message):
    """With the line, the key, what was given and what is allowed."""
    found = told(search)
    assert found.startswith("s.yaml:3: search")
    assert message in found


@pytest.mark.parametrize("key", ["search", "accuracy", "sample"])
def test_a_key_without_a_value_is_refused(key):
    """It would be as if it did not stand there: a space that is to be searched would be trained whole."""
    with pytest.raises(MbsweepError) as refused:
        parse_sweep(f"{SPACE}{key}:\n", "s.yaml")
    assert str(refused.value) == f"s.yaml:2: {key} is empty; say what it is to be, or leave the key out"


def test_which_latency_is_meant_is_asked():
    """Where there are several, each is named as it is to be said."""
    before = SPACE + LATENCIES + PUBLISHED
    assert told("{objectives: [top1_pct, latency_ms]}", before) == (
        "s.yaml:4: search.objectives[1] asks for latency_ms: say which: latency_ms@onnxruntime-fp32-b1-t1, "
        "latency_ms@onnxruntime-int8-b1-t1"
    )
    assert told(
        "{objectives: [top1_pct, macs], budgets: {latency_ms@onnxruntime-int8: {max: 5}}}", before
    ) == (
        "s.yaml:4: search.budgets.latency_ms@onnxruntime-int8 asks for latency_ms@onnxruntime-int8: there is "
        "no configuration 'onnxruntime-int8' in `latency`; did you mean 'onnxruntime-int8-b1-t1'?"
    )


def test_a_search_needs_accuracies_of_networks_that_are_not_compressed():
    """What it would evaluate, and what would go on from it, are told."""
    search = "{objectives: [top1_pct, macs]}"
    assert told(search, SPACE) == (
        "s.yaml:2: search evaluates top1_pct; add `accuracy:`, or leave `search` out"
    )
    trained = "space: {width: 0.25, resolution: 32}\naccuracy: {source: trained}\ncompress: [{bits: 5}]\n"
    assert "s.yaml:3: compress does not go together with `search`" in told(search, trained)


REFUSED = [
    (
        "{objectives: [top1_pct, macs], evaluations: 17}",
        "search.evaluations is 17; the space has 16 variants: say so many at most, or leave `search` out to "
        "evaluate all",
    ),
    (  # 13,570,048 mult-adds is the least: HOUSE's table; 12 million are 11.6 % less
        "{objectives: [top1_pct, macs], evaluations: 9, budgets: {macs: {max: 12e6}}}",
        "search.budgets leave none of the 16 variants (macs at most 12,000,000: 0); the nearest, "
        "mobilenet_v1_w0.25_r128_d5, misses by 13.1 %: its macs is 13,570,048",
    ),
    (  # the least has 13.57 times as many
        "{objectives: [top1_pct, macs], evaluations: 9, budgets: {macs: {max: 1e6}}}",
        "misses by 1,257 %: its macs is 13,570,048",
    ),
    (  # each can be kept, both together cannot
        "{objectives: [top1_pct, macs], evaluations: 9, budgets: {macs: {max: 15e6}, params: {min: 1e6}}}",
        "search.budgets leave none of the 16 variants (macs at most 15,000,000: 1, params at least "
        "1,000,000: 12); the nearest, mobilenet_v1_w0.25_r128_d5, misses by 53 %: its params is 470,072",
    ),
    (
        "{objectives: [top1_pct, macs], evaluations: 9, start: [{width: 0.5}, {width: 0.6}]}",
        "search.start[1] is mobilenet_v1_w0.6_r128_d5, which the space does not have",
    ),
    (
        "{objectives: [top1_pct, macs], evaluations: 9, start: [{widht: 0.5}]}",
        "search.start[0] is no network: Variant: widht is no field of mobilenet_v1, which has width",
    ),
]


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("search", "message"), REFUSED, ids=["above", "budget", "far", "both", "start", "field"]
)
def test_what_a_space_cannot_give_is_refused(command, search, message, tmp_path):
    """In the same words by both, before any work; no folder is made."""
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(f"{SPACE}{PUBLISHED}search: {search}\n", encoding="utf-8")
    assert message in refusal(call(command, sweep, "--out", tmp_path / "run"))
    assert list(tmp_path.iterdir()) == [sweep]


def test_a_source_that_knows_no_variant_cannot_be_searched(tmp_path):
    """The reason is that of the first of them."""
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        "space: {width: [0.3, 0.4]}\naccuracy: {source: published, table: tf-slim-2018-08-02}\n"
        "search: {objectives: [top1_pct, macs], evaluations: 2}\n",
        encoding="utf-8",
    )
    assert refusal(call("plan", sweep)).endswith(
        ":2: accuracy.source is published, and knows none of the 2 variants: tf-slim-2018-08-02 has no "
        "figure for this network"
    )


def test_a_million_is_planned(tmp_path):
    """How many keep the budgets is exact: as many as the sums of the weights of Table 1's layers say."""
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        "space: {width: 0.25, resolution: 32, num_classes: 10, "
        "stage_widths: {each: [0.5, 0.75, 1.0, 1.25]}, "
        "stage_depths: {each: [1, 2]}, kernels: {each: [3, 5]}}\n"
        "accuracy: {source: trained}\n"
        "search: {objectives: [top1_pct, macs], budgets: {params: {max: 150e3}}}\n",
        encoding="utf-8",
    )
    printed = call("plan", sweep, "--out", tmp_path / "run").stdout
    assert "variants   1,048,576" in printed
    assert "60 evaluations by exact_costs (seed 0) for top1_pct and macs; 0 done" in printed
    assert "(seeds 0, 1); 0 of 120 done" in printed
    # Channels at width 0.25, in multiples of 8; a block: depthwise, pointwise, two batch normalisations.
    channels = [(8, 16, 16, 24), (16, 24, 32, 40), (32, 48, 64, 80), (64, 96, 128, 160), (128, 192, 256, 320)]

    def block(into, out, kernel):
        return kernel**2 * into + 2 * into + into * out + 2 * out

    kept = 0
    for stages in product(*channels):
        params = np.array([27 * 8 + 2 * 8 + 10 * stages[-1] + 10])
        for into, out in pairwise((8, *stages)):
            shapes = product((3, 5), (1, 2))
            several = [block(into, out, kernel) + (n - 1) * block(out, out, kernel) for kernel, n in shapes]
            params = np.add.outer(params, several).ravel()
        kept += int((params <= 150_000).sum())
    assert f"(params at most 150,000: {kept:,})" in printed
    assert 0 < kept < 1_048_576


@pytest.mark.parametrize(
    ("source", "latency", "words"),
    [
        ("trained", "", None),
        ("supernet", "", "at the end 3 of the front are trained alone"),
        ("trained", "predicted", "at the end 3 of the front are measured whole"),
        ("supernet", "predicted", "at the end 3 of the front are measured whole and trained alone"),
        ("supernet", "measured", "at the end 3 of the front are trained alone"),
    ],
)
def test_a_plan_says_what_is_confirmed(source, latency, words, tmp_path):
    """What is trained is trained alone already, what is measured is measured whole."""
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        "space: {width: [0.25, 0.5, 0.75, 1.0], resolution: [32, 40, 48, 64], num_classes: 10}\n"
        f"accuracy: {{source: {source}}}\n"
        "search: {objectives: [top1_pct, macs], evaluations: 3}\n"
        + (f"latency: [{{backend: onnxruntime, kind: {latency}}}]\n" if latency else ""),
        encoding="utf-8",
    )
    told = call("plan", sweep, "--out", tmp_path / "run", "--json").stdout
    lines = json.loads(told)["search"]
    assert [line for line in lines if "at the end" in line] == ([words] if words else [])


def test_a_plan_has_the_time_of_measuring_what_is_confirmed(tmp_path):
    """Each of 4 networks for 30 ms in each of 40 rounds, at least; no more than were evaluated, none of 0."""

    def planned(confirm, evaluations=8):
        sweep = tmp_path / "sweep.yaml"
        search = f"evaluations: {evaluations}, confirm: {confirm}"
        sweep.write_text(
            f"{SPACE}{PUBLISHED}latency: [{{backend: onnxruntime, kind: predicted}}]\n"
            f"search: {{objectives: [top1_pct, latency_ms], {search}}}\n",
            encoding="utf-8",
        )
        return json.loads(call("plan", sweep, "--out", tmp_path / "run", "--json").stdout)

    plan = planned(4)
    predicted, whole = plan["latency"]
    assert (whole["config"], whole["kind"]) == ("onnxruntime-fp32-b1-t1", "measured")
    assert (whole["variants"], whole["done"]) == (4, 0)
    assert whole["left_s"] >= 40 * 4 * 0.03
    without = planned(0)
    assert without["latency"] == [predicted]
    assert plan["left_s"] == pytest.approx(without["left_s"] + whole["left_s"])
    assert planned(5, evaluations=3)["latency"][1]["variants"] == 3


def test_a_plan_says_of_what_the_least_accuracy_is_asked(tmp_path):
    """It is no budget that a measurement or a prediction would tell."""
    sweep = tmp_path / "sweep.yaml"
    budgets = "budgets: {top1_pct: {min: 60}}"
    sweep.write_text(
        f"{SPACE}{PUBLISHED}search: {{objectives: [top1_pct, macs], evaluations: 9, {budgets}}}\n",
        encoding="utf-8",
    )
    printed = call("plan", sweep, "--out", tmp_path / "run").stdout
    assert "top1_pct at least 60 is asked of the front; each evaluation tells it of one" in printed
    assert "predicted" not in printed
