"""Networks of the user's own, counted: what each bad factory gives, and that the others are counted."""

import pytest
from own_networks import write_networks

from mbsweep import Variant
from mbsweep.profiler.counting_code import count_code
from mbsweep.space.counting import UNKNOWN
from mbsweep.space.families.factory import code_allowed

OWN = "python:own.networks:"

# A convolution of 3 x 3 x 3 x 8 on 16 x 16 pixels, batch normalisation, 8 x 10 and 10: 216 + 16 + 90.
SMALL = (322, 216 * 16 * 16 + 80)
# 4 patches of 8 x 8 x 3 -> 16; 16 -> 48; each of 4 with each of 4, twice, over 16 channels; 16 -> 10.
ATTENTION = (3 * 64 * 16 + 16 + 17 * 48 + 17 * 10, 4 * 192 * 16 + 4 * 16 * 48 + 2 * 4 * 4 * 16 + 160)
# The same patches; each of 16 channels of 4 patches from 4 of 3 x 3; 16 -> 48, attention, 16 -> 16; 16 -> 10.
ENCODER = (
    3 * 64 * 16 + 16 + (4 * 9 * 16 + 16) + 17 * 48 + 17 * 16 + 17 * 10,
    4 * 192 * 16 + 4 * 16 * 36 + 4 * 16 * 48 + 2 * 4 * 4 * 16 + 4 * 16 * 16 + 160,
)

GOOD = {
    "small": ({}, SMALL, ""),
    "any_keywords": ({"activation": "silu"}, SMALL, ""),
    "Attention": ({}, ATTENTION, ""),
    "Encoder": ({}, ENCODER, ""),
    "Recurrent": (
        {},
        (4 * (8 * 48 + 8 * 8 + 8 + 8) + 90, UNKNOWN),
        "mult-adds unknown: fvcore cannot count aten::lstm",
    ),
    "Viewing": ({"widths": [8, 5]}, (224 + 16 + 8 * 16 * 5 + 5, 216 * 16 + 8 * 16 * 5), ""),
}
BAD = {
    "colours": ({}, "raises ValueError: [31mred"),  # no terminal turns red
    "raises": ({}, "raises KeyError: 'two\\nlines'"),
    "small": ({"wrong": 1}, "raises TypeError: small() got an unexpected keyword argument 'wrong'"),
    "returns_none": ({}, "returns None; expected a torch.nn.Module"),
    "returns_text": ({}, "returns a str; expected a torch.nn.Module"),
    "nothing_to_learn": ({}, "returns a module that has no trainable parameter"),
    "frozen": ({}, "returns a module that has no trainable parameter"),
    "on_meta": ({}, "puts tensors on meta; networks are to be made on the CPU"),
    "other_size": (
        {},
        "fails on an image of [3, 16, 16]: RuntimeError: mat1 and mat2 shapes cannot be multiplied "
        "(1x768 and 150528x10)",
    ),
    "other_classes": ({"num_classes": 4}, "gives a tensor of [1, 5]; num_classes is 4"),
    "exits": ({}, "ends the process: sys.exit('enough')"),
    "Pair": ({}, "gives a dict for one image; expected a tensor of logits"),
    "no_function": ({}, "is an int, and cannot be called"),
    "missing": ({}, ": the Python module own.networks has no missing"),
}


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """What became of each, all told together: (name, arguments) -> Found."""
    folder = tmp_path_factory.mktemp("counted")
    write_networks(folder)
    variants = {
        (name, bool(expected[0])): Variant(OWN + name, resolution=16, **expected[0])
        for expected_of in (BAD, GOOD)
        for name, expected in expected_of.items()
    }
    others = [f"{OWN}on_gpu", f"{OWN}dies", "python:own.broken:f", "python:no_such_module_of_ours.at_all:f"]
    with pytest.MonkeyPatch.context() as patch, code_allowed():
        patch.chdir(folder)
        # Amid them one that takes its process with it: the next are counted all the same.
        found = count_code([Variant(name, resolution=16) for name in others])
        found |= count_code(variants.values())
    assert (folder / "imported").exists()
    return found, folder


@pytest.mark.parametrize("name", GOOD)
def test_counts_are_those_of_the_shapes(counted, name):
    """Parameters by the tensors, mult-adds of convolutions and products of matrices; or why not."""
    arguments, (params, macs), note = GOOD[name]
    found = counted[0][Variant(OWN + name, resolution=16, **arguments)]
    assert (found.failure, found.note) == ("", note)
    assert (found.counts.params, found.counts.macs, found.counts.weight_bytes) == (params, macs, 4 * params)
    assert found.counts.peak_activation_bytes == UNKNOWN


@pytest.mark.parametrize("name", BAD)
def test_a_bad_factory_is_told_in_one_line(counted, name):
    """Whatever a factory does, it costs its own networks only, with a reason that names it."""
    arguments, words = BAD[name]
    found = counted[0][Variant(OWN + name, resolution=16, **arguments)]
    joint = "" if words[0] == ":" else " "
    assert found.failure == f"{OWN}{name}{joint}{words}"
    assert found.counts.params == UNKNOWN


def test_one_that_ends_its_process_costs_itself_only(counted):
    """The next are counted in a new process."""
    assert counted[0][Variant(f"{OWN}dies", resolution=16)].failure == (
        f"{OWN}dies: the factory's process ended: exit code 7"
    )


def test_one_that_needs_a_gpu_says_so(counted):
    """With the words of PyTorch where there is none; else that it is to be made on the CPU."""
    failure = counted[0][Variant(f"{OWN}on_gpu", resolution=16)].failure
    assert failure.startswith(f"{OWN}on_gpu ")
    assert "CUDA" in failure or "NVIDIA" in failure or "cuda" in failure


def test_modules_that_cannot_be_imported(counted):
    """One that is not there is told from one that lacks something itself."""
    found, folder = counted
    assert found[Variant("python:no_such_module_of_ours.at_all:f", resolution=16)].failure == (
        "python:no_such_module_of_ours.at_all:f: there is no Python module no_such_module_of_ours in "
        f"{folder} or where Python looks"
    )
    assert found[Variant("python:own.broken:f", resolution=16)].failure == (
        "python:own.broken:f: it needs the Python module no_such_package_of_ours, which is not installed"
    )
