"""Sweep files: what they may say, and what they are told when they say something else."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbsweep import MbsweepError, Variant, count_space, load_sweep
from mbsweep.profiler.config import LatencyConfig
from mbsweep.sweep.sweep import parse_sweep

SWEEPS = Path(__file__).parents[2] / "sweeps"


def test_trained_networks_have_as_many_classes_as_their_data_set():
    """Ten digits, whether the sweep says so or not; another number is refused. What only a folder tells must
    be said to count without it.
    """
    text = "space: {{width: 0.5{}}}\nvariants: [{{width: 1.0}}]\naccuracy: {{source: trained}}\n"
    for said in ("", ", num_classes: 10"):
        found = count_space(parse_sweep(text.format(said), "s.yaml")).variants()
        assert found == [Variant(num_classes=10), Variant(width=0.5, num_classes=10)]
    with pytest.raises(MbsweepError) as caught:
        parse_sweep(text.format(", num_classes: 1000"), "s.yaml")
    assert str(caught.value) == (
        "s.yaml:1: space.num_classes is 1000, and digits has 10 classes; say 10, or leave it out"
    )
    folder = "accuracy: {source: trained, dataset: {name: imagefolder, path: x}}\n"
    with pytest.raises(
        MbsweepError, match=r"^s.yaml:2: accuracy.dataset says how many classes there are only "
    ):
        count_space(parse_sweep("space: {width: 0.5}\n" + folder, "s.yaml"))
    assert len(count_space(parse_sweep("space: {num_classes: 7}\n" + folder, "s.yaml"))) == 1


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_sweeps_load(path):
    """Every sweep file of the repository is valid, has a title, and gives its name from its file."""
    sweep = load_sweep(path)
    assert sweep.title
    assert f"{sweep.name}.yaml" == path.name
    assert sweep.text == path.read_text(encoding="utf-8")


def test_width_res_is_the_papers_grid():
    """Tables 6 and 7 of arXiv:1704.04861: four widths by four resolutions, the largest first."""
    sweep = load_sweep(SWEEPS / "width_res.yaml")
    grid = [(width, resolution) for width in (1.0, 0.75, 0.5, 0.25) for resolution in (224, 192, 160, 128)]
    assert count_space(sweep).variants() == [Variant(width=w, resolution=r) for w, r in grid]
    assert [config.id for config in sweep.latency][:2] == ["onnxruntime-fp32-b1-t1", "torch-fp32-b1-t1"]
    assert sweep.accuracy.table == "tf-slim-2018-08-02"


def test_the_papers_other_questions_are_shipped():
    """depth.yaml has both networks of Table 5 and depths 0 to 8; blocks.yaml has both of Table 4."""
    depth = count_space(load_sweep(SWEEPS / "depth.yaml")).variants()
    assert {Variant(width=0.75), *(Variant(depth=depth) for depth in range(9))} <= set(depth)
    blocks = count_space(load_sweep(SWEEPS / "blocks.yaml")).variants()
    assert {Variant(), Variant(block="standard")} <= set(blocks)


RANGES = [
    ("width: {from: 0.25, to: 1.0, step: 0.25}", "width", (0.25, 0.5, 0.75, 1.0)),
    (
        "width: {from: 0.1, to: 0.3, step: 0.1}",
        "width",
        (0.1, 0.2, 0.3),
    ),  # 0.1 + 2 x 0.1 is not 0.3 in floats
    ("width: {from: 0.25, to: 0.95, step: 0.35}", "width", (0.25, 0.6, 0.95)),
    ("width: {from: 0.5, to: 0.6, step: 0.25}", "width", (0.5,)),
    ("width: {from: 1, to: 2, step: 0.5}", "width", (1.0, 1.5, 2.0)),
    ("width: 0.75", "width", (0.75,)),
    ("width: [1, 0.5]", "width", (1.0, 0.5)),
    ("resolution: {from: 96, to: 224, step: 32}", "resolution", (96, 128, 160, 192, 224)),
    ("resolution: {from: 96, to: 100, step: 3}", "resolution", (96, 99)),
    ("depth: {from: 0, to: 0, step: 1}", "depth", (0,)),
    ("block: [standard, separable]", "block", ("standard", "separable")),
    ("stage_channels: [1, 2, 3, 4, 5]", "stage_channels", ((1, 2, 3, 4, 5),)),
    (
        "stage_channels: [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]",
        "stage_channels",
        ((1, 2, 3, 4, 5), (5, 4, 3, 2, 1)),
    ),
]


@pytest.mark.parametrize(("text", "axis", "values"), RANGES)
def test_an_axis_is_a_value_a_list_or_a_range(text, axis, values):
    """Both ends of a range belong to it, and its values are the decimals that were meant."""
    (axes,) = parse_sweep(f"space: {{{text}}}", "s.yaml").space
    assert axes.said[axis] == values


@given(st.integers(1, 999), st.integers(1, 500), st.integers(0, 60), st.integers(0, 99))
def test_ranges_do_not_drift(start, step, steps, beyond):
    """from + i x step in thousandths gives the nearest floats to the exact decimals, up to the end."""
    stop = Decimal(start + step * steps) / 1000
    excess = Decimal(beyond) * step / 100_000  # an end between two steps changes nothing
    values = [Decimal(start + step * i) / 1000 for i in range(steps + 1)]
    allowed = [float(value) for value in values if value <= 4]
    if stop + excess <= 4:
        ends = f"from: {Decimal(start) / 1000}, to: {stop + excess}, step: {Decimal(step) / 1000}"
        (axes,) = parse_sweep(f"space: {{width: {{{ends}}}}}", "s.yaml").space
        assert list(axes.said["width"]) == allowed


def test_a_space_may_be_several_grids():
    """A list of mappings is a union of grids, in the order of the file, each variant once."""
    sweep = parse_sweep("space:\n  - {width: [0.5, 1]}\n  - {resolution: [128, 224]}\n", "s.yaml")
    assert [variant.id for variant in count_space(sweep).variants()] == [
        "mobilenet_v1_w0.5_r224_d5",
        "mobilenet_v1_w1.0_r224_d5",
        "mobilenet_v1_w1.0_r128_d5",
    ]


def test_listed_variants_come_first_with_the_papers_defaults():
    """What a listed variant leaves out is that of 1.0 MobileNet-224."""
    sweep = parse_sweep("space: {width: 1}\nvariants:\n  - {block: standard}\n  - {}\n", "s.yaml")
    assert sweep.explicit == [Variant(block="standard"), Variant()]
    assert count_space(sweep).variants() == [Variant(block="standard"), Variant()]


def test_latency_has_the_documented_defaults():
    """Measured, fp32, forward, one image, one thread, on the CPU, wherever the system puts it: the id names
    what the number depends on; 40 rounds of 30 ms at most, until the interval is 2 % wide."""
    (config,) = parse_sweep("space: {}\nlatency: [{backend: torch}]", "s.yaml").latency
    assert config.settings == {
        "backend": "torch",
        "kind": "measured",
        "precision": "fp32",
        "mode": "forward",
        "batch": 1,
        "threads": 1,
        "device": "cpu",
        "memory_format": "contiguous",
        "cpus": [],
        "rounds": 40,
        "visit_ms": 30,
        "warmup_calls": 3,
        "target_pct": 2,
        "max_blocks": 400,
        "networks": 24,
    }
    assert config.id == "torch-fp32-b1-t1"


IDS = [
    ("precision: int8", "a-int8-b1-t1"),
    ("batch: 8, threads: 2", "a-fp32-b8-t2"),
    ("kind: predicted", "a-fp32-b1-t1-predicted"),
    ("mode: forward_backward", "a-fp32-b1-t1-forward_backward"),
    ("device: cuda", "a-fp32-b1-t1-cuda"),
    ("memory_format: channels_last", "a-fp32-b1-t1-channels_last"),
    ("cpus: [0, 3]", "a-fp32-b1-t1-cpu0-cpu3"),
    (
        "memory_format: channels_last, device: cuda, kind: predicted",
        "a-fp32-b1-t1-predicted-cuda-channels_last",
    ),
    ("kind: measured, mode: forward, device: cpu, memory_format: contiguous, cpus: []", "a-fp32-b1-t1"),
]


@pytest.mark.parametrize(("given_keys", "config_id"), IDS)
def test_an_id_names_what_is_not_as_usual(given_keys, config_id):
    """Whatever the number depends on, in a fixed order; what is as usual is not said."""
    (config,) = parse_sweep(f"space: {{}}\nlatency: [{{backend: a, {given_keys}}}]", "s.yaml").latency
    assert config.id == config_id


HOW_MUCH = ["rounds: 7", "visit_ms: 5", "visit_calls: 3", "warmup_calls: 0", "target_pct: 1", "networks: 12"]


@pytest.mark.parametrize("more", [*HOW_MUCH, "max_blocks: 30"])
def test_how_much_is_measured_is_no_part_of_the_id(more):
    """More rounds go on with the same configuration, and two that differ in nothing else are refused."""
    text = f"space: {{}}\nlatency: [{{backend: a, {more}}}]"
    assert parse_sweep(text, "s.yaml").latency[0].id == "a-fp32-b1-t1"
    with pytest.raises(MbsweepError, match=r"latency\[1\] repeats a-fp32-b1-t1"):
        parse_sweep(text.replace("}]", "}, {backend: a}]"), "s.yaml")


CONFIGS = st.fixed_dictionaries(
    {"backend": st.sampled_from(["torch", "x"])},
    optional={
        "kind": st.sampled_from(["measured", "predicted"]),
        "precision": st.sampled_from(["fp32", "int8"]),
        "mode": st.sampled_from(["forward", "forward_backward"]),
        "batch": st.integers(1, 4096),
        "threads": st.integers(1, 1024),
        "device": st.sampled_from(["cpu", "cuda"]),
        "memory_format": st.sampled_from(["contiguous", "channels_last"]),
        "cpus": st.lists(st.integers(0, 4095), max_size=3, unique=True).map(tuple),
        "rounds": st.integers(1, 10_000),
        "visit_ms": st.floats(0, 10_000, exclude_min=True),
        "visit_calls": st.integers(1, 100_000),
        "target_pct": st.floats(0, 100, exclude_min=True),
    },
).map(lambda settings: LatencyConfig(**settings))


@given(CONFIGS)
def test_settings_survive_json(config):
    """What a run keeps of a configuration gives the same configuration again, to the last bit."""
    assert LatencyConfig.model_validate(json.loads(json.dumps(config.settings))) == config


@given(CONFIGS, CONFIGS)
def test_configurations_of_one_id_differ_in_the_amount_alone(first, second):
    """The id tells everything that a latency depends on."""
    amount = ("rounds", "visit_ms", "visit_calls", "warmup_calls", "target_pct", "max_blocks", "networks")
    same = all(
        getattr(first, name) == getattr(second, name)
        for name in LatencyConfig.model_fields
        if name not in amount
    )
    assert (first.id == second.id) == same


WRONG = [  # file text; the error, from its start
    (
        "title: x\nspace:\n  width:\n    - 1.0\n    - 0.5\n\n    - wide\n",
        "v1.yaml:7: space.width[2] is 'wide'; expected a number in (0, 4], such as 0.75",
    ),
    (
        "space:\n\n  family: mobilenetv1\n",
        "v1.yaml:3: space.family is 'mobilenetv1'; expected one of mobilenet_v1, mobilenet_v2,",
    ),
    (
        "spaces: {}\n",
        "v1.yaml:1: spaces is an unknown key; allowed here: title, description, space, variants",
    ),
    ("space:\n  widht: 1\n", "v1.yaml:2: space.widht is an unknown key; allowed here: family, width"),
    (
        "space: {}\nlatency:\n  - backend: torch\n    thread: 2\n",
        "v1.yaml:4: latency[0].thread is an unknown key",
    ),
    ("title: x\n", "v1.yaml:1: gives nothing to build; add `space:` or `variants:`"),
    ("space: []\n", "v1.yaml:1: gives nothing to build; add `space:` or `variants:`"),
    ("space:\n  width: []\n", "v1.yaml:2: space.width is []; expected at least one value"),
    ("space:\n  width:\n", "v1.yaml:2: space.width is None; expected a number in (0, 4], such as 0.75"),
    ("space: {width: [1, 0.5, 1.0]}\n", "v1.yaml:1: space.width[2] is 1.0; expected each value once"),
    (
        "space: {width: {from: 1, to: 2}}\n",
        "v1.yaml:1: space.width is {'from': 1, 'to': 2}; expected a range",
    ),
    ("space: {width: {from: 1, to: 2, by: 1}}\n", "v1.yaml:1: space.width is "),
    ("space: {width: {from: 1, to: 2, step: 0}}\n", "v1.yaml:1: space.width is "),
    ("space: {width: {from: 2, to: 1, step: 0.1}}\n", "v1.yaml:1: space.width is "),
    ("space: {width: {from: a, to: 1, step: 0.1}}\n", "v1.yaml:1: space.width is "),
    ("space: {width: {from: 0.1, to: .inf, step: 0.1}}\n", "v1.yaml:1: space.width is "),
    ("space: {width: {from: .nan, to: 1, step: 0.1}}\n", "v1.yaml:1: space.width is "),
    ("space: {width: {from: 0.1, to: 1, step: 1.0e-320}}\n", "v1.yaml:1: space.width is "),
    (
        "space: {width: {from: 3, to: 5, step: 1}}\n",
        "v1.yaml:1: space.width is 5; expected a number in (0, 4]",
    ),
    (
        "space: {resolution: {from: 96, to: 99, step: 1.5}}\n",
        "v1.yaml:1: space.resolution is 96.0; expected a whole",
    ),
    (
        "space: {stage_channels: [1, 2]}\n",
        "v1.yaml:1: space.stage_channels is [1, 2]; expected a list of 5 whole",
    ),
    (
        "space: {}\nvariants:\n  - {width: 0.5}\n  - {width: 5}\n",
        "v1.yaml:4: variants[1].width is 5; expected a number",
    ),
    ("space: {}\nvariants: [3]\n", "v1.yaml:2: variants[0] is 3; expected a mapping with keys out of family"),
    ("space: {}\nvariants: none\n", "v1.yaml:2: variants is 'none'; expected a list"),
    ("space: {}\nlimits: {macs: {min: 2, max: 1}}\n", "v1.yaml:2: limits.macs has min 2 above max 1"),
    (
        "space: {}\nlimits: {flops: {max: 1}}\n",
        "v1.yaml:2: limits.flops is an unknown key; allowed here: params, macs",
    ),
    (
        "space: {}\nlimits: {width: {max: 1}}\n",
        "v1.yaml:2: limits.width is an unknown key; allowed here: params, macs; it is a field of networks, "
        "and stands in `space`",
    ),
    (
        "space: {}\naccuracy: {source: published, table: paper, num_classes: 3}\n",
        "v1.yaml:2: accuracy.num_classes is an unknown key; allowed here: source, table; it is a field of "
        "networks, and stands in `space`; where networks are trained, the data set says it",
    ),
    (
        "space: {}\nlimits: {macs: {max: -1}}\n",
        "v1.yaml:2: limits.macs.max is -1; expected a number in [0, 1e+18]",
    ),
    ("space: {}\nsample: {seed: 1}\n", "v1.yaml:2: sample lacks the key 'count'"),
    ("space: {}\nsample: {count: 0}\n", "v1.yaml:2: sample.count is 0; expected a whole number from 1"),
    (
        "space: {}\nsample: {count: 1, seed: -1}\n",
        "v1.yaml:2: sample.seed is -1; expected a whole number from 0",
    ),
    ("space: {}\nlatency: [{}]\n", "v1.yaml:2: latency[0] lacks the key 'backend'"),
    ("space: {}\nlatency:\n - {backend: a}\n - {backend: a}\n", "v1.yaml:4: latency[1] repeats a-fp32-b1-t1"),
    (
        "space: {}\nlatency: [{backend: a, threads: 0}]\n",
        "v1.yaml:2: latency[0].threads is 0; expected a whole number",
    ),
    (
        "space: {}\nlatency: [{backend: a, kind: guessed}]\n",
        "v1.yaml:2: latency[0].kind is 'guessed'; expected one of measured, predicted",
    ),
    (
        "space: {}\nlatency: [{backend: a, mode: forwards}]\n",
        "v1.yaml:2: latency[0].mode is 'forwards'; expected one of forward, forward_backward; did you mean",
    ),
    (
        "space: {}\nlatency: [{backend: a, device: tpu}]\n",
        "v1.yaml:2: latency[0].device is 'tpu'; expected one of cpu, cuda",
    ),
    (
        "space: {}\nlatency: [{backend: a, memory_format: nhwc}]\n",
        "v1.yaml:2: latency[0].memory_format is 'nhwc'; expected one of contiguous, channels_last",
    ),
    (
        "space: {}\nlatency: [{backend: a, cpus: 0}]\n",
        "v1.yaml:2: latency[0].cpus is 0; expected a list of different whole numbers from 0 to 4095",
    ),
    (
        "space: {}\nlatency: [{backend: a, cpus: [1, 1]}]\n",
        "v1.yaml:2: latency[0].cpus is [1, 1]; expected a list of different whole numbers from 0 to 4095",
    ),
    (
        "space: {}\nlatency: [{backend: a, target_pct: 0}]\n",
        "v1.yaml:2: latency[0].target_pct is 0; expected a number in (0, 100], such as 2",
    ),
    (
        "space: {}\nlatency: [{backend: a, visit_calls: 0}]\n",
        "v1.yaml:2: latency[0].visit_calls is 0; expected a whole number from 1 to 100000, such as 10",
    ),
    (
        "space: {}\nlatency: [{backend: a, warmup_calls: -1}]\n",
        "v1.yaml:2: latency[0].warmup_calls is -1; expected a whole number from 0 to 10000, such as 3",
    ),
    (
        "space: {}\nlatency: [{backend: a, networks: 11}]\n",
        "v1.yaml:2: latency[0].networks is 11; expected a whole number from 12 to 1000, such as 24",
    ),
    (
        "space: {}\nlatency: [{backend: a, max_blocks: 29}]\n",
        "v1.yaml:2: latency[0].max_blocks is 29; expected a whole number from 30 to 5000, such as 400",
    ),
    ("space: {}\naccuracy: {table: x}\n", "v1.yaml:2: accuracy lacks the key 'source'"),
    (
        "space: {}\naccuracy: {source: rumour, table: x}\n",
        "v1.yaml:2: accuracy.source is 'rumour'; expected one of",
    ),
    ("space: {}\ntitle: [x]\n", "v1.yaml:2: title is ['x']; expected text of up to 200 characters"),
    (f"space: {{}}\ntitle: {'x' * 201}\n", "v1.yaml:2: title is 'xxx"),
    (
        "space: {width: {from: 0.001, to: 4, step: 0.001}, resolution: {from: 1, to: 4096, step: 1}}\n",
        "v1.yaml:1: space has 16384000 variants; at most 5000000 are allowed",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message[9:60] for _, message in WRONG])
def test_a_wrong_sweep_is_told_where_what_and_what_is_allowed(text, message):
    """File, line, key, what was given and what is allowed, on one line."""
    with pytest.raises(MbsweepError) as caught:
        parse_sweep(text, "v1.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_space_beyond_64_bits_is_refused_like_any_other():
    """100,000 x 4096 x 10,001 x 100,000 x 1024 variants are too many, not a crash."""
    ranges = {
        "width": "{from: 0.00001, to: 1, step: 0.00001}",
        "resolution": "{from: 1, to: 4096, step: 1}",
        "depth": "{from: 0, to: 10000, step: 1}",
        "num_classes": "{from: 1, to: 100000, step: 1}",
        "divisor": "{from: 1, to: 1024, step: 1}",
    }
    text = "space:\n" + "".join(f"  {axis}: {values}\n" for axis, values in ranges.items())
    with pytest.raises(MbsweepError) as caught:
        parse_sweep(text, "vast.yaml")
    assert str(caught.value).startswith(
        "vast.yaml:1: space has 419472343040000000000 variants; at most 5000000"
    )


def test_the_number_of_variants_is_bounded_over_all_grids():
    """Two grids of three million are as many as one of six."""
    grid = "{width: {from: 0.001, to: 3, step: 0.001}, resolution: {from: 1, to: 1000, step: 1}}"
    assert parse_sweep(f"space: [{grid}]", "s.yaml").space
    with pytest.raises(MbsweepError, match="space has 6000000 variants; at most 5000000 are allowed"):
        parse_sweep(f"space: [{grid}, {grid}]", "s.yaml")


def test_a_sweep_cannot_be_changed():
    """What was validated stays as it was."""
    sweep = parse_sweep("space: {}", "s.yaml")
    with pytest.raises(ValueError, match="frozen"):
        sweep.title = "other"
