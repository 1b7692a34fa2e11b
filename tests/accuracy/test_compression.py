"""`compress` of a sweep: what it may say, what its steps are, and what is refused with line and key."""

from types import SimpleNamespace

import pytest

from mbsweep.accuracy.compression import Scheme, all_steps
from mbsweep.base.errors import MbsweepError
from mbsweep.plan import plan
from mbsweep.sweep.sweep import parse_sweep

SWEEP = """\
space: {{width: 0.25, resolution: 32, num_classes: 10}}
accuracy: {{source: {source}}}
compress:
  - {scheme}
"""


def scheme(**said):
    return Scheme.model_validate(said)


def refused(text):
    with pytest.raises(MbsweepError) as told:
        parse_sweep(text, "c.yaml")
    assert "\n" not in str(told.value)
    return str(told.value)


def test_one_number_is_for_all_but_depthwise_kernels():
    """Convolutions, pointwise ones among them, and the classifier."""
    found = scheme(sparsity=0.8, bits=5)
    assert found.sparsity.by_kind == {"conv": 0.8, "pointwise": 0.8, "fc": 0.8}
    assert found.bits.by_kind == {"conv": 5, "pointwise": 5, "fc": 5}


def test_kinds_of_layers_have_numbers_of_their_own():
    """What is not named is left alone; pointwise convolutions are convolutions unless they are named."""
    found = scheme(sparsity={"pointwise": 0.9}, bits={"conv": 8, "pointwise": 6, "depthwise": 7})
    assert found.sparsity.by_kind == {"pointwise": 0.9}
    assert found.bits.by_kind == {"conv": 8, "pointwise": 6, "depthwise": 7}


def test_steps_come_one_after_another():
    """Pruned, shared, coded; each says all that was done up to it."""
    steps = scheme(sparsity=0.8, bits={"conv": 8, "fc": 5}, share_epochs=3).steps
    assert [step.kind for step in steps] == ["pruned", "shared", "coded"]
    assert [step.before for step in steps] == ["", steps[0].key, steps[1].key]
    assert [step.words for step in steps] == [
        "80 % pruned",
        "80 % pruned, conv 8, fc 5 bits in 3 epochs",
        "80 % pruned, conv 8, fc 5 bits in 3 epochs, Huffman",
    ]
    assert [step.epochs for step in steps] == [4, 3, 0]
    assert [step.kind for step in scheme(bits=5, huffman=False).steps] == ["shared"]
    assert [step.kind for step in scheme(sparsity=0.5).steps] == ["pruned", "coded"]


def test_schemes_that_begin_alike_share_their_first_steps():
    """Pruned once, shared twice; what is said for nothing makes no other step."""
    first, second = scheme(sparsity=0.8, bits=5), scheme(sparsity=0.8, bits=4)
    assert [step.words for step in all_steps([first, second])] == [
        *("80 % pruned", "80 % pruned, 5 bits", "80 % pruned, 5 bits, Huffman"),
        *("80 % pruned, 4 bits", "80 % pruned, 4 bits, Huffman"),
    ]
    assert scheme(bits=5).steps == scheme(bits=5, prune_epochs=7).steps
    assert scheme(bits=5).steps != scheme(bits=5, share_epochs=7).steps
    assert first.steps[0].key != scheme(sparsity=0.8, prune_epochs=7).steps[0].key


@pytest.mark.parametrize("settings", [{"sparsity": 0.8}, {"bits": {"depthwise": 3}, "huffman": False}])
def test_a_scheme_is_read_back_as_it_is_told(settings):
    """It is told to another process, as JSON."""
    assert Scheme.model_validate(scheme(**settings).settings) == scheme(**settings)


SHARE = "expected a number in (0, 0.999], such as 0.8, or one for each kind of layer: {conv: 0.8, fc: 0.9}"
BITS = "expected a whole number from 1 to 16, such as 5, or one for each kind of layer: {conv: 8, fc: 5}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{sparsity: 1}", f"c.yaml:4: compress[0].sparsity is 1; {SHARE}"),
        ("{sparsity: 0}", f"c.yaml:4: compress[0].sparsity is 0; {SHARE}"),
        ("{sparsity: -0.1}", f"c.yaml:4: compress[0].sparsity is -0.1; {SHARE}"),
        ("{sparsity: 0.8x}", f"c.yaml:4: compress[0].sparsity is '0.8x'; {SHARE}"),
        ("{sparsity: [0.8]}", f"c.yaml:4: compress[0].sparsity is [0.8]; {SHARE}"),
        ("{bits: 17}", f"c.yaml:4: compress[0].bits is 17; {BITS}"),
        ("{bits: 0}", f"c.yaml:4: compress[0].bits is 0; {BITS}"),
        (
            "{bits: {fc: 17}}",
            "c.yaml:4: compress[0].bits.fc is 17; expected a whole number from 1 to 16, such as 5",
        ),
        (
            "{sparsity: {depthwize: 0.5}}",
            "c.yaml:4: compress[0].sparsity.depthwize is an unknown key; allowed here: conv, pointwise, "
            "depthwise, fc; did you mean 'depthwise'?",
        ),
        (
            "{bits: {}}",
            "c.yaml:4: compress[0].bits is {}; expected a number for at least one of conv, pointwise, "
            "depthwise, fc",
        ),
        (
            "{huffman: true}",
            "c.yaml:4: compress[0] is {'huffman': True}; expected `sparsity`, `bits` or both: what is to be "
            "done to the weights",
        ),
        (
            "{sparsity: 0.8}\n  - {sparsity: 0.8}",
            "c.yaml:5: compress[1] repeats `80 % pruned, Huffman`; give each scheme once",
        ),
    ],
)
def test_what_a_scheme_may_not_say(said, words):
    """File, line, key, what is given and what is allowed."""
    assert refused(SWEEP.format(source="trained", scheme=said)) == words


def test_only_networks_that_were_trained_are_compressed():
    """Without accuracies, with published ones, with a supernet: one line, before anything begins."""
    lacks = SWEEP.format(source="trained", scheme="{bits: 5}").replace("accuracy: {source: trained}\n", "")
    assert refused(lacks) == (
        "c.yaml:2: compress goes on from trained networks; add `accuracy: {source: trained}`, or leave it out"
    )
    for source, more in (("published", ", table: paper"), ("supernet", "")):
        sweep = parse_sweep(SWEEP.format(source=source + more, scheme="{bits: 5}"), "c.yaml")
        with pytest.raises(MbsweepError) as told:
            plan(sweep)
        assert str(told.value) == (
            f"c.yaml:2: accuracy.source is {source!r}; `compress` goes on from networks that were trained "
            "alone: say `source: trained`, or leave `compress` out"
        )


def test_networks_that_are_code_are_not_compressed():
    """Nobody knows which of their layers are of which kind."""
    space = SimpleNamespace(code=lambda: [SimpleNamespace(family="python:my.networks:small")])
    sweep = parse_sweep(SWEEP.format(source="trained", scheme="{bits: 5}"), "c.yaml")
    with pytest.raises(MbsweepError) as told, sweep.blamed():
        sweep.accuracy.check_compression(space)
    assert str(told.value) == (
        "c.yaml:2: accuracy.source trains python:my.networks:small, which is code, whose kinds of layers "
        "mbsweep does not know: leave `compress` out"
    )
