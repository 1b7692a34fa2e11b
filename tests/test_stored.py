"""What an earlier version has written is read, and gone on with, by this one.

`stored/kept` is the run of `stored/kept.yaml` as mbsweep 0.1 left it in November 2026, stopped after six of
twelve epochs: one network trained, one half trained, one not begun. Its images are those of `brightness`.
"""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from brightness import write_images
from console import call, query

from mbsweep import Variant, load_sweep, open_run, run
from mbsweep.accuracy.settings import Recipe, SupernetAccuracy, fingerprint
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.accuracy.training.loop import trained_network
from mbsweep.profiler.device import this_device

STORED = Path(__file__).parent / "stored"
DONE = "mobilenet_v1_w0.05_r16_d1_n3"
HALF = "mobilenet_v1_w0.25_r16_d0_c8-8-8-16-16_n3_div4_s1"
NEW = "mobilenet_v1_w0.05_r20_d0_standard_c8-8-8-8-8_n3"
WEIGHTS = "weights/imagefolder-7f2a1ea6_415cf7"
SOURCE = "trained on imagefolder-7f2a1ea6, 4 epochs, batch 16, rate 0.02 (recipe 415cf7)"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The stored run with its images beside it, as if this machine had made it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(STORED / "kept", "kept")
    shutil.copy(STORED / "kept.yaml", ".")
    write_images(Path("images"), train=32)
    here = json.dumps(this_device().as_dict())
    with closing(sqlite3.connect("kept/run.sqlite")) as connection, connection:
        connection.execute("UPDATE sessions SET device = ?", [here])
    return Path("kept")


def test_a_stored_run_is_read(kept):
    """Variants, counts and accuracies of the run are those that were written; ids are the same today."""
    table = open_run(kept).table().set_index("variant")
    assert list(table.index) == [HALF, DONE, NEW]
    assert table["params"].tolist() == [851, 7531, 4995]
    assert table["macs"].tolist() == [90564, 34848, 121848]
    assert table["stage_channels"].tolist() == [
        "[8, 8, 8, 16, 16]",
        "[64, 128, 256, 512, 1024]",
        "[8, 8, 8, 8, 8]",
    ]
    assert [Variant.of_row(row).id for row in table.reset_index().to_dict("records")] == [HALF, DONE, NEW]
    assert table["top1_pct"].round(2).dropna().to_dict() == {DONE: 93.33}
    assert set(table["top1_source"]) == {SOURCE}


def test_a_stored_run_is_gone_on_with(kept):
    """The half-trained network goes on after its second epoch, the trained one is not trained again, the
    other is; all under the same name of the source and in the same folder of weights.
    """
    before = query(kept, "SELECT * FROM epochs ORDER BY id")
    assert len(before) == 6
    run(load_sweep("kept.yaml"), kept, jobs=1)
    after = query(kept, "SELECT * FROM epochs ORDER BY id")
    assert after[:6] == before
    assert [row[1:6] for row in after[6:]] == [
        *((SOURCE, HALF, 0, 0, epoch) for epoch in (3, 4)),
        *((SOURCE, NEW, 0, 0, epoch) for epoch in (1, 2, 3, 4)),
    ]
    assert {path.name for path in (kept / WEIGHTS).iterdir()} == {
        f"{variant}_seed0.safetensors" for variant in (DONE, HALF, NEW)
    }
    assert query(kept, "SELECT DISTINCT source FROM accuracies") == [(SOURCE,)]


def test_a_training_goes_on_where_its_file_tells_less(kept):
    """A field that the recipe, the variant or the file has got since does not begin a training anew."""
    file = kept / WEIGHTS / f"{HALF}_seed0.checkpoint"
    state = open_checkpoint(file)
    raw = file.read_bytes()
    told = json.dumps(json.dumps(state.about)[1:-1])[1:-1].encode()
    assert told in raw  # the header is JSON within JSON
    less = dict(state.about)
    del less["start"]
    less["recipe"] = {name: value for name, value in less["recipe"].items() if name != "pointwise_init"}
    less["variant"] = {name: value for name, value in less["variant"].items() if name != "stem_stride"}
    shorter = json.dumps(json.dumps(less)[1:-1])[1:-1].encode()
    # As many bytes as before: whitespace between the fields, which JSON ignores.
    file.write_bytes(raw.replace(told, shorter + b" " * (len(told) - len(shorter))))
    assert open_checkpoint(file).about == less
    before = query(kept, "SELECT * FROM epochs ORDER BY id")
    run(load_sweep("kept.yaml"), kept, jobs=1)
    assert query(kept, "SELECT * FROM epochs ORDER BY id")[:6] == before
    epochs = query(kept, f"SELECT epoch, attempt FROM epochs WHERE variant = '{HALF}' ORDER BY id")  # noqa: S608
    assert epochs == [(1, 0), (2, 0), (3, 0), (4, 0)]


def test_a_stored_network_is_read(kept):
    """Its file says which network it is, and its weights are those of that network; `evaluate` tests it."""
    file = kept / WEIGHTS / f"{DONE}_seed0.safetensors"
    state = open_checkpoint(file)
    assert Variant(**state.about["variant"]) == Variant(width=0.05, resolution=16, depth=1, num_classes=3)
    assert sum(weight.numel() for weight in trained_network(state).parameters()) == 7531
    result = call("evaluate", file)
    assert result.exit_code == 0
    # On another processor one of the sixty images may go the other way.
    assert re.search(r", top-1 9(1.67|3.33|5.00) % .+ of the 60 images\) on the test part", result.stdout)


class _Later(Recipe):
    """A recipe with one more field."""

    added: ClassVar[frozenset[str]] = Recipe.added | {"weight_averaging"}

    weight_averaging: float = 0


class _LaterByNone(Recipe):
    """A recipe with one more field, whose default is no None."""

    added: ClassVar[frozenset[str]] = Recipe.added | {"warm_restarts"}

    warm_restarts: int | None = 5


class _LaterSupernet(SupernetAccuracy):
    """A supernet whose recipe has one more field."""

    recipe: _Later = _Later()


def test_a_field_added_later_orphans_no_accuracy():
    """The hash of settings in names of accuracies and folders stays, until the field is used."""
    assert fingerprint(Recipe(epochs=4), 6) == fingerprint(_Later(epochs=4), 6)
    assert fingerprint(Recipe(epochs=4), 6) != fingerprint(_Later(epochs=4, weight_averaging=0.9), 6)
    assert fingerprint(Recipe(epochs=4), 6) == fingerprint(_LaterByNone(epochs=4), 6)
    assert fingerprint(Recipe(epochs=4), 6) != fingerprint(_LaterByNone(epochs=4, warm_restarts=None), 6)
    nested = SupernetAccuracy(source="supernet"), _LaterSupernet(source="supernet")
    assert fingerprint(nested[0], 6) == fingerprint(nested[1], 6)
    changed = _LaterSupernet(source="supernet", recipe=_Later(weight_averaging=0.5))
    assert fingerprint(nested[0], 6) != fingerprint(changed, 6)


def test_the_hash_of_a_recipe_is_that_of_before():
    """Of a complete recipe, as the stored run's folder of weights has it."""
    recipe = Recipe(epochs=4, batch=16, learning_rate=0.02, warmup_pct=10)
    assert fingerprint(recipe, 6) == "415cf7"
