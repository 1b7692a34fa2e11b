"""What no machine could do is refused by `plan` and `run` alike, before anything is begun."""

import pytest
import torch
from console import call, refusal

from mbsweep.nets import build
from mbsweep.space.variant import Variant
from mbsweep.sweep.possible import lonely_layer

STEP = "latency: [{backend: torch, mode: forward_backward}]\n"
NO_STEP = (
    ":2: latency[0].mode is 'forward_backward' with batch 1; batch normalisation needs more than one value "
    "per channel, and block12.dw gives one"
)
ADVICE = "say `batch: 2`, or build variants of higher resolutions only"
REFUSED = [  # a sweep, and the message behind its name
    (
        "space: {width: 0.25, resolution: [32, 16, 64]}\n" + STEP,
        f"{NO_STEP} in mobilenet_v1_w0.25_r32_d5 and 1 more; {ADVICE}",
    ),
    (
        "space: {width: 0.25, resolution: [64, 16], stem_stride: 1}\n" + STEP,
        f"{NO_STEP} in mobilenet_v1_w0.25_r16_d5_s1; {ADVICE}",
    ),
    (
        "space: {width: {from: 0.1, to: 1.1, step: 0.1}}\nlatency: [{backend: torch, kind: predicted}]\n",
        ":2: latency[0].kind is 'predicted', and the sweep has 11 variants; a prediction is learnt from at "
        "least 12 that are measured: leave `kind` out to measure all",
    ),
    (
        "space: {resolution: {from: 1, to: 3334, step: 1}, width: [0.25, 0.5, 1.0]}\n"
        "latency: [{backend: torch}]\n",
        ":2: latency would measure 10002 variants; at most 10000: narrow it by limits or sample, or predict "
        "them with `kind: predicted`",
    ),
]


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(("text", "message"), REFUSED, ids=["step", "stem", "few", "many"])
def test_what_no_machine_can_do_is_refused(command, text, message, tmp_path):
    """In the same words by both, with the file's line; no folder is made."""
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(text, encoding="utf-8")
    assert refusal(call(command, sweep, "--out", tmp_path / "run")) == f"{sweep}{message}"
    assert list(tmp_path.iterdir()) == [sweep]


@pytest.mark.parametrize(
    "text",
    [
        "space: {width: 0.25, resolution: [32, 16]}\n" + STEP.replace("}]", ", batch: 2}]"),
        "space: {width: 0.25, resolution: [33, 64]}\n" + STEP,
        "space: {width: 0.25, resolution: [17], stem_stride: 1}\n" + STEP,
        "space: {width: {from: 0.1, to: 1.2, step: 0.1}}\nlatency: [{backend: torch, kind: predicted}]\n",
    ],
)
def test_what_can_be_done_is_planned(text, tmp_path):
    """One image more, one pixel more, one variant more."""
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(text, encoding="utf-8")
    result = call("plan", sweep, "--out", tmp_path / "run")
    assert (result.exit_code, result.stderr) == (0, "")


ODD = [
    Variant(width=0.01, resolution=resolution, depth=depth, block=block, divisor=1, stem_stride=stride)
    for resolution in (1, 3, 4, 16, 17, 32, 33)
    for depth in (0, 1)
    for block in ("separable", "standard")
    for stride in (1, 2)
]


@pytest.mark.parametrize("batch", [1, 2])
def test_a_step_is_refused_where_torch_has_none(batch):
    """56 small networks of all kinds in train mode: PyTorch refuses those that are said to have a layer with
    one value per channel, and no other.
    """
    for variant in ODD:
        net = build(variant).train()
        images = torch.zeros(batch, 3, variant.resolution, variant.resolution)
        if lonely_layer(variant, batch) is None:
            net(images)
        else:
            with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
                net(images)
