"""A supernet of a space that nobody lists: trained, asked for a few, and each of its networks taken out."""

import re
from contextlib import closing

import brightness
import pytest
from console import call

from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.accuracy.training.processes import LocalPool
from mbsweep.base.progress import Silent
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep

# 4^5 widths and 2^5 depths.
SPACE = (
    "width: 0.1, resolution: 16, num_classes: 3, stage_widths: {each: [0.5, 1, 1.5, 2]}, "
    "stage_depths: {each: [1, 2]}, kernels: [[3, 5, 3, 3, 3]]"
)
CHOSEN = Variant(
    width=0.1,
    resolution=16,
    num_classes=3,
    stage_channels=[128, 64, 256, 512, 1024],
    stage_depths=[1, 2, 1, 2, 1],
    kernels=[3, 5, 3, 3, 3],
)
FIELDS = ("--stage-channels", "128,64,256,512,1024", "--stage-depths", "1,2,1,2,1")


@pytest.mark.usefixtures("one_core", "as_in_a_worker")
def test_any_network_of_thousands_is_tested_taken_out_and_trained_further(tmp_path, monkeypatch):
    """What `evaluate` says of one, `extract` prints of the file that it writes; it says where the space has
    no such network, or the supernet no such kernel. `train --start` goes on from it, from the supernet's file
    as from its own. The file lists no networks.
    """
    monkeypatch.chdir(tmp_path)
    root = brightness.write_images(tmp_path / "images", train=20)
    text = (
        f"space: {{{SPACE}}}\naccuracy:\n  source: supernet\n"
        f'  dataset: {{name: imagefolder, path: "{root}"}}\n'
        "  recipe: {epochs: 1, batch: 16}\n  alone: {count: 0}\n"
    )
    sweep = parse_sweep(text, "s.yaml")
    space = count_space(sweep)
    assert len(space) == 32_768
    sweep.accuracy.check_space(space)
    source = sweep.accuracy.open(space, lambda message: None)
    with Store.write(tmp_path / "run") as store, closing(source):
        source.prepare(store, LocalPool(), Silent())
        source.evaluate([CHOSEN], store, LocalPool(), Silent())
        (row,) = store.trainings(source.name)
    (file,) = tmp_path.glob("run/weights/*/supernet_*.safetensors")
    about = open_checkpoint(file).about
    assert "networks" not in about
    assert "variants" not in about["supernet"]
    assert file.stat().st_size < 2e6
    said = call("extract", file, *FIELDS, "-o", "net.safetensors").stdout
    assert said.startswith(f"net.safetensors: {CHOSEN.id}, top-1 {100 * row.hits.mean():.2f} % ")
    assert "never trained" not in said
    other = ("--stage-channels", "128,64,256,500,1024", "-o", "other.safetensors")
    assert (
        "caution: stage_channels 500 in stage 4 was never trained: the supernet's networks have 256, 512, "
        "768, 1024 there" in call("extract", file, *other).stdout
    )
    refused = call("extract", file, "--kernels", "3,5,5,3,3", "-o", "other.safetensors")
    assert (refused.exit_code, "which is larger" in refused.stderr) == (2, True)
    for start, fields in ((file, FIELDS), ("net.safetensors", ())):
        more = ("--start", start, *fields, "--epochs", 1, "--batch", 16, "-o", f"{len(fields)}.safetensors")
        done = call("train", *more)
        assert re.match(rf"{CHOSEN.id} on \S+, 1 epoch, .* from weights ", done.stdout), done.output
