"""`mbsweep train`: what it says of batch and rate, and of a network that has learnt nothing."""

import pytest
from brightness import write_images
from console import call

STALL = "stalled: no better than guessing; what helps: `--stem-stride 1`, a higher resolution, more epochs"

FURTHER = "stalled: no better than guessing; what helps: more epochs"


@pytest.mark.parametrize(("is_learnable", "stalls"), [(True, []), (False, [STALL])])
def test_train_tells_its_steps_and_whether_it_stalled(is_learnable, stalls, tmp_path):
    """240 images and six epochs: batches of 32. Where no class can be told from another the network has
    stalled, and what helps is said; the network is saved all the same.
    A training that goes on from it has its stride and resolution, and can have more epochs only.
    """
    images = write_images(tmp_path / "images", is_learnable=is_learnable)
    network = ("--width", 0.1, "--resolution", 16, "--depth", 0, "--epochs", 6, "--learning-rate", 0.05)
    output = tmp_path / "net.safetensors"
    result = call("train", "--dataset", images, *network, "--output", output)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].endswith(", 6 epochs, batch 32, rate 0.05, seed 0")
    assert [line.partition(" ")[2] for line in lines if "stalled" in line] == stalls
    assert output.exists()
    if stalls:
        further = call(
            "train", "--start", output, "--epochs", 1, "--output", tmp_path / "further.safetensors"
        )
        assert further.exit_code == 0, further.output
        said = [line for line in further.stdout.splitlines() if "stalled" in line]
        assert [line.partition(" ")[2] for line in said] == [FURTHER]
